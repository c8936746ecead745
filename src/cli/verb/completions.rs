//! `goroam completions`: a script that asks goroam at each Tab what can follow (`cli/complete`).

use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::agent::error::EXIT_DONE;
use crate::cli::{Context, Failure};

/// `goroam completions`
#[derive(Debug, Clone, Args)]
pub struct Completions {
    /// Shell to complete for
    #[arg(value_parser = PossibleValuesParser::new(SCRIPTS.map(|(shell, _)| shell)))]
    pub shell: String,
}

/// Prints a shell's completions.
pub(in crate::cli) fn run(context: &Context, args: &Completions) -> Result<u8, Failure> {
    let script = SCRIPTS.iter().find(|(shell, _)| *shell == args.shell);
    let (_, script) = script.unwrap_or(&SCRIPTS[0]);
    context.out.raw(script.as_bytes())?;
    Ok(EXIT_DONE)
}

// Each leaves files to its shell, which knows how to quote them, and what follows `exec` to the
// completions of that command.

const SCRIPTS: [(&str, &str); 6] = [
    ("bash", BASH),
    ("elvish", ELVISH),
    ("fish", FISH),
    ("nushell", NUSHELL),
    ("powershell", POWERSHELL),
    ("zsh", ZSH),
];

/// Also for the bash 3.2 of macOS, which has no `compopt`, and without the package bash-completion,
/// which has `_command_offset`.
const BASH: &str = r#"_goroam() {
  local IFS=$'\n' kind
  COMPREPLY=($(command goroam __complete bash "=${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null))
  kind=${COMPREPLY[0]-}
  COMPREPLY=("${COMPREPLY[@]:1}")
  case $kind in
    :command\ *)
      if declare -F _command_offset >/dev/null; then
        unset IFS
        _command_offset "${kind#:command }"
      elif ((COMP_CWORD == ${kind#:command })); then
        COMPREPLY=($(compgen -c -- "$2"))
      fi ;;
    :directories) compopt -o dirnames +o default 2>/dev/null ;;
    :words) compopt +o default +o bashdefault 2>/dev/null ;;
  esac
}
complete -o bashdefault -o default -F _goroam goroam
"#;

const ZSH: &str = r#"#compdef goroam
_goroam() {
  local -a lines
  lines=("${(@f)$(command goroam __complete zsh "=${(Q)PREFIX}" "${(@Q)words[2,CURRENT-1]}" 2>/dev/null)}")
  case $lines[1] in
    :command\ *)
      local at=${lines[1]#:command }
      shift $at words
      ((CURRENT -= at))
      _normal ;;
    :directories) _files -/ ;;
    :files) _files ;;
    :words)
      lines=("${(@)lines[2,-1]}")
      _describe -V goroam lines ;;
  esac
}
if [[ $funcstack[1] == _goroam ]]; then
  _goroam "$@"
else
  compdef _goroam goroam
fi
"#;

const FISH: &str = r#"function __goroam_complete
    set -l current (commandline -ct)
    set -l before (commandline -opc)
    set -l text (string unescape -- $current); or set text $current
    set -l lines (command goroam __complete fish "=$text" $before[2..] 2>/dev/null)
    switch "$lines[1]"
        case ':command *'
            set -l at (math (string replace ':command ' '' -- $lines[1]) + 1)
            set -l words
            test $at -le (count $before); and set words (string escape -- $before[$at..])
            complete -C "$words $current"
        case ':directories'
            __fish_complete_directories $current
        case ':files'
            __fish_complete_path $current
        case ':words'
            printf '%s\n' $lines[2..]
    end
end
complete -c goroam -e
complete -c goroam -f -k -a '(__goroam_complete)'
"#;

const POWERSHELL: &str = r#"Register-ArgumentCompleter -Native -CommandName goroam -ScriptBlock {
  param($word, $ast, $cursor)
  $all = @($ast.CommandElements)
  $before = @($all | Select-Object -Skip 1 | Where-Object { $_.Extent.EndOffset -lt $cursor } | ForEach-Object { "$_" })
  $kind, $lines = & goroam __complete powershell "=$word" @before 2>$null
  if ($kind -like ':command *') {
    $at = [int]$kind.Substring(9)
    $text = ''
    if ($at -lt $all.Count) {
      $start = $all[$at].Extent.StartOffset - $ast.Extent.StartOffset
      $text = $ast.Extent.Text.Substring($start)
    }
    $text = $text.PadRight($cursor - $ast.Extent.StartOffset - $start)
    [System.Management.Automation.CommandCompletion]::CompleteInput($text, $text.Length, $null).CompletionMatches
  } elseif ($kind -eq ':words') {
    foreach ($line in $lines) {
      $value, $help = $line -split "`t", 2
      if (-not $help) { $help = $value }
      [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $help)
    }
  }
}
"#;

const ELVISH: &str = r#"use str
set edit:completion:arg-completer[goroam] = {|@words|
  var lines = []
  try {
    set lines = [((external goroam) __complete elvish '='$words[-1] (all $words[1..-1]) 2>/dev/null | from-lines)]
  } catch { }
  if (== (count $lines) 0) {
    nop
  } elif (str:has-prefix $lines[0] ':command ') {
    edit:complete-sudo goroam (all $words[(num (str:trim-prefix $lines[0] ':command '))..])
  } elif (eq $lines[0] ':words') {
    for line $lines[1..] {
      var word @means = (str:split &max=2 "\t" $line)
      if (eq $means []) {
        put $word
      } else {
        edit:complex-candidate $word &display=$word'  ('$means[0]')'
      }
    }
  } else {
    edit:complete-filename $words[-1]
  }
}
"#;

/// Nushell has one completer for all commands, so the one before stays for the others.
const NUSHELL: &str = r#"let goroam_before = $env.config.completions.external.completer?
$env.config.completions.external.completer = {|spans|
  if $spans.0 != "goroam" {
    return (if $goroam_before != null { do $goroam_before $spans })
  }
  let lines = (^goroam __complete nushell $"=($spans | last)" ...($spans | slice 1..<-1) | complete | get stdout | lines)
  let kind = ($lines | get -o 0 | default "")
  if ($kind starts-with ":command ") and $goroam_before != null {
    do $goroam_before ($spans | skip ($kind | str substring 9.. | into int))
  } else if $kind == ":words" {
    $lines | skip 1 | split column "\t" value description
  } else {
    null
  }
}
"#;
