//! GOSUMDB's grammar, as `cmd/go/internal/modfetch/sumdb.go:dbDial` reads it, and verifier
//! keys, as `golang.org/x/mod/sumdb/note` writes them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A note verifier's key: `name+hash+base64(0x01 || public key)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    /// The signer's name: the database's host, perhaps with a path.
    pub name: String,
    /// The first four bytes of SHA-256(name, newline, 0x01, key): what a signature line begins with.
    pub hash: u32,
    /// The Ed25519 public key.
    pub key: [u8; 32],
}

/// A GOSUMDB value, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SumDb {
    /// `off`: nothing is checked.
    Off,
    /// A database.
    Database {
        /// Its key, given or built in.
        key: VerifierKey,
        /// Where it is asked instead of `https://NAME`; with it, go never asks a proxy.
        url: Option<String>,
        /// The value as written.
        text: String,
    },
}

/// The only key that is built into go (`modfetch/key.go`).
pub const SUM_GOLANG_ORG: &str =
    "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";

/// Why go would refuse the value (once it needs a hash that go.sum lacks).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SumDbError(pub String);

impl fmt::Display for SumDbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SumDbError {}

impl SumDb {
    /// Parses a value of GOSUMDB.
    ///
    /// # Errors
    /// With go's own words: `missing GOSUMDB`, `invalid GOSUMDB: …`.
    pub fn parse(value: &str) -> Result<SumDb, SumDbError> {
        if value == "off" {
            return Ok(SumDb::Off);
        }
        // sumdb.go: "sum.golang.google.cn" is an alias that carries its URL.
        let spelled = match value {
            "sum.golang.google.cn" => "sum.golang.org https://sum.golang.google.cn",
            other => other,
        };
        let fields: Vec<&str> = spelled.split_whitespace().collect();
        let (name, url) = match fields.as_slice() {
            [] => return Err(SumDbError("missing GOSUMDB".to_owned())),
            [name] => (*name, None),
            [name, url] => (*name, Some(*url)),
            _ => return Err(SumDbError("invalid GOSUMDB: too many fields".to_owned())),
        };
        let spelled_key = if name == "sum.golang.org" {
            SUM_GOLANG_ORG
        } else {
            name
        };
        let key = VerifierKey::parse(spelled_key)
            .map_err(|error| SumDbError(format!("invalid GOSUMDB: {error}")))?;
        check_name(&key.name)?;
        if let Some(url) = url
            && !["https://", "http://", "file://"]
                .iter()
                .any(|scheme| url.starts_with(scheme))
        {
            return Err(SumDbError(format!("invalid GOSUMDB URL: {url}")));
        }
        Ok(SumDb::Database {
            key,
            url: url.map(str::to_owned),
            text: value.to_owned(),
        })
    }

    /// The database's name, or `off`.
    pub fn name(&self) -> &str {
        match self {
            SumDb::Off => "off",
            SumDb::Database { key, .. } => &key.name,
        }
    }
}

/// `sumdb.go:dbDial`: the name must be a host, perhaps with a path, and no more.
fn check_name(name: &str) -> Result<(), SumDbError> {
    let bad = name.is_empty()
        || name.starts_with('/')
        || name.ends_with('/')
        || name.contains(['?', '#', '@', '%', '\\', ' ']);
    if bad {
        return Err(SumDbError(format!(
            "invalid sumdb name (must be host[/path]): {name}"
        )));
    }
    Ok(())
}

impl VerifierKey {
    /// Parses `name+hash+base64`. The hash is compared by whoever can compute SHA-256
    /// (`gosum::note`), not here.
    ///
    /// # Errors
    /// `malformed verifier id`, as `note.NewVerifier` says.
    pub fn parse(text: &str) -> Result<VerifierKey, SumDbError> {
        let malformed = || SumDbError("malformed verifier id".to_owned());
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(hash), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(malformed());
        };
        if name.is_empty() || hash.len() != 8 || name.contains(char::is_whitespace) {
            return Err(malformed());
        }
        let hash = u32::from_str_radix(hash, 16).map_err(|_| malformed())?;
        let bytes = STANDARD.decode(key).map_err(|_| malformed())?;
        match bytes.split_first() {
            Some((1, key)) => match key.try_into() {
                Ok(key) => Ok(VerifierKey {
                    name: name.to_owned(),
                    hash,
                    key,
                }),
                Err(_) => Err(malformed()),
            },
            Some(_) | None => Err(SumDbError("unknown verifier algorithm".to_owned())),
        }
    }
}
