//! `goroam init` writes a first policy. At a terminal it reads the network and `go env`, asks at
//! most three questions (the company's proxy, its CA, start at login), and shows what it writes.
//! Elsewhere flags give the same answers.

mod address;
mod dialogue;
mod found;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueEnum, ValueHint};
use serde::Serialize;

use self::address::Address;
use self::dialogue::{Dialogue, here, marked, policy, unless_interrupted};
use self::found::{Found, domain_of};
use crate::agent::error::{EXIT_DONE, EXIT_FAILED, EXIT_REFUSED};
use crate::agent::{Error, read_policy_text};
use crate::bounded;
use crate::cli::render::Mark;
use crate::cli::{Context, Failure};
use crate::gocmd::{EnvFile, LocateError};
use crate::model::go_url;
use crate::model::pattern::faults;
use crate::model::target::{DEFAULT_MODULE, DEFAULT_SUM};
use crate::model::{
    Limits, Observation, Patterns, Phase, Pin, RelayLimits, Target, TargetKind, mask,
};
use crate::paths::Paths;
use crate::policy::Severity;
use crate::policy::file::{PolicyLocation, parse};
use crate::policy::templates::{Company, Template};
use crate::probe::{Introduction, introduce};
use crate::service::{self, ServiceError, ServiceRequest, Site};
use crate::state::file::write_new;

/// The policies that goroam carries with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TemplateName {
    /// Public proxies that answer; the local cache if none does
    Default,
    /// An intranet proxy with private modules, proven by its key
    Corporate,
    /// Fixed choices by network, as classic switchers make them
    Classic,
}

/// `goroam init`
#[derive(Debug, Clone, Args)]
pub struct Init {
    /// Template to write unchanged [default: default]
    #[arg(long, value_enum, conflicts_with_all = ["proxy", "ca", "private"])]
    pub template: Option<TemplateName>,
    /// The company's module proxy; it is probed and its key pinned ("none": no proxy)
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub proxy: Option<String>,
    /// PEM file with a CA to trust for the proxy besides the system's roots
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ca: Option<PathBuf>,
    /// Module paths that are private to the company, as in GOPRIVATE
    #[arg(long, value_name = "PATTERNS")]
    pub private: Option<String>,
    /// Also start at login (`goroam service install`)
    #[arg(long, conflicts_with_all = ["no_service", "stdout"])]
    pub service: bool,
    /// Do not start at login, and do not ask
    #[arg(long)]
    pub no_service: bool,
    /// Ask nothing: use the proxy of `go env` and start at login
    #[arg(short, long)]
    pub yes: bool,
    /// Print the policy instead of writing it
    #[arg(long)]
    pub stdout: bool,
    /// Print JSON for scripts; fields are added, never renamed. Asks nothing
    #[arg(long, conflicts_with = "stdout")]
    pub json: bool,
}

/// What was decided and done. Fields are added, never renamed.
#[derive(Debug, Serialize)]
struct InitReport {
    /// The policy file.
    policy: String,
    /// Whether it was written now. False: it existed before.
    written: bool,
    /// `default`, `corporate`, `classic`, `company`; null: no policy was written.
    template: Option<&'static str>,
    /// The company's proxy.
    proxy: Option<ProxyReport>,
    /// What was done to start at login; null: this was not requested.
    service: Option<Vec<String>>,
    /// The messages that a person would have seen.
    remarks: Vec<String>,
}

/// A company's proxy, and its answer.
#[derive(Debug, Serialize)]
struct ProxyReport {
    url: String,
    ca: Option<String>,
    pinned: bool,
    private: String,
    /// Whether GOPRIVATE is a guess from the proxy's name.
    private_guessed: bool,
    observation: Observation,
}

/// The policy to write.
#[derive(Debug, Default)]
struct Choice {
    text: String,
    /// The template's name in the report.
    template: Option<&'static str>,
    proxy: Option<ProxyReport>,
}

impl Choice {
    fn of(template: Template) -> Choice {
        Choice {
            text: for_editors(template.text()),
            template: Some(template.as_str()),
            proxy: None,
        }
    }
}

