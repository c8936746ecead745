//! The document as a whole: its limits, its parts in order, and the order of the findings.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::DeTable;

use super::merge::merge;
use super::reader::{MOST_FINDINGS, Reader, Section};
use super::{Parsed, PolicyLocation, agent, fleet, locked, profiles, projects, target, telemetry};
use crate::model::lookalike;
use crate::policy::finding::{Places, PolicyFinding, ProfilePlace, nearest, quoted};
use crate::policy::fleet::{FleetSettings, PolicyHeader};
use crate::policy::layers::{Layer, LayerKind, Part, PolicyText};
use crate::policy::profile::{Condition, Policy, Profile};
use crate::policy::templates::Template;
use crate::policy::{lint, loosen, project};

/// In bytes. A policy of a hundred targets has some ten thousand.
pub(super) const LONGEST: usize = 1 << 20;

/// Returns the bytes of a policy file as text.
///
/// # Errors
/// If they are not UTF-8, which TOML requires.
pub fn decode(bytes: &[u8]) -> Result<&str, Box<PolicyFinding>> {
    if bytes.len() > LONGEST {
        return Err(Box::new(too_long(bytes.len())));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes
            .get(..error.valid_up_to())
            .map_or(0, |before| before.iter().filter(|b| **b == b'\n').count());
        let message = format!("line {} is not UTF-8, which TOML must be", line + 1);
        Box::new(PolicyFinding::fault("not-utf8", message).help("save the file as UTF-8"))
    })
}

/// Reads a policy of one layer.
pub fn parse(text: &str, location: PolicyLocation<'_>) -> Parsed {
    parse_as(LayerKind::User, text, location)
}

/// Reads a policy of one layer of this kind.
pub fn parse_as(kind: LayerKind, text: &str, location: PolicyLocation<'_>) -> Parsed {
    let path = &*location.folder.join("goroam.toml");
    parse_layers(&[Layer { kind, path, text }], location.home)
}

