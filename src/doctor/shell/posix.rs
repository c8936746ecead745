//! The grammar of bash, zsh and sh, as far as start-up files use it. What is not understood is
//! passed over; nothing in here can fail.

use std::rc::Rc;

use super::cursor::Cursor;
use super::redirect::{Document, redirection};
use super::tree::{Command, Item, Joined, List, Word};
use super::word::word;

/// Beyond this depth a file is no start-up file, and the stack is not endless.
const DEEPEST: usize = 80;

/// The commands of a text; of zsh a `}` ends a group wherever it stands alone.
pub(super) fn parse(text: &str, first_line: usize, zsh: bool) -> List {
    let mut parser = Parser {
        cursor: Cursor::new(text, first_line),
        documents: Vec::new(),
        zsh,
        depth: 0,
    };
    let mut list = Vec::new();
    // A stray `fi` or `)` would end the list early: what follows is read all the same.
    loop {
        list.extend(parser.list(&[]));
        if parser.cursor.next().is_none() {
            return list;
        }
    }
}

struct Parser {
    cursor: Cursor,
    /// Those whose text begins on the next line.
    documents: Vec<Document>,
    zsh: bool,
    depth: usize,
}

impl Parser {
    /// Commands up to one of these words (which stays), to `)`, `}`, `;;`, or to the end.
    fn list(&mut self, ends: &[&str]) -> List {
        let mut list = List::new();
        if self.depth >= DEEPEST {
            return list;
        }
        self.depth += 1;
        let mut joined = Joined::Always;
        loop {
            self.skip_space();
            match self.cursor.peek() {
                None | Some(')') => break,
                Some(';') if self.cursor.peek_at(1) == Some(';') => break,
                Some(';') => {
                    self.cursor.next();
                    joined = Joined::Always;
                    continue;
                }
                Some('&') => {
                    self.cursor.next();
                    if self.cursor.eat("&") {
                        joined = Joined::And;
                    } else if let Some(last) = list.last_mut() {
                        last.apart = true;
                    }
                    continue;
                }
                Some('|') => {
                    self.cursor.next();
                    if self.cursor.eat("|") {
                        joined = Joined::Or;
                    }
                    continue;
                }
                Some(_) => {}
            }
            if self.at_word(ends).is_some() {
                break;
            }
            let before = self.cursor.mark();
            list.extend(self.pipeline(joined));
            joined = Joined::Always;
            if self.cursor.mark() == before {
                // Nothing that begins a command: a stray character.
                self.cursor.next();
            }
        }
        self.depth -= 1;
        list
    }

    fn pipeline(&mut self, joined: Joined) -> Option<Item> {
        let line = self.cursor.line;
        let mut negated = false;
        while self.take_word("!") {
            negated = !negated;
            self.cursor.skip_blanks();
        }
        let command = self.command()?;
        let mut apart = false;
        loop {
            self.cursor.skip_blanks();
            if self.cursor.peek() != Some('|') || self.cursor.peek_at(1) == Some('|') {
                break;
            }
            self.cursor.next();
            self.cursor.eat("&");
            self.skip_space();
            apart = true;
            // zsh runs the last one in this shell, but nobody exports at a pipe's end.
            self.command();
        }
        Some(Item {
            joined,
            negated,
            apart,
            line,
            command,
        })
    }

    fn command(&mut self) -> Option<Command> {
        if self.depth >= DEEPEST {
            return None;
        }
        self.depth += 1;
        let command = self.command_within();
        self.depth -= 1;
        command
    }

