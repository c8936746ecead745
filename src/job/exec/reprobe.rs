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
const MOST: usize = 64 << 10;
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

/// What to ask after a failure, so that it is understood; empty when a look tells nothing more.
/// `proxies` as in [`super::Said`].
pub fn suspicion(seen: &Seen, proxies: &[String]) -> Vec<String> {
    match seen.class {
        Class::Portal | Class::Corrupt | Class::Busy => seen
            .url
            .iter()
            .filter(|url| is_http(url))
            .map(|url| with_credentials(url, proxies))
            .chain(of_the_module(seen, proxies, &[".info", ".zip"]))
            .take(URLS)
            .collect(),
        // The very file whose hash was wrong, wherever it may have come from.
        Class::Mismatch => {
            let of_go_mod = seen.hashes.as_ref().is_some_and(|hashes| hashes.of_go_mod);
            let end = if of_go_mod { ".mod" } else { ".zip" };
            of_the_module(seen, proxies, &[end]).take(URLS).collect()
        }
        _ => Vec::new(),
    }
}

/// Asks each of them once, all within `limits.total`.
pub async fn reprobe(env: &Environment, urls: &[String], limits: Limits) -> Reprobed {
    let fetcher = Fetcher::new(env);
    let mut found = Reprobed::default();
    for url in urls {
        match fetcher.get(url, limits, MOST).await {
            Ok(answer) => {
                found.retry_after = found.retry_after.max(answer.retry_after);
                if answer.status == 511 {
                    found.portal = Some(format!("{} answers 511, log in first", mask(url)));
                } else if answer.html && answer.status == 200 {
                    found.portal = Some(format!("{} is a page for people", mask(url)));
                }
            }
            Err(error) if error.verdict == Verdict::Portal => found.portal = Some(error.reason),
            Err(_) => {}
        }
        if found.portal.is_some() {
            break;
        }
    }
    found
}

fn is_http(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}

/// Files of the module, at each proxy.
fn of_the_module<'a>(
    seen: &'a Seen,
    proxies: &'a [String],
    ends: &'a [&'a str],
) -> impl Iterator<Item = String> + 'a {
    let named = seen.module.as_deref().zip(seen.version.as_deref());
    let file = named.and_then(|(module, version)| {
        let (path, version) = (escape_path(module).ok()?, escape_version(version).ok()?);
        Some(format!("/{path}/@v/{version}"))
    });
    let bases = proxies.iter().filter(|base| is_http(base));
    bases
        .filter_map(move |base| Some(format!("{}{}", base.trim_end_matches('/'), file.as_ref()?)))
        .flat_map(move |url| ends.iter().map(move |end| format!("{url}{end}")))
}

/// go hides the password of a proxy's URL; the chain has it.
fn with_credentials(url: &str, _proxies: &[String]) -> String {
    url.to_owned()
}
