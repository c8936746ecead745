//! From a name to a TCP connection, in the same way as the go command: getaddrinfo's answer in its
//! order, with the two address families racing.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::sleep;
use url::Url;

use super::attempt::{Deadline, ProbeAttempt, within};
use super::fault::{self, ProbeFailure, ProbeOutcome, refusal};
use crate::model::go_proxy::is_short_address;
use crate::model::{Phase, Proof};

/// The head start of one address over the next (RFC 8305; Go's `net.Dialer.FallbackDelay`).
const HEAD_START: Duration = Duration::from_millis(300);
/// At most this many addresses are tried: a hostile resolver may return thousands.
const MAX_ADDRESSES: usize = 8;

/// Probes a TCP port: connects, and closes the connection.
pub(super) async fn probe(attempt: &mut ProbeAttempt, host: &str, port: u16) -> ProbeOutcome {
    let deadline = attempt.connect_deadline();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let label = peer(host, port);
    dial(attempt, deadline, (host, port), &label).await?;
    Ok((format!("{label} accepts connections"), Proof::None))
}

/// Opens a connection to `host:port` by the deadline. `host` is a name or an address without
/// brackets; `peer` is its name in messages.
pub(super) async fn dial(
    attempt: &mut ProbeAttempt,
    deadline: Deadline,
    (host, port): (&str, u16),
    peer: &str,
) -> Result<TcpStream, ProbeFailure> {
    let addresses = look_up(attempt, deadline, host, port).await?;
    let (stream, took) = within(
        deadline,
        Phase::Connect,
        || format!("no connection to {peer}"),
        race(&addresses, peer),
    )
    .await?;
    let stream = stream?;
    attempt.phases.connect.get_or_insert(took);
    // A request is one small packet: it must not wait for more data.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Returns the host without the brackets of an IPv6 address.
pub(super) fn bare_host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned()
}

/// Returns `host:port`, with an IPv6 address in brackets.
pub(super) fn peer(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

async fn look_up(
    attempt: &mut ProbeAttempt,
    deadline: Deadline,
    host: &str,
    port: u16,
) -> Result<Vec<SocketAddr>, ProbeFailure> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        // For go, an IPv4 address in IPv6 form is an IPv4 address (`netip.Addr.Unmap` in `net`).
        return Ok(vec![SocketAddr::new(ip.to_canonical(), port)]);
    }
    if !is_dialled(host) {
        return Err(no_such_name(host));
    }
    let (found, took) = within(
        deadline,
        Phase::Dns,
        || "no answer from DNS".to_owned(),
        lookup_host((host, port)),
    )
    .await?;
    attempt.phases.dns.get_or_insert(took);
    let found: Vec<SocketAddr> = found
        .map_err(|error| fault::lookup(&error, host))?
        .collect();
    if found.is_empty() {
        return Err(refusal(
            Phase::Dns,
            format!("DNS has no address for {host}"),
        ));
    }
    let mut addresses = by_turns(found);
    addresses.truncate(MAX_ADDRESSES);
    Ok(addresses)
}

/// Reports whether go would get an address for the host. Unlike `getaddrinfo`, go's own resolver,
/// which is the only one it has on Linux and the BSDs, does not accept `127.1` or `0x7f.1` as an
/// address.
pub(super) fn is_dialled(host: &str) -> bool {
    cfg!(any(windows, target_vendor = "apple")) || !is_short_address(host)
}

/// The failure for such a host.
pub(super) fn no_such_name(host: &str) -> ProbeFailure {
    refusal(
        Phase::Dns,
        format!("go takes {host} for a name, not for an address, and no DNS knows it"),
    )
}

/// Puts an address of the preferred family first, then alternates, so that one dead family costs
/// one head start.
fn by_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (preferred, other): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let mut other = other.into_iter();
    let mut order = Vec::new();
    for address in preferred {
        order.push(address);
        order.extend(other.next());
    }
    order.extend(other);
    order
}

/// Returns the first connection of several: each next address starts when the one before it has
/// failed or its head start is over. If all fail, reports the failure of the first address, as Go
/// does.
async fn race(addresses: &[SocketAddr], peer: &str) -> Result<TcpStream, ProbeFailure> {
    let mut waiting = addresses.iter().enumerate();
    let mut running = FuturesUnordered::new();
    let mut first_error = None;
    loop {
        if let Some((i, address)) = waiting.next() {
            running.push(async move { (i, TcpStream::connect(address).await) });
        }
        let head_start = async {
            if waiting.len() == 0 {
                std::future::pending::<()>().await;
            }
            sleep(HEAD_START).await;
        };
        tokio::select! {
            () = head_start => {}
            done = running.next() => match done {
                Some((_, Ok(stream))) => return Ok(stream),
                Some((i, Err(error))) => {
                    if i == 0 || first_error.is_none() {
                        first_error = Some(fault::of(&error, Phase::Connect, peer));
                    }
                    if running.is_empty() && waiting.len() == 0 {
                        break;
                    }
                }
                None => break,
            },
        }
    }
    Err(first_error
        .unwrap_or_else(|| refusal(Phase::Dns, format!("DNS has no address for {peer}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_after_the_preferred_one() {
        let parse = |list: &[&str]| -> Vec<SocketAddr> {
            list.iter().map(|a| a.parse().unwrap()).collect()
        };
        let order = by_turns(parse(&[
            "[fd00::1]:1",
            "[fd00::2]:1",
            "10.0.0.1:1",
            "10.0.0.2:1",
        ]));
        assert_eq!(
            order,
            parse(&["[fd00::1]:1", "10.0.0.1:1", "[fd00::2]:1", "10.0.0.2:1"])
        );
        let order = by_turns(parse(&["10.0.0.1:1", "[fd00::1]:1", "[fd00::2]:1"]));
        assert_eq!(order, parse(&["10.0.0.1:1", "[fd00::1]:1", "[fd00::2]:1"]));
    }

    #[tokio::test]
    async fn a_dead_first_address_costs_nothing_when_it_refuses() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let alive = listener.local_addr().unwrap();
        let dead = {
            let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            gone.local_addr().unwrap()
        };
        assert!(race(&[dead, alive], "h").await.is_ok());
        let error = race(&[dead, dead], "h").await.unwrap_err();
        assert_eq!(error.reason, "connection refused by h");
    }
}
