//! Between the agent and what is drawn: follows the agent's status, makes faces and news of it,
//! and turns clicks into commands. The same on every system.

use super::face::{Action, Face, News};

/// What a backend can do. Called on the control's thread; a backend whose window lives on
/// another thread hands it over there. No call blocks.
pub trait Shown {
    /// Draws this in the place of what was drawn before.
    fn show(&mut self, face: &Face);
    /// Tells the user.
    fn notify(&mut self, news: &News);
    /// Shows a text that is too long for a menu.
    fn tell(&mut self, title: &str, text: &str);
    /// Opens a file with whatever the user opens such files with.
    fn open(&mut self, path: &std::path::Path);
    /// Starts at login from now on, or not any more; what is so afterwards.
    fn start_at_login(&mut self, wanted: bool) -> Option<bool>;
    /// Is started at login? `None`: this backend cannot say.
    fn starts_at_login(&self) -> Option<bool>;
    /// Takes the icon away; the control ends.
    fn end(&mut self);
}

/// What a backend tells the control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The user has chosen something.
    Chosen(Action),
    /// The menu is about to be opened: "since" and "ago" are to be fresh.
    Opening,
}
