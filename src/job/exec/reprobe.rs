//! A second look at what failed: is a login page there? When does the server want to be asked
//! again? Nothing that is fetched is kept.

use std::time::Duration;

use super::class::Class;
use super::classify::Seen;
use crate::environment::Environment;
use crate::gosum::{escape_path, escape_version};
use crate::model::{Limits, Verdict, mask};
use crate::probe::Fetcher;

/// Bytes of an answer that are looked at.
const MOST: usize = 4 << 10;
/// URLs that are asked at most.
const URLS: usize = 4;

/// What the second look found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reprobed {
    /// A login page is there: what shows it, in a user's words.
    pub portal: Option<String>,
    /// When the server wants to be asked again.
    pub retry_after: Option<Duration>,
}

/// What to ask after a failure, the most telling first; empty when a look tells nothing more.
/// `proxies` as in [`super::Said`]: they also have the passwords that go has hidden.
pub fn suspicion(seen: &Seen, proxies: &[String]) -> Vec<String> {
    let mut urls = match seen.class {
        Class::Busy => asked(seen, proxies).into_iter().collect(),
        // The very file whose hash was wrong, and none beside it.
        Class::Mismatch => match seen.hashes.as_ref().is_some_and(|h| h.of_go_mod) {
            true => of_the_module(seen, proxies, &[".mod"]),
            false => of_the_module(seen, proxies, &[".zip"]),
        },
        Class::Corrupt | Class::Portal => {
            let mut urls: Vec<String> = asked(seen, proxies).into_iter().collect();
            // go says `zip: not a valid zip file` of no module and no URL.
            urls.extend(of_the_module(seen, proxies, &[".info", ".mod", ".zip"]));
            urls
        }
        // A redirect led to a place that is no proxy's: perhaps to a login page that is not there.
        Class::Ok
        | Class::Timeout
        | Class::Refused
        | Class::Dns
        | Class::Reset
        | Class::Unreachable
        | Class::Auth
        | Class::Server
        | Class::Client
        | Class::NotFound
        | Class::Tls
        | Class::Stalled
        | Class::Config
        | Class::Code => match &seen.url {
            Some(url) if is_http(url) && !is_a_file(url) && !url.contains("?go-get=1") => {
                of_the_module(seen, proxies, &[".info", ".mod"])
            }
            _ => Vec::new(),
        },
    };
    urls.truncate(URLS);
    urls
}

/// Asks one after another until one answers with content: what the first server says that has
/// any is what go was given. All within `limits.total`.
pub async fn reprobe(env: &Environment, urls: &[String], limits: Limits) -> Reprobed {
    let mut found = Reprobed::default();
    if !urls.is_empty() {
        let look = look(env, urls, limits, &mut found);
        // What was found until then stands.
        drop(tokio::time::timeout(limits.total, look).await);
    }
    found
}

async fn look(env: &Environment, urls: &[String], limits: Limits, found: &mut Reprobed) {
    let fetcher = Fetcher::new(env);
    for url in urls {
        match fetcher.get(url, limits, MOST).await {
            Ok(answer) => {
                found.retry_after = found.retry_after.max(answer.retry_after);
                let what = mask(url);
                found.portal = match (answer.status, answer.led_to) {
                    (511, _) => Some(format!("511 from {what}: log in first")),
                    (200, Some(host)) if is_page(&answer.body) => {
                        Some(format!("{what} leads to a page on {host}"))
                    }
                    (200, None) if is_page(&answer.body) => {
                        Some(format!("{what} is a page for people"))
                    }
                    (200, _) => return,
                    _ => None,
                };
            }
            Err(error) if error.verdict == Verdict::Portal => found.portal = Some(error.reason),
            Err(_) => {}
        }
        if found.portal.is_some() {
            return;
        }
    }
}

/// By its bytes: a server may call a good zip `text/html`, and a bad one, too.
fn is_page(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    body.trim_ascii_start().starts_with(b"<")
}

fn is_http(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}

/// A file of a module or of a checksum database: no page is ever there.
fn is_a_file(url: &str) -> bool {
    ["/@v/", "/@latest", "/sumdb/", "/lookup/", "/tile/8/"]
        .iter()
        .any(|mark| url.contains(mark))
}

/// The URL that go asked in vain, if what belongs there is known: git's references or a file. A
/// host's own pages are pages on every network.
fn asked(seen: &Seen, proxies: &[String]) -> Option<String> {
    let url = seen.url.as_deref().filter(|url| is_http(url))?;
    if is_a_file(url) {
        return Some(with_credentials(url, proxies));
    }
    // What git asks first (gitprotocol-http, "Smart Clients").
    let is_git = url.ends_with("/info/refs");
    is_git.then(|| [url, "?service=git-upload-pack"].concat())
}

/// Files of the module, at each proxy: of one kind after another.
fn of_the_module(seen: &Seen, proxies: &[String], ends: &[&str]) -> Vec<String> {
    let file = || {
        let version = seen.version.as_deref().filter(|v| is_version(v))?;
        let path = escape_path(seen.module.as_deref()?).ok()?;
        Some(format!("/{path}/@v/{}", escape_version(version).ok()?))
    };
    let Some(file) = file() else {
        if seen.class == Class::Mismatch {
            return Vec::new();
        }
        // Which one is not known: every proxy knows this module, and a page knows all.
        return at_each(proxies, "/golang.org/x/text/@v/v0.3.0", &[".mod"]);
    };
    at_each(proxies, &file, ends)
}

