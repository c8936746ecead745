//! Which lines a shell comes by: a book of the blocks that are open, and of what is known of
//! their conditions.

use super::command::{Command, End};
use super::cursor::Cursor;
use super::word::Word;

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

#[derive(Debug)]
pub(super) enum Kind {
    If,
    While {
        until: bool,
    },
    For {
        name: String,
        /// What is left of its words.
        words: std::vec::IntoIter<String>,
    },
    Case {
        subject: Option<String>,
    },
    /// `{ … }`, `begin … end`
    Group,
    /// `( … )`: nothing of it stays.
    Apart,
}

/// A function that is being defined.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) name: String,
    pub(super) certain: bool,
}

#[derive(Debug)]
pub(super) struct Block {
    pub(super) kind: Kind,
    /// Does the shell come by the part that it is in?
    pub(super) runs: Truth,
    /// Has no part before been taken?
    left: Truth,
    /// The result of the command before, and whether the block depends on it.
    before: (Truth, Truth),
    /// Its condition is being read, or its body is still to come.
    condition: bool,
    /// There was a command in its condition.
    tested: bool,
    /// A pattern is to come.
    pattern: bool,
    /// zsh: it ends with `}`.
    brace: bool,
    pub(super) defines: Option<Definition>,
    /// Where its body begins, with the line.
    pub(super) body: (usize, usize),
}

#[derive(Debug)]
pub(super) struct Blocks {
    open: Vec<Block>,
    /// Of the whole text.
    runs: Truth,
    join: End,
    last: Truth,
    negated: bool,
    after_else: bool,
    pub(super) defines: Option<String>,
}

impl Blocks {
    pub(super) fn new(certain: bool) -> Blocks {
        Blocks {
            open: Vec::new(),
            runs: certain.then_some(true),
            join: End::Plain,
            last: Some(true),
            negated: false,
            after_else: false,
            defines: None,
        }
    }

    pub(super) fn awaits_pattern(&self) -> bool {
        self.open.last().is_some_and(|block| block.pattern)
    }

    fn now(&self) -> Truth {
        self.open.last().map_or(self.runs, |block| block.runs)
    }

    /// Is the next command carried out, by what the one before came to?
    fn joined(&self) -> Truth {
        match self.join {
            End::And => self.last,
            End::Or => self.last.map(|last| !last),
            // What it sets is gone with the pipe.
            End::Pipe => Some(false),
            End::Plain | End::Background | End::Arm | End::Open | End::Close => Some(true),
        }
    }

    /// Does the shell come by the next command?
    pub(super) fn next(&self) -> Truth {
        both(self.now(), self.joined())
    }

    /// What a command came to, and what ends it.
    pub(super) fn done(&mut self, success: Truth, end: End) {
        let success = success.map(|success| success != self.negated);
        match self.joined() {
            Some(true) => self.last = success,
            Some(false) if self.join != End::Pipe => {}
            _ => self.last = None,
        }
        if let Some(block) = self.open.last_mut() {
            block.tested = true;
        }
        self.negated = false;
        self.join = End::Plain;
        self.ends(end);
    }

    /// What ends a command: an empty line does not end what `&&` has begun.
    pub(super) fn ends(&mut self, end: End) {
        let waits = matches!(self.join, End::And | End::Or | End::Pipe);
        match end {
            End::Plain if waits => return,
            End::Arm => {
                if let Some(block) = self.open.last_mut() {
                    block.pattern = matches!(block.kind, Kind::Case { .. });
                }
            }
            End::Open => self.open(Kind::Apart, Some(false), (0, 0)),
            End::Close => {
                self.close(|block| matches!(block.kind, Kind::Apart));
            }
            End::Plain | End::And | End::Or | End::Pipe | End::Background => {}
        }
        self.join = end;
    }

    /// A block begins here.
    pub(super) fn open(&mut self, kind: Kind, runs: Truth, body: (usize, usize)) {
        let joined = self.joined();
        let outer = both(self.now(), joined);
        let name = self.defines.take();
        let defines = name
            .filter(|_| outer != Some(false))
            .map(|name| Definition {
                name,
                certain: outer == Some(true),
            });
        let runs = match defines {
            // Nothing of it happens until it is called.
            Some(_) => Some(false),
            None => both(outer, runs),
        };
        let condition = matches!(kind, Kind::If | Kind::While { .. } | Kind::For { .. });
        let is_case = matches!(kind, Kind::Case { .. });
        self.open.push(Block {
            kind,
            runs: if is_case { Some(false) } else { runs },
            left: runs,
            before: (self.last, joined),
            condition,
            tested: false,
            pattern: false,
            brace: false,
            defines,
            body,
        });
        self.join = End::Plain;
        self.negated = false;
    }

