//! One attempt at one hop: fetches a file, stores it, and judges what came.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use url::Url;

use super::rules::course::AttemptEnd;
use super::rules::hop::{Failure, FailureKind, HopLimits, RelayHop};
use super::rules::request::{ModuleFile, ProxyRequest, SumDbFile};
use super::spool::{Content, MOST_SMALL, Partial, Spool, Started, lock};
use crate::bounded;
use crate::gomod::ModuleVersion;
use crate::gomod::form;
use crate::gomod::semver::is_canonical;
use crate::model::{Cause, HopKind, Limits, Verdict};
use crate::probe::{Fetched, Fetcher, Unfetched, fetch};

/// A file and where it goes.
pub(super) struct Errand<'a> {
    pub(super) request: &'a ProxyRequest,
    /// The path as go sent it, with `/` at its beginning.
    pub(super) path: &'a str,
    pub(super) spool: &'a Path,
    pub(super) first_byte: Duration,
    /// When the request ends.
    pub(super) deadline: Instant,
    /// Hears of the first byte of a file.
    pub(super) started: Option<Started>,
    /// The beginning of the zip that an earlier attempt has left.
    pub(super) partial: &'a Mutex<Option<Partial>>,
    /// Servers that must not see the path.
    pub(super) never_to: &'a [Url],
}

/// How an attempt ended, with the file if it was served.
pub(super) type Attempted = (AttemptEnd, Option<Content>);

/// Why the request ends although hops are left: this machine cannot store the file.
#[derive(Debug)]
pub(super) struct CannotStore(pub(super) String);

/// Asks a hop for a file.
pub(super) async fn ask(
    fetcher: &Fetcher,
    hop: &RelayHop,
    errand: &Errand<'_>,
) -> Result<Attempted, CannotStore> {
    match &hop.kind {
        HopKind::File(url) => Ok(local(url, errand)),
        HopKind::Proxy(url) => over_http(fetcher, url, hop.limits, errand).await,
        // They end the chain and are no hops of the relay.
        HopKind::Direct | HopKind::Off => Ok((AttemptEnd::NotFound(Duration::ZERO), None)),
    }
}

async fn over_http(
    fetcher: &Fetcher,
    base: &str,
    limits: HopLimits,
    errand: &Errand<'_>,
) -> Result<Attempted, CannotStore> {
    let start = Instant::now();
    let spool = match errand.request {
        ProxyRequest::Module {
            file: ModuleFile::Zip(_),
            ..
        } => Spool::on_disk(errand.spool, lock(errand.partial).take()),
        ProxyRequest::Module { .. } | ProxyRequest::SumDb { .. } => Spool::in_memory(),
    };
    let url = fetch::url_below_escaped(base, errand.path.trim_start_matches('/'));
    let left = errand.deadline.saturating_duration_since(start);
    let limits_of_one = Limits {
        connect: limits.connect,
        first_byte: errand.first_byte,
        patience: Duration::ZERO,
        total: left,
        retries: 0,
    };
    let download = spool.download(
        limits.stall,
        errand.started.clone(),
        errand.never_to.to_vec(),
    );
    let resumes = download.resume.is_some();
    let fetched = match url {
        Ok(url) => {
            fetcher
                .download(url.as_str(), limits_of_one, download)
                .await
        }
        Err(unfetched) => Err(unfetched),
    };
    let is_other_part = |fetched: &Fetched| matches!(fetched.status, 206 | 416);
    let refuses_rest = resumes && fetched.as_ref().is_ok_and(is_other_part);
    if let Some(why) = spool.trouble() {
        return Err(CannotStore(why));
    }
    let took = start.elapsed();
    let end = match fetched {
        Ok(_) if refuses_rest => {
            let why = "does not send the rest of the file";
            AttemptEnd::Failed(Failure::new(FailureKind::Fast, why).by(Cause::Corrupt))
        }
        Ok(fetched) => judge(&fetched, took),
        Err(unfetched) => AttemptEnd::Failed(failure(unfetched)),
    };
    if !matches!(end, AttemptEnd::Served(_)) {
        *lock(errand.partial) = spool.partial().filter(|_| !refuses_rest);
        return Ok((end, None));
    }
    let content = spool
        .finish()
        .map_err(|error| CannotStore(error.to_string()))?;
    Ok(match misfit(errand.request, &content) {
        None => (end, Some(content)),
        Some(failure) => (AttemptEnd::Failed(failure), None),
    })
}

