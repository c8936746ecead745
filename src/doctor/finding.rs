//! What doctor reports.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How bad it is; the worst first.
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

/// A word for scripts; `docs/doctor.md` lists every one, in this order.
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
    /// A tool sets it in this folder.
    ShadowedInFolder,
    /// This process has it, and no known file sets it.
    ShadowedHere,
    /// Running programs have it, and nothing sets it any more.
    ShadowedInProcess,
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
    /// goroam is paused and writes nothing.
    Paused,
    /// No agent is running.
    NoAgent,
    /// The agent is of another version than this program.
    AgentOutdated,
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
    /// A list of modules has a pattern that matches none.
    PatternMatchesNothing,
    /// A line of the go env file that go ignores.
    EnvLineIgnored,
    /// GOPROXY cannot be read by go.
    GoproxyInvalid,
    /// GOPROXY names the build cache.
    GoproxyBuildCache,
    /// `GONOSUMDB=*`
    GonosumdbAll,
    /// A variable that no go command reads.
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
    /// In the module cache: not a go.mod, or a different one than was published.
    CacheMod,
    /// Not an `.info`, or that of another version.
    CacheInfo,
    /// Not a zip, or a different one than was published.
    CacheZip,
    /// Not a hash, or not that of the zip.
    CacheZiphash,
    /// An unpacked module that was changed, or written only in part.
    CacheTree,
    /// Not a list of versions.
    CacheList,
    /// A cached record of a checksum database cannot be read.
    CacheSumdb,
    /// The last tree head of a checksum database cannot be read.
    SumdbLatest,
}

/// As scripts read it: `shadowed-by-shell`.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// One thing that is wrong, or worth knowing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DoctorFinding {
    /// A word for scripts: `shadowed-by-shell`.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// The variable that it is about.
    pub name: Option<String>,
    /// Where: a file with its line, a process, a registry value.
    pub place: Option<String>,
    /// What is wrong, in one sentence.
    pub says: String,
    /// Why it matters, in one sentence; may be empty.
    pub why: String,
    /// What it affects: kinds of shells, this shell, running programs.
    pub reaches: Vec<String>,
    /// What to do about it.
    #[serde(rename = "mend")]
    pub fix: String,
}

impl DoctorFinding {
    /// Without a variable and a place.
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
        }
    }

    /// At a place.
    pub(super) fn at(mut self, place: impl Into<String>) -> DoctorFinding {
        self.place = Some(place.into());
        self
    }

    /// About a variable.
    pub(super) fn about(mut self, name: &str) -> DoctorFinding {
        self.name = Some(name.to_owned());
        self
    }
}
