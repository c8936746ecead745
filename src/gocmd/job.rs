//! Runs the go command on a project, for as long as a download takes: `go mod download`, `go list`.
//! Always with GOTOOLCHAIN=local, so that go does not switch to (and download) another toolchain,
//! and with the GOFLAGS and GOWORK that the job sets: a user's `-mod=vendor` would change what the
//! command means.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::run::{GoCommand, Output, RunError, Settings, child_env, run_to_end};
use crate::environment::Environment;
use crate::model::mask;

/// go has no limits of its own after it is connected; a 500 MB zip on a slow line takes this long.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// Returns GODEBUG with go's own switch that forbids every request
/// (`cmd/go/internal/base/limit.go`), appended to the user's value. The checksum database is then
/// also limited to what the cache has of it.
fn without_requests(env: &Environment) -> OsString {
    match env.get("GODEBUG") {
        Some(users) => format!("{users},cmdgonetlimit=0").into(),
        None => "cmdgonetlimit=0".into(),
    }
}

/// Returns the variables that limit go to these proxies, and forbid every request.
pub fn offline(env: &Environment, proxies: impl Into<OsString>) -> [(&'static str, OsString); 4] {
    [
        ("GOPROXY", proxies.into()),
        ("GONOPROXY", "none".into()),
        ("GOVCS", "*:off".into()),
        ("GODEBUG", without_requests(env)),
    ]
}

/// A go command of a job.
#[derive(Debug)]
pub struct Job<'a> {
    /// The go command to run.
    pub go: &'a GoCommand,
    /// The user's environment.
    pub env: &'a Environment,
    /// The directory it runs in.
    pub folder: &'a Path,
    /// Variables that are set for it, over the user's. An empty value removes the name; then the go
    /// env file applies.
    pub set: Vec<(&'a str, OsString)>,
}

/// The result of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Whether the exit code is 0.
    pub success: bool,
    /// Standard output.
    pub out: Vec<u8>,
    /// Standard error, credentials removed; its first 16 KiB.
    pub err: String,
}

impl Job<'_> {
    /// Runs `go ARGS…` to its end. Ctrl-C at a terminal ends both, go and goroam.
    ///
    /// # Errors
    /// If it cannot be started or takes longer than an hour.
    pub async fn run(&self, args: &[&str]) -> Result<Ran, RunError> {
        self.run_for(args, LIMIT).await
    }

    /// Does the same within this time.
    ///
    /// # Errors
    /// If it cannot be started or takes longer.
    pub async fn run_for(&self, args: &[&str], limit: Duration) -> Result<Ran, RunError> {
        let mut settings = Settings::from([
            ("GOTOOLCHAIN", Some("local".into())),
            ("GOROOT", Some(self.go.goroot.clone().into())),
        ]);
        for (name, value) in &self.set {
            settings.insert(name, Some(value.clone()).filter(|value| !value.is_empty()));
        }
        let env = child_env(self.env, settings);
        let ran = Box::pin(run_to_end(
            &self.go.path,
            args,
            env,
            self.folder,
            limit,
            true,
        ));
        match ran.await {
            Ok(Output { success, out, err }) => Ok(Ran {
                success,
                out,
                err: mask(&String::from_utf8_lossy(&err)),
            }),
            Err(error) => Err(RunError {
                command: mask(&format!("go {}", args.join(" "))),
                why: mask(&error.to_string()),
            }),
        }
    }
}
