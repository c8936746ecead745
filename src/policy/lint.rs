//! The policy as a whole: every profile's lints, and what concerns several parts.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::model::host::canonical_url as canonical;
use crate::model::target::DEFAULT_MODULE;
use crate::model::{Hop, HopKind, Patterns, Separator, SumDb, Target, TargetKind};
use crate::policy::expand::{Possible, chains, resolve};
use crate::policy::finding::{Places, PolicyFinding, ProfilePlace, part, shown};
use crate::policy::loosen::is_plain_http;
use crate::policy::profile::{Condition, EnvValue, Policy, Profile, is_proven};

/// Looks the whole policy over.
pub(super) fn lint(policy: &Policy, places: &Places, text: &str) -> Vec<PolicyFinding> {
    let mut findings = Vec::new();
    for (profile, place) in policy.profiles.iter().zip(&places.profiles) {
        let view = View {
            policy,
            profile,
            place,
            text,
            chains: chains(&profile.env, &policy.targets),
        };
        findings.extend(chain(&view));
        findings.extend(private(&view));
        findings.extend(offline(&view));
    }
    findings.extend(shadowed(policy, places));
    findings.extend(unused(policy, places));
    findings
}

/// A profile whose condition stands at an earlier one is never reached.
fn shadowed(policy: &Policy, places: &Places) -> Vec<PolicyFinding> {
    let mut findings = Vec::new();
    let all: Vec<(&Profile, &ProfilePlace)> =
        policy.profiles.iter().zip(&places.profiles).collect();
    for (i, (profile, place)) in all.iter().enumerate() {
        let twin = all.iter().take(i).find(|(earlier, place)| {
            place.when_understood
                && earlier.when != Condition::Always
                && earlier.when == profile.when
        });
        if let (Some((_, earlier)), Some(when), true) = (twin, &place.when, place.when_understood) {
            let finding = PolicyFinding::warning(
                "unreachable-profile",
                "an earlier profile has the same condition, so this one is never reached",
                when.clone(),
            );
            let at = earlier.when.clone().unwrap_or_else(|| earlier.name.clone());
            findings.push(finding.related(at, "the earlier one"));
        }
    }
    findings
}

/// Targets that no condition, no `fastest` and no chain refers to.
fn unused(policy: &Policy, places: &Places) -> Vec<PolicyFinding> {
    let mut used: BTreeSet<&str> = BTreeSet::new();
    let mut urls: BTreeSet<String> = BTreeSet::new();
    for profile in &policy.profiles {
        used.extend(profile.when.targets());
        if asks_for_portal(&profile.when) {
            let witnesses = policy.targets.values().filter(|target| !target.is_local());
            used.extend(witnesses.map(|target| target.name.as_str()));
        }
        for value in profile.env.values() {
            if let EnvValue::Fastest { of, .. } = value {
                used.extend(of.iter().map(String::as_str));
            }
        }
        for possible in chains(&profile.env, &policy.targets) {
            for hop in possible.chain.hops {
                if let HopKind::Proxy(url) = hop.kind {
                    urls.insert(canonical(&url));
                }
            }
        }
    }
    // A condition that was not understood may have named any of them.
    if places.profiles.iter().any(|place| !place.when_understood) {
        return Vec::new();
    }
    let unused = policy.targets.values().filter(|target| {
        let in_chain = target
            .goproxy_url()
            .is_some_and(|url| urls.contains(&canonical(url)));
        !used.contains(target.name.as_str()) && !in_chain
    });
    unused
        .filter_map(|target| {
            let span = places.targets.get(&target.name)?.clone();
            let message = format!("no profile asks for target `{}`", target.name);
            Some(
                PolicyFinding::warning("unused-target", message, span)
                    .help("`goroam probe` still requests it; remove it if it is not needed"),
            )
        })
        .collect()
}

/// Any target on the network is a witness of a portal.
fn asks_for_portal(condition: &Condition) -> bool {
    let facts = condition.facts().into_iter();
    facts
        .map(|(fact, _)| fact)
        .any(|fact| matches!(fact, Condition::Portal(_)))
}

/// One profile, with what its lints look at.
pub(super) struct View<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// The profile.
    pub profile: &'a Profile,
    /// Where its parts stand.
    pub place: &'a ProfilePlace,
    /// The policy's text.
    pub text: &'a str,
    /// What its GOPROXY can become.
    pub chains: Vec<Possible>,
}

