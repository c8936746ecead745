//! One try of one probe: its clock, its limits, and how long each phase took.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::failure::{Failure, in_words};
use crate::model::{Limits, Phase, Phases};

/// The clock of one try.
#[derive(Debug)]
pub(super) struct Attempt {
    limits: Limits,
    end: Instant,
    pub(super) phases: Phases,
}

/// A moment by which a phase must be over, and how long it had.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    at: Instant,
    span: Duration,
}

impl Deadline {
    /// What is left of it.
    pub(super) fn remaining(self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }
}

impl Attempt {
    pub(super) fn start(limits: Limits) -> Attempt {
        Attempt {
            limits,
            end: Instant::now() + limits.total,
            phases: Phases::default(),
        }
    }

    /// From now, for DNS, TCP and TLS together; never beyond the whole try's end.
    pub(super) fn connect_deadline(&self) -> Deadline {
        self.deadline(self.limits.connect)
    }

    /// From now, for the first byte of an answer.
    pub(super) fn first_byte_deadline(&self) -> Deadline {
        self.deadline(self.limits.first_byte)
    }

    /// From now, for both together: through a proxy they cannot be told apart.
    pub(super) fn answer_deadline(&self) -> Deadline {
        self.deadline(self.limits.connect.saturating_add(self.limits.first_byte))
    }

    /// The whole try's end.
    pub(super) fn end(&self) -> Deadline {
        Deadline {
            at: self.end,
            span: self.limits.total,
        }
    }

    fn deadline(&self, span: Duration) -> Deadline {
        let at = Instant::now() + span;
        if at < self.end {
            Deadline { at, span }
        } else {
            self.end()
        }
    }
}

/// Waits for one phase, no longer than its deadline. Gives what came and the milliseconds it took.
///
/// `missing` says what did not come, as in "no answer from DNS"; the time is put behind it.
pub(super) async fn within<T>(
    deadline: Deadline,
    phase: Phase,
    missing: impl FnOnce() -> String,
    wait: impl Future<Output = T>,
) -> Result<(T, f64), Failure> {
    let start = Instant::now();
    match timeout_at(deadline.at, wait).await {
        Ok(value) => Ok((value, milliseconds(start.elapsed()))),
        Err(_) => Err(Failure::down(
            phase,
            format!("{} in {}", missing(), in_words(deadline.span)),
        )),
    }
}

pub(super) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
