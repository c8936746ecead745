//! The go command on a project, for as long as a download takes: `go mod download`, `go list`.
//! Always with GOTOOLCHAIN=local, so that no toolchain is switched to (and downloaded) on the
//! way, and with the GOFLAGS and GOWORK that the job says: a user's `-mod=vendor` would change
//! what the command means.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::run::{Bounds, Output, RunError, within};
use super::version::GoCommand;
use crate::environment::{Environment, is_same_name};
use crate::model::mask;

/// go has no limits of its own once it is connected; a 500 MB zip on a slow line takes this long.
const LIMIT: Duration = Duration::from_secs(60 * 60);
/// Bytes; `go list -m -json all` of a graph of 20,000 modules.
const MOST_OUT: u64 = 64 << 20;

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
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let bounds = Bounds {
            folder: self.folder,
            limit,
            most_out: MOST_OUT,
            group: false,
        };
        match Box::pin(within(&self.go.path, &args, self.variables(), &bounds)).await {
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

    fn variables(&self) -> Vec<(OsString, OsString)> {
        let mut set: BTreeMap<&str, OsString> = [
            ("GOTOOLCHAIN", "local".into()),
            ("GOROOT", self.go.goroot.clone().into()),
        ]
        .into();
        set.extend(self.set.iter().cloned());
        let users = self.env.all().filter(|(name, _)| {
            let mut names = set.keys();
            !names.any(|other| is_same_name(name, other))
        });
        let users: Vec<(OsString, OsString)> = users
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let set = set.into_iter().filter(|(_, value)| !value.is_empty());
        let set = set.map(|(name, value)| (name.into(), value));
        users.into_iter().chain(set).collect()
    }
}