impl View<'_> {
    /// Every hop of every chain, with its chain.
    pub(super) fn hops(&self) -> impl Iterator<Item = (&Possible, &Hop)> {
        self.chains
            .iter()
            .flat_map(|possible| possible.chain.hops.iter().map(move |hop| (possible, hop)))
    }

    /// The place of a part of a chain.
    pub(super) fn span(&self, possible: &Possible, at: (usize, usize)) -> Range<usize> {
        let span = self.span_of("GOPROXY");
        match &possible.text {
            Some(value) => part(self.text, value, &span, at),
            None => span,
        }
    }

    /// The place of a variable's value.
    pub(super) fn span_of(&self, variable: &str) -> Range<usize> {
        let span = self.place.env.get(variable);
        span.unwrap_or(&self.place.name).clone()
    }

    /// A variable's value as written.
    pub(super) fn value(&self, variable: &str) -> Option<&str> {
        match self.profile.env.get(variable)? {
            EnvValue::Text(text) => Some(text),
            EnvValue::Fastest { .. } => None,
        }
    }

    /// The target at which a hop leads, if it is marked private.
    pub(super) fn private_target(&self, hop: &Hop) -> Option<&Target> {
        let HopKind::Proxy(url) = &hop.kind else {
            return None;
        };
        let url = canonical(url);
        self.policy.targets.values().find(|target| {
            target.private && target.goproxy_url().map(canonical) == Some(url.clone())
        })
    }
}

/// Adds a finding that is not there yet: the chains of a `fastest` say the same.
pub(super) fn note(findings: &mut Vec<PolicyFinding>, finding: PolicyFinding) {
    if !findings.contains(&finding) {
        findings.push(finding);
    }
}

