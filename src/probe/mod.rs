//! Asking the network what it really is: each probe sees what the go command would see, and
//! judges content, not status.
//!
//! ```text
//! Target → dns → connect → tls → first byte → body → judgement → Observation
//! ```
//!
//! - each kind of target: `goproxy`, `sumdb`, `page`, `icmp`, `tcp`, `listening`, `mirror`
//! - what go would do: `rules` (which HTTP proxy), `roots`, `tls` and `verifier` (whom to trust), `goauth`
//!   with `handed`, `helper` and `netrc` (credentials), `session` (redirects)
//! - meeting a server for the first time: `introduction`, `noted`
//! - the way there: `dial`, `tunnel` (through a proxy), `wire` (bytes, HTTP/1.1 and 2), `head`,
//!   `spoken`, `line` (one server, many requests), `unpack`; `attempt` keeps the time
//! - a page behind a proxy: `proxied`, by way of reqwest
//! - the words: `answer`, `refusal`, `failure`, `fault`
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
mod goproxy;
mod handed;
mod head;
mod header;
mod helper;
mod hints;
mod icmp;
mod introduction;
mod line;
mod listening;
mod mirror;
mod netrc;
mod noted;
mod page;
mod proxied;
mod refusal;
mod roots;
pub mod round;
mod rules;
mod session;
mod spoken;
mod sumdb;
mod tcp;
#[cfg(windows)]
pub mod tcp_table;
mod tls;
mod tunnel;
mod unpack;
mod verifier;
mod wire;

pub use fetch::{Fetched, Fetcher, Unfetched};
pub use goauth::{Manner, trouble as goauth_trouble};
pub use introduction::{Introduction, introduce};
pub use roots::{remedy, unknown_to_go};
pub use round::Care;
pub use round::Prober;
