//! What any watcher may say.

/// Something may have changed. Which is all that is trusted of it: look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hint {
    /// Links, addresses, routes, rules.
    Network,
    /// The resolver's configuration.
    Resolver,
    /// Messages were lost: everything may have changed.
    Lost,
    /// The policy file.
    PolicyFile,
    /// The go env file.
    EnvFile,
    /// The agent's own program file.
    Program,
    /// The machine has slept, or its clock was set; [`super::WakeClock`] tells which.
    Wake,
}
