//! The relay's page for people: plain HTML without a script, nothing from outside.
//!
//! Hop names, paths and reasons come from the network: each is escaped, and isolated so that text in
//! another direction of writing cannot turn what stands beside it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{Timestamp, tz::TimeZone};
use ring::digest::{SHA256, digest};

use super::engine::HopView;
use super::rules::breaker::BreakerState;
use super::rules::hop::Failure;
use super::stats::{HopStats, RelayStats};
use crate::model::text::{ago, duration, is_direction_mark};

/// Events of one kind that the page shows.
const MOST_SHOWN: usize = 10;

/// On a narrow screen each row of a table is a block; the roles in the markup keep it a table for
/// screen readers. A state has a colour, but words tell it.
const STYLE: &str = "\
:root{color-scheme:light dark;--ground:#fff;--ink:#1c2024;--soft:#59616b;--line:#d3d8de;\
--up:#18794e;--down:#b54708;--out:#c62a2f}\
@media(prefers-color-scheme:dark){:root{--ground:#16181b;--ink:#e8eaed;--soft:#a5acb5;\
--line:#3a4048;--up:#4cc38a;--down:#f0b861;--out:#ff8f8f}}\
body{margin:0;background:var(--ground);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}\
main{max-width:64rem;margin:auto;padding:1rem}\
h1{font-size:1.5rem;margin:0}h2{font-size:1.125rem;margin:2rem 0 .25rem}p{margin:.5rem 0}\
b,code{unicode-bidi:isolate}code{font:.875em ui-monospace,monospace}\
b,code,.why,li span{overflow-wrap:anywhere}\
.soft,caption,thead th,time,.why{color:var(--soft)}\
ul{margin:0;padding:0;list-style:none}li{display:flex;gap:1rem;justify-content:space-between}\
li,th,td{border-bottom:1px solid var(--line);padding:.5rem 0}li time{white-space:nowrap}\
table{border-collapse:collapse;width:100%}caption{text-align:left}\
th,td{text-align:left;vertical-align:top;padding-right:1.5rem}thead th{font-weight:400;\
white-space:nowrap}tbody th{min-width:11rem}\
.n{text-align:right;font-variant-numeric:tabular-nums}.n:last-child{padding-right:0}\
.why{display:block;font-size:.875rem}\
.up,.down,.out{font-weight:600}.up::before,.down::before,.out::before{content:'';\
display:inline-block;width:.625em;height:.625em;border-radius:50%;margin-right:.4em;\
background:var(--c)}.up{--c:var(--up)}.down{--c:var(--down)}.out{--c:var(--out)}\
@media(max-width:48rem){li,table,tbody,tr,th,td,caption,li time{display:block}\
li time{font-size:.875rem}\
thead{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}\
tbody tr{border-bottom:1px solid var(--line);padding:.5rem 0}tbody th,td{border:0;padding:0}\
td{display:flex}td::before{content:attr(data-of);content:attr(data-of)/'';flex:0 0 7rem;\
color:var(--soft)}\
.n{text-align:left}}";

/// The columns of the chain; those of numbers are aligned to the right.
const COLUMNS: [(&str, &str); 7] = [
    ("Proxy", ""),
    ("Operator", ""),
    ("State", ""),
    ("Usual time", "n"),
    ("Asked", "n"),
    ("Served", "n"),
    ("Failed", "n"),
];

/// The value of `Content-Security-Policy`: nothing but the page's own style, nowhere framed.
pub(super) fn security_policy() -> String {
    let hash = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
}

/// The page.
pub(super) fn html(hops: &[HopView], stats: &RelayStats, now: Timestamp) -> String {
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>goroam relay</title><style>{STYLE}</style></head><body><main>\
         <h1>goroam relay</h1>"
    );
    summary(&mut page, stats, now);
    chain(&mut page, hops, stats);
    let fail_overs = stats.last_fail_overs().timed();
    events(&mut page, "Last fail-overs", now, fail_overs, |one| {
        let last = match one.files {
            1 => code(&one.path),
            files => format!("{files} files, the last {}", code(&one.path)),
        };
        let failed = reasons(&one.failed);
        format!("{} served {last}. Why: {failed}", name(&one.hop))
    });
    let incidents = stats.incidents().timed();
    events(&mut page, "Incidents", now, incidents, |one| {
        let healed = match one.is_healed {
            true => "another proxy had the right content",
            false => "no proxy had the right content",
        };
        let (hop, path) = (name(&one.hop), code(&one.path));
        format!("{hop} sent wrong content for {path}; {healed}")
    });
    // go asks for many paths that do not exist, so 404 says nothing.
    let failed = stats.refused_requests().timed();
    let failed = failed.filter(|(_, one)| one.status != 404);
    events(&mut page, "Failed requests", now, failed, |one| {
        let (path, failed) = (code(&one.path), reasons(&one.failures));
        format!("{path}: {}. {failed}", one.status)
    });
    let served = stats.served_files().timed();
    events(&mut page, "Last files", now, served, |one| {
        let took = milliseconds(one.took);
        let old = if one.is_stale { ", may be old" } else { "" };
        format!("{} from {} in {took}{old}", code(&one.path), name(&one.hop))
    });
    page.push_str("</main></body></html>\n");
    page
}

