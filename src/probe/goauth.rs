//! Credentials as the go command finds them: GOAUTH (go 1.24 and later), else netrc.
//! `cmd/go/internal/auth/auth.go`.
//!
//! Each command runs once before the first request over https, and again with the URL after a
//! 4xx. What it said is kept for a minute over all rounds, so that a network that comes and goes
//! does not start it each time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use hyper::header::HeaderMap;
use tokio::sync::OnceCell;
use url::Url;

use super::failure::{ProbeFailure, authority};
use super::goauth_command::{self, CredentialCommand, HandedHeaders, Headers};
use super::netrc::Netrc;
use crate::environment::Environment;
use crate::model::{GoRelease, Phase};

/// How long what a command said counts.
const KEPT: Duration = Duration::from_secs(60);
/// What is kept of the last commands, over all rounds.
const MOST_KEPT: usize = 32;
/// URLs of one round with which the commands run again.
const MOST_URLS: usize = 8;

/// What the go command that is used has to say of how it asks.
#[derive(Debug, Clone, Default)]
pub struct GoClient {
    /// Its release.
    pub release: GoRelease,
    /// GOAUTH of the go env file (or of GOROOT/go.env), which the environment wins over.
    pub goauth: Option<String>,
}

/// All credentials of one round. Debug shows how many methods there are, and no more.
pub(super) struct Credentials {
    release: GoRelease,
    env: Environment,
    methods: Result<Vec<Method>, &'static str>,
    netrc: Netrc,
    begun: OnceCell<()>,
    store: Mutex<BTreeMap<String, Headers>>,
    urls: Mutex<BTreeSet<String>>,
}

#[derive(Clone, PartialEq, Eq)]
enum Method {
    Netrc,
    /// `git credential fill` in this folder.
    Git(PathBuf),
    /// Its words; empty where they cannot be taken apart.
    Command(Vec<String>),
}

/// What a command said, and when.
struct Kept {
    key: Key,
    at: Instant,
    handed: Option<HandedHeaders>,
}

#[derive(Clone, PartialEq)]
struct Key {
    method: Method,
    url: Option<String>,
    env: Environment,
}

static KEPT_LAST: Mutex<Vec<Kept>> = Mutex::new(Vec::new());

impl Credentials {
    /// Reads GOAUTH and netrc. Runs nothing yet.
    pub(super) fn read(env: &Environment, manner: &GoClient) -> Credentials {
        let release = manner.release;
        let goauth = env.get("GOAUTH").or(manner.goauth.as_deref());
        let goauth = goauth.filter(|value| release.has_goauth() && !value.is_empty());
        let goauth = goauth.unwrap_or("netrc");
        let methods = methods(goauth);
        let reads_netrc = matches!(&methods, Ok(methods) if methods.contains(&Method::Netrc));
        let vars = env.iter().filter(|(name, _)| *name != "GOAUTH");
        Credentials {
            release,
            env: vars.chain([("GOAUTH", goauth)]).collect(),
            methods,
            netrc: Netrc::read(env, reads_netrc),
            begun: OnceCell::new(),
            store: Mutex::default(),
            urls: Mutex::default(),
        }
    }

    /// Runs the commands once; later calls return at once.
    ///
    /// # Errors
    /// Where each go command ends at this GOAUTH.
    pub(super) async fn begin(&self) -> Result<(), ProbeFailure> {
        if let Err(why) = &self.methods {
            let reason = format!("go ends at once: GOAUTH {why}");
            return Err(ProbeFailure::refusal(Phase::Connect, reason));
        }
        self.begun.get_or_init(|| self.run(None, "")).await;
        Ok(())
    }

