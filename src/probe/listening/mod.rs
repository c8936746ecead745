//! Is anything listening at an address of this machine? Nothing leaves it.

use std::net::SocketAddr;

use super::failure::{Failure, Finding, Outcome};
use crate::model::{Phase, Proof};

#[cfg(any(target_os = "linux", windows, test))]
mod answers;
#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(windows, path = "windows.rs")]
#[cfg_attr(not(any(target_os = "linux", windows)), path = "connecting.rs")]
mod imp;

/// Looks, without connecting where the system can tell.
pub(super) async fn probe(address: SocketAddr) -> Outcome {
    if imp::is_listening(address).await? {
        return Ok(Finding {
            reason: format!("something listens at {address}"),
            proof: Proof::None,
        });
    }
    let reason = format!("nothing listens at {address}");
    Err(Failure::refusal(Phase::Connect, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_listener_of_this_machine_is_seen_until_it_ends() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        probe(address).await.unwrap();
        drop(listener);
        let failure = probe(address).await.unwrap_err();
        assert_eq!(failure.reason, format!("nothing listens at {address}"));
    }

    #[tokio::test]
    async fn nobody_is_asked_at_another_machines_address() {
        // TEST-NET-1, which no machine has.
        let failure = probe("192.0.2.1:443".parse().unwrap()).await.unwrap_err();
        assert_eq!(failure.reason, "nothing listens at 192.0.2.1:443");
    }
}
