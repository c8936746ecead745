//! Asks this user's systemd.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::unit::UNIT;
use crate::environment::Environment;
use crate::service::carry_out::command_line;
use crate::service::site::{own_uid, session_folder};
use crate::service::step::{IfItFails, ServiceError, ServiceStep};

/// The properties that `show` requests.
const PROPERTIES: &str = "--property=LoadState,FragmentPath,DropInPaths,UnitFileState,ActiveState,\
                          SubState,MainPID,ExecStart,Result,NeedDaemonReload";

/// This user's systemd.
#[derive(Debug)]
pub(super) struct Manager {
    uid: u32,
    /// The session's runtime directory, if this shell's XDG_RUNTIME_DIR does not lead to it (`su`,
    /// cron).
    runtime: Option<PathBuf>,
}

impl Manager {
    /// Finds this user's systemd.
    ///
    /// # Errors
    /// When it does not run. The error says why, and what to do.
    pub(super) fn find(env: &Environment) -> Result<Manager, ServiceError> {
        let uid = own_uid();
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
        Err(ServiceError::Failed(why))
    }

    /// Creates a step with a command of `systemctl --user` that must succeed.
    pub(super) fn systemctl(&self, args: &[&str]) -> ServiceStep {
        self.command("systemctl", args)
    }

    /// Creates a step that runs `PROGRAM --user ARGS`.
    pub(super) fn command(&self, program: &str, args: &[&str]) -> ServiceStep {
        let (program, args) = self.words(program, args);
        ServiceStep::Run {
            program,
            args,
            if_it_fails: IfItFails::Stop,
        }
    }

    fn words(&self, program: &str, args: &[&str]) -> (OsString, Vec<OsString>) {
        let mut words = vec!["--user".into()];
        words.extend(args.iter().map(OsString::from));
        let Some(runtime) = &self.runtime else {
            return (program.into(), words);
        };
        let mut var = OsString::from("XDG_RUNTIME_DIR=");
        var.push(runtime);
        words.splice(0..0, [var, program.into()]);
        ("env".into(), words)
    }

    /// Returns the unit's properties with their values.
    pub(super) fn show(&self) -> Result<BTreeMap<String, String>, ServiceError> {
        let said = self.ask(&["show", PROPERTIES, UNIT])?;
        Ok(pairs(&said))
    }

    /// Returns the variables that the manager gives to services.
    pub(super) fn environment(&self) -> Result<BTreeMap<String, String>, ServiceError> {
        // The output quotes a value with special characters as `$'…'`; it then counts as a
        // different value.
        Ok(pairs(&self.ask(&["show-environment"])?))
    }

    /// Returns the directories where the manager looks for units, in its order.
    pub(super) fn folders(&self) -> Result<Vec<PathBuf>, ServiceError> {
        let said = self.ask(&["show", "--property=UnitPath", "--value"])?;
        Ok(said.split_whitespace().map(PathBuf::from).collect())
    }

    /// Reports whether the user's systemd keeps running after the last logout. `None`: logind does
    /// not say.
    pub(super) fn lingers(&self) -> Option<bool> {
        let uid = self.uid.to_string();
        let output = Command::new("loginctl")
            .args(["show-user", &uid, "--property=Linger", "--value"])
            .stdin(Stdio::null())
            .output()
            .ok()?;
        match String::from_utf8_lossy(&output.stdout).trim() {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        }
    }

    fn ask(&self, args: &[&str]) -> Result<String, ServiceError> {
        let (program, args) = self.words("systemctl", args);
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

fn pairs(said: &str) -> BTreeMap<String, String> {
    let pairs = said.lines().filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
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
