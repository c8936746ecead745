//! Which folder is the mirror.

use std::path::PathBuf;

use crate::environment::Environment;
use crate::paths::Paths;

/// Who may name it, the strongest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// `--mirror DIR`.
    pub flag: Option<PathBuf>,
    /// `[mirror] path` of the policy.
    pub policy: Option<PathBuf>,
}

/// `--mirror`, else `$GOROAM_MIRROR`, else the policy's, else goroam's own data folder.
/// Absolute, since it becomes a `file://` URL. It need not exist.
pub fn place(asked: Asked, env: &Environment, paths: &Paths) -> PathBuf {
    paths.mirror_at(asked.flag, asked.policy, env)
}
