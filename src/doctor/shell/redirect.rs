//! Redirections and here-documents: what only prints sets nothing.

use super::cursor::Cursor;
use super::word::word;

/// A here-document whose text is still to come.
#[derive(Debug)]
pub(super) struct Document {
    delimiter: String,
    /// `<<-`: tabs before the delimiter do not count.
    indented: bool,
}

impl Document {
    /// Past its text and its delimiter.
    pub(super) fn skip(&self, cursor: &mut Cursor) {
        while let Some(line) = cursor.take_line() {
            let line = if self.indented {
                line.trim_start_matches('\t')
            } else {
                &line
            };
            if line == self.delimiter {
                return;
            }
        }
    }
}

/// `>file`, `2>&1`, `<<END`: goes past it.
pub(super) fn redirection(cursor: &mut Cursor, documents: &mut Vec<Document>) -> bool {
    let mark = cursor.mark();
    while cursor.peek().is_some_and(|c| c.is_ascii_digit()) {
        cursor.next();
    }
    if cursor.peek() == Some('&') && cursor.peek_at(1) == Some('>') {
        cursor.next();
    }
    let is_process = cursor.peek_at(1) == Some('(');
    if !matches!(cursor.peek(), Some('<' | '>')) || is_process {
        cursor.back(mark);
        return false;
    }
    if cursor.eat("<<<") {
        cursor.skip_blanks();
        word(cursor);
        return true;
    }
    if cursor.eat("<<") {
        let indented = cursor.eat("-");
        cursor.skip_blanks();
        if let Some(delimiter) = word(cursor) {
            let delimiter = delimiter.literal().unwrap_or_default().to_owned();
            documents.push(Document {
                delimiter,
                indented,
            });
        }
        return true;
    }
    while cursor
        .peek()
        .is_some_and(|c| matches!(c, '<' | '>' | '&' | '|' | '!'))
    {
        cursor.next();
    }
    cursor.skip_blanks();
    word(cursor);
    true
}
