//! The status as one screen that fits, whatever the terminal's size: what matters less is left
//! out first, and it is said how much.

mod line;
mod parts;
mod screen;
mod view;

pub(in crate::cli) use screen::live;
pub(in crate::cli) use view::{Size, View};

#[cfg(test)]
mod tests;
