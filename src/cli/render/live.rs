//! Shows the status as one screen that fits a terminal of any size: less important parts are left
//! out first, and the screen says how much is missing.

use anstyle::Style;

use super::glyphs::{Glyphs, scale, sparkline};
use super::page::Page;
use super::status::{Variable, mode, network, notes, variables, verdict};
use super::style::{BOLD, DIM, GOOD, ODD, paint};
use super::text::{clean, width, wrap};
use crate::model::status::{AgentState, Status, Switch, TargetStatus};
use crate::model::text::duration;

/// The rows and columns of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct Size {
    /// Characters in a line.
    pub columns: usize,
    /// Number of lines.
    pub rows: usize,
}

/// What to draw.
#[derive(Debug)]
pub(in crate::cli) struct View<'a> {
    /// The agent's last status.
    pub status: &'a Status,
    /// The message while no agent answers.
    pub away: Option<&'a str>,
    /// The size of the terminal.
    pub size: Size,
    /// The time, and the reader's time zone.
    pub page: &'a Page,
    /// The characters that the terminal can show.
    pub glyphs: &'a Glyphs,
}

/// The parts of the screen, from top to bottom.
#[derive(Debug, Clone, Copy)]
enum Part {
    Head,
    Network,
    Why,
    Variables,
    /// The meaning of the targets' bars.
    Scale,
    Targets,
    /// Newest first.
    Switches,
    /// Notes that use as many lines as they need.
    WholeNotes,
    /// The first line of each note, shown instead.
    Notes,
    /// Empty lines between the parts.
    Gaps,
    /// The last line.
    Footer,
}

/// The content of a part, and how much of it is shown.
#[derive(Debug)]
struct Block {
    lines: Vec<Line>,
    /// The rank of each line; the lines with the smallest ranks stay longest.
    ranks: Vec<usize>,
    most: usize,
}

impl Block {
    fn new(lines: Vec<Line>) -> Block {
        Block {
            most: lines.len(),
            ranks: vec![0; lines.len()],
            lines,
        }
    }
}

/// The order in which parts are left out, and the number of lines that stay.
const ORDER: [(Part, usize); 20] = [
    (Part::Network, 1),
    (Part::Why, 1),
    (Part::Switches, 3),
    (Part::Gaps, 0),
    (Part::Switches, 1),
    (Part::WholeNotes, 0),
    (Part::Targets, 6),
    (Part::Variables, 4),
    (Part::Switches, 0),
    (Part::Footer, 0),
    (Part::Why, 0),
    (Part::Targets, 3),
    (Part::Variables, 2),
    (Part::Notes, 2),
    (Part::Scale, 0),
    (Part::Network, 0),
    (Part::Variables, 1),
    (Part::Notes, 1),
    (Part::Targets, 1),
    (Part::Variables, 0),
];

/// Returns the painted lines of the screen: as many as it has rows, none wider than its columns.
pub(in crate::cli) fn live(view: &View<'_>) -> Vec<String> {
    let rows = view.size.rows;
    let mut blocks = blocks(view);
    let used = |blocks: &[Block]| lines(view, blocks).len() + blocks[Part::Footer as usize].most;
    for (part, floor) in ORDER {
        while blocks[part as usize].most > floor && used(&blocks) > rows {
            blocks[part as usize].most -= 1;
        }
    }
    let mut lines = lines(view, &blocks);
    let footer = &blocks[Part::Footer as usize];
    if footer.most > 0 {
        // The footer is always on the last row, so that it does not move while the rest grows and
        // shrinks.
        lines.resize_with(rows.saturating_sub(1), Line::default);
        lines.extend(footer.lines.iter().cloned());
    }
    lines.resize_with(rows, Line::default);
    let paint = |line: &Line| line.paint(view.size.columns, view.glyphs);
    lines.iter().map(paint).collect()
}

/// The first column's width: "network" and most names fit.
const NAME_COLUMNS: usize = 9;
/// Longer target names are cut, so that room for the results remains.
const MOST_NAME_COLUMNS: usize = 18;
/// Room for "✓ portal".
const VERDICT_COLUMNS: usize = 8;
/// Room for "3000 ms".
const MS_COLUMNS: usize = 8;
/// As many rounds as the agent stores.
const MOST_BARS: usize = 32;
/// A narrow terminal has fewer, so that the reason has room.
const FEWEST_BARS: usize = 8;

