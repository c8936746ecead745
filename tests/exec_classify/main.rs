//! What `goroam exec` makes of real runs of real go commands.

// A helper of tests may panic.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod code;
mod forged;
mod more;
mod mutated;
mod recorded;

use goroam::exec::{Classified, CommandOutput, Exit, classify};
use recorded::{expected, recorded};

/// The proxies of most recordings. They are not needed to understand them, and others are tried.
fn judge(stderr: &str, exit: &str) -> Classified {
    let proxies = ["http://127.0.0.1:8080".to_owned(), "direct".to_owned()];
    let (exit, killed) = match exit.parse() {
        Ok(code) => (Exit::Code(code), None),
        Err(_) => (Exit::Signal(9), Some("nothing moved for 30 s")),
    };
    classify(&CommandOutput {
        stderr,
        build_output: "",
        exit,
        proxies: &proxies,
        killed,
    })
}

#[test]
fn every_recorded_run_is_told_rightly() {
    let runs = recorded();
    assert!(runs.len() >= 775, "{}", runs.len());
    let mut wrong = Vec::new();
    for run in &runs {
        let seen = judge(&run.stderr, &run.exit);
        let want = expected(run);
        if seen.class != want {
            wrong.push(format!("{run:?}: wanted {want}, got {seen:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