    /// The headers that go adds to a request for this URL.
    pub(super) fn for_url(&self, url: &Url) -> Option<Headers> {
        let store = self.store();
        let place = format!("{}{}", authority(url), url.path());
        let mut prefix = match (
            self.release.has_goauth(),
            self.release.walks_up_for_credentials(),
        ) {
            // auth.go of 1.23: the host alone.
            (false, _) => place.split('/').next().unwrap_or_default(),
            (true, true) => place.strip_suffix('/').unwrap_or(&place),
            (true, false) => place.as_str(),
        };
        loop {
            if let Some(headers) = store.get(prefix) {
                return Some(headers.clone());
            }
            prefix = if self.release.walks_up_for_credentials() {
                prefix.rsplit_once('/')?.0
            } else {
                prefix.split_once('/')?.0
            };
        }
    }

    /// After a 4xx: runs the commands again, with the URL. Is there a reason to ask once more?
    pub(super) async fn ask_for(&self, url: &Url, status: StatusCode, head: &HeaderMap) -> bool {
        let methods = self.methods.as_deref().unwrap_or_default();
        if !methods.iter().any(|method| *method != Method::Netrc) {
            return false;
        }
        let before = self.for_url(url);
        let text = url.as_str();
        {
            let mut urls = self.urls.lock().unwrap_or_else(PoisonError::into_inner);
            if urls.len() >= MOST_URLS || !urls.insert(text.to_owned()) {
                return false;
            }
        }
        let mut input = format!("HTTP/1.1 {status}\n");
        for name in head.keys() {
            let values = head.get_all(name).iter();
            let values: Vec<String> = values
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                .collect();
            input.push_str(&format!(
                "{}: {}\n",
                canonical(name.as_str()),
                values.join(", ")
            ));
        }
        input.push('\n');
        self.run(Some(text), &input).await;
        self.for_url(url) != before
    }

    /// What a user can do about missing credentials for `host[:port]`.
    pub(super) fn advice(&self, host: &str) -> String {
        match &self.methods {
            Ok(methods) if methods.is_empty() => "GOAUTH is off".to_owned(),
            Ok(methods) if !methods.contains(&Method::Netrc) => {
                format!("no command of GOAUTH has any for {host}")
            }
            Ok(_) | Err(_) => self.netrc.advice(host),
        }
    }

    /// `runGoAuth`: from the last method to the first, so that the first wins.
    async fn run(&self, url: Option<&str>, input: &str) {
        let methods = self.methods.as_deref().unwrap_or_default();
        for method in methods.iter().rev() {
            match method {
                Method::Netrc => {
                    for (machine, headers) in self.netrc.headers() {
                        self.keep(machine, headers);
                    }
                }
                // git cannot say what it has, only whether it has it.
                Method::Git(_) if url.is_none() => {}
                Method::Git(_) | Method::Command(_) => {
                    let key = Key {
                        method: method.clone(),
                        url: url.map(str::to_owned),
                        env: self.env.clone(),
                    };
                    let handed = self.handed(key, input).await;
                    for (prefix, headers) in handed.into_iter().flatten() {
                        self.keep(&prefix, headers);
                    }
                }
            }
        }
    }

    /// `storeCredential`.
    fn keep(&self, prefix: &str, headers: Headers) {
        let mut prefix = prefix.strip_prefix("https://").unwrap_or(prefix);
        if self.release.walks_up_for_credentials() {
            prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        }
        if headers.0.is_empty() {
            self.store().remove(prefix)
        } else {
            self.store().insert(prefix.to_owned(), headers)
        };
    }

