//! Values as text for a person. Pure: a value and a [`Page`] in, text with ANSI styles out;
//! printing takes the styles out where they are not wanted. A symbol and a word carry what
//! matters, a colour only repeats it. Text that came from the network or from a file never
//! reaches a terminal with its control characters.

mod doctor;
mod doctor_cache;
mod exec;
mod findings;
mod glyphs;
mod history;
mod init;
mod live;
mod mirror;
mod mirror_archive;
mod mirror_list;
mod mirror_verify;
mod page;
mod probe;
mod progress;
mod ready;
mod service;
mod sparkline;
mod status;
mod style;
mod text;
mod turn;
mod vendor;
mod why;

#[cfg(test)]
mod fixtures;

pub(super) use doctor::{Diagnosis, doctor};
pub(super) use doctor_cache::doctor_cache;
pub(super) use exec::{exec_news, exec_summary};
pub(super) use findings::{Position, findings};
pub(super) use glyphs::{Glyphs, columns_of_painted, glyphs};
pub(super) use history::history;
pub(super) use init::{good, here, policy, question, refusal, remark};
pub(super) use live::{Size, View, live};
pub(super) use mirror::mirror_added;
pub(super) use mirror_archive::{mirror_exported, mirror_imported};
pub(super) use mirror_list::{mirror_list, mirror_pinned, mirror_pruned};
pub(super) use mirror_verify::mirror_verify;
pub(super) use page::Page;
pub(super) use probe::probe;
pub(super) use progress::Progress;
pub(super) use ready::ready;
pub(super) use service::{ServiceView, service, service_step};
pub(super) use status::{status, status_line};
pub(super) use text::clean;
pub(super) use turn::turn;
pub(super) use vendor::{
    vendor_check, vendor_list, vendor_recovered, vendor_rollback, vendor_snapshot,
};
pub(super) use why::why;