/// Fills the parts, in the order of [`Part`].
fn blocks(view: &View<'_>) -> [Block; 11] {
    let status = view.status;
    let variables = variables(status);
    let columns = name_columns(variables.iter().map(|variable| &variable.name));
    let named = |name: &str, text: &str| {
        let lead = Line::default().and("  ").with(DIM, name).to(columns + 3);
        paragraph(view, &lead, text)
    };
    let why = status.why.as_deref().map(|why| named("why", &clean(why)));
    let shown = variables.iter().map(|one| variable(view, one, columns));
    let scale = format!("last rounds: {}", scale(view.glyphs));
    let scale = Line::default().and("  ").with(DIM, scale);
    let notes = all_notes(view);
    let targets = &status.targets;
    [
        Block::new(vec![head(view)]),
        Block::new(named("network", &network(&status.network))),
        Block::new(why.unwrap_or_default()),
        Block {
            ranks: variables.iter().map(|one| rank(&one.name)).collect(),
            ..Block::new(shown.collect())
        },
        Block::new(targets.first().map(|_| scale).into_iter().collect()),
        Block {
            ranks: Vec::from_iter(targets.iter().map(|one| usize::from(one.verdict.is_none()))),
            ..Block::new(target_lines(view))
        },
        Block::new(switches(view)),
        Block {
            most: 1,
            ..Block::new(notes.concat())
        },
        Block::new(
            notes
                .iter()
                .filter_map(|note| note.first().cloned())
                .collect(),
        ),
        Block::new(vec![Line::default()]),
        Block::new(vec![footer(view)]),
    ]
}

/// Returns the lines that are shown, from top to bottom, without the last line.
fn lines(view: &View<'_>, blocks: &[Block]) -> Vec<Line> {
    let part = |part: Part| {
        let block = &blocks[part as usize];
        match part {
            Part::Network | Part::Why => first(&block.lines, block.most),
            Part::Variables | Part::Targets | Part::Notes => some(view, block),
            Part::WholeNotes => block.lines.clone(),
            Part::Head | Part::Scale | Part::Switches | Part::Gaps | Part::Footer => {
                block.lines.iter().take(block.most).cloned().collect()
            }
        }
    };
    let is_shown = |part: Part| blocks[part as usize].most > 0;
    let whole = is_shown(Part::WholeNotes);
    let mut lines = Vec::new();
    for group in [
        [part(Part::Head), part(Part::Network), part(Part::Why)].concat(),
        part(Part::Variables),
        [part(Part::Scale), part(Part::Targets)].concat(),
        part(Part::Switches),
        part(if whole { Part::WholeNotes } else { Part::Notes }),
    ] {
        if is_shown(Part::Gaps) && !lines.is_empty() && !group.is_empty() {
            lines.push(Line::default());
        }
        lines.extend(group);
    }
    if is_shown(Part::Gaps) && is_shown(Part::Footer) {
        lines.push(Line::default());
    }
    lines
}

/// Returns the lines of a list, in their order; the last one says how many are missing.
fn some(view: &View<'_>, block: &Block) -> Vec<Line> {
    let lines = &block.lines;
    if lines.len() <= block.most {
        return lines.clone();
    }
    let Some(room) = block.most.checked_sub(1) else {
        return Vec::new();
    };
    // A stable sort: of two equal ranks the first one stays.
    let mut kept = Vec::from_iter(block.ranks.iter().zip(lines).enumerate());
    kept.sort_by_key(|(_, (rank, _))| **rank);
    kept.truncate(room);
    kept.sort_by_key(|(at, _)| *at);
    let mut some: Vec<Line> = kept
        .into_iter()
        .map(|(_, (_, line))| line.clone())
        .collect();
    let more = format!("{}{} more", view.glyphs.to, lines.len() - room);
    some.push(Line::default().and("  ").with(DIM, more));
    some
}

/// Returns the first lines. If a paragraph is not shown completely, its text continues in the last
/// line, which is cut at the edge of the screen.
fn first(paragraph: &[Line], most: usize) -> Vec<Line> {
    let mut shown: Vec<Line> = paragraph.iter().take(most).cloned().collect();
    if let (Some(last), Some(next)) = (shown.last_mut(), paragraph.get(most)) {
        *last = last.clone().and(" ").and(next.text().trim_start());
    }
    shown
}

