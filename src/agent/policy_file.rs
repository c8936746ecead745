//! The policy in force: the user's, or the built-in one.

use std::path::{Path, PathBuf};

use super::away::is_there;
use super::error::Error;
use super::policy_text::read_policy_text;
use crate::environment::Environment;
use crate::model::tally;
use crate::paths::Paths;
use crate::policy::file::{Place, parse};
use crate::policy::templates::Template;
use crate::policy::{Finding, Policy, Severity};

/// A policy that has been read, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The policy.
    pub policy: Policy,
    /// The file; `None`: the built-in default.
    pub path: Option<PathBuf>,
    /// Its text.
    pub text: String,
    /// Warnings.
    pub warnings: Vec<Finding>,
}

impl Loaded {
    /// Where it came from, for people.
    pub fn origin(&self) -> String {
        match &self.path {
            Some(path) => path.display().to_string(),
            None => "the built-in policy".to_owned(),
        }
    }
}

/// Reads the policy file, or the built-in default when there is none and none was named.
///
/// # Errors
/// When it cannot be read, others may write to it, or it has errors.
pub fn load_policy(paths: &Paths, env: &Environment) -> Result<Loaded, Error> {
    // A link to nowhere, or a folder that may not be searched, is no wish for the built-in one.
    if !paths.policy_named && !is_there(&paths.policy) {
        let mut loaded = built_in(env)?;
        settle(&mut loaded, paths, env);
        return Ok(loaded);
    }
    let home = env.home();
    let text = read_policy_text(&paths.policy)?;
    let folder = paths
        .policy
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let place = Place {
        folder: folder.unwrap_or(Path::new(".")),
        home: home.as_deref(),
    };
    let mut loaded = check(Some(paths.policy.clone()), text, place)?;
    settle(&mut loaded, paths, env);
    Ok(loaded)
}

/// Where the mirror is, by what everybody says of it.
pub(super) fn settle(loaded: &mut Loaded, paths: &Paths, env: &Environment) {
    let named = loaded.policy.mirror.path.take();
    let folder = paths.mirror_at(None, named, env);
    loaded.policy.settle_mirror(folder);
}

/// Is this the built-in default where there was a file? That it is gone may be a mistake, or
/// for a moment: what it said of private names and checksums is not given up for that.
pub(super) fn is_gone(loaded: &Loaded, paths: &Paths) -> Option<Error> {
    (loaded.path.is_none() && !paths.policy_named).then(|| Error::PolicyFile {
        path: paths.policy.clone(),
        why: "is gone; put it back, write one with `goroam init`, or let `goroam once` take the \
              built-in policy"
            .to_owned(),
        unsafe_mode: false,
    })
}

/// The built-in default.
pub(crate) fn built_in(env: &Environment) -> Result<Loaded, Error> {
    let home = env.home();
    let place = Place {
        folder: Path::new("/"),
        home: home.as_deref(),
    };
    check(None, Template::Default.text().to_owned(), place)
}

fn check(path: Option<PathBuf>, text: String, place: Place<'_>) -> Result<Loaded, Error> {
    let parsed = parse(&text, place);
    match parsed.policy {
        Some(policy) => Ok(Loaded {
            policy,
            path,
            text,
            warnings: only_warnings(parsed.findings),
        }),
        None => Err(Error::Policy {
            path: path.unwrap_or_else(|| PathBuf::from("the built-in policy")),
            summary: summary(&parsed.findings),
            findings: parsed.findings,
            text,
        }),
    }
}

fn only_warnings(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.retain(|finding| finding.severity == Severity::Warning);
    findings
}

/// "2 errors, 1 warning".
pub fn summary(findings: &[Finding]) -> String {
    let count = |severity| findings.iter().filter(|f| f.severity == severity).count();
    tally(&[
        (count(Severity::Error), "error"),
        (count(Severity::Warning), "warning"),
        (count(Severity::Note), "note"),
    ])
}

/// "; did you mean …?", or the names that there are.
pub(crate) fn nearest<'a>(name: &str, there: impl Iterator<Item = &'a String>) -> String {
    let there: Vec<&str> = there.map(String::as_str).collect();
    match crate::policy::nearest::nearest(name, there.iter().copied()) {
        Some(near) => format!("; did you mean {near:?}?"),
        None if there.is_empty() => "; there is none at all".to_owned(),
        None => format!("; there are: {}", there.join(", ")),
    }
}
