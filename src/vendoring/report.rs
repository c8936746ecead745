//! What a check of vendor/ can find, and its report.

use std::fmt;

use serde::Serialize;

use crate::agent::error::{EXIT_DONE, EXIT_FAILED, EXIT_MISMATCH};

/// Whose vendor/ it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProjectKind {
    /// A module's: beside go.mod, made by `go mod vendor`.
    Module,
    /// A workspace's: beside go.work, made by `go work vendor`.
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

    /// What makes vendor/.
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
    /// Nothing is wrong.
    pub good: bool,
    /// Whose vendor/ it is.
    pub kind: ProjectKind,
    /// The folder that holds it.
    pub root: String,
    /// Modules that provide packages.
    pub modules: usize,
    /// Of these, those that were compared with a zip that is what go.sum says.
    pub verified: usize,
    /// And those that were compared with the folder that replaces them.
    pub local: usize,
    /// Files below vendor/.
    pub files: usize,
    /// What was found, the worst first.
    pub findings: Vec<VendorFinding>,
}

impl VendorReport {
    /// The exit code: 0 good, 6 a file or a zip is not what its checksum says, else 1.
    pub fn exit_code(&self) -> u8 {
        match self.findings.iter().map(|finding| finding.weight).max() {
            None | Some(Weight::Note) => EXIT_DONE,
            Some(Weight::Bad) => EXIT_FAILED,
            Some(Weight::Differs) => EXIT_MISMATCH,
        }
    }
}

/// What is wrong, for scripts. Codes are added, never renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VendorCode {
    /// vendor/ does not exist.
    NoVendor,
    /// vendor is a file, or a link to no folder.
    NotAFolder,
    /// vendor/ has no modules.txt.
    NoModulesTxt,
    /// go.mod, go.work or a go.sum cannot be read.
    Unreadable,
    /// go would not use vendor/ by default.
    NotUsed,
    /// modules.txt does not agree with go.mod: go refuses to build.
    Inconsistent,
    /// modules.txt says something wrong, and go believes it.
    Misstated,
    /// A package of modules.txt has no files.
    PackageMissing,
    /// A package has files, but modules.txt does not list it: go 1.23 ignores it.
    PackageUnlisted,
    /// A file is not what the verified module holds.
    Altered,
    /// It differs only in CR LF and LF.
    LineEnds,
    /// A file of the module that vendoring copies is missing.
    FileMissing,
    /// A file that no vendored module holds.
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
    /// The folder that replaces a module cannot be read.
    NoFolder,
    /// A file differs from the one in the folder that replaces the module.
    OutOfDate,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// Worth knowing; nothing is wrong.
    Note,
    /// Missing, inconsistent or not to be verified: exit code 1.
    Bad,
    /// Something does not match its checksum: exit code 6.
    Differs,
}

impl VendorCode {
    /// How bad it is.
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

    /// Does it only say that there was nothing to compare with?
    pub(super) fn is_unverified(self) -> bool {
        matches!(self, Self::NoZip | Self::NoFolder | Self::NoSum)
    }
}

/// The word for it, as in `--json`.
impl fmt::Display for VendorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VendorFinding {
    /// What it is.
    pub code: VendorCode,
    /// How bad that is.
    pub weight: Weight,
    /// The module (`PATH@VERSION`), where it is about one.
    pub module: Option<String>,
    /// The file, relative to the folder that holds vendor/, where it is about one.
    pub file: Option<String>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub mend: String,
}

impl VendorFinding {
    /// About the whole of vendor/.
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

    /// About a module.
    pub(super) fn of(mut self, module: impl ToString) -> VendorFinding {
        self.module = Some(module.to_string());
        self
    }

    /// About a file.
    pub(super) fn at(mut self, file: impl Into<String>) -> VendorFinding {
        self.file = Some(file.into());
        self
    }

    /// The file or the module, what is wrong, and the code. `all` stands for the first where it is
    /// about the whole of vendor/.
    pub(super) fn brief(&self, all: &str) -> String {
        let about = self.file.as_ref().or(self.module.as_ref());
        let about = about.map_or_else(|| all.to_owned(), |about| format!("{about}: "));
        format!("{about}{} [{}]", self.what, self.code)
    }
}
