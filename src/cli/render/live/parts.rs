//! The parts of the screen, each in all its lines.

use anstyle::Style;

use super::line::Line;
use super::view::{Budget, View};
use crate::cli::render::glyphs::columns_of;
use crate::cli::render::page::duration;
use crate::cli::render::sparkline::{scale, sparkline};
use crate::cli::render::status::{mode, network, notes, verdict};
use crate::cli::render::style::{BOLD, DIM, GOOD, ODD};
use crate::cli::render::text::{clean, wrap};
use crate::model::status::{AgentState, Status, Switch, TargetStatus};

/// The first column's width: "network" and most names.
const NAME_COLUMNS: usize = 9;
/// Longer names of targets are cut: what they say comes behind them.
const MOST_NAME_COLUMNS: usize = 18;
/// "✓ portal".
const VERDICT_COLUMNS: usize = 8;
/// "3000 ms".
const MS_COLUMNS: usize = 8;
/// As many rounds as the agent keeps.
const MOST_BARS: usize = 32;
/// In a narrow terminal fewer, so that the reason has room.
const FEWEST_BARS: usize = 8;

/// The parts of the screen.
#[derive(Debug)]
pub(super) struct Parts {
    head: Line,
    pub(super) network: Vec<Line>,
    pub(super) why: Vec<Line>,
    pub(super) variables: Vec<Line>,
    /// How much each variable matters; the smallest stay longest.
    variable_ranks: Vec<usize>,
    scale: Line,
    pub(super) targets: Vec<Line>,
    target_ranks: Vec<usize>,
    /// Newest first.
    pub(super) switches: Vec<Line>,
    pub(super) notes: Vec<Vec<Line>>,
    pub(super) footer: Line,
    more: &'static str,
}

impl Parts {
    pub(super) fn of(view: &View<'_>) -> Parts {
        let status = view.status;
        let columns = variable_columns(status);
        let named = |name: &str, text: &str| named(view, columns, name, text);
        let names = variable_names(status);
        Parts {
            head: head(view),
            network: named("network", &network(&status.network)),
            why: match &status.why {
                Some(why) => named("why", &clean(why)),
                None => Vec::new(),
            },
            variables: names
                .iter()
                .map(|name| variable(view, name, columns))
                .collect(),
            variable_ranks: names.iter().map(|name| rank(name)).collect(),
            scale: Line::default()
                .and("  ")
                .with(DIM, format!("last rounds: {}", scale(view.glyphs))),
            targets: targets(view),
            target_ranks: status
                .targets
                .iter()
                .map(|target| usize::from(target.verdict.is_none()))
                .collect(),
            switches: switches(view),
            notes: all_notes(view),
            footer: footer(view),
            more: view.glyphs.to,
        }
    }

    /// What the budget leaves, from top to bottom, without the last line.
    pub(super) fn lines(&self, budget: &Budget) -> Vec<Line> {
        let mut about = vec![self.head.clone()];
        about.extend(first(&self.network, budget.network));
        about.extend(first(&self.why, budget.why));
        let variables = self.some(&self.variables, &self.variable_ranks, budget.variables);
        let mut targets = Vec::new();
        targets.extend((budget.scale > 0).then(|| self.scale.clone()));
        targets.extend(self.some(&self.targets, &self.target_ranks, budget.targets));
        let switches = self
            .switches
            .iter()
            .take(budget.switches)
            .cloned()
            .collect();
        let notes = if budget.whole_notes {
            self.notes.concat()
        } else {
            let first: Vec<Line> = self
                .notes
                .iter()
                .filter_map(|note| note.first().cloned())
                .collect();
            self.some(&first, &vec![0; first.len()], budget.notes)
        };
        let mut lines = Vec::new();
        for part in [about, variables, targets, switches, notes] {
            if budget.gaps && !lines.is_empty() && !part.is_empty() {
                lines.push(Line::default());
            }
            lines.extend(part);
        }
        if budget.gaps && budget.footer {
            lines.push(Line::default());
        }
        lines
    }

