//! Turns facts into findings: one for each place that sets a variable, together with all that
//! inherit the value from it.

use super::facts::{DoctorFacts, EnvFileLine, Kind, Sighting};
use super::finding::{Code, DoctorFinding, Severity};
use super::values::Value;

/// All findings, the worst first.
pub fn check(facts: &DoctorFacts) -> Vec<DoctorFinding> {
    let mut found = facts.findings.clone();
    for cause in causes(facts) {
        let root = cause.root;
        let value = Value {
            facts,
            name: &root.name,
            value: root.value.as_deref(),
            place: &root.place,
            in_file: false,
        };
        let mut here = value.faults();
        match facts.written.get(&root.name) {
            Some(written) => found.push(shadow(facts, &cause, written.as_ref())),
            None => here.extend(value.meanings(&cause.says())),
        }
        for finding in &mut here {
            finding.severity = cause.severity(finding.severity);
            finding.reaches = cause.reaches();
        }
        found.extend(or_fix(here, &cause.fix()));
    }
    for line in &facts.lines {
        let EnvFileLine { name, value, place } = line;
        let says = format!("{name}={value} is written in {place}, for every project");
        let value = Value {
            facts,
            name,
            value: Some(value),
            place,
            in_file: true,
        };
        let here = value.faults().into_iter().chain(value.meanings(&says));
        found.extend(or_fix(here.collect(), &format!("run `go env -u {name}`")));
    }
    let rewrites = facts.rewrites.iter();
    found.extend(rewrites.filter_map(|seen| rewritten(facts, seen)));
    found.sort_by_key(|finding| (finding.severity, finding.code));
    found
}

/// Gives this fix to findings without one.
fn or_fix(mut found: Vec<DoctorFinding>, fix: &str) -> Vec<DoctorFinding> {
    for finding in found.iter_mut().filter(|one| one.fix.is_empty()) {
        fix.clone_into(&mut finding.fix);
    }
    found
}

/// Reports a variable that goroam writes and another place sets.
fn shadow(facts: &DoctorFacts, cause: &Cause<'_>, written: Option<&String>) -> DoctorFinding {
    let root = cause.root;
    let of_terminals = |reach: &String| reach.ends_with("terminals") || reach.ends_with("shells");
    let is_hooked = facts.hooked.contains(&root.name)
        && root.kind == Kind::Shell
        && root.reaches.iter().all(of_terminals);
    let (severity, why) = match written {
        _ if is_hooked => {
            let why = "`goroam hook` unsets it in terminals, as in this one.";
            (Severity::Note, why.to_owned())
        }
        Some(written) if root.value.as_ref() == Some(written) => {
            let why = "It equals what goroam wrote, but will not follow when the network changes.";
            (Severity::Warning, why.to_owned())
        }
        Some(written) => {
            let why = format!("It overrides what goroam wrote, {written}.");
            (cause.severity(Severity::Error), why)
        }
        None => {
            let why = "It overrides the go env file, whatever goroam writes there.";
            (cause.severity(Severity::Error), why.to_owned())
        }
    };
    let (_, code) = rank(root.kind);
    let mut finding = DoctorFinding::new(code, severity, cause.says(), why, cause.fix());
    finding.reaches = cause.reaches();
    finding.about(&root.name).at(&root.place)
}

/// Reports `go env -w` in a start-up file: it overrides nothing, but every new terminal runs it
/// again, and goroam keeps the value because it looks like a change by hand.
fn rewritten(facts: &DoctorFacts, seen: &Sighting) -> Option<DoctorFinding> {
    facts.written.get(&seen.name)?;
    let Sighting { name, place, .. } = seen;
    let value = seen.value.as_deref().unwrap_or("a value");
    let says = format!("`go env -w` in {place} sets {name} in the go env file to {value}");
    let severity = if seen.certain && !seen.foreign {
        Severity::Error
    } else {
        Severity::Warning
    };
    let why = "Every start overwrites what goroam wrote and counts as a change by hand.";
    let (code, fix) = (Code::RewrittenByShell, "delete that line");
    let mut finding = DoctorFinding::new(code, severity, says, why, fix);
    finding.reaches.clone_from(&seen.reaches);
    Some(finding.about(name).at(place))
}

/// A place that sets a variable, with all that inherit the value from it.
#[derive(Debug)]
struct Cause<'f> {
    root: &'f Sighting,
    /// The places that inherit it: this shell, the manager, running programs.
    echoes: Vec<&'f Sighting>,
}

