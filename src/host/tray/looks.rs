//! How a status looks.

use super::condition::icon;
use super::face::{Face, Surroundings};
use super::menu::menu;
use super::tooltip::tooltip;
use crate::model::status::Status;

/// What to show; `status` is `None` while no agent answers.
pub fn face(status: Option<&Status>, around: &Surroundings) -> Face {
    Face {
        icon: icon(status),
        tooltip: tooltip(status, &around.now),
        menu: menu(status, around),
    }
}
