//! `goroam hook`: code that a shell evaluates at its start, and again when a turn was taken.
//!
//! The shell itself compares the second and third line of goroam's state, which have the number of
//! the last turn and whether goroam is paused: a builtin reads them, so that a prompt starts no
//! process. If the policy has projects, it compares its directory, too. All else is decided here.

use std::io::Write as _;
use std::path::{MAIN_SEPARATOR, Path};

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};

use crate::agent::error::{EXIT_DONE, EXIT_FAILED};
use crate::agent::{
    ExportVerdict, HOOK_MARKER, HOOKED, ProjectHere, Session, current_folder, export_hash,
    hook_notes, project_notes, user_env,
};
use crate::bounded;
use crate::cli::render::{clean, segment};
use crate::cli::shell::Shell;
use crate::cli::{Context, Failure};
use crate::environment::Environment;
use crate::paths::Paths;
use crate::state::file;

/// `goroam hook`
#[derive(Debug, Clone, Args)]
pub struct Hook {
    /// Shell of the start-up file
    #[arg(value_parser = PossibleValuesParser::new(["bash", "zsh", "fish", "pwsh"])
        .map(|name| Shell::named(&name)))]
    pub shell: Shell,
    /// Only what has changed since; the hook runs this by itself
    #[arg(long)]
    pub refresh: bool,
}

/// Prints the code.
pub(in crate::cli) fn run(context: &Context, args: &Hook) -> Result<u8, Failure> {
    let shell = args.shell;
    let paths = context.paths()?;
    let session = Session::open(context.config.clone(), context.env.clone());
    let mut text = String::new();
    let (mut turn, mut is_paused) = (0, false);
    match &session {
        Ok(session) => {
            turn = session.turn();
            let judge = |name: &str| session.judge_export(name);
            let (mut steps, mut marker) = steps(&session.env, &judge, args.refresh);
            let refusal = enter(context, session, &mut steps, &mut marker);
            for step in &steps {
                text.push_str(&step.code(shell));
            }
            text.push_str(&shell.export(HOOK_MARKER, &marker));
            text.push_str(watch(shell, !session.loaded.policy.projects.is_empty()));
            let mut status = session.remembered();
            is_paused = status.paused;
            let is_unset = |name: &str| {
                let of = |step: &HookStep| matches!(step, HookStep::Unset { name: own, .. } if *own == name);
                steps.iter().any(of)
            };
            status.shadowed.retain(|shadow| !is_unset(&shadow.name));
            text.push_str(&shell.export("GOROAM_PROFILE", &segment(&status)));
            tell_once(
                &paths,
                &steps,
                status.profile.as_deref().unwrap_or_default(),
                refusal,
            );
        }
        // Before each prompt would be too often; `goroam status` says what is wrong.
        Err(_) if args.refresh => {
            context.out.raw(leave(context, shell).as_bytes())?;
            return Ok(EXIT_FAILED);
        }
        Err(_) => {}
    }
    if !args.refresh {
        text.push_str(&at_start(shell, &paths.memory(), turn, is_paused));
    }
    context.out.raw(text.as_bytes())?;
    session.map(|_| EXIT_DONE).map_err(Failure::from)
}

/// What happens to an exported variable.
#[derive(Debug, Clone, PartialEq, Eq)]
enum HookStep {
    Unset {
        name: &'static str,
        hash: String,
    },
    PutBack {
        name: &'static str,
    },
    Keep {
        name: &'static str,
        hash: String,
    },
    /// A project's variable.
    Set {
        name: String,
        value: String,
    },
    /// The same, when the shell has left the project.
    Drop {
        name: String,
    },
}

impl HookStep {
    /// The value stays in a variable of the shell, unexported, so that no code contains it.
    fn code(&self, shell: Shell) -> String {
        match (self, shell) {
            (HookStep::Keep { .. }, _) => String::new(),
            (HookStep::Set { name, value }, _) => shell.export(name, value),
            (HookStep::Drop { name }, Shell::Bash | Shell::Zsh) => format!("unset {name}\n"),
            (HookStep::Drop { name }, Shell::Fish) => format!("set -eg {name}\n"),
            (HookStep::Drop { name }, Shell::Pwsh | Shell::Nu) => {
                format!("Remove-Item Env:{name}\n")
            }
            (HookStep::Unset { name, .. }, Shell::Bash | Shell::Zsh) => {
                format!("__goroam_{name}=${name}; unset {name}\n")
            }
            (HookStep::PutBack { name }, Shell::Bash | Shell::Zsh) => {
                format!("export {name}=\"$__goroam_{name}\"\n")
            }
            // Erasing a universal variable would last; an empty one counts as unset for go.
            (HookStep::Unset { name, .. }, Shell::Fish) => format!(
                "set -g __goroam_{name} ${name}; set -eg {name}; \
                 set -q {name}; and set -gx {name} ''\n"
            ),
            (HookStep::PutBack { name }, Shell::Fish) => {
                format!("set -gx {name} $__goroam_{name}\n")
            }
            (HookStep::Unset { name, .. }, Shell::Pwsh | Shell::Nu) => {
                format!("$global:__goroam_{name} = $env:{name}; Remove-Item Env:{name}\n")
            }
            (HookStep::PutBack { name }, Shell::Pwsh | Shell::Nu) => {
                format!("$env:{name} = $global:__goroam_{name}\n")
            }
        }
    }
}

