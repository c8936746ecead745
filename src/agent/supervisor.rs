//! What supervises the agent, for example a service manager: it is told of the agent's state, and
//! keeps the relay's listener between two agents.

use std::net::TcpListener;
use std::time::Duration;

use crate::model::status::Status;

/// A state that the agent reports to its supervisor, for example a service manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// The agent listens to the network and on its socket.
    Ready,
    /// Something has happened; the loop is working until [`Life::Resting`] follows.
    Working,
    /// The agent is still working; sent at least once in each [`Supervisor::heartbeat`].
    Beat,
    /// The agent waits for the next event; no timer runs except those of the policy.
    Resting,
    /// The agent reads the policy again because of a signal; [`Life::Ready`] follows.
    Reloading,
    /// The agent is ending.
    Ending,
}

/// The program that started the agent and supervises it. Its calls must not block.
pub trait Supervisor {
    /// Receives a state of the agent; `status` is the status at that time.
    fn tell(&mut self, life: Life, status: &Status);
    /// How often it expects a sign of life while the agent is working; `None`: never.
    fn heartbeat(&self) -> Option<Duration> {
        None
    }
    /// Reports whether it starts the agent again after a failure. If so, the agent may re-execute
    /// as an updated binary.
    fn starts_again(&self) -> bool {
        false
    }
    /// Keeps the relay's listener open until the next agent has it; false: it cannot. It closes the
    /// listener when no agent follows.
    fn keep(&mut self, _listener: &TcpListener) -> bool {
        false
    }
    /// Returns, once, the listener that an earlier agent has left.
    fn kept(&mut self) -> Option<TcpListener> {
        None
    }
}

/// No supervisor: the agent runs in a terminal or within a tray.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unattended;

impl Supervisor for Unattended {
    fn tell(&mut self, _: Life, _: &Status) {}
}
