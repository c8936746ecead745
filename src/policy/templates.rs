//! The policies that goroam carries with it; `goroam init` writes them out.

/// stub
#[derive(Debug, Clone, Copy)]
pub enum Template {
    /// stub
    Default,
    /// stub
    Corporate,
    /// stub
    Classic,
}

impl Template {
    /// stub
    pub fn text(self) -> &'static str {
        "version = 1\n"
    }
}
