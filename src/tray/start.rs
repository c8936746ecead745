//! Reads the arguments of `goroam-tray` and starts the tray.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use super::control::Site;
#[cfg(target_os = "macos")]
use super::macos as os;
#[cfg(target_os = "linux")]
use super::sni as os;
#[cfg(windows)]
use super::windows as os;
use crate::agent::error::{EXIT_FAILED, EXIT_REFUSED, EXIT_USAGE};
use crate::environment::Environment;
use crate::paths::Paths;

/// goroam in the notification area or menu bar: which profile holds, and why
#[derive(Debug, Parser)]
#[command(
    name = "goroam-tray",
    version,
    after_help = "It shows what the agent does and asks it to do things; it starts at login if\n\
                  that is ticked in its menu. In a terminal, `goroam status` says the same."
)]
struct Args {
    /// the policy file [env: GOROAM_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Shows the tray until the user quits. `args` are the program's arguments: `--config FILE`.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(refused) if refused.use_stderr() => {
            return complain(&refused.render().to_string(), EXIT_USAGE);
        }
        Err(asked) => return inform(&asked.render().to_string()),
    };
    let env = Environment::of_process();
    let paths = match Paths::find(args.config, &env) {
        Ok(paths) => paths,
        Err(error) => return complain(&error.to_string(), EXIT_REFUSED),
    };
    crate::agent::record_panics(paths.panic_log());
    match os::run(Site { paths, env }) {
        Ok(code) => code,
        Err(why) => complain(&why, EXIT_FAILED),
    }
}

/// Windows shows neither standard output nor standard error of a tray.
#[cfg(windows)]
use os::{complain, inform};

#[cfg(not(windows))]
fn complain(why: &str, exit: u8) -> ExitCode {
    say(&mut std::io::stderr(), &format!("goroam-tray: {why}\n"));
    ExitCode::from(exit)
}

#[cfg(not(windows))]
fn inform(text: &str) -> ExitCode {
    say(&mut std::io::stdout(), text);
    ExitCode::SUCCESS
}

/// Writes the text and ignores a closed output.
#[cfg(not(windows))]
fn say(to: &mut dyn std::io::Write, text: &str) {
    let _ = to.write_all(text.as_bytes());
}

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
mod os {
    /// Fails: this system has no tray.
    pub(super) fn run(_: super::Site) -> Result<std::process::ExitCode, String> {
        Err("there is no tray on this system; `goroam status --watch` shows the same".to_owned())
    }
}
