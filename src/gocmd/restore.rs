//! Putting the go env file back as it was before goroam's first write, byte for byte.

use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::copy::{Copy, Place, sync, sync_folder};
use super::envfile::{EnvFile, read_open};
use super::failure::ApplyError;
use super::in_place::InPlace;
use super::swap::{Swapped, swap, take_away};

/// How long a writer that had the file open is waited for.
const QUIET: Duration = Duration::from_millis(15);

/// Why the file was not put back.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Somebody changed the file since; what they wrote is there as they left it.
    #[error("{path} has been changed by somebody else; nothing was put back")]
    Changed {
        /// Which file.
        path: PathBuf,
    },
    /// It cannot be written.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

/// Puts these bytes in the file's place in one step, or removes it where there was none
/// (`None`), but only while it still holds `expect`. Who may read and write it stays, the folder
/// too. A file that cannot be replaced or removed is written in place; it is then empty where
/// there was none, and the reason is returned.
/// No file at all counts as an empty one in `expect`.
///
/// # Errors
/// [`RestoreError::Changed`] when it holds something else, also when somebody changed it
/// during the call.
pub async fn restore(
    file: &EnvFile,
    bytes: Option<Vec<u8>>,
    expect: &[u8],
) -> Result<Option<InPlace>, RestoreError> {
    let place = Place::resolve(&file.path)?;
    let changed = || RestoreError::Changed {
        path: place.path.clone(),
    };
    let found = place.read()?;
    if found.as_deref().unwrap_or_default() != expect {
        return Err(changed());
    }
    if found == bytes {
        return Ok(None);
    }
    place.make_ready()?;
    let path = &place.path;
    let failed =
        |error| RestoreError::from(ApplyError::refused(path, path, "cannot be put back", error));
    let mut copy = Copy::new(&place, bytes.as_deref().unwrap_or_default())?;
    copy.sync().await.map_err(failed)?;
    let swapped = match bytes {
        Some(_) => swap(&mut copy, &place, found.as_deref()),
        None => take_away(&place, &mut copy, expect),
    };
    let old = match swapped.map_err(failed)? {
        Swapped::Done(old) => old,
        Swapped::InPlace(file, why) => {
            sync(&file).await.map_err(failed)?;
            return Ok(Some(why));
        }
        Swapped::Moved => return Err(changed()),
    };
    sync_folder(place.folder()).await;
    if let Some(old) = old
        && let Some(theirs) = written_since(&old, expect).await.map_err(failed)?
    {
        put_back(&place, &theirs)?;
        return Err(changed());
    }
    Ok(None)
}

/// What a writer who had slipped in made of the old file.
async fn written_since(old: &File, expect: &[u8]) -> std::io::Result<Option<Vec<u8>>> {
    let started = Instant::now();
    loop {
        let is_last = started.elapsed() >= QUIET;
        let now = read_open(old)?;
        if now != expect && (is_last || !now.is_empty()) {
            return Ok(Some(now));
        }
        if is_last {
            return Ok(None);
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

fn put_back(place: &Place, bytes: &[u8]) -> Result<(), ApplyError> {
    let failed = |error| ApplyError::file(&place.path, "cannot be put back", error);
    let mut copy = Copy::new(place, bytes)?;
    copy.let_go().map_err(failed)?;
    std::fs::rename(&copy.path, &place.path).map_err(failed)?;
    copy.is_gone();
    Ok(())
}