fn judge(fetched: &Fetched, took: Duration) -> AttemptEnd {
    let fail = |kind| {
        let why = format!("answers {}", fetched.status);
        let failure = Failure::new(kind, why).by(Cause::Status(fetched.status));
        AttemptEnd::Failed(Failure {
            retry_after: fetched.retry_after,
            ..failure
        })
    };
    match fetched.status {
        200 => AttemptEnd::Served(took),
        404 | 410 => AttemptEnd::NotFound(took),
        408 | 425 | 429 | 500..=599 => fail(FailureKind::Fast),
        _ => fail(FailureKind::Refused),
    }
}

fn failure(unfetched: Unfetched) -> Failure {
    let lasts = unfetched.timed_out || unfetched.definite || unfetched.verdict == Verdict::Portal;
    let kind = match lasts {
        true => FailureKind::Down,
        false => FailureKind::Fast,
    };
    Failure::new(kind, unfetched.reason).by(unfetched.cause)
}

/// Why what came cannot be the file, whatever its hash.
fn misfit(request: &ProxyRequest, content: &Content) -> Option<Failure> {
    let bytes = content.bytes();
    let start = content.piece(0, 512).unwrap_or_default();
    let why = match request {
        // A tile is hashes, of which one in 256 begins as a page does.
        ProxyRequest::SumDb {
            rest: SumDbFile::Tile(_),
            ..
        } => None,
        _ if form::is_web_page(&start) => Some("holds an HTML page".to_owned()),
        ProxyRequest::Module { module, file } => match file {
            ModuleFile::Mod(_) => form::go_mod(&bytes).err(),
            ModuleFile::Info(version) => match form::info_version(&bytes) {
                Err(why) => Some(why),
                // A branch or a commit is resolved by the proxy.
                Ok(_) if !is_canonical(version) => None,
                Ok(_) => {
                    let version = ModuleVersion::new(module.as_str(), version.as_str());
                    form::info(&bytes, &version).err()
                }
            },
            ModuleFile::Latest => form::info_version(&bytes).err(),
            ModuleFile::List | ModuleFile::Zip(_) => None,
        },
        ProxyRequest::SumDb { .. } => None,
    }?;
    let cause = match form::is_web_page(&start) {
        true => Cause::Portal,
        false => Cause::Corrupt,
    };
    Some(Failure::new(FailureKind::Down, format!("sends a file that {why}")).by(cause))
}

/// Reports whether the hop is a tree on this machine without this file.
pub(super) fn is_absent(hop: &RelayHop, path: &str) -> bool {
    let HopKind::File(url) = &hop.kind else {
        return false;
    };
    let file = folder(url).and_then(|folder| below(&folder, path));
    file.is_none_or(|file| {
        let found = std::fs::metadata(file);
        found.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    })
}

/// A file of a tree on this machine. go's own rule: what is not there is a 404.
fn local(url: &str, errand: &Errand<'_>) -> Attempted {
    let start = Instant::now();
    let path = folder(url).and_then(|folder| below(&folder, errand.path));
    let Some(path) = path else {
        return (AttemptEnd::NotFound(start.elapsed()), None);
    };
    let content = bounded::if_any(bounded::open(&path)).and_then(|file| {
        let content = file.map(Content::of_file).transpose()?;
        match (content, errand.request) {
            (
                Some(content),
                ProxyRequest::Module {
                    file: ModuleFile::Zip(_),
                    ..
                },
            ) => Ok(Some(content)),
            (Some(content), _) => {
                let length = content.length().min(MOST_SMALL);
                let bytes = content.piece(0, usize::try_from(length).unwrap_or(0))?;
                Ok(Some(Content::Memory(bytes)))
            }
            (None, _) => Ok(None),
        }
    });
    let took = start.elapsed();
    match content {
        Ok(Some(content)) => (AttemptEnd::Served(took), Some(content)),
        Ok(None) => (AttemptEnd::NotFound(took), None),
        Err(error) => {
            let why = format!("cannot be read: {error}");
            let failure = Failure::new(FailureKind::Fast, why).by(Cause::Config);
            (AttemptEnd::Failed(failure), None)
        }
    }
}

/// The directory of a `file://` URL, which go takes as it stands.
fn folder(url: &str) -> Option<PathBuf> {
    Url::parse(url).ok()?.to_file_path().ok()
}

/// The file of a request's path below the folder. The path has been parsed, so that no element is
/// `..`; `%21` is go's form of `!`.
fn below(folder: &Path, path: &str) -> Option<PathBuf> {
    let path = percent_encoding::percent_decode_str(path)
        .decode_utf8()
        .ok()?;
    let mut file = folder.to_owned();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let is_plain = !part.contains(['\\', ':']) && !matches!(part, "." | "..");
        file.push(is_plain.then_some(part)?);
    }
    Some(file)
}
