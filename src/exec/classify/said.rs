//! What is known of a run when it has ended.

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// With this exit code.
    Code(i32),
    /// By this signal (Unix).
    Signal(i32),
}

/// A run, as far as it is judged.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// Its standard error, bounded; the front may be cut off.
    pub stderr: &'a str,
    /// The `Output` of `build-output` events of `go build -json` and `go test -json` (go 1.24 and
    /// later), and the `Error` of `go mod download -json`, one after another; else empty.
    pub build_output: &'a str,
    /// How it ended.
    pub exit: Exit,
    /// The elements of the GOPROXY in force, in order, `direct` and `off` among them, without
    /// what stands behind these.
    pub proxies: &'a [String],
    /// goroam ended it, and why: one line for a person.
    pub killed: Option<&'a str>,
}
