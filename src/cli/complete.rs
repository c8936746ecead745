//! What can follow on a command line. The shells' scripts (`goroam completions`) run `goroam
//! __complete SHELL =CURRENT BEFORE…` at a Tab: no network, no agent, and never an error.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, Command, ValueHint};

use super::Context;
use super::shell::Shell;
use crate::agent::load_policy;
use crate::bounded;
use crate::mirror::Layout;
use crate::model::mask;
use crate::policy::{MIRRORS, Policy, WRITABLE};

/// The verb of the scripts. It is not in the grammar: only scripts use it.
pub(super) const VERB: &str = "__complete";

/// Most modules that are offered: more fit no screen.
const MOST_MODULES: usize = 500;
/// Longest `@v/list` that is read, in bytes.
const MOST_LIST: u64 = 1 << 20;

const FILES: [ValueHint; 2] = [ValueHint::FilePath, ValueHint::AnyPath];

/// A word and what it means.
type Word = (String, String);

/// What a shell offers. Files and commands it knows better than goroam does.
#[derive(Debug, PartialEq, Eq)]
enum Offer {
    Words(Vec<Word>),
    Files,
    Directories,
    /// The words from this one on are another command's; goroam itself is word 0.
    Command(usize),
}

/// Returns what the script reads: the kind of what is offered, then a line for each word.
pub(super) fn answer(context: &Context, grammar: Command, args: &[OsString]) -> String {
    let mut words = args.iter().map(|arg| arg.to_string_lossy().into_owned());
    let (Some(shell), Some(current)) = (words.next(), words.next()) else {
        return String::new();
    };
    let current = current.strip_prefix('=').unwrap_or(&current).to_owned();
    let before: Vec<String> = words.collect();
    let mut line = Line::whole(before, current);
    let mut quote = None;
    if shell == "bash" {
        (line, quote) = line.rejoined().unquoted();
    }
    match line.offer(context, grammar) {
        Offer::Files => ":files\n".to_owned(),
        Offer::Directories => ":directories\n".to_owned(),
        Offer::Command(at) => format!(":command {at}\n"),
        Offer::Words(words) => {
            let mut text = ":words\n".to_owned();
            for (word, means) in words {
                let (word, between) = match shell.as_str() {
                    "zsh" => (word.replace('\\', r"\\").replace(':', r"\:"), ':'),
                    _ => (word, '\t'),
                };
                let word = word.strip_prefix(&line.fixed).unwrap_or(&word);
                let Some(word) = typed(&shell, word, quote) else {
                    continue;
                };
                text += &word;
                if !means.is_empty() && shell != "bash" {
                    text.push(between);
                    text += &means;
                }
                text.push('\n');
            }
            text
        }
    }
}

/// Returns a word as it is typed in a shell that does not quote what it inserts: it must not become
/// several words, or code. `None`: it does not fit behind the open `quote`.
fn typed(shell: &str, word: &str, quote: Option<char>) -> Option<String> {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=@,+%^".contains(c);
    if word.chars().all(is_plain) {
        return Some(word.to_owned());
    }
    match shell {
        "bash" if quote.is_some() => None,
        "bash" => {
            let escaped = |c| [(!is_plain(c)).then_some('\\'), Some(c)];
            Some(word.chars().flat_map(escaped).flatten().collect())
        }
        "powershell" => Some(Shell::Pwsh.quote(word)),
        "nushell" => Some(Shell::Nu.quote(word)),
        _ => Some(word.to_owned()),
    }
}

/// Returns the value of a word that bash has not evaluated yet, and the quotation mark that is open
/// at its end.
fn value_of(word: &str) -> (String, Option<char>) {
    let (mut value, mut quote) = (String::new(), None);
    let mut chars = word.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('\\', None | Some('"')) => value.extend(chars.next()),
            (c, _) => value.push(c),
        }
    }
    (value, quote)
}

