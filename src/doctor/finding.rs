//! What the doctor found.

use serde::{Serialize, Serializer};

/// How bad it is; the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// What goroam sets does not count.
    Error,
    /// It may not count, or not for long.
    Warning,
    /// Good to know.
    Note,
}

/// A word for scripts; `docs/doctor.md` lists every one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// A shell's start-up file sets the variable.
    ShadowedByShell,
    /// A file that is read at login sets it.
    ShadowedByLogin,
    /// The service manager hands it to everything that it starts.
    ShadowedByManager,
    /// It stands in the registry.
    ShadowedByRegistry,
    /// An editor's settings set it.
    ShadowedByEditor,
    /// A tool sets it in this folder.
    ShadowedInFolder,
    /// This process has it, and no file that could be found sets it.
    ShadowedHere,
    /// Programs that run have it, and nothing sets it any more.
    ShadowedInProcess,
    /// go reads another file, or none.
    GoenvElsewhere,
    /// go reads a proxy variable in another way than was meant.
    ProxyMisread,
    /// go ends at GOAUTH.
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
    /// There is no go env file that goroam may write.
    NoEnvFile,
    /// The go env file may not be written.
    EnvFileReadOnly,
    /// Somebody else has changed what goroam wrote.
    Drift,
    /// A start-up file of a shell does so again and again.
    RewrittenByShell,
    /// The policy cannot be used.
    PolicyUnusable,
    /// The policy has warnings.
    PolicyWarnings,
    /// There is no go command.
    NoGo,
    /// Several go commands, of different versions, are on PATH.
    SeveralGo,
    /// The agent has something to tell.
    Trouble,
    /// Nothing is written for now.
    Paused,
    /// No agent is running.
    NoAgent,
    /// The agent is of another version than this program.
    AgentOutdated,
    /// goroam is not started at login.
    ServiceMissing,
    /// The service is there and does not run.
    ServiceStopped,
    /// Something is wrong with the service.
    ServiceTrouble,
    /// A place could not be looked at.
    Unread,
    /// A value that go stops with.
    ValueRefused,
    /// The build or module cache, at its usual place, cannot be written.
    CacheUnwritable,
    /// A list of modules has a pattern that matches none.
    PatternMatchesNothing,
    /// A line of the go env file that go passes over.
    EnvLineIgnored,
    /// GOPROXY cannot be read by go.
    GoproxyInvalid,
    /// GOPROXY names the build cache.
    GoproxyBuildCache,
    /// `GONOSUMDB=*`
    GonosumdbAll,
    /// A variable that no go command reads.
    NothingReads,
    /// go.mod or go.work has what go refuses.
    GomodInvalid,
    /// `replace … => file://…`
    ReplaceUrl,
    /// `replace` by a folder that is no module.
    ReplaceMissing,
    /// go.sum is not there.
    GosumMissing,
    /// go.sum has what go refuses.
    GosumInvalid,
    /// The project asks for a newer go, and none may be fetched.
    GoTooOld,
    /// The project asks for a newer go, which is fetched.
    ToolchainFetched,
    /// vendor/ does not agree with go.mod.
    VendorOutdated,
    /// In the module cache: no go.mod, or another one than was published.
    CacheMod,
    /// No `.info`, or that of another version.
    CacheInfo,
    /// No zip, or another one than was published.
    CacheZip,
    /// No hash, or not that of the zip.
    CacheZiphash,
    /// An unpacked module that was changed, or written in part.
    CacheTree,
    /// No list of versions.
    CacheList,
    /// What is kept of a checksum database cannot be read.
    CacheSumdb,
    /// The last tree head of a checksum database cannot be read.
    SumdbLatest,
}

