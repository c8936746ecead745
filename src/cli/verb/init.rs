//! `goroam init` writes a first policy. At a terminal it reads the network and `go env`, asks at
//! most three questions (the company's proxy, its CA, start at login), and shows what it writes.
//! Elsewhere flags give the same answers.

mod address;
mod args;
mod at_login;
mod company;
mod dialogue;
mod found;
mod voice;

use std::io::{self, IsTerminal};
use std::path::Path;

use serde::Serialize;

pub use self::args::{Init, TemplateName};
use self::company::Met;
use self::dialogue::{Dialogue, INTERRUPTED, ctrl_c};
use self::found::{Found, check_home};
use self::voice::{Listener, Voice};
use crate::agent::error::{EXIT_DONE, EXIT_FAILED, EXIT_USAGE};
use crate::agent::read_policy_text;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render;
use crate::model::Observation;
use crate::paths::Paths;
use crate::policy::Severity;
use crate::policy::file::{Parsed, PolicyLocation, parse};
use crate::policy::templates::Template;
use crate::state::file::write_new;

/// What was decided and done. Fields are added, never renamed.
#[derive(Debug, Serialize)]
struct InitReport<'a> {
    /// The policy file.
    policy: String,
    /// Whether it was written now. False: it existed before.
    written: bool,
    /// `default`, `corporate`, `classic`, `company`; null: no policy was written.
    template: Option<&'static str>,
    /// The company's proxy.
    proxy: Option<ProxyReport<'a>>,
    /// What was done to start at login; null: this was not requested.
    service: Option<Vec<String>>,
    /// The messages that a person would have seen.
    remarks: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ProxyReport<'a> {
    url: &'a str,
    ca: Option<&'a str>,
    pinned: bool,
    private: &'a str,
    private_guessed: bool,
    observation: &'a Observation,
}

impl ProxyReport<'_> {
    fn of(met: &Met) -> ProxyReport<'_> {
        ProxyReport {
            url: &met.company.url,
            ca: met.company.ca.as_deref(),
            pinned: met.company.pin.is_some(),
            private: &met.company.private,
            private_guessed: met.guessed,
            observation: &met.observation,
        }
    }
}

/// Writes a policy at its usual place. An existing policy stays.
pub(in crate::cli) async fn run(context: &Context, args: Init) -> Result<u8, Failure> {
    if args.proxy.is_none() && !args.yes && (args.ca.is_some() || args.private.is_some()) {
        let message = "--ca and --private need a proxy: --proxy URL";
        if !is_conversation(context, &args) {
            return Err(Failure::said(message, EXIT_USAGE));
        }
    }
    if args.stdout && args.proxy.is_none() && !args.yes {
        let text = template(&args).text();
        context.out.raw(text.as_bytes())?;
        return Ok(EXIT_DONE);
    }
    let paths = context.paths()?;
    check_home(context, &paths)?;
    let voice = Voice::new(context.out, listener(&args));
    let dialogue = is_conversation(context, &args).then_some(Dialogue { out: context.out });
    let is_there = !args.stdout && std::fs::symlink_metadata(&paths.policy).is_ok();
    let choosing = async {
        let choice = if is_there {
            there_already(context, &args, &paths, dialogue, &voice)?
        } else {
            choose(context, &args, &paths, dialogue, &voice).await?
        };
        if dialogue.is_some() && !is_there {
            // Before the last question, so that the user can still refuse the policy.
            let policy = render::policy(&choice.text);
            context.out.text(&format!("\n{policy}\n"))?;
        }
        let service = at_login::wanted(context, &args, &paths, dialogue, &voice).await?;
        Ok::<_, Failure>((choice, service))
    };
    let (choice, service) = tokio::select! {
        biased;
        () = ctrl_c(), if dialogue.is_some() => {
            context.out.text("\n")?;
            return Err(Failure::said("interrupted; nothing was written", INTERRUPTED));
        }
        chosen = choosing => chosen?,
    };
    if args.stdout {
        context.out.raw(choice.text.as_bytes())?;
        return Ok(EXIT_DONE);
    }
    if !is_there {
        write(&paths, &choice, &voice)?;
    }
    let service = if service {
        Some(tokio::select! {
            biased;
            () = ctrl_c(), if dialogue.is_some() => {
                let message = "interrupted; the policy stays, `goroam service status` tells the rest";
                return Err(Failure::said(message, INTERRUPTED));
            }
            done = at_login::install(context, &paths, &voice) => done?,
        })
    } else {
        None
    };
    if args.json {
        context.out.json(&InitReport {
            policy: paths.policy.display().to_string(),
            written: !is_there,
            template: choice.template,
            proxy: choice.met.as_ref().map(ProxyReport::of),
            service,
            remarks: voice.remarks(),
        })?;
    } else {
        voice.say(match (is_there, service.is_some()) {
            (_, true) => "  see it at work: goroam status --watch\n",
            (false, false) => "  edit it, then: goroam check; goroam once\n",
            (true, false) => "  next: goroam check; goroam once\n",
        })?;
    }
    Ok(EXIT_DONE)
}

