//! `goroam init` writes a first policy. At a terminal it reads the network and `go env`, asks for the
//! company's proxy (and its CA), says what it would write, and asks before it does. Elsewhere flags
//! give the same answers.

mod address;
mod dialogue;
mod found;
mod meet;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum, ValueHint};
use serde::Serialize;

use self::address::Address;
use self::dialogue::{Dialogue, here, policy, profiles, unless_interrupted};
use self::found::{Found, domain_of};
use crate::agent::error::{EXIT_DONE, EXIT_FAILED, EXIT_REFUSED};
use crate::agent::{
    Command, Error, POLICY_LIMIT, PolicyLayer, TurnReport, lent, read_layers, read_policy_text,
};
use crate::bounded;
use crate::cli::verb::take_turn::{report_of, turn};
use crate::cli::{Context, Failure};
use crate::gocmd::{EnvFile, LocateError};
use crate::model::go_url;
use crate::model::pattern::faults;
use crate::model::{Observation, Patterns, mask};
use crate::paths::Paths;
use crate::policy::file::{Parsed, PolicyLocation, parse, parse_layers};
use crate::policy::layers::LayerKind;
use crate::policy::templates::Template;
use crate::service::{self, ServiceError, ServiceRequest, Site};
use crate::state::entry::Outcome;
use crate::state::file::{replace, write_new};

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
    /// Replace the present policy, which is kept beside it as `.bak`
    #[arg(long, conflicts_with = "print")]
    pub force: bool,
    /// Also apply it at once (`goroam once`)
    #[arg(long, conflicts_with = "print")]
    pub apply: bool,
    /// Also start at login (`goroam service install`)
    #[arg(long, conflicts_with_all = ["no_service", "print"])]
    pub service: bool,
    /// Do not start at login, and do not ask
    #[arg(long)]
    pub no_service: bool,
    /// Ask nothing: use the proxy of `go env`, whatever it answers, and start at login
    #[arg(short, long)]
    pub yes: bool,
    /// Print the policy instead of writing it
    #[arg(long, alias = "stdout")]
    pub print: bool,
    /// Print JSON for scripts; fields are added, never renamed. Asks nothing
    #[arg(long, conflicts_with = "print")]
    pub json: bool,
}

