//! One try of one probe: its clock, its limits, and how long each phase took.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use url::Url;

use super::fault::{ProbeFailure, down, in_words, refusal, wrong};
use crate::model::text::milliseconds;
use crate::model::{Cause, Limits, Phase, Phases, Target};

/// Takes the body of a file, piece by piece.
pub trait BodySink: Send + Sync {
    /// Hears which part of the file comes: all of it, or the rest that was asked for.
    ///
    /// # Errors
    /// When it cannot be stored.
    fn begin(&mut self, part: &FilePart) -> io::Result<()>;

    /// Takes the next bytes.
    ///
    /// # Errors
    /// When they cannot be stored.
    fn write(&mut self, data: &[u8]) -> io::Result<()>;
}

/// A file from this byte on, in the state that the server names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePart {
    /// The first byte.
    pub from: u64,
    /// The length of the whole file, if the server says it.
    pub total: Option<u64>,
    /// The strong entity tag: two files with the same one are equal byte by byte (RFC 9110, 8.8.3).
    pub etag: Option<String>,
}

/// Receives the body of a 200, or of a 206 if the rest of a file was asked for.
pub struct Download {
    /// Takes the body.
    pub sink: Box<dyn BodySink>,
    /// How many bytes it takes; a longer body is refused.
    pub most: u64,
    /// How long no byte may come.
    pub stall: Duration,
    /// What is already there: only the rest is asked for, if the server still has the same file.
    pub resume: Option<FilePart>,
    /// Servers that must not see the path: a redirect to one of them is not followed.
    pub never_to: Vec<Url>,
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").finish_non_exhaustive()
    }
}

impl Download {
    pub(super) fn save(&mut self, data: &[u8], peer: &str) -> Result<(), ProbeFailure> {
        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
        self.most = self.most.checked_sub(length).ok_or_else(|| {
            let reason = format!("{peer} sends more than a file of this kind may have");
            wrong(Phase::Body, reason)
        })?;
        let stored = self.sink.write(data);
        stored.map_err(|error| Download::not_stored(peer, &error))
    }

    pub(super) fn begin(&mut self, part: &FilePart, peer: &str) -> Result<(), ProbeFailure> {
        let begun = self.sink.begin(part);
        begun.map_err(|error| Download::not_stored(peer, &error))
    }

    fn not_stored(peer: &str, error: &io::Error) -> ProbeFailure {
        let reason = format!("what {peer} sends cannot be stored: {error}");
        refusal(Phase::Body, reason)
    }
}

/// The clock of one try.
#[derive(Debug)]
pub(super) struct ProbeAttempt {
    limits: Limits,
    start: Instant,
    end: Instant,
    /// The time limit once the server has proven its identity.
    once_proven: Option<Duration>,
    patient: bool,
    pub(super) phases: Phases,
    /// Set if a certificate was right only by the target's own `ca`.
    pub(super) doubt: Arc<AtomicBool>,
    /// Receives the body of a 200.
    pub(super) download: Option<Download>,
}

/// The moment by which a phase must end, and the length of its time limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    at: Instant,
    span: Duration,
}

impl Deadline {
    /// The remaining time.
    pub(super) fn remaining(self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }
}

impl ProbeAttempt {
    /// Starts now. `patience`: how long to wait for a first byte, if that is longer than usual.
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
            download: None,
        };
        if let Some(patience) = patience {
            attempt.be_patient(patience);
        }
        attempt
    }

    /// Notes that a certificate has proven the server. If the server is a private one, it is
    /// reachable, and the public servers must not be asked instead because it is slow.
    pub(super) fn prove(&mut self) {
        if let Some(patience) = self.once_proven.take() {
            self.be_patient(patience);
        }
    }

    /// Reports whether it waited as long as it may.
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

    /// The limit for DNS, TCP and TLS together, from now; never beyond the end of the try.
    pub(super) fn connect_deadline(&self) -> Deadline {
        self.deadline(self.limits.connect)
    }

    /// The limit for the first byte of an answer, from now.
    pub(super) fn first_byte_deadline(&self) -> Deadline {
        self.deadline(self.limits.first_byte)
    }

    /// The limit for connection and answer together, from now: through a proxy they cannot be
    /// distinguished.
    pub(super) fn answer_deadline(&self) -> Deadline {
        self.deadline(self.limits.connect.saturating_add(self.limits.first_byte))
    }

    /// The limit for the next bytes of a download, from now.
    pub(super) fn stall_deadline(&self, stall: Duration) -> Deadline {
        self.deadline(stall)
    }

    /// The end of the try.
    pub(super) fn end(&self) -> Deadline {
        Deadline {
            at: self.end,
            span: self.limits.total,
        }
    }

    /// Extends the try by a time that the target did not cause.
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

/// Waits for one phase, at most until its deadline. Returns the result and the milliseconds it
/// took.
///
/// `missing` names what did not come, as in "no answer from DNS"; the time is added after it.
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
            cause: match phase {
                Phase::Dns => Cause::Dns,
                Phase::Connect | Phase::Tls => Cause::Timeout,
                Phase::FirstByte | Phase::Body | Phase::Content => Cause::Stalled,
            },
            silent: phase == Phase::FirstByte,
            timed_out: true,
            ..down(
                phase,
                format!("{} in {}", missing(), in_words(deadline.span)),
            )
        }),
    }
}
