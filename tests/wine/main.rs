//! The program for Windows, under Wine.
#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/probe_server.rs"]
mod probe_server;
#[path = "../support/screen.rs"]
mod screen;
#[path = "../support/wine.rs"]
mod wine;

mod agent;
mod exec;
mod modules;
mod offline;
mod service;
mod turn;
mod wine_helper;