/// Formats a text over as many lines as it needs; later lines start below its start.
fn paragraph(view: &View<'_>, lead: &Line, text: &str) -> Vec<Line> {
    let hang = lead.columns();
    let room = view.size.columns.saturating_sub(hang).max(1);
    let blank = Line::default().and(" ".repeat(hang));
    let leads = std::iter::once(lead).chain(std::iter::repeat(&blank));
    let lines = wrap(text, room, room).into_iter().zip(leads);
    lines.map(|(text, lead)| lead.clone().and(text)).collect()
}

/// Formats the profile, its start and who chose it, in as many words as the line has room for.
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
        .saturating_sub(lead.columns() + width(&mode) + 2);
    let rest = rests
        .into_iter()
        .find(|rest| width(rest) <= room)
        .unwrap_or_default();
    let at = view.size.columns.saturating_sub(width(&mode));
    lead.and(rest).to(at).and(mode)
}

/// Ranks variables: where modules come from, what checks them, what stays private; then the others.
fn rank(name: &str) -> usize {
    let first = ["GOPROXY", "GOSUMDB", "GOPRIVATE"];
    first
        .iter()
        .position(|known| *known == name)
        .unwrap_or(first.len())
}

/// Formats a variable, and its value before goroam if that differs and has room.
fn variable(view: &View<'_>, variable: &Variable, columns: usize) -> Line {
    let line = Line::default()
        .and("  ")
        .and(view.glyphs.cut(&variable.name, columns))
        .to(columns + 3)
        .and(variable.value.as_str());
    let at = line.columns().max(columns + 3 + 34) + 2;
    match &variable.was {
        Some(was) if at + width(was) <= view.size.columns => line.to(at).with(DIM, was),
        Some(_) | None => line,
    }
}

/// Returns the width of a column with these names.
fn name_columns<'a>(names: impl Iterator<Item = &'a String>) -> usize {
    let widest = names.map(|name| width(&clean(name)));
    widest.fold(NAME_COLUMNS, usize::max).min(MOST_NAME_COLUMNS)
}

fn target_lines(view: &View<'_>) -> Vec<Line> {
    let targets = &view.status.targets;
    let name_columns = name_columns(targets.iter().map(|target| &target.name));
    // The widths depend only on the terminal's width, so that nothing moves after a round.
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
            .to(before - 2 - width(&took))
            .and(took)
            .to(before);
        // The newest round is at the right edge of its column.
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
    let wide = moments
        .iter()
        .map(|moment| width(moment))
        .max()
        .unwrap_or(0);
    let took_end = wide + 4 + 24 + MS_COLUMNS;
    let line = |(switch, moment): (&Switch, String)| {
        let from = switch.from.as_deref().map_or("none".to_owned(), clean);
        let took = switch.ms.map(duration).unwrap_or_default();
        let line = Line::default()
            .and("  ")
            .with(DIM, moment)
            .to(wide + 4)
            .and(format!(
                "{from} {} {}",
                view.glyphs.arrow,
                clean(&switch.to)
            ))
            .to(wide + 4 + 24)
            .to(took_end - width(&took))
            .and(took);
        match &switch.why {
            Some(why) => line.and("  ").with(DIM, clean(why)),
            None => line,
        }
    };
    switches.iter().zip(moments).rev().map(line).collect()
}

