//! Draws a target's last rounds in one line. The steps are the same for every target and at all
//! times, so that two lines can be compared, and a line does not change its scale when a slow round
//! leaves it.

use anstyle::Style;

use super::glyphs::Glyphs;
use super::style::BAD;

/// The upper ends of all steps but the last, in milliseconds. A loopback answer is in the first
/// step, a proxy on the same continent in the middle, and a slow answer in the last.
const STEPS: [f64; 7] = [5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0];

/// Returns the last rounds that fit, oldest first: the number of columns, and pieces of text with
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
    use super::{scale, sparkline};
    use crate::cli::render::glyphs::{ASCII, Glyphs, UNICODE};

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
