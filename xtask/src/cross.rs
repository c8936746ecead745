//! `cargo xtask cross`: type-checking (and for Windows, testing under Wine) on a Linux machine.

use std::process::Command;

use crate::run::{self, Result};

/// `setup`, or `check|clippy|build|test [TARGETS [CARGO ARGUMENTS]]`.
pub fn cross(args: &[String]) -> Result {
    let scripts = run::root().join("xtask/cross");
    match args.split_first() {
        Some((verb, rest)) if verb == "setup" => {
            run::show(Command::new(scripts.join("setup")).args(rest))
        }
        Some((verb, rest)) if matches!(verb.as_str(), "check" | "clippy" | "build" | "test") => {
            let (targets, rest) = match rest.split_first() {
                Some((targets, rest)) if !targets.starts_with('-') => (targets.as_str(), rest),
                _ => ("win,mac", rest),
            };
            let mut check = Command::new(scripts.join("check"));
            run::show(check.arg(run::root()).args([targets, verb]).args(rest))
        }
        _ => Err("cross setup, or cross check|clippy|build|test [win,mac,mac-intel]".to_owned()),
    }
}
