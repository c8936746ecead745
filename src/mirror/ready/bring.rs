//! Brings what a project lacks.

use std::path::{Path, PathBuf};

use super::judge::Verdict;
use super::needs_toolchain;
use crate::environment::Environment;
use crate::meter::Meter;
use crate::mirror::{Add, Failed, Notice, add};

/// Why not all of it came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Unbrought {
    /// In one line.
    pub why: String,
    /// Something is not what its checksum says.
    pub mismatch: bool,
}

/// Where to, and by which go.
#[derive(Debug, Clone)]
pub struct Bringer {
    /// The mirror's folder.
    pub mirror: PathBuf,
    /// `[agent] go` of the policy.
    pub go: Option<PathBuf>,
    /// The user's environment.
    pub env: Environment,
}

impl Bringer {
    /// Brings what the project in this folder lacks, as `goroam mirror add --from` does.
    ///
    /// # Errors
    /// Why nothing or not all of it came, in one line.
    pub async fn bring(
        &self,
        project: &Path,
        verdict: &Verdict,
        notice: &mut dyn FnMut(Notice<'_>),
    ) -> Result<(), Unbrought> {
        let what = Add {
            from: vec![project.to_owned()],
            toolchain: needs_toolchain(verdict),
            ..Add::default()
        };
        let meter = Meter::default();
        let added = Box::pin(add(
            &self.mirror,
            self.go.as_deref(),
            &self.env,
            &what,
            &meter,
            notice,
        ));
        let added = added.await.map_err(|error| Unbrought {
            why: error.to_string(),
            mismatch: false,
        })?;
        let Some(first) = added.failed.first() else {
            return Ok(());
        };
        let more = match added.failed.len() - 1 {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        Err(Unbrought {
            why: format!("{}: {}{more}", name(first), first.why),
            mismatch: added.failed.iter().any(|one| one.mismatch),
        })
    }
}

/// A project has no version.
fn name(failed: &Failed) -> String {
    [failed.module.as_str(), failed.version.as_str()]
        .join(" ")
        .trim_end()
        .to_owned()
}

/// Lowers this process's priority, and that of all it starts. What cannot be lowered stays.
#[cfg(unix)]
pub fn step_back() {
    // SAFETY: setpriority takes three numbers and touches no memory of ours. PRIO_PROCESS with 0
    // is this process.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, 15);
    }
    #[cfg(target_os = "linux")]
    {
        // linux/ioprio.h: IOPRIO_WHO_PROCESS, and class 3 (idle) in the upper bits: reads and
        // writes when nobody else does. Schedulers without classes pass it over.
        const WHO_PROCESS: libc::c_int = 1;
        const IDLE: libc::c_int = 3 << 13;
        // SAFETY: ioprio_set takes three numbers and touches no memory of ours.
        unsafe {
            libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, IDLE);
        }
    }
}

/// Whoever starts it there says so (`IDLE_PRIORITY_CLASS`).
#[cfg(not(unix))]
pub fn step_back() {}

#[cfg(test)]
mod tests {
    use super::{Failed, name};

    #[test]
    fn a_project_that_fails_is_named_without_a_version() {
        let failed = |version: &str| Failed {
            module: "example.com/m".to_owned(),
            version: version.to_owned(),
            why: String::new(),
            mismatch: false,
        };
        assert_eq!(name(&failed("v1.0.0")), "example.com/m v1.0.0");
        assert_eq!(name(&failed("")), "example.com/m");
    }
}
