//! Meeting a server for the first time: what it says, and by which key it will be known.

use std::sync::Arc;

use url::Url;

use super::noted::{Key, Noted};
use super::round::Prober;
use crate::environment::Environment;
use crate::model::{Host, Observation, Pin, Target};

/// What a first probe found out.
#[derive(Debug, Clone, PartialEq)]
pub struct Introduction {
    /// What any probe would say.
    pub observation: Observation,
    /// The server's key. Its certificate is right: the handshake was carried through, which
    /// nobody can who does not have the key.
    pub key: Option<Pin>,
    /// Its certificate is signed by nobody who is trusted; a `ca` would help, if it is right.
    pub untrusted: bool,
    /// It is a proxy, but does not have the module that it was asked for.
    pub lacks_module: bool,
}

/// Asks a target as a round does, and looks at its server's key meanwhile.
pub async fn introduce(env: &Environment, target: &Target) -> Introduction {
    let noted = Arc::new(Noted::default());
    let prober = Prober::noting(env, Arc::clone(&noted));
    let observation = prober.probe(target).await;
    let url = target.goproxy_url().and_then(|url| Url::parse(url).ok());
    let key = url.and_then(|url| noted.of(&Host::of(&url)?));
    // The certificate alone proves nothing: everybody may show it. That its key is there is
    // proven by the end of the handshake, and so by any answer over that connection.
    let answered = observation.phases.first_byte.is_some();
    Introduction {
        // 404 and 410 from whoever has been proven to be it: `goproxy::expect_ok`.
        lacks_module: observation.definite && observation.reason.starts_with("has no "),
        observation,
        untrusted: key == Some(Key::Untrusted),
        key: match key {
            Some(Key::Verified(pin)) if answered => Some(pin),
            Some(_) | None => None,
        },
    }
}
