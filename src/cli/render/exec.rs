//! `goroam exec`: what a person is told between the steps and at the end.

use std::ffi::OsString;
use std::time::Duration;

use super::page::{Page, duration};
use super::style::{BAD, GOOD, ODD, paint};
use super::text::clean;
use crate::job::exec::{Attempt, Class, News, Summary};
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
    let each = summary.left_out.iter();
    let each: Vec<String> = each
        .map(|(tier, why)| format!("{tier}: {}", clean(why)))
        .collect();
    each.join("; ")
}

/// What happened, and what is to be mended where a person can.
fn what(attempt: &Attempt) -> String {
    let who = who(attempt);
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
        Class::Auth => format!("{who} wants other credentials (see netrc, GOAUTH, HTTPS_PROXY)"),
        Class::Busy => format!("{who} is busy"),
        Class::Server => format!("{who} is broken"),
        Class::Client => format!("{who} does not take the request"),
        Class::NotFound => format!("{who} does not have it"),
        Class::Tls => format!("{who} cannot be trusted (a CA that is missing: SSL_CERT_FILE)"),
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

/// The host that failed, or the step.
fn who(attempt: &Attempt) -> String {
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
