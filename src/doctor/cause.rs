//! Which place sets a variable, and which only inherit the value from it.

use super::facts::{DoctorFacts, Kind, Sighting};
use super::finding::Severity;

/// A place that sets a variable, with all that inherit the value from it.
#[derive(Debug)]
pub(super) struct Cause<'f> {
    pub(super) root: &'f Sighting,
    /// This shell, the manager, programs that run.
    pub(super) echoes: Vec<&'f Sighting>,
}

impl Cause<'_> {
    /// What it affects, in words.
    pub(super) fn reaches(&self) -> Vec<String> {
        let echoes = self.echoes.iter().map(|echo| &echo.place);
        self.root.reaches.iter().chain(echoes).cloned().collect()
    }

    /// The severity of something wrong with the value: what may not apply is a warning.
    pub(super) fn severity(&self, severity: Severity) -> Severity {
        let root = self.root;
        let is_sure = root.certain && !root.foreign || !self.echoes.is_empty();
        if is_sure && root.kind != Kind::Process {
            severity
        } else {
            severity.max(Severity::Warning)
        }
    }

    /// "GOPROXY is set to off in ~/.bashrc:12"
    pub(super) fn says(&self) -> String {
        let Sighting { name, place, .. } = self.root;
        let value = match &self.root.value {
            Some(value) => format!("set to {value}"),
            None => "set to a value known only at run time".to_owned(),
        };
        match (self.root.kind, self.root.certain) {
            (Kind::Here, _) => {
                format!("{name} is {value} in this shell; no known start-up file sets it")
            }
            (Kind::Process, _) => {
                let value = self.root.value.as_deref().unwrap_or("?");
                format!("{place} still has {name}={value}")
            }
            (_, true) => format!("{name} is {value} in {place}"),
            (_, false) => format!("{name} may be {value} in {place}, depending on a condition"),
        }
    }

    /// What to do.
    pub(super) fn fix(&self) -> String {
        let Sighting {
            name, place, kind, ..
        } = self.root;
        let mut steps = vec![match kind {
            Kind::Shell | Kind::Login if of_nix(place) => {
                format!(
                    "remove {name} from home.sessionVariables and switch to the new configuration"
                )
            }
            Kind::Shell if place.contains("fish_variables") => {
                format!("run `set -Ue {name}` in fish")
            }
            Kind::Shell if of_system(place) => "delete that line as root".to_owned(),
            Kind::Shell => "delete that line".to_owned(),
            Kind::Login if of_system(place) => {
                "delete that line as root; log out and in".to_owned()
            }
            Kind::Login => "delete that line; log out and in".to_owned(),
            Kind::Manager => format!("run {}", unset_in_manager(name)),
            Kind::Registry => {
                let key = place.rsplit_once('\\');
                let key = key.map_or("HKCU\\Environment", |(key, _)| key);
                format!("run `reg delete \"{key}\" /v {name}`; log out and in")
            }
            Kind::Editor => "delete that setting and restart the editor".to_owned(),
            Kind::Folder if place.contains(".env") => {
                "delete that line; run `direnv allow`".to_owned()
            }
            Kind::Folder => "delete that line".to_owned(),
            Kind::Here => unset(name),
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
            let more = if *kind == Kind::Process {
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

/// Removes a variable from an open shell.
fn unset(name: &str) -> String {
    if cfg!(windows) {
        format!("`Remove-Item Env:{name}`")
    } else {
        format!("`unset {name}` (fish: `set -e {name}`)")
    }
}

fn of_nix(place: &str) -> bool {
    place.contains("hm-session-vars") || place.starts_with("/nix/")
}

fn of_system(place: &str) -> bool {
    place.starts_with("/etc/") || place.starts_with("/usr/")
}

/// Where the values agree, files are the cause of what the manager and this shell have, and all of
/// these are the cause of what running programs have.
pub(super) fn causes(facts: &DoctorFacts) -> Vec<Cause<'_>> {
    let mut seen: Vec<&Sighting> = facts.seen.iter().collect();
    // A certain one is a better cause than a possible one.
    seen.sort_by_key(|one| (rank(one.kind), !one.certain, one.foreign));
    let mut causes: Vec<Cause<'_>> = Vec::new();
    for one in seen {
        let is_cause = |cause: &&mut Cause<'_>| {
            let root = cause.root;
            root.name == one.name
                && explains(root, one)
                && (root.value == one.value || (root.value.is_none() && rank(root.kind) == 0))
        };
        match causes.iter_mut().find(is_cause) {
            Some(cause) if rank(one.kind) > 0 => cause.echoes.push(one),
            Some(_) | None => causes.push(Cause {
                root: one,
                echoes: Vec::new(),
            }),
        }
    }
    causes
}

/// Can `echo` have inherited its value from `root`?
fn explains(root: &Sighting, echo: &Sighting) -> bool {
    match (root.kind, echo.kind) {
        (Kind::Folder | Kind::Editor, Kind::Manager) => false,
        // A shell inherits only what an editor sets for its terminals.
        (Kind::Editor, Kind::Here) => root.place.contains("terminal"),
        // Several programs with the same old value are one finding.
        (Kind::Process, Kind::Process) => true,
        (from, to) => rank(from) < rank(to),
    }
}

/// A value is inherited from a lower rank only.
fn rank(kind: Kind) -> u8 {
    match kind {
        Kind::Shell | Kind::Login | Kind::Registry | Kind::Folder | Kind::Editor => 0,
        Kind::Manager => 1,
        Kind::Here => 2,
        Kind::Process => 3,
    }
}
