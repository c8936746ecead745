//! What `verify` and `sign` both do.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::agent::error::EXIT_DONE;
use crate::cli::render::{Mark, Sheet, clean, findings};
use crate::cli::verb::check::parse_alone;
use crate::cli::{Context, Failure};
use crate::policy::Policy;
use crate::policy::fleet::{PolicyHeader, signer};
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

/// Prints everything that is wrong with a policy, and returns it without that, if it is usable.
pub(super) fn complain(context: &Context, file: &Path, text: &str) -> Option<Policy> {
    let parsed = parse_alone(context, file, text);
    if !parsed.findings.is_empty() {
        let shown = findings(&parsed.source, &parsed.findings, &context.page);
        drop(anstream::stderr().lock().write_all(shown.as_bytes()));
    }
    parsed.policy
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
