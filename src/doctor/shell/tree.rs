//! A shell's file as a tree: as much of the grammar as it takes to know which assignments
//! are carried out, under which condition.

use std::rc::Rc;

/// Commands in order.
pub(super) type List = Vec<Item>;

/// One command or pipeline of a list.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    pub(super) joined: Joined,
    pub(super) negated: bool,
    /// In a pipeline or in the background: what it sets is gone with it.
    pub(super) apart: bool,
    /// From 1.
    pub(super) line: usize,
    pub(super) command: Command,
}

/// On what a command depends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Joined {
    Always,
    /// `&&`
    And,
    /// `||`
    Or,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Command {
    /// Words, assignments before them included.
    Simple(Vec<Word>),
    /// `{ … }`
    Group(List),
    /// `( … )`, arithmetic: nothing of it stays.
    Nothing,
    /// Nothing happens until it is called.
    Function { name: String, body: Rc<Command> },
    If {
        arms: Vec<(List, List)>,
        otherwise: List,
    },
    /// `while`, `until`, `select`
    Loop {
        condition: List,
        /// It goes on as long as the condition does not hold.
        until: bool,
        body: List,
    },
    For {
        name: String,
        words: Vec<Word>,
        body: List,
    },
    Case {
        subject: Word,
        arms: Vec<(Vec<Word>, List)>,
    },
}

/// A word in pieces.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Word {
    pub(super) pieces: Vec<Piece>,
    /// So many characters of its beginning are literal and not quoted.
    pub(super) bare: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    Text(String),
    /// `*`, `?` without quotes.
    Glob(char),
    /// `$NAME`; with what stands in for it: `${NAME:-word}`.
    Variable {
        name: String,
        otherwise: Option<Word>,
        /// `${NAME:=word}`: and is its value from then on.
        assigns: bool,
    },
    /// A command's output, arithmetic: known only when it runs.
    Unknown,
}

impl Word {
    /// Adds a literal character.
    pub(super) fn push(&mut self, c: char) {
        match self.pieces.last_mut() {
            Some(Piece::Text(text)) => text.push(c),
            Some(Piece::Glob(_) | Piece::Variable { .. } | Piece::Unknown) | None => {
                self.pieces.push(Piece::Text(c.to_string()));
            }
        }
    }

    /// Its text where it is nothing but literal.
    pub(super) fn literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// A keyword or a command's name, unquoted.
    pub(super) fn keyword(&self) -> Option<&str> {
        self.literal()
            .filter(|text| text.chars().count() == self.bare)
    }

    /// `NAME=word` in its two halves, and whether the name stands without quotes. `NAME+=word`
    /// has an unknown value.
    pub(super) fn assignment(&self) -> Option<(String, Word, bool)> {
        let Some(Piece::Text(text)) = self.pieces.first() else {
            return None;
        };
        let (name, rest) = text.split_once('=')?;
        let (name, added) = match name.strip_suffix('+') {
            Some(name) => (name, true),
            None => (name, false),
        };
        if !is_name(name) {
            return None;
        }
        let mut value = Word::default();
        if added {
            value.pieces.push(Piece::Unknown);
        }
        if !rest.is_empty() {
            value.pieces.push(Piece::Text(rest.to_owned()));
        }
        value.pieces.extend(self.pieces.iter().skip(1).cloned());
        let bare = self.bare > name.len();
        Some((name.to_owned(), value, bare))
    }
}

/// May a variable be called so?
pub(super) fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars
        .next()
        .is_some_and(|c| c == '_' || c.is_ascii_alphabetic())
        && chars.all(|c| c == '_' || c.is_ascii_alphanumeric())
}