impl Cause<'_> {
    /// Returns what it affects, in words.
    fn reaches(&self) -> Vec<String> {
        let echoes = self.echoes.iter().map(|echo| &echo.place);
        self.root.reaches.iter().chain(echoes).cloned().collect()
    }

    /// Returns the severity of a fault in the value: a warning if the place is uncertain.
    fn severity(&self, severity: Severity) -> Severity {
        let root = self.root;
        let is_sure = root.certain && !root.foreign || !self.echoes.is_empty();
        if is_sure && root.kind != Kind::Process {
            severity
        } else {
            severity.max(Severity::Warning)
        }
    }

    /// Example: "GOPROXY is set to off in ~/.bashrc:12".
    fn says(&self) -> String {
        let Sighting { name, place, .. } = self.root;
        let known = self.root.value.as_deref();
        let value = match known {
            Some(value) => format!("set to {value}"),
            None => "set to a value known only at run time".to_owned(),
        };
        match (self.root.kind, self.root.certain) {
            (Kind::Here, _) => {
                format!("{name} is {value} in this shell; no known start-up file sets it")
            }
            (Kind::Process, _) => format!("{place} still has {name}={}", known.unwrap_or("?")),
            (_, true) => format!("{name} is {value} in {place}"),
            (_, false) => format!("{name} may be {value} in {place}, depending on a condition"),
        }
    }

    /// Returns what to do.
    fn fix(&self) -> String {
        let Sighting { name, place, .. } = self.root;
        let kind = self.root.kind;
        let of_nix = place.contains("hm-session-vars") || place.starts_with("/nix/");
        let of_system = place.starts_with("/etc/") || place.starts_with("/usr/");
        let delete = if of_system && matches!(kind, Kind::Shell | Kind::Login) {
            "delete that line as root"
        } else {
            "delete that line"
        };
        let mut steps = vec![match kind {
            Kind::Shell | Kind::Login if of_nix => {
                format!(
                    "remove {name} from home.sessionVariables and switch to the new configuration"
                )
            }
            Kind::Shell if place.contains("fish_variables") => {
                format!("run `set -Ue {name}` in fish")
            }
            Kind::Login => format!("{delete}; log out and in"),
            Kind::Folder if place.contains(".env") => format!("{delete}; run `direnv allow`"),
            Kind::Shell | Kind::Folder => delete.to_owned(),
            Kind::Manager => format!("run {}", unset_in_manager(name)),
            Kind::Registry => {
                let key = place.rsplit_once('\\');
                let key = key.map_or("HKCU\\Environment", |(key, _)| key);
                format!("run `reg delete \"{key}\" /v {name}`; log out and in")
            }
            Kind::Editor => "delete that setting and restart the editor".to_owned(),
            Kind::Here => unset(name),
            // Its editor would pass the variable on to the next one.
            Kind::Process if place.starts_with("gopls ") => "restart its editor".to_owned(),
            Kind::Process => "restart it".to_owned(),
        }];
        let has = |kind: Kind| self.echoes.iter().any(|echo| echo.kind == kind);
        if has(Kind::Manager) {
            steps.push(unset_in_manager(name));
        }
        if has(Kind::Here) {
            steps.push(format!("{} in open shells", unset(name)));
        }
        if has(Kind::Process) {
            let more = if kind == Kind::Process {
                "restart the other programs named here"
            } else {
                "restart the programs that have it"
            };
            steps.push(more.to_owned());
        }
        steps.join("; ")
    }
}

fn unset_in_manager(name: &str) -> String {
    if cfg!(target_os = "macos") {
        format!("`launchctl unsetenv {name}`")
    } else {
        format!("`systemctl --user unset-environment {name}`")
    }
}

/// Returns the command that removes a variable from an open shell.
fn unset(name: &str) -> String {
    if cfg!(windows) {
        format!("`Remove-Item Env:{name}`")
    } else {
        format!("`unset {name}` (fish: `set -e {name}`)")
    }
}

/// Groups equal values: files are the cause of what the manager and this shell have, and all of
/// these are the cause of what running programs have.
fn causes(facts: &DoctorFacts) -> Vec<Cause<'_>> {
    let mut seen: Vec<&Sighting> = facts.seen.iter().collect();
    // A certain one is a better cause than a possible one.
    seen.sort_by_key(|one| (rank(one.kind).0, !one.certain, one.foreign));
    let mut causes: Vec<Cause<'_>> = Vec::new();
    for one in seen {
        let is_cause = |cause: &&mut Cause<'_>| {
            let root = cause.root;
            let agrees = root.value == one.value || root.value.is_none() && rank(root.kind).0 == 0;
            root.name == one.name && agrees && explains(root, one)
        };
        match causes.iter_mut().find(is_cause) {
            Some(cause) if rank(one.kind).0 > 0 => cause.echoes.push(one),
            Some(_) | None => causes.push(Cause {
                root: one,
                echoes: Vec::new(),
            }),
        }
    }
    causes
}

/// Reports whether `echo` can have inherited its value from `root`.
fn explains(root: &Sighting, echo: &Sighting) -> bool {
    match (root.kind, echo.kind) {
        (Kind::Folder | Kind::Editor, Kind::Manager) => false,
        // A shell in an editor inherits only what the editor sets for its terminals.
        (Kind::Editor, Kind::Here) => root.place.contains("terminal"),
        // Several programs with the same old value are one finding.
        (Kind::Process, Kind::Process) => true,
        (from, to) => rank(from).0 < rank(to).0,
    }
}

/// Returns the rank of a place, and the code for a variable that goroam manages. A value is
/// inherited only from a lower rank.
fn rank(kind: Kind) -> (u8, Code) {
    match kind {
        Kind::Shell => (0, Code::ShadowedByShell),
        Kind::Login => (0, Code::ShadowedByLogin),
        Kind::Registry => (0, Code::ShadowedByRegistry),
        Kind::Editor => (0, Code::ShadowedByEditor),
        Kind::Folder => (0, Code::ShadowedInFolder),
        Kind::Manager => (1, Code::ShadowedByManager),
        Kind::Here => (2, Code::ShadowedHere),
        Kind::Process => (3, Code::ShadowedInProcess),
    }
}