/// The policy to write.
#[derive(Debug, Default)]
struct Choice {
    text: String,
    /// The template's name in the report.
    template: Option<&'static str>,
    met: Option<Met>,
}

/// Reports whether `init` can and should ask questions.
fn is_conversation(context: &Context, args: &Init) -> bool {
    let wanted = !args.yes && !args.json && !args.stdout && args.template.is_none();
    wanted && context.out.is_terminal() && io::stdin().is_terminal()
}

fn listener(args: &Init) -> Listener {
    match (args.json, args.stdout) {
        (true, _) => Listener::Report,
        (_, true) => Listener::Pipe,
        _ => Listener::Person,
    }
}

fn template(args: &Init) -> Template {
    match args.template {
        None | Some(TemplateName::Default) => Template::Default,
        Some(TemplateName::Corporate) => Template::Corporate,
        Some(TemplateName::Classic) => Template::Classic,
    }
}

async fn choose(
    context: &Context,
    args: &Init,
    paths: &Paths,
    dialogue: Option<Dialogue>,
    voice: &Voice,
) -> Result<Choice, Failure> {
    let as_it_is = |template: Template| Choice {
        text: template.text().to_owned(),
        template: Some(template.as_str()),
        met: None,
    };
    if args.template.is_some() || (args.proxy.is_none() && !args.yes && dialogue.is_none()) {
        return Ok(as_it_is(template(args)));
    }
    let found = Found::look(context, paths);
    if dialogue.is_some() {
        let shown: Vec<_> = found
            .variables
            .iter()
            .map(|variable| (variable.name, variable.shown(), variable.origin.as_str()))
            .collect();
        let here = render::here(found.network.as_ref(), &shown, &context.page);
        context.out.text(&here)?;
    }
    for weak in found.weakens() {
        voice.remark(&weak)?;
    }
    let Some(address) = company::address(args, &found, dialogue).await? else {
        return Ok(as_it_is(Template::Default));
    };
    let mut met = company::meet(context, args, &found, address, dialogue, voice).await?;
    let place = paths.policy.parent().unwrap_or(Path::new("/"));
    let mut trouble = trouble(context, &met.company.text(), place);
    if trouble.is_some() && args.private.is_none() && !met.company.private.is_empty() {
        // Another person's setting, or a guess: the policy is right without it too.
        voice.remark(&format!(
            "GOPRIVATE = {} is left out: it does not fit into a policy",
            met.company.private
        ))?;
        met.company.private.clear();
        voice.remark(company::NO_PRIVATE)?;
        trouble = self::trouble(context, &met.company.text(), place);
    }
    if let Some(why) = trouble {
        let message = format!("that does not make a valid policy: {why}");
        return Err(Failure::said(message, EXIT_USAGE));
    }
    Ok(Choice {
        text: met.company.text(),
        template: Some("company"),
        met: Some(met),
    })
}

/// Returns why a text is not a valid policy.
fn trouble(context: &Context, text: &str, folder: &Path) -> Option<String> {
    let home = context.env.home();
    let Parsed { findings, .. } = parse(
        text,
        PolicyLocation {
            folder,
            home: home.as_deref(),
        },
    );
    let mut errors = findings.into_iter();
    let error = errors.find(|finding| finding.severity == Severity::Error)?;
    Some(error.message)
}

/// Handles an existing policy: only the start at login remains.
fn there_already(
    context: &Context,
    args: &Init,
    paths: &Paths,
    dialogue: Option<Dialogue>,
    voice: &Voice,
) -> Result<Choice, Failure> {
    let shown = paths.policy.display();
    let stays = format!("{shown} exists already and is left unchanged");
    let content = args.template.is_some()
        || args.proxy.is_some()
        || args.ca.is_some()
        || args.private.is_some();
    if content || !(args.service || args.yes || dialogue.is_some()) {
        let message =
            format!("{stays}; `goroam check` reads it, `goroam init --stdout` prints the template");
        return Err(Failure::said(message, EXIT_FAILED));
    }
    voice.good("there is a policy already; it is left unchanged:")?;
    voice.say(&format!("    {shown}\n"))?;
    let folder = paths.policy.parent().unwrap_or(Path::new("/"));
    let wrong = match read_policy_text(&paths.policy) {
        Ok(text) => trouble(context, &text, folder),
        Err(error) => Some(error.to_string()),
    };
    if let Some(why) = wrong {
        voice.remark(&format!("it cannot be used: {why}; see `goroam check`"))?;
    }
    Ok(Choice::default())
}

fn write(paths: &Paths, choice: &Choice, voice: &Voice) -> Result<(), Failure> {
    let path = &paths.policy;
    let shown = path.display();
    let cannot = |error| {
        let message = format!("{shown}: cannot be written: {error}");
        Failure::said(message, EXIT_FAILED)
    };
    if !write_new(path, choice.text.as_bytes()).map_err(cannot)? {
        let message = format!("{shown} exists already and is left unchanged");
        return Err(Failure::said(message, EXIT_FAILED));
    }
    voice.say(&format!("{shown}\n"))?;
    Ok(())
}
