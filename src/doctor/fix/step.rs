//! A change of a file or of the manager's environment, and its way back; what becomes of a line.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::process::Command;

use crate::bounded;
use crate::doctor::facts::DoctorFacts;
use crate::doctor::files::MOST_BYTES;
use crate::doctor::gather::short;
use crate::doctor::managers::{self, MANAGER};
use crate::doctor::repair::{Fix, Target};
use crate::environment::Environment;
use crate::gocmd::{self, EnvFile, RestoreError};
use crate::model::mask;
use crate::model::mask::has_credentials;
use crate::paths;
use crate::trust;

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

/// The beginning of the comment that goroam writes above a line that it comments out.
pub(super) const MARK: &str = "# goroam doctor --fix:";

/// Returns the two lines that replace a line.
pub(super) fn commented(text: &str, names: &[String]) -> [String; 2] {
    let indent = text.len() - text.trim_start().len();
    let (indent, rest) = text.split_at(indent);
    let (names, hides) = (
        names.join(", "),
        if names.len() == 1 { "hides" } else { "hide" },
    );
    [
        format!("{indent}{MARK} {names} {hides} what `go env` has; undo: `goroam doctor --undo`"),
        format!("{indent}# {rest}"),
    ]
}

/// Comments lines of a text out, with the reason above each; every other byte stays. `None`: one of
/// the lines is not there.
pub(super) fn edit<'f>(text: &str, fixes: impl Iterator<Item = &'f Fix>) -> Option<String> {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    for fix in fixes {
        let Target::Line { line, text, .. } = &fix.target else {
            continue;
        };
        let old = lines.get_mut(line.checked_sub(1)?)?;
        let (found, end) = match old.strip_suffix('\n') {
            Some(found) => match found.strip_suffix('\r') {
                Some(found) => (found, "\r\n"),
                None => (found, "\n"),
            },
            None => (old.as_str(), ""),
        };
        if found != text {
            return None;
        }
        let [reason, comment] = commented(text, &fix.names);
        let between = if end.is_empty() { "\n" } else { end };
        *old = format!("{reason}{between}{comment}{end}");
    }
    Some(lines.concat())
}

/// Reads a file that goroam may change, through links. Returns its real path and its text.
pub(super) fn read(path: &Path) -> Result<(PathBuf, String), String> {
    let path = dunce::canonicalize(path).map_err(|error| error.to_string())?;
    let file = bounded::open(&path).map_err(|error| error.to_string())?;
    let meta = file.metadata().map_err(|error| error.to_string())?;
    is_own(&meta)?;
    trust::file_and_way(&path, &meta).map_err(|why| why.to_string())?;
    let folder = path.parent().unwrap_or(&path);
    for place in [&path, folder] {
        let may = trust::may_write(place);
        may.map_err(|error| format!("{}: {error}", place.display()))?;
    }
    let bytes = bounded::read_open(&file, MOST_BYTES).map_err(|error| error.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    Ok((path, text))
}

/// Checks that the file is the user's own, not one that root keeps for all users.
#[cfg(unix)]
fn is_own(meta: &Metadata) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;

    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err("it does not belong to you".to_owned());
    }
    if meta.nlink() > 1 {
        return Err("it has hard links, which a new file would lose".to_owned());
    }
    if meta.mode() & 0o200 == 0 {
        return Err("it is read-only".to_owned());
    }
    Ok(())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "must match Unix")]
fn is_own(_: &Metadata) -> Result<(), String> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::doctor::repair::FixKind;

    fn fix(line: usize, text: &str) -> Fix {
        let target = Target::Line {
            path: PathBuf::new(),
            line,
            text: text.to_owned(),
            shells: BTreeSet::new(),
        };
        let names = vec!["GOPROXY".to_owned()];
        Fix::new(FixKind::CommentOut, names, String::new(), target)
    }

    #[test]
    fn only_these_lines_become_comments_and_their_ends_stay() {
        let text = "a\r\n  export GOPROXY=x\r\nb\nexport GOPROXY=y";
        let fixes = [fix(2, "  export GOPROXY=x"), fix(4, "export GOPROXY=y")];
        let reason =
            "# goroam doctor --fix: GOPROXY hides what `go env` has; undo: `goroam doctor --undo`";
        assert_eq!(
            edit(text, fixes.iter()).unwrap(),
            format!("a\r\n  {reason}\r\n  # export GOPROXY=x\r\nb\n{reason}\n# export GOPROXY=y")
        );
        assert_eq!(edit("other\n", fixes.iter()), None);
        assert_eq!(edit("", fixes.iter()), None);
    }
}