/// Reads a policy of several layers, the lowest first. If none has a profile, they stand on the
/// built-in policy. `home` is the user's home directory.
pub fn parse_layers(layers: &[Layer<'_>], home: Option<&Path>) -> Parsed {
    if let Some((layer, finding)) = layers.iter().find_map(|layer| Some((layer, fault(layer)?))) {
        let source = PolicyText::of(&[*layer]);
        return Parsed {
            findings: vec![finding],
            source,
            ..Parsed::default()
        };
    }
    let (policy, mut parsed, broken) = read(layers, home);
    if !broken.is_empty() {
        drop_echoes(&mut parsed.findings, &parsed.source.text, &broken);
        parsed.findings.extend(broken);
    }
    if !parsed.findings.iter().any(PolicyFinding::is_error) {
        parsed.policy = Some(policy);
    }
    parsed.findings = in_order(parsed.findings);
    parsed
}

/// Says why a layer is not read at all.
fn fault(layer: &Layer<'_>) -> Option<PolicyFinding> {
    if layer.text.len() > LONGEST {
        return Some(too_long(layer.text.len()));
    }
    is_blank(layer.text).then(|| {
        let finding = PolicyFinding::fault("empty-policy", "the policy is empty");
        finding.help("`goroam init` writes one to start from")
    })
}

/// Reads a policy that was once valid. It stays in force even if newer checks refuse it, except for
/// profiles that weaken verification in a way that is refused. `None`: nothing usable is left. Also
/// returns the names of the profiles that were left out.
pub fn parse_kept(layers: &[Layer<'_>], home: Option<&Path>) -> Option<(Parsed, Vec<String>)> {
    if layers.iter().any(|layer| fault(layer).is_some()) {
        return None;
    }
    let (mut policy, mut parsed, broken) = read(layers, home);
    if !broken.is_empty() {
        return None;
    }
    let mut errors = parsed.findings.iter().filter(|finding| finding.is_error());
    let mut left_out = Vec::new();
    // It does not matter which profile the finding is about: verification must not get weaker.
    if errors.any(|finding| finding.code.starts_with("loosens")) {
        let mut stays = |rules: &Profile| {
            let loose = rules.is_loose();
            left_out.extend(loose.then(|| rules.name.clone()));
            !loose
        };
        let places = &mut parsed.places;
        retain_both(&mut policy.profiles, &mut places.profiles, &mut stays);
        retain_both(&mut policy.projects, &mut places.projects, |project| {
            stays(&project.rules)
        });
    }
    let last = policy.profiles.last()?;
    if !matches!(last.when, Condition::Always) {
        return None;
    }
    parsed.policy = Some(policy);
    Some((parsed, left_out))
}

/// Removes parts of the policy together with their places.
fn retain_both<T>(
    parts: &mut Vec<T>,
    places: &mut Vec<ProfilePlace>,
    mut stays: impl FnMut(&T) -> bool,
) {
    let both = std::mem::take(parts).into_iter().zip(places.drain(..));
    let both: Vec<_> = both.filter(|(part, _)| stays(part)).collect();
    (*parts, *places) = both.into_iter().unzip();
}

/// Reads what a policy says of itself; what is wrong with the rest of it does not matter.
pub fn header(text: &str) -> PolicyHeader {
    part(text, fleet::policy)
}

/// Reads where the text says that a fleet's policy comes from.
pub fn fleet_settings(text: &str) -> Option<FleetSettings> {
    part(text, fleet::fleet)
}

/// Reports whether the text says anything of that.
pub fn has_fleet(text: &str) -> bool {
    part(text, |root| root.map.contains_key("fleet"))
}

fn part<T>(text: &str, read: impl FnOnce(&Section<'_>) -> T) -> T {
    let (document, _) = DeTable::parse_recoverable(text);
    let (kind, path) = (LayerKind::User, Path::new(""));
    let source = PolicyText::of(&[Layer { kind, path, text }]);
    let reader = Reader::of(&source, None, Vec::new());
    read(&section(&reader, document.get_ref()))
}

/// Returns the understood part of the policy, the findings, and TOML's own errors.
fn read(layers: &[Layer<'_>], home: Option<&Path>) -> (Policy, Parsed, Vec<PolicyFinding>) {
    let mut source = PolicyText::of(layers);
    let parts = source.parts.iter();
    let texts: Vec<String> = parts.map(|part| source.padded(part)).collect();
    let mut broken = Vec::new();
    let mut documents: Vec<DeTable<'_>> = Vec::new();
    for text in &texts {
        let (document, errors) = DeTable::parse_recoverable(text);
        documents.push(document.into_inner());
        broken.extend(syntax_errors(&errors, text));
    }
    let built_in;
    if !documents.iter().any(has_profiles) {
        source.add(Layer {
            kind: LayerKind::BuiltIn,
            path: Path::new(""),
            text: Template::Default.text(),
        });
        built_in = source.parts.last().map(|part| source.padded(part));
        let documents_below = built_in
            .iter()
            .map(|text| DeTable::parse_recoverable(text).0);
        documents.extend(documents_below.map(Spanned::into_inner));
    }
    let reader = Reader::of(&source, home, names(&documents));
    let mut locks = Vec::new();
    for (document, part) in documents.iter().zip(&source.parts) {
        let root = section(&reader, document);
        version(&root, part);
        locks.extend(locked::locks(&root));
    }
    fleet::places(&reader, &documents);
    // The built-in policy is the lowest, and stands last in the text.
    let below = documents.split_off(layers.len());
    let (document, replaced) = merge(below.into_iter().chain(documents));
    let (mut policy, places) = whole(&section(&reader, &document));
    locked::check(&reader, &mut policy, &places, &locks, &replaced);
    let parsed = Parsed {
        policy: None,
        findings: reader.findings.take(),
        certificates: reader.certificates.take(),
        places,
        source: PolicyText::default(),
    };
    drop((reader, document, replaced, locks));
    (policy, Parsed { source, ..parsed }, broken)
}

/// Reports whether a document has profiles, right or wrong.
fn has_profiles(document: &DeTable<'_>) -> bool {
    let profiles = document.get("profile").map(Spanned::get_ref);
    profiles.is_some_and(|node| node.as_array().is_none_or(|list| !list.is_empty()))
}

pub(super) fn section<'a>(reader: &'a Reader<'a>, map: &'a DeTable<'a>) -> Section<'a> {
    Section {
        reader,
        map,
        span: 0..0,
        what: "the policy".to_owned(),
    }
}

/// Returns the names of all targets with their places.
fn names(documents: &[DeTable<'_>]) -> Vec<(String, Range<usize>)> {
    let tables = documents.iter().filter_map(|document| {
        let targets = document.get("target")?.get_ref().as_table()?;
        Some(targets.keys().take(target::MOST_PARTS))
    });
    let names = tables.flatten();
    names
        .map(|name| (name.get_ref().to_string(), name.span()))
        .collect()
}

fn whole(root: &Section<'_>) -> (Policy, Places) {
    let reader = root.reader;
    root.only(&[
        "version",
        "agent",
        "probe",
        "mirror",
        "relay",
        "telemetry",
        "metrics",
        "target",
        "profile",
        "project",
        "policy",
        "fleet",
    ]);
    let header = fleet::policy(root);
    let _ = fleet::fleet(root);
    let agent = agent::agent(root);
    let limits = agent::probe(root);
    let example = "[target.proxy] goproxy = \"https://proxy.golang.org\"";
    let targets = root.get("target", example);
    let targets = targets.and_then(|value| value.table("`target`"));
    let mirror = agent::mirror(root);
    let relay = agent::relay(root);
    let telemetry = telemetry::telemetry(root);
    let metrics = telemetry::metrics(root);
    let mut places = Places {
        settings: agent::places(root),
        ..Places::default()
    };
    let targets = targets.map(|table| {
        let names = table.keys().map(|name| (name.value.to_owned(), name.span));
        places.targets = names.collect();
        target::targets(&table, limits)
    });
    let targets = targets.unwrap_or_default();
    let (profiles, profile_places) = profiles::profiles(root, &targets).into_iter().unzip();
    places.profiles = profile_places;
    let (projects, project_places) = projects::projects(root, &targets).into_iter().unzip();
    places.projects = project_places;
    let mut policy = Policy {
        header,
        agent,
        mirror,
        relay,
        telemetry,
        metrics,
        targets,
        profiles,
        by_hand: None,
        projects,
        locked: BTreeMap::new(),
    };
    order(root, &policy, &places);
    nowhere_allowed(root, &policy);
    for finding in loosen::check(&mut policy, &places) {
        reader.report(finding);
    }
    for finding in fleet::check(root, &policy, &places) {
        reader.report(finding);
    }
    let projects = project::check(&policy, &places).into_iter();
    for finding in projects.chain(lint::lint(&policy, &places, reader.source)) {
        reader.report(finding);
    }
    (policy, places)
}

fn version(root: &Section<'_>, part: &Part) {
    let Some(value) = root.get("version", "version = 1") else {
        let misspelt = |key: &str| nearest(key, ["version"].into_iter()).is_some();
        if !root.keys().any(|key| misspelt(key.value)) {
            let mut finding =
                PolicyFinding::fault("missing-version", "the policy does not state its version");
            // With several layers the place says which one.
            if root.reader.source.parts.len() > 1 {
                finding = finding.at((part.range.start, 0));
            }
            root.reader
                .report(finding.help("begin the file with: version = 1"));
        }
        return;
    };
    let number = value.node.get_ref().as_integer();
    match number.map(|integer| integer.as_str()) {
        Some("1") => {}
        Some(_) => {
            let message = "this goroam reads policies of version 1 only";
            let finding = value.error("unknown-version", message);
            root.reader
                .report(finding.help("version = 1, or a newer goroam"));
        }
        None => {
            value.wrong_type::<()>("`version`", "a whole number");
        }
    }
}

/// Checks the order: profiles are evaluated from the top, so the last one must always hold.
fn order(root: &Section<'_>, policy: &Policy, places: &Places) {
    let all: Vec<_> = policy.profiles.iter().zip(&places.profiles).collect();
    let always = all
        .iter()
        .position(|(profile, place)| place.when.is_none() && profile.when == Condition::Always);
    let Some((_, last)) = all.last() else {
        let is_list = |node: &toml::Spanned<toml::de::DeValue<'_>>| node.get_ref().is_array();
        if root.map.get("profile").is_none_or(is_list) {
            let finding = PolicyFinding::fault("no-profiles", "the policy has no profile");
            let help = "add [[profile]] name = \"public\", or start from `goroam init`";
            root.reader.report(finding.help(help));
        }
        return;
    };
    if let Some(when) = &last.when {
        let message = "no profile holds whatever the network is";
        root.reader.report(
            PolicyFinding::error("no-catch-all", message, when.clone())
                .label("the last profile has a condition")
                .help("end the list with a profile that has no `when`"),
        );
    }
    let behind = always.and_then(|at| Some((&all.get(at)?.1.name, all.get(at + 1..)?)));
    let Some((always, behind @ [(_, next), ..])) = behind else {
        return;
    };
    let kind = |place: &ProfilePlace| root.reader.source.kind(place.name.start);
    if kind(next) == root.reader.source.kind(always.start) {
        let message = "this profile and those after it are never reached";
        root.reader.report(
            PolicyFinding::warning("unreachable-profile", message, next.name.clone())
                .related(always.clone(), "no `when`: always holds")
                .help("move the profile without `when` to the end"),
        );
    } else if root.reader.source.kind(always.start) == LayerKind::User {
        let mut names = Vec::from_iter(behind.iter().map(|(profile, _)| quoted(&profile.name)));
        names.dedup();
        let message = format!(
            "this profile always holds, so no network reaches {}",
            names.join(", ")
        );
        root.reader.report(
            PolicyFinding::warning("hides-layers", message, always.clone())
                .label("no `when`: always holds")
                .related(next.name.clone(), "the profiles of lower layers")
                .help("take it out: the last profile of the lower layers always holds, too"),
        );
    }
}

/// Reports a `keep_ready` that no profile allows: it has no effect.
fn nowhere_allowed(root: &Section<'_>, policy: &Policy) {
    let allowed = policy.profiles.iter().any(|profile| profile.keep_ready);
    let mirror = root.map.get("mirror");
    if policy.mirror.keep_ready
        && !allowed
        && let Some(mirror) = mirror.and_then(|node| node.get_ref().as_table())
        && let Some((key, _)) = mirror.get_key_value("keep_ready")
    {
        let message = "no profile allows it, so nothing is ever downloaded";
        let help =
            "add `keep_ready = true` to the profiles of networks where downloads are welcome";
        let finding = PolicyFinding::warning("keep-ready-nowhere", message, key.span());
        root.reader.report(finding.help(help));
    }
}

pub(super) fn is_blank(text: &str) -> bool {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.lines()
        .map(str::trim)
        .all(|line| line.is_empty() || line.starts_with('#'))
}

pub(super) fn too_long(bytes: usize) -> PolicyFinding {
    let message = format!("the file has {bytes} bytes; {LONGEST} is the most that is read");
    PolicyFinding::fault("too-long", message).help("is this the right file?")
}

/// Sorts findings by place, removes duplicates and credentials, and limits their number; errors are
/// kept first.
pub(super) fn in_order(mut findings: Vec<PolicyFinding>) -> Vec<PolicyFinding> {
    let all = findings.len();
    if all > MOST_FINDINGS {
        findings.sort_by_key(|finding| finding.severity);
        findings.truncate(MOST_FINDINGS);
    }
    findings.sort_by_key(|finding| {
        let start = finding.primary.as_ref().map_or(0, |label| label.span.start);
        (start, finding.severity)
    });
    findings.dedup();
    if all > MOST_FINDINGS {
        let message = format!("{} more findings are not shown", all - MOST_FINDINGS);
        // Not an error: errors are shown first, and warnings do not refuse a policy.
        findings.push(PolicyFinding::fault("too-many-findings", message).mild());
    }
    let findings = findings.into_iter();
    findings.map(PolicyFinding::without_credentials).collect()
}

/// After this many errors, each further one is a consequence of another.
const MOST: usize = 20;

/// Returns what TOML could not read.
pub(super) fn syntax_errors(errors: &[toml::de::Error], text: &str) -> Vec<PolicyFinding> {
    let errors = errors.iter().take(MOST).map(|error| {
        let span = clamp(error.span().unwrap_or(0..0), text);
        with_look_alike(syntax(error.message(), span), text)
    });
    errors.collect()
}

/// Removes findings that may only be consequences of the broken syntax: those on a line that TOML
/// could not read, and those that say that something is missing.
fn drop_echoes(findings: &mut Vec<PolicyFinding>, text: &str, broken: &[PolicyFinding]) {
    const ABSENCES: [&str; 6] = [
        "missing-version",
        "no-catch-all",
        "no-profiles",
        "unused-target",
        "missing-key",
        "no-kind",
    ];
    let starts: Vec<usize> = text.match_indices('\n').map(|(i, _)| i).collect();
    let line = |finding: &PolicyFinding| {
        let at = finding.primary.as_ref()?.span.start;
        Some(starts.partition_point(|end| *end < at))
    };
    let unreadable = BTreeSet::from_iter(broken.iter().map(line));
    // After a duplicate key TOML continues without losing anything.
    let lossless = broken.iter().all(|error| error.code == "duplicate-key");
    findings.retain(|finding| {
        let line = line(finding);
        let echo = line.is_some() && unreadable.contains(&line);
        let absence = ABSENCES.contains(&finding.code) || is_defined_somewhere(finding, text);
        !echo && (lossless || !absence)
    });
}

/// Reports whether the finding says that a target is not defined, although the text seems to define
/// it.
fn is_defined_somewhere(finding: &PolicyFinding, text: &str) -> bool {
    finding.code == "unknown-target"
        && finding.primary.as_ref().is_some_and(|primary| {
            let name = text.get(primary.span.clone()).unwrap_or_default();
            text.contains(&format!("target.{}", name.trim_matches(['"', '\''])))
        })
}

/// Adds a remark if TOML failed at a character from an input method: `“`, `＝`, `，`, a no-break
/// space.
fn with_look_alike(mut finding: PolicyFinding, text: &str) -> PolicyFinding {
    let Some(primary) = &finding.primary else {
        return finding;
    };
    let rest = text.get(primary.span.start..).unwrap_or_default();
    let first = rest.chars().next().map_or(0, char::len_utf8);
    let length = primary.span.len().max(first);
    if let Some(mark) = rest.get(..length).and_then(lookalike::find) {
        finding.help = Some(format!("{mark}: {}", mark.help()));
    }
    finding
}

fn syntax(message: &str, span: Range<usize>) -> PolicyFinding {
    match message.lines().next().unwrap_or("this is not TOML") {
        message @ "duplicate key" => {
            PolicyFinding::error("duplicate-key", message, span).help("keep one of the two")
        }
        message => PolicyFinding::error("syntax", message, span),
    }
}

/// Returns a span that begins and ends between characters of the text.
fn clamp(span: Range<usize>, text: &str) -> Range<usize> {
    let floor = |at: usize| {
        let mut before = (0..=at.min(text.len())).rev();
        before.find(|at| text.is_char_boundary(*at)).unwrap_or(0)
    };
    let start = floor(span.start);
    start..floor(span.end).max(start)
}
