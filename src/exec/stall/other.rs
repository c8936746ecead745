//! Where a process's sockets cannot be seen: only what it says, and its CPU time, are known.
//! So nothing but the silence after a `go: downloading …` is judged, and by the longest limit.

use std::time::Duration;

use super::judge::Sample;

/// Looks at one command.
#[derive(Debug)]
pub(in super::super) struct CommandSampler {
    leader: i32,
}

impl CommandSampler {
    /// At the command of this number.
    pub(in super::super) fn at(leader: i32) -> CommandSampler {
        CommandSampler { leader }
    }

    /// One look. `output`: bytes that have come so far.
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

/// CPU time, and whether others than go and git are at work. Not known here (yet), so it always
/// may be: a build is silent for minutes after its last download.
fn work(_leader: i32) -> (Duration, bool) {
    (Duration::ZERO, true)
}
