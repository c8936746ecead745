//! The document as a whole: its bounds, its parts in order, and the order of the findings.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::de::DeTable;

use super::profiles::{self, Scope};
use super::reader::{MOST_FINDINGS, Node, Reader, Table};
use super::{Parsed, PolicyLocation, agent, target};
use crate::model::lookalike;
use crate::policy::finding::{Places, PolicyFinding, Severity, nearest};
use crate::policy::profile::{Condition, Policy};
use crate::policy::{lint, loosen};

/// Bytes. A policy of a hundred targets has some ten thousand.
const LONGEST: usize = 1 << 20;

/// The bytes of a policy file as text.
///
/// # Errors
/// When they are not UTF-8, which TOML must be.
pub fn decode(bytes: &[u8]) -> Result<&str, Box<PolicyFinding>> {
    if bytes.len() > LONGEST {
        return Err(Box::new(too_long(bytes.len())));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes
            .get(..error.valid_up_to())
            .map_or(0, |before| before.iter().filter(|b| **b == b'\n').count());
        let message = format!("line {} is not UTF-8, which TOML must be", line + 1);
        Box::new(nowhere("not-utf8", message).help("save the file as UTF-8"))
    })
}

/// Reads a policy.
pub fn parse(text: &str, place: PolicyLocation<'_>) -> Parsed {
    if text.len() > LONGEST {
        return refused(too_long(text.len()));
    }
    if is_blank(text) {
        let finding = nowhere("empty-policy", "the policy is empty".to_owned());
        return refused(finding.help("`goroam init` writes one to start from"));
    }
    let mut reader = Reader::new(text);
    let (policy, broken) = read_toml(text, &mut reader, |reader, table| {
        document(reader, table, place)
    });
    let certificates = reader.certificates;
    let mut findings = reader.findings;
    if !broken.is_empty() {
        drop_echoes(&mut findings, text, &broken);
        findings.extend(broken);
    }
    let sound = findings
        .iter()
        .all(|finding| finding.severity != Severity::Error);
    Parsed {
        policy: policy.filter(|_| sound),
        findings: in_order(findings)
            .into_iter()
            .map(PolicyFinding::without_credentials)
            .collect(),
        certificates,
    }
}

/// Reads a policy that was good once: what is refused by checks that came later is in force all
/// the same, but for profiles that weaken verification in a way that is refused. `None`: nothing
/// of use is left. Also the names of the profiles that were left out.
pub fn parse_kept(text: &str, place: PolicyLocation<'_>) -> Option<(Policy, Vec<String>)> {
    if text.len() > LONGEST || is_blank(text) {
        return None;
    }
    let mut reader = Reader::new(text);
    let (policy, broken) = read_toml(text, &mut reader, |reader, table| {
        document(reader, table, place)
    });
    let mut policy = policy.filter(|_| broken.is_empty())?;
    let is_error = |finding: &&PolicyFinding| finding.severity == Severity::Error;
    let mut errors = reader.findings.iter().filter(is_error);
    let mut left_out = Vec::new();
    // Which of them the finding is about matters little: verification must not get weaker.
    if errors.any(|finding| finding.code.starts_with("loosens")) {
        policy.profiles.retain(|profile| {
            if profile.is_loose() {
                left_out.push(profile.name.clone());
            }
            !profile.is_loose()
        });
    }
    let last = policy.profiles.last()?;
    matches!(last.when, Condition::Always).then_some((policy, left_out))
}

fn document(reader: &mut Reader<'_>, table: &Table<'_, '_>, place: PolicyLocation<'_>) -> Policy {
    reader.only(
        table,
        &["version", "agent", "probe", "mirror", "target", "profile"],
    );
    version(reader, table);
    let agent = agent::agent(reader, table.get("agent"), place);
    let limits = agent::probe(reader, table.get("probe"));
    let example = "[target.proxy] goproxy = \"https://proxy.golang.org\"";
    let target_table = table
        .get("target")
        .and_then(|node| reader.table(node, "`target`", example));
    let mirror = agent::mirror(reader, table.get("mirror"), place);
    let mut places = Places::default();
    let mut targets = Default::default();
    if let Some(table) = &target_table {
        targets = target::targets(reader, table, limits, place);
        for (name, _) in table.entries() {
            places.targets.insert(name.value.to_owned(), name.span);
        }
    }
    let names: Vec<&str> = target_table
        .iter()
        .flat_map(|table| table.entries())
        .take(target::MOST_PARTS)
        .map(|(name, _)| name.value)
        .collect();
    let scope = Scope {
        names: &names,
        targets: &targets,
    };
    let read = match table.get("profile") {
        Some(node) => profiles::profiles(reader, node, scope),
        None => Vec::new(),
    };
    let (profiles, profile_places) = read.into_iter().unzip();
    places.profiles = profile_places;
    let mut policy = Policy {
        agent,
        mirror,
        targets,
        profiles,
    };
    let is_list = |node: &Node<'_>| node.get_ref().is_array();
    order(
        reader,
        &policy,
        &places,
        table.get("profile").is_none_or(is_list),
    );
    agent::nowhere_allowed(reader, &policy, table.get("mirror"));
    reader.findings.extend(loosen::check(&mut policy, &places));
    reader
        .findings
        .extend(lint::lint(&policy, &places, reader.text));
    policy
}

