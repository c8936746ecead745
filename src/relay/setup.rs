//! The relay's setup from go's variables, and its token.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};

use super::epoch::RelaySetup;
use super::passed::PassedStore;
use super::rules::chain::{KnownProxies, RelayChain};
use super::rules::hop::HopLimits;
use crate::bounded;
use crate::gomod::sum::hex;
use crate::model::pattern::NOTHING;
use crate::model::{Chain, ChainError, Patterns, SumDb, go_url};

/// go's variables that the relay works with.
pub const VARIABLES: [&str; 5] = ["GOPROXY", "GOPRIVATE", "GONOPROXY", "GOSUMDB", "GONOSUMDB"];

/// How long one request may take: a zip of 500 MB over a slow line.
pub const DEADLINE: Duration = Duration::from_secs(600);

/// The token's length in bytes.
const TOKEN: usize = 16;

impl RelaySetup {
    /// Uses the values of `go env`. Without hashes of a project; `spool`: a directory on disk.
    ///
    /// # Errors
    /// When go would refuse GOPROXY.
    pub fn of_go_env<'v>(
        value: impl Fn(&str) -> &'v str,
        known: &KnownProxies,
        limits: HopLimits,
        spool: PathBuf,
    ) -> Result<RelaySetup, ChainError> {
        let chain = Chain::parse(value("GOPROXY"))?;
        // `GONOPROXY=none` is how private paths get to a private proxy.
        let private = match value("GONOPROXY") {
            "" | NOTHING => value("GOPRIVATE"),
            list => list,
        };
        Ok(RelaySetup {
            chain: RelayChain::new(&chain, known, Patterns::parse(private), limits),
            // go itself reports a GOSUMDB that it cannot read.
            sumdb: SumDb::parse(value("GOSUMDB")).ok(),
            no_sumdb: Patterns::parse(value("GONOSUMDB")),
            go_sum: Vec::new(),
            spool,
            deadline: DEADLINE,
            patience: Duration::ZERO,
            keep: None,
        })
    }

    /// Keeps what passes in the mirror in this directory, which then is the last hop.
    pub fn keep_in(&mut self, mirror: &Path, store: Arc<dyn PassedStore>) {
        let (url, limits) = (go_url::of_folder(mirror), self.chain.limits);
        self.chain.add_own(true, "the mirror", url, limits);
        self.keep = Some(store);
    }
}

/// A new random token.
///
/// # Errors
/// When the system has no random numbers.
pub fn new_token() -> io::Result<String> {
    let mut bytes = [0; TOKEN];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| io::Error::other("the system gives no random numbers"))?;
    Ok(hex(&bytes))
}

/// What a relay keeps over restarts, so that a GOPROXY that was read before still leads to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayIdentity {
    /// The random part of its URL.
    pub token: String,
    /// The port it had last.
    pub port: Option<u16>,
}

impl RelayIdentity {
    /// Reads it; `None` if there is none, it is damaged, or others could read it.
    pub fn read(file: &Path) -> Option<RelayIdentity> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(file).ok()?.permissions().mode();
            (mode & 0o077 == 0).then_some(())?;
        }
        let text = String::from_utf8(bounded::read(file, 1024).ok()?).ok()?;
        let mut words = text.split_whitespace();
        let token = words.next()?;
        let is_whole = token.len() == 2 * TOKEN && token.bytes().all(|b| b.is_ascii_hexdigit());
        is_whole.then(|| RelayIdentity {
            token: token.to_owned(),
            port: words.next().and_then(|port| port.parse().ok()),
        })
    }

    /// Reads it from this file, which only the user can read; a new one if there is none.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn kept(file: &Path) -> io::Result<RelayIdentity> {
        if let Some(kept) = RelayIdentity::read(file) {
            return Ok(kept);
        }
        let new = RelayIdentity {
            token: new_token()?,
            port: None,
        };
        new.keep(file)?;
        Ok(new)
    }

    /// Writes it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep(&self, file: &Path) -> io::Result<()> {
        let folder = file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        // tempfile makes it readable for this user only.
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        write!(new, "{}", self.token)?;
        if let Some(port) = self.port {
            write!(new, " {port}")?;
        }
        new.persist(file)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_kept_and_a_damaged_one_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state").join("relay-token");
        let mut first = RelayIdentity::kept(&file).unwrap();
        assert_eq!((first.token.len(), first.port), (32, None));
        first.port = Some(7777);
        first.keep(&file).unwrap();
        assert_eq!(RelayIdentity::kept(&file).unwrap(), first);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
            first = RelayIdentity::kept(&file).unwrap();
            assert_eq!(first.port, None, "others have seen the token");
        }
        fs::write(&file, "short").unwrap();
        let other = RelayIdentity::kept(&file).unwrap();
        assert_ne!(other.token, first.token);
        assert_eq!(RelayIdentity::kept(&file).unwrap(), other);
    }

    #[test]
    fn private_paths_are_those_of_gonoproxy_unless_it_is_none() {
        let private = |gonoproxy: &'static str| {
            let value = move |name: &str| match name {
                "GOPROXY" => "https://goproxy.corp.example",
                "GOPRIVATE" => "corp.example",
                "GONOPROXY" => gonoproxy,
                _ => "",
            };
            let known = KnownProxies::default();
            RelaySetup::of_go_env(value, &known, HopLimits::default(), PathBuf::new())
                .unwrap()
                .chain
        };
        assert!(private("none").is_private("corp.example/x"));
        assert!(private("").is_private("corp.example/x"));
        assert!(!private("other.example").is_private("corp.example/x"));
        assert!(private("other.example").is_private("other.example/y"));
    }
}
