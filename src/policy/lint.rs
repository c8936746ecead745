//! Checks the policy as a whole: the lints of every profile, and what concerns several parts.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;

use crate::model::host::canonical_url as canonical;
use crate::model::target::DEFAULT_MODULE;
use crate::model::{Hop, HopKind, Patterns, Separator, SumDb, Target, TargetKind};
use crate::policy::expand::{Possible, chains, resolve};
use crate::policy::finding::{Places, PolicyFinding, ProfilePlace, part, shown};
use crate::policy::layers::PolicyText;
use crate::policy::loosen::is_plain_http;
use crate::policy::profile::{Condition, EnvValue, Policy, Profile, is_proven};

/// Runs every check on the whole policy.
pub(super) fn lint(policy: &Policy, places: &Places, source: &PolicyText) -> Vec<PolicyFinding> {
    let mut findings = Vec::new();
    let view = |profile, place| View::of(policy, profile, place, &source.text);
    for (profile, place) in policy.profiles.iter().zip(&places.profiles) {
        let view = view(profile, place);
        for lint in LINTS.iter().chain(&PROFILE_LINTS) {
            lint(&view);
        }
        findings.append(&mut view.findings.take());
    }
    for (project, place) in policy.projects.iter().zip(&places.projects) {
        let view = view(&project.rules, place);
        for lint in LINTS {
            lint(&view);
        }
        findings.append(&mut view.findings.take());
        // What covers its private names may be in the profile: `project::check` looks there.
        private(&view);
        let leaks = view.findings.take().into_iter();
        findings.extend(leaks.filter(|finding| finding.code == "leak-pipe"));
    }
    findings.extend(shadowed(policy, places, source));
    findings.extend(unused(policy, places));
    findings
}