    fn store(&self) -> MutexGuard<'_, BTreeMap<String, Headers>> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a command says, or said within the last minute. `None`: nothing that counts.
    async fn handed(&self, key: Key, input: &str) -> Option<HandedHeaders> {
        if let Some(known) = known(&key) {
            return known;
        }
        let handed = self.fresh(&key, input).await;
        let mut kept = KEPT_LAST.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|one| one.key != key && one.at.elapsed() < KEPT);
        if kept.len() >= MOST_KEPT {
            kept.remove(0);
        }
        kept.push(Kept {
            key,
            at: Instant::now(),
            handed: handed.clone(),
        });
        handed
    }

    async fn fresh(&self, key: &Key, input: &str) -> Option<HandedHeaders> {
        let (mut words, folder): (Vec<String>, Option<&Path>) = match &key.method {
            Method::Netrc => return None,
            Method::Git(folder) => {
                let words = ["git", "credential", "fill"].map(str::to_owned);
                (words.into(), Some(folder))
            }
            Method::Command(words) => (words.clone(), None),
        };
        let asked = folder.and(key.url.as_deref());
        let input = match asked {
            Some(url) => format!("url={url}\n"),
            None => input.to_owned(),
        };
        if folder.is_none() && !words.is_empty() {
            words.extend(key.url.clone());
        }
        let errand = CredentialCommand {
            words: &words,
            folder,
            input: &input,
            combined: folder.is_some(),
        };
        // What it says of its failure is not shown: it may hold credentials.
        let output = goauth_command::run(&self.env, errand).await;
        if let Err(error) = &output {
            tracing::debug!(kind = %error.kind(), "a command of GOAUTH gives no credentials");
        }
        let output = String::from_utf8(output.ok()?).ok()?;
        match asked {
            Some(url) => goauth_command::parse_git(&output, url, self.release)
                .map(|one| HandedHeaders::from([one])),
            None => goauth_command::parse(&output, self.release),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods = self.methods.as_ref().map(Vec::len);
        f.debug_struct("Credentials")
            .field("methods", &methods)
            .field("netrc", &self.netrc)
            .finish_non_exhaustive()
    }
}

fn known(key: &Key) -> Option<Option<HandedHeaders>> {
    let kept = KEPT_LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let one = kept.iter().find(|one| one.key == *key)?;
    (one.at.elapsed() < KEPT).then(|| one.handed.clone())
}

/// Why every go command that asks over https ends at this GOAUTH (go 1.24 and later).
pub fn trouble(goauth: &str) -> Option<&'static str> {
    methods(goauth).err()
}

/// The methods of GOAUTH, the first first; none where it is `off`. An error: go ends at it.
fn methods(goauth: &str) -> Result<Vec<Method>, &'static str> {
    let commands: Vec<&str> = goauth.split(';').collect();
    let mut methods = Vec::new();
    for command in &commands {
        let fields: Vec<&str> = command.split_whitespace().collect();
        methods.push(match fields.as_slice() {
            [] => return Err("has an empty command"),
            ["off", ..] if commands.len() > 1 => {
                return Err("has `off` beside other commands");
            }
            ["off", ..] => return Ok(Vec::new()),
            ["netrc", ..] => Method::Netrc,
            ["git", folder] if Path::new(folder).is_absolute() && Path::new(folder).is_dir() => {
                Method::Git(PathBuf::from(folder))
            }
            ["git", ..] => return Err("names `git` without the absolute path of a folder"),
            _ => Method::Command(words(command)),
        });
    }
    Ok(methods)
}

/// `quoted.Split`: blanks between words, quotes around a whole one. Nothing where a quote has no
/// end: go runs nothing then.
fn words(command: &str) -> Vec<String> {
    let blanks = [' ', '\t', '\n', '\r'];
    let mut words = Vec::new();
    let mut rest = command.trim_start_matches(blanks);
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '"' | '\'' => match rest[1..].split_once(first) {
                Some(parts) => parts,
                None => return Vec::new(),
            },
            _ => rest.split_at(rest.find(blanks).unwrap_or(rest.len())),
        };
        words.push(word.to_owned());
        rest = after.trim_start_matches(blanks);
    }
    words
}

