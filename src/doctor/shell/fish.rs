//! The grammar of fish, into the same tree: `end` closes every block, and there are neither
//! here-documents nor assignments before a command that stay.

use super::cursor::Cursor;
use super::tree::{Command, Item, Joined, List, Piece, Word};

/// Beyond this depth a file is no start-up file, and the stack is not endless.
const DEEPEST: usize = 80;

/// The commands of a text.
pub(super) fn parse(text: &str, first_line: usize) -> List {
    let mut parser = Parser {
        cursor: Cursor::new(text, first_line),
        depth: 0,
    };
    let mut list = Vec::new();
    loop {
        list.extend(parser.list());
        // A stray `end`: what follows is read all the same.
        let stray = parser.take("end") || parser.take("else") || parser.take("case");
        if !stray && parser.cursor.next().is_none() {
            return list;
        }
    }
}

struct Parser {
    cursor: Cursor,
    depth: usize,
}

impl Parser {
    /// Up to `end`, `else` or `case`, which stay.
    fn list(&mut self) -> List {
        let mut list = List::new();
        if self.depth >= DEEPEST {
            return list;
        }
        self.depth += 1;
        let mut joined = Joined::Always;
        loop {
            self.cursor.skip_blanks();
            match self.cursor.peek() {
                None => break,
                Some('#') => {
                    self.cursor.skip_line();
                    continue;
                }
                Some('\n' | ';') => {
                    self.cursor.next();
                    joined = Joined::Always;
                    continue;
                }
                Some('&') => {
                    self.cursor.next();
                    if self.cursor.eat("&") {
                        joined = Joined::And;
                        self.skip_lines();
                    } else if let Some(last) = list.last_mut() {
                        last.apart = true;
                    }
                    continue;
                }
                Some('|') => {
                    self.cursor.next();
                    if self.cursor.eat("|") {
                        joined = Joined::Or;
                        self.skip_lines();
                    }
                    continue;
                }
                Some(_) => {}
            }
            if ["end", "else", "case"].iter().any(|word| self.at(word)) {
                break;
            }
            if self.take("and") {
                joined = Joined::And;
                continue;
            }
            if self.take("or") {
                joined = Joined::Or;
                continue;
            }
            let before = self.cursor.mark();
            list.extend(self.pipeline(joined));
            joined = Joined::Always;
            if self.cursor.mark() == before {
                self.cursor.next();
            }
        }
        self.depth -= 1;
        list
    }

    fn pipeline(&mut self, joined: Joined) -> Option<Item> {
        let line = self.cursor.line;
        let mut negated = false;
        while self.take("not") || self.take("!") {
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
            self.skip_lines();
            apart = true;
            self.command();
        }
        // `set` at a pipe's end stays in fish, but it reads its values from nowhere.
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
        if self.take("if") {
            return Some(self.branches());
        }
        if self.take("while") {
            let condition = self.condition();
            let body = self.list();
            self.take("end");
            return Some(Command::Loop {
                condition,
                until: false,
                body,
            });
        }
        if self.take("for") {
            let words = self.words();
            let body = self.list();
            self.take("end");
            let name = words.first().and_then(Word::literal).unwrap_or_default();
            return Some(Command::For {
                name: name.to_owned(),
                words: words.iter().skip(2).cloned().collect(),
                body,
            });
        }
        if self.take("function") {
            self.words();
            self.list();
            self.take("end");
            return Some(Command::Nothing);
        }
        if self.take("begin") {
            let body = self.list();
            self.take("end");
            return Some(Command::Group(body));
        }
        if self.take("switch") {
            let subject = self.words().into_iter().next().unwrap_or_default();
            let mut arms = Vec::new();
            // What stands before the first `case` is not carried out.
            self.list();
            while self.take("case") {
                let patterns = self.words();
                arms.push((patterns, self.list()));
            }
            self.take("end");
            return Some(Command::Case { subject, arms });
        }
        let words = self.words();
        (!words.is_empty()).then_some(Command::Simple(words))
    }

    fn branches(&mut self) -> Command {
        let mut arms = Vec::new();
        let mut otherwise = List::new();
        loop {
            let condition = self.condition();
            arms.push((condition, self.list()));
            if !self.take("else") {
                break;
            }
            self.cursor.skip_blanks();
            if self.take("if") {
                continue;
            }
            otherwise = self.list();
            break;
        }
        self.take("end");
        Command::If { arms, otherwise }
    }

    /// A pipeline, and those that `and`, `or`, `&&`, `||` join to it.
    fn condition(&mut self) -> List {
        let mut list = List::new();
        let mut joined = Joined::Always;
        loop {
            self.cursor.skip_blanks();
            match self.pipeline(joined) {
                Some(item) => list.push(item),
                None => return list,
            }
            self.cursor.skip_blanks();
            if self.cursor.eat("&&") {
                joined = Joined::And;
                continue;
            }
            if self.cursor.eat("||") {
                joined = Joined::Or;
                continue;
            }
            // `and` and `or` on the next line still belong to the condition.
            let mark = self.cursor.mark();
            self.skip_lines();
            if self.take("and") {
                joined = Joined::And;
            } else if self.take("or") {
                joined = Joined::Or;
            } else {
                self.cursor.back(mark);
                return list;
            }
        }
    }