impl HookStep {
    fn puts_back(&self, name: &str) -> bool {
        matches!(self, HookStep::PutBack { name: own } if *own == name)
    }
}

/// Decides what happens to each variable, and returns the new marker: of each variable that a
/// start-up file had exported, the hash of its value, with `-` while the hook has it unset.
fn steps(
    env: &Environment,
    judge: &dyn Fn(&str) -> ExportVerdict,
    refresh: bool,
) -> (Vec<HookStep>, String) {
    let is_first = env.get(HOOK_MARKER).is_none() && !refresh;
    let mut marker = "on".to_owned();
    let mut steps = Vec::new();
    for name in HOOKED {
        let noted = hook_notes(env).find(|(own, _)| *own == name);
        let noted = noted.map(|(_, hash)| hash);
        let known = noted.map(|hash| hash.trim_start_matches('-').to_owned());
        let is_unset = refresh && noted.is_some_and(|hash| hash.starts_with('-'));
        let now = env.get(name).map(export_hash);
        let (hash, is_unset) = match (known, now) {
            // The user has exported it since then: from now on it is the user's.
            (Some(_), Some(_)) if is_unset => continue,
            (Some(hash), None) if is_unset => {
                let hides = judge(name) == ExportVerdict::Hides;
                if !hides {
                    steps.push(HookStep::PutBack { name });
                }
                (hash, hides)
            }
            // Also the first shell with a hook: what started it, or a start-up file, exports it.
            (known, Some(now)) if known.as_ref().map_or(is_first, |hash| *hash == now) => {
                let verdict = judge(name);
                let hash = now.clone();
                match verdict {
                    ExportVerdict::Stands => {}
                    ExportVerdict::Hides => steps.push(HookStep::Unset { name, hash }),
                    ExportVerdict::Shields => steps.push(HookStep::Keep { name, hash }),
                }
                (now, verdict == ExportVerdict::Hides)
            }
            (Some(hash), _) => (hash, false),
            (None, _) => continue,
        };
        let sign = if is_unset { "-" } else { "" };
        marker.push_str(&format!(" {name}={sign}{hash}"));
    }
    (steps, marker)
}

/// Adds what sets the variables of this directory's project, and unsets those of the last one.
/// Returns why the project is not used, if it is not.
fn enter(
    context: &Context,
    session: &Session,
    steps: &mut Vec<HookStep>,
    marker: &mut String,
) -> Option<String> {
    // The steps unset some exports for the profile, and put others back.
    let is_unset = |name: &str| {
        let is_it =
            |step: &HookStep| matches!(step, HookStep::Unset { name: own, .. } if *own == name);
        steps.iter().any(is_it)
    };
    let env: Environment = session
        .env
        .all()
        .filter(|(name, _)| !is_unset(name))
        .collect();
    let folder = current_folder(&env).ok();
    let policy = &session.loaded.policy;
    let here = folder.and_then(|folder| ProjectHere::find(policy, &env, &folder));
    let refusal = here.as_ref().and_then(ProjectHere::refusal);
    let mut wanted = here.map(|here| here.env).unwrap_or_default();
    wanted.retain(|name, _| !steps.iter().any(|step| step.puts_back(name)));
    let mut notes = String::new();
    for (name, hash) in project_notes(&context.env) {
        let now = context.env.get(name).map(export_hash);
        let is_ours = now.as_deref() == Some(hash);
        let is_wanted = wanted.get(name).map(|value| export_hash(value));
        if is_wanted.as_deref() == Some(hash) && (is_ours || now.is_none()) {
            // It is there; or the user has unset it, and it stays so in this project.
            wanted.remove(name);
            notes.push_str(&format!(" {name}=+{hash}"));
        } else if is_ours && is_wanted.is_none() && !steps.iter().any(|step| step.puts_back(name)) {
            steps.push(HookStep::Drop {
                name: name.to_owned(),
            });
        }
    }
    for (name, value) in wanted {
        notes.push_str(&format!(" {name}=+{}", export_hash(&value)));
        steps.push(HookStep::Set { name, value });
    }
    marker.push_str(&notes);
    refusal
}

