//! The wire between the command line (and trays) and the agent: one JSON line each way over
//! a socket that only this user can open.
//!
//! May import: model, agent.