    fn words(&mut self) -> Vec<Word> {
        let mut words = Vec::new();
        loop {
            self.cursor.skip_blanks();
            match self.cursor.peek() {
                None | Some('\n' | ';' | '&' | '|' | '#') => return words,
                Some('<' | '>') => {
                    while matches!(self.cursor.peek(), Some('<' | '>' | '&' | '?')) {
                        self.cursor.next();
                    }
                    self.cursor.skip_blanks();
                    self.word();
                }
                Some(_) => {
                    let before = self.cursor.mark();
                    let word = self.word();
                    if self.cursor.mark() == before {
                        self.cursor.next();
                        continue;
                    }
                    // `2>/dev/null`: the number belongs to what follows.
                    let number = word.keyword().is_some_and(|word| {
                        !word.is_empty() && word.chars().all(|c| c.is_ascii_digit())
                    });
                    if !(number && matches!(self.cursor.peek(), Some('<' | '>'))) {
                        words.push(word);
                    }
                }
            }
        }
    }

    fn word(&mut self) -> Word {
        let mut word = Word::default();
        let mut bare = true;
        while let Some(c) = self.cursor.peek() {
            let was_bare = bare;
            bare = false;
            match c {
                ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '<' | '>' => break,
                '\'' | '"' => {
                    self.cursor.next();
                    if word.pieces.is_empty() {
                        word.pieces.push(Piece::Text(String::new()));
                    }
                    self.quoted(c, &mut word);
                }
                '\\' => {
                    self.cursor.next();
                    match self.cursor.next() {
                        Some('n') => word.push('\n'),
                        Some('t') => word.push('\t'),
                        Some('x' | 'X' | 'u' | 'U' | 'o') => word.pieces.push(Piece::Unknown),
                        Some(c) => word.push(c),
                        None => break,
                    }
                }
                '$' => {
                    let piece = self.variable();
                    word.pieces.push(piece);
                }
                '(' => {
                    self.cursor.next();
                    self.cursor.skip_balanced('(', ')');
                    word.pieces.push(Piece::Unknown);
                }
                '{' => {
                    self.cursor.next();
                    self.cursor.skip_balanced('{', '}');
                    word.pieces.push(Piece::Unknown);
                }
                '*' | '?' => {
                    self.cursor.next();
                    word.pieces.push(Piece::Glob(c));
                }
                '~' if word.pieces.is_empty()
                    && self
                        .cursor
                        .peek_at(1)
                        .is_none_or(|c| c == '/' || c.is_whitespace()) =>
                {
                    self.cursor.next();
                    word.pieces.push(Piece::Variable {
                        name: "HOME".to_owned(),
                        otherwise: None,
                        assigns: false,
                    });
                }
                c => {
                    self.cursor.next();
                    word.push(c);
                    bare = was_bare;
                    word.bare += usize::from(was_bare);
                }
            }
        }
        word
    }

    fn quoted(&mut self, quote: char, word: &mut Word) {
        while let Some(c) = self.cursor.peek() {
            match c {
                c if c == quote => {
                    self.cursor.next();
                    return;
                }
                '\\' => {
                    self.cursor.next();
                    match self.cursor.next() {
                        Some(c) if c == quote || c == '\\' => word.push(c),
                        Some('$') if quote == '"' => word.push('$'),
                        Some('\n') if quote == '"' => {}
                        Some(c) => {
                            word.push('\\');
                            word.push(c);
                        }
                        None => return,
                    }
                }
                '$' if quote == '"' && self.cursor.peek_at(1) == Some('(') => {
                    self.cursor.eat("$(");
                    self.cursor.skip_balanced('(', ')');
                    word.pieces.push(Piece::Unknown);
                }
                '$' if quote == '"' => {
                    let piece = self.variable();
                    word.pieces.push(piece);
                }
                c => {
                    self.cursor.next();
                    word.push(c);
                }
            }
        }
    }

    /// `$NAME`; an element of a list (`$a[1]`) is not followed.
    fn variable(&mut self) -> Piece {
        self.cursor.next();
        let mut name = String::new();
        while let Some(c) = self.cursor.peek() {
            if c != '_' && !c.is_ascii_alphanumeric() {
                break;
            }
            name.push(c);
            self.cursor.next();
        }
        if self.cursor.eat("[") {
            self.cursor.skip_balanced('[', ']');
            return Piece::Unknown;
        }
        if name.is_empty() {
            return Piece::Unknown;
        }
        Piece::Variable {
            name,
            otherwise: None,
            assigns: false,
        }
    }

    fn skip_lines(&mut self) {
        loop {
            self.cursor.skip_blanks();
            match self.cursor.peek() {
                Some('\n' | ';') => {
                    self.cursor.next();
                }
                Some('#') => self.cursor.skip_line(),
                _ => return,
            }
        }
    }

    fn at(&mut self, wanted: &str) -> bool {
        let mark = self.cursor.mark();
        let word = self.word();
        self.cursor.back(mark);
        word.keyword() == Some(wanted)
    }

    fn take(&mut self, wanted: &str) -> bool {
        self.cursor.skip_blanks();
        self.at(wanted) && self.cursor.eat(wanted)
    }
}
