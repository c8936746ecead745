//! Chains and databases that go reads otherwise than they look.

use super::view::{View, canonical, note};
use crate::model::{Hop, HopKind, Separator, SumDb, TargetKind};
use crate::policy::chains::{Possible, resolve};
use crate::policy::finding::Finding;
use crate::policy::grammar::shown;
use crate::policy::loosen::is_plain_http;
use crate::policy::proof::is_proven;

pub(super) fn lint(view: &View<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    ignored_hops(view, &mut findings);
    mirror_behind_pipe(view, &mut findings);
    behind_comma(view, &mut findings);
    twice(view, &mut findings);
    empty_entries(view, &mut findings);
    plain_http(view, &mut findings);
    implied_https(view, &mut findings);
    several_in_one(view, &mut findings);
    sumdb_url(view, &mut findings);
    findings
}

/// `proxyList` stops at `direct` and `off`.
fn ignored_hops(view: &View<'_>, findings: &mut Vec<Finding>) {
    for possible in &view.chains {
        if let Some(at) = possible.chain.ignored {
            note(
                findings,
                Finding::warning(
                    "ignored-hops",
                    "go never looks behind `direct` or `off`",
                    view.span(possible, at),
                )
                .label("never read")
                .help("put it before `direct` or `off`, or take it out"),
            );
        }
    }
}

/// The list is walked anew for every request, and a dead proxy costs its time-out each time.
fn mirror_behind_pipe(view: &View<'_>, findings: &mut Vec<Finding>) {
    for possible in &view.chains {
        for pair in possible.chain.hops.windows(2) {
            if let [before, hop] = pair
                && before.then == Some(Separator::Pipe)
                && matches!(hop.kind, HopKind::File(_))
            {
                note(
                    findings,
                    Finding::warning(
                        "mirror-behind-pipe",
                        "every request first waits for the proxies before the mirror, up to 30 s each",
                        view.span(possible, hop.at),
                    )
                    .help("put the mirror first, or alone with `,off` into a profile for the dead network"),
                );
            }
        }
    }
}

/// `TryProxies` moves on after 404 and 410 only: what stands behind `,` is no help when the proxy
/// before it does not answer, or answers 403, 429 or 502.
fn behind_comma(view: &View<'_>, findings: &mut Vec<Finding>) {
    for possible in &view.chains {
        for pair in possible.chain.hops.windows(2) {
            let [before, hop] = pair else {
                continue;
            };
            let HopKind::Proxy(url) = &before.kind else {
                continue;
            };
            if before.then != Some(Separator::Comma) {
                continue;
            }
            let stops = format!("go does not come here when {} fails", shown(url));
            let span = view.span(possible, hop.at);
            match &hop.kind {
                HopKind::File(_) => note(
                    findings,
                    Finding::warning("mirror-behind-comma", stops, span)
                        .label("behind `,`: asked after 404 and 410 only")
                        .help("put the mirror first: go moves on from it when a file is missing"),
                ),
                HopKind::Proxy(_)
                    if view.private_target(before).is_none()
                        && view.private_target(hop).is_none() =>
                {
                    note(
                        findings,
                        Finding::note("proxy-behind-comma", stops, span)
                            .label("behind `,`: asked after 404 and 410 only")
                            .help("between public proxies `|` moves on after any error"),
                    );
                }
                HopKind::Proxy(_) | HopKind::Direct | HopKind::Off => {}
            }
        }
    }
}

/// The second of two equal entries gives the answer of the first one.
fn twice(view: &View<'_>, findings: &mut Vec<Finding>) {
    let place = |hop: &Hop| match &hop.kind {
        HopKind::Proxy(url) | HopKind::File(url) => Some(canonical(url)),
        HopKind::Direct | HopKind::Off => None,
    };
    // What a `fastest` puts first may stand in the rest as well.
    let written = view
        .chains
        .iter()
        .filter(|possible| possible.text.is_some());
    for possible in written {
        let hops = &possible.chain.hops;
        for (i, hop) in hops.iter().enumerate() {
            let Some(own) = place(hop) else {
                continue;
            };
            let first = hops
                .iter()
                .take(i)
                .find(|one| place(one) == Some(own.clone()));
            if let Some(first) = first {
                note(
                    findings,
                    Finding::warning(
                        "duplicate-hop",
                        "this entry is in the list already: it gives the same answer again",
                        view.span(possible, hop.at),
                    )
                    .related(view.span(possible, first.at), "the first one")
                    .help("take one of the two out"),
                );
            }
        }
    }
}

/// `proxyList` skips an empty entry together with the separator behind it: `a|,b` is `a|b`, and
/// `a,|b` is `a,b`.
fn empty_entries(view: &View<'_>, findings: &mut Vec<Finding>) {
    for possible in &view.chains {
        let Some(value) = &possible.text else {
            continue;
        };
        // Nothing behind `direct` and `off` is read; that is a finding of its own.
        let ends = |hop: &&Hop| matches!(hop.kind, HopKind::Direct | HopKind::Off);
        let last = possible.chain.hops.iter().find(ends);
        let end = last.map_or(value.len(), |hop| hop.at.0);
        let mut start = 0;
        for part in value.split([',', '|']) {
            if part.trim().is_empty() && start <= end {
                // With its own separator or, at the end of the list, with the one before it.
                let is_last = start + part.len() == value.len();
                let from = start.saturating_sub(usize::from(is_last));
                note(
                    findings,
                    empty_entry(view, possible, (from, part.len() + 1)),
                );
            }
            start += part.len() + 1;
        }
    }
}

