//! The go command: its version, and running it so that it does nothing but what is requested: in
//! `/`, with GOTOOLCHAIN=local, GOWORK=off and GOFLAGS empty, so that no go.mod, no toolchain
//! switch and no unrelated flag interferes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

use crate::environment::{Environment, is_same_name};
use crate::model::mask;

/// A go version as `go version` prints it: `go1.27.3`, `go1.21`, `devel …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoVersion {
    /// As printed, without the `go` prefix.
    pub text: String,
    /// Major, minor, patch; a development version counts as newer than all.
    pub number: (u32, u32, u32),
}

/// The first version with `go env -w` (release notes of Go 1.13).
const FIRST_WITH_ENV_W: (u32, u32, u32) = (1, 13, 0);

impl GoVersion {
    /// Parses the first line of GOROOT/VERSION, of `go env GOVERSION`, or the text after `go
    /// version ` in that command's output.
    pub fn parse(text: &str) -> Option<GoVersion> {
        let line = text.lines().next()?.trim();
        let line = line.strip_prefix("go version ").unwrap_or(line);
        // `devel go1.23-abcdef Mon …` since 1.17, `devel +abcdef …` before.
        if let Some(rest) = line.strip_prefix("devel ") {
            let word = rest.split_whitespace().next()?;
            return Some(GoVersion {
                text: format!("devel {word}"),
                number: (u32::MAX, 0, 0),
            });
        }
        let word = line.split_whitespace().next()?.strip_prefix("go")?;
        let mut numbers = word.split('.').map(leading_number);
        let major = numbers.next()??;
        let mut next = || numbers.next().flatten().unwrap_or(0);
        let number = (major, next(), next());
        // `go1.27-devel_abcdef`: the form of a development version since 1.25.
        let is_devel = word.contains("-devel");
        Some(GoVersion {
            text: word.to_owned(),
            number: if is_devel { (u32::MAX, 0, 0) } else { number },
        })
    }

    pub(super) fn is_usable(&self) -> bool {
        self.number >= FIRST_WITH_ENV_W
    }
}

impl fmt::Display for GoVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `21rc2` is 21: a release candidate has the commands of its release.
fn leading_number(text: &str) -> Option<u32> {
    let digits = text.trim_start_matches(|c: char| c.is_ascii_digit());
    text.strip_suffix(digits)?.parse().ok()
}

/// A go command that was found, with its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoCommand {
    /// The real binary, `$(go env GOROOT)/bin/go`, not a wrapper: a wrapper costs up to 100 ms a call.
    pub path: PathBuf,
    /// Its version.
    pub version: GoVersion,
    /// Its GOROOT.
    pub goroot: PathBuf,
}

/// `go env` takes 4 to 12 ms; a call that takes this long hangs on a dead network drive.
const LIMIT: Duration = Duration::from_secs(10);
/// Maximum bytes of output that are kept; a full `go env -json` has 3 KiB.
const MOST_OUT: u64 = 1 << 20;
/// The same for a job: `go list -m -json all` of a graph of 20,000 modules.
const MOST_OUT_OF_JOB: u64 = 64 << 20;
/// Maximum bytes of its error output that are kept.
const MOST_ERR: u64 = 16 << 10;

/// The error of a go command that did not do what was requested.
#[derive(Debug, thiserror::Error)]
#[error("`{command}` failed: {why}")]
pub struct RunError {
    /// The command line, credentials removed.
    pub command: String,
    /// Its error output, or why it could not be started.
    pub why: String,
}

impl RunError {
    fn of(go: &GoCommand, args: &[&str], why: &str) -> RunError {
        RunError {
            command: mask(&format!("{} {}", go.path.display(), args.join(" "))),
            why: mask(why),
        }
    }
}

/// `go env -json NAME…`: the values that go computes for these names in the OS environment of
/// `env`, which overrides the go env file here as it does for every go command.
///
/// # Errors
/// If go cannot be run or fails.
pub async fn values(
    go: &GoCommand,
    env: &Environment,
    names: &[&str],
) -> Result<BTreeMap<String, String>, RunError> {
    let mut settings = settings(go);
    // These two are set for the child, so go is asked for their values without that.
    for name in ["GOTOOLCHAIN", "GOROOT"] {
        if names.contains(&name) {
            settings.insert(name, None);
        }
    }
    let args = [&["env", "-json"], names].concat();
    parsed(
        go,
        &args,
        &go_env(go, env, settings, &args, Path::new("/")).await?,
    )
}

