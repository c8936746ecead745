//! What launchd and its program are called.

/// What launchd calls the service.
pub(super) const LABEL: &str = "dev.goroam.agent";
/// Not looked for in PATH: it is the system's, and nothing else may answer in its place.
pub(super) const LAUNCHCTL: &str = "/bin/launchctl";

/// Whose services launchd keeps together, and with that the session that they run in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Session {
    /// `gui/UID`: there while the user is logged in at the screen.
    Aqua,
    /// `user/UID`: there after any login, by ssh too.
    Background,
}

impl Session {
    pub(super) const ALL: [Session; 2] = [Session::Aqua, Session::Background];

    /// As `LimitLoadToSessionType` has it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Session::Aqua => "Aqua",
            Session::Background => "Background",
        }
    }

    /// launchctl's domain target.
    pub(super) fn domain(self, uid: u32) -> String {
        match self {
            Session::Aqua => format!("gui/{uid}"),
            Session::Background => format!("user/{uid}"),
        }
    }

    /// launchctl's service target.
    pub(super) fn target(self, uid: u32) -> String {
        format!("{}/{LABEL}", self.domain(uid))
    }
}
