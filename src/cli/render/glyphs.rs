//! Chooses the characters that a terminal can show, and draws a target's last rounds with them.

use anstyle::Style;
use unicode_width::UnicodeWidthChar as _;

use super::style::BAD;
use super::text::width;
use crate::environment::Environment;

/// The characters of a live view.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Glyphs {
    /// Bars of rising height.
    pub(in crate::cli) steps: [char; 8],
    /// A round in which a target was not up.
    pub(in crate::cli) not_up: char,
    /// The mark for an omission.
    pub(in crate::cli) to: &'static str,
    /// The arrow from one thing to another.
    pub(in crate::cli) arrow: &'static str,
    /// The end of a text that was cut; one column wide.
    pub(in crate::cli) mark: char,
    is_ascii: bool,
}

/// For terminals that show Unicode.
pub(in crate::cli) const UNICODE: Glyphs = Glyphs {
    steps: ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
    not_up: '×',
    to: "…",
    arrow: "→",
    mark: '…',
    is_ascii: false,
};

/// For terminals that do not.
pub(in crate::cli) const ASCII: Glyphs = Glyphs {
    steps: ['_', '.', ':', '-', '=', '+', '*', '#'],
    not_up: 'x',
    to: "..",
    arrow: "->",
    mark: '>',
    is_ascii: true,
};

/// Chooses the glyphs that the locale and the terminal can show. The Linux console's fonts have no
/// eighths of blocks.
pub(in crate::cli) fn glyphs(env: &Environment) -> &'static Glyphs {
    if cfg!(windows) {
        return &UNICODE;
    }
    // POSIX: the first of these that is set determines the character set.
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| env.get(name))
        .unwrap_or_default()
        .to_ascii_lowercase();
    let is_unicode = locale.contains("utf-8") || locale.contains("utf8");
    match env.get("TERM") {
        Some("linux" | "dumb") | None => &ASCII,
        Some(_) if is_unicode => &UNICODE,
        Some(_) => &ASCII,
    }
}

impl Glyphs {
    /// Converts text for the terminal. The result is never wider than the text.
    pub(in crate::cli) fn fit_for_terminal(&self, text: &str) -> String {
        if !self.is_ascii {
            return text.to_owned();
        }
        let spelled = |c: char| match c {
            '●' => '*',
            '○' => 'o',
            '·' | '–' | '—' => '-',
            '✓' => '+',
            '✗' | '×' => 'x',
            '“' | '”' => '"',
            '‘' | '’' => '\'',
            '→' => '>',
            '…' => '~',
            c if c.is_ascii() => c,
            c if self.steps.contains(&c) => c,
            _ => '?',
        };
        text.chars().map(spelled).collect()
    }

    /// Returns the start of the text that fits into `columns` columns.
    pub(in crate::cli) fn take<'a>(&self, text: &'a str, columns: usize) -> &'a str {
        let mut used = 0;
        for (at, c) in text.char_indices() {
            used += c.width().unwrap_or(0);
            if used > columns {
                return text.get(..at).unwrap_or_default();
            }
        }
        text
    }

    /// Cuts the text in the same way, and marks the cut.
    pub(in crate::cli) fn cut(&self, text: &str, columns: usize) -> String {
        if width(text) <= columns {
            return text.to_owned();
        }
        let Some(room) = columns.checked_sub(1) else {
            return String::new();
        };
        format!("{}{}", self.take(text, room).trim_end(), self.mark)
    }
}

/// The upper ends of all steps of a sparkline but the last, in milliseconds. They are the same for
/// every target and at all times, so that two lines can be compared. A loopback answer is in the first
/// step, a proxy on the same continent in the middle, and a slow answer in the last.
const STEPS: [f64; 7] = [5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0];

/// Draws a target's last rounds that fit in one line, oldest first: the number of columns, and pieces of text with
/// their styles.
pub(super) fn sparkline(
    history: &[Option<f64>],
    columns: usize,
    glyphs: &Glyphs,
) -> (usize, Vec<(Style, String)>) {
    let shown = &history[history.len().saturating_sub(columns)..];
    let mut pieces: Vec<(Style, String)> = Vec::new();
    for round in shown {
        let (style, mark) = match round {
            Some(ms) => (Style::new(), glyphs.steps[step(*ms)]),
            None => (BAD, glyphs.not_up),
        };
        match pieces.last_mut() {
            Some((last, text)) if *last == style => text.push(mark),
            Some(_) | None => pieces.push((style, mark.to_string())),
        }
    }
    (shown.len(), pieces)
}

