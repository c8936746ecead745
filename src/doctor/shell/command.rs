//! One command after the other, as far as words go: what belongs to a block is a command of
//! one word.

use super::Dialect;
use super::cursor::Cursor;
use super::variables::Variables;
use super::word::Word;

/// One command.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) words: Vec<Word>,
    /// From 1.
    pub(super) line: usize,
    pub(super) end: End,
}

/// What ends a command, and so says on what the next one depends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum End {
    /// A line's end, `;`, or nothing after a keyword.
    Plain,
    /// `&&`
    And,
    /// `||`
    Or,
    /// `|`
    Pipe,
    /// `&`
    Background,
    /// `;;`
    Arm,
    /// `(`
    Open,
    /// `)`
    Close,
}

const ENDS: [(&str, End); 12] = [
    ("&&", End::And),
    ("||", End::Or),
    (";;&", End::Arm),
    (";;", End::Arm),
    (";&", End::Arm),
    (";", End::Plain),
    ("|&", End::Pipe),
    ("|", End::Pipe),
    // zsh: in the background, and not the shell's to end.
    ("&|", End::Background),
    ("&!", End::Background),
    ("&", End::Background),
    (")", End::Close),
];
const KEYWORDS: [&str; 13] = [
    "if", "then", "elif", "else", "fi", "while", "until", "do", "done", "esac", "{", "}", "!",
];
const OF_FISH: [&str; 9] = [
    "if", "else", "while", "begin", "end", "and", "or", "not", "!",
];

impl Cursor {
    /// The next command; `None` at the end of the text.
    pub(super) fn command(&mut self, variables: &Variables) -> Option<Command> {
        self.skip_blanks();
        let line = self.line;
        let mut words = Vec::new();
        let end = self.words(variables, &mut words);
        let done = end.is_none() && words.is_empty();
        (!done).then_some(Command {
            words,
            line,
            end: end.unwrap_or(End::Plain),
        })
    }

    fn words(&mut self, variables: &Variables, words: &mut Vec<Word>) -> Option<End> {
        loop {
            self.skip_blanks();
            let mark = (self.at, self.line);
            let both = self.peek()? == '&' && self.peek_at(1) == Some('>');
            let mut ends = ENDS.into_iter();
            if let Some((_, end)) = ends.find(|(sign, _)| !both && self.eat(sign)) {
                return Some(end);
            }
            match self.peek()? {
                '\n' => {
                    self.end_line();
                    return Some(End::Plain);
                }
                '<' | '>' | '&' if self.peek_at(1) != Some('(') => self.redirection(variables),
                '(' if !self.is_fish() => match words.as_slice() {
                    [] if self.peek_at(1) != Some('(') => {
                        self.next();
                        return Some(End::Open);
                    }
                    [_] if self.eat("()") => {
                        words.insert(0, Word::bare("function"));
                        return Some(End::Plain);
                    }
                    // Arithmetic, a pattern of zsh.
                    _ => {
                        self.next();
                        self.skip_to(')');
                        words.push(Word::unknown());
                    }
                },
                _ => {
                    words.extend(self.word(variables));
                    if self.at == mark.0 {
                        self.next();
                    }
                    if let Some(end) = self.after_word(words, mark) {
                        return Some(end);
                    }
                }
            }
        }
    }

    /// Does the command end with the word that was read last, which began at a place?
    fn after_word(&mut self, words: &mut Vec<Word>, from: (usize, usize)) -> Option<End> {
        let last = words.last()?;
        let is_one_of = |keywords: &[&str]| keywords.iter().any(|keyword| last.is(keyword));
        let is_number = last.is_bare() && last.text.chars().all(|c| c.is_ascii_digit());
        let ends = match words.as_slice() {
            // `2>&1`
            _ if is_number && matches!(self.peek(), Some('<' | '>')) => {
                words.pop();
                false
            }
            [_] if self.is_fish() => is_one_of(&OF_FISH),
            [_] => is_one_of(&KEYWORDS),
            // zsh carries a function without a name out at once, and `{ … } always { … }`.
            [first, _] if last.is("{") && (first.is("function") || first.is("always")) => {
                words.remove(0);
                true
            }
            [first, _] if first.is("function") && !self.is_fish() => {
                self.skip_blanks();
                self.eat("()");
                true
            }
            [first, _, _] if first.is("case") => last.is("in"),
            // zsh: `f() { cd $1 }`
            _ if self.dialect == Dialect::Zsh && last.is("}") => {
                words.pop();
                (self.at, self.line) = from;
                true
            }
            _ => false,
        };
        ends.then_some(End::Plain)
    }

    /// The patterns of the next arm of a `case`; `None`: it is over.
    pub(super) fn patterns(&mut self, variables: &Variables) -> Option<Vec<Word>> {
        let mut words = Vec::new();
        self.skip_lines();
        let round = self.eat("(");
        loop {
            self.skip_lines();
            let word = self.word(variables);
            if words.is_empty() && word.as_ref().is_none_or(|word| word.is("esac")) {
                return None;
            }
            words.extend(word);
            self.skip_lines();
            if self.eat(")") {
                // zsh: `(darwin|freebsd)*)`
                if round && self.peek().is_some_and(|c| !c.is_whitespace()) {
                    self.skip_to(')');
                    words.push(Word::unknown());
                }
                return Some(words);
            }
            if !self.eat("|") && self.next().is_none() {
                return Some(words);
            }
        }
    }

    fn skip_lines(&mut self) {
        self.skip_blanks();
        while matches!(self.peek(), Some('\n' | ';')) {
            self.end_line();
            self.skip_blanks();
        }
    }
}
