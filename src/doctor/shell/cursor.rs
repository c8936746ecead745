//! Characters with their line.

/// Characters with their line.
#[derive(Debug)]
pub(super) struct Cursor {
    chars: Vec<char>,
    at: usize,
    /// From 1.
    pub(super) line: usize,
}

impl Cursor {
    /// At the beginning of a text whose first line has this number.
    pub(super) fn new(text: &str, line: usize) -> Cursor {
        Cursor {
            // go's users on Windows edit files for Git Bash with either end of line.
            chars: text.replace("\r\n", "\n").chars().collect(),
            at: 0,
            line,
        }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.peek_at(0)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        if c == '\n' {
            self.line += 1;
        }
        Some(c)
    }

    /// Goes past the text if it stands here.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let here = text
            .chars()
            .enumerate()
            .all(|(i, c)| self.peek_at(i) == Some(c));
        if here {
            for _ in text.chars() {
                self.next();
            }
        }
        here
    }

    /// Up to the end of the line, which stays.
    pub(super) fn skip_line(&mut self) {
        while self.peek().is_some_and(|c| c != '\n') {
            self.next();
        }
    }

    /// The rest of this line, and past its end; `None` at the end of the text.
    pub(super) fn take_line(&mut self) -> Option<String> {
        self.peek()?;
        let mut line = String::new();
        while let Some(c) = self.next() {
            if c == '\n' {
                break;
            }
            line.push(c);
        }
        Some(line)
    }

    /// Blanks, and line ends that a backslash takes away.
    pub(super) fn skip_blanks(&mut self) {
        loop {
            match self.peek() {
                Some(' ' | '\t' | '\r') => {
                    self.next();
                }
                Some('\\') if self.peek_at(1) == Some('\n') => {
                    self.next();
                    self.next();
                }
                _ => return,
            }
        }
    }

    /// A place to come back to.
    pub(super) fn mark(&self) -> (usize, usize) {
        (self.at, self.line)
    }

    /// Back to a mark.
    pub(super) fn back(&mut self, (at, line): (usize, usize)) {
        (self.at, self.line) = (at, line);
    }

    /// Past the closing character that belongs to an opening one which was taken already,
    /// quotes within minded; between round ones also comments, which hold apostrophes.
    pub(super) fn skip_balanced(&mut self, open: char, close: char) {
        let mut depth = 1_usize;
        let mut before = open;
        // `${a## #}` holds no comment.
        let mut expansions = 0_usize;
        while let Some(c) = self.next() {
            let begins_word = matches!(before, ' ' | '\t' | '\n' | ';') && expansions == 0;
            match (before, c) {
                ('$', '{') => expansions += 1,
                (_, '}') => expansions = expansions.saturating_sub(1),
                _ => {}
            }
            before = c;
            match c {
                '#' if open == '(' && begins_word => self.skip_line(),
                '\\' => {
                    self.next();
                }
                '\'' => while self.next().is_some_and(|c| c != '\'') {},
                '"' => {
                    while let Some(c) = self.next() {
                        match c {
                            '\\' => {
                                self.next();
                            }
                            '"' => break,
                            _ => {}
                        }
                    }
                }
                c if c == open => depth += 1,
                c if c == close => {
                    depth -= 1;
                    if depth == 0 {
                        return;
                    }
                }
                _ => {}
            }
        }
    }
}
