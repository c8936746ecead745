//! One try of one probe: its clock, its limits, and how long each phase took.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::fault::{ProbeFailure, down, in_words};
use crate::model::{Limits, Phase, Phases, Target};

/// The clock of one try.
#[derive(Debug)]
pub(super) struct ProbeAttempt {
    limits: Limits,
    start: Instant,
    end: Instant,
    /// How long it may take once the server has proven who it is.
    once_proven: Option<Duration>,
    patient: bool,
    pub(super) phases: Phases,
    /// Set once a certificate was right by the target's own `ca` only.
    pub(super) doubt: Arc<AtomicBool>,
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

impl ProbeAttempt {
    /// Begins now. `patience`: how long to wait for a first byte, if that is longer than usual.
    pub(super) fn start(target: &Target, patience: Option<Duration>) -> ProbeAttempt {
        let start = Instant::now();
        let mut attempt = ProbeAttempt {
            limits: target.limits,
            start,
            end: start + target.limits.total,
            patient: false,
            once_proven: target.patience().filter(|_| target.private),
            phases: Phases::default(),
            doubt: Arc::default(),
        };
        if let Some(patience) = patience {
            attempt.be_patient(patience);
        }
        attempt
    }

    /// A certificate has proven the server. Is it a private one, then it is there, and the
    /// public ones must not be asked in its place because it is slow.
    pub(super) fn prove(&mut self) {
        if let Some(patience) = self.once_proven.take() {
            self.be_patient(patience);
        }
    }

    /// Has it waited as long as it may?
    pub(super) fn is_patient(&self) -> bool {
        self.patient
    }

    fn be_patient(&mut self, patience: Duration) {
        let limits = &mut self.limits;
        self.patient = true;
        if patience > limits.first_byte {
            limits.first_byte = patience;
            limits.total = limits.total.max(limits.connect.saturating_add(patience));
            self.end = self.start + limits.total;
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

    /// From now, for both together: through a proxy they cannot be distinguished.
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

    /// Something that is not the target's took so long: the whole try ends later.
    pub(super) fn pause(&mut self, took: Duration) {
        self.start += took;
        self.end += took;
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
) -> Result<(T, f64), ProbeFailure> {
    let start = Instant::now();
    match timeout_at(deadline.at, wait).await {
        Ok(value) => Ok((value, milliseconds(start.elapsed()))),
        Err(_) => Err(ProbeFailure {
            silent: phase == Phase::FirstByte,
            ..down(
                phase,
                format!("{} in {}", missing(), in_words(deadline.span)),
            )
        }),
    }
}

pub(super) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
