//! Credentials as the go command finds them: GOAUTH (go 1.24 and later), otherwise netrc.
//! `cmd/go/internal/auth/{auth,netrc}.go`.
//!
//! Each command runs once before the first request over https, and again with the URL after a 4xx.
//! Its output is kept for a minute across rounds, so that an unstable network does not start it
//! each time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use hyper::header::HeaderMap;
use tokio::sync::OnceCell;
use url::Url;

use super::fault::{ProbeFailure, authority, refusal};
use super::goauth::{HandedHeaders, Headers, Method, methods};
use super::http1::canonical;
use crate::bounded;
use crate::environment::Environment;
use crate::model::{GoRelease, Phase};

/// How long a command's output is valid.
const KEPT: Duration = Duration::from_secs(60);
/// How many results of commands are kept across rounds.
const MOST_KEPT: usize = 32;
/// How many URLs of one round may make the commands run again.
const MOST_URLS: usize = 8;
/// A longer netrc is ignored.
const MAX_NETRC: u64 = 1024 * 1024;

/// How the go command in use sends requests.
#[derive(Debug, Clone, Default)]
pub struct GoClient {
    /// Its release.
    pub release: GoRelease,
    /// GOAUTH of the go env file (or of GOROOT/go.env); the environment takes precedence over it.
    pub goauth: Option<String>,
}

/// All credentials of one round.
pub(super) struct Credentials {
    release: GoRelease,
    env: Environment,
    methods: Result<Vec<Method>, &'static str>,
    netrc: Option<PathBuf>,
    /// From netrc.
    machines: Vec<(String, Headers)>,
    begun: OnceCell<()>,
    store: Mutex<BTreeMap<String, Headers>>,
    /// The URLs that have made the commands run again.
    urls: Mutex<BTreeSet<String>>,
}

/// A command, the URL that it was given, and its environment.
type Key = (Method, Option<String>, Environment);