    /// So many of the lines, in their order; the last one says how many are left out.
    fn some(&self, lines: &[Line], ranks: &[usize], most: usize) -> Vec<Line> {
        if lines.len() <= most {
            return lines.to_vec();
        }
        let Some(room) = most.checked_sub(1) else {
            return Vec::new();
        };
        let mut kept: Vec<usize> = (0..lines.len()).collect();
        // Stable: of two that matter alike the first one stays.
        kept.sort_by_key(|at| ranks.get(*at));
        kept.truncate(room);
        kept.sort();
        let mut some: Vec<Line> = kept
            .into_iter()
            .filter_map(|at| lines.get(at).cloned())
            .collect();
        let more = format!("{}{} more", self.more, lines.len() - room);
        some.push(Line::default().and("  ").with(DIM, more));
        some
    }
}

/// The first ones. The text of a paragraph that is not shown whole goes on in its last line, to
/// be cut where the screen ends.
fn first(paragraph: &[Line], most: usize) -> Vec<Line> {
    let mut shown: Vec<Line> = paragraph.iter().take(most).cloned().collect();
    if let (Some(last), Some(next)) = (shown.last_mut(), paragraph.get(most)) {
        *last = last.clone().and(" ").and(next.text().trim_start());
    }
    shown
}

/// A name, and a text over as many lines as it needs.
fn named(view: &View<'_>, columns: usize, name: &str, text: &str) -> Vec<Line> {
    let room = view.size.columns.saturating_sub(columns + 3).max(1);
    let lead = |i| match i {
        0 => Line::default().and("  ").with(DIM, name),
        _ => Line::default().and("  "),
    };
    let lines = wrap(text, room, room).into_iter().enumerate();
    lines
        .map(|(i, text)| lead(i).to(columns + 3).and(text))
        .collect()
}

/// The profile, since when, and who chose it, in as many words as the line has room for.
fn head(view: &View<'_>) -> Line {
    let (status, page) = (view.status, view.page);
    let running = status.agent == AgentState::Running && view.away.is_none();
    let (symbol, style) = if running { ("●", GOOD) } else { ("○", DIM) };
    let profile = match &status.profile {
        Some(profile) => clean(profile),
        None => "no profile yet".to_owned(),
    };
    let lead = Line::default()
        .with(style, symbol)
        .and(" ")
        .with(BOLD, profile);
    let mode = match view.away {
        Some(_) => "no agent".to_owned(),
        None => mode(status, page),
    };
    let since = status
        .since
        .map(|since| (page.moment(since), page.ago_in_minutes(since)));
    let mut rests = Vec::new();
    if let Some((moment, ago)) = &since {
        let whole = format!(" · since {moment} ({ago})");
        if let Some(ms) = status.switched_ms {
            rests.push(format!("{whole}, switched in {}", duration(ms)));
        }
        rests.push(whole);
        rests.push(format!(" · {ago}"));
    }
    rests.push(String::new());
    let room = view
        .size
        .columns
        .saturating_sub(lead.columns() + columns_of(&mode) + 2);
    let rest = rests
        .into_iter()
        .find(|rest| columns_of(rest) <= room)
        .unwrap_or_default();
    let at = view.size.columns.saturating_sub(columns_of(&mode));
    lead.and(rest).to(at).and(mode)
}

fn variable_names(status: &Status) -> Vec<&String> {
    let mut names: Vec<&String> = status.applied.keys().chain(status.was.keys()).collect();
    names.sort();
    names.dedup();
    names
}

fn variable_columns(status: &Status) -> usize {
    let names = variable_names(status).into_iter();
    names
        .map(|name| columns_of(&clean(name)))
        .fold(NAME_COLUMNS, usize::max)
        .min(MOST_NAME_COLUMNS)
}

/// Where modules come from, what checks them, what stays private; then the others.
fn rank(name: &str) -> usize {
    let first = ["GOPROXY", "GOSUMDB", "GOPRIVATE"];
    first
        .iter()
        .position(|known| *known == name)
        .unwrap_or(first.len())
}

/// A variable, and what it was before goroam where that was something else and has room.
fn variable(view: &View<'_>, name: &str, columns: usize) -> Line {
    let now = view.status.applied.get(name);
    let value = match now.map(String::as_str) {
        None => "not set".to_owned(),
        Some("") => "(empty)".to_owned(),
        Some(value) => clean(value),
    };
    let line = Line::default()
        .and("  ")
        .and(view.glyphs.cut(&clean(name), columns))
        .to(columns + 3)
        .and(value);
    let was = match view.status.was.get(name) {
        Some(was) if was.as_ref() != now => match was {
            Some(was) => format!("was {}", clean(was)),
            None => "was not set".to_owned(),
        },
        Some(_) | None => return line,
    };
    let at = line.columns().max(columns + 3 + 34) + 2;
    if at + columns_of(&was) <= view.size.columns {
        line.to(at).with(DIM, was)
    } else {
        line
    }
}

