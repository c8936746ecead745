//! The grammar of GOSUMDB, as `cmd/go/internal/modfetch/sumdb.go:dbDial` reads it, and verifier
//! keys, as `golang.org/x/mod/sumdb/note` writes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::chain::parse_proxy_url;
use super::mask::mask;

/// A note verifier's key: `name+hash+base64(0x01 || public key)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    /// The signer's name: the database's host, perhaps with a path.
    pub name: String,
    /// The first four bytes of SHA-256(name, newline, 0x01, key). A signature line begins with
    /// them.
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
        /// The URL used instead of `https://NAME`; if it is set, go never uses a proxy for the
        /// database.
        url: Option<String>,
        /// The value as written.
        text: String,
    },
}

/// The only key that is built into go (`modfetch/key.go`).
pub const SUM_GOLANG_ORG: &str =
    "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";

/// Why go refuses the value (when it needs a hash that go.sum lacks).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SumDbError(pub String);

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
        if let Some(url) = url {
            check_url(url)?;
        }
        Ok(SumDb::Database {
            key,
            url: url.map(str::to_owned),
            text: value.to_owned(),
        })
    }

    /// Returns the name of the database, or `off`.
    pub fn name(&self) -> &str {
        match self {
            SumDb::Off => "off",
            SumDb::Database { key, .. } => &key.name,
        }
    }
}

/// `sumdb.go:dbDial`: the name must be a host with an optional path, and nothing else.
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

/// Checks the URL. Go parses it when it dials, and supports http, https and file only.
fn check_url(url: &str) -> Result<(), SumDbError> {
    if !url.contains("://") {
        return Err(SumDbError(format!("invalid GOSUMDB URL: {}", mask(url))));
    }
    let invalid = |why| SumDbError(format!("invalid GOSUMDB URL: {why}"));
    parse_proxy_url(url).map(|_| ()).map_err(invalid)
}

impl VerifierKey {
    /// Parses `name+hash+base64`. The hash is not compared here, but where SHA-256 is available
    /// (`gomod::sum::note`).
    ///
    /// # Errors
    /// `malformed verifier id`, as `note.NewVerifier` says.
    pub fn parse(text: &str) -> Result<VerifierKey, SumDbError> {
        let malformed = || SumDbError("malformed verifier id".to_owned());
        let parts: Vec<&str> = text.splitn(3, '+').collect();
        let &[name, hash, key] = parts.as_slice() else {
            return Err(malformed());
        };
        let eight_digits = hash.len() == 8 && hash.bytes().all(|b| b.is_ascii_hexdigit());
        if name.is_empty() || !eight_digits || name.contains(char::is_whitespace) {
            return Err(malformed());
        }
        let hash = u32::from_str_radix(hash, 16).map_err(|_| malformed())?;
        let bytes = STANDARD.decode(key).map_err(|_| malformed())?;
        match bytes.as_slice() {
            [1, key @ ..] => Ok(VerifierKey {
                name: name.to_owned(),
                hash,
                key: key.try_into().map_err(|_| malformed())?,
            }),
            [_, ..] => Err(SumDbError("unknown verifier algorithm".to_owned())),
            [] => Err(malformed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOREIGN: &str = "sum.corp.example+2d3f0e6a+ARz0ho9Fqzq6xOqcHyK6cZ7mwIYGxJYwiH0hD0oHhV5d";

    #[test]
    fn the_built_in_name_and_its_alias_are_known() {
        let db = SumDb::parse("sum.golang.org").unwrap();
        let SumDb::Database { key, url, .. } = &db else {
            panic!("off");
        };
        assert_eq!((key.hash, url), (0x033d_e0ae, &None));
        let SumDb::Database { key, url, .. } = SumDb::parse("sum.golang.google.cn").unwrap() else {
            panic!("off");
        };
        assert_eq!(key.name, "sum.golang.org");
        assert_eq!(url.as_deref(), Some("https://sum.golang.google.cn"));
    }

    #[test]
    fn a_key_and_a_url_are_taken() {
        let db = SumDb::parse(&format!("  {FOREIGN}\thttps://sum.corp.example/db ")).unwrap();
        assert_eq!(db.name(), "sum.corp.example");
        assert_eq!(SumDb::parse("off"), Ok(SumDb::Off));
    }

    #[test]
    fn what_go_refuses_is_refused_in_its_words() {
        for (value, message) in [
            ("", "missing GOSUMDB"),
            ("  ", "missing GOSUMDB"),
            ("OFF", "invalid GOSUMDB: malformed verifier id"),
            ("off ", "invalid GOSUMDB: malformed verifier id"),
            ("sum.example.com", "invalid GOSUMDB: malformed verifier id"),
            ("sum.golang.org a b", "invalid GOSUMDB: too many fields"),
            ("x+0123456+AQ==", "invalid GOSUMDB: malformed verifier id"),
            ("x+01234567+", "invalid GOSUMDB: malformed verifier id"),
            (
                "x+01234567+Ag==",
                "invalid GOSUMDB: unknown verifier algorithm",
            ),
            ("x+01234567+AQ==", "invalid GOSUMDB: malformed verifier id"),
        ] {
            assert_eq!(
                SumDb::parse(value),
                Err(SumDbError(message.to_owned())),
                "{value:?}"
            );
        }
        let spelled = FOREIGN.replace("sum.corp.example", "u@sum.corp.example");
        assert!(SumDb::parse(&spelled).is_err());
        let error = SumDb::parse("sum.golang.org ftp://u:s3cret@h").unwrap_err();
        assert!(!error.0.contains("s3cret"), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn no_value_makes_it_panic(value in "\\PC{0,80}") {
            let _ = SumDb::parse(&value);
        }
    }
}
