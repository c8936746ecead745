//! Files that hold variables, each format with a pure reader: text in, settings out. Nothing
//! is carried out, and no text is too odd.

mod documents;
mod plain;
mod scripts;
mod setting;

pub(super) use documents::{environments, jetbrains, launch_agent, toml};
#[cfg(target_os = "linux")]
pub(super) use plain::environ;
pub(super) use plain::{assignments, fish_variables, pam, registry, shown, with_home};
pub(super) use scripts::{elisp, lua, nushell, powershell, vim};
pub(super) use setting::{Book, Setting};
