//! `goroam exec`: what a person is told between the steps and at the end.

use std::ffi::OsString;
use std::time::Duration;

use super::page::{Page, duration};
use super::style::{BAD, GOOD, ODD, paint};
use super::text::clean;
use crate::exec::{Attempt, Blame, Class, News, Summary, Who, Why};
use crate::model::Tier;

/// A step was left, or is to be repeated.
pub(in crate::cli) fn exec_news(news: &News<'_>, _page: &Page) -> String {
    let text = match news {
        News::Left(attempt, next) => {
            format!("{}; going on with the {next}", what(attempt))
        }
        News::Waits(attempt, wait) => {
            format!("{}; asking again in {}", what(attempt), length(*wait))
        }
        News::Patient(stuck, lacks) => {
            let mut text = format!("{stuck}; go is not ended, since no other step could do better");
            if !lacks.is_empty() {
                text.push_str(&format!(" ({})", reasons(lacks)));
            }
            text
        }
    };
    said(ODD, &text)
}

/// The last word: which step it was that helped, or what was tried. Nothing when the first step
/// did what it was asked to.
pub(in crate::cli) fn exec_summary(
    summary: &Summary,
    command: &[OsString],
    _page: &Page,
) -> String {
    let Some((last, before)) = summary.attempts.split_last() else {
        // Somebody wanted an end before anything was begun.
        if summary.signal.is_some() || summary.left_out.is_empty() {
            return String::new();
        }
        return said(BAD, &format!("no step can be taken: {}", left_out(summary)));
    };
    if last.ms == 0 && matches!(summary.exit, 126 | 127) && last.details.seen.is_none() {
        let name = command.first().map(|name| name.to_string_lossy());
        let name = clean(&name.unwrap_or_default());
        return said(BAD, &format!("{name}: {}", last.line));
    }
    let tried = before.iter().map(tried).collect::<Vec<_>>().join("; ");
    match last.class {
        Class::Ok if before.is_empty() => String::new(),
        Class::Ok => said(GOOD, &format!("built from the {} ({tried})", last.tier)),
        Class::Code if before.is_empty() => String::new(),
        Class::Code => {
            let text = format!("failed by itself on the {} ({tried})", last.tier);
            said(BAD, &text)
        }
        Class::Mismatch => mismatch(last),
        Class::Timeout
        | Class::Refused
        | Class::Dns
        | Class::Reset
        | Class::Unreachable
        | Class::Auth
        | Class::Busy
        | Class::Server
        | Class::Client
        | Class::NotFound
        | Class::Tls
        | Class::Portal
        | Class::Corrupt
        | Class::Stalled
        | Class::Config => {
            let all: Vec<String> = summary.attempts.iter().map(self::tried).collect();
            let mut text = format!("{}; no step is left: {}", what(last), all.join("; "));
            if !summary.left_out.is_empty() {
                text.push_str("; ");
                text.push_str(&left_out(summary));
            }
            said(BAD, &text)
        }
    }
}

fn said(style: anstyle::Style, text: &str) -> String {
    format!("{} {text}\n", paint(style.bold(), "goroam:"))
}

fn tried(attempt: &Attempt) -> String {
    let (tier, class, took) = (attempt.tier, attempt.class, milliseconds(attempt.ms));
    format!("{tier}: {class} after {took}")
}

fn left_out(summary: &Summary) -> String {
    reasons(&summary.left_out)
}

fn reasons(steps: &[(Tier, String)]) -> String {
    let each: Vec<String> = steps
        .iter()
        .map(|(tier, why)| format!("{tier}: {}", clean(why)))
        .collect();
    each.join("; ")
}

/// What happened, and what is to be mended where a person can.
fn what(attempt: &Attempt) -> String {
    let who = who(attempt);
    let blame = attempt.details.seen.as_ref().map(|seen| &seen.blame);
    let class = attempt.class;
    let what = match class {
        // Seen again by a request of our own: what a person can do about it.
        _ if attempt.details.portal.is_some() && class != Class::Busy => {
            format!("a login page answers for {who} (log in with a browser)")
        }
        Class::Timeout => format!("{who} does not answer"),
        Class::Refused => format!("{who} refuses the connection"),
        Class::Dns => format!("the name of {who} cannot be looked up"),
        Class::Reset => format!("{who} cut the connection"),
        Class::Unreachable => format!("there is no way to {who}"),
        Class::Auth => auth(&who, blame),
        Class::Busy => format!("{who} is busy"),
        Class::Server => format!("{who} is broken"),
        Class::Client => format!("{who} does not take the request"),
        Class::NotFound => format!("{who} does not have it"),
        Class::Tls => tls(&who, blame),
        Class::Portal => format!("a login page answers for {who} (log in with a browser)"),
        Class::Corrupt => format!("what {who} sent is broken"),
        Class::Stalled => format!("{who} fell silent, go was ended"),
        Class::Config => "go's settings cannot work".to_owned(),
        Class::Ok | Class::Code | Class::Mismatch => "it ended".to_owned(),
    };
    let more = match (class, &attempt.details.stuck) {
        (Class::Config, _) => format!("config: {}", clean(&attempt.line)),
        (_, Some(stuck)) => format!("{class}: {stuck}"),
        (_, None) => class.to_string(),
    };
    format!("{what} ({more})")
}

