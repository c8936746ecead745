//! One command after the other, as far as words go: what belongs to a block is a command of
//! one word.

use super::cursor::Cursor;
use super::variables::Variables;
use super::word::Word;

/// One command.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) words: Vec<Word>,
    /// From 1.
    pub(super) line: usize,
    /// Where it begins.
    pub(super) at: usize,
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
        let (line, at) = (self.line, self.at);
        let mut words = Vec::new();
        let end = self.words(variables, &mut words);
        let done = end.is_none() && words.is_empty();
        (!done).then_some(Command {
            words,
            line,
            at,
            end: end.unwrap_or(End::Plain),
        })
    }

    fn words(&mut self, variables: &Variables, words: &mut Vec<Word>) -> Option<End> {
        loop {
            self.skip_blanks();
            let mark = (self.at, self.line);
            match self.peek()? {
                '\n' => {
                    self.end_line();
                    return Some(End::Plain);
                }
                ';' => {
                    let arm = !self.is_fish() && (self.eat(";;") || self.eat(";&"));
                    self.eat(if arm { "&" } else { ";" });
                    return Some(if arm { End::Arm } else { End::Plain });
                }
                '&' if self.peek_at(1) == Some('>') => self.redirection(variables),
                c @ ('&' | '|') => {
                    self.next();
                    let twice = self.peek() == Some(c);
                    self.eat(if twice && c == '&' { "&" } else { "|" });
                    self.eat(if c == '|' && !twice { "&" } else { "" });
                    return Some(match (c, twice) {
                        ('&', true) => End::And,
                        ('&', false) => End::Background,
                        (_, true) => End::Or,
                        (_, false) => End::Pipe,
                    });
                }
                '<' | '>' if self.peek_at(1) != Some('(') => self.redirection(variables),
                ')' => {
                    self.next();
                    if !self.is_fish() {
                        return Some(End::Close);
                    }
                }
                '(' if !self.is_fish() => {
                    if let Some(end) = self.round(variables, words) {
                        return Some(end);
                    }
                }
                _ => {
                    words.extend(self.word(variables));
                    if self.at == mark.0 {
                        self.next();
                    }
                    if let Some(end) = self.after_word(variables, words, mark) {
                        return Some(end);
                    }
                }
            }
        }
    }

    /// At a `(` that is no part of a word.
    fn round(&mut self, variables: &Variables, words: &mut Vec<Word>) -> Option<End> {
        let empty = self.peek_at(1) == Some(')');
        match words.as_slice() {
            [] if self.eat("((") => {
                self.skip_to(')');
                self.skip_to(')');
                words.push(Word::unknown());
            }
            // zsh carries a function without a name out at once.
            [] if empty => {
                self.eat("()");
            }
            [] => {
                self.next();
                return Some(End::Open);
            }
            [_] if empty => {
                self.eat("()");
                words.insert(0, Word::bare("function"));
                return Some(End::Plain);
            }
            // zsh: `for p (a b) …`
            [keyword, _] if self.is_zsh() && keyword.is("for") => {
                self.next();
                words.push(Word::bare("in"));
                self.skip_blanks();
                while let Some(word) = self.word(variables) {
                    words.push(word);
                    self.skip_blanks();
                }
                self.eat(")");
                return Some(End::Plain);
            }
            [..] => {
                self.next();
                self.skip_to(')');
                words.push(Word::unknown());
            }
        }
        None
    }

    /// Does the command end with the word that was read last?
    fn after_word(
        &mut self,
        variables: &Variables,
        words: &mut Vec<Word>,
        before: (usize, usize),
    ) -> Option<End> {
        let last = words.last()?;
        let is_last = |keyword: &&str| last.is(keyword);
        let is_number =
            |word: &Word| word.is_bare() && word.text.chars().all(|c| c.is_ascii_digit());
        match words.as_slice() {
            // `2>&1`
            [.., last] if is_number(last) && matches!(self.peek(), Some('<' | '>')) => {
                words.pop();
                return None;
            }
            [_] if self.is_fish() => return OF_FISH.iter().any(is_last).then_some(End::Plain),
            [_] if KEYWORDS.iter().any(is_last) => return Some(End::Plain),
            [_] if last.is("[[") => {
                self.condition(variables, words);
                self.skip_blanks();
                return (self.is_zsh() && self.peek() == Some('{')).then_some(End::Plain);
            }
            [case, _, word] if case.is("case") && word.is("in") && !self.is_fish() => {
                return Some(End::Plain);
            }
            [function, _] if function.is("function") && !self.is_fish() => {
                self.skip_blanks();
                self.eat("()");
                return Some(End::Plain);
            }
            // zsh: `f() { cd $1 }`
            [.., last] if self.is_zsh() && last.is("}") => {
                words.pop();
                (self.at, self.line) = before;
                return Some(End::Plain);
            }
            _ => {}
        }
        None
    }

    /// `[[ … ]]`, whose operators are words.
    fn condition(&mut self, variables: &Variables, words: &mut Vec<Word>) {
        loop {
            while self.peek().is_some_and(char::is_whitespace) {
                self.next();
            }
            let operator = ["&&", "||", "(", ")", "<", ">", "&", "|", ";"];
            if let Some(operator) = operator.into_iter().find(|operator| self.eat(operator)) {
                words.push(Word::bare(operator));
            } else if let Some(word) = self.word(variables) {
                let last = word.is("]]");
                words.push(word);
                if last {
                    return;
                }
            } else if self.next().is_none() {
                return;
            }
        }
    }

    /// The patterns of the next arm of a `case`; `None`: it is over.
    pub(super) fn patterns(&mut self, variables: &Variables) -> Option<Vec<Word>> {
        let mut words = Vec::new();
        self.skip_lines();
        self.eat("(");
        loop {
            self.skip_lines();
            let word = self.word(variables);
            if words.is_empty() && word.as_ref().is_none_or(|word| word.is("esac")) {
                return None;
            }
            words.extend(word);
            self.skip_lines();
            if self.eat(")") || (!self.eat("|") && self.next().is_none()) {
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
