//! What the relay shows about itself: a page for people and metrics for Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::engine::{HopView, RelayEngine};
use super::rules::breaker::BreakerState;
use super::stats::HopStats;

/// The page's content type.
pub(super) const HTML: &str = "text/html; charset=utf-8";

/// Metrics in Prometheus' text format. No module path is a label: names may be private.
pub(super) fn metrics(engine: &RelayEngine) -> String {
    let hops = engine.hops();
    let stats = engine.stats();
    let mut text = String::new();
    let mut family = |name: &str, help: &str, rows: Vec<(String, u64)>| {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter");
        for (labels, value) in rows {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    };
    let by_hop = |value: &dyn Fn(&HopStats) -> u64| {
        let rows = stats
            .hops()
            .map(|(name, hop)| (hop_label(name), value(hop)));
        rows.collect::<Vec<_>>()
    };
    let plain = |value| vec![(String::new(), value)];
    family(
        "goroam_relay_requests_total",
        "Requests that were answered.",
        plain(stats.requests()),
    );
    family(
        "goroam_relay_failovers_total",
        "Files that another hop served because one failed.",
        plain(stats.fail_overs()),
    );
    family(
        "goroam_relay_incidents_total",
        "Files whose hash was wrong.",
        plain(u64::try_from(stats.incidents().count()).unwrap_or(u64::MAX)),
    );
    family(
        "goroam_relay_refusals_total",
        "Answers without a file, by status.",
        stats
            .refusals()
            .map(|(status, count)| (format!("{{status=\"{status}\"}}"), count))
            .collect(),
    );
    family(
        "goroam_relay_hop_requests_total",
        "Requests that were sent to a hop.",
        by_hop(&|hop| hop.requests),
    );
    family(
        "goroam_relay_hop_served_total",
        "Files that came from a hop.",
        by_hop(&|hop| hop.served),
    );
    family(
        "goroam_relay_hop_failures_total",
        "Attempts at a hop that failed.",
        by_hop(&|hop| hop.failed),
    );
    let states = hops.iter().map(|hop| {
        let is_up = u64::from(hop.state == BreakerState::Closed);
        (hop_label(&hop.name), is_up)
    });
    let _ = writeln!(
        text,
        "# HELP goroam_relay_hop_up Whether nothing speaks against a hop of the chain.\n\
         # TYPE goroam_relay_hop_up gauge"
    );
    for (labels, value) in states {
        let _ = writeln!(text, "goroam_relay_hop_up{labels} {value}");
    }
    text
}

/// A hop's state in words.
fn state(hop: &HopView) -> String {
    match hop.state {
        BreakerState::Closed => "in use".to_owned(),
        BreakerState::Open(left) if left.is_zero() => "down, tried again next".to_owned(),
        BreakerState::Open(left) => format!("down, tried again in {} s", left.as_secs() + 1),
        BreakerState::Banned => "out until the network changes: wrong content".to_owned(),
    }
}

fn hop_label(name: &str) -> String {
    let name = name.replace('\\', "\\\\").replace('"', "\\\"");
    format!("{{hop=\"{}\"}}", name.replace('\n', " "))
}

/// The page: plain HTML, nothing from outside, no script.
pub(super) fn html(engine: &RelayEngine) -> String {
    let hops = engine.hops();
    let stats = engine.stats();
    let counts: BTreeMap<&str, &HopStats> = stats.hops().collect();
    let none = HopStats::default();
    let mut rows = String::new();
    for hop in &hops {
        let count = counts.get(hop.name.as_str()).copied().unwrap_or(&none);
        let usual = hop
            .usual_time
            .map(|time| format!("{} ms", time.as_millis()));
        let cells = [
            hop.class.to_string(),
            state(hop),
            usual.unwrap_or_else(|| "unknown".to_owned()),
            count.requests.to_string(),
            count.served.to_string(),
            count.failed.to_string(),
            count
                .last_failure
                .as_ref()
                .map_or_else(|| "none".to_owned(), |failure| failure.why.clone()),
        ];
        let _ = write!(rows, "<tr><th scope=\"row\">{}</th>", escaped(&hop.name));
        for cell in cells {
            let _ = write!(rows, "<td>{}</td>", escaped(&cell));
        }
        rows.push_str("</tr>");
    }
    let mut incidents = String::new();
    for incident in stats.incidents() {
        let healed = match incident.is_healed {
            true => "another proxy had the right content",
            false => "no proxy had the right content",
        };
        let _ = write!(
            incidents,
            "<li>{} sent wrong content for {}; {healed}</li>",
            escaped(&incident.hop),
            escaped(&incident.path),
        );
    }
    if incidents.is_empty() {
        incidents.push_str("<li>none</li>");
    }
    let (requests, fail_overs) = (stats.requests(), stats.fail_overs());
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>goroam relay</title><style>\
         body{{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem}}\
         .wide{{overflow-x:auto}}table{{border-collapse:collapse;width:100%}}\
         th,td{{border-bottom:1px solid #8888;padding:.4rem;text-align:left}}</style></head><body>\
         <main><h1>goroam relay</h1><p>{requests} requests answered, {fail_overs} of them by another \
         proxy because one failed.</p><h2>The chain</h2><div class=\"wide\"><table><thead><tr>\
         <th scope=\"col\">Proxy</th><th scope=\"col\">Operator</th><th scope=\"col\">State</th>\
         <th scope=\"col\">Usual time</th><th scope=\"col\">Asked</th>\
         <th scope=\"col\">Served</th><th scope=\"col\">Failed</th>\
         <th scope=\"col\">Last failure</th></tr></thead><tbody>{rows}</tbody></table></div>\
         <h2>Incidents</h2><ul>{incidents}</ul></main></body></html>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out_of_the_page_or_a_label() {
        assert_eq!(
            escaped("<a href=\"x\">&"),
            "&lt;a href=&quot;x&quot;&gt;&amp;"
        );
        assert_eq!(hop_label("a\"b\\c\nd"), r#"{hop="a\"b\\c d"}"#);
    }

    #[test]
    fn a_relay_that_knows_nothing_yet_has_a_page() {
        let page = html(&RelayEngine::waiting());
        assert!(page.starts_with("<!doctype html>") && page.contains("<main>"));
        // Nothing from outside, and nothing that runs.
        assert!(!page.contains("http") && !page.contains("<script"));
        let metrics = metrics(&RelayEngine::waiting());
        assert!(metrics.contains("goroam_relay_requests_total 0\n"));
    }
}