/// A command line up to the cursor, without the program's name.
#[derive(Debug)]
struct Line {
    /// The words before the one at the cursor, and the place of each on the shell's own list.
    before: Vec<(usize, String)>,
    /// The word at the cursor, up to the cursor.
    current: String,
    /// What of it bash regards as words of their own.
    fixed: String,
}

impl Line {
    fn whole(before: Vec<String>, current: String) -> Line {
        Line {
            before: (1..).zip(before).collect(),
            current,
            fixed: String::new(),
        }
    }

    /// Joins what bash takes apart at `=`, `:` and `@`, also where nothing is to be separated.
    fn rejoined(self) -> Line {
        let is_glue = |word: &str| !word.is_empty() && word.chars().all(|c| "=:@".contains(c));
        let last = self.before.len() + 1;
        let mut words: Vec<(usize, String)> = Vec::new();
        let mut fixed = String::new();
        let mut was_glue = false;
        for (at, word) in self.before.into_iter().chain([(last, self.current)]) {
            let glue = is_glue(&word);
            match words.last_mut().filter(|_| glue || was_glue) {
                Some((_, joined)) => {
                    fixed.clone_from(joined);
                    joined.push_str(&word);
                    // Behind the glue, bash completes an empty word.
                    if glue {
                        fixed.clone_from(joined);
                    }
                }
                None => {
                    fixed.clear();
                    words.push((at, word));
                }
            }
            was_glue = glue;
        }
        let (_, current) = words.pop().unwrap_or_default();
        Line {
            before: words,
            current,
            fixed,
        }
    }

    /// Gives each word of bash its value. Also returns the quotation mark that is open at the cursor.
    fn unquoted(self) -> (Line, Option<char>) {
        let before = self.before.into_iter();
        let (current, quote) = value_of(&self.current);
        let line = Line {
            before: before.map(|(at, word)| (at, value_of(&word).0)).collect(),
            current,
            fixed: value_of(&self.fixed).0,
        };
        (line, quote)
    }

    /// Walks through the words as clap does, and finds what can be at the cursor.
    fn offer(&self, context: &Context, mut grammar: Command) -> Offer {
        grammar.build();
        let mut verb = &grammar;
        let mut known = Known {
            context,
            config: None,
            mirror: None,
            words: Vec::new(),
        };
        let (mut open, mut only_values) = (None::<&Arg>, false);
        for (at, word) in &self.before {
            if let Some(option) = open.take() {
                known.note(option, word);
            } else if only_values || !word.starts_with('-') || word == "-" {
                let deeper = verb.find_subcommand(word);
                if let Some(deeper) = deeper.filter(|_| !only_values && known.words.is_empty()) {
                    verb = deeper;
                    continue;
                }
                let value = nth_value(verb, known.words.len());
                if value.is_some_and(Arg::is_trailing_var_arg_set) {
                    return Offer::Command(*at);
                }
                known.words.push(word.clone());
            } else if word == "--" {
                only_values = true;
            } else if let Some((option, value)) = option(verb, word) {
                match value {
                    Some(value) => known.note(option, value),
                    None => open = Some(option),
                }
            }
        }
        let current = self.current.as_str();
        if let Some(option) = open {
            return known.values(verb, option, current, "");
        }
        if !only_values && current.starts_with('-') {
            if let Some((name, value)) = current.split_once('=')
                && let Some((option, _)) = option(verb, name)
            {
                return known.values(verb, option, value, &format!("{name}="));
            }
            return Offer::Words(matching(options(verb), current));
        }
        let mut words = Vec::new();
        if known.words.is_empty() && !only_values {
            let verbs = verb.get_subcommands().filter(|verb| !verb.is_hide_set());
            let about = |verb: &Command| (verb.get_name().to_owned(), first(verb.get_about()));
            words = matching(verbs.map(about).collect(), current);
        }
        match nth_value(verb, known.words.len()) {
            Some(value) if value.is_trailing_var_arg_set() => {
                Offer::Command(self.before.last().map_or(1, |(at, _)| at + 1))
            }
            Some(value) => known.values(verb, value, current, ""),
            None => Offer::Words(words),
        }
    }
}

