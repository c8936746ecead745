//! Probes against servers that behave, misbehave or stay silent.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/probe_server.rs"]
mod server;

#[cfg(unix)]
#[path = "../support/signer.rs"]
mod signer;

#[cfg(target_os = "linux")]
mod blackhole;
mod credentials;
mod goproxy;
#[cfg(unix)]
mod h2;
#[cfg(unix)]
mod lab;
mod limits;
#[cfg(unix)]
mod local;
mod page;
#[cfg(unix)]
mod sumdb;
mod through_proxy;
mod tls;
#[cfg(unix)]
mod zip;

use std::path::Path;

use goroam::model::{Observation, Phase, Target, Verdict};
use goroam::probe::Prober;
use server::{Authority, environment};

const HERE: [&str; 2] = ["127.0.0.1", "localhost"];

async fn probe(target: &Target) -> Observation {
    let dir = tempfile::tempdir().unwrap();
    probe_with(dir.path(), &[], target).await
}

async fn probe_with(dir: &Path, vars: &[(&str, &str)], target: &Target) -> Observation {
    Prober::new(&environment(dir, vars)).probe(target).await
}

/// A probe that trusts `ca` by the target's own file.
async fn probe_trusting(ca: &Authority, mut target: Target) -> Observation {
    let dir = tempfile::tempdir().unwrap();
    target.ca = vec![ca.write(dir.path())];
    probe_with(dir.path(), &[], &target).await
}

fn said(seen: &Observation) -> (Verdict, Option<Phase>, &str) {
    (seen.verdict, seen.failed, &seen.reason)
}
