//! One element of GOPROXY.

/// What stands behind a hop: when does go move on to the next one?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    /// `,`: after 404 and 410 only.
    Comma,
    /// `|`: after any error.
    Pipe,
}

/// Where one hop leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HopKind {
    /// An http or https proxy: its URL as written, `https://` put before it where go does.
    Proxy(String),
    /// A local tree: the URL as written.
    File(String),
    /// Version control.
    Direct,
    /// Nothing more is tried.
    Off,
}

/// One element of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// Where it leads.
    pub kind: HopKind,
    /// What follows it; `None` at the end of the list.
    pub then: Option<Separator>,
    /// Byte offset and length within the value, for messages.
    pub at: (usize, usize),
}
