//! Running the go command so that nothing but what is asked happens: in `/`, with
//! GOTOOLCHAIN=local, GOWORK=off and GOFLAGS empty, so that no go.mod, no toolchain switch
//! and no stray flag interferes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};

use super::version::GoCommand;
use crate::environment::{Environment, is_same_name};
use crate::model::mask;

/// `go env` takes 4 to 12 ms; one that takes this long hangs on a dead network drive.
const LIMIT: Duration = Duration::from_secs(10);
/// Bytes of output that are kept; a full `go env -json` has 3 KiB.
const MOST_OUT: u64 = 1 << 20;
/// Bytes of its complaints that are kept.
const MOST_ERR: u64 = 16 << 10;

/// The go command did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("`{command}` failed: {why}")]
pub struct RunError {
    /// The command line, credentials removed.
    pub command: String,
    /// What it said, or why it could not be started.
    pub why: String,
}

/// `go env -json NAME…`: the values that go computes for these names in the OS environment of
/// `env`, which wins over the go env file here as it does for every go command.
///
/// # Errors
/// When go cannot be run or says no.
pub async fn values(
    go: &GoCommand,
    env: &Environment,
    names: &[&str],
) -> Result<BTreeMap<String, String>, RunError> {
    let args: Vec<String> = ["env", "-json"]
        .iter()
        .chain(names)
        .map(|arg| (*arg).to_owned())
        .collect();
    // These two are pinned for the child, so it is asked what they would be without that.
    let pinned = ["GOTOOLCHAIN", "GOROOT"].into_iter();
    let child_env = child_env(go, env, pinned.filter(|name| names.contains(name)), None);
    let out = go_env(go, child_env, &args).await?;
    serde_json::from_slice(&out).map_err(|error| RunError {
        command: command_line(go, &args),
        why: format!("its output is not the JSON that was asked for: {error}"),
    })
}

/// The same in a folder, for what depends on it (GOMOD, GOWORK, a relative GOENV). Its go.mod may
/// want another toolchain, which go would load at once for any command line but exactly
/// `go env GOTOOLCHAIN` (`toolchain/select.go:Select`): so that one is asked alone.
///
/// # Errors
/// When go cannot be run or says no.
pub async fn values_in(
    go: &GoCommand,
    env: &Environment,
    folder: &Path,
    names: &[&str],
) -> Result<BTreeMap<String, String>, RunError> {
    let asked = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let mut own = child_env(go, env, ["GOTOOLCHAIN"].into_iter(), None);
    restore(&mut own, env, "GOWORK");
    restore(&mut own, env, "GOFLAGS");
    let mut args = vec!["env".to_owned(), "-json".to_owned()];
    let others: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| *name != "GOTOOLCHAIN")
        .collect();
    let all: Vec<String> = asked(&others);
    args.extend(all);
    let mut local = own.clone();
    local.push(("GOTOOLCHAIN".into(), "local".into()));
    let out = go_env_in(go, local, &args, folder).await?;
    let mut values: BTreeMap<String, String> =
        serde_json::from_slice(&out).map_err(|error| RunError {
            command: command_line(go, &args),
            why: format!("its output is not the JSON that was asked for: {error}"),
        })?;
    if names.contains(&"GOTOOLCHAIN") {
        let args = asked(&["env", "GOTOOLCHAIN"]);
        let out = go_env_in(go, own, &args, folder).await?;
        let value = String::from_utf8_lossy(&out).trim_end().to_owned();
        values.insert("GOTOOLCHAIN".to_owned(), value);
    }
    Ok(values)
}

/// Gives a variable back that goroam takes from its own calls.
fn restore(child: &mut Vec<(OsString, OsString)>, env: &Environment, name: &str) {
    child.retain(|(own, _)| !own.to_str().is_some_and(|own| is_same_name(own, name)));
    if let Some(value) = env.get(name) {
        child.push((name.into(), value.into()));
    }
}

/// `go env -w NAME=VALUE…` and `go env -u NAME…` on one file.
pub(super) async fn write(
    go: &GoCommand,
    env: &Environment,
    file: &Path,
    managed: &[&str],
    args: Vec<String>,
) -> Result<(), RunError> {
    let child_env = child_env(go, env, managed.iter().copied(), Some(file));
    go_env(go, child_env, &args).await.map(|_| ())
}

/// What a child's output was.
pub(super) struct Output {
    pub(super) success: bool,
    pub(super) out: Vec<u8>,
    pub(super) err: Vec<u8>,
}

/// Within what a command runs.
pub(super) struct Bounds<'a> {
    pub(super) folder: &'a Path,
    pub(super) limit: Duration,
    /// Bytes of output that are kept; a command that says more is ended.
    pub(super) most_out: u64,
    /// In a process group of its own, which is ended as a whole at the limit. Not for what a
    /// person waits for: Ctrl-C would not reach it. Windows has jobs for that, always.
    #[cfg_attr(windows, expect(dead_code, reason = "groups are a thing of Unix"))]
    pub(super) group: bool,
}

/// Runs a command to its end or to the limit, then ends it with all that it has started.
/// Its environment is `env` and nothing else.
pub(super) async fn bounded(
    program: &Path,
    args: &[String],
    env: Vec<(OsString, OsString)>,
    limit: Duration,
) -> io::Result<Output> {
    let bounds = Bounds {
        folder: Path::new("/"),
        limit,
        most_out: MOST_OUT,
        group: true,
    };
    within(program, args, env, &bounds).await
}

