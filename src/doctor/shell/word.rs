//! A word with its value, the tests of words (`test`, `[ … ]`, `[[ … ]]`, patterns), and the variables
//! that words set.

use super::super::files::Files;
use crate::model::pattern::glob_match;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The longest one that is kept.
const LONGEST: usize = 64 * 1024;

/// A word with what it comes to.
#[derive(Debug, Clone, Default)]
pub(super) struct Word {
    /// Up to the first piece that is not known.
    pub(super) text: String,
    /// A piece is known only when it runs.
    pub(super) unknown: bool,
    /// So many bytes of its beginning stand there as they are, without quotes.
    bare: usize,
    /// It has a `*` or `?` without quotes.
    pub(super) pattern: bool,
}

impl Word {
    /// One that stands there as it is.
    pub(super) fn bare(text: &str) -> Word {
        let mut word = Word::default();
        text.chars().for_each(|c| word.push_bare(c));
        word
    }

    /// One of which nothing is known.
    pub(super) fn unknown() -> Word {
        Word {
            unknown: true,
            ..Word::default()
        }
    }

    /// A character without quotes.
    pub(super) fn push_bare(&mut self, c: char) {
        let is_bare = self.is_bare();
        self.push(c);
        match c {
            '*' | '?' => self.pattern = true,
            _ if is_bare && !self.unknown => self.bare = self.text.len(),
            _ => {}
        }
    }

    pub(super) fn push(&mut self, c: char) {
        self.unknown |= self.text.len() >= LONGEST;
        if !self.unknown {
            self.text.push(c);
        }
    }

    /// A value; `None`: it is not known.
    pub(super) fn add(&mut self, value: Option<&str>) {
        let value = value.filter(|value| self.text.len() + value.len() <= LONGEST);
        match value {
            Some(value) if !self.unknown => self.text.push_str(value),
            Some(_) => {}
            None => self.unknown = true,
        }
    }

    pub(super) fn is_bare(&self) -> bool {
        !self.unknown && self.bare == self.text.len()
    }

    /// All of it, where that is known.
    pub(super) fn known(&self) -> Option<&str> {
        (!self.unknown).then_some(self.text.as_str())
    }

    /// A keyword or an operator, unquoted.
    pub(super) fn is(&self, keyword: &str) -> bool {
        self.is_bare() && self.text == keyword
    }

    /// `-x`, but not a lone `-`: its flags.
    pub(super) fn flags(&self) -> Option<&str> {
        let flags = self.known()?.strip_prefix('-')?;
        (!flags.is_empty()).then_some(flags)
    }

    /// `NAME=word` in its two halves. `NAME+=word` has an unknown value.
    pub(super) fn assignment(&self) -> Option<(&str, Option<&str>)> {
        let (name, value) = self.text.split_once('=')?;
        let plain = name.strip_suffix('+');
        let known = !self.unknown && plain.is_none();
        let name = plain.unwrap_or(name);
        is_name(name).then_some((name, known.then_some(value)))
    }

    /// The same where it stands before a command, the name without quotes.
    pub(super) fn prefix(&self) -> Option<(&str, Option<&str>)> {
        let found = self.assignment();
        found.filter(|(name, _)| self.bare > name.len())
    }
}

/// May a variable be called so?
pub(super) fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    let first = chars.next();
    first.is_some_and(|c| c == '_' || c.is_ascii_alphabetic())
        && chars.all(|c| c == '_' || c.is_ascii_alphanumeric())
}

/// `None`: that cannot be told.
pub(super) type Truth = Option<bool>;

