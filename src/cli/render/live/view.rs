//! What the screen shows, and how much of each part.

use crate::cli::render::glyphs::Glyphs;
use crate::cli::render::page::Page;
use crate::model::status::Status;

/// The rows and columns of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct Size {
    /// Characters of a line.
    pub columns: usize,
    /// Lines.
    pub rows: usize,
}

/// What is to be seen.
#[derive(Debug)]
pub(in crate::cli) struct View<'a> {
    /// What was true when the agent last told.
    pub status: &'a Status,
    /// The agent is gone: what to say of that.
    pub away: Option<&'a str>,
    /// The terminal.
    pub size: Size,
    /// The time and where the reader is.
    pub page: &'a Page,
    /// What the terminal can show.
    pub glyphs: &'a Glyphs,
}

/// How much of each part is shown, in lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    /// Empty lines between the parts, if there are any.
    pub(super) gaps: bool,
    /// The last line.
    pub(super) footer: bool,
    pub(super) network: usize,
    pub(super) why: usize,
    pub(super) variables: usize,
    /// What the bars of the targets mean.
    pub(super) scale: usize,
    pub(super) targets: usize,
    pub(super) switches: usize,
    /// Notes over as many lines as they need, not one each.
    pub(super) whole_notes: bool,
    pub(super) notes: usize,
}

/// What may be left out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cut {
    Gaps,
    Footer,
    Network(usize),
    Why(usize),
    Variables(usize),
    Scale,
    Targets(usize),
    Switches(usize),
    WholeNotes,
    Notes(usize),
}

/// What is left out first, and down to how many lines.
pub(super) const ORDER: [Cut; 20] = [
    Cut::Network(1),
    Cut::Why(1),
    Cut::Switches(3),
    Cut::Gaps,
    Cut::Switches(1),
    Cut::WholeNotes,
    Cut::Targets(6),
    Cut::Variables(4),
    Cut::Switches(0),
    Cut::Footer,
    Cut::Why(0),
    Cut::Targets(3),
    Cut::Variables(2),
    Cut::Notes(2),
    Cut::Scale,
    Cut::Network(0),
    Cut::Variables(1),
    Cut::Notes(1),
    Cut::Targets(1),
    Cut::Variables(0),
];

impl Budget {
    /// One line less, if there is one to spare.
    pub(super) fn cut_one(&mut self, cut: Cut) -> bool {
        match cut {
            Cut::Gaps => std::mem::take(&mut self.gaps),
            Cut::Footer => std::mem::take(&mut self.footer),
            Cut::WholeNotes => std::mem::take(&mut self.whole_notes),
            Cut::Network(floor) => take_down(&mut self.network, floor),
            Cut::Why(floor) => take_down(&mut self.why, floor),
            Cut::Scale => take_down(&mut self.scale, 0),
            Cut::Variables(floor) => take_down(&mut self.variables, floor),
            Cut::Targets(floor) => take_down(&mut self.targets, floor),
            Cut::Switches(floor) => take_down(&mut self.switches, floor),
            Cut::Notes(floor) => take_down(&mut self.notes, floor),
        }
    }
}

fn take_down(lines: &mut usize, floor: usize) -> bool {
    let can = *lines > floor;
    if can {
        *lines -= 1;
    }
    can
}