/// What the words before the cursor say, and what is on this machine.
struct Known<'a> {
    context: &'a Context,
    config: Option<PathBuf>,
    mirror: Option<PathBuf>,
    /// The verb's own words.
    words: Vec<String>,
}

impl Known<'_> {
    fn note(&mut self, option: &Arg, value: &str) {
        match option.get_id().as_str() {
            "config" => self.config = Some(value.into()),
            "place" => self.mirror = Some(value.into()),
            _ => {}
        }
    }

    /// Returns what fits in the place of an argument. `lead`: what stands before it in its word.
    fn values(&self, verb: &Command, arg: &Arg, current: &str, lead: &str) -> Offer {
        let choices: Vec<Word> = arg
            .get_possible_values()
            .iter()
            .filter(|value| !value.is_hide_set())
            .map(|value| (value.get_name().to_owned(), first(value.get_help())))
            .collect();
        let mut lead = lead.to_owned();
        let mut current = current;
        if let Some((done, rest)) = arg
            .get_value_delimiter()
            .and_then(|at| current.rsplit_once(at))
        {
            lead = format!("{lead}{done},");
            current = rest;
        }
        let words = match (verb.get_name(), arg.get_id().as_str()) {
            _ if !choices.is_empty() => choices,
            ("use", "name") => [self.profiles(), mirrors()].concat(),
            ("probe", "targets") => {
                let mut mirrors = mirrors();
                mirrors.retain(|(_, goproxy)| goproxy.contains("://"));
                [self.targets(), mirrors].concat()
            }
            ("env", "names") => WRITABLE
                .split_whitespace()
                .map(|name| (name.to_owned(), String::new()))
                .collect(),
            ("add" | "list" | "verify" | "pin" | "unpin", "modules" | "module") => {
                self.modules(current)
            }
            ("pin", "version") => self.versions(),
            _ if arg.get_value_hint() == ValueHint::DirPath => return Offer::Directories,
            _ if FILES.contains(&arg.get_value_hint()) => return Offer::Files,
            _ => Vec::new(),
        };
        let words = matching(words, current).into_iter();
        let words = words.map(|(word, means)| (format!("{lead}{word}"), means));
        Offer::Words(words.collect())
    }

    /// `None`: it has errors, which `goroam check` shows.
    fn policy(&self) -> Option<Policy> {
        let mut paths = self.context.paths().ok()?;
        if let Some(config) = &self.config {
            paths.policy.clone_from(config);
            paths.policy_named = true;
        }
        let loaded = load_policy(&paths, &self.context.env).ok()?;
        Some(loaded.policy)
    }

    fn profiles(&self) -> Vec<Word> {
        let of = |policy: Policy| {
            // A name may have several variants.
            let mut profiles = policy.profiles;
            profiles.dedup_by(|one, other| one.name == other.name);
            let profiles = profiles.into_iter().map(|profile| {
                let goproxy = profile.sets("GOPROXY");
                let means = goproxy.map(|chain| format!("GOPROXY={}", mask(&chain)));
                (profile.name, means.unwrap_or_default())
            });
            profiles.collect()
        };
        self.policy().map(of).unwrap_or_default()
    }

    fn targets(&self) -> Vec<Word> {
        let targets = self.policy().map(|policy| policy.targets);
        let targets = targets.unwrap_or_default().into_iter();
        targets
            .map(|(name, target)| {
                let url = target.hop_url().map(|url| mask(&url));
                (name, url.unwrap_or_default())
            })
            .collect()
    }

    fn layout(&self) -> Option<Layout> {
        self.context.mirror(self.mirror.clone()).map(Layout::new)
    }

    fn modules(&self, current: &str) -> Vec<Word> {
        let modules = self
            .layout()
            .map(|mirror| mirror.modules_with(current, MOST_MODULES));
        let modules = modules.unwrap_or_default().into_iter();
        modules.map(|module| (module, String::new())).collect()
    }

    fn versions(&self) -> Vec<Word> {
        let list = self
            .layout()
            .zip(self.words.first())
            .and_then(|(mirror, module)| {
                bounded::read_text(&mirror.list(module).ok()?, MOST_LIST).ok()
            });
        let list = list.unwrap_or_default();
        let versions = list.lines().map(|line| (line.to_owned(), String::new()));
        versions.collect()
    }
}