    /// The end of the innermost block of a kind.
    pub(super) fn close(&mut self, wanted: impl Fn(&Block) -> bool) -> Option<Block> {
        let Some(at) = self.open.iter().rposition(wanted) else {
            // A grammar that is not known here: from now on everything is a "may".
            self.runs = both(self.runs, None);
            return None;
        };
        self.open.truncate(at + 1);
        let block = self.open.pop()?;
        self.last = match (block.before, &block.kind) {
            ((before, Some(false)), _) => before,
            ((_, Some(true)), Kind::Group) => self.last,
            _ => None,
        };
        if let Some(outer) = self.open.last_mut() {
            outer.tested = true;
        }
        self.join = End::Plain;
        Some(block)
    }

    /// The next turn of a loop.
    pub(super) fn again(&mut self, block: Block) {
        self.open.push(Block {
            condition: true,
            brace: false,
            ..block
        });
    }

    /// The condition of an `if` or a loop is over.
    fn condition_is_over(&mut self) {
        let last = self.last;
        let Some(block) = self.open.last_mut().filter(|block| block.condition) else {
            return;
        };
        block.condition = false;
        match block.kind {
            Kind::If => {
                block.runs = both(block.left, last);
                block.left = both(block.left, last.map(|last| !last));
            }
            // How often cannot be told, but whether at all.
            Kind::While { until } => {
                let never = last == Some(until);
                block.runs = both(block.left, if never { Some(false) } else { None });
            }
            Kind::For { .. } | Kind::Case { .. } | Kind::Group | Kind::Apart => {}
        }
    }

    /// `elif`, `else`
    fn otherwise(&mut self, condition: bool) {
        match self.open.last_mut() {
            Some(block) if matches!(block.kind, Kind::If) => {
                block.runs = block.left;
                block.condition = condition;
                block.tested = false;
                self.join = End::Plain;
            }
            _ => self.runs = both(self.runs, None),
        }
    }

    /// The next arm of a `case`, and whether it fits.
    pub(super) fn arm(&mut self, fits: impl Fn(Option<&str>) -> Truth) {
        if let Some(block) = self.open.last_mut()
            && let Kind::Case { subject } = &block.kind
        {
            let fits = fits(subject.as_deref());
            block.runs = both(block.left, fits);
            block.left = both(block.left, fits.map(|fits| !fits));
            block.pattern = false;
        }
        self.join = End::Plain;
    }

    /// Is it a keyword of a block? What it opens or closes is open or closed then; the block
    /// that is closed is handed out.
    pub(super) fn keyword(&mut self, command: &Command, cursor: &Cursor) -> Option<Option<Block>> {
        let after_else = std::mem::take(&mut self.after_else);
        let [word] = command.words.as_slice() else {
            self.fish_body(cursor, None);
            return None;
        };
        self.fish_body(cursor, Some(word));
        let body = (cursor.at, cursor.line);
        let is = |keyword: &str| word.is(keyword);
        let fish = cursor.is_fish();
        if is("if") && after_else {
            self.otherwise(true);
        } else if is("if") {
            self.open(Kind::If, Some(true), body);
        } else if is("while") || (is("until") && !fish) {
            let until = is("until");
            self.open(Kind::While { until }, Some(true), body);
        } else if is("else") {
            self.otherwise(false);
            self.after_else = fish;
        } else if is("not") && fish || is("!") {
            self.negated = !self.negated;
        } else if is("and") && fish {
            self.join = End::And;
        } else if is("or") && fish {
            self.join = End::Or;
        } else if is("begin") && fish {
            self.open(Kind::Group, Some(true), body);
        } else if is("end") && fish {
            return Some(self.close(|_| true));
        } else if fish {
            return None;
        } else if is("then") || is("do") {
            self.condition_is_over();
        } else if is("elif") {
            self.otherwise(true);
        } else if is("{") {
            // zsh: `if [[ … ]] { … }`, `for p (a b) { … }`
            let block = self.open.last_mut().filter(|block| {
                let is_for = matches!(block.kind, Kind::For { .. });
                block.condition && (is_for || (cursor.is_zsh() && block.tested))
            });
            match block {
                Some(block) => {
                    block.brace = true;
                    self.condition_is_over();
                }
                None => self.open(Kind::Group, Some(true), body),
            }
        } else if is("}") {
            return Some(self.close(|block| block.brace || matches!(block.kind, Kind::Group)));
        } else if is("fi") {
            return Some(self.close(|block| matches!(block.kind, Kind::If)));
        } else if is("done") {
            return Some(
                self.close(|block| matches!(block.kind, Kind::While { .. } | Kind::For { .. })),
            );
        } else if is("esac") {
            return Some(self.close(|block| matches!(block.kind, Kind::Case { .. })));
        } else {
            return None;
        }
        Some(None)
    }

    /// fish has no `then`: a condition ends where a command follows without `and` or `or`.
    fn fish_body(&mut self, cursor: &Cursor, word: Option<&Word>) {
        let goes_on = word.is_some_and(|word| word.is("and") || word.is("or"));
        let joined = matches!(self.join, End::And | End::Or);
        let tested = self.open.last().is_some_and(|block| block.tested);
        if cursor.is_fish() && tested && !goes_on && !joined {
            self.condition_is_over();
        }
    }
}
