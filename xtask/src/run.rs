//! Runs other programs, visibly for the user.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

pub type Result<T = ()> = std::result::Result<T, String>;

/// Returns the root of the repository.
pub fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

/// Makes a command for the cargo that runs this.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Returns the directory for cargo's output.
pub fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// If the repository's path has a space, runs this task again with a target directory whose name
/// has none: shells, makefiles and linkers of tests read such a path as two words. `None`: this is
/// not needed.
pub fn again_without_space(task: &str, args: &[String]) -> Option<ExitCode> {
    let target = target_dir().display().to_string();
    if !target.contains(char::is_whitespace) || cfg!(windows) {
        return None;
    }
    // Each repository has its own directory.
    let mark = target.bytes().fold(0_u32, |mark, byte| {
        mark.wrapping_mul(31).wrapping_add(u32::from(byte))
    });
    let folder = PathBuf::from(format!("/var/tmp/goroam-target-{mark:08x}"));
    println!(
        "this folder's name has a space: building in {}",
        folder.display()
    );
    let exe = std::env::current_exe().ok()?;
    let status = Command::new(exe)
        .arg(task)
        .args(args)
        .env("CARGO_TARGET_DIR", folder)
        .status()
        .ok()?;
    Some(ExitCode::from(u8::from(!status.success())))
}

/// Prints the command as a user would type it, and runs it; fails if the command fails.
pub fn show(command: &mut Command) -> Result {
    println!("$ {}", spelled(command));
    let status = command
        .status()
        .map_err(|err| format!("{}: {err}", spelled(command)))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{}: {status}", spelled(command)))
    }
}

/// Returns its standard output if it succeeds; the error is its standard error.
pub fn output(command: &mut Command) -> Result<String> {
    command.stdin(Stdio::null());
    let said = command
        .output()
        .map_err(|err| format!("{}: {err}", spelled(command)))?;
    if said.status.success() {
        return Ok(String::from_utf8_lossy(&said.stdout).into_owned());
    }
    let stderr = String::from_utf8_lossy(&said.stderr);
    Err(format!(
        "{}: {}: {}",
        spelled(command),
        said.status,
        stderr.trim()
    ))
}

/// Runs it with both outputs as one text, for at most `limit`; after that it is killed and the
/// status is `None`.
///
/// The outputs go to a file, not to a pipe. So everything that the program wrote is there as soon
/// as it has ended, even on a busy machine, and a process that it leaves behind delays nothing.
pub fn transcript(command: &mut Command, limit: Duration) -> Result<(Option<ExitStatus>, String)> {
    let mut file = tempfile::tempfile().map_err(|err| format!("a file for its output: {err}"))?;
    let twin = || file.try_clone().map_err(|err| err.to_string());
    command.stdin(Stdio::null()).stdout(twin()?).stderr(twin()?);
    let mut child = command
        .spawn()
        .map_err(|err| format!("{}: {err}", spelled(command)))?;
    let end = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|err| err.to_string())? {
            break Some(status);
        }
        if Instant::now() > end {
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let mut said = Vec::new();
    file.seek(SeekFrom::Start(0))
        .and_then(|_| file.read_to_end(&mut said))
        .map_err(|err| format!("{}: its output: {err}", spelled(command)))?;
    Ok((status, String::from_utf8_lossy(&said).into_owned()))
}

/// Finds the program of that name in PATH.
pub fn find(name: &str) -> Option<PathBuf> {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(&file))
        .find(|file| file.is_file())
}

/// From here on, processes that this thread starts get only the CPU time that others leave. If the
/// system does not allow this, nothing changes.
pub fn step_back() {
    // Linux counts niceness by thread, and children inherit it.
    if let Ok(thread) = std::fs::read_link("/proc/thread-self")
        && let Some(id) = thread.file_name()
    {
        let mut renice = Command::new("renice");
        let _ = output(renice.args(["-n", "15", "-p"]).arg(id));
    }
}

pub fn is_root() -> bool {
    cfg!(unix) && output(Command::new("id").arg("-u")).is_ok_and(|uid| uid.trim() == "0")
}

/// Formats the command as a user would type it.
pub fn spelled(command: &Command) -> String {
    let words = [command.get_program()]
        .into_iter()
        .chain(command.get_args());
    let words: Vec<String> = words
        .map(|word| {
            let word = word.to_string_lossy();
            let short = word
                .strip_prefix(&*format!("{}/", root().display()))
                .unwrap_or(&word);
            if short.contains(' ') {
                format!("'{short}'")
            } else {
                short.to_owned()
            }
        })
        .collect();
    let cargo = std::env::var("CARGO").unwrap_or_default();
    if !cargo.is_empty() && words[0] == cargo {
        return format!("cargo {}", words[1..].join(" "));
    }
    words.join(" ")
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn who_has_stepped_back_starts_only_what_stands_back_as_well() {
        let patient = std::thread::spawn(|| {
            step_back();
            output(&mut Command::new("nice"))
        });
        let niceness = patient.join().unwrap().unwrap();
        // It is more if the whole suite was started with a lower priority.
        assert!(niceness.trim().parse::<i32>().unwrap() >= 15, "{niceness}");
    }

    #[test]
    fn a_transcript_has_both_outputs_and_the_status() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two >&2; exit 3"]);
        let (status, text) = transcript(&mut command, Duration::from_secs(20)).unwrap();
        assert_eq!(status.and_then(|s| s.code()), Some(3));
        assert_eq!(text, "one\ntwo\n");
    }

    #[test]
    fn what_a_program_wrote_last_is_never_lost_and_who_outlives_it_is_not_waited_for() {
        let mut command = Command::new("sh");
        let script = "sleep 1000 & seq 200000; echo left=$!; echo last >&2";
        command.args(["-c", script]);
        let (status, text) = transcript(&mut command, Duration::from_secs(60)).unwrap();
        assert_eq!(status.and_then(|s| s.code()), Some(0));
        let mut lines = text.lines().rev();
        assert_eq!(lines.next(), Some("last"));
        let left = lines.next().and_then(|line| line.strip_prefix("left="));
        let ended = output(Command::new("kill").args(left));
        assert!(ended.is_ok(), "{ended:?}");
        assert_eq!(lines.next(), Some("200000"));
    }

    #[test]
    fn a_program_that_does_not_end_is_ended_and_what_it_said_is_kept() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo here; exec sleep 1000"]);
        let (status, text) = transcript(&mut command, Duration::from_millis(300)).unwrap();
        assert_eq!((status, text.as_str()), (None, "here\n"));
    }
}
