//! Asking this user's systemd.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::super::carry_out::command_line;
use super::super::error::ServiceError;
use super::super::site::session_folder;
use super::super::step::ServiceStep;
use super::unit::UNIT;
use crate::environment::Environment;

/// What `show` asks for.
const PROPERTIES: &str = "--property=LoadState,FragmentPath,DropInPaths,UnitFileState,ActiveState,\
                          SubState,MainPID,ExecStart,Result,NeedDaemonReload";

/// This user's systemd.
#[derive(Debug)]
pub(super) struct Manager {
    uid: u32,
    /// Where this shell's XDG_RUNTIME_DIR does not lead to it (`su`, cron), where it is.
    runtime: Option<PathBuf>,
}

impl Manager {
    /// Finds it.
    ///
    /// # Errors
    /// When there is none; says why, and the way out.
    pub(super) fn find(env: &Environment) -> Result<Manager, ServiceError> {
        // SAFETY: geteuid takes nothing, touches nothing and cannot fail.
        let uid = unsafe { libc::geteuid() };
        if let Some(runtime) = session_folder(env) {
            return Ok(Manager {
                uid,
                runtime: Some(runtime),
            });
        }
        let own = env.path("XDG_RUNTIME_DIR");
        if own.is_some_and(|runtime| runtime.join("systemd/private").exists()) {
            return Ok(Manager { uid, runtime: None });
        }
        let why = if Path::new("/run/systemd/system").is_dir() {
            no_session(uid)
        } else {
            not_booted()
        };
        Err(ServiceError::NoManager { why })
    }

    /// Its user.
    pub(super) fn uid(&self) -> u32 {
        self.uid
    }

    /// A command of `systemctl --user`, as a step.
    pub(super) fn step(&self, args: &[&str], may_fail: bool) -> ServiceStep {
        let (program, args) = self.command("systemctl", args);
        ServiceStep::Run {
            program,
            args,
            may_fail,
        }
    }

    /// `PROGRAM --user ARGS`.
    pub(super) fn command(&self, program: &str, args: &[&str]) -> (OsString, Vec<OsString>) {
        let mut words: Vec<OsString> = Vec::new();
        if let Some(runtime) = &self.runtime {
            let mut var = OsString::from("XDG_RUNTIME_DIR=");
            var.push(runtime);
            words.extend([OsString::from("env"), var]);
        }
        words.extend([program.into(), "--user".into()]);
        words.extend(args.iter().map(OsString::from));
        let args = words.split_off(1);
        (words.remove(0), args)
    }

    /// What it knows of the unit: property and value.
    pub(super) fn show(&self) -> Result<BTreeMap<String, String>, ServiceError> {
        let said = self.ask(&["show", PROPERTIES, UNIT])?;
        Ok(pairs(&said))
    }

    /// The variables that it gives to services.
    pub(super) fn environment(&self) -> Result<BTreeMap<String, String>, ServiceError> {
        // A value with odd characters is `$'…'` there; it then counts as another one.
        Ok(pairs(&self.ask(&["show-environment"])?))
    }

    /// Where it looks for units, in its order.
    pub(super) fn folders(&self) -> Result<Vec<PathBuf>, ServiceError> {
        let said = self.ask(&["show", "--property=UnitPath", "--value"])?;
        Ok(said.split_whitespace().map(PathBuf::from).collect())
    }

    fn ask(&self, args: &[&str]) -> Result<String, ServiceError> {
        let (program, args) = self.command("systemctl", args);
        let failed = |said: String| ServiceError::Command {
            command: command_line(&program, &args),
            said,
        };
        let output = Command::new(&program)
            .args(&args)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(failed(said.trim().to_owned()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// Does the user's systemd go on after the last logout? `None`: logind does not say.
pub(super) fn lingers(uid: u32) -> Option<bool> {
    let output = Command::new("loginctl")
        .args([
            "show-user",
            &uid.to_string(),
            "--property=Linger",
            "--value",
        ])
        .stdin(Stdio::null())
        .output()
        .ok()?;
    match String::from_utf8_lossy(&output.stdout).trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

fn pairs(said: &str) -> BTreeMap<String, String> {
    BTreeMap::from_iter(
        said.lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    )
}

fn no_session(uid: u32) -> String {
    format!(
        "this user (uid {uid}) has no systemd of its own here, as it is after `su` or `sudo -u`; \
         log in (on the console, by ssh, or `machinectl shell USER@`), or let it run without a \
         login: `loginctl enable-linger`"
    )
}

fn not_booted() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    if kernel.to_lowercase().contains("microsoft") {
        return "this WSL runs no systemd; put `[boot]` and `systemd=true` into /etc/wsl.conf, \
                then `wsl --shutdown` in Windows; until then start `goroam agent` from your \
                shell's profile"
            .to_owned();
    }
    "this machine (or container) does not run systemd, so there is nothing to install into; \
     start `goroam agent` from whatever starts your session"
        .to_owned()
}