/// Returns the code that unsets what was exported for a project, when no policy says where it holds.
fn leave(context: &Context, shell: Shell) -> String {
    let env = user_env(context.env.clone());
    let ours = project_notes(&context.env).filter(|(name, _)| env.get(name).is_none());
    let mut text = String::new();
    for (name, _) in ours.filter(|(name, _)| context.env.get(name).is_some()) {
        let name = name.to_owned();
        text.push_str(&HookStep::Drop { name }.code(shell));
    }
    if !text.is_empty() {
        let notes = hook_notes(&context.env).map(|(name, hash)| format!(" {name}={hash}"));
        let marker = format!("on{}", notes.collect::<String>());
        text.push_str(&shell.export(HOOK_MARKER, &marker));
    }
    text
}

/// Returns the code that lets a prompt look at its directory, or not.
fn watch(shell: Shell, has_projects: bool) -> &'static str {
    match (shell, has_projects) {
        (Shell::Bash | Shell::Zsh, true) => "__goroam_projects=1\n",
        (Shell::Bash | Shell::Zsh, false) => "__goroam_projects=\n",
        (Shell::Fish, true) => "set -g __goroam_projects 1\n",
        (Shell::Fish, false) => "set -g __goroam_projects\n",
        (Shell::Pwsh | Shell::Nu, true) => "$global:__goroam_projects = $true\n",
        (Shell::Pwsh | Shell::Nu, false) => "$global:__goroam_projects = $false\n",
    }
}

/// Says what is unset and what is not, once for each value: not in every new terminal. The same for
/// a project that is refused.
fn tell_once(paths: &Paths, steps: &[HookStep], profile: &str, refusal: Option<String>) {
    let (path, profile) = (paths.hook_told(), clean(profile));
    let before = bounded::read_text(&path, MOST_TOLD).unwrap_or_default();
    let mut told: Vec<&str> = before.lines().collect();
    let mut news = Vec::new();
    let of_steps = steps.iter().filter_map(|step| match step {
        HookStep::PutBack { .. } | HookStep::Set { .. } | HookStep::Drop { .. } => None,
        HookStep::Unset { name, hash } => Some((
            format!("{name}={hash}"),
            format!("{name} is unset in this shell, as profile {profile} sets it"),
        )),
        HookStep::Keep { name, hash } => Some((
            format!("{name}={hash} stays"),
            format!("{name} stays exported: the exported GOPRIVATE or GONO… relies on it"),
        )),
    });
    let of_project = refusal.map(|says| (format!("project={}", export_hash(&says)), clean(&says)));
    for (line, says) in of_steps.chain(of_project) {
        if !told.contains(&line.as_str()) {
            drop(writeln!(anstream::stderr(), "goroam: {says}"));
            news.push(line);
        }
    }
    if !news.is_empty() {
        told.extend(news.iter().map(String::as_str));
        let kept = told.split_off(told.len().saturating_sub(MOST_LINES));
        // If this cannot be stored, it is said again.
        drop(file::replace(
            &path,
            format!("{}\n", kept.join("\n")).as_bytes(),
        ));
    }
}

/// The bounds of the record of what was said, in bytes and lines.
const MOST_TOLD: u64 = 4096;
const MOST_LINES: usize = 20;

/// Returns the code that a start-up file evaluates after the steps: the function that runs at each
/// prompt. `turn` and `is_paused`: what these took into account.
fn at_start(shell: Shell, state: &Path, turn: u64, is_paused: bool) -> String {
    let (template, name) = match shell {
        Shell::Bash => (BASH, "bash"),
        Shell::Zsh => (ZSH, "zsh"),
        Shell::Fish => (FISH, "fish"),
        Shell::Pwsh | Shell::Nu => (PWSH, "pwsh"),
    };
    // fish's `read` keeps the spaces at the beginning.
    let gap = if shell == Shell::Fish { "  " } else { "" };
    let seen = match turn {
        0 => String::new(),
        turn => format!("{gap}\"turn\": {turn},{gap}\"paused\": {is_paused},"),
    };
    let refresh = format!("{} hook {name} --refresh", shell.quote(&program()));
    // In one pass: the path of the state may contain any text.
    let parts = template.split('@').map(|part| match part {
        "STATE" => shell.quote(&state.display().to_string()),
        "SEEN" => shell.quote(&seen),
        "REFRESH" => refresh.clone(),
        code => code.to_owned(),
    });
    parts.collect()
}

