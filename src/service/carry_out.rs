//! Carries out the steps of a plan in order and stops at the first failure.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::site::Site;
use super::step::{IfItFails, ServiceError, ServiceStep};
use crate::agent::{self, Error};
use crate::ipc;
use crate::state::file::replace_readable;

/// Time limit for a command. A service manager allows a service 90 s to start and 90 s to stop.
const COMMAND_TIME: Duration = Duration::from_secs(200);
/// How long a failing command is repeated. launchd kills a process that does not end 5 s after the
/// request.
const RETRY_TIME: Duration = Duration::from_secs(10);
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// Time limit for an agent to end. It ends at once, unless a turn is writing the go env file.
const END_TIME: Duration = Duration::from_secs(15);

/// Carries out the steps in order, and returns those that changed something, as text for people:
/// "wrote ~/.config/systemd/user/…". Steps done before a failure stay done; every plan can be
/// repeated.
///
/// # Errors
/// The first failure.
pub async fn carry_out(steps: &[ServiceStep], site: &Site) -> Result<Vec<String>, ServiceError> {
    let mut done = Vec::new();
    for step in steps {
        done.extend(do_one(step, site).await?);
    }
    Ok(done)
}

async fn do_one(step: &ServiceStep, site: &Site) -> Result<Option<String>, ServiceError> {
    match step {
        ServiceStep::Write(path, text) => {
            let written = replace_readable(path, text.as_bytes());
            let written = written.map_err(ServiceError::file(path))?;
            Ok(written.then(|| format!("wrote {}", site.short(path))))
        }
        ServiceStep::Remove(path) => {
            let gone = absent_is_fine(std::fs::remove_file(path));
            let gone = gone.map_err(ServiceError::file(path))?;
            Ok(gone.then(|| format!("removed {}", site.short(path))))
        }
        ServiceStep::RemoveEmpty(path) => {
            // The directory is not empty, or permission is missing: it stays, which does no harm.
            let gone = std::fs::remove_dir(path).is_ok();
            Ok(gone.then(|| format!("removed {}", site.short(path))))
        }
        ServiceStep::Run {
            program,
            args,
            if_it_fails,
        } => {
            let done = match if_it_fails {
                IfItFails::Retry => retry(program, args, RETRY_TIME).await,
                IfItFails::Stop | IfItFails::Continue => run(program, args).await,
            };
            match done {
                Err(_) if *if_it_fails == IfItFails::Continue => Ok(None),
                done => done.map(|()| Some(format!("ran {}", command_line(program, args)))),
            }
        }
        ServiceStep::Spawn(program, args) => {
            spawn(program, args).map_err(ServiceError::file(program))?;
            let line = command_line(program.as_os_str(), args);
            Ok(Some(format!("started {line}")))
        }
        ServiceStep::EndAgent => end_agent(site).await,
        ServiceStep::SetValue(key, name, text) => {
            let value = format!("HKCU\\{key}\\{name}");
            registry::set(key, name, text).map_err(ServiceError::file(Path::new(&value)))?;
            Ok(Some(format!("set {value}")))
        }
        ServiceStep::RemoveValue(key, name) => {
            let value = format!("HKCU\\{key}\\{name}");
            let gone = absent_is_fine(registry::remove(key, name));
            let gone = gone.map_err(ServiceError::file(Path::new(&value)))?;
            Ok(gone.then(|| format!("removed {value}")))
        }
        ServiceStep::Tell(text) => Ok(Some(text.clone())),
    }
}