/// Puts the line before a policy that names its schema to editors (Even Better TOML and others that
/// use taplo), if a package has installed the schema with this program. Nothing is embedded: an
/// installation without the file has no use for the line.
fn for_editors(policy: &str) -> String {
    let schema = || {
        let program = std::env::current_exe().ok()?;
        let folder = program.parent()?;
        // Below `bin` and `share` of one prefix, or in one folder on Windows.
        let shared = folder
            .parent()
            .map(|prefix| prefix.join("share/doc/goroam"));
        let mut places = shared.into_iter().chain([folder.to_owned()]);
        let file = places.find_map(|folder| {
            let file = folder.join("goroam.schema.json");
            file.is_file().then_some(file)
        })?;
        let path = go_url::path(file.to_str()?).replace(' ', "%20");
        Some(format!("#:schema file://{path}\n\n{policy}"))
    };
    schema().unwrap_or_else(|| policy.to_owned())
}

/// More than any bundle of certificates has, in bytes.
const MOST_PEM: u64 = 16 << 20;

/// The message if neither a flag nor `go env` nor the proxy's name gives the private modules.
const NO_PRIVATE: &str = "which modules are private is not known, so GOPRIVATE is not set: go asks \
     the checksum database for every module by its name, and proxy.golang.org outside. Name them \
     with `--private`, or in the policy before it is used";

/// Writes a policy at its usual place. An existing policy stays.
pub(in crate::cli) async fn run(context: &Context, args: Init) -> Result<u8, Failure> {
    let template = match args.template {
        None | Some(TemplateName::Default) => Template::Default,
        Some(TemplateName::Corporate) => Template::Corporate,
        Some(TemplateName::Classic) => Template::Classic,
    };
    let could_ask = !args.yes && !args.json && !args.stdout && args.template.is_none();
    let asks = could_ask && context.out.is_terminal() && io::stdin().is_terminal();
    if args.proxy.is_none() && !args.yes {
        if !asks && (args.ca.is_some() || args.private.is_some()) {
            let message = "--ca and --private need a proxy: --proxy URL";
            return Err(Failure::usage(message));
        }
        if args.stdout {
            context.out.raw(for_editors(template.text()).as_bytes())?;
            return Ok(EXIT_DONE);
        }
    }
    let paths = context.paths()?;
    // The owner of another user's home could not change the file afterwards.
    if let Err(error @ LocateError::ForeignHome { .. }) = EnvFile::locate(&context.env)
        && !paths.policy_named
    {
        return Err(Error::from(error).into());
    }
    let is_there = !args.stdout && std::fs::symlink_metadata(&paths.policy).is_ok();
    let mut wizard = Wizard {
        dialogue: Dialogue {
            out: context.out,
            asks,
            json: args.json,
            stdout: args.stdout,
            remarks: Vec::new(),
        },
        context,
        args: &args,
        paths: &paths,
    };
    let choosing = async {
        let choice = if is_there {
            wizard.keep_existing()?;
            Choice::default()
        } else {
            wizard.choose(template).await?
        };
        if asks && !is_there {
            // Before the last question, so that the user can still refuse the policy.
            let policy = policy(&choice.text);
            context.out.text(&format!("\n{policy}\n"))?;
        }
        Ok((choice, wizard.wants_service().await?))
    };
    let message = "interrupted; nothing was written";
    let (choice, with_service) = unless_interrupted(asks, message, choosing).await?;
    if args.stdout {
        context.out.raw(choice.text.as_bytes())?;
        return Ok(EXIT_DONE);
    }
    if !is_there {
        wizard.write(&choice.text)?;
    }
    let mut service = None;
    if with_service {
        let message = "interrupted; the policy stays, `goroam service status` tells the rest";
        service = Some(unless_interrupted(asks, message, wizard.install_service()).await?);
    }
    let dialogue = wizard.dialogue;
    dialogue.say(match (is_there, service.is_some()) {
        (_, true) => "  see it at work: goroam status --watch\n",
        (false, false) => "  edit it, then: goroam check; goroam once\n",
        (true, false) => "  next: goroam check; goroam once\n",
    })?;
    if args.json {
        context.out.json(&InitReport {
            policy: paths.policy.display().to_string(),
            written: !is_there,
            template: choice.template,
            proxy: choice.proxy,
            service,
            remarks: dialogue.remarks,
        })?;
    }
    Ok(EXIT_DONE)
}

/// Collects what a policy needs: from flags, from `go env`, from the proxy and from the user.
struct Wizard<'a> {
    context: &'a Context,
    args: &'a Init,
    paths: &'a Paths,
    dialogue: Dialogue,
}