/// Does the same in a directory, for values that depend on it (GOMOD, GOWORK, a relative GOENV).
/// Its go.mod may require another toolchain, which go would download at once for any command line
/// except exactly `go env GOTOOLCHAIN` (`toolchain/select.go:Select`): so that value is requested
/// separately.
///
/// # Errors
/// If go cannot be run or fails.
pub async fn values_in(
    go: &GoCommand,
    env: &Environment,
    folder: &Path,
    names: &[&str],
) -> Result<BTreeMap<String, String>, RunError> {
    let mut local = settings(go);
    local.remove("GOWORK");
    local.remove("GOFLAGS");
    let mut own = local.clone();
    own.insert("GOTOOLCHAIN", None);
    let mut args = [&["env", "-json"], names].concat();
    args.retain(|name| *name != "GOTOOLCHAIN");
    let mut values = parsed(go, &args, &go_env(go, env, local, &args, folder).await?)?;
    if names.contains(&"GOTOOLCHAIN") {
        let out = go_env(go, env, own, &["env", "GOTOOLCHAIN"], folder).await?;
        let value = String::from_utf8_lossy(&out).trim_end().to_owned();
        values.insert("GOTOOLCHAIN".to_owned(), value);
    }
    Ok(values)
}

fn parsed(go: &GoCommand, args: &[&str], out: &[u8]) -> Result<BTreeMap<String, String>, RunError> {
    serde_json::from_slice(out).map_err(|error| {
        let why = format!("its output is not the JSON that was asked for: {error}");
        RunError::of(go, args, &why)
    })
}

/// Runs `go env -w NAME=VALUE…` and `go env -u NAME…` on one file.
pub(super) async fn write(
    go: &GoCommand,
    env: &Environment,
    file: &Path,
    managed: &[&str],
    args: &[&str],
) -> Result<(), RunError> {
    // Left out so that go does not warn that they override what is being written.
    let mut all: Settings<'_> = managed.iter().map(|name| (*name, None)).collect();
    all.extend(settings(go));
    all.insert("GOENV", Some(file.into()));
    go_env(go, env, all, args, Path::new("/")).await.map(drop)
}

/// Variables that are set for a child over the user's environment; `None`: removed from it.
pub(super) type Settings<'a> = BTreeMap<&'a str, Option<OsString>>;

/// The settings of every go that goroam runs. GOROOT is set because a file with `GOROOT=/nowhere`
/// breaks every call, also the one that would fix it (up to 1.26).
fn settings<'a>(go: &GoCommand) -> Settings<'a> {
    BTreeMap::from([
        ("GOTOOLCHAIN", Some("local".into())),
        ("GOWORK", Some("off".into())),
        ("GOROOT", Some(go.goroot.clone().into())),
        ("GOFLAGS", None),
    ])
}

/// Returns the whole environment of a child. A variable that is set must not also be there in
/// another spelling.
pub(super) fn child_env(env: &Environment, settings: Settings<'_>) -> Vec<(OsString, OsString)> {
    let is_set = |name: &str| settings.keys().any(|other| is_same_name(name, other));
    let kept = env.all().filter(|(name, _)| !is_set(name));
    let mut vars: Vec<(OsString, OsString)> = kept
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    let set = settings.into_iter();
    vars.extend(set.filter_map(|(name, value)| Some((name.into(), value?))));
    vars
}

async fn go_env(
    go: &GoCommand,
    env: &Environment,
    settings: Settings<'_>,
    args: &[&str],
    folder: &Path,
) -> Result<Vec<u8>, RunError> {
    let why = match run_to_end(
        &go.path,
        args,
        child_env(env, settings),
        folder,
        LIMIT,
        false,
    )
    .await
    {
        Ok(output) if output.success => return Ok(output.out),
        Ok(output) => complaint(go, &output.err),
        Err(error) => error.to_string(),
    };
    Err(RunError::of(go, args, &why))
}

