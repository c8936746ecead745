//! The policies that goroam carries with it; `goroam init` writes them out.

/// A policy to start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// In force when there is no policy file.
    Default,
    /// An intranet with a proxy of its own.
    Corporate,
    /// As the first switchers of GOPROXY did it.
    Classic,
}

impl Template {
    /// Its text, ready to be a `goroam.toml`.
    pub fn text(self) -> &'static str {
        "version = 1\n"
    }
}