impl Code {
    /// All of them, as they are documented.
    pub const ALL: [Code; 57] = [
        Code::ShadowedByShell,
        Code::ShadowedByLogin,
        Code::ShadowedByManager,
        Code::ShadowedByRegistry,
        Code::ShadowedByEditor,
        Code::ShadowedInFolder,
        Code::ShadowedHere,
        Code::ShadowedInProcess,
        Code::GoenvElsewhere,
        Code::ProxyMisread,
        Code::GoauthInvalid,
        Code::CaUnknownToGo,
        Code::ModulesOff,
        Code::GoflagsMod,
        Code::GoflagsInsecure,
        Code::GorootSet,
        Code::ToolchainSet,
        Code::NoEnvFile,
        Code::EnvFileReadOnly,
        Code::Drift,
        Code::RewrittenByShell,
        Code::PolicyUnusable,
        Code::PolicyWarnings,
        Code::NoGo,
        Code::SeveralGo,
        Code::Trouble,
        Code::Paused,
        Code::NoAgent,
        Code::AgentOutdated,
        Code::ServiceMissing,
        Code::ServiceStopped,
        Code::ServiceTrouble,
        Code::Unread,
        Code::ValueRefused,
        Code::CacheUnwritable,
        Code::PatternMatchesNothing,
        Code::EnvLineIgnored,
        Code::GoproxyInvalid,
        Code::GoproxyBuildCache,
        Code::GonosumdbAll,
        Code::NothingReads,
        Code::GomodInvalid,
        Code::ReplaceUrl,
        Code::ReplaceMissing,
        Code::GosumMissing,
        Code::GosumInvalid,
        Code::GoTooOld,
        Code::ToolchainFetched,
        Code::VendorOutdated,
        Code::CacheMod,
        Code::CacheInfo,
        Code::CacheZip,
        Code::CacheZiphash,
        Code::CacheTree,
        Code::CacheList,
        Code::CacheSumdb,
        Code::SumdbLatest,
    ];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::ShadowedByShell => "shadowed-by-shell",
            Code::ShadowedByLogin => "shadowed-by-login",
            Code::ShadowedByManager => "shadowed-by-manager",
            Code::ShadowedByRegistry => "shadowed-by-registry",
            Code::ShadowedByEditor => "shadowed-by-editor",
            Code::ShadowedInFolder => "shadowed-in-folder",
            Code::ShadowedHere => "shadowed-here",
            Code::ShadowedInProcess => "shadowed-in-process",
            Code::GoenvElsewhere => "goenv-elsewhere",
            Code::ProxyMisread => "proxy-misread",
            Code::GoauthInvalid => "goauth-invalid",
            Code::CaUnknownToGo => "ca-unknown-to-go",
            Code::ModulesOff => "modules-off",
            Code::GoflagsMod => "goflags-mod",
            Code::GoflagsInsecure => "goflags-insecure",
            Code::GorootSet => "goroot-set",
            Code::ToolchainSet => "toolchain-set",
            Code::NoEnvFile => "no-env-file",
            Code::EnvFileReadOnly => "env-file-read-only",
            Code::Drift => "drift",
            Code::RewrittenByShell => "rewritten-by-shell",
            Code::PolicyUnusable => "policy-unusable",
            Code::PolicyWarnings => "policy-warnings",
            Code::NoGo => "no-go",
            Code::SeveralGo => "several-go",
            Code::Trouble => "trouble",
            Code::Paused => "paused",
            Code::NoAgent => "no-agent",
            Code::AgentOutdated => "agent-outdated",
            Code::ServiceMissing => "service-missing",
            Code::ServiceStopped => "service-stopped",
            Code::ServiceTrouble => "service-trouble",
            Code::Unread => "unread",
            Code::ValueRefused => "value-refused",
            Code::CacheUnwritable => "cache-unwritable",
            Code::PatternMatchesNothing => "pattern-matches-nothing",
            Code::EnvLineIgnored => "env-line-ignored",
            Code::GoproxyInvalid => "goproxy-invalid",
            Code::GoproxyBuildCache => "goproxy-build-cache",
            Code::GonosumdbAll => "gonosumdb-all",
            Code::NothingReads => "nothing-reads",
            Code::GomodInvalid => "gomod-invalid",
            Code::ReplaceUrl => "replace-url",
            Code::ReplaceMissing => "replace-missing",
            Code::GosumMissing => "gosum-missing",
            Code::GosumInvalid => "gosum-invalid",
            Code::GoTooOld => "go-too-old",
            Code::ToolchainFetched => "toolchain-fetched",
            Code::VendorOutdated => "vendor-outdated",
            Code::CacheMod => "cache-mod",
            Code::CacheInfo => "cache-info",
            Code::CacheZip => "cache-zip",
            Code::CacheZiphash => "cache-ziphash",
            Code::CacheTree => "cache-tree",
            Code::CacheList => "cache-list",
            Code::CacheSumdb => "cache-sumdb",
            Code::SumdbLatest => "sumdb-latest",
        }
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What the doctor found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A word for scripts: `shadowed-by-shell`.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// The variable that it is about.
    pub name: Option<String>,
    /// Where: a file with its line, a process, a registry value.
    pub place: Option<String>,
    /// What is so, in one sentence.
    pub says: String,
    /// Why it matters, in one sentence; may be empty.
    pub why: String,
    /// Where it reaches: kinds of shells, this shell, programs that run.
    pub reaches: Vec<String>,
    /// What to do about it.
    pub mend: String,
}

impl Finding {
    /// One without a place.
    pub(super) fn new(
        code: Code,
        severity: Severity,
        says: impl Into<String>,
        mend: impl Into<String>,
    ) -> Finding {
        Finding {
            code,
            severity,
            name: None,
            place: None,
            says: says.into(),
            why: String::new(),
            reaches: Vec::new(),
            mend: mend.into(),
        }
    }

    /// With a reason.
    pub(super) fn because(mut self, why: impl Into<String>) -> Finding {
        self.why = why.into();
        self
    }
}
