//! What a check of vendor/ can find.

use std::fmt;

use serde::Serialize;

/// What is wrong, for scripts. Codes are added, never renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// There is no vendor/.
    NoVendor,
    /// vendor is a file, or a link that leads to no folder.
    NotAFolder,
    /// vendor/ has no modules.txt.
    NoModulesTxt,
    /// go.mod, go.work or a go.sum cannot be read.
    Unreadable,
    /// go would not use vendor/ by itself.
    NotUsed,
    /// modules.txt does not agree with go.mod: go refuses to build.
    Inconsistent,
    /// modules.txt says something that is not so, and go believes it.
    Misstated,
    /// A package of modules.txt has no files.
    PackageMissing,
    /// A package has files, and modules.txt does not list it: go 1.23 passes it over.
    PackageUnlisted,
    /// A file is not what the verified module holds.
    Altered,
    /// It differs only in CR LF and LF.
    LineEnds,
    /// A file of the module that vendoring brings is not there.
    FileMissing,
    /// A file that no vendored module holds.
    NotInModule,
    /// A link; `go mod vendor` makes none.
    Link,
    /// A file of the verified module that vendoring would have left out.
    LeftOver,
    /// A file that may be executed; `go mod vendor` makes none.
    Executable,
    /// The zip at hand is not what go.sum says.
    ZipMismatch,
    /// There is no zip to compare with.
    NoZip,
    /// go.sum does not say what the zip must be.
    NoSum,
    /// The folder that replaces a module cannot be read.
    NoFolder,
    /// A file is not what the folder holds that replaces the module.
    OutOfDate,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// It should be known; nothing is wrong.
    Note,
    /// Missing, inconsistent or not to be verified: exit code 1.
    Bad,
    /// Something is not what its checksum says: exit code 6.
    Differs,
}

impl Code {
    /// How bad it is.
    pub fn weight(self) -> Weight {
        match self {
            Code::LeftOver | Code::Executable | Code::NotUsed => Weight::Note,
            Code::NoVendor
            | Code::NotAFolder
            | Code::NoModulesTxt
            | Code::Unreadable
            | Code::Inconsistent
            | Code::Misstated
            | Code::PackageMissing
            | Code::PackageUnlisted
            | Code::NoZip
            | Code::NoSum
            | Code::NoFolder
            | Code::OutOfDate => Weight::Bad,
            Code::Altered
            | Code::LineEnds
            | Code::FileMissing
            | Code::NotInModule
            | Code::Link
            | Code::ZipMismatch => Weight::Differs,
        }
    }

    /// Is it only that nothing was at hand to compare with?
    pub fn is_unverified(self) -> bool {
        self == Code::NoZip || self == Code::NoFolder
    }

    /// The word for it, as in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::NoVendor => "no-vendor",
            Code::NotAFolder => "not-a-folder",
            Code::NoModulesTxt => "no-modules-txt",
            Code::Unreadable => "unreadable",
            Code::NotUsed => "not-used",
            Code::Inconsistent => "inconsistent",
            Code::Misstated => "misstated",
            Code::PackageMissing => "package-missing",
            Code::PackageUnlisted => "package-unlisted",
            Code::Altered => "altered",
            Code::LineEnds => "line-ends",
            Code::FileMissing => "file-missing",
            Code::NotInModule => "not-in-module",
            Code::Link => "link",
            Code::LeftOver => "left-over",
            Code::Executable => "executable",
            Code::ZipMismatch => "zip-mismatch",
            Code::NoZip => "no-zip",
            Code::NoSum => "no-sum",
            Code::NoFolder => "no-folder",
            Code::OutOfDate => "out-of-date",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is.
    pub code: Code,
    /// How bad that is.
    pub weight: Weight,
    /// The module (`PATH@VERSION`), where it is about one.
    pub module: Option<String>,
    /// The file, relative to the folder that holds vendor/, where it is about one.
    pub file: Option<String>,
    /// What is wrong.
    pub what: String,
    /// The way out.
    pub mend: String,
}

impl Finding {
    /// About the whole of vendor/.
    pub(super) fn new(code: Code, what: impl Into<String>, mend: impl Into<String>) -> Finding {
        Finding {
            code,
            weight: code.weight(),
            module: None,
            file: None,
            what: what.into(),
            mend: mend.into(),
        }
    }

    /// About a module.
    pub(super) fn of(mut self, module: impl Into<String>) -> Finding {
        self.module = Some(module.into());
        self
    }

    /// About a file.
    pub(super) fn at(mut self, file: impl Into<String>) -> Finding {
        self.file = Some(file.into());
        self
    }
}
