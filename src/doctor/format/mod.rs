//! Readers for files that hold variables, one pure reader for each format: text in, settings out.
//! They execute nothing and accept any text.

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
