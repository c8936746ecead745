//! Asking the network what it really is: each probe sees what the go command would see, and
//! judges content, not status.
//!
//! ```text
//! Target → dns → connect → tls → first byte → body → judgement → Observation
//! ```
//!
//! - each kind of target: `goproxy`, `sumdb`, `page`, `icmp`, `dial` (TCP), `listening`, `mirror`
//! - what go would do: `rules` (which HTTP proxy), `roots`, `tls`, `verifier` with `der` (which
//!   certificates are right), `credentials` with `goauth`, `session` (redirects)
//! - the connection: `dial`, `tunnel` (through a proxy), `wire` (bytes and TLS), `http1` (by go's
//!   rules), `http2` (by hyper), `connection` (one server, many requests), `unpack`; `attempt` keeps
//!   the time
//! - a page behind a proxy: `proxied`, by way of reqwest
//! - the words: `answer`, `fault`
//!
//! May import: model, environment, bounded, gomod. The other wings (policy, watch) are
//! unknown here.

mod answer;
mod attempt;
mod connection;
mod credentials;
mod der;
mod dial;
mod fault;
pub mod fetch;
mod goauth;
mod goproxy;
mod http1;
mod http2;
mod icmp;
mod listening;
mod mirror;
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

pub use credentials::GoClient;
pub use fetch::{Fetched, Fetcher, Unfetched};
pub use goauth::trouble as goauth_trouble;
pub use roots::{remedy, unknown_to_go};
pub use round::{Introduction, ProbeOptions, Prober, introduce};