/// All of them.
pub(super) fn both(one: Truth, other: Truth) -> Truth {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

/// What the words of a `test` come to.
pub(super) fn test(words: &[Word], files: &dyn Files) -> Truth {
    match words {
        [not, rest @ ..] if not.is("!") && rest.len() < 4 => test(rest, files).map(|is| !is),
        [one] => one.known().map(|text| !text.is_empty()),
        [operator, operand] => {
            let value = operand.known()?;
            let path = Path::new(value);
            match operator.known()? {
                "-n" => Some(!value.is_empty()),
                "-z" => Some(value.is_empty()),
                _ if !path.is_absolute() => None,
                "-f" => Some(files.is_file(path)),
                "-d" => Some(files.is_folder(path)),
                // May it be read? Tried when it is.
                "-e" | "-r" | "-s" | "-a" => Some(files.is_file(path) || files.is_folder(path)),
                _ => None,
            }
        }
        [one, operator, other] => match operator.known()? {
            "=" | "==" => fits(other, one.known()?),
            "!=" => fits(other, one.known()?).map(|is| !is),
            _ => None,
        },
        _ => None,
    }
}

/// Does a pattern of `*`, `?` and letters fit the whole text? zsh's own are not tried.
pub(super) fn fits(pattern: &Word, text: &str) -> Truth {
    let known = pattern.known()?;
    if known == text || !known.contains(['*', '?', '[', '(', '\\']) {
        return Some(known == text);
    }
    // Here `*` takes a slash as well.
    let [known, text] = [known, text].map(|text| text.replace('/', "\n"));
    let tried = !known.contains(['[', '(', '\\']);
    glob_match(&known, &text).ok().filter(|_| tried)
}

/// Does one of a `case` arm's patterns fit?
pub(super) fn fits_one(patterns: &[Word], subject: Option<&str>) -> Truth {
    let fits = |pattern| subject.and_then(|subject| fits(pattern, subject));
    let all: Vec<Truth> = patterns.iter().map(fits).collect();
    let decided = all.contains(&Some(true)) || !all.contains(&None);
    decided.then(|| all.contains(&Some(true)))
}

/// Lines that are kept of one variable.
const MOST_SEEN: usize = 64;

/// A variable that a shell exports, and the line that sets it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Export {
    pub(crate) name: String,
    /// `None`: known only when it runs.
    pub(crate) value: Option<String>,
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
    /// No condition that could not be told.
    pub(crate) certain: bool,
}

/// Where a command stands, and whether it is carried out for certain.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    pub(super) line: usize,
    pub(super) certain: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Variables {
    exported: BTreeSet<String>,
    /// Of each the line that sets it, or several that each may be the last.
    set: BTreeMap<String, Vec<Export>>,
    /// `set -a`
    pub(super) export_all: bool,
    /// The file that is being read.
    pub(super) file: PathBuf,
    /// Bytes that were assigned: `b=$a`, ten thousand times, with a long `a`.
    pub(super) bytes: usize,
}

impl Variables {
    /// Its value where that is known. A Go variable that no line has set is empty: who starts
    /// the shell with one has set it elsewhere, and that is found there.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        match self.set.get(name).map(Vec::as_slice) {
            None | Some([]) => name.starts_with("GO").then_some(""),
            // One line under a condition: what follows stands under the same one, mostly.
            Some([one]) => one.value.as_deref(),
            Some(_) => None,
        }
    }

    /// A line that sets a variable, or go's.
    pub(super) fn line(&self, name: &str, value: Option<&str>, at: At) -> Export {
        Export {
            name: name.to_owned(),
            value: value.map(str::to_owned),
            file: self.file.clone(),
            line: at.line,
            certain: at.certain,
        }
    }

    pub(super) fn assign(&mut self, name: &str, value: Option<&str>, at: At) {
        let line = self.line(name, value, at);
        self.bytes += value.map_or(0, str::len);
        if self.export_all {
            self.exported.insert(name.to_owned());
        }
        if at.certain {
            self.set.remove(name);
        }
        self.doubt(name);
        let set = self.set.entry(name.to_owned()).or_default();
        if set.len() < MOST_SEEN {
            set.push(line);
        }
    }

    /// From now on programs have it, or no longer.
    pub(super) fn export(&mut self, name: &str, exported: bool, certain: bool) {
        if self.exported.contains(name) != exported && !certain {
            self.doubt(name);
        }
        if exported {
            self.exported.insert(name.to_owned());
        } else if certain {
            self.exported.remove(name);
        }
    }

    pub(super) fn unset(&mut self, name: &str, certain: bool) {
        self.doubt(name);
        if certain {
            self.set.remove(name);
            self.exported.remove(name);
        }
    }

    fn doubt(&mut self, name: &str) {
        for line in self.set.get_mut(name).into_iter().flatten() {
            line.certain = false;
        }
    }

    /// What is exported in the end. go takes an empty one for unset.
    pub(super) fn exports(&self, names: &BTreeSet<String>) -> Vec<Export> {
        let exported = names.intersection(&self.exported);
        exported
            .filter_map(|name| self.set.get(name))
            .flatten()
            .filter(|line| line.value.as_deref() != Some(""))
            .cloned()
            .collect()
    }
}
