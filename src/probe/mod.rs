//! Tests what the network really provides: each probe sees what the go command would see, and
//! judges content, not status.
//!
//! ```text
//! Target → dns → connect → tls → first byte → body → judgement → Observation
//! ```
//!
//! - each kind of target: `goproxy`, `sumdb`, `page`, `icmp`, `dial` (TCP), `local` (a listener, a
//!   mirror)
//! - what go would do: `credentials` with `goauth`, `session` (redirects), `tls` (which roots),
//!   `verifier` (which certificates are right), `tunnel` (which proxy, and the connection through
//!   it)
//! - the connection: `dial`, `wire` (bytes, TLS, and HTTP/2 by hyper), `http1` (by go's rules),
//!   `connection` (one server, many requests); `attempt` measures time and enforces limits
//! - a page behind a proxy: `proxied`, through reqwest; JSON for a collector: `post`
//! - answers and error messages: `answer`, `fault`
//!
//! May import: model, environment, bounded, gomod. This room does not know policy and watch.

mod answer;
mod attempt;
mod connection;
mod credentials;
mod dial;
mod fault;
pub mod fetch;
mod goauth;
mod goproxy;
mod http1;
#[cfg_attr(unix, path = "icmp/unix.rs")]
#[cfg_attr(windows, path = "icmp/windows.rs")]
mod icmp;
mod local;
mod page;
pub mod post;
mod proxied;
pub mod round;
mod session;
mod speed;
mod sumdb;
#[cfg_attr(target_os = "linux", path = "tcp_table/linux.rs")]
#[cfg_attr(windows, path = "tcp_table/windows.rs")]
#[cfg(any(target_os = "linux", windows))]
pub mod tcp_table;
mod tls;
mod tunnel;
mod verifier;
mod wire;

pub use attempt::{BodySink, Download, FilePart};
pub use credentials::GoClient;
pub use fetch::{Fetched, Fetcher, Unfetched};
pub use goauth::trouble as goauth_trouble;
pub use round::{Introduction, ProbeOptions, Prober, introduce};
pub use tls::{remedy, unknown_to_go};
