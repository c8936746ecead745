//! The commands that a shell carries out itself and that matter to variables.

use super::Dialect;
use super::evaluate::{Flow, MOST_TURNS, Startup, Success};
use super::expand::glob;
use super::export::Export;
use super::tree::{Word, is_name};
use super::variable::Value;

/// Words of a `test` that are looked at: a longer one cannot be told.
const MOST_TEST_WORDS: usize = 128;

impl Startup<'_> {
    pub(super) fn simple(&mut self, words: &[Word], line: usize, certain: bool) -> (Success, Flow) {
        self.assign_defaults(words, line, certain);
        let mut assignments = Vec::new();
        let mut rest = words;
        if self.dialect != Dialect::Fish {
            while let Some((first, others)) = rest.split_first()
                && let Some((name, value, true)) = first.assignment()
            {
                assignments.push((name, value));
                rest = others;
            }
        }
        let Some((mut command, mut args)) = rest.split_first() else {
            for (name, value) in assignments {
                let value = self.expand(&value);
                self.assign(&name, value, line, certain);
            }
            return (Some(true), Flow::On);
        };
        // As often as it stands there: a file of another may hold a hundred thousand.
        while matches!(command.literal(), Some("builtin" | "command"))
            && let Some((next, others)) = args.split_first()
        {
            if is_option(next) {
                return (None, Flow::On);
            }
            (command, args) = (next, others);
        }
        // `A=b command`: gone with the command.
        let Some(command) = command.literal() else {
            return (None, Flow::On);
        };
        let success = match command {
            "export" | "declare" | "typeset" | "readonly" | "local" | "integer" => {
                self.declare(command, args, line, certain);
                Some(true)
            }
            "set" if self.dialect == Dialect::Fish => self.fish_set(args, line, certain),
            "set" => {
                self.options(args, &["-a", "-o allexport"], &["+a", "+o allexport"]);
                Some(true)
            }
            "setopt" | "unsetopt" if self.dialect == Dialect::Zsh => {
                let is_it = |arg: &Word| {
                    let text = arg.literal().unwrap_or_default();
                    text.replace('_', "").eq_ignore_ascii_case("allexport")
                };
                if args.iter().any(is_it) {
                    self.export_all = command == "setopt";
                }
                Some(true)
            }
            "unset" => {
                if !args.iter().any(|arg| arg.literal() == Some("-f")) {
                    for arg in args.iter().filter(|arg| !is_option(arg)) {
                        if let Value::Known(name) = self.expand(arg) {
                            self.unset(&name, certain);
                        }
                    }
                }
                Some(true)
            }
            "source" | "." => self.read_file(args, certain),
            "eval" => {
                let texts: Option<Vec<String>> = args
                    .iter()
                    .map(|arg| match self.expand(arg) {
                        Value::Known(text) => Some(text),
                        Value::Unknown => None,
                    })
                    .collect();
                if let Some(texts) = texts {
                    self.text_within(&texts.join(" "), line, certain);
                }
                None
            }
            "emulate" => {
                // `emulate sh -c 'source /etc/profile'`
                let words: Vec<&str> = args.iter().filter_map(Word::literal).collect();
                if let ["sh" | "bash" | "ksh" | "zsh", "-c", text] = words.as_slice() {
                    self.text_within(text, line, certain);
                }
                Some(true)
            }
            "return" | "exit" | "logout" => return (None, Flow::End),
            "true" | ":" => Some(true),
            "false" => Some(false),
            "test" => self.test(args),
            "[" => match args.split_last() {
                Some((last, args)) if last.literal() == Some("]") => self.test(args),
                _ => None,
            },
            "[[" => match args.split_last() {
                Some((last, args)) if last.literal() == Some("]]") => self.test(args),
                _ => None,
            },
            "status" if self.dialect == Dialect::Fish => {
                let words: Vec<&str> = args.iter().filter_map(Word::literal).collect();
                match words.as_slice() {
                    ["is-interactive" | "--is-interactive" | "-i"] => Some(true),
                    _ => None,
                }
            }
            "echo" | "printf" | "alias" | "umask" | "bindkey" if self.dialect != Dialect::Fish => {
                Some(true)
            }
            "go" => {
                self.go_env_write(args, line, certain);
                None
            }
            name => self.call(name, args, line, certain),
        };
        (success, Flow::On)
    }

    /// `go env -w NAME=value…`: what it writes is no variable of the shell's.
    fn go_env_write(&mut self, args: &[Word], line: usize, certain: bool) {
        let literal = |at: usize| args.get(at).and_then(Word::literal);
        if literal(0) != Some("env") || !matches!(literal(1), Some("-w" | "--w")) {
            return;
        }
        for arg in args.iter().skip(2).take(MOST_TURNS) {
            let named = match self.expand(arg) {
                Value::Known(text) => text
                    .split_once('=')
                    .map(|(name, value)| (name.to_owned(), Some(value.to_owned()))),
                Value::Unknown => arg.assignment().map(|(name, _, _)| (name, None)),
            };
            if let Some((name, value)) = named {
                self.written.push(Export {
                    name,
                    value,
                    file: self.file.as_ref().clone(),
                    line,
                    certain,
                });
            }
        }
    }

    /// An `eval` within an `eval` within …: as deep as files.
    fn text_within(&mut self, text: &str, line: usize, certain: bool) {
        if self.may_go_deeper() {
            self.text(text, line, certain);
        }
    }

    fn read_file(&mut self, args: &[Word], certain: bool) -> Success {
        let file = args.iter().find(|arg| !is_option(arg))?;
        let path = self.path(file)?;
        let found = self.source(&path, certain);
        // What the last command of the file came to is not followed.
        (!found).then_some(false)
    }

    fn declare(&mut self, command: &str, args: &[Word], line: usize, certain: bool) {
        let mut export = command == "export";
        let mut hide = false;
        // Gone with the function, and what has the same name outside comes back.
        let is_local = self.in_call
            && !matches!(command, "export" | "readonly")
            && !args
                .iter()
                .any(|arg| is_option(arg) && arg.literal().is_some_and(|text| text.contains('g')));
        for arg in args {
            let text = arg.literal().unwrap_or_default();
            if let Some(flags) = text.strip_prefix('-').filter(|_| is_option(arg)) {
                if flags.contains(['f', 'F', 'p']) {
                    return;
                }
                if command == "export" && flags.contains('n') {
                    export = false;
                    hide = true;
                }
                export |= flags.contains('x');
                continue;
            }
            if text.starts_with('+') {
                hide |= text.contains('x');
                continue;
            }
            if let Some((name, value, _)) = arg.assignment() {
                if is_local && name.starts_with("GO") {
                    continue;
                }
                let value = self.expand(&value);
                self.assign(&name, value, line, certain);
                if export {
                    self.export(&name, certain);
                } else if hide {
                    self.keep_to_itself(&name, certain);
                }
            } else if is_name(text) && !is_local {
                if export {
                    self.export(text, certain);
                } else if hide {
                    self.keep_to_itself(text, certain);
                }
            }
        }
    }

    fn options(&mut self, args: &[Word], on: &[&str], off: &[&str]) {
        // Behind `--` stand the shell's own arguments: `set -- -a`.
        let words: Vec<&str> = args
            .iter()
            .map_while(Word::literal)
            .take_while(|word| *word != "--")
            .collect();
        let text = words.join(" ");
        let has = |wanted: &[&str]| wanted.iter().any(|wanted| text.starts_with(wanted));
        // `set -euao pipefail`
        let bundled = |sign: char| {
            words.iter().any(|word| {
                word.strip_prefix(sign)
                    .is_some_and(|flags| !flags.starts_with(sign) && flags.contains('a'))
            })
        };
        if has(on) || bundled('-') {
            self.export_all = true;
        }
        if has(off) || bundled('+') {
            self.export_all = false;
        }
    }

    /// `set -gx NAME value…`, `set -e NAME` of fish.
    fn fish_set(&mut self, args: &[Word], line: usize, certain: bool) -> Success {
        let mut flags = String::new();
        let mut rest = args;
        while let Some((first, others)) = rest.split_first() {
            let Some(text) = first.literal().filter(|_| is_option(first)) else {
                break;
            };
            rest = others;
            match text {
                "--" => break,
                "--export" => flags.push('x'),
                "--unexport" => flags.push('u'),
                "--erase" => flags.push('e'),
                "--query" => flags.push('q'),
                "--local" => flags.push('l'),
                "--append" | "--prepend" => flags.push('a'),
                text if text.starts_with("--") => {}
                text => flags.push_str(text.trim_start_matches('-')),
            }
        }
        let (name, values) = rest.split_first()?;
        let name = name.literal()?;
        if flags.contains('q') {
            return match self.lookup(name) {
                Some(Value::Known(_)) => Some(true),
                Some(Value::Unknown) => None,
                None if name.starts_with("GO") => Some(false),
                None => None,
            };
        }
        if flags.contains('e') {
            for name in rest.iter().filter_map(Word::literal) {
                self.unset(name, certain);
            }
            return Some(true);
        }
        if flags.contains(['n', 'S', 'L', 'a', 'p']) || name.contains('[') {
            if is_name(name) && !values.is_empty() && flags.contains(['a', 'p']) {
                self.assign(name, Value::Unknown, line, certain);
            }
            return None;
        }
        if !is_name(name) {
            return None;
        }
        let mut texts = Vec::new();
        let mut value = None;
        for word in values {
            match self.expand(word) {
                Value::Known(text) => texts.push(text),
                Value::Unknown => value = Some(Value::Unknown),
            }
        }
        // Lists of a name that ends in PATH are joined with colons; none of these is one of Go's
        // that a policy sets.
        let value = value.unwrap_or_else(|| Value::Known(texts.join(" ")));
        self.assign(name, value, line, certain);
        if flags.contains('x') {
            self.export(name, certain);
        } else if flags.contains('u') {
            self.keep_to_itself(name, certain);
        }
        Some(true)
    }

    /// `test`, `[ … ]`, `[[ … ]]` where it can be told.
    fn test(&self, args: &[Word]) -> Success {
        // Each operator is a step down the stack.
        if args.len() > MOST_TEST_WORDS {
            return None;
        }
        let text = |word: &Word| match self.expand(word) {
            Value::Known(text) => Some(text),
            Value::Unknown => None,
        };
        // `||` binds less than `&&`, and both less than `!`; only `[[` has them.
        for (operator, wins) in [("||", true), ("&&", false)] {
            let is_it = |word: &Word| word.literal() == Some(operator);
            if let Some(at) = args.iter().position(is_it) {
                let (one, other) = (args.get(..at)?, args.get(at + 1..)?);
                return match (self.test(one), self.test(other)) {
                    (Some(is), _) | (_, Some(is)) if is == wins => Some(wins),
                    (Some(_), Some(_)) => Some(!wins),
                    _ => None,
                };
            }
        }
        match args {
            [not, rest @ ..] if not.keyword() == Some("!") => self.test(rest).map(|is| !is),
            [operator, operand] => {
                let operator = operator.literal()?;
                let value = text(operand)?;
                let path = std::path::Path::new(&value);
                match operator {
                    "-n" => Some(!value.is_empty()),
                    "-z" => Some(value.is_empty()),
                    "-f" if path.is_absolute() => Some(self.files.is_file(path)),
                    // May it be read? Tried when it is.
                    "-e" | "-r" | "-s" | "-a" if path.is_absolute() => {
                        Some(self.files.is_file(path) || self.files.is_folder(path))
                    }
                    "-d" if path.is_absolute() => Some(self.files.is_folder(path)),
                    _ => None,
                }
            }
            [one] => text(one).map(|text| !text.is_empty()),
            [one, operator, other] => {
                let (one, operator, other) = (text(one)?, operator.literal()?, text(other)?);
                let is_pattern = args.get(2).is_some_and(|word| word.pieces.len() > 1);
                let same = if is_pattern {
                    glob(&other, &one)
                } else {
                    one == other
                };
                match operator {
                    "=" | "==" if !other.contains('[') => Some(same),
                    "!=" if !other.contains('[') => Some(!same),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// `-x`, but not a lone `-`.
fn is_option(word: &Word) -> bool {
    word.literal()
        .is_some_and(|text| text.len() > 1 && text.starts_with('-'))
}
