//! The agent's own program file, and the updated binary that replaces it.
//!
//! A package manager puts the new file in place of the old one; the kernel keeps the old file while
//! it runs. The watch of the directory reports the replacement, so an idle agent spends nothing on
//! this. The agent re-executes as the new program (execve) between two events. The process stays
//! the same. The agent is absent only for the milliseconds of a start, which begins with a look at
//! the network. The alternative, to exit and be started again, would wait for the service manager's
//! `RestartSec=`, and would lose the agent if the new program does not run.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::trust;

/// If nothing happens to the file for this long, its writer has finished.
const WRITERS_PAUSE: Duration = Duration::from_secs(1);
/// The time limit of the trial run. `--version` takes some milliseconds.
const TRY_TIME: Duration = Duration::from_secs(10);

/// The agent's own program.
#[derive(Debug)]
pub(super) struct BinaryUpdate {
    /// The path that it was started by; an update keeps this path.
    pub(super) path: Option<PathBuf>,
    /// The file that this process runs.
    own: Option<Identity>,
    /// When to check the file next.
    pub(super) due: Option<Instant>,
    /// The new file, if the trial run showed that it works and it should take over.
    ready: Option<Identity>,
    /// A problem that the user should know of.
    pub(super) trouble: Option<String>,
}

type Identity = (u64, u64);

impl BinaryUpdate {
    /// Describes the program of this process.
    pub(super) fn of_process() -> BinaryUpdate {
        let path = own_path();
        // The path is not used here: it may already lead to a newer file.
        let running = Path::new("/proc/self/exe");
        let own = path.as_ref().and_then(|_| identity(running));
        BinaryUpdate {
            path: path.filter(|_| own.is_some()),
            own,
            due: None,
            ready: None,
            trouble: None,
        }
    }

    /// Returns the program's path if the file is the one that this process runs, or one that only
    /// root or this user could have put there.
    pub(super) fn trusted(&self) -> Option<PathBuf> {
        let path = self.path.as_ref()?;
        let is_own = identity(path) == self.own;
        (is_own || could_be_ours(path).is_ok()).then(|| path.clone())
    }

    /// Returns the program that takes over, if one is ready and is still the file that was tried.
    pub(super) fn take_over(&mut self) -> Option<PathBuf> {
        let tried = self.ready.take()?;
        let path = self.path.as_ref()?;
        if identity(path) == Some(tried) && could_be_ours(path).is_ok() {
            return Some(path.clone());
        }
        self.due = Some(Instant::now());
        None
    }

    /// Notes that something happened to the file.
    pub(super) fn hint(&mut self, now: Instant) {
        self.due = Some(now + WRITERS_PAUSE);
    }

    /// Checks the file. `may_take_over`: a supervisor starts the agent again if it fails later.
    pub(super) async fn look(&mut self, may_take_over: bool) {
        let found = self.find(may_take_over).await;
        self.trouble = found.as_ref().err().cloned();
        if let Some(trouble) = &self.trouble {
            tracing::warn!("{trouble}");
        }
        self.ready = found.unwrap_or_default();
    }

    /// Returns the file that should take over, if there is one.
    async fn find(&self, may_take_over: bool) -> Result<Option<Identity>, String> {
        let Some(path) = &self.path else {
            return Ok(None);
        };
        let shown = path.display();
        let now = identity(path).ok_or_else(|| {
            format!(
                "the running program, {shown}, was removed; it keeps running until it is stopped"
            )
        })?;
        if Some(now) == self.own {
            return Ok(None);
        }
        if !may_take_over {
            return Err(format!(
                "{shown} was replaced; end this agent and start it again to run the new one"
            ));
        }
        // This check comes before the file is run at all.
        could_be_ours(path).map_err(|why| {
            format!(
                "{shown} was replaced, but the new program is refused: {why}; the old one keeps running"
            )
        })?;
        try_out(path).await.map_err(|why| {
            format!(
                "{shown} was replaced by a program that does not run ({why}); the old one keeps \
                 running"
            )
        })?;
        Ok(Some(now))
    }
}

/// Checks that only root or this user could have put the file there. The directories are judged
/// first: if no other user can exchange the file, the file checked here is the file that is run
/// later.
fn could_be_ours(path: &Path) -> Result<(), String> {
    trust::way(path).map_err(|why| why.to_string())?;
    let meta = std::fs::metadata(path).map_err(|error| error.to_string())?;
    trust::file(path, &meta).map_err(|why| why.to_string())
}

