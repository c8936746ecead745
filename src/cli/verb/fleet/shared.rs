//! What `verify` and `sign` both do.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::agent::error::{EXIT_DONE, EXIT_REFUSED, EXIT_USAGE};
use crate::cli::render::{Mark, Sheet, clean, findings};
use crate::cli::verb::check::parse_alone;
use crate::cli::{Context, Failure};
use crate::policy::file::PolicyLocation;
use crate::policy::fleet::{PolicyHeader, Refusal, signer};
use crate::policy::layers::LayerKind;
use crate::{bounded, trust};

/// A policy and its signature that are right. The JSON form of `verify` and `sign`.
#[derive(Debug, Serialize)]
pub(super) struct Verified {
    file: String,
    id: Option<String>,
    version: Option<u64>,
    issued: Option<jiff::Timestamp>,
    expires: Option<jiff::Timestamp>,
    key: Option<String>,
}

impl Verified {
    pub(super) fn of(file: &Path, header: PolicyHeader, signature: &str) -> Verified {
        Verified {
            file: file.display().to_string(),
            id: header.id,
            version: header.version,
            issued: header.issued,
            expires: header.expires,
            key: signer(signature),
        }
    }

    /// Prints it. `did`: "signed".
    pub(super) fn show(&self, context: &Context, json: bool, did: &str) -> Result<u8, Failure> {
        context.show(json, self, |_, page| {
            let mut sheet = Sheet::new(page.columns);
            let id = self.id.as_deref().unwrap_or_default();
            let version = self.version.unwrap_or_default();
            let key = self.key.as_deref().unwrap_or_default();
            let (file, id) = (clean(&self.file), clean(id));
            let line = format!("{file}: {id} version {version}, {did} by key {key}");
            sheet.marked(Mark::Good, &line);
            if let Some(expires) = self.expires {
                sheet.entry("  ", &format!("expires {}", page.moment(expires)));
            }
            sheet.finish()
        })?;
        Ok(EXIT_DONE)
    }
}

/// Returns the absolute path of a policy, and the user's home.
pub(super) fn place(context: &Context, file: &Path) -> (PathBuf, Option<PathBuf>) {
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    (absolute, context.env.home())
}

/// Returns what relative paths and `~` in it mean.
pub(super) fn location<'a>(absolute: &'a Path, home: Option<&'a Path>) -> PolicyLocation<'a> {
    let folder = absolute.parent().unwrap_or(Path::new("/"));
    PolicyLocation { folder, home }
}

/// Prints everything that is wrong with a fleet's policy.
pub(super) fn complain(context: &Context, file: &Path, text: &str) {
    let parsed = parse_alone(context, LayerKind::Fleet, file, text);
    if !parsed.findings.is_empty() {
        let shown = findings(&parsed.source, &parsed.findings, &context.page);
        drop(anstream::stderr().lock().write_all(shown.as_bytes()));
    }
}

pub(super) fn read(path: &Path, most: usize) -> Result<Vec<u8>, Failure> {
    let file = bounded::open(path).and_then(|file| {
        trust::file(path, &file.metadata()?).map_err(std::io::Error::other)?;
        bounded::read_open(&file, most as u64)
    });
    file.map_err(|error| Failure::usage(format_args!("cannot read {}: {error}", path.display())))
}

/// Returns the path of the signature of a file.
pub(super) fn beside(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".minisig");
    file.with_file_name(name)
}

/// Returns the exit code of a refusal.
pub(super) fn exit_of(why: Refusal) -> u8 {
    match why {
        Refusal::Policy | Refusal::Header | Refusal::NeedsNewer | Refusal::TooLong => EXIT_USAGE,
        Refusal::Signature
        | Refusal::Retired
        | Refusal::OtherId
        | Refusal::RolledBack
        | Refusal::Twins
        | Refusal::Expired
        | Refusal::Weaker
        | Refusal::Previous => EXIT_REFUSED,
    }
}
