//! Values as text for a person. Pure: a value and a [`Page`] in, text with ANSI styles out;
//! printing takes the styles out where they are not wanted. A symbol and a word carry what
//! matters, a colour only repeats it. Text that came from the network or from a file never
//! reaches a terminal with its control characters.

pub(super) mod findings;
pub(super) mod glyphs;
mod init;
pub(super) mod live;
pub(super) mod page;
pub(super) mod progress;
pub(super) mod sparkline;
pub(super) mod status;
pub(super) mod style;
pub(super) mod text;

#[cfg(test)]
pub(super) mod fixtures;

pub(super) use findings::{Position, findings};
pub(super) use glyphs::{Glyphs, columns_of_painted, glyphs};
pub(super) use init::{good, here, policy, question, refusal, remark};
pub(super) use live::{Size, View, live};
pub(super) use page::Page;
pub(super) use progress::Progress;
pub(super) use status::{status, status_line};
pub(super) use text::clean;
