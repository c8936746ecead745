//! The facts that doctor has collected. A fact that is a problem on its own becomes a finding at
//! once. `checks` judges what sets variables, since one value is often seen in several places.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Serialize;

use super::finding::{Code, DoctorFinding, Severity};
use super::shell::LoneLine;
use crate::model::mask;
use crate::model::status::Status;

/// The facts that doctor has collected.
#[derive(Debug, Clone, Default)]
pub struct DoctorFacts {
    /// The user's home directory.
    pub(super) home: PathBuf,
    /// Findings that need no further judgement.
    pub findings: Vec<DoctorFinding>,
    /// The places that were read.
    pub looked: Vec<String>,
    /// Every place that sets a variable.
    pub seen: Vec<Sighting>,
    /// Lines of start-up files that only set variables of go, and what each affects.
    pub(super) lone: Vec<(LoneLine, Vec<String>)>,
    /// Start-up files that write into the go env file.
    pub rewrites: Vec<Sighting>,
    /// The values of the managed variables in the go env file, credentials removed; `None` if there
    /// is no line.
    pub written: BTreeMap<String, Option<String>>,
    /// The go env file that goroam writes, in this environment or by its baseline.
    pub env_file: Option<String>,
    /// The lines of the go env file.
    pub lines: Vec<EnvFileLine>,
    /// The state of the agent, or what the last turn left; `None`: unknown.
    pub status: Option<Status>,
    /// Whether an agent answers.
    pub agent: bool,
    /// Path and version of the go commands on PATH, in its order; only the first of each version.
    pub go_commands: Vec<(String, String)>,
    /// Values that make go stop.
    pub stops: Vec<Stop>,
    /// Elements of GOPROXY that name a go build cache.
    pub build_caches: Vec<String>,
    /// The directory of the module cache that go can use as a proxy.
    pub module_cache: Option<String>,
    /// The variables that a hook has unset in this shell.
    pub hooked: BTreeSet<String>,
}

impl DoctorFacts {
    /// Records a place that was read, once.
    pub(super) fn looked(&mut self, place: String) {
        if !self.looked.contains(&place) {
            self.looked.push(place);
        }
    }

    /// Adds a finding without a variable and a place.
    pub(super) fn add(
        &mut self,
        code: Code,
        severity: Severity,
        says: impl Into<String>,
        why: &str,
        fix: &str,
    ) {
        let finding = DoctorFinding::new(code, severity, says, why, fix);
        self.findings.push(finding);
    }

    /// Reports a place that could not be read, once.
    pub(super) fn unread(&mut self, place: &str, why: &str) {
        let is_same =
            |one: &DoctorFinding| one.code == Code::Unread && one.place.as_deref() == Some(place);
        if !self.findings.iter().any(is_same) {
            let says = format!("cannot read {place}: {why}");
            let fix = "check whether it sets a variable of go";
            let finding = DoctorFinding::new(Code::Unread, Severity::Note, says, "", fix);
            self.findings.push(finding.at(place));
        }
    }

    /// The value and place of a variable in the go env file.
    pub(super) fn line(&self, name: &str) -> Option<&EnvFileLine> {
        self.lines.iter().find(|line| line.name == name)
    }
}

/// A line of the go env file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvFileLine {
    /// The variable.
    pub name: String,
    /// Its value, credentials removed.
    pub value: String,
    /// `~/.config/go/env:3`
    pub place: String,
}

/// A place that sets a variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sighting {
    /// The variable.
    pub name: String,
    /// Its value, credentials removed; null: known only at run time.
    pub value: Option<String>,
    /// `~/.bashrc:12`, `gopls (pid 4711, started 09:12)`.
    pub place: String,
    /// What kind of place it is.
    pub kind: Kind,
    /// False if it depends on a condition that doctor cannot evaluate.
    pub certain: bool,
    /// What it affects.
    pub reaches: Vec<String>,
    /// Whether it is in a file of a shell that is not the user's login shell.
    #[serde(skip)]
    pub foreign: bool,
}

impl Sighting {
    /// A certain sighting that affects nothing beyond its place.
    pub(super) fn new(name: String, value: Option<&str>, place: String, kind: Kind) -> Sighting {
        Sighting {
            name,
            value: value.map(mask),
            place,
            kind,
            certain: true,
            reaches: Vec::new(),
            foreign: false,
        }
    }

    /// Adds what it affects.
    pub(super) fn reaching(mut self, what: &str) -> Sighting {
        self.reaches.push(what.to_owned());
        self
    }
}

/// What kind of place it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A shell's start-up file.
    Shell,
    /// A file that is read at login.
    Login,
    /// The service manager.
    Manager,
    /// The registry.
    Registry,
    /// An editor's settings.
    Editor,
    /// A tool's file in this directory or above.
    Folder,
    /// This process.
    Here,
    /// A running program.
    Process,
}

/// A value that makes go stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// The variable.
    pub name: String,
    /// Its value, credentials removed.
    pub value: String,
    /// Whether it is in the go env file; otherwise it is in the OS environment.
    pub in_file: bool,
    /// The flag of GOFLAGS that go refuses, if the value has more than one.
    pub part: Option<String>,
    /// Which commands stop.
    pub scope: Scope,
    /// go's message, or what goroam observed.
    pub says: String,
    /// Whether `says` is goroam's text and not go's.
    pub is_seen: bool,
    /// A command that was tried and removes the value from the go env file.
    pub undo: Option<String>,
}

/// Which go commands stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All commands that read their settings.
    Every,
    /// Commands that build.
    Build,
    /// Commands that download.
    Download,
    /// `go install`.
    Install,
    /// All commands, if there is no network.
    Offline,
}

/// The parts of the service's state that doctor needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceFacts {
    /// "systemd user unit goroam.service"
    pub kind: String,
    /// Whether it is installed.
    pub installed: bool,
    /// Whether it is running.
    pub running: bool,
    /// What is wrong, one line each.
    pub troubles: Vec<String>,
}
