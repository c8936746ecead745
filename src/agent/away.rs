//! Files that are not there for a moment: a folder of settings is moved aside and back, a
//! checkout or a synchronisation writes it again. Until they have been away for a while, nothing
//! is made of it, and above all nothing is created in their place.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// Longer than programs that exchange a folder of settings take.
const SETTLES: Duration = Duration::from_secs(5);

/// Since when a file that was there is not.
#[derive(Debug, Default)]
pub(super) struct Away(Option<Instant>);

impl Away {
    /// One that is away already has been so for long.
    pub(super) fn at_start(is_away: bool) -> Away {
        let since = Instant::now().checked_sub(SETTLES);
        Away(since.filter(|_| is_away))
    }

    /// Until when nothing is made of it; `None`: it is there, or has been away for long.
    pub(super) fn settles(&mut self, is_away: bool, now: Instant) -> Option<Instant> {
        if !is_away {
            self.0 = None;
            return None;
        }
        let end = *self.0.get_or_insert(now) + SETTLES;
        (end > now).then_some(end)
    }
}

/// Has the path a name? A link to nowhere has one, and so may have what cannot be looked at.
pub(super) fn is_there(path: &Path) -> bool {
    let error = match std::fs::symlink_metadata(path) {
        Ok(_) => return true,
        Err(error) => error.kind(),
    };
    !matches!(
        error,
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