fn version(reader: &mut Reader<'_>, table: &Table<'_, '_>) {
    let Some(node) = table.get("version") else {
        let misspelt = |key: &str| nearest(key, ["version"].into_iter()).is_some();
        if table.entries().any(|(key, _)| misspelt(key.value)) {
            return; // said already, at the key
        }
        reader.report(
            nowhere(
                "missing-version",
                "the policy does not state its version".to_owned(),
            )
            .help("begin the file with: version = 1"),
        );
        return;
    };
    let number = node.get_ref().as_integer().map(|integer| integer.as_str());
    match number {
        Some("1") => {}
        Some(_) => reader.report(
            PolicyFinding::error(
                "unknown-version",
                "this goroam reads policies of version 1 only",
                node.span(),
            )
            .help("version = 1, or a newer goroam"),
        ),
        None => reader.wrong_type(node, "`version`", "a whole number", "version = 1"),
    }
}

/// The profiles are tried from the top, so the last one must hold whatever happens.
fn order(reader: &mut Reader<'_>, policy: &Policy, places: &Places, is_list: bool) {
    let is_always = |i: usize| {
        let understood = places
            .profiles
            .get(i)
            .is_some_and(|place| place.when.is_none());
        understood
            && policy
                .profiles
                .get(i)
                .is_some_and(|p| p.when == Condition::Always)
    };
    let Some(last) = policy.profiles.len().checked_sub(1) else {
        if is_list {
            let finding = nowhere("no-profiles", "the policy has no profile".to_owned());
            reader.report(
                finding.help("add [[profile]] name = \"public\", or start from `goroam init`"),
            );
        }
        return;
    };
    if !is_always(last)
        && let Some(place) = places.profiles.get(last)
    {
        reader.report(
            PolicyFinding::error(
                "no-catch-all",
                "no profile holds whatever the network is",
                place.when.clone().unwrap_or_else(|| place.name.clone()),
            )
            .label("the last profile has a condition")
            .help("end the list with a profile that has no `when`"),
        );
    }
    if let Some(first) = (0..last).find(|i| is_always(*i))
        && let (Some(always), Some(next)) =
            (places.profiles.get(first), places.profiles.get(first + 1))
    {
        reader.report(
            PolicyFinding::warning(
                "unreachable-profile",
                "this profile and those after it are never reached",
                next.name.clone(),
            )
            .related(always.name.clone(), "no `when`: always holds")
            .help("move the profile without `when` to the end"),
        );
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
    nowhere("too-long", message).help("is this the right file?")
}

/// An error about something that is not there.
fn nowhere(code: &'static str, message: String) -> PolicyFinding {
    let mut finding = PolicyFinding::error(code, message, 0..0);
    finding.primary = None;
    finding
}

fn refused(finding: PolicyFinding) -> Parsed {
    Parsed {
        policy: None,
        findings: vec![finding],
        certificates: Vec::new(),
    }
}

/// By place, without repetition, and no more than can be read; errors are kept first.
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
        // Not an error of its own: errors are shown first, and warnings refuse no policy.
        let mut rest = nowhere("too-many-findings", message);
        rest.severity = Severity::Warning;
        findings.push(rest);
    }
    findings
}

/// Behind this many, an error is the echo of another.
const MOST: usize = 20;

/// Parses the text and reads what could be understood of it. The second part is TOML's errors.
fn read_toml<T>(
    text: &str,
    reader: &mut Reader<'_>,
    read: impl FnOnce(&mut Reader<'_>, &Table<'_, '_>) -> T,
) -> (Option<T>, Vec<PolicyFinding>) {
    let (document, errors) = DeTable::parse_recoverable(text);
    let broken = errors
        .iter()
        .take(MOST)
        .map(|error| {
            let span = error.span().unwrap_or(0..0);
            with_look_alike(finding(error.message(), clamp(span, text)), text)
        })
        .collect();
    let table = Table {
        map: document.get_ref(),
        span: 0..0,
        what: "the policy".to_owned(),
    };
    (Some(read(reader, &table)), broken)
}

/// Takes away what may be an echo of the broken syntax: findings on a line that TOML could not
/// read, and those that say that something is missing.
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
    // TOML goes on without loss behind a key that is there twice.
    let lossless = broken.iter().all(|error| error.code == "duplicate-key");
    findings.retain(|finding| {
        let line = line(finding);
        let echo = line.is_some() && unreadable.contains(&line);
        let absence = ABSENCES.contains(&finding.code) || is_defined_somewhere(finding, text);
        !echo && (lossless || !absence)
    });
}

/// Says the finding of a target that it is not defined, while the text seems to define it?
fn is_defined_somewhere(finding: &PolicyFinding, text: &str) -> bool {
    let Some(primary) = finding
        .primary
        .as_ref()
        .filter(|_| finding.code == "unknown-target")
    else {
        return false;
    };
    let name = text.get(primary.span.clone()).unwrap_or_default();
    text.contains(&format!("target.{}", name.trim_matches(['"', '\''])))
}

/// Says so where TOML stumbles over a mark of an input method: `“`, `＝`, `，`, a no-break space.
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

fn finding(message: &str, span: Range<usize>) -> PolicyFinding {
    let first = message.lines().next().unwrap_or("this is not TOML");
    match first {
        "duplicate key" => {
            PolicyFinding::error("duplicate-key", "duplicate key", span).help("keep one of the two")
        }
        _ => PolicyFinding::error("syntax", first.to_owned(), span),
    }
}

/// A span that begins and ends between characters of the text.
fn clamp(span: Range<usize>, text: &str) -> Range<usize> {
    let floor = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = floor(span.start);
    start..floor(span.end).max(start)
}