/// What was decided and done. Fields are added, never renamed.
#[derive(Debug, Serialize)]
struct InitReport {
    /// The policy file.
    policy: String,
    /// Whether it was written now. False: it existed before.
    written: bool,
    /// Where the policy before is kept, if it was replaced.
    backup: Option<String>,
    /// `default`, `corporate`, `classic`, `company`; null: no policy was written.
    template: Option<&'static str>,
    /// The company's proxy.
    proxy: Option<ProxyReport>,
    /// What was done to start at login; null: this was not requested.
    service: Option<Vec<String>>,
    /// What `--apply` did.
    applied: Option<TurnReport>,
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

/// Earlier policies that are kept beside the present one.
const MOST_BACKUPS: u32 = 100;

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
    let could_ask = !args.yes && !args.json && !args.print && args.template.is_none();
    let asks = could_ask && context.out.is_terminal() && io::stdin().is_terminal();
    if args.proxy.is_none() && !args.yes {
        if !asks && (args.ca.is_some() || args.private.is_some()) {
            let message = "--ca and --private need a proxy: --proxy URL";
            return Err(Failure::usage(message));
        }
        if args.print {
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
    let is_there = !args.print && std::fs::symlink_metadata(&paths.policy).is_ok();
    let keeps = is_there && !args.force;
    let mut wizard = Wizard {
        dialogue: Dialogue {
            out: context.out,
            asks,
            json: args.json,
            print: args.print,
            remarks: Vec::new(),
        },
        context,
        args: &args,
        paths: &paths,
    };
    let choosing = async {
        // All questions come before the first change.
        let choice = if keeps {
            wizard.keep_existing()?;
            Choice::default()
        } else {
            let choice = wizard.choose(template).await?;
            wizard.name_layers(&choice.text)?;
            if asks {
                wizard.confirm(&choice.text, is_there).await?;
            }
            choice
        };
        let with_service = wizard.wants_service().await?;
        let is_open = asks && !keeps && !with_service && !args.apply;
        let applies = args.apply || (is_open && wizard.dialogue.agrees("Apply it now").await?);
        Ok((choice, with_service, applies))
    };
    let message = "interrupted; nothing was written";
    let (choice, with_service, applies) = unless_interrupted(asks, message, choosing).await?;
    if args.print {
        context.out.raw(choice.text.as_bytes())?;
        return Ok(EXIT_DONE);
    }
    let backup = if keeps {
        None
    } else {
        wizard.write(&choice.text, is_there)?
    };
    let mut service = None;
    if with_service {
        let message = "interrupted; the policy stays, `goroam service status` tells the rest";
        service = Some(unless_interrupted(asks, message, wizard.install_service()).await?);
    }
    let dialogue = wizard.dialogue;
    let mut applied = None;
    if applies {
        let command = Command::Once { dry_run: false };
        let message = "interrupted; the policy stays, `goroam once` applies it";
        let report = unless_interrupted(asks, message, report_of(context, command)).await?;
        dialogue.say(&turn(&report, &context.page))?;
        applied = Some(report);
    }
    let has_failed = |report: &TurnReport| matches!(report.outcome, Outcome::Failed { .. });
    let exit = match applied.as_ref().is_some_and(has_failed) {
        true => EXIT_FAILED,
        false => EXIT_DONE,
    };
    dialogue.say(match (keeps, service.is_some(), applies) {
        (_, true, _) => "  see it at work: goroam status --watch\n",
        (_, false, true) => "",
        (false, false, false) => "  next: goroam once (or edit it, then goroam check)\n",
        (true, false, false) => "  next: goroam check; goroam once\n",
    })?;
    if args.json {
        context.out.json(&InitReport {
            policy: paths.policy.display().to_string(),
            written: !keeps,
            backup: backup.map(|path| path.display().to_string()),
            template: choice.template,
            proxy: choice.proxy,
            service,
            applied,
            remarks: dialogue.remarks,
        })?;
    }
    Ok(exit)
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
        if content || !(args.service || args.apply || args.yes || self.dialogue.asks) {
            return Err(Failure::failed(format_args!(
                "{shown} exists already and is left unchanged; `goroam check` reads it, `goroam \
                 init --force` replaces it and keeps a backup, `--print` only prints"
            )));
        }
        let dialogue = &mut self.dialogue;
        dialogue.good("there is a policy already; it is left unchanged:")?;
        dialogue.say(&format!("    {shown}\n"))?;
        dialogue.say("    (`goroam init --force` replaces it and keeps a backup)\n")?;
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

    /// Says that there are layers below the user's file, and whether the text fits them.
    fn name_layers(&mut self, text: &str) -> Result<(), Failure> {
        let below = Paths {
            policy: PathBuf::new(),
            policy_named: false,
            ..self.paths.clone()
        };
        // `once` says what is wrong with them.
        let mut layers = read_layers(&below, &self.context.env).unwrap_or_default();
        let Some(below) = layers.last() else {
            return Ok(());
        };
        let file = below.path.display();
        let remark = format!(
            "{file} is a policy below yours: goroam tries your profiles first, and one without \
             `when` hides those of {file}; see `goroam check --layers`"
        );
        self.dialogue.remark(&remark)?;
        layers.push(PolicyLayer {
            kind: LayerKind::User,
            path: self.paths.policy.clone(),
            text: text.to_owned(),
        });
        let parsed = parse_layers(&lent(&layers), self.context.env.home().as_deref());
        let mut findings = parsed.findings.into_iter();
        if let Some(error) = findings.find(|finding| finding.is_error()) {
            let remark = format!("together they cannot be used: {}", error.message);
            self.dialogue.remark(&remark)?;
        }
        Ok(())
    }

    /// Returns why a text is not a valid policy.
    fn trouble(&self, text: &str) -> Option<String> {
        let mut findings = self.parse(text).findings.into_iter();
        let error = findings.find(|finding| finding.is_error())?;
        Some(error.message)
    }

    fn parse(&self, text: &str) -> Parsed {
        let home = self.context.env.home();
        let place = PolicyLocation {
            folder: self.paths.policy.parent().unwrap_or(Path::new("/")),
            home: home.as_deref(),
        };
        parse(text, place)
    }

    /// Shows what the policy does, and asks whether to write it.
    async fn confirm(&self, text: &str, replaces: bool) -> Result<(), Failure> {
        let (out, shown) = (self.context.out, self.paths.policy.display());
        if let Some(policy) = self.parse(text).policy {
            out.text(&profiles(&policy, &self.context.page))?;
        }
        let question = match replaces {
            true => format!("Replace {shown} and keep it as .bak [Y/n, p prints the new one]"),
            false => format!("Write {shown} [Y/n, p prints it]"),
        };
        let read = |text: &str| match text.trim().to_lowercase().as_str() {
            "" | "y" | "yes" => Ok(Some(true)),
            "n" | "no" => Ok(Some(false)),
            "p" | "print" => Ok(None),
            _ => Err("y, n or p, please".to_owned()),
        };
        loop {
            match self.dialogue.ask(&question, read).await? {
                Some(true) => return Ok(()),
                Some(false) => return Err(Failure::failed("nothing was written")),
                None => out.text(&format!("\n{}\n", policy(text)))?,
            }
        }
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
        let mut named = self.args.proxy.as_deref();
        let (mut company, private_guessed, observation) = loop {
            let Some(address) = self.address(&found, named.take()).await? else {
                return Ok(Choice::of(Template::Default));
            };
            // `None`: its name was wrong.
            if let Some(met) = self.meet(&found, address).await? {
                break met;
            }
        };
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
    async fn address(
        &self,
        found: &Found,
        named: Option<&str>,
    ) -> Result<Option<Address>, Failure> {
        if let Some(text) = named {
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
        if args.print || (!args.yes && !dialogue.asks) {
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

    /// Writes the policy. Returns where the one before is kept, if it `replaces` one.
    fn write(&mut self, text: &str, replaces: bool) -> Result<Option<PathBuf>, Failure> {
        let path = &self.paths.policy;
        let shown = path.display();
        let cannot = |error| Failure::failed(format_args!("{shown}: cannot be written: {error}"));
        if replaces {
            let backup = keep_and_replace(path, text.as_bytes()).map_err(cannot)?;
            let kept = format!("the policy before is kept: {}", backup.display());
            self.dialogue.good(&kept)?;
            self.dialogue.say(&format!("{shown}\n"))?;
            return Ok(Some(backup));
        }
        if !write_new(path, text.as_bytes()).map_err(cannot)? {
            let message = format_args!("{shown} exists already and is left unchanged");
            return Err(Failure::failed(message));
        }
        self.dialogue.say(&format!("{shown}\n"))?;
        Ok(None)
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

/// Copies the file to the first free name beside it, then replaces it. A link stays a link.
fn keep_and_replace(path: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let file = path.canonicalize()?;
    let before = bounded::read(&file, POLICY_LIMIT)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let names = std::iter::once(format!("{name}.bak"))
        .chain((2..MOST_BACKUPS).map(|number| format!("{name}.bak{number}")));
    for name in names {
        let backup = path.with_file_name(name);
        if write_new(&backup, &before)? {
            replace(&file, bytes)?;
            return Ok(backup);
        }
    }
    let why = "there are too many backups of it; remove some";
    Err(io::Error::new(io::ErrorKind::AlreadyExists, why))
}
