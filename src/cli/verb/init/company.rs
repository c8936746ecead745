//! Probes a company's proxy, and collects what a policy needs to know about it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::address::Address;
use super::args::Init;
use super::dialogue::Dialogue;
use super::found::{Found, domain_of};
use super::voice::Voice;
use crate::agent::error::EXIT_USAGE;
use crate::bounded;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::model::pattern::faults;
use crate::model::target::{DEFAULT_MODULE, DEFAULT_SUM};
use crate::model::{Limits, Observation, Patterns, Phase, Pin, Target, TargetKind, mask};
use crate::policy::templates::Company;
use crate::probe::{Introduction, introduce};

/// More than any bundle of certificates has, in bytes.
pub(super) const MOST_PEM: u64 = 16 << 20;

/// The message if neither a flag nor `go env` nor the proxy's name gives the private modules.
pub(super) const NO_PRIVATE: &str = "which modules are private is not known, so GOPRIVATE is not \
     set: go asks the checksum database for every module by its name, and proxy.golang.org \
     outside. Name them with `--private`, or in the policy before it is used";

/// A company's proxy, and its answer.
#[derive(Debug)]
pub(super) struct Met {
    pub(super) company: Company,
    pub(super) observation: Observation,
    /// Whether GOPRIVATE is a guess from the proxy's name.
    pub(super) guessed: bool,
}

/// Returns the proxy's address: the flag's, the user's answer, or the one in `go env`.
pub(super) async fn address(
    args: &Init,
    found: &Found,
    dialogue: Option<Dialogue>,
) -> Result<Option<Address>, Failure> {
    if let Some(text) = &args.proxy {
        let refuse = |why| Failure::said(format!("--proxy: {why}"), EXIT_USAGE);
        return Address::read(text).map_err(refuse);
    }
    let known = found
        .proxy()
        .and_then(|url| Address::without_credentials(&url));
    let Some(dialogue) = dialogue else {
        return Ok(known.filter(|_| args.yes));
    };
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
    dialogue.ask(&question, read).await
}

/// Probes the proxy, with a CA file if it needs one.
pub(super) async fn meet(
    context: &Context,
    args: &Init,
    found: &Found,
    address: Address,
    dialogue: Option<Dialogue>,
    voice: &Voice,
) -> Result<Met, Failure> {
    let mut company = Company {
        url: address.url,
        host: address.host,
        sumdb: found.sumdb().map(str::to_owned),
        ..Company::default()
    };
    let (private, guessed) = private(args, found, &company.host)?;
    company.private = private;
    if company.is_in_the_clear() {
        voice.remark(
            "http: anyone who controls the network can answer in its place, so nothing that it says \
             proves anything; `goroam check` will warn. Better ask it over https",
        )?;
    }
    let mut ca = match &args.ca {
        Some(path) => {
            let refuse = |why| Failure::said(format!("--ca: {why}"), EXIT_USAGE);
            Some(ca_file(context, path).map_err(refuse)?)
        }
        None => None,
    };
    voice.say(&format!("  asking {} …\n", company.url))?;
    let mut met = ask(context, &company.url, ca.as_deref()).await;
    if let Some(dialogue) = dialogue
        && met.untrusted
        && ca.is_none()
    {
        voice.remark(&format!(
            "{}: its certificate is not signed by a trusted CA",
            met.observation.reason
        ))?;
        let question = "Its CA's certificate, a PEM file [the system's roots alone]";
        loop {
            let read = |text: &str| match text.trim() {
                "" => Ok(None),
                path => ca_file(context, Path::new(path)).map(Some),
            };
            let Some(path) = dialogue.ask(question, read).await? else {
                break;
            };
            let again = ask(context, &company.url, Some(&path)).await;
            if again.untrusted {
                voice.say(&crate::cli::render::refusal(
                    "that CA did not sign it either",
                ))?;
                continue;
            }
            (ca, met) = (Some(path), again);
            break;
        }
    }
    company.ca = ca.map(|path| path.to_string_lossy().into_owned());
    company.lacks_default = met.lacks_module;
    company.pin = met.key.clone().filter(|_| is_itself(&met));
    tell(&company, &met, voice)?;
    if guessed {
        voice.remark(&format!(
            "GOPRIVATE = {} is a guess from the proxy's name; `--private` or an editor can do \
             better",
            company.private
        ))?;
    }
    if company.private.is_empty() && args.private.is_none() {
        voice.remark(NO_PRIVATE)?;
    }
    Ok(Met {
        company,
        observation: met.observation,
        guessed,
    })
}

