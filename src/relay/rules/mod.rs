//! The relay's rules, without sockets, files and clocks: time is passed in.

pub mod breaker;
pub mod chain;
pub mod course;
pub mod health;
pub mod hop;
pub mod reply;
pub mod request;