fn chain(view: &View<'_>) -> Vec<PolicyFinding> {
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
fn ignored_hops(view: &View<'_>, findings: &mut Vec<PolicyFinding>) {
    for possible in &view.chains {
        if let Some(at) = possible.chain.ignored {
            note(
                findings,
                PolicyFinding::warning(
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
fn mirror_behind_pipe(view: &View<'_>, findings: &mut Vec<PolicyFinding>) {
    for possible in &view.chains {
        for pair in possible.chain.hops.windows(2) {
            if let [before, hop] = pair
                && before.then == Some(Separator::Pipe)
                && matches!(hop.kind, HopKind::File(_))
            {
                note(
                    findings,
                    PolicyFinding::warning(
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
fn behind_comma(view: &View<'_>, findings: &mut Vec<PolicyFinding>) {
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
                    PolicyFinding::warning("mirror-behind-comma", stops, span)
                        .label("behind `,`: asked after 404 and 410 only")
                        .help("put the mirror first: go moves on from it when a file is missing"),
                ),
                HopKind::Proxy(_)
                    if view.private_target(before).is_none()
                        && view.private_target(hop).is_none() =>
                {
                    note(
                        findings,
                        PolicyFinding::note("proxy-behind-comma", stops, span)
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
fn twice(view: &View<'_>, findings: &mut Vec<PolicyFinding>) {
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
                    PolicyFinding::warning(
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
fn empty_entries(view: &View<'_>, findings: &mut Vec<PolicyFinding>) {
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

fn empty_entry(view: &View<'_>, possible: &Possible, at: (usize, usize)) -> PolicyFinding {
    PolicyFinding::warning(
        "empty-entry",
        "go skips an empty entry together with the separator behind it",
        view.span(possible, at),
    )
    .help("take the separator out that stands here")
}

/// Said as an error by the loosening rule, unless the condition is proven.
fn plain_http(view: &View<'_>, findings: &mut Vec<PolicyFinding>) {
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
                PolicyFinding::warning("plain-http-hop", message, view.span(possible, hop.at)).help(
                    "whoever is on the way reads the names of private modules; ask it over https",
                ),
            );
        }
    }
}

/// `direct/` is no `direct`, and `localhost:3000` means https, which a server on the own machine seldom speaks.
fn implied_https(view: &View<'_>, findings: &mut Vec<PolicyFinding>) {
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
            let finding = PolicyFinding::warning("word-as-host", message, span);
            note(
                findings,
                finding.help(format!("write `{word}` and nothing else")),
            );
        } else if !written.contains("://") && !is_plain_http(&as_http) {
            note(
                findings,
                PolicyFinding::warning(
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
fn several_in_one(view: &View<'_>, findings: &mut Vec<PolicyFinding>) {
    for (possible, hop) in view.hops() {
        let HopKind::Proxy(url) = &hop.kind else {
            continue;
        };
        let rest = url.split_once("://").map_or("", |(_, rest)| rest);
        if rest.contains("://") || rest.contains([';', ' ', '\t']) {
            note(
                findings,
                PolicyFinding::warning(
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
fn sumdb_url(view: &View<'_>, findings: &mut Vec<PolicyFinding>) {
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
            PolicyFinding::warning(
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

fn private(view: &View<'_>) -> Vec<PolicyFinding> {
    let mut findings = Vec::new();
    for possible in &view.chains {
        let hops = &possible.chain.hops;
        let private: Vec<Option<&Target>> =
            hops.iter().map(|hop| view.private_target(hop)).collect();
        let is_public = |(hop, private): (&Hop, &Option<&Target>)| {
            matches!(hop.kind, HopKind::Proxy(_)) && private.is_none()
        };
        let last_public = hops.iter().zip(&private).rposition(is_public);
        for (i, (hop, target)) in hops.iter().zip(&private).enumerate() {
            let Some(target) = *target else {
                continue;
            };
            let span = view.span(possible, hop.at);
            let public = last_public.filter(|last| *last > i);
            match hop.then {
                Some(Separator::Pipe) => note(
                    &mut findings,
                    PolicyFinding::error(
                        "leak-pipe",
                        format!(
                            "when `{}` fails, go asks what stands behind `|` for your private modules",
                            target.name
                        ),
                        span,
                    )
                    .label("private: nothing may follow it with `|`")
                    .help("write `,`: go then moves on only when the module is not there (404, 410)"),
                ),
                Some(Separator::Comma) if public.is_some() && !is_covered(view, target) => note(
                    &mut findings,
                    PolicyFinding::warning(
                        "leak-comma",
                        format!(
                            "what `{}` does not have, the public proxy behind it is asked for by name",
                            target.name
                        ),
                        span,
                    )
                    .label("private, with a public proxy behind it")
                    .help(match module_of(target) {
                        Some(module) => format!("GOPRIVATE = \"{}\" keeps those names here", host_of(module)),
                        None => "name your own hosts in GOPRIVATE".to_owned(),
                    }),
                ),
                Some(Separator::Comma) | None => {}
            }
        }
    }
    // Its names also leak where it is not asked itself: when its users are elsewhere.
    let goes_out = view
        .hops()
        .any(|(_, hop)| matches!(hop.kind, HopKind::Proxy(_) | HopKind::Direct));
    for target in view
        .policy
        .targets
        .values()
        .filter(|one| goes_out && one.private)
    {
        if let Some(finding) = not_covered(view, target) {
            note(&mut findings, finding);
        }
    }
    findings
}

/// Do GONOPROXY, or else GOPRIVATE, keep the target's modules from every proxy?
fn is_covered(view: &View<'_>, target: &Target) -> bool {
    let set = |name| view.value(name).filter(|value| !value.is_empty());
    let Some(list) = set("GONOPROXY").or_else(|| set("GOPRIVATE")) else {
        return false;
    };
    // Which modules the target serves is known only where the policy names one.
    module_of(target).is_none_or(|module| Patterns::parse(list).matches(module))
}

/// GOPRIVATE is there, but not for what the target serves: names go to the checksum database.
fn not_covered(view: &View<'_>, target: &Target) -> Option<PolicyFinding> {
    let module = module_of(target)?;
    let covers = |name| {
        view.value(name)
            .is_some_and(|list| Patterns::parse(list).matches(module))
    };
    let private = view.value("GOPRIVATE")?;
    if private.is_empty()
        || covers("GOPRIVATE")
        || covers("GONOSUMDB")
        || view.value("GOSUMDB") == Some("off")
    {
        return None;
    }
    let message = format!(
        "GOPRIVATE does not cover {module}, which `{}` serves",
        target.name
    );
    Some(
        PolicyFinding::warning("private-not-covered", message, view.span_of("GOPRIVATE"))
            .label("go would look it up in the public checksum database")
            .help(format!("add {} to GOPRIVATE", host_of(module))),
    )
}

/// The module that the target is asked for, if it is one of its own.
fn module_of(target: &Target) -> Option<&str> {
    match &target.kind {
        TargetKind::GoProxy { module, .. } => {
            Some(module.as_str()).filter(|module| *module != DEFAULT_MODULE.0)
        }
        TargetKind::SumDb { .. }
        | TargetKind::Https { .. }
        | TargetKind::Icmp { .. }
        | TargetKind::Tcp { .. }
        | TargetKind::Listening { .. }
        | TargetKind::Mirror { .. } => None,
    }
}

fn host_of(module: &str) -> &str {
    module.split('/').next().unwrap_or(module)
}

fn offline(view: &View<'_>) -> Vec<PolicyFinding> {
    let mut findings = Vec::new();
    direct_in_air_gap(view, &mut findings);
    needs_gonoproxy(view, &mut findings);
    findings
}

/// `direct` at the end of a chain for an air gap: git's time-outs for every module that is missing.
fn direct_in_air_gap(view: &View<'_>, findings: &mut Vec<PolicyFinding>) {
    let is_last = view
        .policy
        .profiles
        .last()
        .is_some_and(|last| std::ptr::eq(last, view.profile));
    for possible in &view.chains {
        let hops = &possible.chain.hops;
        let has_mirror = hops.iter().any(|hop| matches!(hop.kind, HopKind::File(_)));
        let Some(direct) = hops.last().filter(|hop| hop.kind == HopKind::Direct) else {
            continue;
        };
        let asks_for_network = rests_on_network(&view.profile.when, view.policy);
        let fallback = is_last || (is_behind_others(view) && !asks_for_network);
        let air_gap = says_offline(&view.profile.when) || (fallback && has_mirror);
        if hops.len() > 1 && air_gap {
            note(
                findings,
                PolicyFinding::warning(
                    "direct-in-air-gap",
                    "where no network is, `direct` waits for version control to give up",
                    view.span(possible, direct.at),
                )
                .help("write `off`: what is missing then fails at once, with its name"),
            );
        }
    }
}

/// Is an earlier profile for a network, so that this one is reached when there is none?
fn is_behind_others(view: &View<'_>) -> bool {
    let earlier = view.policy.profiles.iter();
    earlier
        .take_while(|profile| !std::ptr::eq(*profile, view.profile))
        .any(|profile| rests_on_network(&profile.when, view.policy))
}

/// Does the condition need a network that is there?
fn rests_on_network(condition: &Condition, policy: &Policy) -> bool {
    let remote = |name: &String| policy.targets.get(name).is_some_and(|one| !one.is_local());
    let needs_it = |(fact, value): (&Condition, bool)| match (fact, value) {
        (Condition::Up(name), true) | (Condition::Down(name), false) => remote(name),
        (Condition::AtLeast { of, .. }, true) => of.iter().any(remote),
        (Condition::Online(online), value) => *online == value,
        (Condition::Down(_) | Condition::Always | Condition::Portal(_) | Condition::Env(_), _) => {
            false
        }
        (_, value) => value,
    };
    condition.facts().into_iter().any(needs_it)
}

/// `proxyList` puts GONOPROXY's modules before everything, `off` and file:// included.
fn needs_gonoproxy(view: &View<'_>, findings: &mut Vec<PolicyFinding>) {
    let offline = !view.chains.is_empty()
        && view
            .hops()
            .all(|(_, hop)| matches!(hop.kind, HopKind::File(_) | HopKind::Off));
    let private = view.policy.profiles.iter().any(|profile| {
        let set = |name| match profile.env.get(name) {
            Some(EnvValue::Text(text)) => covers_something(text),
            Some(EnvValue::Fastest { .. }) | None => false,
        };
        set("GOPRIVATE") || set("GONOPROXY")
    });
    let answered = view
        .value("GONOPROXY")
        .is_some_and(|value| !value.is_empty() && !covers_something(value));
    if offline && private && !answered {
        note(
            findings,
            PolicyFinding::warning(
                "offline-needs-gonoproxy",
                "modules that GOPRIVATE covers pass the mirror and `off` over, and go to the network",
                view.span_of("GOPROXY"),
            )
            .help("add GONOPROXY = \"none\" to this profile"),
        );
    }
}

/// Does a list name anything that a module path can begin with? `none` does not: it has no dot.
fn covers_something(list: &str) -> bool {
    Patterns::parse(list)
        .globs()
        .iter()
        .any(|glob| glob.contains(['.', '*', '?', '[']))
}

/// Does the condition say that the network is not there, or that something answers in its place?
fn says_offline(condition: &Condition) -> bool {
    let says = |(fact, value): (&Condition, bool)| match (fact, value) {
        (Condition::Portal(portal), value) => *portal == value,
        (Condition::Online(online), value) => *online != value,
        _ => false,
    };
    condition.facts().into_iter().any(says)
}