fn mirrors() -> Vec<Word> {
    let mirrors = MIRRORS.iter();
    mirrors
        .map(|mirror| (mirror.name.to_owned(), mirror.goproxy.to_owned()))
        .collect()
}

/// Returns the words that begin so. One that would control the shell or the terminal is left out.
fn matching(mut words: Vec<Word>, current: &str) -> Vec<Word> {
    words.retain(|(word, _)| word.starts_with(current) && !word.contains(char::is_control));
    for (_, means) in &mut words {
        means.retain(|c| !c.is_control());
    }
    words
}

/// Returns a verb's argument for its word of this number.
fn nth_value(verb: &Command, number: usize) -> Option<&Arg> {
    let mut values = verb.get_positionals();
    let mut last = None;
    for _ in 0..=number {
        match values.next() {
            Some(value) => last = Some(value),
            // The last one may take several.
            None => return last.filter(|value| takes(value, 2)),
        }
    }
    last
}

fn takes(arg: &Arg, values: usize) -> bool {
    arg.get_num_args()
        .is_some_and(|range| range.max_values() >= values)
}

/// Returns the option of a word if it takes a value, and the value if that is part of the word.
fn option<'a>(verb: &'a Command, word: &'a str) -> Option<(&'a Arg, Option<&'a str>)> {
    let mut options = verb.get_arguments().filter(|arg| takes(arg, 1));
    if let Some(long) = word.strip_prefix("--") {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (long, None),
        };
        let option = options.find(|arg| arg.get_long() == Some(name))?;
        return Some((option, value));
    }
    let shorts = word.strip_prefix('-')?;
    shorts.char_indices().find_map(|(at, short)| {
        let mut options = verb.get_arguments().filter(|arg| takes(arg, 1));
        let option = options.find(|arg| arg.get_short() == Some(short))?;
        let value = shorts.get(at + short.len_utf8()..);
        Some((option, value.filter(|value| !value.is_empty())))
    })
}

fn options(verb: &Command) -> Vec<Word> {
    let options = verb.get_arguments().filter(|arg| !arg.is_hide_set());
    let long = |arg: &Arg| {
        let name = arg.get_long().map(|long| format!("--{long}"));
        let name = name.or_else(|| arg.get_short().map(|short| format!("-{short}")))?;
        Some((name, first(arg.get_help())))
    };
    options.filter_map(long).collect()
}

