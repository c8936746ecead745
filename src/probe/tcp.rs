//! A TCP connection that is accepted.

use super::attempt::Attempt;
use super::dial::{dial, peer};
use super::failure::{Finding, Outcome};
use crate::model::Proof;

/// Connects, and hangs up.
pub(super) async fn probe(attempt: &mut Attempt, host: &str, port: u16) -> Outcome {
    let deadline = attempt.connect_deadline();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let label = peer(host, port);
    dial(attempt, deadline, (host, port), &label).await?;
    Ok(Finding {
        reason: format!("{label} accepts connections"),
        proof: Proof::None,
    })
}
