//! Running a command that hands out credentials: within a time limit, with bounded output that
//! reaches no message and no log, and without a question to anybody.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use crate::environment::{Environment, is_same_name};

/// One that takes longer waits for a person, or hangs on the network that is being asked about.
pub(super) const LIMIT: Duration = Duration::from_secs(10);
/// Bytes of output that are of use; what prints more is ended.
const MOST: u64 = 64 * 1024;

/// What is run, and how.
#[derive(Clone, Copy)]
pub(super) struct Errand<'a> {
    /// The command and its arguments.
    pub(super) words: &'a [String],
    /// The folder; `None`: that of this process, as go does.
    pub(super) folder: Option<&'a Path>,
    /// What it reads.
    pub(super) input: &'a str,
    /// Its complaints count as output (`cmd.CombinedOutput`).
    pub(super) combined: bool,
}

/// Its output, if it ended well. Its standard error is thrown away, unless it counts as output.
///
/// # Errors
/// When it cannot be started, fails, says too much or takes too long.
pub(super) async fn run(env: &Environment, errand: Errand<'_>) -> io::Result<Vec<u8>> {
    let Some((program, args)) = errand.words.split_first() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .envs(surroundings(env))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(if errand.combined {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .kill_on_drop(true);
    if let Some(folder) = errand.folder {
        command.current_dir(folder);
    }
    #[cfg(unix)]
    command.process_group(0);
    #[cfg(windows)]
    command.creation_flags(windows_sys::Win32::System::Threading::CREATE_NO_WINDOW);
    let mut running = Running(command.spawn()?);
    let (input, combined) = (errand.input.as_bytes(), errand.combined);
    match tokio::time::timeout(LIMIT, running.output(input, combined)).await {
        Ok(output) => output,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// What go sets for its children, and what keeps git from asking a person: an agent has none.
fn surroundings(env: &Environment) -> Vec<(&str, &str)> {
    let quiet = [
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GCM_INTERACTIVE", "never"),
        // Empty: neither SSH_ASKPASS nor core.askPass opens a window.
        ("GIT_ASKPASS", ""),
    ];
    let unset = quiet
        .into_iter()
        .filter(|(name, _)| !env.iter().any(|(own, _)| is_same_name(own, name)));
    env.iter().chain(unset).collect()
}

/// Is ended with all that it has started when nobody waits for it any more.
struct Running(Child);

impl Running {
    async fn output(&mut self, input: &[u8], combined: bool) -> io::Result<Vec<u8>> {
        let child = &mut self.0;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let write = async {
            if let Some(mut stdin) = stdin {
                // One that does not read it may end first.
                let _ = stdin.write_all(input).await;
            }
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let read_out = async {
            match stdout {
                Some(pipe) => pipe.take(MOST + 1).read_to_end(&mut out).await,
                None => Ok(0),
            }
        };
        let read_err = async {
            match stderr {
                Some(pipe) => pipe.take(MOST + 1).read_to_end(&mut err).await,
                None => Ok(0),
            }
        };
        let ((), read_out, read_err) = tokio::join!(write, read_out, read_err);
        let much = read_out?.max(read_err?);
        if u64::try_from(much).unwrap_or(u64::MAX) > MOST {
            return Err(io::Error::other("it prints too much"));
        }
        if !child.wait().await?.success() {
            return Err(io::Error::other("it fails"));
        }
        if combined {
            out.extend(err);
        }
        Ok(out)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(pid) = self.0.id().and_then(|pid| i32::try_from(pid).ok()) {
            // SAFETY: kill takes no pointers. The child has not been waited for (`id` is `None`
            // then), so its pid, which is its group's, belongs to nobody else.
            unsafe { libc::kill(-pid, libc::SIGKILL) };
        }
    }
}
