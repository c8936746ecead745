//! A checksum database's key, and what it signs.
#![allow(dead_code, reason = "each test binary uses a part")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use goroam::gomod::sum;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

const NAME: &str = "sum.test";
const ROOT: &str = "nND/nri/U0xuHUrYSy0HtMeal2vzD9V4k/BO79C+QeI=";

/// Signs as a checksum database does.
pub(crate) struct Signer {
    pair: Ed25519KeyPair,
    /// The number that names the key.
    pub(crate) hash: u32,
}

impl Signer {
    pub(crate) fn new(seed: u8) -> Signer {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let public = pair.public_key().as_ref().try_into().unwrap();
        let hash = sum::key_hash(NAME, &public);
        Signer { pair, hash }
    }

    pub(crate) fn gosumdb(&self) -> String {
        let key = [&[1], self.pair.public_key().as_ref()].concat();
        format!("{NAME}+{:08x}+{}", self.hash, STANDARD.encode(key))
    }

    pub(crate) fn tree(&self, size: u64) -> String {
        let text = format!("go.sum database tree\n{size}\n{ROOT}\n");
        let signature = self.pair.sign(text.as_bytes());
        let bytes = [&self.hash.to_be_bytes(), signature.as_ref()].concat();
        format!("{text}\n\u{2014} {NAME} {}\n", STANDARD.encode(bytes))
    }

    pub(crate) fn record(&self, sum: &str) -> String {
        let lines =
            format!("golang.org/x/text v0.3.0 h1:x=\ngolang.org/x/text v0.3.0/go.mod {sum}");
        format!("7\n{lines}\n\n{}", self.tree(54))
    }
}
