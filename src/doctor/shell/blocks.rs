//! Which commands a shell comes by: the blocks that are open, and what is known of their
//! conditions.

use super::cursor::{Command, End};
use super::word::{Truth, Word, both, fits_one};

/// Blocks in blocks that are looked at: the end of one is looked for among all.
const DEEPEST: usize = 256;

#[derive(Debug)]
pub(super) struct Block {
    /// The keyword that closes it.
    closes: &'static str,
    /// Does the shell come by the part that it is in?
    pub(super) runs: Truth,
    /// Has no part before been taken?
    left: Truth,
    /// Its condition is being read.
    condition: bool,
    /// There was a command in its condition.
    tested: bool,
    /// A pattern of a `case` is to come.
    pattern: bool,
    /// What a `case` looks at, where that is known.
    subject: Option<String>,
    /// A loop's variable, and what is left of its words.
    pub(super) turns: Option<(String, std::vec::IntoIter<Option<String>>)>,
    /// Where its body begins, with the line.
    pub(super) body: (usize, usize),
}

/// All that are open.
#[derive(Debug)]
pub(super) struct Blocks {
    open: Vec<Block>,
    /// Of the whole text.
    runs: Truth,
    join: End,
    last: Truth,
    negated: bool,
    after_else: bool,
    fish: bool,
    /// The next block is a function's body: is it called?
    pub(super) function: Option<Truth>,
}

impl Blocks {
    pub(super) fn new(certain: bool, fish: bool) -> Blocks {
        Blocks {
            open: Vec::new(),
            runs: certain.then_some(true),
            join: End::Plain,
            last: Some(true),
            negated: false,
            after_else: false,
            fish,
            function: None,
        }
    }

    pub(super) fn top(&mut self) -> Option<&mut Block> {
        self.open.last_mut()
    }

    pub(super) fn awaits_pattern(&self) -> bool {
        self.open.last().is_some_and(|block| block.pattern)
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
        let here = self.open.last().map_or(self.runs, |block| block.runs);
        both(here, self.joined())
    }

    /// What a command came to, and what ends it.
    pub(super) fn done(&mut self, success: Truth, end: End) {
        match self.joined() {
            Some(true) => self.last = success.map(|success| success != self.negated),
            Some(false) if self.join != End::Pipe => {}
            _ => self.last = None,
        }
        if let Some(block) = self.top() {
            block.tested = true;
        }
        (self.join, self.function) = (End::Plain, None);
        self.ends(end);
    }

    /// What ends a command. An empty line does not end what `&&` has begun.
    pub(super) fn ends(&mut self, end: End) {
        match end {
            End::Plain if matches!(self.join, End::And | End::Or | End::Pipe) => return,
            // Nothing of it stays.
            End::Open => self.open(")", Some(false), (0, 0)),
            End::Close => drop(self.close(")")),
            End::Arm => {
                if let Some(block) = self.top() {
                    block.pattern = block.closes == "esac";
                }
            }
            End::Plain | End::And | End::Or | End::Pipe | End::Background => {}
        }
        self.join = end;
        self.negated = false;
    }

    /// A block begins here.
    pub(super) fn open(&mut self, closes: &'static str, runs: Truth, body: (usize, usize)) {
        let function = self.function.take().unwrap_or(Some(true));
        if self.open.len() >= DEEPEST {
            self.runs = both(self.runs, None);
            return;
        }
        let runs = both(both(self.next(), function), runs);
        self.open.push(Block {
            closes: if self.fish { "end" } else { closes },
            runs,
            left: runs,
            condition: closes == "fi",
            tested: false,
            pattern: closes == "esac" && !self.fish,
            subject: None,
            turns: None,
            body,
        });
        self.join = End::Plain;
        self.negated = false;
    }

    /// `case`, of which the first arm is still to come.
    pub(super) fn case(&mut self, subject: &Word, body: (usize, usize)) {
        self.open("esac", Some(true), body);
        if let Some(block) = self.open.last_mut() {
            block.runs = Some(false);
            block.subject = subject.known().map(str::to_owned);
        }
    }

    /// An arm of a `case`.
    pub(super) fn case_arm(&mut self, patterns: &[Word]) {
        let subject = self.open.last().and_then(|one| one.subject.as_deref());
        self.arm(fits_one(patterns, subject));
    }

    /// The end of the innermost block that this closes.
    pub(super) fn close(&mut self, keyword: &str) -> Option<Block> {
        self.join = End::Plain;
        let Some(at) = self.open.iter().rposition(|one| one.closes == keyword) else {
            // A grammar that is not known here: from now on everything is a "may".
            self.runs = both(self.runs, None);
            return None;
        };
        self.open.truncate(at + 1);
        let block = self.open.pop();
        self.last = None;
        if let Some(outer) = self.top() {
            outer.tested = true;
        }
        block
    }

    /// The next turn of a loop.
    pub(super) fn again(&mut self, block: Block) {
        self.open.push(block);
    }

    /// The condition of an `if` is over, the next arm of a `case` has begun.
    fn arm(&mut self, taken: Truth) {
        self.join = End::Plain;
        if let Some(block) = self.top() {
            block.runs = both(block.left, taken);
            block.left = both(block.left, taken.map(|taken| !taken));
            (block.condition, block.pattern) = (false, false);
        }
    }

    fn condition_is_over(&mut self) {
        if self.open.last().is_some_and(|block| block.condition) {
            self.arm(self.last);
        }
    }

    /// `elif`, `else`
    fn otherwise(&mut self, condition: bool) {
        self.join = End::Plain;
        if let Some(block) = self.top() {
            block.runs = block.left;
            (block.condition, block.tested) = (condition, false);
        }
    }

    /// A keyword of a block does what it does; the block that it closes is handed out. `None`:
    /// it is none.
    pub(super) fn keyword(
        &mut self,
        command: &Command,
        body: (usize, usize),
    ) -> Option<Option<Block>> {
        let after_else = std::mem::take(&mut self.after_else);
        let keyword = match command.words.as_slice() {
            [word] if word.is_bare() => word.text.as_str(),
            _ => "",
        };
        // fish has no `then`: a condition ends where a command follows without `and` or `or`.
        let tested = self.open.last().is_some_and(|block| block.tested);
        let goes_on = matches!(keyword, "and" | "or") || command.words.is_empty();
        if self.fish && tested && !goes_on && !matches!(self.join, End::And | End::Or) {
            self.condition_is_over();
        }
        match keyword {
            "if" if after_else => self.otherwise(true),
            "if" => self.open("fi", Some(true), body),
            // How often cannot be told.
            "while" | "until" => self.open("done", None, body),
            "begin" | "{" => self.open("}", Some(true), body),
            "then" => self.condition_is_over(),
            "elif" => self.otherwise(true),
            "else" => {
                self.otherwise(false);
                self.after_else = self.fish;
            }
            "not" | "!" => self.negated = !self.negated,
            "and" => self.join = End::And,
            "or" => self.join = End::Or,
            "do" => {}
            "end" | "fi" | "done" | "esac" | "}" => return Some(self.close(keyword)),
            _ => return None,
        }
        Some(None)
    }
}
