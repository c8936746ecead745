//! What launchd and its program are called.

/// What launchd calls the service.
pub(super) const LABEL: &str = "dev.goroam.agent";
/// Not looked for in PATH: it is the system's, and nothing else may answer in its place.
pub(super) const LAUNCHCTL: &str = "/bin/launchctl";
