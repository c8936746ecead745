//! The status as one screen that fits, whatever the terminal's size: what matters less is left
//! out first, and it is said how much.

mod line;
mod parts;
mod screen;

pub(in crate::cli) use screen::{Size, View, live};

#[cfg(test)]
mod tests;