fn at_each(proxies: &[String], file: &str, ends: &[&str]) -> Vec<String> {
    let mut urls = Vec::new();
    for end in ends {
        for base in proxies.iter().filter(|base| is_http(base)) {
            urls.push([base.trim_end_matches('/'), file, end].concat());
        }
    }
    urls
}

/// A version and no query such as `latest`.
fn is_version(text: &str) -> bool {
    text.strip_prefix('v')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()) && rest.contains('.'))
}

/// go hides the password of a proxy's URL, and so did we; the proxies have it.
fn with_credentials(url: &str, proxies: &[String]) -> String {
    let bare = without_userinfo(url);
    proxies
        .iter()
        .find_map(|base| {
            let base = base.trim_end_matches('/');
            let rest = bare.strip_prefix(&without_userinfo(base))?;
            rest.starts_with('/').then(|| [base, rest].concat())
        })
        .unwrap_or(bare)
}

fn without_userinfo(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    [scheme, "://", host, path].concat()
}

#[cfg(test)]
mod tests {
    use super::super::{Exit, Said, classify};
    use super::suspicion;

    const PROXIES: [&str; 4] = [
        "https://joe:s3cret@proxy.corp.example/go/",
        "file:///srv/mirror",
        "http://127.0.0.1:8080",
        "direct",
    ];

    fn asks(text: &str) -> Vec<String> {
        let proxies = PROXIES.map(str::to_owned);
        let seen = classify(&Said {
            stderr: text,
            build_output: "",
            exit: Exit::Code(1),
            proxies: &proxies,
            killed: None,
        });
        suspicion(&seen, &proxies)
    }

    #[test]
    fn the_very_files_are_asked_again_with_the_passwords_that_go_has_hidden() {
        let corp = "https://joe:s3cret@proxy.corp.example/go";
        let local = "http://127.0.0.1:8080";
        let toml = "github.com/!burnt!sushi/toml/@v/v1.2.0";
        let mismatch = "checksum mismatch\n\tdownloaded: h1:W/RoUyEAoyDkNzloyhe4qaU+RKONW0msDWg+5ZHMytQ=\n\tgo.sum:     h1:T8xJhYeb5wlYBiOAggnHAylDzP7qLamatAT0xkxbQqA=\n";
        for (text, want) in [
            (
                format!("verifying github.com/BurntSushi/toml@v1.2.0: {mismatch}"),
                vec![format!("{corp}/{toml}.zip"), format!("{local}/{toml}.zip")],
            ),
            (
                format!("verifying github.com/BurntSushi/toml@v1.2.0/go.mod: {mismatch}"),
                vec![format!("{corp}/{toml}.mod"), format!("{local}/{toml}.mod")],
            ),
            (
                "go: a.test/m@v1.0.0: reading https://joe:xxxxx@proxy.corp.example/go/a.test/m/@v/v1.0.0.info: 503 Service Unavailable".to_owned(),
                vec![format!("{corp}/a.test/m/@v/v1.0.0.info")],
            ),
            (
                "w.go:3:8: zip: not a valid zip file".to_owned(),
                vec![
                    format!("{corp}/golang.org/x/text/@v/v0.3.0.mod"),
                    format!("{local}/golang.org/x/text/@v/v0.3.0.mod"),
                ],
            ),
            (
                "go: a.test/m@v1.0.0: Get \"http://login.hotel.example/\": dial tcp: lookup login.hotel.example: no such host".to_owned(),
                vec![
                    format!("{corp}/a.test/m/@v/v1.0.0.info"),
                    format!("{local}/a.test/m/@v/v1.0.0.info"),
                    format!("{corp}/a.test/m/@v/v1.0.0.mod"),
                    format!("{local}/a.test/m/@v/v1.0.0.mod"),
                ],
            ),
        ] {
            assert_eq!(asks(&text), want, "{text}");
        }
    }

    #[test]
    fn a_mismatch_of_no_known_file_is_not_excused_by_another_one() {
        let cut = "SECURITY ERROR\nThis download does NOT match an earlier download recorded in go.sum.\n";
        assert_eq!(asks(cut), [""; 0]);
    }

    #[test]
    fn what_is_a_page_on_every_network_and_what_needs_no_look_are_not_asked() {
        for text in [
            "go: a.test/m@v1.0.0: Get \"http://127.0.0.1:8080/a.test/m/@v/v1.0.0.info\": EOF",
            "go: a.test/m@latest: unrecognized import path \"a.test/m\": parse https://a.test/m?go-get=1: no go-import meta tags ()",
            "# w\n./w.go:3:15: undefined: x",
            "",
        ] {
            assert_eq!(asks(text), [""; 0], "{text}");
        }
        let base = "go: a.test/m@v1.0.0: invalid response from proxy \"http://127.0.0.1:8080\": invalid character '<' looking for beginning of value";
        assert!(!asks(base).contains(&"http://127.0.0.1:8080".to_owned()));
        assert!(!asks(base).is_empty());
    }
}
