//! The table of listeners, as `netstat` has it.

use std::io;
use std::net::SocketAddr;

use super::answers::answers;
use crate::model::Phase;
use crate::probe::failure::Failure;
use crate::probe::tcp_table::listeners;

#[expect(
    clippy::unused_async,
    reason = "the signature must match the other systems'"
)]
pub(super) async fn is_listening(address: SocketAddr) -> Result<bool, Failure> {
    let unread = |error: io::Error| {
        let reason = format!("the system's table of listeners cannot be read: {error}");
        Failure::down(Phase::Connect, reason)
    };
    let all = listeners().map_err(unread)?;
    Ok(all.iter().any(|row| answers(row.local, address)))
}
