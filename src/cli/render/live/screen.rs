//! The whole screen: what is shown, how much of each part, and what is left out first.

use super::line::Line;
use super::parts::Parts;
use super::view::{Budget, ORDER, View};

/// The lines of the screen, painted; as many as it has rows, none wider than its columns.
pub(in crate::cli) fn live(view: &View<'_>) -> Vec<String> {
    let parts = Parts::of(view);
    let budget = fitting(&parts, view.size.rows);
    let mut lines = parts.lines(&budget);
    if budget.footer {
        // Always on the last row, so that it stands still while the rest grows and shrinks.
        lines.resize_with(view.size.rows.saturating_sub(1), Line::default);
        lines.push(parts.footer.clone());
    }
    lines.resize_with(view.size.rows, Line::default);
    let paint = |line: &Line| line.paint(view.size.columns, view.glyphs);
    lines.iter().map(paint).collect()
}

/// All of it, then without what matters least until the rest fits.
fn fitting(parts: &Parts, rows: usize) -> Budget {
    let mut budget = Budget {
        gaps: true,
        footer: true,
        network: parts.network.len(),
        why: parts.why.len(),
        variables: parts.variables.len(),
        scale: usize::from(!parts.targets.is_empty()),
        targets: parts.targets.len(),
        switches: parts.switches.len(),
        whole_notes: true,
        notes: parts.notes.len(),
    };
    for cut in ORDER {
        while rows_of(parts, &budget) > rows {
            if !budget.cut_one(cut) {
                break;
            }
        }
    }
    budget
}

fn rows_of(parts: &Parts, budget: &Budget) -> usize {
    parts.lines(budget).len() + usize::from(budget.footer)
}
