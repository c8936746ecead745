//! Where a checksum database is read: from the places in go's rules, and from what go itself has
//! cached.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};
use url::Url;

use super::folder::{Folder, MAX_LOOKUP, read};
use super::proofs::Proofs;
use crate::environment::Environment;
use crate::model::{Chain, HopKind, Limits, Separator, mask};
use crate::probe::Fetcher;

/// Maximum number of parallel requests, and of connections kept open.
const LANES: usize = 4;
/// Limits for one small file. go has no limit at all.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(5),
    first_byte: Duration::from_secs(10),
    patience: Duration::ZERO,
    total: Duration::from_secs(20),
    retries: 1,
};
/// A failure that took this long counts as a timeout.
const SILENCE: Duration = Duration::from_secs(2);
/// After this many timeouts in a row, one for each lane, goroam sends no more requests: otherwise
/// it would wait for thousands of files, one by one.
const MOST_SILENCES: usize = LANES;
/// Maximum time to wait for a busy server.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// The sources to read. Their answers count only once they are proven.
#[derive(Debug, Default)]
pub struct Route {
    /// The network access that GOPROXY describes. `None`: no network.
    network: Option<(Fetcher, Chain)>,
    /// `$GOMODCACHE`: its `cache/download/sumdb/NAME` is read first.
    gomodcache: Option<PathBuf>,
    /// The first directory of GOPATH: its `pkg/sumdb/NAME/latest` has the last head that go saw.
    gopath: Option<PathBuf>,
    /// Directories of this database that are read before all others.
    pub(super) folders: Vec<PathBuf>,
}

impl Route {
    /// Uses no network.
    pub fn offline() -> Route {
        Route::default()
    }

    /// Asks where go would ask with this GOPROXY (or at GOSUMDB's URL, if it has one).
    pub fn by(goproxy: Chain, env: &Environment) -> Route {
        Route {
            network: Some((Fetcher::keeping(env, LANES), goproxy)),
            ..Route::default()
        }
    }

    /// Also reads what go has cached in its module cache, before the network.
    pub fn with_cache(mut self, gomodcache: &Path) -> Route {
        self.gomodcache = Some(gomodcache.to_owned());
        self
    }

    /// Also lets the mirror keep up with the last head that go saw. `gopath`: the unchanged GOPATH;
    /// go uses its first directory.
    pub fn with_last_seen(mut self, gopath: &std::ffi::OsStr) -> Route {
        let first = std::env::split_paths(gopath).next();
        self.gopath = first.filter(|first| first.is_absolute());
        self
    }

    /// Returns go's own cache of this database.
    pub(super) fn cache(&self, name: &str) -> Option<Folder> {
        let cache = self.gomodcache.as_ref()?;
        let cache = cache.join("cache").join("download").join("sumdb");
        Some(Folder::new(Folder::new(cache).path(name)))
    }

    /// Returns the file in which go stores the last head it saw, and its content.
    pub(super) fn last_seen(&self, name: &str) -> Option<(PathBuf, std::io::Result<Vec<u8>>)> {
        let kept = self.gopath.as_ref()?.join("pkg").join("sumdb");
        let path = Folder::new(kept).path(name).join("latest");
        match read(&path, MAX_LOOKUP) {
            Ok(None) => None,
            // For go, an empty file means no head.
            Ok(Some(bytes)) if bytes.is_empty() => None,
            Ok(Some(bytes)) => Some((path, Ok(bytes))),
            Err(error) => Some((path, Err(error))),
        }
    }
}

/// The result of a request for one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    Found(Vec<u8>),
    /// The source says that the file does not exist; the reason, with the source.
    Absent(String),
    /// No correct answer; the reason, with the source.
    Failed(String),
}

impl Asked {
    /// Returns the file, or why there is none.
    pub(super) fn found(self) -> Result<Vec<u8>, String> {
        match self {
            Asked::Found(bytes) => Ok(bytes),
            Asked::Absent(why) | Asked::Failed(why) => Err(why),
        }
    }
}

/// The sources of one run.
pub(super) struct Sources<'a> {
    proofs: &'a Proofs,
    route: &'a Route,
    /// The directories, in the order in which they are read.
    pub(super) folders: Vec<Folder>,
    /// Set when the network is first needed, and fixed from then on, as in go.
    base: tokio::sync::OnceCell<Result<Url, String>>,
}

