//! The document as a whole: its limits, its parts in order, and the order of the findings.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;

use toml::de::DeTable;

use super::reader::{MOST_FINDINGS, Reader, Section};
use super::{Parsed, PolicyLocation, agent, profiles, projects, target};
use crate::model::lookalike;
use crate::policy::finding::{Places, PolicyFinding, Severity, nearest};
use crate::policy::profile::{Condition, Policy};
use crate::policy::{lint, loosen, project};

/// In bytes. A policy of a hundred targets has some ten thousand.
const LONGEST: usize = 1 << 20;

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

/// Reads a policy.
pub fn parse(text: &str, location: PolicyLocation<'_>) -> Parsed {
    if text.len() > LONGEST {
        return refused(too_long(text.len()));
    }
    if is_blank(text) {
        let finding = PolicyFinding::fault("empty-policy", "the policy is empty");
        return refused(finding.help("`goroam init` writes one to start from"));
    }
    let (policy, mut parsed, broken) = read(text, location);
    if !broken.is_empty() {
        drop_echoes(&mut parsed.findings, text, &broken);
        parsed.findings.extend(broken);
    }
    if !parsed.findings.iter().any(is_error) {
        parsed.policy = Some(policy);
    }
    let findings = in_order(parsed.findings).into_iter();
    parsed.findings = findings.map(PolicyFinding::without_credentials).collect();
    parsed
}

/// Reads a policy that was once valid. It stays in force even if newer checks refuse it, except for
/// profiles that weaken verification in a way that is refused. `None`: nothing usable is left. Also
/// returns the names of the profiles that were left out.
pub fn parse_kept(text: &str, location: PolicyLocation<'_>) -> Option<(Policy, Vec<String>)> {
    if text.len() > LONGEST || is_blank(text) {
        return None;
    }
    let (mut policy, parsed, broken) = read(text, location);
    if !broken.is_empty() {
        return None;
    }
    let mut errors = parsed.findings.iter().filter(|finding| is_error(finding));
    let mut left_out = Vec::new();
    // It does not matter which profile the finding is about: verification must not get weaker.
    if errors.any(|finding| finding.code.starts_with("loosens")) {
        let loose = policy.profiles.extract_if(.., |profile| profile.is_loose());
        left_out.extend(loose.map(|profile| profile.name));
        let loose = policy
            .projects
            .extract_if(.., |project| project.rules.is_loose());
        left_out.extend(loose.map(|project| project.rules.name));
    }
    let last = policy.profiles.last()?;
    matches!(last.when, Condition::Always).then_some((policy, left_out))
}

fn is_error(finding: &PolicyFinding) -> bool {
    finding.severity == Severity::Error
}

/// Returns the understood part of the policy, the findings, and TOML's own errors.
fn read(text: &str, location: PolicyLocation<'_>) -> (Policy, Parsed, Vec<PolicyFinding>) {
    let (document, errors) = DeTable::parse_recoverable(text);
    let document = document.get_ref();
    let broken = errors.iter().take(MOST).map(|error| {
        let span = clamp(error.span().unwrap_or(0..0), text);
        with_look_alike(syntax(error.message(), span), text)
    });
    let targets = document
        .get("target")
        .and_then(|node| node.get_ref().as_table());
    let names = targets.into_iter().flat_map(DeTable::keys);
    let reader = Reader {
        text,
        location,
        names: names
            .take(target::MOST_PARTS)
            .map(|name| name.get_ref().as_ref())
            .collect(),
        findings: RefCell::default(),
        certificates: RefCell::default(),
        errors: Default::default(),
    };
    let policy = whole(&Section {
        reader: &reader,
        map: document,
        span: 0..0,
        what: "the policy".to_owned(),
    });
    let parsed = Parsed {
        policy: None,
        findings: reader.findings.take(),
        certificates: reader.certificates.take(),
    };
    (policy, parsed, broken.collect())
}

fn whole(root: &Section<'_>) -> Policy {
    let reader = root.reader;
    root.only(&[
        "version", "agent", "probe", "mirror", "relay", "target", "profile", "project",
    ]);
    version(root);
    let agent = agent::agent(root);
    let limits = agent::probe(root);
    let example = "[target.proxy] goproxy = \"https://proxy.golang.org\"";
    let targets = root.get("target", example);
    let targets = targets.and_then(|value| value.table("`target`"));
    let mirror = agent::mirror(root);
    let relay = agent::relay(root);
    let mut places = Places::default();
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
        agent,
        mirror,
        relay,
        targets,
        profiles,
        by_hand: None,
        projects,
    };
    order(root, &policy, &places);
    nowhere_allowed(root, &policy);
    for finding in loosen::check(&mut policy, &places) {
        reader.report(finding);
    }
    let projects = project::check(&policy, &places).into_iter();
    for finding in projects.chain(lint::lint(&policy, &places, reader.text)) {
        reader.report(finding);
    }
    policy
}

fn version(root: &Section<'_>) {
    let Some(value) = root.get("version", "version = 1") else {
        let misspelt = |key: &str| nearest(key, ["version"].into_iter()).is_some();
        if !root.keys().any(|key| misspelt(key.value)) {
            let finding =
                PolicyFinding::fault("missing-version", "the policy does not state its version");
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
    if let Some(always) = always
        && let (Some((_, always)), Some((_, next))) = (all.get(always), all.get(always + 1))
    {
        let message = "this profile and those after it are never reached";
        root.reader.report(
            PolicyFinding::warning("unreachable-profile", message, next.name.clone())
                .related(always.name.clone(), "no `when`: always holds")
                .help("move the profile without `when` to the end"),
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

fn is_blank(text: &str) -> bool {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.lines()
        .map(str::trim)
        .all(|line| line.is_empty() || line.starts_with('#'))
}

fn too_long(bytes: usize) -> PolicyFinding {
    let message = format!("the policy has {bytes} bytes; {LONGEST} is the most that is read");
    PolicyFinding::fault("too-long", message).help("is this the right file?")
}

fn refused(finding: PolicyFinding) -> Parsed {
    Parsed {
        policy: None,
        findings: vec![finding],
        certificates: Vec::new(),
    }
}

/// Sorts findings by place, removes duplicates, and limits their number; errors are kept first.
fn in_order(mut findings: Vec<PolicyFinding>) -> Vec<PolicyFinding> {
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
    findings
}

/// After this many errors, each further one is a consequence of another.
const MOST: usize = 20;

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
