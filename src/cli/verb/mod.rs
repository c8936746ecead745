//! One file for each verb: its arguments, and its output.

pub(super) mod agent;
pub(super) mod chain;
pub(super) mod check;
pub(super) mod choose;
pub(super) mod completions;
pub(super) mod doctor;
pub(super) mod env;
pub(super) mod exec;
pub(super) mod explain;
pub(super) mod fleet;
pub(super) mod history;
pub(super) mod hook;
pub(super) mod init;
pub(super) mod man;
pub(super) mod metrics;
pub(super) mod mirror;
pub(super) mod probe;
pub(super) mod ready;
pub(super) mod relay;
pub(super) mod replay;
pub(super) mod service;
pub(super) mod status;
pub(super) mod take_turn;
pub(super) mod test;
pub(super) mod vendor;
pub(super) mod why;