/// `www-authenticate` as `Www-Authenticate`, which is how go knows it.
fn canonical(name: &str) -> String {
    let parts = name.split('-').map(|part| match part.split_at_checked(1) {
        Some((first, rest)) => first.to_ascii_uppercase() + rest,
        None => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("-")
}

// Absolute paths and programs of Unix.
#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn what_go_ends_at_is_known() {
        for (value, why) in [
            ("netrc;", "empty"),
            (";", "empty"),
            ("off;netrc", "off"),
            ("netrc; off", "off"),
            ("git", "absolute"),
            ("git ./x", "absolute"),
            ("git /nowhere-at-all", "absolute"),
            ("git / /", "absolute"),
        ] {
            let error = methods(value).err();
            assert!(error.is_some_and(|error| error.contains(why)), "{value}");
        }
        assert_eq!(methods(" off ").map(|all| all.len()), Ok(0));
        assert_eq!(methods("netrc;git /;/bin/x").map(|all| all.len()), Ok(3));
    }

    #[test]
    fn words_are_taken_apart_as_go_does() {
        // cmd/internal/quoted/quoted_test.go
        for (command, expected) in [
            ("a  b\tc", vec!["a", "b", "c"]),
            (" 'a b' \"c d\"e f'g", vec!["a b", "c d", "e", "f'g"]),
            ("'' x", vec!["", "x"]),
            ("a 'b", vec![]),
        ] {
            assert_eq!(words(command), expected, "{command:?}");
        }
    }

    /// The login that goes with a request, by a netrc and a release.
    async fn login(netrc: &str, release: GoRelease, goauth: &str, url: &str) -> Option<String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("netrc");
        std::fs::write(&path, netrc).unwrap();
        let vars = [("NETRC", path.to_str().unwrap()), ("GOAUTH", goauth)];
        let manner = GoClient {
            release,
            goauth: None,
        };
        let credentials = Credentials::read(&vars.into_iter().collect(), &manner);
        credentials.begin().await.unwrap();
        let url = Url::parse(&format!("https://{url}")).unwrap();
        let headers = credentials.for_url(&url)?;
        let (_, value) = headers.0.first()?;
        use base64::Engine as _;
        let basic = value.to_str().unwrap().strip_prefix("Basic ").unwrap();
        let pair = base64::engine::general_purpose::STANDARD.decode(basic);
        Some(String::from_utf8(pair.unwrap()).unwrap())
    }

    #[tokio::test]
    async fn a_machine_is_compared_as_each_release_does() {
        let (old, odd, new) = (
            GoRelease::new(1, 21, 13),
            GoRelease::new(1, 24, 11),
            GoRelease::new(1, 27, 3),
        );
        let text = "machine h login one password x\nmachine h login two password y\n\
                    machine h/deep login three password z\nmachine p:8443 login four password w";
        for (url, release, expected) in [
            ("h/a", new, Some("one:x")),
            ("h/deep/a", new, Some("three:z")),
            // 1.24 looks at the whole URL and at the host only, 1.21 at the host.
            ("h/deep/a", odd, Some("one:x")),
            ("h/deep", odd, Some("three:z")),
            ("h/deep", old, Some("one:x")),
            ("h:8443/a", new, None),
            ("p:8443/a", new, Some("four:w")),
            ("p:8443/a", old, Some("four:w")),
            ("p/a", new, None),
        ] {
            let found = login(text, release, "", url).await;
            assert_eq!(found.as_deref(), expected, "{url} {release:?}");
        }
        assert_eq!(login(text, new, "off", "h/a").await, None);
        assert_eq!(
            login(text, new, "git /; netrc", "h/a").await.as_deref(),
            Some("one:x")
        );
        // It does not know GOAUTH, so it sends netrc's password all the same.
        assert_eq!(
            login(text, old, "off", "h/a").await.as_deref(),
            Some("one:x")
        );
    }

    #[test]
    fn nothing_of_it_can_be_printed() {
        let env = [("GOAUTH", "/bin/helper --token hidden")]
            .into_iter()
            .collect();
        let credentials = Credentials::read(&env, &GoClient::default());
        assert!(!format!("{credentials:?}").contains("hidden"));
    }
}
