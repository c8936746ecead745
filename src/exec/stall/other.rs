//! For systems that do not show a process's sockets: nothing is known to wait for the network.

use std::time::Duration;

use super::judge::Sample;

/// Samples one command.
#[derive(Debug)]
pub(in super::super) struct CommandSampler;

impl CommandSampler {
    /// For the command with this process ID.
    pub(in super::super) fn at(_leader: i32) -> CommandSampler {
        CommandSampler
    }

    /// Takes one sample. `output`: bytes of output so far.
    pub(in super::super) fn look(&mut self, at: Duration, output: u64) -> Sample {
        Sample {
            at,
            output,
            cpu: Duration::ZERO,
            busy: true,
            sockets: Vec::new(),
        }
    }
}
