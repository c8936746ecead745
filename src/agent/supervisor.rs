//! Whoever started the agent and looks after it, and what it is told.

use std::path::PathBuf;

use crate::model::status::Status;

/// What the agent tells whoever started it and looks after it: a service manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It listens, on the network and on its socket.
    Ready,
    /// Something has happened; the loop is at work until [`Life::Resting`] follows.
    Working,
    /// It still works; at least once in [`Supervisor::heartbeat`].
    Beat,
    /// It waits for the next event; no timer but those of the policy runs.
    Resting,
    /// It reads the policy again, as a signal asked it to; [`Life::Ready`] follows.
    Reloading,
    /// It ends.
    Ending,
}

/// Whoever started the agent and looks after it. Its calls must not block.
pub trait Supervisor {
    /// Tells it how the agent does; `status` is what is true then.
    fn tell(&mut self, life: Life, status: &Status);
    /// While the agent is at work, how often it wants to hear so; `None`: not at all.
    fn heartbeat(&self) -> Option<std::time::Duration> {
        None
    }
    /// Does it start the agent again when that has failed? Then the agent may go on as the
    /// program that has taken its own program's place.
    fn starts_again(&self) -> bool {
        false
    }
}

/// Why the agent has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// By a signal, or somebody asked it to.
    Asked,
    /// Its program was replaced; it is to go on as the new one, at this path.
    Replaced(PathBuf),
}

/// Nobody looks after it: it runs in a terminal or within a tray.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unattended;

impl Supervisor for Unattended {
    fn tell(&mut self, _: Life, _: &Status) {}
}