/// Checks that the program starts and that it is goroam.
async fn try_out(path: &Path) -> Result<(), String> {
    let mut command = tokio::process::Command::new(path);
    command
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        // Only the agent reports to the service manager.
        .env_remove("NOTIFY_SOCKET");
    let output = match tokio::time::timeout(TRY_TIME, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err(format!("no answer within {} s", TRY_TIME.as_secs())),
    };
    if !output.status.success() {
        return Err(output.status.to_string());
    }
    if output.stdout.starts_with(b"goroam ") {
        Ok(())
    } else {
        Err("it is another program".to_owned())
    }
}

/// Uses argv[0] if that is a path to this very program: a link to the program stays where it is
/// when a package manager removes the directory of the old version.
#[cfg(target_os = "linux")]
fn own_path() -> Option<PathBuf> {
    let running = identity(Path::new("/proc/self/exe"))?;
    let called = std::env::args_os().next().map(PathBuf::from);
    let called = called.filter(|path| path.is_absolute() && identity(path) == Some(running));
    called.or_else(|| std::env::current_exe().ok())
}

/// Updates are not detected on this system yet.
#[cfg(not(target_os = "linux"))]
fn own_path() -> Option<PathBuf> {
    None
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt as _;

    let meta = std::fs::metadata(path).ok().filter(|meta| meta.is_file())?;
    Some((meta.dev(), meta.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Path) -> Option<Identity> {
    None
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::{BinaryUpdate, identity};

    /// Replaces the file as package managers do: a new file takes the name.
    fn put(path: &Path, script: &str) {
        let new = path.with_extension("new");
        std::fs::write(&new, script).unwrap();
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(new, path).unwrap();
    }

    fn update(path: &Path) -> BinaryUpdate {
        BinaryUpdate {
            path: Some(path.to_owned()),
            own: identity(path),
            due: None,
            ready: None,
            trouble: None,
        }
    }

    #[tokio::test]
    async fn only_a_program_that_runs_takes_over_and_only_where_somebody_looks_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("goroam");
        put(&path, "#!/bin/sh\necho goroam 1\n");
        // The kernel does the same with a running program: its inode number is not reused.
        let _running = std::fs::File::open(&path).unwrap();
        let mut update = update(&path);
        update.look(true).await;
        assert_eq!((&update.take_over(), &update.trouble), (&None, &None));

        for (script, why) in [
            ("#!/bin/sh\nexit 3\n", "exit status: 3"),
            ("#!/bin/sh\necho another 2\n", "it is another program"),
            ("\x7fELF half", "format error"),
        ] {
            put(&path, script);
            update.look(true).await;
            assert_eq!(update.take_over(), None);
            let trouble = update.trouble.clone().unwrap();
            assert!(
                trouble.contains(why) && trouble.contains("keeps running"),
                "{trouble}"
            );
        }
        put(&path, "#!/bin/sh\necho goroam 2\n");
        update.look(false).await;
        assert_eq!(update.take_over(), None);
        assert!(update.trouble.clone().unwrap().contains("start it again"));
        update.look(true).await;
        assert_eq!(
            (&update.take_over(), &update.trouble),
            (&Some(path.clone()), &None)
        );

        std::fs::remove_file(&path).unwrap();
        update.look(true).await;
        assert!(update.trouble.unwrap().contains("was removed"));
    }

    #[tokio::test]
    async fn a_program_that_another_user_could_have_put_there_is_not_even_tried() {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let (path, ran) = (bin.join("goroam"), folder.path().join("ran"));
        put(&path, "#!/bin/sh\necho goroam 1\n");
        let _running = std::fs::File::open(&path).unwrap();
        let mut update = update(&path);
        let script = format!("#!/bin/sh\ntouch {}\necho goroam 2\n", ran.display());
        let mode = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        for (file, directory, why) in [
            (0o777, 0o755, "others may write to it"),
            (0o775, 0o755, "others may write to it"),
            (0o755, 0o777, "bin may be written to by others"),
        ] {
            put(&path, &script);
            mode(&path, file);
            mode(&bin, directory);
            update.look(true).await;
            let trouble = update.trouble.clone().unwrap();
            assert!(trouble.contains(why), "{trouble}");
            assert_eq!((update.take_over(), update.trusted()), (None, None));
        }
        mode(&bin, 0o755);
        if std::os::unix::fs::chown(&path, Some(65534), None).is_ok() {
            update.look(true).await;
            let trouble = update.trouble.clone().unwrap();
            assert!(trouble.contains("belongs to uid 65534"), "{trouble}");
            std::os::unix::fs::chown(&path, Some(0), None).unwrap();
        }
        assert!(!ran.exists());
        // A file that becomes writable for others after its trial run does not take over either.
        update.look(true).await;
        assert!(ran.exists());
        mode(&path, 0o777);
        assert_eq!(update.take_over(), None);
        assert!(update.due.is_some());
    }
}
