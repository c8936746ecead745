//! Asking the network what it really is: each probe sees what the go command would see, and
//! judges content, not status.
//!
//! ```text
//! Target → dns → connect → tls → first byte → body → judgement → Observation
//! ```
//!
//! - each kind of target: `goproxy`, `sumdb`, `page`, `icmp`, `dial` (TCP), `listening`, `mirror`
//! - what go would do: `rules` (which HTTP proxy), `roots`, `tls`, `certificate` and `verifier` (which
//!   certificates are right), `goauth` with `goauth_command` and `netrc` (credentials), `session`
//!   (redirects)
//! - the connection: `dial`, `tunnel` (through a proxy), `wire` (bytes, HTTP/1.1 and 2), `head`,
//!   `line` (one server, many requests), `unpack`; `attempt` keeps the time
//! - a page behind a proxy: `proxied`, by way of reqwest
//! - the words: `answer`, `failure`, `fault`
//!
//! May import: model, environment, bounded, gomod. The other wings (policy, watch) are
//! unknown here.

mod answer;
mod attempt;
mod certificate;
mod der;
mod dial;
mod failure;
mod fault;
pub mod fetch;
mod goauth;
mod goauth_command;
mod goproxy;
mod head;
mod icmp;
mod line;
mod listening;
mod mirror;
mod netrc;
mod page;
mod proxied;
mod roots;
pub mod round;
mod rules;
mod session;
mod sumdb;
#[cfg(any(target_os = "linux", windows))]
pub mod tcp_table;
mod tls;
mod tunnel;
mod unpack;
mod verifier;
mod wire;

pub use fetch::{Fetched, Fetcher, Unfetched};
pub use goauth::{GoClient, trouble as goauth_trouble};
pub use roots::{remedy, unknown_to_go};
pub use round::{Introduction, ProbeOptions, Prober, introduce};
