//! Looks a second time at what failed: is there a login page? When does the server allow another
//! request? Nothing that is fetched is kept, and no result changes the class of go's message: a
//! server may answer the second request differently.
//!
//! Only the servers of the chain are asked, only for files that go requests from them, and no
//! redirect is followed: what a server writes never decides which server is asked.

use std::time::Duration;

use url::Url;

use super::classify::{Class, Classified, is_of_modules, is_version};
use crate::environment::Environment;
use crate::gomod::form::is_web_page;
use crate::gomod::sum::{escape_path, escape_version};
use crate::model::{Limits, Verdict, mask};
use crate::probe::Fetcher;

/// How many bytes of an answer are examined.
const MOST: usize = 4 << 10;
/// The most URLs that are requested.
const URLS: usize = 4;

/// What the second look found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reprobed {
    /// What shows that there is a login page, in a user's words.
    pub portal: Option<String>,
    /// How long the server asks to wait before the next request.
    pub retry_after: Option<Duration>,
}

/// Returns the URLs to request after a failure, the most useful first; empty if a second look shows
/// nothing more. `proxies` as in [`super::CommandOutput`]: they also have the passwords that go has
/// hidden. `sumdb`: the URL of the checksum database.
pub fn suspicion(seen: &Classified, proxies: &[String], sumdb: Option<&str>) -> Vec<String> {
    let bases = || proxies.iter().map(String::as_str).chain(sumdb);
    let asked = || asked(seen, bases());
    let mut urls: Vec<String> = match (seen.class, &seen.url) {
        (Class::Busy, _) => asked().into_iter().collect(),
        // Only the file whose hash was wrong.
        (Class::Mismatch, _) => {
            let of_go_mod = seen.hashes.as_ref().is_some_and(|h| h.of_go_mod);
            of_the_module(seen, proxies, &[if of_go_mod { ".mod" } else { ".zip" }])
        }
        (Class::Corrupt | Class::Portal, _) => {
            let mut urls: Vec<String> = asked().into_iter().collect();
            // go's `zip: not a valid zip file` names neither a module nor a URL.
            urls.extend(of_the_module(seen, proxies, &[".info", ".mod", ".zip"]));
            urls
        }
        // A redirect led to a URL that belongs to no proxy: perhaps to a login page that does not
        // exist.
        (_, Some(url)) if is_http(url) && !is_of_modules(url, &[]) => {
            of_the_module(seen, proxies, &[".info", ".mod"])
        }
        _ => Vec::new(),
    };
    urls.truncate(URLS);
    urls
}

/// Requests one URL after another until one answers with content: the first server that has content
/// is the one that go got its content from. All within `limits.total`.
pub async fn reprobe(env: &Environment, urls: &[String], limits: Limits) -> Reprobed {
    let mut found = Reprobed::default();
    if !urls.is_empty() {
        let look = look(env, urls, limits, &mut found);
        // What was found before the time limit counts.
        drop(tokio::time::timeout(limits.total, look).await);
    }
    found
}