/// The output of commands, and when it was read.
static KEPT_LAST: Mutex<Vec<(Key, Instant, Option<HandedHeaders>)>> = Mutex::new(Vec::new());

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Credentials {
    /// Reads GOAUTH and netrc. Runs nothing yet.
    pub(super) fn read(env: &Environment, manner: &GoClient) -> Credentials {
        let release = manner.release;
        let goauth = env.get("GOAUTH").or(manner.goauth.as_deref());
        let goauth = goauth.filter(|value| release.has_goauth() && !value.is_empty());
        let goauth = goauth.unwrap_or("netrc");
        let methods = methods(goauth);
        let reads_netrc = matches!(&methods, Ok(methods) if methods.contains(&Method::Netrc));
        let netrc = netrc_path(env);
        let text = netrc.as_ref().filter(|_| reads_netrc);
        let text = text.and_then(|path| bounded::read(path, MAX_NETRC).ok());
        let vars = env.iter().filter(|(name, _)| *name != "GOAUTH");
        Credentials {
            release,
            env: vars.chain([("GOAUTH", goauth)]).collect(),
            methods,
            machines: machines(&String::from_utf8_lossy(&text.unwrap_or_default())),
            netrc,
            begun: OnceCell::new(),
            store: Mutex::default(),
            urls: Mutex::default(),
        }
    }

    /// Runs the commands once; later calls return at once.
    ///
    /// # Errors
    /// When every go command fails with this GOAUTH.
    pub(super) async fn begin(&self) -> Result<(), ProbeFailure> {
        if let Err(why) = &self.methods {
            let reason = format!("go ends at once: GOAUTH {why}");
            return Err(refusal(Phase::Connect, reason));
        }
        self.begun.get_or_init(|| self.run(None, "")).await;
        Ok(())
    }

    /// Returns the headers that go adds to a request for this URL.
    pub(super) fn for_url(&self, url: &Url) -> Option<Headers> {
        let store = locked(&self.store);
        let place = format!("{}{}", authority(url), url.path());
        let walks_up = self.release.walks_up_for_credentials();
        let mut prefix = match (self.release.has_goauth(), walks_up) {
            // auth.go of 1.23: only the host.
            (false, _) => place.split('/').next().unwrap_or_default(),
            (true, true) => place.strip_suffix('/').unwrap_or(&place),
            (true, false) => place.as_str(),
        };
        loop {
            if let Some(headers) = store.get(prefix) {
                return Some(headers.clone());
            }
            prefix = if walks_up {
                prefix.rsplit_once('/')?.0
            } else {
                prefix.split_once('/')?.0
            };
        }
    }

    /// After a 4xx: runs the commands again, with the URL. Reports whether another request is
    /// worthwhile.
    pub(super) async fn ask_for(&self, url: &Url, status: StatusCode, head: &HeaderMap) -> bool {
        let methods = self.methods.as_deref().unwrap_or_default();
        if !methods.iter().any(|method| *method != Method::Netrc) {
            return false;
        }
        let before = self.for_url(url);
        {
            let mut urls = locked(&self.urls);
            if urls.len() >= MOST_URLS || !urls.insert(url.to_string()) {
                return false;
            }
        }
        let mut input = format!("HTTP/1.1 {status}\n");
        for name in head.keys() {
            let values = head.get_all(name).iter();
            let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()));
            let values = values.collect::<Vec<_>>().join(", ");
            input.push_str(&format!("{}: {values}\n", canonical(name.as_str())));
        }
        input.push('\n');
        self.run(Some(url.as_str()), &input).await;
        self.for_url(url) != before
    }

    /// Tells the user what to do about missing credentials for `host[:port]`.
    pub(super) fn advice(&self, host: &str) -> String {
        match (&self.methods, &self.netrc) {
            (Ok(methods), _) if methods.is_empty() => "GOAUTH is off".to_owned(),
            (Ok(methods), _) if !methods.contains(&Method::Netrc) => {
                format!("no command of GOAUTH has any for {host}")
            }
            (_, Some(path)) => format!("add `machine {host} …` to {}", path.display()),
            (_, None) => format!("add `machine {host} …` to a netrc and name it in NETRC"),
        }
    }

    /// `runGoAuth`: from the last method to the first, so that the first takes precedence.
    async fn run(&self, url: Option<&str>, input: &str) {
        for method in self.methods.iter().flatten().rev() {
            let handed = match method {
                // If a machine has two entries, the first counts, so it must be stored last.
                Method::Netrc => self.machines.iter().rev().cloned().collect(),
                // git cannot list its credentials, only answer for one URL.
                Method::Git(_) if url.is_none() => continue,
                Method::Git(_) | Method::Command(_) => {
                    let key = (method.clone(), url.map(str::to_owned), self.env.clone());
                    self.handed(key, input).await.unwrap_or_default()
                }
            };
            for (prefix, headers) in handed {
                self.keep(&prefix, headers);
            }
        }
    }

    /// `storeCredential`.
    fn keep(&self, prefix: &str, headers: Headers) {
        let mut prefix = prefix.strip_prefix("https://").unwrap_or(prefix);
        if self.release.walks_up_for_credentials() {
            prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        }
        let mut store = locked(&self.store);
        if headers.0.is_empty() {
            store.remove(prefix);
        } else {
            store.insert(prefix.to_owned(), headers);
        }
    }

    /// Returns a command's output, new or from the last minute. `None`: no valid output.
    async fn handed(&self, key: Key, input: &str) -> Option<HandedHeaders> {
        {
            let mut kept = locked(&KEPT_LAST);
            kept.retain(|(_, at, _)| at.elapsed() < KEPT);
            if let Some((.., handed)) = kept.iter().find(|(known, ..)| *known == key) {
                return handed.clone();
            }
        }
        let (method, url, env) = &key;
        let handed = method.ask(env, url.as_deref(), input, self.release).await;
        let mut kept = locked(&KEPT_LAST);
        kept.retain(|(known, ..)| *known != key);
        if kept.len() >= MOST_KEPT {
            kept.remove(0);
        }
        kept.push((key, Instant::now(), handed.clone()));
        handed
    }
}

