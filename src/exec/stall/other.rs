//! For systems that do not show a process's sockets: only its output and its CPU time are known. So
//! only the silence after a `go: downloading …` is judged, with the longest limit.

use std::time::Duration;

use super::judge::Sample;

/// Samples one command.
#[derive(Debug)]
pub(in super::super) struct CommandSampler {
    leader: i32,
}

impl CommandSampler {
    /// For the command with this process ID.
    pub(in super::super) fn at(leader: i32) -> CommandSampler {
        CommandSampler { leader }
    }

    /// Takes one sample. `output`: bytes of output so far.
    pub(in super::super) fn look(
        &mut self,
        at: Duration,
        output: u64,
        last_line: &dyn Fn() -> String,
    ) -> Sample {
        let (cpu, busy) = work(self.leader);
        Sample {
            at,
            output,
            cpu,
            busy,
            sockets: None,
            downloading: last_line().starts_with("go: downloading "),
        }
    }
}

/// Returns the CPU time, and whether processes other than go and git are working. That is not known
/// here (yet), so it is assumed: a build is silent for minutes after its last download.
fn work(_leader: i32) -> (Duration, bool) {
    (Duration::ZERO, true)
}