fn targets(view: &View<'_>) -> Vec<Line> {
    let targets = &view.status.targets;
    let name_columns = targets
        .iter()
        .map(|target| columns_of(&clean(&target.name)))
        .fold(NAME_COLUMNS, usize::max)
        .min(MOST_NAME_COLUMNS);
    // Shared out by the terminal's width alone, so that nothing moves when a round comes.
    let before = 2 + name_columns + 1 + VERDICT_COLUMNS + MS_COLUMNS + 2;
    let left = view.size.columns.saturating_sub(before);
    let bars = (left / 3).clamp(FEWEST_BARS, MOST_BARS);
    let line = |target: &TargetStatus| {
        let (symbol, word, style) = verdict(target.verdict);
        let took = match (target.up, target.ms.total) {
            (Some(true), Some(ms)) => duration(ms),
            _ => String::new(),
        };
        let (drawn, history) = sparkline(&target.history, bars, view.glyphs);
        let mut line = Line::default()
            .and("  ")
            .and(view.glyphs.cut(&clean(&target.name), name_columns))
            .to(2 + name_columns + 1)
            .with(style, format!("{symbol} {word}"))
            .to(before - 2 - columns_of(&took))
            .and(took)
            .to(before);
        // The newest round stands at the right edge of its column.
        line = line.and(" ".repeat(bars - drawn));
        for (style, text) in history {
            line = line.with(style, text);
        }
        line.and("  ")
            .with(reason_style(target), clean(&target.reason))
    };
    targets.iter().map(line).collect()
}

fn reason_style(target: &TargetStatus) -> Style {
    match target.verdict {
        None => DIM,
        Some(_) => Style::new(),
    }
}

fn switches(view: &View<'_>) -> Vec<Line> {
    let switches = &view.status.switches;
    let moments = switches.iter().map(|switch| view.page.moment(switch.at));
    let moments: Vec<String> = moments.collect();
    let width = moments
        .iter()
        .map(|moment| columns_of(moment))
        .fold(0, usize::max);
    let lines = switches.iter().zip(moments).rev();
    lines
        .map(|(switch, moment)| switched(view, switch, &moment, width))
        .collect()
}

fn switched(view: &View<'_>, switch: &Switch, moment: &str, width: usize) -> Line {
    let from = switch.from.as_deref().map_or("none".to_owned(), clean);
    let way = format!("{from} {} {}", view.glyphs.arrow, clean(&switch.to));
    let line = Line::default()
        .and("  ")
        .with(DIM, moment)
        .to(width + 4)
        .and(way)
        .to(width + 4 + 24);
    let line = match switch.ms {
        Some(ms) => {
            let took = duration(ms);
            let at = (width + 4 + 24 + MS_COLUMNS).saturating_sub(columns_of(&took));
            line.to(at).and(took)
        }
        None => line.to(width + 4 + 24 + MS_COLUMNS),
    };
    match &switch.why {
        Some(why) => line.and("  ").with(DIM, clean(why)),
        None => line,
    }
}

/// What somebody should look at; an agent that is gone comes first.
fn all_notes(view: &View<'_>) -> Vec<Vec<Line>> {
    let mut all: Vec<String> = view.away.map(clean).into_iter().collect();
    all.extend(notes(view.status));
    let room = view.size.columns.saturating_sub(2).max(1);
    let lines = |note: &String| {
        let text = wrap(note, room, room).into_iter().enumerate();
        text.map(|(i, text)| match i {
            0 => Line::default().with(ODD, "!").and(" ").and(text),
            _ => Line::default().and("  ").and(text),
        })
        .collect()
    };
    all.iter().map(lines).collect()
}

fn footer(view: &View<'_>) -> Line {
    let line = Line::default()
        .and("  ")
        .with(BOLD, "q")
        .with(DIM, " quits");
    let mut rest = String::new();
    if !view.status.policy.is_empty() {
        rest.push_str(&format!(" · policy {}", clean(&view.status.policy)));
    }
    if let Some(turn) = view.status.turn {
        rest.push_str(&format!(" · turn {turn}"));
    }
    line.with(DIM, rest)
}
