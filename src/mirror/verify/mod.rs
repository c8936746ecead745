//! `goroam mirror verify`: is every file what its checksum says, and is each checksum proven?
//!
//! Each version is read by one thread, piece by piece, through a buffer of 128 KiB: the memory
//! taken depends on the number of threads and not on the size of any zip. The largest come first,
//! so that no thread is left alone with one at the end.
//!
//! May import: the rest of the mirror, and everything below.

mod gather;
mod judge;
mod listing;
mod prove;
mod report;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Instant;

use super::layout::Layout;
use super::odd_mods;
use super::pins::pins;
use super::tree::{Files, Tree};
use crate::gomod::ModuleVersion;
use crate::meter::Meter;
use crate::pool;

pub(crate) use gather::{read_zip, zip_fault};
pub use prove::Prover;
pub use report::{Database, Finding, Hashes, Kind, Report, Unproven};

/// What to look at, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// Only modules at or below these paths; empty: all, and what belongs to none.
    pub modules: Vec<String>,
    /// Threads; `None`: one for each processor.
    pub jobs: Option<usize>,
    /// `list` and `@latest` are not looked at: what was unpacked from an archive has none yet.
    pub without_index: bool,
    /// `MODULE@VERSION` to the hash that its `.mod` had when it was stored, beside what the mirror
    /// itself has noted.
    pub go_mods: BTreeMap<String, String>,
}

/// One version to be read.
struct Task<'a> {
    module: &'a ModuleVersion,
    files: &'a Files,
    listed: bool,
    /// The hash of its `.mod`, if that was noted when it was stored.
    noted_mod: Option<String>,
}

/// Looks at all of it. What is wrong is in the report, in the order of modules and files.
///
/// # Errors
/// When the mirror cannot be listed.
pub fn verify(
    layout: &Layout,
    asked: &Asked,
    prover: &Prover,
    meter: &Meter,
) -> io::Result<Report> {
    let start = Instant::now();
    let tree = Tree::read(layout)?;
    let pins = pins(layout)?;
    let mut noted = odd_mods::read(layout);
    noted.extend(asked.go_mods.clone());
    let mut report = Report::default();
    let is_asked = |path: &str| {
        let below = |prefix: &String| {
            let rest = path.strip_prefix(prefix.trim_end_matches('/'));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        asked.modules.is_empty() || asked.modules.iter().any(below)
    };
    let mut listed = BTreeMap::new();
    let mut tasks = Vec::new();
    for (path, module) in tree.modules.iter().filter(|(path, _)| is_asked(path)) {
        report.modules += 1;
        let pinned = pins.get(path).map(String::as_str);
        let names = module.list.then(|| listing::listed(layout, path));
        if !asked.without_index {
            let bad = listing::check(layout, path, module, names.as_ref(), pinned);
            report.bad.extend(bad);
        }
        listed.insert(path.as_str(), names);
    }
    for (path, module) in tree.modules.iter().filter(|(path, _)| is_asked(path)) {
        let none = BTreeSet::new();
        let names = match listed.get(path.as_str()) {
            Some(Some(Ok(names))) => names,
            Some(_) | None => &none,
        };
        for (version, files) in &module.versions {
            match files.zip {
                Some(_) => report.versions += 1,
                None => report.go_mod_only += 1,
            }
            report.bytes += files.bytes();
            tasks.push(Task {
                module: version,
                files,
                listed: names.contains(&version.version),
                noted_mod: noted.remove(&version.to_string()),
            });
        }
    }
    meter.expect(tasks.len() as u64, report.bytes);
    // Equal ones stay in the order of their names.
    tasks.sort_by_key(|task| std::cmp::Reverse(task.files.zip));
    let jobs = asked.jobs.unwrap_or_else(pool::processors);
    let verdicts = pool::map(&tasks, jobs, |task| {
        let answer = prover.prove(task.module);
        let noted = task.noted_mod.clone();
        let stored = gather::gather(layout, task.module, task.files, noted, answer);
        meter.did(1, task.files.bytes());
        judge::judge(layout, &stored, task.listed)
    });
    for verdict in verdicts {
        report.sound.extend(verdict.sound);
        report.proven += u64::from(verdict.proven);
        report.bad.extend(verdict.bad);
        report.unproven.extend(verdict.unproven);
    }
    if asked.modules.is_empty() {
        let (database, bad) = prover.database();
        report.database = database;
        report.bad.extend(bad);
        let finding = |kind, help: &str, (file, what)| Finding {
            of: String::new(),
            file,
            kind,
            what,
            expected: None,
            by: None,
            found: None,
            help: help.to_owned(),
        };
        let help = "go never asks for it: delete it";
        let stray = tree.stray.into_iter();
        report
            .bad
            .extend(stray.map(|one| finding(Kind::Stray, help, one)));
        let help = "make it readable";
        let unreadable = tree.unreadable.into_iter();
        report
            .bad
            .extend(unreadable.map(|one| finding(Kind::Unreadable, help, one)));
    }
    report.bad.sort();
    report.unproven.sort();
    report.ok = report.bad.is_empty();
    report.ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(report)
}