/// Reports whether something was removed; a missing file is not an error.
fn absent_is_fine(removed: io::Result<()>) -> io::Result<bool> {
    match removed.as_ref().map_err(io::Error::kind) {
        Err(io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Ok(()) | Err(_) => removed.map(|()| true),
    }
}

async fn run(program: &OsStr, args: &[OsString]) -> Result<(), ServiceError> {
    let failed = |said: String| ServiceError::Command {
        command: command_line(program, args),
        said,
    };
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    let limit = COMMAND_TIME.as_secs();
    let output = tokio::time::timeout(COMMAND_TIME, command.output())
        .await
        .map_err(|_| failed(format!("not finished within {limit} s")))?
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let words = last_words(&output.stderr).or_else(|| last_words(&output.stdout));
    Err(failed(words.unwrap_or_else(|| output.status.to_string())))
}

async fn retry(program: &OsStr, args: &[OsString], within: Duration) -> Result<(), ServiceError> {
    let start = std::time::Instant::now();
    loop {
        match run(program, args).await {
            Err(_) if start.elapsed() < within => tokio::time::sleep(RETRY_PAUSE).await,
            done => return done,
        }
    }
}

/// Joins the last lines of a program's output into one; the output may be long.
fn last_words(said: &[u8]) -> Option<String> {
    let said = String::from_utf8_lossy(said);
    let mut lines: Vec<&str> = said.lines().map(str::trim).collect();
    lines.retain(|line| !line.is_empty());
    let last = lines.get(lines.len().saturating_sub(3)..)?;
    (!last.is_empty()).then(|| last.join("; "))
}

/// Formats the command so that it can be typed.
pub(super) fn command_line(program: &OsStr, args: &[OsString]) -> String {
    let words = std::iter::once(program).chain(args.iter().map(OsString::as_os_str));
    let words: Vec<String> = words
        .map(|word| {
            let word = word.to_string_lossy();
            if word.contains([' ', '\t', '"', '\'']) {
                format!("\"{}\"", word.replace('"', "\\\""))
            } else {
                word.into_owned()
            }
        })
        .collect();
    words.join(" ")
}

fn spawn(program: &Path, args: &[OsString]) -> io::Result<()> {
    let mut command = std::process::Command::new(program);
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // Ctrl-C in this terminal must not reach the program.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    #[cfg(windows)]
    {
        use windows_sys::Win32::System::Threading as win;
        let own = win::DETACHED_PROCESS | win::CREATE_NEW_PROCESS_GROUP;
        std::os::windows::process::CommandExt::creation_flags(&mut command, own);
    }
    command.spawn().map(drop)
}

/// Ends the agent, then follows its status until the connection closes: the agent releases its lock
/// before it removes its socket.
async fn end_agent(site: &Site) -> Result<Option<String>, ServiceError> {
    let asked = async {
        let life = ipc::watch(&site.paths).await?;
        ipc::ask(&site.paths, agent::Command::End).await?;
        Ok(life)
    };
    let mut life = match asked.await {
        Ok(life) => life,
        Err(Error::NoAgent) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let ended = async {
        // An answer that cannot be parsed is ignored, like one without news.
        while let Ok(Some(_)) = life.next().await {}
    };
    if tokio::time::timeout(END_TIME, ended).await.is_err() {
        let limit = END_TIME.as_secs();
        let message = format!("the agent did not end within {limit} s after it was asked to");
        return Err(ServiceError::Agent(Error::FromAgent { message, exit: 1 }));
    }
    Ok(Some("ended the running agent".to_owned()))
}

#[cfg(windows)]
use super::registry;

#[cfg(not(windows))]
mod registry {
    use std::io;

    pub(super) fn set(_: &str, _: &str, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn remove(_: &str, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_retried_is_tried_until_it_succeeds_or_time_is_up() {
        let folder = tempfile::tempdir().unwrap();
        let tries = folder.path().join("tries");
        // Fails twice, as launchctl does while a service is still ending.
        let script = r#"echo >>"$0"; [ "$(wc -l <"$0")" -ge 3 ] || { echo busy >&2; exit 5; }"#;
        let args: Vec<OsString> = vec!["-c".into(), script.into(), tries.clone().into()];
        let count = || std::fs::read_to_string(&tries).unwrap().lines().count();
        retry(OsStr::new("sh"), &args, Duration::from_secs(20))
            .await
            .unwrap();
        assert_eq!(count(), 3);
        std::fs::remove_file(&tries).unwrap();
        let error = retry(OsStr::new("sh"), &args, Duration::ZERO)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("busy"), "{error}");
        assert_eq!(count(), 1);
    }
}
