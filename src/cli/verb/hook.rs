//! `goroam hook`: code that a shell evaluates at its start, and again when a turn was taken.
//!
//! The shell itself compares the second line of goroam's state, which has the number of the last
//! turn: a builtin reads it, so that a prompt starts no process. All else is decided here.

use std::io::Write as _;
use std::path::{MAIN_SEPARATOR, Path};

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};

use crate::agent::error::{EXIT_DONE, EXIT_FAILED};
use crate::agent::{ExportVerdict, HOOK_MARKER, HOOKED, Session, hook_notes};
use crate::bounded;
use crate::cli::render::{clean, segment};
use crate::cli::shell::Shell;
use crate::cli::{Context, Failure};
use crate::environment::Environment;
use crate::gomod::sum::sha256_hex;
use crate::paths::Paths;
use crate::state::file;

/// `goroam hook`
#[derive(Debug, Clone, Args)]
pub struct Hook {
    /// Shell of the start-up file
    #[arg(value_parser = PossibleValuesParser::new(["bash", "zsh", "fish", "pwsh"])
        .map(|name| Shell::named(&name)))]
    pub shell: Shell,
    /// Only what has changed since; the hook runs this after a turn
    #[arg(long)]
    pub refresh: bool,
}

/// Prints the code.
pub(in crate::cli) fn run(context: &Context, args: &Hook) -> Result<u8, Failure> {
    let shell = args.shell;
    let paths = context.paths()?;
    let session = Session::open(context.config.clone(), context.env.clone());
    let mut text = String::new();
    let mut turn = 0;
    match &session {
        Ok(session) => {
            turn = session.turn();
            let judge = |name: &str| session.judge_export(name);
            let (steps, marker) = steps(&context.env, &judge, args.refresh);
            for step in &steps {
                text.push_str(&step.code(shell));
            }
            text.push_str(&shell.export(HOOK_MARKER, &marker));
            let mut status = session.remembered();
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
            );
        }
        // Before each prompt would be too often; `goroam status` says what is wrong.
        Err(_) if args.refresh => return Ok(EXIT_FAILED),
        Err(_) => {}
    }
    if !args.refresh {
        text.push_str(&at_start(shell, &paths.memory(), turn));
    }
    context.out.text(&text)?;
    session.map(|_| EXIT_DONE).map_err(Failure::from)
}

/// What happens to an exported variable.
#[derive(Debug, Clone, PartialEq, Eq)]
enum HookStep {
    Unset { name: &'static str, hash: String },
    PutBack { name: &'static str },
    Keep { name: &'static str, hash: String },
}

impl HookStep {
    /// The value stays in a variable of the shell, unexported, so that no code contains it.
    fn code(&self, shell: Shell) -> String {
        match (self, shell) {
            (HookStep::Keep { .. }, _) => String::new(),
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
        let now = env.get(name).map(hash);
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

/// Says what is unset and what is not, once for each value: not in every new terminal.
fn tell_once(paths: &Paths, steps: &[HookStep], profile: &str) {
    let (path, profile) = (paths.hook_told(), clean(profile));
    let before = bounded::read_text(&path, MOST_TOLD).unwrap_or_default();
    let mut told: Vec<&str> = before.lines().collect();
    let mut news = Vec::new();
    for step in steps {
        let (line, says) = match step {
            HookStep::PutBack { .. } => continue,
            HookStep::Unset { name, hash } => (
                format!("{name}={hash}"),
                format!("{name} is unset in this shell, as profile {profile} sets it"),
            ),
            HookStep::Keep { name, hash } => (
                format!("{name}={hash} stays"),
                format!("{name} stays exported: the exported GOPRIVATE or GONO… relies on it"),
            ),
        };
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
/// prompt. `turn`: the last turn that these took into account.
fn at_start(shell: Shell, state: &Path, turn: u64) -> String {
    let (template, name) = match shell {
        Shell::Bash => (BASH, "bash"),
        Shell::Zsh => (ZSH, "zsh"),
        Shell::Fish => (FISH, "fish"),
        Shell::Pwsh | Shell::Nu => (PWSH, "pwsh"),
    };
    let seen = match (turn, shell) {
        (0, _) => String::new(),
        // Its `read` keeps the spaces at the beginning.
        (turn, Shell::Fish) => format!("  \"turn\": {turn},"),
        (turn, _) => format!("\"turn\": {turn},"),
    };
    let refresh = format!("{} hook {name} --refresh", shell.quote(&program()));
    template
        .replace("STATE", &shell.quote(&state.display().to_string()))
        .replace("SEEN", &shell.quote(&seen))
        .replace("REFRESH", &refresh)
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

const BASH: &str = r#"__goroam_turn=SEEN
__goroam_prompt() {
  local ret=$? line=
  [[ -r STATE ]] && { read -r line; read -r line; } <STATE
  if [[ $line != "$__goroam_turn" ]]; then
    __goroam_turn=$line
    eval "$(REFRESH)"
  fi
  return $ret
}
if [[ ${PROMPT_COMMAND[*]-} != *__goroam_prompt* ]]; then
  PROMPT_COMMAND="__goroam_prompt${PROMPT_COMMAND:+;$PROMPT_COMMAND}"
fi
"#;

const ZSH: &str = r#"__goroam_turn=SEEN
__goroam_prompt() {
  emulate -L zsh
  local line=
  [[ -r STATE ]] && { read -r line; read -r line } <STATE
  if [[ $line != $__goroam_turn ]]; then
    __goroam_turn=$line
    eval "$(REFRESH)"
  fi
}
typeset -ga precmd_functions
precmd_functions=(__goroam_prompt ${precmd_functions:#__goroam_prompt})
"#;

const FISH: &str = r#"set -g __goroam_turn SEEN
function __goroam_prompt --on-event fish_prompt
    set -l line
    test -r STATE; and begin
        read line
        read line
    end <STATE
    if test "$line" != "$__goroam_turn"
        set -g __goroam_turn $line
        REFRESH | source
    end
end
"#;

/// The agent replaces the file while it is open: Windows allows that if the reader shares it.
const PWSH: &str = r#"$global:__goroam_turn = SEEN
function global:__goroam_refresh {
  $line = ''
  if ([IO.File]::Exists(STATE)) {
    try {
      $file = [IO.File]::Open(STATE, 'Open', 'Read', 'ReadWrite, Delete')
      $reader = [IO.StreamReader]::new($file)
      $null = $reader.ReadLine(); $line = "$($reader.ReadLine())".Trim()
    } catch { $line = $global:__goroam_turn } finally { if ($file) { $file.Dispose() } }
  }
  if ($line -ne $global:__goroam_turn) {
    $global:__goroam_turn = $line
    & REFRESH | Out-String | Invoke-Expression
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

/// Enough to tell values from one another; the value may contain a password.
fn hash(value: &str) -> String {
    sha256_hex(value.as_bytes()).chars().take(16).collect()
}