/// Returns how the shell called this program: a path that a later version keeps.
fn program() -> String {
    let called = std::env::args_os().next().unwrap_or_default();
    let called = called.to_string_lossy().into_owned();
    match called.contains(MAIN_SEPARATOR) {
        true => std::path::absolute(&called).map_or(called, |path| path.display().to_string()),
        false => "goroam".to_owned(),
    }
}

// Each leaves the exit status of the last command as it was, and runs before other programs of the
// prompt, which may show GOROAM_PROFILE.

const BASH: &str = r#"__goroam_turn=@SEEN@${__goroam_projects:+$PWD}
__goroam_prompt() {
  local ret=$? line= paused=
  [[ -r @STATE@ ]] && { read -r line; read -r line; read -r paused; } <@STATE@
  line+=$paused${__goroam_projects:+$PWD}
  if [[ $line != "$__goroam_turn" ]]; then
    __goroam_turn=$line
    eval "$(@REFRESH@)"
  fi
  return $ret
}
if [[ ${PROMPT_COMMAND[*]-} != *__goroam_prompt* ]]; then
  PROMPT_COMMAND="__goroam_prompt${PROMPT_COMMAND:+;$PROMPT_COMMAND}"
fi
"#;

const ZSH: &str = r#"__goroam_turn=@SEEN@${__goroam_projects:+$PWD}
__goroam_prompt() {
  emulate -L zsh
  local line= paused=
  [[ -r @STATE@ ]] && { read -r line; read -r line; read -r paused } <@STATE@
  line+=$paused${__goroam_projects:+$PWD}
  if [[ $line != $__goroam_turn ]]; then
    __goroam_turn=$line
    eval "$(@REFRESH@)"
  fi
}
typeset -ga precmd_functions
precmd_functions=(__goroam_prompt ${precmd_functions:#__goroam_prompt})
"#;

const FISH: &str = r#"set -g __goroam_turn @SEEN@
test -n "$__goroam_projects"; and set -g __goroam_turn $__goroam_turn$PWD
function __goroam_prompt --on-event fish_prompt
    set -l line
    set -l paused
    test -r @STATE@; and begin
        read line
        read line
        read paused
    end <@STATE@
    set line "$line$paused"
    test -n "$__goroam_projects"; and set line "$line$PWD"
    if test "$line" != "$__goroam_turn"
        set -g __goroam_turn $line
        @REFRESH@ | source
    end
end
"#;

/// The agent replaces the file while it is open: Windows allows that if the reader shares it.
const PWSH: &str = r#"$global:__goroam_turn = @SEEN@
if ($global:__goroam_projects) { $global:__goroam_turn += $PWD.Path }
function global:__goroam_refresh {
  $line = ''; $here = ''
  if ($global:__goroam_projects) { $here = $PWD.Path }
  if ([IO.File]::Exists(@STATE@)) {
    try {
      $file = [IO.File]::Open(@STATE@, 'Open', 'Read', 'ReadWrite, Delete')
      $reader = [IO.StreamReader]::new($file)
      $null = $reader.ReadLine(); $line = "$($reader.ReadLine())".Trim()
      $line += "$($reader.ReadLine())".Trim()
    } catch { return } finally { if ($file) { $file.Dispose() } }
  }
  $line += $here
  if ($line -ne $global:__goroam_turn) {
    $global:__goroam_turn = $line
    & @REFRESH@ | Out-String | Invoke-Expression
  }
}
if (-not (Test-Path Variable:global:__goroam_before)) {
  $global:__goroam_before = $function:prompt
  function global:prompt {
    $ok = $?; $code = $global:LASTEXITCODE
    __goroam_refresh
    $global:LASTEXITCODE = $code
    if (-not $ok) { Write-Error '' -ErrorAction Ignore }
    & $global:__goroam_before
  }
}
"#;

#[cfg(test)]
mod tests {
    use super::{Path, Shell, at_start};

    #[test]
    fn a_home_of_any_name_stays_what_it_is_in_the_code() {
        let code = at_start(Shell::Bash, Path::new("/h/SEEN'@REFRESH@/s"), 0, false);
        assert!(
            code.contains(r"[[ -r '/h/SEEN'\''@REFRESH@/s' ]]"),
            "{code}"
        );
    }
}
