//! Moments at which something is due though nothing happens.

use std::time::{Duration, Instant};

/// Moments at which something is due though nothing happens.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// The next round.
    pub(super) round: Option<Instant>,
    /// A look at the network that the pace put off.
    pub(super) look: Option<Instant>,
    /// A look at the go env file, once whoever writes it is done.
    pub(super) env_file: Option<Instant>,
    /// A look at the policy file, once whoever writes it is done.
    pub(super) policy: Option<Instant>,
    /// A pin runs out.
    pub(super) pin: Option<Instant>,
}

impl Timers {
    /// The first of them.
    pub(super) fn next(&self) -> Option<Instant> {
        [self.round, self.look, self.env_file, self.policy, self.pin]
            .into_iter()
            .flatten()
            .min()
    }
}

/// Is it due? Then it is so only once.
pub(super) fn due(timer: &mut Option<Instant>, now: Instant) -> bool {
    timer.take_if(|at| *at <= now).is_some()
}

/// Sleeps until then; for ever when there is no such moment.
pub(super) async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

/// Up to 10 % sooner or later, so that a thousand machines do not ask together.
pub(super) fn jitter(wait: Duration) -> Duration {
    let mut byte = [0u8; 1];
    // Without randomness there is no jitter, which harms nobody.
    let _ = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut byte);
    wait.mul_f64(0.9 + 0.2 * f64::from(byte[0]) / 255.0)
}
