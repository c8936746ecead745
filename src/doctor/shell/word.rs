//! A word with what it comes to.

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
