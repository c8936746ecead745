//! What `verify` and `sign` both do.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::agent::error::EXIT_DONE;
use crate::cli::render::{Mark, Sheet, clean, findings};
use crate::cli::{Context, Failure};
use crate::policy::Policy;
use crate::policy::file::{PolicyLocation, parse};
use crate::policy::fleet::PolicyHeader;
use crate::{bounded, trust};

/// The JSON form of `verify` and `sign`.
#[derive(Debug, Serialize)]
struct Verified<'a> {
    file: String,
    id: Option<&'a str>,
    version: Option<u64>,
    issued: Option<jiff::Timestamp>,
    expires: Option<jiff::Timestamp>,
    key: Option<String>,
}

/// Prints everything that is wrong with a policy, and returns it without that, if it is usable.
pub(super) fn complain(context: &Context, file: &Path, text: &str) -> Option<Policy> {
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let home = context.env.home();
    let location = PolicyLocation {
        folder: absolute.parent().unwrap_or(Path::new("/")),
        home: home.as_deref(),
    };
    let mut parsed = parse(text, location);
    if let Some(part) = parsed.source.parts.first_mut() {
        part.path = file.to_owned();
    }
    if !parsed.findings.is_empty() {
        let shown = findings(&parsed.source, &parsed.findings, &context.page);
        drop(anstream::stderr().lock().write_all(shown.as_bytes()));
    }
    parsed.policy
}

pub(super) fn show(
    context: &Context,
    file: &Path,
    header: &PolicyHeader,
    key: Option<String>,
    json: bool,
    did: &str,
) -> Result<u8, Failure> {
    let verified = Verified {
        file: file.display().to_string(),
        id: header.id.as_deref(),
        version: header.version,
        issued: header.issued,
        expires: header.expires,
        key,
    };
    context.show(json, &verified, |verified, page| {
        let mut sheet = Sheet::new(page.columns);
        let (id, version) = (
            verified.id.unwrap_or_default(),
            verified.version.unwrap_or(0),
        );
        let key = verified.key.as_deref().unwrap_or_default();
        let file = clean(&verified.file);
        let line = format!(
            "{file}: {} version {version}, {did} by key {key}",
            clean(id)
        );
        sheet.marked(Mark::Good, &line);
        if let Some(expires) = verified.expires {
            sheet.entry("  ", &format!("expires {}", page.moment(expires)));
        }
        sheet.finish()
    })?;
    Ok(EXIT_DONE)
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
