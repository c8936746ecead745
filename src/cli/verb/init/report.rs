//! What `init` has done, for scripts.

use serde::Serialize;

use super::company::Met;
use crate::model::Observation;

/// What has been decided and done. Fields are added, never renamed.
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    /// The policy file.
    pub(super) policy: String,
    /// Was it written now? False: it was there already.
    pub(super) written: bool,
    /// `default`, `corporate`, `classic`, `company`; null: nothing was written.
    pub(super) template: Option<&'static str>,
    /// The company's proxy.
    pub(super) proxy: Option<Proxy<'a>>,
    /// What was done to start at login; null: that was not wanted.
    pub(super) service: Option<Vec<String>>,
    /// What a person would have been told.
    pub(super) remarks: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Proxy<'a> {
    url: &'a str,
    ca: Option<&'a str>,
    pinned: bool,
    private: &'a str,
    private_guessed: bool,
    observation: &'a Observation,
}

impl Proxy<'_> {
    pub(super) fn of(met: &Met) -> Proxy<'_> {
        Proxy {
            url: &met.company.url,
            ca: met.company.ca.as_deref(),
            pinned: met.company.pin.is_some(),
            private: &met.company.private,
            private_guessed: met.guessed,
            observation: &met.observation,
        }
    }
}