/// Returns the notes for the user; a missing agent comes first.
fn all_notes(view: &View<'_>) -> Vec<Vec<Line>> {
    let lead = Line::default().with(ODD, "!").and(" ");
    let all = view.away.map(clean).into_iter().chain(notes(view.status));
    all.map(|note| paragraph(view, &lead, &note)).collect()
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

/// A line of the screen, from left to right: pieces of text, each with its style, cut at the edge
/// of the screen.
#[derive(Debug, Clone, Default)]
struct Line(Vec<(Style, String)>);

impl Line {
    /// Appends a piece.
    fn with(mut self, style: Style, text: impl Into<String>) -> Line {
        self.0.push((style, text.into()));
        self
    }

    /// Appends a piece without a style.
    fn and(self, text: impl Into<String>) -> Line {
        self.with(Style::new(), text)
    }

    /// Appends spaces up to a column. If the line is not empty, it appends at least one.
    fn to(self, column: usize) -> Line {
        let used = self.columns();
        let spaces = column.saturating_sub(used).max(usize::from(used > 0));
        self.and(" ".repeat(spaces))
    }

    /// Returns the width in columns.
    fn columns(&self) -> usize {
        self.0.iter().map(|(_, text)| width(text)).sum()
    }

    /// Returns the text without styles.
    fn text(&self) -> String {
        self.0.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// Formats the line for the terminal: without spaces at the end, and with a mark where it is
    /// cut.
    fn paint(&self, columns: usize, glyphs: &Glyphs) -> String {
        let whole = self.columns() <= columns;
        let mut left = if whole {
            columns
        } else {
            columns.saturating_sub(1)
        };
        let mut out = String::new();
        let mut spaces = 0;
        for (style, text) in &self.0 {
            let taken = glyphs.take(text, left);
            left = left.saturating_sub(width(taken));
            let solid = taken.trim_end_matches(' ');
            if !solid.is_empty() {
                out.push_str(&" ".repeat(std::mem::take(&mut spaces)));
                let solid = glyphs.fit_for_terminal(solid);
                if *style == Style::new() {
                    out.push_str(&solid)
                } else {
                    out.push_str(&paint(*style, &solid))
                }
            }
            spaces += taken.len() - solid.len();
            if taken.len() < text.len() {
                break;
            }
        }
        if !whole && columns > 0 {
            out.push(glyphs.mark);
        }
        out
    }
}

/// Tests the screen in all sizes.
#[cfg(test)]
mod tests {
    use super::{Size, View, live, width};
    use crate::cli::render::fixtures::{at, office, page, plain};
    use crate::cli::render::glyphs::{ASCII, Glyphs, UNICODE};
    use crate::model::status::{Shadow, Status, Switch, TargetStatus};

    fn at_work() -> Status {
        let mut status = office();
        status.targets[0].history = vec![Some(12.0), Some(9.0), None, Some(140.0), Some(12.0)];
        status.targets[1].history = vec![Some(700.0), None, None];
        status.policy = "/home/me/.config/goroam/goroam.toml".to_owned();
        let switch = |clock, from: &str, to: &str, ms, why: &str| Switch {
            at: at(clock),
            from: Some(from.to_owned()),
            to: to.to_owned(),
            why: Some(why.to_owned()),
            ms,
        };
        status.switches = vec![
            switch("08:01:00", "public", "offline", None, "nothing answers"),
            switch(
                "09:12:00",
                "offline",
                "office",
                Some(38.2),
                "corp proven by its key",
            ),
        ];
        status.shadowed.push(Shadow {
            name: "GOPROXY".to_owned(),
            value: "direct".to_owned(),
            written: None,
        });
        status
    }

    fn shown(status: &Status, columns: usize, rows: usize, glyphs: &Glyphs) -> Vec<String> {
        let page = page();
        let view = View {
            status,
            away: None,
            size: Size { columns, rows },
            page: &page,
            glyphs,
        };
        live(&view).iter().map(|line| plain(line)).collect()
    }

    const OFFICE: &str = "\
● office · since 09:12 (2 h 04 min), switched in 38 ms                 automatic
  network   wlan0 (wifi “corp”) via 10.20.0.1 · dns 10.20.0.53 · corp.example
  why       corp proven by its key

  GOPRIVATE git.corp.example                    was not set
  GOPROXY   https://goproxy.corp.example        was proxy.golang.org,direct
  GOSUMDB   sum.golang.org

  last rounds: ▁ under 5 ms … █ from 500 ms, × not up
  corp      ✓ up       12 ms             ▃▂×▆▃  TLS pinned, v1.4.0 hash right
  proxy     ✗ down                         █××  10.20.0.1 answers “no route” (b…
  sum       ·                                   not needed

  09:12  offline → office           38 ms  corp proven by its key
  08:01  public → offline                  nothing answers

! GOPROXY is also set in this shell's environment (direct), which wins over
  `go env -w`. `unset GOPROXY` to let goroam's value count.





  q quits · policy /home/me/.config/goroam/goroam.toml · turn 481";

    #[test]
    fn an_office_on_the_usual_terminal_reads_as_it_should() {
        let lines = shown(&at_work(), 80, 24, &UNICODE);
        assert_eq!(lines.len(), 24);
        assert_eq!(lines.join("\n"), OFFICE);
    }

    #[test]
    fn it_fits_every_terminal() {
        let mut busy = at_work();
        let one = busy.targets[1].clone();
        busy.targets.extend((0..40).map(|n| TargetStatus {
            name: format!("ein-ziemlich-langer-name-{n}"),
            ..one.clone()
        }));
        for n in 0..30 {
            busy.applied.insert(format!("GO{n}"), "会議室".repeat(20));
            busy.troubles
                .push("somebody should look at this ".repeat(9));
        }
        for status in [&at_work(), &busy, &Status::default()] {
            for rows in [1, 2, 3, 5, 8, 11, 15, 20, 24, 60] {
                for columns in [1, 2, 5, 20, 40, 79, 80, 81, 120, 200, 500] {
                    for glyphs in [&UNICODE, &ASCII] {
                        let lines = shown(status, columns, rows, glyphs);
                        assert_eq!(lines.len(), rows, "{columns}x{rows}");
                        for line in &lines {
                            assert!(width(line) <= columns, "{columns}x{rows}: {line}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_matters_less_is_left_out_first_and_it_is_said_how_much() {
        let mut status = at_work();
        let one = status.targets[1].clone();
        for n in 0..9 {
            status.targets.push(TargetStatus {
                name: format!("t{n}"),
                ..one.clone()
            });
        }
        let text = shown(&status, 80, 15, &UNICODE).join("\n");
        for kept in ["office · since", "corp      ✓", "GOPROXY  ", "! GOPROXY"] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
        assert!(text.contains("…7 more"), "{text}");
        assert!(!text.contains("sum       ·"), "nobody asked it: {text}");
        assert!(!text.contains("public → offline"), "{text}");
        let text = shown(&status, 40, 10, &UNICODE).join("\n");
        for kept in [
            "office · 2 h",
            "automatic",
            "corp      ✓",
            "GOPROXY",
            "! GOPROXY",
        ] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
        let text = shown(&status, 40, 2, &UNICODE).join("\n");
        assert!(text.starts_with("● office"), "{text}");
    }

    #[test]
    fn a_long_paragraph_takes_the_lines_that_are_there() {
        let mut status = at_work();
        status.why = Some("one two three four five six seven eight nine ten".to_owned());
        let text = shown(&status, 40, 40, &UNICODE).join("\n");
        assert!(
            text.contains("  why       one two three four five six\n            seven"),
            "{text}"
        );
        let text = shown(&status, 40, 18, &UNICODE).join("\n");
        assert!(
            text.contains("  why       one two three four five six…\n"),
            "{text}"
        );
    }

    #[test]
    fn a_big_terminal_shows_whole_reasons() {
        let text = shown(&at_work(), 120, 40, &UNICODE).join("\n");
        assert!(text.contains("“no route” (blocked here)"), "{text}");
    }

    #[test]
    fn the_newest_round_stands_at_the_right_edge() {
        let lines = shown(&at_work(), 80, 24, &UNICODE);
        let column = |name: &str, mark: char| {
            let line = lines.iter().find(|line| line.starts_with(name)).unwrap();
            line.chars().position(|c| c == mark)
        };
        let corp = lines.iter().find(|line| line.contains("▃▂×▆▃")).unwrap();
        let end = corp.chars().collect::<Vec<_>>();
        let end = end.iter().rposition(|c| *c == '▃').unwrap();
        assert_eq!(column("  proxy", '█').map(|at| at + 2), Some(end));
    }

    #[test]
    fn an_agent_that_is_gone_is_said_before_everything_else() {
        let status = at_work();
        let page = page();
        let view = View {
            status: &status,
            away: Some("the agent has ended at 11:15; this is what it told last"),
            size: Size {
                columns: 80,
                rows: 24,
            },
            page: &page,
            glyphs: &UNICODE,
        };
        let lines: Vec<String> = live(&view).iter().map(|line| plain(line)).collect();
        assert!(lines[0].starts_with("○ office"), "{}", lines[0]);
        assert!(lines[0].ends_with("no agent"), "{}", lines[0]);
        let first = lines.iter().find(|line| line.starts_with('!')).unwrap();
        assert!(first.contains("the agent has ended"), "{first}");
    }

    #[test]
    fn in_ascii_nothing_else_is_sent() {
        let text = shown(&at_work(), 80, 24, &ASCII).join("\n");
        assert!(text.is_ascii(), "{text}");
        assert!(text.contains(":.x+:"), "{text}");
        assert!(text.contains("offline -> office"), "{text}");
    }

    #[test]
    fn what_came_from_outside_cannot_paint_the_screen() {
        let mut status = at_work();
        status.why = Some("\x1b[2Jgone\u{202e}".to_owned());
        status.targets[0].reason = "a\r\nb\x07".to_owned();
        status.policy = "\x1b]0;title\x07".to_owned();
        let text = shown(&status, 80, 24, &UNICODE).join("\n");
        let raw = text.chars().filter(|c| c.is_control() && *c != '\n');
        assert_eq!(raw.count(), 0, "{text:?}");
    }
}