/// Shows only how many methods and machines there are.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods = self.methods.as_ref().map(Vec::len);
        f.debug_struct("Credentials")
            .field("methods", &methods)
            .field("machines", &self.machines.len())
            .finish_non_exhaustive()
    }
}

/// `$NETRC`, otherwise `~/.netrc` (`~/_netrc` first on Windows).
fn netrc_path(env: &Environment) -> Option<PathBuf> {
    if let Some(path) = env.path("NETRC") {
        return Some(path);
    }
    let home = env.home()?;
    if cfg!(windows) {
        let legacy = home.join("_netrc");
        match std::fs::metadata(&legacy) {
            Ok(_) => return Some(legacy),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(_) => return None,
        }
    }
    Some(home.join(".netrc"))
}

/// `auth.parseNetrc`: tokens in pairs, line by line.
fn machines(netrc: &str) -> Vec<(String, Headers)> {
    let mut all = Vec::new();
    let [mut machine, mut login, mut password] = [""; 3];
    let mut in_macro = false;
    for line in netrc.split('\n') {
        if in_macro {
            in_macro = !line.is_empty();
            continue;
        }
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (pairs, rest) = fields.as_chunks::<2>();
        for [token, value] in pairs {
            match *token {
                "machine" => [machine, login, password] = [*value, "", ""],
                "login" => login = *value,
                "password" => password = *value,
                "macdef" => in_macro = true,
                _ => {}
            }
            if [machine, login, password]
                .iter()
                .all(|part| !part.is_empty())
            {
                let headers = Headers::basic(login.as_bytes(), password.as_bytes());
                all.extend(headers.map(|headers| (machine.to_owned(), headers)));
                [machine, login, password] = [""; 3];
            }
        }
        if rest == ["default"] {
            break; // it must come last, and go does not use it
        }
    }
    all
}

// The tests use absolute paths and programs of Unix.
#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    /// Returns the login that is sent with a request, for a netrc and a release.
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
            // 1.24 uses the whole URL and only the host, 1.21 uses the host.
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
        // The old release does not know GOAUTH, so it sends netrc's password all the same.
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

    #[test]
    fn entries_are_read_as_go_reads_them() {
        // auth/netrc_test.go:testNetrc
        let text = "machine incomplete\npassword none\n\n\
            machine api.github.com\n  login user\n  password pwd\n\n\
            machine incomlete.host\n  login justlogin\n\
            \nmachine test.host\nlogin user2\npassword pwd2\n\n\
            machine oneline login user3 password pwd3\n\n\
            machine ignore.host macdef ignore\n  login nobody\n  password nothing\n\n\
            machine hasmacro.too macdef ignore-next-lines login user4 password pwd4\n\
            machine nomacro login x password y\n\n\
            default\nlogin anonymous\npassword gopher@golang.org\n\n\
            machine after.default\nlogin oops\npassword too-late-in-file\n";
        let login = |text: &str, machine: &str| {
            let mut all = machines(text).into_iter();
            all.find(|(name, _)| name == machine)
                .map(|(_, headers)| headers)
        };
        let pair =
            |user: &str, password: &str| Headers::basic(user.as_bytes(), password.as_bytes());
        assert!(login(text, "api.github.com") == pair("user", "pwd"));
        assert!(login(text, "test.host") == pair("user2", "pwd2"));
        assert!(login(text, "oneline") == pair("user3", "pwd3"));
        assert!(login(text, "hasmacro.too") == pair("user4", "pwd4"));
        for absent in [
            "incomplete",
            "incomlete.host",
            "ignore.host",
            "nomacro",
            "after.default",
        ] {
            assert!(login(text, absent).is_none(), "{absent}");
        }
    }
}