    fn command_within(&mut self) -> Option<Command> {
        let command = match self.cursor.peek()? {
            '(' => {
                self.cursor.next();
                self.cursor.skip_balanced('(', ')');
                Some(self.function_or(Command::Nothing))
            }
            _ => match self.keyword() {
                Some("if") => Some(self.branches()),
                Some(keyword @ ("while" | "until")) => Some(Command::Loop {
                    condition: self.list(&["do"]),
                    until: keyword == "until",
                    body: self.done(),
                }),
                Some("for" | "select" | "foreach") => Some(self.for_each()),
                Some("case") => self.case(),
                Some("function") => {
                    self.cursor.skip_blanks();
                    let name = word(&mut self.cursor);
                    self.cursor.skip_blanks();
                    if self.cursor.eat("(") {
                        self.cursor.skip_balanced('(', ')');
                    }
                    Some(self.function(name.as_ref()))
                }
                Some("{") => {
                    let body = self.list(&["}"]);
                    self.take_word("}");
                    Some(Command::Group(body))
                }
                Some(_) | None => self.simple(),
            },
        };
        if !matches!(command, Some(Command::Simple(_))) {
            self.redirections();
        }
        command
    }

    /// The body behind `name()`.
    fn function(&mut self, name: Option<&Word>) -> Command {
        self.skip_space();
        let body = self.command().unwrap_or(Command::Nothing);
        match name.and_then(Word::keyword) {
            Some(name) => Command::Function {
                name: name.to_owned(),
                body: Rc::new(body),
            },
            None => Command::Nothing,
        }
    }

    /// zsh's `() { … }` runs at once.
    fn function_or(&mut self, nothing: Command) -> Command {
        let mark = self.cursor.mark();
        self.cursor.skip_blanks();
        if self.cursor.peek() == Some('{')
            && let Some(Command::Group(body)) = self.command()
        {
            return Command::Group(body);
        }
        self.cursor.back(mark);
        nothing
    }

    fn branches(&mut self) -> Command {
        let mut arms = Vec::new();
        let mut otherwise = List::new();
        loop {
            let condition = self.list(&["then", "elif", "else", "fi", "{"]);
            if self.take_word("{") {
                // zsh: `if [[ … ]] { … }`
                let body = self.list(&["}"]);
                self.take_word("}");
                arms.push((condition, body));
                self.cursor.skip_blanks();
                if self.take_word("elif") {
                    continue;
                }
                if self.take_word("else") {
                    self.skip_space();
                    if let Some(Command::Group(body)) = self.command() {
                        otherwise = body;
                    }
                }
                break;
            }
            self.take_word("then");
            let body = self.list(&["elif", "else", "fi"]);
            arms.push((condition, body));
            if self.take_word("elif") {
                continue;
            }
            if self.take_word("else") {
                otherwise = self.list(&["fi"]);
            }
            self.take_word("fi");
            break;
        }
        Command::If { arms, otherwise }
    }

    /// `do … done`, or zsh's `{ … }`.
    fn done(&mut self) -> List {
        self.skip_space();
        if self.take_word("{") {
            let body = self.list(&["}"]);
            self.take_word("}");
            return body;
        }
        self.take_word("do");
        let body = self.list(&["done", "end"]);
        if !self.take_word("done") {
            self.take_word("end");
        }
        body
    }

    fn for_each(&mut self) -> Command {
        self.cursor.skip_blanks();
        if self.cursor.eat("((") {
            self.cursor.skip_balanced('(', ')');
            self.cursor.eat(")");
            while self.skip_space_and(';') {}
            return Command::Loop {
                condition: List::new(),
                until: false,
                body: self.done(),
            };
        }
        let name = word(&mut self.cursor).unwrap_or_default();
        self.skip_space();
        let mut words = Vec::new();
        let in_parentheses = self.cursor.eat("(");
        if in_parentheses || self.take_word("in") {
            loop {
                self.cursor.skip_blanks();
                match word(&mut self.cursor) {
                    Some(word) => words.push(word),
                    None => break,
                }
            }
            if in_parentheses {
                self.cursor.eat(")");
            }
        }
        while self.skip_space_and(';') {}
        Command::For {
            name: name.literal().unwrap_or_default().to_owned(),
            words,
            body: self.done(),
        }
    }

