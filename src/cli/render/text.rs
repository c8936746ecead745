//! Lays out text in columns and lines.

use anstyle::Style;
use unicode_width::UnicodeWidthChar as _;

use super::style::{DIM, Mark, paint};
use crate::model::text::is_direction_mark;

/// Makes text from outside safe for a terminal: no escape sequences, no line ends, no characters
/// that change the direction of writing.
pub(in crate::cli) fn clean(text: &str) -> String {
    let harmless = |c: char| match c {
        '\n' | '\t' => ' ',
        c if is_direction_mark(c) => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(harmless).collect()
}

/// Counts the terminal columns of a text; East Asian characters take two.
pub(in crate::cli) fn width(text: &str) -> usize {
    // Counted by character, as `Glyphs::take` does: the width of a sequence can differ from the sum
    // of its parts.
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// Counts the columns of a painted text.
pub(in crate::cli) fn width_of_painted(text: &str) -> usize {
    width(&anstream::adapter::strip_str(text).to_string())
}

/// Appends spaces to the text up to a width.
pub(in crate::cli) fn pad(text: &str, columns: usize) -> String {
    let blank = columns.saturating_sub(width(text));
    format!("{text}{}", " ".repeat(blank))
}

/// Breaks at spaces so that the first line has `first` columns and the others `rest`. A longer word
/// stays whole: half a URL is useless.
pub(in crate::cli) fn wrap(text: &str, first: usize, rest: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words(text) {
        let room = if lines.len() == 1 { first } else { rest };
        let line = lines.pop().unwrap_or_default();
        if line.is_empty() {
            // If the first line has too little room for the first word, it stays empty.
            if lines.is_empty() && width(word) > first && width(word) <= rest {
                lines.push(line);
            }
            lines.push(word.to_owned());
        } else if width(&line) + 1 + width(word) <= room {
            lines.push(format!("{line} {word}"));
        } else {
            lines.push(line);
            lines.push(word.to_owned());
        }
    }
    lines
}

/// Splits at spaces; a command in backticks is one word.
fn words(text: &str) -> Vec<&str> {
    let paired = text.matches('`').count().is_multiple_of(2);
    let mut quoted = false;
    let ends_word = |c: char| {
        quoted ^= paired && c == '`';
        !quoted && c.is_whitespace()
    };
    let words = text.split(ends_word);
    words.filter(|word| !word.is_empty()).collect()
}

/// Builds lines from pieces, each with its style.
#[derive(Debug)]
pub(in crate::cli) struct Sheet {
    columns: usize,
    text: String,
}

impl Sheet {
    /// Creates an empty sheet with this number of columns.
    pub(in crate::cli) fn new(columns: usize) -> Sheet {
        Sheet {
            columns,
            text: String::new(),
        }
    }

    /// Appends a line: `lead`, already painted, then the text, wrapped so that later lines start
    /// below its start.
    pub(in crate::cli) fn entry(&mut self, lead: &str, text: &str) {
        self.styled(lead, text, Style::new());
    }

    /// Appends a line like [`Sheet::entry`], but later lines start in column `hang`.
    pub(in crate::cli) fn hanging(&mut self, lead: &str, text: &str, hang: usize) {
        self.lay_out(lead, text, hang, Style::new());
    }

    /// Appends a line like [`Sheet::entry`], with a style for the text.
    pub(in crate::cli) fn styled(&mut self, lead: &str, text: &str, style: Style) {
        self.lay_out(lead, text, width_of_painted(lead), style);
    }

    /// Appends a name in a column of this width, and a text.
    pub(in crate::cli) fn row(&mut self, name: &str, columns: usize, text: &str) {
        self.entry(&format!("  {} ", paint(DIM, &pad(name, columns))), text);
    }

    /// Appends a mark and the text.
    pub(in crate::cli) fn marked(&mut self, mark: Mark, text: &str) {
        self.entry(&format!("{} ", mark.painted()), text);
    }

    fn lay_out(&mut self, lead: &str, text: &str, hang: usize, style: Style) {
        let first = self.columns.saturating_sub(width_of_painted(lead));
        let rest = self.columns.saturating_sub(hang);
        for (i, line) in wrap(text, first, rest).into_iter().enumerate() {
            let before = match i {
                0 => lead.to_owned(),
                _ => " ".repeat(hang),
            };
            let painted = match line.as_str() {
                "" => line,
                _ => paint(style, &line),
            };
            self.line(&format!("{before}{painted}"));
        }
    }

    /// Appends a paragraph at the left edge.
    pub(in crate::cli) fn paragraph(&mut self, text: &str) {
        self.entry("", text);
    }

    /// Appends a whole line, already painted. Spaces at its end are removed.
    pub(in crate::cli) fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end_matches(' '));
        self.text.push('\n');
    }

    /// Appends an empty line.
    pub(in crate::cli) fn gap(&mut self) {
        self.text.push('\n');
    }

    /// Returns the whole text.
    pub(in crate::cli) fn finish(self) -> String {
        self.text
    }

    /// Returns the columns of a line.
    pub(in crate::cli) fn columns(&self) -> usize {
        self.columns
    }
}

#[cfg(test)]
mod tests {
    use super::{clean, wrap};

    #[test]
    fn escape_sequences_and_direction_marks_do_not_pass() {
        let hostile = "a\x1b[31mb\rc\u{202e}d\ne\u{9b}2J";
        assert_eq!(
            clean(hostile),
            "a\u{fffd}[31mb\u{fffd}c\u{fffd}d e\u{fffd}2J"
        );
    }

    #[test]
    fn lines_break_at_spaces_and_words_stay_whole() {
        assert_eq!(wrap("one two three", 7, 5), ["one two", "three"]);
        assert_eq!(
            wrap("incomprehensible it is", 6, 6),
            ["incomprehensible", "it is"]
        );
        assert_eq!(wrap("eleven", 3, 8), ["", "eleven"]);
        assert_eq!(wrap("", 3, 8), [""]);
    }

    #[test]
    fn a_command_in_backticks_is_not_torn_apart() {
        assert_eq!(
            wrap("try `go env -w`, then", 9, 12),
            ["try", "`go env -w`,", "then"]
        );
        assert_eq!(wrap("it`s go env", 5, 5), ["it`s", "go", "env"]);
    }
}