/// The same in a folder, and with as much output as is wanted.
pub(super) async fn within(
    program: &Path,
    args: &[String],
    env: Vec<(OsString, OsString)>,
    bounds: &Bounds<'_>,
) -> io::Result<Output> {
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .envs(env)
        .current_dir(bounds.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(unix)]
    if bounds.group {
        command.process_group(0);
    }
    // What may run for an hour; a `go env` ends by itself.
    #[cfg(target_os = "linux")]
    if !bounds.group {
        super::end_with_us(command.as_std_mut(), libc::SIGKILL);
    }
    // A program without a console, such as the tray, would make go open one each time.
    #[cfg(windows)]
    command.creation_flags(windows_sys::Win32::System::Threading::CREATE_NO_WINDOW);
    let mut child = command.spawn()?;
    // Ends when this future is dropped, and with us: nobody would wait for it any more, and a
    // hung go would keep its locks.
    #[cfg(windows)]
    let job = super::JobObject::around(&child);
    match tokio::time::timeout(bounds.limit, output(&mut child, bounds.most_out)).await {
        Ok(result) => {
            #[cfg(windows)]
            if let Some(job) = job {
                job.release();
            }
            result
        }
        Err(_) => {
            #[cfg(unix)]
            if bounds.group {
                end_group(&child);
            }
            let _ = child.start_kill();
            Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("no answer within {} s", bounds.limit.as_secs()),
            ))
        }
    }
}

/// The environment of every go that goroam runs. The managed names are left out so that go
/// does not warn that they shadow what is being written; GOROOT is pinned because a file that
/// says `GOROOT=/nowhere` breaks every call, also the one that would mend it (up to 1.26).
fn child_env<'a>(
    go: &GoCommand,
    env: &'a Environment,
    managed: impl Iterator<Item = &'a str>,
    file: Option<&Path>,
) -> Vec<(OsString, OsString)> {
    let mut left_out: Vec<&str> = managed.collect();
    left_out.push("GOFLAGS");
    // What is set below must not stay beside it in another spelling.
    let mut pinned = vec!["GOTOOLCHAIN", "GOWORK", "GOROOT"];
    pinned.extend(file.map(|_| "GOENV"));
    let kept = env.all().filter(|(name, _)| {
        let mut others = left_out.iter().chain(&pinned);
        !others.any(|other| is_same_name(name, other))
    });
    let mut vars: BTreeMap<OsString, OsString> =
        BTreeMap::from_iter(kept.map(|(name, value)| (name.into(), value.into())));
    vars.insert("GOTOOLCHAIN".into(), "local".into());
    vars.insert("GOWORK".into(), "off".into());
    vars.insert("GOROOT".into(), go.goroot.clone().into());
    if let Some(file) = file {
        vars.insert("GOENV".into(), file.into());
    }
    // The one exception: asked what it would be, it must not hear goroam's own answer.
    for name in ["GOTOOLCHAIN", "GOROOT"] {
        if file.is_none() && left_out.contains(&name) {
            vars.remove(std::ffi::OsStr::new(name));
        }
    }
    vars.into_iter().collect()
}

async fn go_env(
    go: &GoCommand,
    env: Vec<(OsString, OsString)>,
    args: &[String],
) -> Result<Vec<u8>, RunError> {
    go_env_in(go, env, args, Path::new("/")).await
}

async fn go_env_in(
    go: &GoCommand,
    env: Vec<(OsString, OsString)>,
    args: &[String],
    folder: &Path,
) -> Result<Vec<u8>, RunError> {
    let failed = |why: String| RunError {
        command: command_line(go, args),
        why: mask(&why),
    };
    let bounds = Bounds {
        folder,
        limit: LIMIT,
        most_out: MOST_OUT,
        group: true,
    };
    match within(&go.path, args, env, &bounds).await {
        Ok(output) if output.success => Ok(output.out),
        Ok(output) => Err(failed(complaint(go, &output.err))),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// go's own words, without the warnings, and clearer where they mean "too old".
fn complaint(go: &GoCommand, err: &[u8]) -> String {
    let said = String::from_utf8_lossy(err);
    let said: Vec<&str> = said
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("warning: "))
        .collect();
    if let Some(name) = said
        .iter()
        .find_map(|line| line.strip_prefix("go: unknown go command variable "))
    {
        return format!(
            "go {} does not know {name}; a newer go does, or take it out of the policy",
            go.version
        );
    }
    if said.is_empty() {
        return "it said nothing".to_owned();
    }
    said.join("; ")
}

fn command_line(go: &GoCommand, args: &[String]) -> String {
    mask(&format!("{} {}", go.path.display(), args.join(" ")))
}

async fn output(child: &mut Child, most_out: u64) -> io::Result<Output> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let read_out = async {
        match stdout {
            Some(pipe) => pipe.take(most_out).read_to_end(&mut out).await,
            None => Ok(0),
        }
    };
    let read_err = async {
        match stderr {
            Some(pipe) => pipe.take(MOST_ERR).read_to_end(&mut err).await,
            None => Ok(0),
        }
    };
    let (read_out, read_err, status) = tokio::join!(read_out, read_err, child.wait());
    read_out?;
    read_err?;
    Ok(Output {
        success: status?.success(),
        out,
        err,
    })
}

/// A wrapper's children do not end with it: the whole group is ended.
#[cfg(unix)]
fn end_group(child: &Child) {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        // SAFETY: kill takes no pointers. The child has not been waited for, so its pid, which
        // is its group's id (`process_group(0)`), cannot have been given to anybody else.
        unsafe { libc::kill(-pid, libc::SIGKILL) };
    }
}