fn summary(page: &mut String, stats: &RelayStats, now: Timestamp) {
    let (requests, fail_overs) = (stats.requests(), stats.fail_overs());
    let without: u64 = stats.refusals().map(|(_, count)| count).sum();
    let clock = now.to_zoned(TimeZone::system());
    let _ = write!(
        page,
        "<p class=\"soft\">As of <time datetime=\"{now:.0}\">{}</time>. Reload the page for what \
         happened since.</p><p>Requests answered: {requests}. Served by another proxy because one \
         failed: {fail_overs}. Without a file: {without}.</p>",
        clock.strftime("%Y-%m-%d %H:%M:%S"),
    );
    if stats.stale() > 0 {
        let stale = stats.stale();
        let _ = write!(
            page,
            "<p>Lists of versions that may be old, as no proxy answered: {stale}.</p>"
        );
    }
    let stopped = stats.not_kept().map(escaped);
    let stopped = stopped.map_or_else(String::new, |why| format!(" Nothing more is kept: {why}."));
    if stats.kept_versions() > 0 || !stopped.is_empty() {
        let kept = stats.kept_versions();
        let _ = write!(page, "<p>Versions kept in the mirror: {kept}.{stopped}</p>");
    }
}

fn chain(page: &mut String, hops: &[HopView], stats: &RelayStats) {
    page.push_str("<h2>The chain</h2>");
    if hops.is_empty() {
        page.push_str("<p>The relay does not know the network yet.</p>");
        return;
    }
    page.push_str(
        "<table role=\"table\"><caption>In the order in which they are asked</caption>\
         <thead role=\"rowgroup\"><tr role=\"row\">",
    );
    for (column, class) in COLUMNS {
        let _ = write!(
            page,
            "<th role=\"columnheader\" scope=\"col\" class=\"{class}\">{column}</th>"
        );
    }
    page.push_str("</tr></thead><tbody role=\"rowgroup\">");
    let counts: BTreeMap<&str, &HopStats> = stats.hops().collect();
    let none = HopStats::default();
    for hop in hops {
        let count = counts.get(hop.name.as_str()).copied().unwrap_or(&none);
        row(page, hop, count);
    }
    page.push_str("</tbody></table>");
}

fn row(page: &mut String, hop: &HopView, count: &HopStats) {
    let _ = write!(
        page,
        "<tr role=\"row\"><th role=\"rowheader\" scope=\"row\">{}</th>",
        name(&hop.name)
    );
    let usual = hop.usual_time.map(milliseconds);
    let cells = [
        hop.class.to_string(),
        state(hop.state, count.last_failure.as_ref()),
        usual.unwrap_or_else(|| "unknown".to_owned()),
        count.requests.to_string(),
        count.served.to_string(),
        count.failed.to_string(),
    ];
    for ((column, class), cell) in COLUMNS.iter().skip(1).zip(cells) {
        let _ = write!(
            page,
            "<td role=\"cell\" class=\"{class}\" data-of=\"{column}\"><span>{cell}</span></td>"
        );
    }
    page.push_str("</tr>");
}

/// A hop's state in words, and why it failed last.
fn state(state: BreakerState, failure: Option<&Failure>) -> String {
    let (class, words) = match state {
        BreakerState::Closed => ("up", "in use".to_owned()),
        BreakerState::Open(left) if left.is_zero() => ("down", "down, tried again next".to_owned()),
        BreakerState::Open(left) => {
            let seconds = left.as_secs() + 1;
            ("down", format!("down, tried again in {seconds}\u{a0}s"))
        }
        BreakerState::Banned => ("out", "out until the network changes".to_owned()),
    };
    let why = failure.map_or_else(String::new, |failure| {
        let why = escaped(&failure.why);
        format!("<span class=\"why\">last failure: {why}</span>")
    });
    format!("<span class=\"{class}\">{words}</span>{why}")
}

