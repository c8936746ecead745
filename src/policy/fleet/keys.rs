//! minisign's public keys and signatures: <https://jedisct1.github.io/minisign/#signature-format>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minisign_verify::{PublicKey, Signature};

/// A public key of `[fleet] keys`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetKey {
    /// Its number, as minisign writes it: hexadecimal, without zeros in front.
    pub id: String,
    key: PublicKey,
}

impl FleetKey {
    /// Reads the second line of a `.pub` file. `None`: it is not a key.
    pub fn parse(text: &str) -> Option<FleetKey> {
        let key = PublicKey::from_base64(text).ok()?;
        let id = number(&STANDARD.decode(text).ok()?)?;
        Some(FleetKey { id, key })
    }

    /// Reports whether this key has signed these bytes. A signature of the old form, over the bytes
    /// and not over their hash, does not count.
    pub(super) fn has_signed(&self, body: &[u8], signature: &Signature) -> bool {
        self.key.verify(body, signature, false).is_ok()
    }
}

/// A number with fewer digits has lost some: one key in a million begins with so many zeros.
const FEWEST_DIGITS: usize = 12;

/// Returns the number of a key that is written as a number or as a whole key.
pub fn key_id(text: &str) -> Option<String> {
    if text.len() >= FEWEST_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(format!("{:X}", u64::from_str_radix(text, 16).ok()?));
    }
    FleetKey::parse(text).map(|key| key.id)
}

/// Returns the number of the key that made a signature. It proves nothing yet.
pub fn signer(signature: &str) -> Option<String> {
    let line = signature.lines().nth(1)?;
    number(&STANDARD.decode(line).ok()?)
}

/// Reads a signature.
pub(super) fn decode(text: &str) -> Option<Signature> {
    Signature::decode(text).ok()
}

/// Two bytes name the algorithm, eight the key; minisign prints these as a little-endian number.
fn number(bytes: &[u8]) -> Option<String> {
    let id = bytes.get(2..10)?.try_into().ok()?;
    Some(format!("{:X}", u64::from_le_bytes(id)))
}

#[cfg(test)]
mod tests {
    use super::{FleetKey, key_id};

    #[test]
    fn a_key_has_the_number_that_minisign_prints() {
        // The key of minisign's own page.
        let text = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
        assert_eq!(FleetKey::parse(text).unwrap().id, "E7620F1842B4E81F");
        assert_eq!(key_id(text), key_id("e7620f1842b4e81f"));
        assert_eq!(key_id("0D2D3F4452F33A8B"), key_id("D2D3F4452F33A8B"));
        for wrong in [
            "",
            "RWQ",
            "E7620F1842B",
            "E7620F1842B4E81G",
            "E7620F1842B4E81F0",
            &text[1..],
        ] {
            assert_eq!(key_id(wrong), None, "{wrong}");
        }
    }
}