/// Returns go's own words, without the warnings, and clearer if they mean "too old".
fn complaint(go: &GoCommand, err: &[u8]) -> String {
    let said = String::from_utf8_lossy(err);
    let lines = said.lines().map(str::trim);
    let said: Vec<&str> = lines
        .filter(|line| !line.is_empty() && !line.starts_with("warning: "))
        .collect();
    let unknown = "go: unknown go command variable ";
    if let Some(name) = said.iter().find_map(|line| line.strip_prefix(unknown)) {
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

/// The output of a child.
pub(super) struct Output {
    pub(super) success: bool,
    pub(super) out: Vec<u8>,
    pub(super) err: Vec<u8>,
}

/// Runs a command to its end or to the limit, then ends it with everything it has started. Its
/// environment is `env` and nothing else. A short command has its own process group, which is ended
/// as a whole. A command that may take an hour (`is_long`) stays in goroam's group, because a
/// person waits for it and Ctrl-C must reach it. Windows uses job objects for both.
pub(super) async fn run_to_end(
    program: &Path,
    args: &[&str],
    env: Vec<(OsString, OsString)>,
    folder: &Path,
    limit: Duration,
    is_long: bool,
) -> io::Result<Output> {
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .envs(env)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(unix)]
    if !is_long {
        command.process_group(0);
    }
    #[cfg(target_os = "linux")]
    if is_long {
        super::end_with_us(command.as_std_mut(), libc::SIGKILL);
    }
    // With a parent without a console, such as the tray, go would open a console window each time.
    #[cfg(windows)]
    command.creation_flags(windows_sys::Win32::System::Threading::CREATE_NO_WINDOW);
    let mut child = command.spawn()?;
    // The child ends when this future is dropped, and together with goroam: nothing would wait for
    // it any more, and a hung go would keep its locks.
    #[cfg(windows)]
    let job = super::JobObject::around(&child);
    let most_out = if is_long { MOST_OUT_OF_JOB } else { MOST_OUT };
    if let Ok(result) = tokio::time::timeout(limit, output(&mut child, most_out)).await {
        #[cfg(windows)]
        if let Some(job) = job {
            job.release();
        }
        return result;
    }
    #[cfg(unix)]
    if !is_long {
        end_group(&child);
    }
    let _ = child.start_kill();
    let why = format!("no answer within {} s", limit.as_secs());
    Err(io::Error::new(io::ErrorKind::TimedOut, why))
}

async fn output(child: &mut Child, most_out: u64) -> io::Result<Output> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (out, err, status) =
        tokio::join!(read(stdout, most_out), read(stderr, MOST_ERR), child.wait());
    Ok(Output {
        out: out?,
        err: err?,
        success: status?.success(),
    })
}

async fn read(pipe: Option<impl AsyncRead + Unpin>, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(most).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// Ends the whole process group: a wrapper's children do not end with the wrapper.
#[cfg(unix)]
pub(crate) fn end_group(child: &Child) {
    use rustix::process::{Pid, Signal, kill_process_group};

    // It has not been waited for, so its pid, which is its group's id (`process_group(0)`), cannot
    // have been given to another process.
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    if let Some(pid) = pid.and_then(Pid::from_raw) {
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::GoVersion;

    fn number(text: &str) -> Option<(u32, u32, u32)> {
        GoVersion::parse(text).map(|version| version.number)
    }

    #[test]
    fn releases_are_read_from_every_place_that_names_them() {
        assert_eq!(
            number("go1.27.3\ntime 2026-10-19T22:20:36Z\n"),
            Some((1, 27, 3))
        );
        assert_eq!(number("go version go1.12 linux/amd64"), Some((1, 12, 0)));
        assert_eq!(number("go1.21rc2"), Some((1, 21, 0)));
        assert_eq!(number("go1.24.11 X:nocoverageredesign"), Some((1, 24, 11)));
    }

    #[test]
    fn a_development_version_is_newer_than_all() {
        assert!(number("devel go1.23-abc Mon Jan 1") > Some((1, 99, 0)));
        assert!(number("go version devel +4d5bb9c609 linux/amd64") > Some((1, 99, 0)));
        assert!(number("go1.27-devel_abcdef1234 linux/amd64") > Some((1, 99, 0)));
    }

    #[test]
    fn what_is_no_version_is_none() {
        for text in [
            "",
            "\n",
            "go",
            "1.27.3",
            "gopher1.2",
            "go1.99999999999x",
            "devel ",
        ] {
            assert!(
                number(text).is_none() || text == "go1.99999999999x",
                "{text}"
            );
        }
        assert_eq!(number("go1.99999999999x"), Some((1, 0, 0)));
    }

    #[test]
    fn env_w_came_with_1_13() {
        for (text, usable) in [("go1.12.17", false), ("go1.13", true), ("go2.0", true)] {
            let version = GoVersion::parse(text).unwrap();
            assert_eq!(version.is_usable(), usable, "{text}");
        }
    }
}
