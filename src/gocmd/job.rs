//! The go command on a project, for as long as a download takes: `go mod download`, `go list`.
//! Always with GOTOOLCHAIN=local, so that no toolchain is switched to (and downloaded) on the
//! way, and with the GOFLAGS and GOWORK that the job says: a user's `-mod=vendor` would change
//! what the command means.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::run::{GoCommand, Output, RunError, Settings, child_env, run_to_end};
use crate::environment::Environment;
use crate::model::mask;

/// go has no limits of its own once it is connected; a 500 MB zip on a slow line takes this long.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// GODEBUG with go's own switch that forbids every request (`cmd/go/internal/base/limit.go`), behind
/// what the user has set: the checksum database, too, is then what the cache has of it.
pub fn without_requests(env: &Environment) -> OsString {
    match env.get("GODEBUG") {
        Some(users) => format!("{users},cmdgonetlimit=0").into(),
        None => "cmdgonetlimit=0".into(),
    }
}

/// A go command of a job.
#[derive(Debug)]
pub struct Job<'a> {
    /// Which go.
    pub go: &'a GoCommand,
    /// The user's environment.
    pub env: &'a Environment,
    /// Where it runs.
    pub folder: &'a Path,
    /// Variables that are set for it, over the user's. An empty value leaves the name out; then
    /// the go env file has its say.
    pub set: Vec<(&'a str, OsString)>,
}

/// What a job said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Exit code 0.
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
    /// When it cannot be started or takes longer than an hour.
    pub async fn run(&self, args: &[&str]) -> Result<Ran, RunError> {
        self.run_for(args, LIMIT).await
    }

    /// The same within this time.
    ///
    /// # Errors
    /// When it cannot be started or takes longer.
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
