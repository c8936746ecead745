//! To be written.

use super::error::ServiceError;
use super::site::Site;
use super::step::ServiceStep;
use super::step::{Logs, ServiceRequest, ServiceState};

pub(super) fn plan(_: ServiceRequest, _: &Site) -> Result<Vec<ServiceStep>, ServiceError> {
    Ok(Vec::new())
}

pub(super) fn state(_: &Site) -> Result<ServiceState, ServiceError> {
    Ok(ServiceState::default())
}

pub(super) fn logs(_: &Site, _: &Logs) -> Result<ServiceStep, ServiceError> {
    Err(ServiceError::NoManager {
        why: "this system has no service manager that goroam knows".to_owned(),
    })
}
