//! What kept a server from serving a file.

/// The cause of a failed request, as far as a program must tell it from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The name could not be looked up.
    Dns,
    /// There is no route to the server.
    Unreachable,
    /// No program listens at that address.
    Refused,
    /// No connection in time.
    Timeout,
    /// A connection, but no answer in time, or only a part of one.
    Stalled,
    /// The connection was reset, or closed too early.
    Reset,
    /// The server cannot be trusted, or speaks no TLS.
    Tls,
    /// A login page answers instead of the server.
    Portal,
    /// What came is incomplete or is something else.
    Corrupt,
    /// go's settings cannot work.
    Config,
    /// The answer's HTTP status.
    Status(u16),
}
