//! An ICMP echo, without privileges where the system allows it.

use std::net::IpAddr;

use super::attempt::ProbeAttempt;
use super::fault::{ProbeOutcome, ProbeSuccess};
use crate::model::Proof;

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod imp;

/// One echo, and the wait for its answer.
pub(super) async fn probe(attempt: &mut ProbeAttempt, address: IpAddr) -> ProbeOutcome {
    let deadline = attempt.first_byte_deadline();
    let took = imp::echo(deadline, address).await?;
    attempt.phases.first_byte = Some(took);
    Ok(ProbeSuccess {
        reason: format!("{address} answers an echo"),
        proof: Proof::None,
    })
}

fn no_echo(address: IpAddr) -> String {
    format!("no echo from {address}")
}
