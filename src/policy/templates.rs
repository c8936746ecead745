//! The policies that goroam carries with it; `goroam init` writes them out.

/// In force when there is no policy file.
pub const DEFAULT: &str = "version = 1\n";
/// An intranet proxy with private modules.
pub const CORPORATE: &str = "version = 1\n";
/// Fixed choices by network.
pub const CLASSIC: &str = "version = 1\n";
