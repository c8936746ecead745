//! To be written.

use super::error::ServiceError;
use super::site::Site;
use super::step::Step;
use super::wish::{Logs, ServiceState, Wish};

pub(super) fn plan(_: Wish, _: &Site) -> Result<Vec<Step>, ServiceError> {
    Ok(Vec::new())
}

pub(super) fn state(_: &Site) -> Result<ServiceState, ServiceError> {
    Ok(ServiceState::default())
}

pub(super) fn logs(_: &Site, _: &Logs) -> Result<Step, ServiceError> {
    Err(ServiceError::NoManager {
        why: "this system has no service manager that goroam knows".to_owned(),
    })
}
