//! A system without a service manager that goroam supports.

use super::site::Site;
use super::step::{Logs, ServiceError, ServiceRequest, ServiceState, ServiceStep};

fn none<T>() -> Result<T, ServiceError> {
    let why = "this system has no service manager that goroam knows";
    Err(ServiceError::Failed(why.to_owned()))
}

/// Fails: this system has no steps.
pub fn plan(_: ServiceRequest, _: &Site) -> Result<Vec<ServiceStep>, ServiceError> {
    none()
}

/// Fails: this system has no state.
pub fn state(_: &Site) -> Result<ServiceState, ServiceError> {
    none()
}

/// Fails: this system has no log.
pub fn logs(_: &Site, _: &Logs) -> Result<ServiceStep, ServiceError> {
    none()
}
