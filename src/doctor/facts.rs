//! What was seen, before anybody judges it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::project::{Line, Project};
use crate::model::status::Status;

/// What was seen.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The managed variables as they stand in the go env file, credentials removed; `None`: no
    /// line.
    pub written: BTreeMap<String, Option<String>>,
    /// The go env file that goroam looks after, in this environment or by its baseline.
    pub env_file: Option<String>,
    /// Every place that sets a variable.
    pub seen: Vec<Sighting>,
    /// Start-up files that write into the go env file.
    pub rewrites: Vec<Sighting>,
    /// goroam's own house.
    pub house: House,
    /// Variables that go reads in another way than was meant.
    pub misread: Vec<Misread>,
    /// Targets whose `ca` go in this shell does not know.
    pub distrusted: Vec<Distrusted>,
    /// What was looked at.
    pub looked: Vec<String>,
    /// What could not be looked at, and why.
    pub unread: Vec<(String, String)>,
    /// The lines of the go env file.
    pub lines: Vec<Line>,
    /// Lines of the go env file that go passes over: place, text, why.
    pub ignored: Vec<(String, String, String)>,
    /// Values that go stops with.
    pub stops: Vec<Stop>,
    /// Caches at their usual place that go cannot write: variable, directory, why.
    pub unwritable: Vec<(String, String, String)>,
    /// Elements of GOPROXY that name a go build cache.
    pub build_caches: Vec<String>,
    /// The folder of the module cache that is a proxy as it stands.
    pub module_cache: Option<String>,
    /// The project that doctor stands in.
    pub project: Option<Project>,
}

/// A proxy variable, or GOAUTH, and what go makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misread {
    /// The variable.
    pub name: String,
    /// Where it is set.
    pub place: String,
    /// go stops there.
    pub stops: bool,
    /// What go makes of it; no credentials in it.
    pub says: String,
}

/// A target whose certificate go does not trust, as far as can be said without asking it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distrusted {
    /// Its name in the policy.
    pub target: String,
    /// The files of its `ca` that are unknown to go.
    pub files: Vec<PathBuf>,
    /// What to do about it.
    pub remedy: String,
}

/// A place that sets a variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sighting {
    /// The variable.
    pub name: String,
    /// Its value, credentials removed; null: known only when it runs.
    pub value: Option<String>,
    /// `~/.bashrc:12`, `gopls (pid 4711, started 09:12)`.
    pub place: String,
    /// What kind of place it is.
    pub kind: Kind,
    /// No condition that could not be told.
    pub certain: bool,
    /// Where it reaches.
    pub reaches: Vec<String>,
    /// Of a shell that the user does not have as login shell.
    #[serde(skip)]
    pub foreign: bool,
}

/// A value that go stops with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// The variable.
    pub name: String,
    /// Its value, credentials removed.
    pub value: String,
    /// It stands in the go env file; else in the OS environment.
    pub in_file: bool,
    /// The flag of GOFLAGS that is refused, where the value has more than one.
    pub part: Option<String>,
    /// Which commands stop.
    pub scope: Scope,
    /// What go says, or what was seen.
    pub says: String,
    /// These are no words of go's.
    pub is_seen: bool,
    /// A command that was tried, and takes it out of the go env file.
    pub undo: Option<String>,
}

/// Which go commands stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All that look at their settings.
    Every,
    /// Those that build.
    Build,
    /// Those that download.
    Download,
    /// `go install`.
    Install,
    /// All, where there is no network.
    Offline,
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
    /// A tool's file in this folder or above.
    Folder,
    /// This process.
    Here,
    /// A program that runs.
    Process,
}

/// goroam's own house.
#[derive(Debug, Clone, Default)]
pub struct House {
    /// What is true now, from the agent or from what the last turn left; `None`: unknown.
    pub status: Option<Status>,
    /// Does an agent answer?
    pub agent: bool,
    /// Why the policy cannot be used.
    pub policy_error: Option<String>,
    /// How many warnings the policy has, and where it is.
    pub policy_warnings: Option<(usize, String)>,
    /// Why there is no go env file to write.
    pub env_file_error: Option<String>,
    /// The go env file, or its folder, may not be written.
    pub read_only: Option<String>,
    /// Why there is no go command.
    pub go_error: Option<String>,
    /// The go commands on PATH with their versions, in its order; one of each version.
    pub go_commands: Vec<(String, String)>,
    /// The service, as the caller found it.
    pub service: Option<Service>,
    /// The version of this program.
    pub version: String,
}

/// How the service is, as far as it matters here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// "systemd user unit goroam.service"
    pub kind: String,
    /// Is it there?
    pub installed: bool,
    /// Is it running?
    pub running: bool,
    /// What is wrong, one line each.
    pub troubles: Vec<String>,
}