async fn look(env: &Environment, urls: &[String], limits: Limits, found: &mut Reprobed) {
    let fetcher = Fetcher::new(env);
    for url in urls {
        match fetcher.get_here(url, limits, MOST).await {
            Ok(answer) => {
                found.retry_after = found.retry_after.max(answer.retry_after);
                let what = mask(url);
                found.portal = match (answer.status, &answer.led_to) {
                    (511, _) => Some(format!("{what} answers 511: log in first")),
                    (_, Some(to)) if !leads_to_a_file(url, to) => {
                        let host = to.host_str().unwrap_or_default();
                        Some(format!("{what} leads to a page on {host}"))
                    }
                    (_, Some(_)) => return,
                    (200, None) if is_web_page(&answer.body) => {
                        Some(format!("{what} is an HTML page"))
                    }
                    (200, None) => return,
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

fn is_http(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}

/// Reports whether a redirect leads to a storage of the proxy: the name of the file ends as before.
fn leads_to_a_file(from: &str, to: &Url) -> bool {
    let end = from.rsplit_once('.').map_or("", |(_, end)| end);
    ["info", "mod", "zip"].contains(&end)
        && to
            .path()
            .rsplit_once('.')
            .is_some_and(|(_, other)| other == end)
}

/// Reports whether the path is one that go requests from a proxy or a checksum database, below its
/// URL.
fn is_a_file(path: &str) -> bool {
    let plain = path.replace("%21", "!");
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._~/!+@".contains(&b);
    let ends = [".info", ".mod", ".zip"];
    let of_a_module = plain.split_once("/@v/").is_some_and(|(_, name)| {
        !name.contains('/') && (name == "list" || ends.iter().any(|end| name.ends_with(end)))
    });
    let mut databases = ["/sumdb/", "/lookup/", "/tile/"].iter();
    let of_a_database = databases.any(|begin| plain.starts_with(begin));
    plain.bytes().all(fits)
        && !plain.contains("..")
        && (of_a_module || of_a_database || plain.ends_with("/@latest"))
}

/// Returns the URL whose request failed, with the password that go has hidden, if it is a file
/// below one of these. Pages of another host are pages on every network.
fn asked<'a>(seen: &Classified, mut bases: impl Iterator<Item = &'a str>) -> Option<String> {
    let bare = without_userinfo(seen.url.as_deref()?);
    bases.find_map(|base| {
        let base = base.trim_end_matches('/');
        let rest = bare.strip_prefix(&without_userinfo(base))?;
        (is_http(base) && rest.starts_with('/') && is_a_file(rest)).then(|| [base, rest].concat())
    })
}

/// Returns files of the module at each proxy, one kind after another.
fn of_the_module(seen: &Classified, proxies: &[String], ends: &[&str]) -> Vec<String> {
    let file = || {
        let version = seen.version.as_deref().filter(|v| is_version(v))?;
        let path = escape_path(seen.module.as_deref()?).ok()?;
        Some(format!("/{path}/@v/{}", escape_version(version).ok()?))
    };
    let Some(file) = file() else {
        if seen.class == Class::Mismatch {
            return Vec::new();
        }
        // The module is not known: every proxy has this one, and a login page answers for any.
        return at_each(proxies, "/golang.org/x/text/@v/v0.3.0", &[".mod"]);
    };
    at_each(proxies, &file, ends)
}

fn at_each(proxies: &[String], file: &str, ends: &[&str]) -> Vec<String> {
    let bases = || proxies.iter().filter(|base| is_http(base));
    let all = ends
        .iter()
        .flat_map(|end| bases().map(move |base| (base, end)));
    all.map(|(base, end)| format!("{}{file}{end}", base.trim_end_matches('/')))
        .collect()
}

fn without_userinfo(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::super::{CommandOutput, Exit, classify};
    use super::suspicion;

    const PROXIES: [&str; 4] = [
        "https://joe:s3cret@proxy.corp.example/go/",
        "file:///srv/mirror",
        "http://127.0.0.1:8080",
        "direct",
    ];

    fn asks(text: &str) -> Vec<String> {
        let proxies = PROXIES.map(str::to_owned);
        let seen = classify(&CommandOutput {
            stderr: text,
            build_output: "",
            exit: Exit::Code(1),
            proxies: &proxies,
            killed: None,
        });
        suspicion(&seen, &proxies, Some("https://sum.golang.org"))
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
    fn only_servers_of_the_chain_are_asked_and_only_for_files() {
        let busy = |url: &str| {
            asks(&format!(
                "go: a.test/m@v1.0.0: reading {url}: 503 Service Unavailable"
            ))
        };
        for url in [
            "http://127.0.0.1:8080/a.test/m/@v/v1.0.0.info",
            "http://127.0.0.1:8080/a.test/m/@latest",
            "http://127.0.0.1:8080/a.test/m/@v/list",
            "http://127.0.0.1:8080/sumdb/sum.golang.org/lookup/a.test/m@v1.0.0",
            "https://sum.golang.org/lookup/a.test/m@v1.0.0",
        ] {
            assert_eq!(busy(url), [url]);
        }
        for url in [
            "http://127.0.0.1:80801/a.test/m/@v/v1.0.0.info",
            "http://127.0.0.1:8080.evil.test/a.test/m/@v/v1.0.0.info",
            "http://127.0.0.1:8080@evil.test/a.test/m/@v/v1.0.0.info",
            "http://evil.test/a.test/m/@v/v1.0.0.info",
            "https://a.test/m.git/info/refs",
            "http://127.0.0.1:8080/reboot?now=1&x=/@v/y.info",
            "http://127.0.0.1:8080/a/../reboot/@v/v1.info",
            "http://127.0.0.1:8080/a/%2e%2e/reboot/@v/v1.info",
            "http://127.0.0.1:8080/a/@v/b/reboot.info",
        ] {
            assert_eq!(busy(url), [""; 0], "{url}");
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
