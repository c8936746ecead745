//! What the relay shows about itself: a page for people and metrics for Prometheus.

use std::fmt::Write as _;

use super::engine::RelayEngine;

/// The page's content type.
pub(super) const HTML: &str = "text/html; charset=utf-8";

/// Metrics in Prometheus' text format. No module path is a label: names may be private.
pub(super) fn metrics(engine: &RelayEngine) -> String {
    let stats = engine.stats();
    let mut text = String::new();
    let mut family = |name: &str, help: &str, rows: Vec<(String, u64)>| {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter");
        for (labels, value) in rows {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    };
    let by_hop = |value: &dyn Fn(&super::stats::HopStats) -> u64| {
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
    text
}

fn hop_label(name: &str) -> String {
    let name = name.replace('\\', "\\\\").replace('"', "\\\"");
    format!("{{hop=\"{}\"}}", name.replace('\n', " "))
}

/// The page: plain HTML, nothing from outside, no script.
pub(super) fn html(engine: &RelayEngine) -> String {
    let stats = engine.stats();
    let mut rows = String::new();
    for (name, hop) in stats.hops() {
        let mean = hop.time.as_millis() / u128::from(hop.served.max(1));
        let _ = write!(
            rows,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{mean} ms</td>\
             <td>{}</td></tr>",
            escaped(name),
            hop.requests,
            hop.served,
            hop.failed,
            escaped(hop.last_failure.as_deref().unwrap_or("none")),
        );
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
         proxy because one failed.</p><h2>Proxies</h2><div class=\"wide\"><table><thead><tr>\
         <th scope=\"col\">Proxy</th><th scope=\"col\">Asked</th><th scope=\"col\">Served</th>\
         <th scope=\"col\">Failed</th><th scope=\"col\">Mean time</th>\
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
