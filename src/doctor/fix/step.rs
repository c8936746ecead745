//! A change of a file or of the manager's environment, and its way back.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::text::{MARK, read};
use crate::doctor::facts::DoctorFacts;
use crate::doctor::gather::short;
use crate::doctor::managers::{self, MANAGER};
use crate::environment::Environment;
use crate::gocmd::{self, EnvFile, RestoreError};
use crate::model::mask;
use crate::model::mask::has_credentials;
use crate::paths;

/// Time limit for a command of the service manager.
const COMMAND_TIME: Duration = Duration::from_secs(10);

/// A change that can be taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Step {
    File {
        path: String,
        old: String,
        new: String,
    },
    Variable {
        name: String,
        value: String,
    },
}

impl Step {
    pub(super) fn file(path: &Path, old: String, new: String) -> Step {
        let path = paths::exact(path);
        Step::File { path, old, new }
    }

    /// Carries it out, or takes it back.
    pub(super) async fn run(&self, env: &Environment, forward: bool) -> Result<(), Refusal> {
        match self {
            Step::File { path, old, new } => {
                let (from, to) = if forward { (old, new) } else { (new, old) };
                let path = paths::from_exact(path);
                let (real, text) = read(&path)?;
                if real != path {
                    return Err("a symbolic link is in its place".to_owned().into());
                }
                if text == *to {
                    return Ok(()); // done already, or never done
                }
                if text != *from {
                    return Err(changed(&text));
                }
                let file = EnvFile { path };
                let bytes = Some(to.clone().into_bytes());
                let done = gocmd::restore(&file, bytes, from.as_bytes()).await;
                done.map(drop).map_err(|error| {
                    let why = match error {
                        RestoreError::Changed { .. } => "another program writes it".to_owned(),
                        RestoreError::Apply(error) => error.to_string(),
                    };
                    why.into()
                })
            }
            Step::Variable { name, value } => {
                let names = [name.clone()].into();
                let now = managers::variables(&mut DoctorFacts::default(), env, &names).await;
                let now = now.first().map(|(_, value)| value);
                match (forward, now) {
                    (true, None) => Ok(()),
                    (true, Some(now)) if now == value => {
                        let (program, args) = unset(name);
                        Ok(command(program, &args, None).await?)
                    }
                    (false, Some(now)) if now == value => Ok(()),
                    (_, Some(_)) => Err(Refusal {
                        why: "it has another value now".to_owned(),
                        is_over: true,
                    }),
                    (false, None) => Ok(set(name, value).await?),
                }
            }
        }
    }

    /// The place, for people.
    pub(super) fn place(&self, home: &Path) -> String {
        match self {
            Step::File { path, .. } => short(&paths::from_exact(path), home),
            Step::Variable { name, .. } => format!("{name} in {MANAGER}"),
        }
    }
}

/// Why a step was not carried out.
pub(super) struct Refusal {
    pub(super) why: String,
    /// Whether nothing of the change is left, so that there is nothing to take back.
    pub(super) is_over: bool,
}

impl From<String> for Refusal {
    fn from(why: String) -> Refusal {
        Refusal {
            why,
            is_over: false,
        }
    }
}

/// Says what to do with a file that has changed since.
fn changed(text: &str) -> Refusal {
    let mut marked = text.lines().enumerate();
    match marked.find(|(_, line)| line.trim_start().starts_with(MARK)) {
        Some((at, _)) => Refusal::from(format!(
            "it has changed since; delete line {} and the `# ` in the line below",
            at + 1
        )),
        None => Refusal {
            why: "it has changed since, and no line of goroam's is left in it".to_owned(),
            is_over: true,
        },
    }
}

/// Returns the command that removes a variable from the manager's environment.
pub(super) fn unset(name: &str) -> (&'static str, Vec<&str>) {
    if cfg!(target_os = "macos") {
        ("launchctl", vec!["unsetenv", name])
    } else {
        ("systemctl", vec!["--user", "unset-environment", name])
    }
}

async fn set(name: &str, value: &str) -> Result<(), String> {
    if !cfg!(target_os = "macos") {
        // The value is in no command line, which other users see.
        let args = ["--user", "import-environment", name];
        return command("systemctl", &args, Some((name, value))).await;
    }
    if has_credentials(value) {
        return Err(format!(
            "its value has a password, which a command line would show; run `launchctl setenv \
             {name} …`"
        ));
    }
    command("launchctl", &["setenv", name, value], None).await
}

async fn command(program: &str, args: &[&str], var: Option<(&str, &str)>) -> Result<(), String> {
    let failed = |why: String| format!("`{program} {}`: {why}", args.join(" "));
    let mut command = Command::new(program);
    command
        .args(args)
        .envs(var)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(COMMAND_TIME, command.output()).await;
    let output = output
        .map_err(|_| failed("it does not answer".to_owned()))?
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failed(mask(said.lines().next().unwrap_or("it failed"))))
}
