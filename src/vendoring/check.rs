//! One check from end to end.

use std::path::Path;

use serde::Serialize;

use super::error::Error;
use super::facts::{Facts, From, Kind, Vendor};
use super::finding::{Finding, Weight};
use super::gather::gather;
use super::judge::judge;
use super::project::Project;
use super::shelves::Shelves;
use crate::agent::error::{EXIT_DONE, EXIT_FAILED, EXIT_MISMATCH};

/// What a check says.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Nothing is wrong.
    pub good: bool,
    /// Whose vendor/ it is.
    pub kind: Kind,
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
    pub findings: Vec<Finding>,
}

impl Report {
    /// The exit code: 0 good, 6 a file or a zip is not what its checksum says, else 1.
    pub fn exit_code(&self) -> u8 {
        match self.findings.iter().map(|finding| finding.weight).max() {
            None | Some(Weight::Note) => EXIT_DONE,
            Some(Weight::Bad) => EXIT_FAILED,
            Some(Weight::Differs) => EXIT_MISMATCH,
        }
    }
}

/// Is vendor/ there, does modules.txt agree, is each file what the verified module holds? Reads
/// only, asks nobody.
///
/// # Errors
/// When vendor/ cannot be read.
pub fn check(project: &Project, shelves: &Shelves) -> Result<Report, Error> {
    check_at(project, &project.root, shelves)
}

/// The same for a copy whose local replacements are looked for elsewhere.
pub(super) fn check_at(project: &Project, at: &Path, shelves: &Shelves) -> Result<Report, Error> {
    Ok(report(project, &gather(project, at, shelves)?))
}

fn report(project: &Project, facts: &Facts) -> Report {
    let findings = judge(facts);
    let count = |is: fn(&From) -> bool| facts.holdings.iter().filter(|h| is(&h.from)).count();
    Report {
        good: findings
            .iter()
            .all(|finding| finding.weight == Weight::Note),
        kind: facts.kind,
        root: project.root.display().to_string(),
        modules: facts.holdings.len(),
        verified: count(|from| matches!(from, From::Zip(_))),
        local: count(|from| matches!(from, From::Folder(..))),
        files: match facts.vendor {
            Vendor::Listed(_) => facts.files.len(),
            Vendor::Missing | Vendor::NotAFolder | Vendor::NoList => 0,
        },
        findings,
    }
}