impl<'a> Sources<'a> {
    pub(super) fn new(proofs: &'a Proofs, route: &'a Route) -> Sources<'a> {
        let mut folders = vec![proofs.folder.clone()];
        folders.extend(route.folders.iter().cloned().map(Folder::new));
        folders.extend(route.cache(proofs.name()));
        Sources {
            proofs,
            route,
            folders,
            base: tokio::sync::OnceCell::new(),
        }
    }

    /// Requests files from the network, a few in parallel; returns the answers in the order of the
    /// paths.
    pub(super) async fn ask_all(&self, paths: Vec<String>, most: u64) -> Vec<Asked> {
        let silences = &AtomicUsize::new(0);
        let ask = |path: String| async move {
            if silences.load(Ordering::Relaxed) >= MOST_SILENCES {
                return None;
            }
            let start = Instant::now();
            let answer = self.ask(&path, most).await;
            match answer {
                Asked::Failed(_) if start.elapsed() < SILENCE => {}
                Asked::Failed(_) => {
                    silences.fetch_add(1, Ordering::Relaxed);
                }
                Asked::Found(_) | Asked::Absent(_) => silences.store(0, Ordering::Relaxed),
            }
            Some(answer)
        };
        let answers: Vec<Option<Asked>> = stream::iter(paths.into_iter().map(ask))
            .buffered(LANES)
            .collect()
            .await;
        let failed = answers.iter().flatten().find_map(|answer| match answer {
            Asked::Failed(why) => Some(format!("not asked for, since others failed: {why}")),
            Asked::Found(_) | Asked::Absent(_) => None,
        });
        let none = || Asked::Failed(failed.clone().unwrap_or_default());
        let answers = answers.into_iter();
        answers.map(|answer| answer.unwrap_or_else(none)).collect()
    }

    /// Requests one file from the network.
    pub(super) async fn ask(&self, path: &str, most: u64) -> Asked {
        match (self.base().await, &self.route.network) {
            (Ok(base), Some((fetcher, _))) => get(fetcher, &below(base, path), most).await,
            (Err(why), _) => Asked::Failed(why.clone()),
            (Ok(_), None) => Asked::Failed(OFFLINE.to_owned()),
        }
    }

    /// Checks that the network can be used. Otherwise returns why not.
    pub(super) async fn reach(&self) -> Result<(), String> {
        self.base().await.as_ref().map(|_| ()).map_err(Clone::clone)
    }

    async fn base(&self) -> &Result<Url, String> {
        self.base.get_or_init(|| self.find_base()).await
    }

    /// Follows `modfetch/sumdb.go:initBase` and `proxy.go:TryProxies`.
    async fn find_base(&self) -> Result<Url, String> {
        let Some((fetcher, chain)) = &self.route.network else {
            return Err(OFFLINE.to_owned());
        };
        let name = self.proofs.name();
        if let Some(url) = &self.proofs.url {
            return base(url);
        }
        // go stops at the first error that is not "not found", and reports it.
        let mut failed = None;
        for hop in &chain.hops {
            let tried = match &hop.kind {
                HopKind::Direct => return base(&format!("https://{name}")),
                HopKind::Off => Ok(None),
                HopKind::Proxy(url) | HopKind::File(url) => self.try_hop(fetcher, url).await,
            };
            match tried {
                Ok(Some(base)) => return Ok(base),
                Ok(None) => {}
                Err(why) => {
                    failed = Some(why);
                    if hop.then != Some(Separator::Pipe) {
                        break;
                    }
                }
            }
        }
        match failed {
            Some(why) => Err(why),
            None => base(&format!("https://{name}")),
        }
    }

    /// Finds out whether this hop serves the database. `None`: it does not.
    async fn try_hop(&self, fetcher: &Fetcher, hop: &str) -> Result<Option<Url>, String> {
        let hop = base(hop)?;
        // This mirror itself cannot provide what it lacks.
        let own = self.proofs.layout.root();
        if hop.scheme() == "file" && hop.to_file_path().is_ok_and(|folder| folder == own) {
            return Ok(None);
        }
        let url = below(&hop, &format!("sumdb/{}", self.proofs.name()));
        match get(fetcher, &below(&url, "supported"), MAX_LOOKUP).await {
            Asked::Found(_) => Ok(Some(url)),
            Asked::Absent(_) => Ok(None),
            Asked::Failed(why) => Err(why),
        }
    }
}

const OFFLINE: &str = "no network is asked";

/// Fetches one file: from a directory, or over HTTP with one retry where that may help.
async fn get(fetcher: &Fetcher, url: &Url, most: u64) -> Asked {
    let shown = mask(url.as_str());
    if url.scheme() == "file" {
        let Ok(path) = url.to_file_path() else {
            return Asked::Failed(format!("{shown}: is not a directory of this machine"));
        };
        return match read(&path, most) {
            Ok(Some(bytes)) => Asked::Found(bytes),
            Ok(None) => Asked::Absent(format!("{} is not there", path.display())),
            Err(error) => Asked::Failed(format!("{}: {error}", path.display())),
        };
    }
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut tries = 0;
    loop {
        tries += 1;
        let last = tries > LIMITS.retries;
        match fetcher.get(url.as_str(), LIMITS, most).await {
            Err(error) if last || error.verdict != crate::model::Verdict::Down => {
                return Asked::Failed(format!("{shown}: {error}"));
            }
            Err(_) => {}
            Ok(answer) => match answer.status {
                200 if answer.cut => {
                    return Asked::Failed(format!("{shown}: longer than {most} bytes"));
                }
                200 => return Asked::Found(answer.body),
                404 | 410 => return Asked::Absent(format!("{shown}: {}", answer.status)),
                429 | 500..=599 if !last => {
                    let wait = answer.retry_after.unwrap_or(Duration::from_secs(1));
                    tokio::time::sleep(wait.min(LONGEST_WAIT)).await;
                }
                status => return Asked::Failed(format!("{shown}: {status}")),
            },
        }
    }
}

fn base(url: &str) -> Result<Url, String> {
    Url::parse(url).map_err(|error| format!("{}: {error}", mask(url)))
}

/// Like `web.Join`: returns a path below a URL; keeps the query.
fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    // `set_path` escapes everything except this character, which a version may contain.
    let path = path.replace('%', "%25");
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url
}
