//! What doctor reports.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::repair::Fix;

/// The severity; the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// What goroam sets has no effect, or go stops.
    Error,
    /// What goroam sets may have no effect, or not for long.
    Warning,
    /// Good to know.
    Note,
}

/// The code for scripts; `docs/doctor.md` lists all of them, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// A shell's start-up file sets the variable.
    ShadowedByShell,
    /// A file that is read at login sets it.
    ShadowedByLogin,
    /// The service manager passes it to everything that it starts.
    ShadowedByManager,
    /// The registry sets it.
    ShadowedByRegistry,
    /// An editor's settings set it.
    ShadowedByEditor,
    /// A tool sets it in this directory.
    ShadowedInFolder,
    /// This process has it, and no known file sets it.
    ShadowedHere,
    /// Running programs have it, and nothing sets it any more.
    ShadowedInProcess,
    /// A gopls is older than the values in the go env file.
    GoplsOutdated,
    /// go reads another file, or none.
    GoenvElsewhere,
    /// go reads a proxy variable differently than intended.
    ProxyMisread,
    /// go stops because of GOAUTH.
    GoauthInvalid,
    /// go does not trust the CA of a target.
    CaUnknownToGo,
    /// `GO111MODULE=off`
    ModulesOff,
    /// `GOFLAGS=-mod=…`
    GoflagsMod,
    /// `GOFLAGS=-insecure`
    GoflagsInsecure,
    /// GOROOT is set.
    GorootSet,
    /// GOTOOLCHAIN is set.
    ToolchainSet,
    /// goroam finds no go env file that it can write.
    NoEnvFile,
    /// The go env file may not be written.
    EnvFileReadOnly,
    /// Another program or a person has changed what goroam wrote.
    Drift,
    /// A start-up file of a shell changes it at every start.
    RewrittenByShell,
    /// The policy cannot be used.
    PolicyUnusable,
    /// The policy has warnings.
    PolicyWarnings,
    /// No go command was found.
    NoGo,
    /// Several go commands, of different versions, are on PATH.
    SeveralGo,
    /// The agent reports a problem.
    Trouble,
    /// The collector has got nothing for a day, or will not get all.
    NotExported,
    /// goroam is paused and writes nothing.
    Paused,
    /// No agent is running.
    NoAgent,
    /// The agent is of another version than this program.
    AgentOutdated,
    /// This shell has a variable that the agent's relay does not see.
    UnseenByRelay,
    /// goroam is not started at login.
    ServiceMissing,
    /// The service is installed and does not run.
    ServiceStopped,
    /// Something is wrong with the service.
    ServiceTrouble,
    /// A place could not be read.
    Unread,
    /// A value that makes go stop.
    ValueRefused,
    /// The build or module cache, at its usual place, cannot be written.
    CacheUnwritable,
    /// A list of modules has a pattern that matches no module.
    PatternMatchesNothing,
    /// A line of the go env file that go ignores.
    EnvLineIgnored,
    /// GOPROXY cannot be read by go.
    GoproxyInvalid,
    /// GOPROXY names the build cache.
    GoproxyBuildCache,
    /// `GONOSUMDB=*`
    GonosumdbAll,
    /// No go command reads this variable.
    NothingReads,
    /// go refuses something in go.mod or go.work.
    GomodInvalid,
    /// `replace … => file://…`
    ReplaceUrl,
    /// `replace` by a directory that is not a module.
    ReplaceMissing,
    /// go.sum is missing.
    GosumMissing,
    /// go refuses something in go.sum.
    GosumInvalid,
    /// The project requires a newer go, and go may not download it.
    GoTooOld,
    /// The project requires a newer go, which go downloads.
    ToolchainFetched,
    /// vendor/ does not agree with go.mod.
    VendorOutdated,
    /// In the module cache: not a go.mod, or not the one that was published.
    CacheMod,
    /// Not an `.info`, or the `.info` of another version.
    CacheInfo,
    /// Not a zip, or not the one that was published.
    CacheZip,
    /// Not a hash, or not the hash of the zip.
    CacheZiphash,
    /// An unpacked module that was changed, or is incomplete.
    CacheTree,
    /// Not a list of versions.
    CacheList,
    /// A cached record of a checksum database cannot be read.
    CacheSumdb,
    /// The last tree head of a checksum database cannot be read.
    SumdbLatest,
}

/// The form for scripts: `shadowed-by-shell`.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// One problem, or one thing that is useful to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DoctorFinding {
    /// The code for scripts: `shadowed-by-shell`.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// The variable that it is about.
    pub name: Option<String>,
    /// The place: a file with its line, a process, a registry value.
    pub place: Option<String>,
    /// What is wrong, in one sentence.
    pub says: String,
    /// Why it matters, in one sentence; may be empty.
    pub why: String,
    /// What it affects: kinds of shells, this shell, running programs.
    pub reaches: Vec<String>,
    /// How to fix it.
    #[serde(rename = "mend")]
    pub fix: String,
    /// What `goroam doctor --fix` does about it; `None`: nothing, it stays advice.
    #[serde(rename = "fix")]
    pub by_goroam: Option<Fix>,
}

impl DoctorFinding {
    /// Creates a finding without a variable and a place.
    pub(super) fn new(
        code: Code,
        severity: Severity,
        says: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> DoctorFinding {
        DoctorFinding {
            code,
            severity,
            name: None,
            place: None,
            says: says.into(),
            why: why.into(),
            reaches: Vec::new(),
            fix: fix.into(),
            by_goroam: None,
        }
    }

    /// Reports whether a fix is about this.
    pub fn is_fixed_by(&self, fix: &Fix) -> bool {
        let is_named = |name| fix.names.contains(name);
        self.place.as_deref() == Some(&fix.place) && self.name.as_ref().is_some_and(is_named)
    }

    /// Sets the place.
    pub(super) fn at(mut self, place: impl Into<String>) -> DoctorFinding {
        self.place = Some(place.into());
        self
    }

    /// Sets the variable.
    pub(super) fn about(mut self, name: &str) -> DoctorFinding {
        self.name = Some(name.to_owned());
        self
    }
}