    fn case(&mut self) -> Option<Command> {
        self.cursor.skip_blanks();
        let subject = word(&mut self.cursor)?;
        self.skip_space();
        self.take_word("in");
        let mut arms = Vec::new();
        loop {
            self.skip_space();
            if self.cursor.peek().is_none() || self.take_word("esac") {
                break;
            }
            self.cursor.eat("(");
            let mut patterns = Vec::new();
            loop {
                self.cursor.skip_blanks();
                match word(&mut self.cursor) {
                    Some(pattern) => patterns.push(pattern),
                    None if self.cursor.eat("|") => {}
                    None => break,
                }
            }
            if !self.cursor.eat(")") {
                break;
            }
            let body = self.list(&["esac"]);
            arms.push((patterns, body));
            for end in [";;&", ";;", ";&"] {
                if self.cursor.eat(end) {
                    break;
                }
            }
        }
        Some(Command::Case { subject, arms })
    }

    fn simple(&mut self) -> Option<Command> {
        let mut words: Vec<Word> = Vec::new();
        loop {
            self.cursor.skip_blanks();
            let test = words.first().and_then(Word::keyword) == Some("[[");
            // Within a test `<` compares, and `<->` is a pattern of zsh.
            if !test && redirection(&mut self.cursor, &mut self.documents) {
                continue;
            }
            if self.cursor.peek() == Some('#') {
                self.cursor.skip_line();
            }
            // `((…))` after a word, or `name()`.
            if self.cursor.peek() == Some('(') {
                self.cursor.next();
                self.cursor.skip_balanced('(', ')');
                if words.len() == 1 && !test {
                    return Some(self.function(words.first()));
                }
                continue;
            }
            if test && self.operator_of_test(&mut words) {
                continue;
            }
            if self.zsh && self.cursor.peek() == Some('}') && self.at_word(&["}"]).is_some() {
                break;
            }
            match word(&mut self.cursor) {
                Some(word) => {
                    let ends = test && word.keyword() == Some("]]");
                    words.push(word);
                    if ends {
                        break;
                    }
                }
                None => break,
            }
        }
        (!words.is_empty()).then_some(Command::Simple(words))
    }

    /// Within `[[ … ]]` these are operators of the test and no command's end.
    fn operator_of_test(&mut self, words: &mut Vec<Word>) -> bool {
        for operator in ["&&", "||", "<", ">", "\n"] {
            if self.cursor.eat(operator) {
                let mut word = Word::default();
                operator.chars().for_each(|c| word.push(c));
                words.push(word);
                return true;
            }
        }
        false
    }

    fn redirections(&mut self) {
        loop {
            self.cursor.skip_blanks();
            if !redirection(&mut self.cursor, &mut self.documents) {
                return;
            }
        }
    }

    /// Blanks, comments, line ends with the here-documents that follow them.
    fn skip_space(&mut self) {
        loop {
            self.cursor.skip_blanks();
            match self.cursor.peek() {
                Some('#') => self.cursor.skip_line(),
                Some('\n') => {
                    self.cursor.next();
                    for document in std::mem::take(&mut self.documents) {
                        document.skip(&mut self.cursor);
                    }
                }
                _ => return,
            }
        }
    }

    fn skip_space_and(&mut self, c: char) -> bool {
        self.skip_space();
        let here = self.cursor.peek() == Some(c);
        if here {
            self.cursor.next();
        }
        here
    }

    /// One of these words, unquoted; stays where it is.
    fn at_word<'w>(&mut self, words: &[&'w str]) -> Option<&'w str> {
        let mark = self.cursor.mark();
        let found = word(&mut self.cursor);
        self.cursor.back(mark);
        let found = found?;
        let keyword = found.keyword()?;
        words.iter().copied().find(|word| *word == keyword)
    }

    fn take_word(&mut self, wanted: &str) -> bool {
        self.cursor.skip_blanks();
        if self.at_word(&[wanted]).is_none() {
            return false;
        }
        self.cursor.eat(wanted)
    }

    /// A word that begins a compound command; goes past it.
    fn keyword(&mut self) -> Option<&'static str> {
        const KEYWORDS: [&str; 9] = [
            "if", "while", "until", "for", "select", "foreach", "case", "function", "{",
        ];
        let found = self.at_word(&KEYWORDS)?;
        let found = KEYWORDS.into_iter().find(|keyword| *keyword == found)?;
        self.cursor.eat(found);
        Some(found)
    }
}
