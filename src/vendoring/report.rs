//! The findings of a check of vendor/, and its report.

use std::fmt;

use serde::Serialize;

use crate::agent::error::{EXIT_DONE, EXIT_FAILED, EXIT_MISMATCH};

/// The kind of project that vendor/ belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProjectKind {
    /// A module: vendor/ is beside go.mod, made by `go mod vendor`.
    Module,
    /// A workspace: vendor/ is beside go.work, made by `go work vendor`.
    Workspace,
}

impl ProjectKind {
    /// The file beside vendor/.
    pub fn file(self) -> &'static str {
        match self {
            ProjectKind::Module => "go.mod",
            ProjectKind::Workspace => "go.work",
        }
    }

    /// The command that makes vendor/.
    pub fn command(self) -> &'static str {
        match self {
            ProjectKind::Module => "go mod vendor",
            ProjectKind::Workspace => "go work vendor",
        }
    }
}

/// The result of a check.
#[derive(Debug, Clone, Serialize)]
pub struct VendorReport {
    /// Whether nothing is wrong.
    pub good: bool,
    /// The kind of project that vendor/ belongs to.
    pub kind: ProjectKind,
    /// The directory that holds it.
    pub root: String,
    /// Modules that provide packages.
    pub modules: usize,
    /// Of these, modules that were compared with a zip that matches go.sum.
    pub verified: usize,
    /// Of these, modules that were compared with the directory that replaces them.
    pub local: usize,
    /// Files below vendor/.
    pub files: usize,
    /// All findings, the worst first.
    pub findings: Vec<VendorFinding>,
}

impl VendorReport {
    /// Returns the exit code: 0 good, 6 a file or a zip does not match its checksum, else 1.
    pub fn exit_code(&self) -> u8 {
        match self.findings.iter().map(|finding| finding.weight).max() {
            None | Some(Weight::Note) => EXIT_DONE,
            Some(Weight::Bad) => EXIT_FAILED,
            Some(Weight::Differs) => EXIT_MISMATCH,
        }
    }
}

/// The code of a finding, for scripts. Codes are added, never renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VendorCode {
    /// vendor/ does not exist.
    NoVendor,
    /// vendor is a file, or a link that does not lead to a directory.
    NotAFolder,
    /// vendor/ has no modules.txt.
    NoModulesTxt,
    /// go.mod, go.work or a go.sum cannot be read.
    Unreadable,
    /// go would not use vendor/ by default.
    NotUsed,
    /// modules.txt does not agree with go.mod: go refuses to build.
    Inconsistent,
    /// modules.txt has an error that go does not notice.
    Misstated,
    /// A package of modules.txt has no files.
    PackageMissing,
    /// A package has files, but modules.txt does not list it: go 1.23 ignores it.
    PackageUnlisted,
    /// A file differs from the one in the verified module.
    Altered,
    /// A file differs only in CR LF and LF.
    LineEnds,
    /// A file of the module that vendoring copies is missing.
    FileMissing,
    /// A file that is in no vendored module.
    NotInModule,
    /// A link; `go mod vendor` creates none.
    Link,
    /// A file of the verified module that vendoring would have left out.
    LeftOver,
    /// An executable file; `go mod vendor` creates none.
    Executable,
    /// The zip does not match go.sum.
    ZipMismatch,
    /// No zip was found to compare with.
    NoZip,
    /// go.sum has no hash of the zip.
    NoSum,
    /// The directory that replaces a module cannot be read.
    NoFolder,
    /// A file differs from the one in the directory that replaces the module.
    OutOfDate,
}

/// The severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// Useful to know; nothing is wrong.
    Note,
    /// Missing, inconsistent or impossible to verify: exit code 1.
    Bad,
    /// Something does not match its checksum: exit code 6.
    Differs,
}

impl VendorCode {
    /// Returns the severity.
    pub fn weight(self) -> Weight {
        if matches!(self, Self::LeftOver | Self::Executable | Self::NotUsed) {
            return Weight::Note;
        }
        let is_other_content = matches!(
            self,
            Self::Altered | Self::LineEnds | Self::FileMissing | Self::NotInModule | Self::Link
        );
        if is_other_content || self == Self::ZipMismatch {
            Weight::Differs
        } else {
            Weight::Bad
        }
    }

    /// Reports whether it only means that there was nothing to compare with.
    pub(super) fn is_unverified(self) -> bool {
        matches!(self, Self::NoZip | Self::NoFolder | Self::NoSum)
    }
}

/// The code, as in `--json`.
impl fmt::Display for VendorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VendorFinding {
    /// Its code.
    pub code: VendorCode,
    /// Its severity.
    pub weight: Weight,
    /// The module (`PATH@VERSION`), if it is about one.
    pub module: Option<String>,
    /// The file, relative to the directory that holds vendor/, if it is about one.
    pub file: Option<String>,
    /// What is wrong.
    pub what: String,
    /// How to fix it.
    pub mend: String,
}

impl VendorFinding {
    /// Creates a finding about the whole of vendor/.
    pub(super) fn new(
        code: VendorCode,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) -> VendorFinding {
        VendorFinding {
            code,
            weight: code.weight(),
            module: None,
            file: None,
            what: what.into(),
            mend: mend.into(),
        }
    }

    /// Sets the module.
    pub(super) fn of(mut self, module: impl ToString) -> VendorFinding {
        self.module = Some(module.to_string());
        self
    }

    /// Sets the file.
    pub(super) fn at(mut self, file: impl Into<String>) -> VendorFinding {
        self.file = Some(file.into());
        self
    }

    /// Returns the file or the module, what is wrong, and the code. `all` is the text instead of
    /// the file for a finding about the whole of vendor/.
    pub(super) fn brief(&self, all: &str) -> String {
        let about = self.file.as_ref().or(self.module.as_ref());
        let about = about.map_or_else(|| all.to_owned(), |about| format!("{about}: "));
        format!("{about}{} [{}]", self.what, self.code)
    }
}