fn first(help: Option<&clap::builder::StyledStr>) -> String {
    let help = help.map(ToString::to_string).unwrap_or_default();
    help.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::{Line, answer, typed, value_of};
    use crate::cli::Context;
    use crate::cli::args::Cli;

    /// What is offered behind these words; the last one is at the cursor.
    fn offered(shell: &str, words: &[&str]) -> String {
        let (current, before) = words.split_last().unwrap();
        let args = [shell.to_owned(), format!("={current}")];
        let args = args
            .into_iter()
            .chain(before.iter().map(|word| (*word).to_owned()));
        let args: Vec<_> = args.map(Into::into).collect();
        // Without a policy, there are only the mirrors.
        let context = Context::new(Some("/nowhere".into()));
        answer(&context, Cli::command(), &args)
    }

    #[test]
    fn verbs_options_and_their_values_are_found_where_clap_would_take_them() {
        for (words, offer) in [
            (["", "", "hist"].as_slice(), ":words\nhistory\n"),
            (&["--color", "al"], ":words\nalways\n"),
            (&["history", "--color=ne"], ":words\n--color=never\n"),
            (&["service", "inst"], ":words\ninstall\n"),
            (&["-v", "mirror", "--mirror", "x"], ":directories\n"),
            (&["mirror", "export", "x"], ":files\n"),
            (&["vendor", "-Cx", "che"], ":words\ncheck\n"),
            (&["history", "--ver"], ":words\n--verify\n--verbose\n"),
            (&["exec", "--tiers", "proxy,mi"], ":words\nproxy,mirror\n"),
            (&["use", "al"], ":words\naliyun\n"),
            (&["use", "cn", "--for", "2h", "x"], ":words\n"),
            (&["env", "-C", "/tmp", "GOPRO"], ":words\nGOPROXY\n"),
            (&["env", "GOPROXY", "GOPRO"], ":words\nGOPROXY\n"),
            (&["check", "--", "--"], ":files\n"),
            (&["nonsense", "x"], ":words\n"),
        ] {
            // Before a verb, an empty word is a word, too.
            let words: Vec<&str> = words
                .iter()
                .copied()
                .skip_while(|word| word.is_empty())
                .collect();
            assert_eq!(offered("bash", &words), offer, "{words:?}");
        }
    }

    #[test]
    fn what_follows_exec_is_the_other_commands() {
        for (words, at) in [
            (["exec", "g"].as_slice(), 2),
            (&["exec", "--", ""], 3),
            (&["exec", "go", "-"], 2),
            (&["exec", "--stall", "3s", "--", "go", "build"], 5),
            (&["exec", "--stall", "=", "3s", "--", "go", "build"], 6),
        ] {
            assert_eq!(
                offered("bash", words),
                format!(":command {at}\n"),
                "{words:?}"
            );
        }
    }

    #[test]
    fn bash_gets_only_the_part_that_it_completes() {
        let join = |words: &[&str]| {
            let mut before: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            let current = before.pop().unwrap();
            let line = Line::whole(before, current).rejoined();
            (line.before.len(), line.current, line.fixed)
        };
        let same =
            |before, current: &str, fixed: &str| (before, current.to_owned(), fixed.to_owned());
        assert_eq!(
            join(&["use", "https", ":", "//x"]),
            same(1, "https://x", "https:")
        );
        assert_eq!(join(&["--color", "="]), same(0, "--color=", "--color="));
        assert_eq!(join(&["a", "=", "b", "c"]), same(1, "c", ""));
        assert_eq!(offered("bash", &["--color", "=", "al"]), ":words\nalways\n");
        assert_eq!(offered("bash", &["--color", "="]).lines().count(), 4);
        let zsh = offered("zsh", &["use", "cn"]);
        assert_eq!(zsh, ":words\ncn:https://goproxy.cn,direct\n");
        assert_eq!(offered("fish", &["use", "off"]), ":words\noff\toff\n");
        assert_eq!(offered("fish", &["why", "--js"]).lines().count(), 2);
    }

    #[test]
    fn a_shell_that_does_not_quote_gets_words_that_are_no_code() {
        let odd = "a b$(x)'\u{2019}";
        for (shell, quote, word) in [
            ("bash", None, Some(r"a\ b\$\(x\)\'\’")),
            ("bash", Some('"'), None),
            ("powershell", None, Some("'a b$(x)''’’'")),
            ("nushell", None, Some("\"a b$(x)'’\"")),
            ("zsh", None, Some(odd)),
        ] {
            assert_eq!(typed(shell, odd, quote).as_deref(), word, "{shell}");
        }
        assert_eq!(typed("bash", "off", Some('"')).as_deref(), Some("off"));
        for (raw, value, quote) in [
            (r"a\ b", "a b", None),
            ("'a b", "a b", Some('\'')),
            (r#""a\"b"#, "a\"b", Some('"')),
            (r"'a\'b", r"a\b", None),
        ] {
            assert_eq!(value_of(raw), (value.to_owned(), quote));
        }
    }
}
