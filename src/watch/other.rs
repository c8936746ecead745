//! For other systems: their routes are not read, and this is reported as a problem. if-watch still
//! reports addresses.

use std::io;

use tokio::task::AbortHandle;

use super::source::{Addresses, Hint, HintInbox, HintSource, start};
use crate::model::{Route, Rule};

pub(super) use super::resolv_conf::{resolver, resolver_files};

pub(super) fn tables() -> io::Result<(Vec<Route>, Vec<Rule>)> {
    Ok((Vec::new(), Vec::new()))
}

/// The router is not read on this system.
pub(super) fn link_layer_address(_: u32, _: std::net::IpAddr) -> Option<Vec<u8>> {
    None
}

/// Starts the sources of this system.
pub(super) fn start_sources(inbox: &HintInbox) -> Vec<AbortHandle> {
    vec![start::<RouteMessages>(inbox), start::<Addresses>(inbox)]
}

/// A source that never opens.
struct RouteMessages;

impl HintSource for RouteMessages {
    const NAME: &'static str = "route messages";

    fn open() -> io::Result<RouteMessages> {
        let kind = io::ErrorKind::Unsupported;
        Err(io::Error::new(kind, "not known on this system"))
    }

    async fn next(&mut self) -> io::Result<Hint> {
        std::future::pending().await
    }
}
