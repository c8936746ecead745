//! Two commands without an agent take their turns one after the other: the second then sees
//! what the first has written, instead of taking it for somebody else's change.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use super::error::Error;
use crate::state::file::private_folder;
use crate::state::lock;

/// As long as a turn may take: every target's tries, and a go command that is slow to start.
const PATIENCE: Duration = Duration::from_secs(60);
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// Held while a turn is taken without an agent; given back by the kernel in any case.
#[derive(Debug)]
pub(crate) struct TurnLock {
    _file: File,
}

impl TurnLock {
    /// Waits for it.
    ///
    /// # Errors
    /// When the state folder cannot be used, or another turn takes a minute.
    pub(crate) async fn take(state: &Path) -> Result<TurnLock, Error> {
        let path = state.join("turn.lock");
        let fail = |source: std::io::Error| Error::State {
            what: format!("cannot lock {}", path.display()),
            source: source.into(),
        };
        private_folder(state).map_err(fail)?;
        let file = lock::open(&path).map_err(fail)?;
        let locked = async {
            loop {
                match file.try_lock() {
                    Ok(()) => return Ok(()),
                    Err(TryLockError::WouldBlock) => tokio::time::sleep(BETWEEN_TRIES).await,
                    Err(TryLockError::Error(source)) => return Err(fail(source)),
                }
            }
        };
        match tokio::time::timeout(PATIENCE, locked).await {
            Ok(result) => result?,
            Err(_) => {
                let why = "another goroam command has held it for a minute";
                return Err(fail(std::io::Error::new(std::io::ErrorKind::TimedOut, why)));
            }
        }
        Ok(TurnLock { _file: file })
    }
}