/// The checks for each profile and each project.
const LINTS: [fn(&View<'_>); 10] = [
    ignored_hops,
    mirror_behind_pipe,
    behind_comma,
    twice,
    empty_entries,
    plain_http,
    implied_https,
    several_in_one,
    sumdb_url,
    needs_gonoproxy,
];

/// The checks for each profile as a whole.
const PROFILE_LINTS: [fn(&View<'_>); 2] = [private, direct_in_air_gap];

/// One profile, with the input of its lints and their findings.
struct View<'a> {
    policy: &'a Policy,
    profile: &'a Profile,
    /// The places of its parts.
    place: &'a ProfilePlace,
    /// The policy's text.
    text: &'a str,
    /// The chains that its GOPROXY can become.
    chains: Vec<Possible>,
    findings: RefCell<Vec<PolicyFinding>>,
}

impl<'a> View<'a> {
    fn of(
        policy: &'a Policy,
        profile: &'a Profile,
        place: &'a ProfilePlace,
        text: &'a str,
    ) -> View<'a> {
        View {
            policy,
            profile,
            place,
            text,
            chains: chains(&profile.env, &policy.targets),
            findings: RefCell::default(),
        }
    }

    /// Records a finding unless it is already recorded: the chains of a `fastest` give the same
    /// one.
    fn note(&self, finding: PolicyFinding) {
        let mut findings = self.findings.borrow_mut();
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }

    /// Records a warning about a part of a chain.
    fn warn(
        &self,
        code: &'static str,
        message: impl Into<String>,
        (possible, at): (&Possible, (usize, usize)),
        help: impl Into<String>,
    ) {
        let finding = PolicyFinding::warning(code, message, self.span(possible, at));
        self.note(finding.help(help));
    }

    /// Returns every hop of every chain, with its chain.
    fn hops(&self) -> impl Iterator<Item = (&Possible, &Hop)> {
        self.chains
            .iter()
            .flat_map(|possible| possible.chain.hops.iter().map(move |hop| (possible, hop)))
    }

    /// Returns every hop that is a proxy, with its URL.
    fn proxies(&self) -> impl Iterator<Item = (&Possible, &Hop, &str)> {
        self.hops()
            .filter_map(|(possible, hop)| Some((possible, hop, proxy(hop)?)))
    }

    /// Returns every hop that follows another one, with that one.
    fn pairs(&self) -> impl Iterator<Item = (&Possible, &Hop, &Hop)> {
        self.chains.iter().flat_map(|possible| {
            let hops = &possible.chain.hops;
            let pairs = hops.iter().zip(hops.iter().skip(1));
            pairs.map(move |(before, hop)| (possible, before, hop))
        })
    }

    /// Returns the place of a part of a chain.
    fn span(&self, possible: &Possible, at: (usize, usize)) -> Range<usize> {
        let span = self.span_of("GOPROXY");
        match &possible.text {
            Some(value) => part(self.text, value, &span, at),
            None => span,
        }
    }

    /// Returns the place of a variable's value.
    fn span_of(&self, variable: &str) -> Range<usize> {
        let span = self.place.env.get(variable);
        span.unwrap_or(&self.place.name).clone()
    }

    /// Returns a variable's value as written.
    fn value(&self, variable: &str) -> Option<&str> {
        match self.profile.env.get(variable)? {
            EnvValue::Text(text) => Some(text),
            EnvValue::Fastest { .. } => None,
        }
    }

    /// Returns the target that a hop leads to, if it is marked private.
    fn private_target(&self, hop: &Hop) -> Option<&Target> {
        let url = canonical(proxy(hop)?);
        let leads = |target: &&Target| target.goproxy_url().map(canonical).as_ref() == Some(&url);
        let mut private = self.policy.targets.values().filter(|target| target.private);
        private.find(leads)
    }

    /// Reports whether the patterns of a variable cover the module.
    fn covers(&self, variable: &str, module: &str) -> bool {
        let list = self.value(variable);
        list.is_some_and(|list| Patterns::parse(list).matches(module))
    }
}

fn proxy(hop: &Hop) -> Option<&str> {
    match &hop.kind {
        HopKind::Proxy(url) => Some(url),
        HopKind::File(_) | HopKind::Direct | HopKind::Off => None,
    }
}

/// Finds profiles with the same condition as an earlier one of their layer: they are never reached.
fn shadowed(policy: &Policy, places: &Places, source: &PolicyText) -> Vec<PolicyFinding> {
    let profiles = policy.profiles.iter().zip(&places.profiles);
    let conditions = profiles.filter(|(_, place)| place.when_understood);
    let conditions: Vec<(&Condition, &Range<usize>)> = conditions
        .filter_map(|(profile, place)| Some((&profile.when, place.when.as_ref()?)))
        .collect();
    let shadowed = conditions
        .iter()
        .enumerate()
        .filter_map(|(i, (when, span))| {
            let mut earlier = conditions.iter().take(i);
            let (_, twin) = earlier.find(|(earlier, place)| {
                earlier == when && source.kind(place.start) == source.kind(span.start)
            })?;
            let message = "an earlier profile has the same condition, so this one is never reached";
            let finding = PolicyFinding::warning("unreachable-profile", message, (*span).clone());
            Some(finding.related((*twin).clone(), "the earlier one"))
        });
    shadowed.collect()
}

/// Finds targets that no condition, no `fastest` and no chain refers to.
fn unused(policy: &Policy, places: &Places) -> Vec<PolicyFinding> {
    // A condition that was not understood may have named any of them.
    if places.profiles.iter().any(|place| !place.when_understood) {
        return Vec::new();
    }
    let mut used: BTreeSet<&str> = BTreeSet::new();
    let mut urls: BTreeSet<String> = BTreeSet::new();
    let projects = policy.projects.iter().map(|project| &project.rules);
    for profile in policy.profiles.iter().chain(projects) {
        used.extend(profile.when.targets());
        if asks_for_portal(&profile.when) {
            let witnesses = policy.targets.values().filter(|target| !target.is_local());
            used.extend(witnesses.map(|target| target.name.as_str()));
        }
        used.extend(profile.fastest().into_iter().flatten().map(String::as_str));
        for possible in chains(&profile.env, &policy.targets) {
            urls.extend(possible.chain.hops.iter().filter_map(proxy).map(canonical));
        }
    }
    let unused = policy.targets.values().filter(|target| {
        let url = target.goproxy_url().map(canonical);
        !used.contains(target.name.as_str()) && !url.is_some_and(|url| urls.contains(&url))
    });
    let finding = |target: &Target| {
        let span = places.targets.get(&target.name)?.clone();
        let message = format!("no profile asks for target `{}`", target.name);
        let help = "`goroam probe` still requests it; remove it if it is not needed";
        Some(PolicyFinding::warning("unused-target", message, span).help(help))
    };
    unused.filter_map(finding).collect()
}

/// Reports whether a condition depends on a portal: it uses every target on the network.
fn asks_for_portal(condition: &Condition) -> bool {
    let facts = condition.facts().into_iter();
    facts
        .map(|(fact, _)| fact)
        .any(|fact| matches!(fact, Condition::Portal(_)))
}

/// Finds entries after `direct` and `off`: `proxyList` stops there.
fn ignored_hops(view: &View<'_>) {
    for possible in &view.chains {
        if let Some(at) = possible.chain.ignored {
            let (message, span) = (
                "go never looks behind `direct` or `off`",
                view.span(possible, at),
            );
            view.note(
                PolicyFinding::warning("ignored-hops", message, span)
                    .label("never read")
                    .help("put it before `direct` or `off`, or take it out"),
            );
        }
    }
}

/// Finds a mirror after `|`: go walks the list again for every request, and a dead proxy costs its
/// time-out each time.
fn mirror_behind_pipe(view: &View<'_>) {
    for (possible, before, hop) in view.pairs() {
        if before.then == Some(Separator::Pipe) && matches!(hop.kind, HopKind::File(_)) {
            view.warn(
                "mirror-behind-pipe",
                "every request first waits for the proxies before the mirror, up to 30 s each",
                (possible, hop.at),
                "put the mirror first, or alone with `,off` into a profile for the dead network",
            );
        }
    }
}

/// Finds entries after `,` that do not help: `TryProxies` moves on after 404 and 410 only, not if
/// the proxy before it does not answer, or answers 403, 429 or 502.
fn behind_comma(view: &View<'_>) {
    for (possible, before, hop) in view.pairs() {
        let Some(url) = proxy(before).filter(|_| before.then == Some(Separator::Comma)) else {
            continue;
        };
        let message = format!("go does not come here when {} fails", shown(url));
        let span = view.span(possible, hop.at);
        let is_private = |hop| view.private_target(hop).is_some();
        let finding = match &hop.kind {
            HopKind::File(_) => PolicyFinding::warning("mirror-behind-comma", message, span)
                .help("put the mirror first: go moves on from it when a file is missing"),
            // The relay moves on between them after any error.
            HopKind::Proxy(_) if view.policy.relay.enabled => continue,
            HopKind::Proxy(_) if !is_private(before) && !is_private(hop) => {
                PolicyFinding::note("proxy-behind-comma", message, span)
                    .help("between public proxies `|` moves on after any error")
            }
            HopKind::Proxy(_) | HopKind::Direct | HopKind::Off => continue,
        };
        view.note(finding.label("behind `,`: asked after 404 and 410 only"));
    }
}

/// Finds equal entries: the second one gives the same answer as the first.
fn twice(view: &View<'_>) {
    let place = |hop: &Hop| match &hop.kind {
        HopKind::Proxy(url) | HopKind::File(url) => Some(canonical(url)),
        HopKind::Direct | HopKind::Off => None,
    };
    // The entry that a `fastest` puts first may also be in the rest.
    let written = |possible: &&Possible| possible.text.is_some();
    for possible in view.chains.iter().filter(written) {
        let hops = &possible.chain.hops;
        for (i, hop) in hops.iter().enumerate() {
            let own = place(hop);
            let mut earlier = hops.iter().take(i);
            if let Some(first) = earlier.find(|one| own.is_some() && place(one) == own) {
                let message = "this entry is in the list already: it gives the same answer again";
                let span = view.span(possible, hop.at);
                view.note(
                    PolicyFinding::warning("duplicate-hop", message, span)
                        .related(view.span(possible, first.at), "the first one")
                        .help("take one of the two out"),
                );
            }
        }
    }
}

/// Finds empty entries. `proxyList` skips an empty entry together with the separator after it:
/// `a|,b` is `a|b`, and `a,|b` is `a,b`.
fn empty_entries(view: &View<'_>) {
    for possible in &view.chains {
        let Some(value) = &possible.text else {
            continue;
        };
        // Nothing after `direct` and `off` is read; another check reports that.
        let ends = |hop: &&Hop| matches!(hop.kind, HopKind::Direct | HopKind::Off);
        let last = possible.chain.hops.iter().find(ends);
        let end = last.map_or(value.len(), |hop| hop.at.0);
        let mut start = 0;
        for part in value.split([',', '|']) {
            if part.trim().is_empty() && start <= end {
                // With its own separator or, at the end of the list, with the one before it.
                let is_last = start + part.len() == value.len();
                let from = start.saturating_sub(usize::from(is_last));
                view.warn(
                    "empty-entry",
                    "go skips an empty entry together with the separator behind it",
                    (possible, (from, part.len() + 1)),
                    "remove this separator",
                );
            }
            start += part.len() + 1;
        }
    }
}

/// Finds proxies over plain http. The loosening rule reports them as an error, unless the condition
/// is proven.
fn plain_http(view: &View<'_>) {
    let proven = is_proven(&view.profile.when, &view.policy.targets);
    if !view.place.when_understood || !proven {
        return;
    }
    for (possible, hop, url) in view.proxies().filter(|(.., url)| is_plain_http(url)) {
        view.warn(
            "plain-http-hop",
            format!("{} is asked without TLS", shown(url)),
            (possible, hop.at),
            "anyone on the way can read the names of private modules; use https",
        );
    }
}

/// Finds entries that go completes to https: `direct/` is not `direct`, and `localhost:3000` means
/// https, which a server on the user's own machine rarely speaks.
fn implied_https(view: &View<'_>) {
    for (possible, hop, url) in view.proxies() {
        let Some(value) = &possible.text else {
            continue;
        };
        let (at, length) = hop.at;
        let written = value.get(at..at + length).unwrap_or_default();
        let as_http = url.replacen("https://", "http://", 1);
        let host = url.split_once("://").map_or("", |(_, rest)| rest);
        let host = host.split([':', '/']).next().unwrap_or_default();
        let is_host = |word: &&str| host.eq_ignore_ascii_case(word);
        if let Some(word) = ["direct", "off"].into_iter().find(is_host) {
            view.warn(
                "word-as-host",
                format!("go takes this for a proxy whose host is called `{word}`"),
                (possible, hop.at),
                format!("write `{word}` and nothing else"),
            );
        } else if !written.contains("://") && !is_plain_http(&as_http) {
            let help = format!("write {} if the server speaks plain http", shown(&as_http));
            let message = format!("go reads this as {}", shown(url));
            view.warn("implied-https", message, (possible, hop.at), help);
        }
    }
}

/// Finds entries that look like several. Only `,` and `|` end an entry: any other character that
/// looks like an end becomes part of the URL.
fn several_in_one(view: &View<'_>) {
    for (possible, hop, url) in view.proxies() {
        let rest = url.split_once("://").map_or("", |(_, rest)| rest);
        if rest.contains("://") || rest.contains([';', ' ', '\t']) {
            view.warn(
                "several-in-one",
                "go reads this as one URL, and asks for every module under all of it",
                (possible, hop.at),
                "separate entries with `,` (after 404 and 410) or `|` (after any error)",
            );
        }
    }
}

/// Public proxies that are known to relay sum.golang.org, under `/sumdb/`.
const PASS_THROUGH: [&str; 3] = [
    "https://proxy.golang.org",
    "https://goproxy.cn",
    "https://goproxy.io",
];

/// Finds a URL in GOSUMDB: it bypasses every proxy (`modfetch/sumdb.go:dbDial`). It is wanted if the
/// profile depends on what answers at that URL.
fn sumdb_url(view: &View<'_>) {
    let expanded = resolve(view.value("GOSUMDB").unwrap_or("off"), &view.profile.env);
    let parsed = SumDb::parse(&expanded);
    let Ok(SumDb::Database {
        url: Some(_), key, ..
    }) = &parsed
    else {
        return;
    };
    let hops: Vec<String> = view.proxies().map(|(.., url)| canonical(url)).collect();
    let asked = view.profile.when.targets();
    let mut targets = view.policy.targets.values();
    let is_asked_itself = targets.clone().any(|target| {
        let TargetKind::SumDb { db, via: None } = &target.kind else {
            return false;
        };
        asked.contains(target.name.as_str()) && parsed.as_ref() == Ok(db)
    });
    if is_asked_itself {
        return;
    }
    let via = targets.find(|target| {
        let TargetKind::SumDb { db, via: Some(via) } = &target.kind else {
            return false;
        };
        let here = asked.contains(target.name.as_str()) || hops.contains(&canonical(via));
        here && db.name() == key.name
    });
    let passes_on =
        |hop: &&String| key.name == "sum.golang.org" && PASS_THROUGH.contains(&hop.as_str());
    let through = match (via, hops.iter().find(passes_on)) {
        (Some(target), _) => format!("the proxy that `{}` checks", target.name),
        (None, Some(hop)) => format!("{hop}, which passes it on"),
        (None, None) => return,
    };
    let message = format!("with a URL go asks the database itself, never through {through}");
    let help = format!(
        "write GOSUMDB = \"{}\": go then asks the proxy first",
        key.name
    );
    let span = view.span_of("GOSUMDB");
    view.note(PolicyFinding::warning("sumdb-url-bypasses-proxy", message, span).help(help));
}

/// Finds names of private modules that leave the company.
fn private(view: &View<'_>) {
    for possible in &view.chains {
        let hops = &possible.chain.hops;
        let is_public = |hop: &Hop| proxy(hop).is_some() && view.private_target(hop).is_none();
        let last_public = hops.iter().rposition(is_public);
        for (i, hop) in hops.iter().enumerate() {
            let Some(target) = view.private_target(hop) else {
                continue;
            };
            let (name, span) = (&target.name, view.span(possible, hop.at));
            let is_before_public = last_public.is_some_and(|last| last > i);
            match hop.then {
                Some(Separator::Pipe) => {
                    let message = format!(
                        "when `{name}` fails, go asks the entry after `|` for your private modules"
                    );
                    view.note(
                        PolicyFinding::error("leak-pipe", message, span)
                            .label("private: nothing may follow it with `|`")
                            .help("write `,`: go then moves on only when the module is not there (404, 410)"),
                    );
                }
                Some(Separator::Comma) if is_before_public && !is_covered(view, target) => {
                    let message = format!(
                        "what `{name}` does not have, the public proxy behind it is asked for by name"
                    );
                    let help = match module_of(target) {
                        Some(module) => {
                            format!("GOPRIVATE = \"{}\" keeps those names here", host_of(module))
                        }
                        None => "name your own hosts in GOPRIVATE".to_owned(),
                    };
                    view.note(
                        PolicyFinding::warning("leak-comma", message, span)
                            .label("private, with a public proxy behind it")
                            .help(help),
                    );
                }
                Some(Separator::Comma) | None => {}
            }
        }
    }
    // The names also leak where the target itself is not requested: when its users are elsewhere.
    let goes_out = |(_, hop): (_, &Hop)| matches!(hop.kind, HopKind::Proxy(_) | HopKind::Direct);
    if view.hops().any(goes_out) {
        let private = view.policy.targets.values().filter(|one| one.private);
        private.for_each(|target| not_covered(view, target));
    }
}

/// Reports whether GONOPROXY, or else GOPRIVATE, keeps the target's modules from every proxy.
fn is_covered(view: &View<'_>, target: &Target) -> bool {
    let is_set = |name: &&str| view.value(name).is_some_and(|value| !value.is_empty());
    let Some(list) = ["GONOPROXY", "GOPRIVATE"].into_iter().find(is_set) else {
        return false;
    };
    // The modules that the target serves are known only if the policy names one.
    module_of(target).is_none_or(|module| view.covers(list, module))
}

/// Finds a GOPRIVATE that does not cover what the target serves: names go to the checksum database.
fn not_covered(view: &View<'_>, target: &Target) {
    let Some(module) = module_of(target) else {
        return;
    };
    if view.value("GOPRIVATE").unwrap_or_default().is_empty()
        || view.covers("GOPRIVATE", module)
        || view.covers("GONOSUMDB", module)
        || view.value("GOSUMDB") == Some("off")
    {
        return;
    }
    let serves = format!("{module}, which `{}` serves", target.name);
    let message = format!("GOPRIVATE does not cover {serves}");
    let span = view.span_of("GOPRIVATE");
    view.note(
        PolicyFinding::warning("private-not-covered", message, span)
            .label("go would look it up in the public checksum database")
            .help(format!("add {} to GOPRIVATE", host_of(module))),
    );
}

/// Returns the module that is requested from the target, if it is one of the target's own.
pub(super) fn module_of(target: &Target) -> Option<&str> {
    let TargetKind::GoProxy { module, .. } = &target.kind else {
        return None;
    };
    Some(module.as_str()).filter(|module| *module != DEFAULT_MODULE.0)
}

fn host_of(module: &str) -> &str {
    module.split('/').next().unwrap_or(module)
}

/// Finds `direct` at the end of a chain for an air gap: every missing module costs git's time-outs.
fn direct_in_air_gap(view: &View<'_>) {
    let is_this = |profile: &Profile| std::ptr::eq(profile, view.profile);
    let is_last = view.policy.profiles.last().is_some_and(is_this);
    // An earlier profile is for a network, so this one is reached if there is no network.
    let mut earlier = view.policy.profiles.iter().take_while(|one| !is_this(one));
    let is_behind_others = earlier.any(|one| rests_on_network(&one.when, view.policy));
    let asks_for_network = rests_on_network(&view.profile.when, view.policy);
    let fallback = is_last || (is_behind_others && !asks_for_network);
    for possible in &view.chains {
        let hops = &possible.chain.hops;
        let has_mirror = hops.iter().any(|hop| matches!(hop.kind, HopKind::File(_)));
        let Some(direct) = hops.last().filter(|hop| hop.kind == HopKind::Direct) else {
            continue;
        };
        let air_gap = says_offline(&view.profile.when) || (fallback && has_mirror);
        if hops.len() > 1 && air_gap {
            view.warn(
                "direct-in-air-gap",
                "where no network is, `direct` waits for version control to give up",
                (possible, direct.at),
                "write `off`: what is missing then fails at once, with its name",
            );
        }
    }
}

/// Reports whether the condition needs a connected network.
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

/// Finds an offline chain without a GONOPROXY that names no module, such as `none`: `proxyList`
/// handles GONOPROXY's modules before every entry, including `off` and file://.
fn needs_gonoproxy(view: &View<'_>) {
    let stays = |(_, hop): (_, &Hop)| matches!(hop.kind, HopKind::File(_) | HopKind::Off);
    let offline = !view.chains.is_empty() && view.hops().all(stays);
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
        let message =
            "modules that GOPRIVATE covers pass the mirror and `off` over, and go to the network";
        let span = view.span_of("GOPROXY");
        view.note(
            PolicyFinding::warning("offline-needs-gonoproxy", message, span)
                .help("add GONOPROXY = \"none\" to this profile"),
        );
    }
}

/// Reports whether a list names anything that a module path can begin with. `none` does not: it has
/// no dot.
pub(super) fn covers_something(list: &str) -> bool {
    Patterns::parse(list)
        .globs()
        .iter()
        .any(|glob| glob.contains(['.', '*', '?', '[']))
}

/// Reports whether the condition says that there is no network, or that something else answers in
/// its place.
fn says_offline(condition: &Condition) -> bool {
    let says = |(fact, value): (&Condition, bool)| match (fact, value) {
        (Condition::Portal(portal), value) => *portal == value,
        (Condition::Online(online), value) => *online != value,
        _ => false,
    };
    condition.facts().into_iter().any(says)
}
