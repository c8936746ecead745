//! A turn that came to nothing.

use super::cause::Cause;
use super::error::Error;
use crate::model::{Change, Snapshot};

/// A turn that came to nothing.
#[derive(Debug)]
pub(crate) struct Failed<'a> {
    pub(crate) cause: Cause,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) changes: &'a [Change],
    pub(crate) error: &'a Error,
}
