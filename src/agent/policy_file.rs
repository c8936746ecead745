//! Reading the policy file: who may have written it, how large it may be, and what to use
//! when there is none.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::error::Error;
use crate::environment::Environment;
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

/// The most that a policy may hold, in bytes.
const LIMIT: u64 = 1 << 20;

/// Reads the policy file, or the built-in default when there is none and none was named.
///
/// # Errors
/// When it cannot be read, others may write to it, or it has errors.
pub fn load_policy(paths: &Paths, env: &Environment) -> Result<Loaded, Error> {
    let home = env.home();
    if !paths.policy_named && !paths.policy.exists() {
        let place = Place {
            folder: Path::new("/"),
            home: home.as_deref(),
        };
        return check(None, Template::Default.text().to_owned(), place);
    }
    let text = read_policy_text(&paths.policy)?;
    let folder = paths
        .policy
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let place = Place {
        folder: folder.unwrap_or(Path::new(".")),
        home: home.as_deref(),
    };
    check(Some(paths.policy.clone()), text, place)
}

/// Reads a policy file's text.
///
/// # Errors
/// When it cannot be read, is too large or not UTF-8, or somebody else may write to it.
pub fn read_policy_text(path: &Path) -> Result<String, Error> {
    let fail = |why: String, unsafe_mode: bool| Error::PolicyFile {
        path: path.to_owned(),
        why,
        unsafe_mode,
    };
    let file = std::fs::File::open(path).map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::NotFound => "; `goroam init` writes one",
            _ => "",
        };
        fail(format!("{error}{hint}"), false)
    })?;
    let facts = file
        .metadata()
        .map_err(|error| fail(error.to_string(), false))?;
    if facts.is_dir() {
        return Err(fail("is a folder; name the file in it".to_owned(), false));
    }
    if let Some(why) = not_private(&facts) {
        return Err(fail(why, true));
    }
    let mut bytes = Vec::new();
    file.take(LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| fail(error.to_string(), false))?;
    if bytes.len() as u64 > LIMIT {
        return Err(fail(
            format!("is larger than {LIMIT} bytes; that is no policy"),
            false,
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error
            .as_bytes()
            .iter()
            .take(good)
            .filter(|byte| **byte == b'\n')
            .count()
            + 1;
        fail(
            format!("is not UTF-8: line {line}, byte {good} of the file"),
            false,
        )
    })
}

/// As ssh does: who can write the policy can choose where modules come from.
#[cfg(unix)]
fn not_private(facts: &std::fs::Metadata) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    // SAFETY: geteuid has no preconditions and cannot fail.
    let me = unsafe { libc::geteuid() };
    if facts.mode() & 0o022 != 0 {
        return Some(format!(
            "others may write to it (mode {:04o}); `chmod go-w` it first",
            facts.mode() & 0o7777
        ));
    }
    if facts.uid() != me && facts.uid() != 0 {
        return Some(format!(
            "belongs to uid {}, not to you (uid {me})",
            facts.uid()
        ));
    }
    None
}

/// The user's profile folder is private on Windows by its inherited access list.
#[cfg(not(unix))]
fn not_private(_: &std::fs::Metadata) -> Option<String> {
    None
}

fn check(path: Option<PathBuf>, text: String, place: Place<'_>) -> Result<Loaded, Error> {
    let parsed = parse(&text, place);
    match parsed.policy {
        Some(policy) => Ok(Loaded {
            policy,
            path,
            text,
            warnings: parsed.findings,
        }),
        None => Err(Error::Policy {
            path: path.unwrap_or_else(|| PathBuf::from("the built-in policy")),
            summary: summary(&parsed.findings),
            findings: parsed.findings,
            text,
        }),
    }
}

/// "2 errors, 1 warning".
pub fn summary(findings: &[Finding]) -> String {
    let count = |severity: Severity, word: &str| {
        let n = findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count();
        (n > 0).then(|| format!("{n} {word}{}", if n == 1 { "" } else { "s" }))
    };
    let parts: Vec<String> = [
        count(Severity::Error, "error"),
        count(Severity::Warning, "warning"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if parts.is_empty() {
        "no findings".to_owned()
    } else {
        parts.join(", ")
    }
}

/// "; did you mean …?", or the names that there are.
pub(crate) fn nearest<'a>(name: &str, there: impl Iterator<Item = &'a String>) -> String {
    let there: Vec<&str> = there.map(String::as_str).collect();
    match crate::policy::nearest::nearest(name, there.iter().copied()) {
        Some(near) => format!("; did you mean {near:?}?"),
        None => format!("; there are: {}", there.join(", ")),
    }
}