/// No credentials, not enough, or a rule that has nothing to do with them.
fn auth(who: &str, blame: Option<&Blame>) -> String {
    let words = blame.and_then(|blame| blame.said.as_deref());
    let words = words.map_or(String::new(), |words| {
        format!(": \u{201c}{}\u{201d}", clean(words))
    });
    let through = matches!(
        blame.and_then(|blame| blame.who.as_ref()),
        Some(Who::HttpProxy(_))
    );
    match blame.and_then(|blame| blame.why.as_ref()) {
        Some(Why::Forbidden) => {
            format!(
                "{who} refuses it with 403 (a rule of a filter, or credentials that do not suffice){words}"
            )
        }
        _ if through => format!("{who} wants credentials (in HTTPS_PROXY, HTTP_PROXY){words}"),
        _ => format!("{who} wants other credentials (see netrc, GOAUTH){words}"),
    }
}

/// No goroam was made before this day: a clock that is behind it is wrong.
const MADE: &str = "2026-01-01";

/// Why there is no trust.
fn tls(who: &str, blame: Option<&Blame>) -> String {
    let through = matches!(
        blame.and_then(|blame| blame.who.as_ref()),
        Some(Who::HttpProxy(_))
    );
    match blame.and_then(|blame| blame.why.as_ref()) {
        Some(Why::NotYet(Some((now, from)))) => {
            let sure = if now.as_str() < MADE { "is" } else { "may be" };
            let (now, from) = (clean(now), clean(from));
            format!(
                "the clock of this machine {sure} wrong: it says {now}, and the certificate of \
                 {who} is valid from {from} on"
            )
        }
        Some(Why::NotYet(None)) => {
            format!("the certificate of {who} is not valid yet: check the clock of this machine")
        }
        Some(Why::Expired(Some((now, until)))) => {
            let (now, until) = (clean(now), clean(until));
            format!(
                "the certificate of {who} has expired at {until}, if the clock of this machine \
                 is right ({now})"
            )
        }
        Some(Why::Expired(None)) => {
            format!("the certificate of {who} has expired, if the clock of this machine is right")
        }
        Some(Why::PlainHttp) if through => {
            format!("{who} speaks no TLS: its variable wants http:// in the place of https://")
        }
        Some(Why::PlainHttp) => {
            format!("{who} speaks plain http: its URL wants http:// in the place of https://")
        }
        Some(Why::OtherName) => format!("the certificate of {who} is for another name"),
        Some(Why::HostKey) => {
            format!("ssh does not know the key of {who} (known_hosts; ssh-keyscan shows it)")
        }
        Some(Why::UnknownCa) => {
            format!("{who} cannot be trusted (a CA that is missing: SSL_CERT_FILE)")
        }
        Some(Why::Forbidden) | None => format!("there is no TLS with {who} that go trusts"),
    }
}

/// The host that failed, or the step.
fn who(attempt: &Attempt) -> String {
    let blame = attempt.details.seen.as_ref().map(|seen| &seen.blame);
    match blame.and_then(|blame| blame.who.as_ref()) {
        Some(Who::HttpProxy(Some(address))) => {
            return format!(
                "the HTTP proxy {} (HTTPS_PROXY, HTTP_PROXY)",
                clean(address)
            );
        }
        Some(Who::HttpProxy(None)) => {
            return "the HTTP proxy of HTTPS_PROXY or HTTP_PROXY".to_owned();
        }
        Some(Who::Database(Some(name))) => return format!("the checksum database {}", clean(name)),
        Some(Who::Database(None)) => return "the checksum database".to_owned(),
        Some(Who::Host(host)) => return clean(host),
        None => {}
    }
    let url = attempt
        .details
        .seen
        .as_ref()
        .and_then(|seen| seen.url.as_deref());
    let host = url.and_then(|url| {
        let url = url::Url::parse(url).ok()?;
        let host = url.host_str()?;
        Some(match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        })
    });
    match host {
        Some(host) => clean(&host),
        None if attempt.tier == Tier::Vendor => "the vendor folder".to_owned(),
        None => format!("the {}", attempt.tier),
    }
}

/// No retry and no other source: what to compare.
fn mismatch(attempt: &Attempt) -> String {
    let seen = attempt.details.seen.as_ref();
    let module = seen.and_then(|seen| {
        let version = seen.version.as_deref().unwrap_or_default();
        Some(format!("{}@{version}", seen.module.as_deref()?))
    });
    let module = module.map_or_else(|| "a module".to_owned(), |module| clean(&module));
    let mut text = said(
        BAD,
        &format!("{module} is not what its checksum says (mismatch); nothing else is tried"),
    );
    if let Some(hashes) = seen.and_then(|seen| seen.hashes.as_ref()) {
        let wanted = clean(&hashes.by);
        text.push_str(&format!(
            "  came    {}\n  wanted  {} ({wanted})\n",
            clean(&hashes.downloaded),
            clean(&hashes.wanted)
        ));
    }
    if let Some(portal) = &attempt.details.portal {
        text.push_str(&format!(
            "  A login page answers, too: {}.\n  It does not explain what go was given.\n",
            clean(portal)
        ));
    }
    text.push_str(
        "  Compare: the same go.sum line in the project's history, and the download on\n  \
         another network. Do not switch the check off.\n",
    );
    text
}

fn milliseconds(ms: u64) -> String {
    length(Duration::from_millis(ms))
}

fn length(time: Duration) -> String {
    duration(time.as_secs_f64() * 1000.0)
}