/// The last events of one kind under a heading.
fn events<'e, T: 'e>(
    page: &mut String,
    title: &str,
    now: Timestamp,
    events: impl Iterator<Item = (Timestamp, &'e T)>,
    html: impl Fn(&T) -> String,
) {
    let _ = write!(page, "<h2>{title}</h2>");
    let mut events = events.take(MOST_SHOWN).peekable();
    if events.peek().is_none() {
        page.push_str("<p class=\"soft\">None.</p>");
        return;
    }
    page.push_str("<ul role=\"list\">");
    for (at, event) in events {
        let (event, ago) = (html(event), ago(at, now));
        let _ = write!(
            page,
            "<li><span>{event}</span> <time datetime=\"{at:.0}\">{ago} ago</time></li>"
        );
    }
    page.push_str("</ul>");
}

/// Why hops failed.
fn reasons(failures: &[(String, Failure)]) -> String {
    let each = failures.iter().map(|(hop, failure)| {
        let why = escaped(&failure.why);
        match failure.why.contains(hop) {
            true => why,
            false => format!("{} {why}", name(hop)),
        }
    });
    each.collect::<Vec<_>>().join("; ")
}

fn milliseconds(time: Duration) -> String {
    duration(time.as_secs_f64() * 1000.0)
}

fn name(hop: &str) -> String {
    format!("<b>{}</b>", escaped(hop))
}

fn code(path: &str) -> String {
    format!("<code>{}</code>", escaped(path))
}

/// Text that cannot become markup, control the terminal it is copied to, or turn its neighbours.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c if c.is_control() || is_direction_mark(c) => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::rules::hop::{FailureKind, HopClass};
    use crate::relay::stats::{Incident, RefusedRequest, ServedFile};

    #[test]
    fn what_the_network_says_stays_text() {
        assert_eq!(
            escaped("<a href=\"x\">&\u{202e}\x1b[31m\n"),
            "&lt;a href=&quot;x&quot;&gt;&amp;\u{fffd}\u{fffd}[31m\u{fffd}"
        );
        let evil = "</style><script>x\u{202e}";
        let failure = Failure::new(FailureKind::Fast, evil);
        let mut stats = RelayStats::default();
        let file = ServedFile {
            path: evil.to_owned(),
            hop: evil.to_owned(),
            took: Duration::ZERO,
            is_stale: false,
        };
        stats.served(file, vec![("a".to_owned(), failure.clone())]);
        stats.incident(Incident {
            hop: evil.to_owned(),
            path: evil.to_owned(),
            is_healed: false,
        });
        stats.refused(RefusedRequest {
            path: evil.to_owned(),
            status: 502,
            failures: vec![(evil.to_owned(), failure)],
        });
        let hop = HopView {
            name: evil.to_owned(),
            class: HopClass::Public,
            state: BreakerState::Banned,
            usual_time: None,
        };
        let page = html(&[hop], &stats, Timestamp::UNIX_EPOCH);
        assert!(page.matches("&lt;script&gt;").count() >= 7, "{page}");
        assert!(!page.contains("<script") && !page.contains('\u{202e}'));
        assert_eq!(page.matches("</style>").count(), 1);
    }

    #[test]
    fn files_in_a_row_that_failed_over_for_the_same_reason_are_one_line() {
        let mut stats = RelayStats::default();
        for (path, failing) in [("/a", "one"), ("/b", "one"), ("/c", "two"), ("/d", "one")] {
            let failure = Failure::new(FailureKind::Fast, "refuses the connection");
            let file = ServedFile {
                path: path.to_owned(),
                hop: "good".to_owned(),
                took: Duration::ZERO,
                is_stale: false,
            };
            stats.served(file, vec![(failing.to_owned(), failure)]);
        }
        let seen: Vec<_> = stats.last_fail_overs().latest().collect();
        let seen = seen.iter().map(|one| (one.path.as_str(), one.files));
        assert_eq!(seen.collect::<Vec<_>>(), [("/d", 1), ("/c", 1), ("/b", 2)]);
        assert_eq!(stats.fail_overs(), 4);
    }
}
