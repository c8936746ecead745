//! The last policy that could be used, kept privately: an edit, or an upgrade whose checks are
//! stricter, must not leave a machine without one.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::clock;
use super::error::Error;
use super::policy_file::{Loaded, settle};
use crate::environment::Environment;
use crate::gomod::sum::sha256_hex;
use crate::model::status::LastGood;
use crate::paths::Paths;
use crate::policy::file::{Place, parse_kept};
use crate::state::file;

/// A policy of 1 MiB as a JSON string.
const MOST_BYTES: u64 = 8 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// The policy file that it was read from.
    path: String,
    text: String,
    /// SHA-256 of the text, in hexadecimal.
    sha256: String,
    /// When it was last found good.
    at: Timestamp,
    /// The goroam that found it good.
    version: String,
}

/// Keeps a policy that was just found good. The built-in one needs no keeping: where it is
/// wanted in the place of a file, the file's is not.
pub(super) fn keep(paths: &Paths, loaded: &Loaded) {
    let Some(path) = &loaded.path else {
        // Most of the time there is none.
        let _ = std::fs::remove_file(paths.last_good());
        return;
    };
    let sha256 = sha256_hex(loaded.text.as_bytes());
    let path = path.display().to_string();
    let version = env!("CARGO_PKG_VERSION");
    let is_known = read(paths)
        .is_some_and(|kept| kept.path == path && kept.sha256 == sha256 && kept.version == version);
    if is_known {
        return;
    }
    let kept = Kept {
        path,
        text: loaded.text.clone(),
        sha256,
        at: clock::now(),
        version: version.to_owned(),
    };
    let saved = serde_json::to_vec_pretty(&kept)
        .map_err(std::io::Error::from)
        .and_then(|bytes| file::replace(&paths.last_good(), &bytes));
    if let Err(error) = saved {
        tracing::warn!("{}: {error}", paths.last_good().display());
    }
}

/// The last good policy in the place of one that is refused or gone, and what is to be said of it.
/// Profiles that weaken verification in a way that is refused now are left out.
pub(super) fn instead(
    paths: &Paths,
    env: &Environment,
    refused: &Error,
) -> Option<(Loaded, LastGood)> {
    let kept = read(paths)?;
    // Another file's, or one that somebody has changed, is not the last good one of this.
    let is_its = kept.path == paths.policy.display().to_string();
    if !is_its || kept.sha256 != sha256_hex(kept.text.as_bytes()) {
        return None;
    }
    let home = env.home();
    let folder = paths.policy.parent();
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
    let place = Place {
        folder: folder.unwrap_or(Path::new(".")),
        home: home.as_deref(),
    };
    let (policy, left_out) = parse_kept(&kept.text, place)?;
    let mut loaded = Loaded {
        policy,
        path: Some(paths.policy.clone()),
        text: kept.text,
        warnings: Vec::new(),
    };
    settle(&mut loaded, paths, env);
    let told = LastGood {
        at: kept.at,
        sha256: kept.sha256,
        refused: refused.to_string(),
        left_out,
    };
    Some((loaded, told))
}

fn read(paths: &Paths) -> Option<Kept> {
    let bytes = file::read(&paths.last_good(), MOST_BYTES).ok()??;
    serde_json::from_slice(&bytes).ok()
}