impl Wizard<'_> {
    /// Handles an existing policy: only the start at login remains.
    fn keep_existing(&mut self) -> Result<(), Failure> {
        let (args, path) = (self.args, &self.paths.policy);
        let shown = path.display();
        let content = args.template.is_some()
            || args.proxy.is_some()
            || args.ca.is_some()
            || args.private.is_some();
        if content || !(args.service || args.yes || self.dialogue.asks) {
            return Err(Failure::failed(format_args!(
                "{shown} exists already and is left unchanged; `goroam check` reads it, `goroam \
                 init --stdout` prints the template"
            )));
        }
        let dialogue = &mut self.dialogue;
        dialogue.good("there is a policy already; it is left unchanged:")?;
        dialogue.say(&format!("    {shown}\n"))?;
        let wrong = match read_policy_text(path) {
            Ok(text) => self.trouble(&text),
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = wrong {
            let remark = format!("it cannot be used: {why}; see `goroam check`");
            self.dialogue.remark(&remark)?;
        }
        Ok(())
    }

    /// Returns why a text is not a valid policy.
    fn trouble(&self, text: &str) -> Option<String> {
        let home = self.context.env.home();
        let place = PolicyLocation {
            folder: self.paths.policy.parent().unwrap_or(Path::new("/")),
            home: home.as_deref(),
        };
        let mut findings = parse(text, place).findings.into_iter();
        let error = findings.find(|finding| finding.severity == Severity::Error)?;
        Some(error.message)
    }

    async fn choose(&mut self, template: Template) -> Result<Choice, Failure> {
        let args = self.args;
        if args.template.is_some() || (args.proxy.is_none() && !args.yes && !self.dialogue.asks) {
            return Ok(Choice::of(template));
        }
        let found = Found::look(&self.context.env, self.paths);
        if self.dialogue.asks {
            self.context.out.text(&here(&found, &self.context.page))?;
        }
        for weak in found.weakens() {
            self.dialogue.remark(&weak)?;
        }
        let Some(address) = self.address(&found).await? else {
            return Ok(Choice::of(Template::Default));
        };
        let (mut company, private_guessed, observation) = self.meet(&found, address).await?;
        let mut trouble = self.trouble(&company.text());
        if trouble.is_some() && args.private.is_none() && !company.private.is_empty() {
            // Another person's setting, or a guess: the policy is right without it too.
            self.dialogue.remark(&format!(
                "GOPRIVATE = {} is left out: it does not fit into a policy",
                company.private
            ))?;
            company.private.clear();
            self.dialogue.remark(NO_PRIVATE)?;
            trouble = self.trouble(&company.text());
        }
        if let Some(why) = trouble {
            let message = format_args!("that does not make a valid policy: {why}");
            return Err(Failure::usage(message));
        }
        Ok(Choice {
            text: for_editors(&company.text()),
            template: Some("company"),
            proxy: Some(ProxyReport {
                url: company.url,
                ca: company.ca,
                pinned: company.pin.is_some(),
                private: company.private,
                private_guessed,
                observation,
            }),
        })
    }

    /// Returns the proxy's address: the flag's, the user's answer, or the one in `go env`.
    async fn address(&self, found: &Found) -> Result<Option<Address>, Failure> {
        if let Some(text) = &self.args.proxy {
            let refuse = |why| Failure::usage(format_args!("--proxy: {why}"));
            return Address::read(text).map_err(refuse);
        }
        let known = found
            .proxy()
            .and_then(|url| Address::without_credentials(&url));
        if !self.dialogue.asks {
            return Ok(known.filter(|_| self.args.yes));
        }
        let question = match &known {
            Some(known) => format!(
                "Your company's module proxy [{}, as `go env` has it; or: none]",
                known.url
            ),
            None => "Your company's module proxy, its address [none]".to_owned(),
        };
        let read = |text: &str| match (&known, text.trim().is_empty()) {
            (Some(known), true) => Ok(Some(known.clone())),
            _ => Address::read(text),
        };
        self.dialogue.ask(&question, read).await
    }

    /// Probes the proxy, with a CA file if it needs one. Also reports whether GOPRIVATE is a guess.
    async fn meet(
        &mut self,
        found: &Found,
        address: Address,
    ) -> Result<(Company, bool, Observation), Failure> {
        let (private, guessed) = self.private(found, &address.host)?;
        let mut company = Company {
            url: address.url,
            host: address.host,
            sumdb: found.sumdb().map(str::to_owned),
            private,
            ..Company::default()
        };
        if company.is_in_the_clear() {
            self.dialogue.remark(
                "http: anyone who controls the network can answer in its place, so nothing that \
                 it says proves anything; `goroam check` will warn. Better ask it over https",
            )?;
        }
        let refuse = |why| Failure::usage(format_args!("--ca: {why}"));
        let ca = self.args.ca.as_deref().map(|path| self.ca_file(path));
        let mut ca = ca.transpose().map_err(refuse)?;
        self.dialogue
            .say(&format!("  asking {} …\n", company.url))?;
        let mut met = self.probe(&company.url, ca.as_deref()).await;
        if self.dialogue.asks && met.untrusted && ca.is_none() {
            self.dialogue.remark(&format!(
                "{}: its certificate is not signed by a trusted CA",
                met.observation.reason
            ))?;
        }
        while self.dialogue.asks && met.untrusted && ca.is_none() {
            let question = "Its CA's certificate, a PEM file [the system's roots alone]";
            let read = |text: &str| match text.trim() {
                "" => Ok(None),
                path => self.ca_file(Path::new(path)).map(Some),
            };
            let Some(path) = self.dialogue.ask(question, read).await? else {
                break;
            };
            let again = self.probe(&company.url, Some(&path)).await;
            if again.untrusted {
                let refusal = marked(Mark::Odd, "that CA did not sign it either");
                self.dialogue.say(&refusal)?;
            } else {
                (ca, met) = (Some(path), again);
            }
        }
        company.ca = ca.map(|path| path.to_string_lossy().into_owned());
        company.lacks_default = met.lacks_module;
        company.pin = met.key.clone().filter(|_| is_itself(&met));
        self.tell(&company, &met)?;
        if guessed {
            self.dialogue.remark(&format!(
                "GOPRIVATE = {} is a guess from the proxy's name; `--private` or an editor can do \
                 better",
                company.private
            ))?;
        }
        if company.private.is_empty() && self.args.private.is_none() {
            self.dialogue.remark(NO_PRIVATE)?;
        }
        Ok((company, guessed, met.observation))
    }

    fn tell(&mut self, company: &Company, met: &Introduction) -> io::Result<()> {
        let (seen, dialogue) = (&met.observation, &mut self.dialogue);
        if seen.is_up() {
            dialogue.good(&format!("it is a module proxy: {}", seen.reason))?;
        } else if met.lacks_module {
            dialogue.remark(&format!(
                "it {}; name a module that it has in the policy, or it never counts as up",
                seen.reason
            ))?;
        } else {
            dialogue.remark(&format!(
                "{}: {}. The policy is right all the same, for when it answers",
                seen.verdict, seen.reason
            ))?;
        }
        if let Some(caveat) = &seen.caveat {
            dialogue.remark(caveat)?;
        }
        if let Some(Pin(key)) = &company.pin {
            dialogue.good(&format!("its key is sha256/{}", STANDARD.encode(key)))?;
        }
        Ok(())
    }

    async fn probe(&self, url: &str, ca: Option<&Path>) -> Introduction {
        let target = Target {
            name: "company".to_owned(),
            kind: TargetKind::GoProxy {
                url: url.to_owned(),
                module: DEFAULT_MODULE.0.to_owned(),
                version: DEFAULT_MODULE.1.to_owned(),
                sum: Some(DEFAULT_SUM.to_owned()),
                zip_sum: None,
            },
            limits: Limits {
                // The user waits, and can ask again.
                retries: 0,
                patience: Duration::from_secs(30),
                ..Limits::default()
            },
            relay: RelayLimits::default(),
            private: true,
            ca: ca.map(Path::to_owned).into_iter().collect(),
            pins: Vec::new(),
        };
        introduce(&self.context.env, &target).await
    }

    /// Returns an absolute path to a file that contains a certificate.
    fn ca_file(&self, path: &Path) -> Result<PathBuf, String> {
        let path = match (path.strip_prefix("~"), self.context.env.home()) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => path.to_owned(),
        };
        let path = std::path::absolute(&path).unwrap_or(path);
        let shown = path.display();
        if path.to_str().is_none_or(|text| text.contains("${")) {
            return Err(format!("{shown}: a policy cannot hold such a name"));
        }
        let text = bounded::read(&path, MOST_PEM).map_err(|error| format!("{shown}: {error}"))?;
        let begin = b"-----BEGIN CERTIFICATE-----";
        if text.windows(begin.len()).any(|part| part == begin) {
            return Ok(path);
        }
        let why = "holds no certificate in PEM (-----BEGIN CERTIFICATE-----)";
        Err(format!("{shown}: {why}"))
    }

    /// Returns GOPRIVATE: the flag's value, the one in `go env`, or a guess from the proxy's
    /// domain.
    fn private(&self, found: &Found, host: &str) -> Result<(String, bool), Failure> {
        if let Some(list) = &self.args.private {
            let patterns = Patterns::parse(list);
            let why = match patterns.malformed() {
                _ if mask(list) != *list || list.contains(char::is_control) => {
                    "that is not a list of module paths".to_owned()
                }
                Some(glob) => format!("{glob} is not a pattern that Go knows"),
                None => match (patterns.public().next(), faults(list.trim()).first()) {
                    (Some(glob), _) => {
                        format!("{glob} takes in public modules, which would not be verified")
                    }
                    (None, Some(fault)) => format!("{fault}; {}", fault.help),
                    (None, None) => return Ok((list.trim().to_owned(), false)),
                },
            };
            return Err(Failure::usage(format_args!("--private: {why}")));
        }
        Ok(match (found.private(), domain_of(host)) {
            (Some(list), _) => (list.to_owned(), false),
            (None, Some(domain)) => (format!("*.{domain}"), true),
            (None, None) => (String::new(), false),
        })
    }

    /// Reports whether to install the service. Asks only if that is possible and not done yet.
    async fn wants_service(&mut self) -> Result<bool, Failure> {
        let (args, dialogue) = (self.args, &mut self.dialogue);
        if args.service || args.no_service {
            return Ok(args.service);
        }
        if args.stdout || (!args.yes && !dialogue.asks) {
            return Ok(false);
        }
        let site = Site::find(self.paths.clone(), self.context.env.clone());
        match site.and_then(|site| service::state(&site)) {
            Err(why) => {
                dialogue.remark(&format!("it cannot be started at login: {why}"))?;
                Ok(false)
            }
            Ok(state) if state.installed.is_some() && state.enabled => {
                dialogue.good(&format!("it starts at login already ({})", state.kind))?;
                Ok(false)
            }
            Ok(_) if dialogue.asks => dialogue.agrees("Start at login").await,
            Ok(_) => Ok(true),
        }
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        let path = &self.paths.policy;
        let shown = path.display();
        let cannot = |error| Failure::failed(format_args!("{shown}: cannot be written: {error}"));
        if !write_new(path, text.as_bytes()).map_err(cannot)? {
            let message = format_args!("{shown} exists already and is left unchanged");
            return Err(Failure::failed(message));
        }
        Ok(self.dialogue.say(&format!("{shown}\n"))?)
    }

    /// Installs and starts the service. Returns what was done, line by line.
    async fn install_service(&mut self) -> Result<Vec<String>, Failure> {
        let installed = async {
            let site = Site::find(self.paths.clone(), self.context.env.clone())?;
            let steps = service::plan(ServiceRequest::Install, &site)?;
            service::carry_out(&steps, &site).await
        };
        let done = installed.await.map_err(|error| match error {
            ServiceError::Agent(error) => error.into(),
            error @ (ServiceError::Failed(_)
            | ServiceError::Refused(_)
            | ServiceError::Command { .. }) => {
                let is_refused = matches!(error, ServiceError::Refused(_));
                let exit = if is_refused {
                    EXIT_REFUSED
                } else {
                    EXIT_FAILED
                };
                let message = format!("{error}; `goroam service install` tries that part again");
                Failure::said(message, exit)
            }
        })?;
        for line in &done {
            self.dialogue.good(line)?;
        }
        Ok(done)
    }
}

/// Reports whether the proxy is genuine. It may still lack the module or require credentials.
fn is_itself(met: &Introduction) -> bool {
    let seen = &met.observation;
    seen.is_up() || (seen.definite && seen.failed == Some(Phase::Content) && met.lacks_module)
}