/// Reports whether the proxy is genuine. It may still lack the module or require credentials.
fn is_itself(met: &Introduction) -> bool {
    let seen = &met.observation;
    seen.is_up() || (seen.definite && seen.failed == Some(Phase::Content) && met.lacks_module)
}

fn tell(company: &Company, met: &Introduction, voice: &Voice) -> Result<(), Failure> {
    let seen = &met.observation;
    if seen.is_up() {
        voice.good(&format!("it is a module proxy: {}", seen.reason))?;
    } else if met.lacks_module {
        voice.remark(&format!(
            "it {}; name a module that it has in the policy, or it never counts as up",
            seen.reason
        ))?;
    } else {
        voice.remark(&format!(
            "{}: {}. The policy is right all the same, for when it answers",
            seen.verdict, seen.reason
        ))?;
    }
    if let Some(caveat) = &seen.caveat {
        voice.remark(caveat)?;
    }
    if let Some(Pin(key)) = &company.pin {
        voice.good(&format!("its key is sha256/{}", STANDARD.encode(key)))?;
    }
    Ok(())
}

async fn ask(context: &Context, url: &str, ca: Option<&Path>) -> Introduction {
    let target = Target {
        name: "company".to_owned(),
        kind: TargetKind::GoProxy {
            url: url.to_owned(),
            module: DEFAULT_MODULE.0.to_owned(),
            version: DEFAULT_MODULE.1.to_owned(),
            sum: Some(DEFAULT_SUM.to_owned()),
        },
        limits: Limits {
            // The user waits, and can ask again.
            retries: 0,
            patience: Duration::from_secs(30),
            ..Limits::default()
        },
        private: true,
        ca: ca.map(Path::to_owned).into_iter().collect(),
        pins: Vec::new(),
    };
    introduce(&context.env, &target).await
}

/// Returns an absolute path to a file that contains a certificate.
fn ca_file(context: &Context, path: &Path) -> Result<PathBuf, String> {
    let path = match (path.strip_prefix("~"), context.env.home()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    };
    let path = std::path::absolute(&path).unwrap_or(path);
    let shown = path.display();
    if path.to_str().is_none_or(|text| text.contains("${")) {
        return Err(format!("{shown}: a policy cannot hold such a name"));
    }
    let cannot = |error: &dyn std::fmt::Display| format!("{shown}: {error}");
    let text = bounded::read(&path, MOST_PEM).map_err(|error| cannot(&error))?;
    let begin = b"-----BEGIN CERTIFICATE-----";
    if text.windows(begin.len()).any(|part| part == begin) {
        Ok(path)
    } else {
        Err(cannot(
            &"holds no certificate in PEM (-----BEGIN CERTIFICATE-----)",
        ))
    }
}

/// Returns GOPRIVATE: the flag's value, the one in `go env`, or a guess from the proxy's domain.
fn private(args: &Init, found: &Found, host: &str) -> Result<(String, bool), Failure> {
    if let Some(list) = &args.private {
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
        return Err(Failure::said(format!("--private: {why}"), EXIT_USAGE));
    }
    if let Some(list) = found.private() {
        return Ok((list.to_owned(), false));
    }
    Ok(match domain_of(host) {
        Some(domain) => (format!("*.{domain}"), true),
        None => (String::new(), false),
    })
}