/// Explains the steps in one line.
pub(super) fn scale(glyphs: &Glyphs) -> String {
    let [first, .., last] = glyphs.steps;
    let (low, high) = (STEPS[0], STEPS[STEPS.len() - 1]);
    format!(
        "{first} under {low} ms {} {last} from {high} ms, {} not up",
        glyphs.to, glyphs.not_up
    )
}

fn step(ms: f64) -> usize {
    // A value that is not a number counts as slow.
    STEPS
        .iter()
        .position(|end| ms < *end)
        .unwrap_or(STEPS.len())
}

#[cfg(test)]
mod tests {
    use super::{ASCII, Glyphs, UNICODE, glyphs, scale, sparkline, width};
    use crate::environment::Environment;

    fn joined(history: &[Option<f64>], columns: usize, glyphs: &Glyphs) -> (usize, String) {
        let (width, pieces) = sparkline(history, columns, glyphs);
        (width, pieces.into_iter().map(|(_, text)| text).collect())
    }

    fn drawn(history: &[Option<f64>], columns: usize) -> String {
        let (width, text) = joined(history, columns, &UNICODE);
        assert_eq!(text.chars().count(), width);
        text
    }

    #[test]
    fn the_locale_and_the_terminal_decide() {
        for (vars, is_ascii) in [
            (&[("TERM", "xterm"), ("LANG", "C.UTF-8")][..], false),
            (&[("TERM", "xterm"), ("LANG", "de_DE.utf8")], false),
            (&[("TERM", "xterm"), ("LANG", "C")], true),
            (
                &[("TERM", "xterm"), ("LANG", "en_US.UTF-8"), ("LC_ALL", "C")],
                true,
            ),
            (
                &[("TERM", "tmux"), ("LANG", "C"), ("LC_CTYPE", "C.UTF-8")],
                false,
            ),
            (&[("TERM", "linux"), ("LANG", "C.UTF-8")], true),
            (&[("LANG", "C.UTF-8")], true),
            (&[("TERM", "xterm")], true),
        ] {
            let env: Environment = vars.iter().copied().collect();
            assert_eq!(glyphs(&env).is_ascii, is_ascii && cfg!(unix), "{vars:?}");
        }
    }

    #[test]
    fn a_cut_text_says_so_and_is_never_too_wide() {
        assert_eq!(UNICODE.cut("office", 6), "office");
        assert_eq!(UNICODE.cut("office", 5), "offi…");
        assert_eq!(UNICODE.cut("a bcdef", 3), "a…");
        assert_eq!(UNICODE.cut("a", 0), "");
        // Each character has two columns.
        assert_eq!(UNICODE.cut("会議室無線", 6), "会議…");
        for columns in 0..12 {
            assert!(width(&UNICODE.cut("会議室x無線", columns)) <= columns);
        }
        assert_eq!(ASCII.cut("office", 5), "offi>");
    }

    #[test]
    fn where_unicode_cannot_be_shown_nothing_of_it_is_sent() {
        let text = "● office · “corp” → 会 ✓ ✗ … – ×";
        let shown = ASCII.fit_for_terminal(text);
        assert_eq!(shown, "* office - \"corp\" > ? + x ~ - x");
        assert!(width(&shown) <= width(text));
        assert_eq!(UNICODE.fit_for_terminal(text), text);
    }

    #[test]
    fn each_step_has_its_own_height_and_the_last_has_no_end() {
        let rounds = [
            0.0,
            5.0,
            19.9,
            20.0,
            99.0,
            100.0,
            499.9,
            500.0,
            1e9,
            f64::NAN,
        ]
        .map(Some);
        assert_eq!(drawn(&rounds, 80), "▁▂▃▄▅▆▇███");
    }

    #[test]
    fn not_up_has_a_mark_of_its_own_and_the_newest_rounds_are_shown() {
        let rounds = [Some(600.0), None, Some(1.0), None];
        assert_eq!(drawn(&rounds, 4), "█×▁×");
        assert_eq!(drawn(&rounds, 2), "▁×");
        assert_eq!(drawn(&rounds, 0), "");
        assert_eq!(drawn(&[], 9), "");
        assert_eq!(joined(&rounds, 4, &ASCII).1, "#x_x");
    }

    #[test]
    fn the_scale_is_said() {
        assert_eq!(scale(&UNICODE), "▁ under 5 ms … █ from 500 ms, × not up");
        assert_eq!(scale(&ASCII), "_ under 5 ms .. # from 500 ms, x not up");
    }
}
