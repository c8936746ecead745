//! What handshakes showed of the servers' keys, for whoever wants to pin one.

use std::sync::{Mutex, PoisonError};

use rustls::pki_types::ServerName;

use crate::model::{Host, Pin};

/// What a server's certificate was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    /// Right, with this key.
    Verified(Pin),
    /// Signed by nobody who is trusted.
    Untrusted,
}

/// By host, in the order of the handshakes.
#[derive(Debug, Default)]
pub(super) struct Noted(Mutex<Vec<(Option<Host>, Key)>>);

impl Noted {
    /// The first word on a host: a redirect may lead to another server of the same name.
    pub(super) fn of(&self, host: &Host) -> Option<Key> {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, key) = noted.iter().find(|(name, _)| name.as_ref() == Some(host))?;
        Some(key.clone())
    }

    pub(super) fn note(&self, host: &ServerName<'_>, key: Key) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.push((Host::parse(&host.to_str()), key));
    }
}
