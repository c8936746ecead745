//! Asking the network what it really is: each probe sees what the go command would see, and
//! judges content, not status.
//!
//!     Target → dns → connect → tls → first byte → body → judgement → Observation
//!
//! May import: model, environment, gosum. The other wings (policy, watch) are unknown here.

pub mod round;

pub use round::Prober;