fn empty_entry(view: &View<'_>, possible: &Possible, at: (usize, usize)) -> Finding {
    Finding::warning(
        "empty-entry",
        "go skips an empty entry together with the separator behind it",
        view.span(possible, at),
    )
    .help("take the separator out that stands here")
}

/// Said as an error by the loosening rule, unless the condition is proven.
fn plain_http(view: &View<'_>, findings: &mut Vec<Finding>) {
    let proven = is_proven(&view.profile.when, &view.policy.targets);
    if !view.place.when_understood || !proven {
        return;
    }
    for (possible, hop) in view.hops() {
        if let HopKind::Proxy(url) = &hop.kind
            && is_plain_http(url)
        {
            let message = format!("{} is asked without TLS", shown(url));
            note(
                findings,
                Finding::warning("plain-http-hop", message, view.span(possible, hop.at)).help(
                    "whoever is on the way reads the names of private modules; ask it over https",
                ),
            );
        }
    }
}

/// `direct/` is no `direct`, and `localhost:3000` means https, which a server on the own machine seldom speaks.
fn implied_https(view: &View<'_>, findings: &mut Vec<Finding>) {
    for (possible, hop) in view.hops() {
        let Some(value) = &possible.text else {
            continue;
        };
        let (at, length) = hop.at;
        let written = value.get(at..at + length).unwrap_or_default();
        let HopKind::Proxy(url) = &hop.kind else {
            continue;
        };
        let as_http = url.replacen("https://", "http://", 1);
        let host = url.split_once("://").map_or("", |(_, rest)| rest);
        let host = host.split([':', '/']).next().unwrap_or_default();
        if let Some(word) = ["direct", "off"]
            .iter()
            .find(|word| host.eq_ignore_ascii_case(word))
        {
            let message = format!("go takes this for a proxy whose host is called `{word}`");
            let span = view.span(possible, hop.at);
            let finding = Finding::warning("word-as-host", message, span);
            note(
                findings,
                finding.help(format!("write `{word}` and nothing else")),
            );
        } else if !written.contains("://") && !is_plain_http(&as_http) {
            note(
                findings,
                Finding::warning(
                    "implied-https",
                    format!("go reads this as {}", shown(url)),
                    view.span(possible, hop.at),
                )
                .help(format!(
                    "write {} if the server speaks plain http",
                    shown(&as_http)
                )),
            );
        }
    }
}

/// Only `,` and `|` end an entry: what else looks like an end becomes part of the URL.
fn several_in_one(view: &View<'_>, findings: &mut Vec<Finding>) {
    for (possible, hop) in view.hops() {
        let HopKind::Proxy(url) = &hop.kind else {
            continue;
        };
        let rest = url.split_once("://").map_or("", |(_, rest)| rest);
        if rest.contains("://") || rest.contains([';', ' ', '\t']) {
            note(
                findings,
                Finding::warning(
                    "several-in-one",
                    "go reads this as one URL, and asks for every module under all of it",
                    view.span(possible, hop.at),
                )
                .help("separate entries with `,` (after 404 and 410) or `|` (after any error)"),
            );
        }
    }
}

/// Public proxies that are known to pass sum.golang.org on, under `/sumdb/`.
const PASS_THROUGH: [&str; 3] = [
    "https://proxy.golang.org",
    "https://goproxy.cn",
    "https://goproxy.io",
];

/// `modfetch/sumdb.go:dbDial`: a URL in GOSUMDB bypasses every proxy.
fn sumdb_url(view: &View<'_>, findings: &mut Vec<Finding>) {
    let Some(value) = view.value("GOSUMDB") else {
        return;
    };
    let expanded = resolve(value, &view.profile.env);
    let Ok(SumDb::Database {
        url: Some(_), key, ..
    }) = SumDb::parse(&expanded)
    else {
        return;
    };
    let hops: Vec<String> = view
        .hops()
        .filter_map(|(_, hop)| match &hop.kind {
            HopKind::Proxy(url) => Some(canonical(url)),
            HopKind::File(_) | HopKind::Direct | HopKind::Off => None,
        })
        .collect();
    let asked = view.profile.when.targets();
    let via = view
        .policy
        .targets
        .values()
        .find(|target| match &target.kind {
            TargetKind::SumDb { db, via: Some(via) } => {
                let here = asked.contains(target.name.as_str()) || hops.contains(&canonical(via));
                here && db.name() == key.name
            }
            TargetKind::SumDb { .. }
            | TargetKind::GoProxy { .. }
            | TargetKind::Https { .. }
            | TargetKind::Icmp { .. }
            | TargetKind::Tcp { .. }
            | TargetKind::Listening { .. }
            | TargetKind::Mirror { .. } => false,
        });
    let through = match via {
        Some(target) => Some(format!("the proxy that `{}` checks", target.name)),
        None if key.name == "sum.golang.org" => hops
            .iter()
            .find(|hop| PASS_THROUGH.contains(&hop.as_str()))
            .map(|hop| format!("{hop}, which passes it on")),
        None => None,
    };
    if let Some(through) = through {
        note(
            findings,
            Finding::warning(
                "sumdb-url-bypasses-proxy",
                format!("with a URL go asks the database itself, never through {through}"),
                view.span_of("GOSUMDB"),
            )
            .help(format!(
                "write GOSUMDB = \"{}\": go then asks the proxy first",
                key.name
            )),
        );
    }
}
