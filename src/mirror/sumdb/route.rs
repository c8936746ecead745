//! Where a checksum database is asked: by go's rule, and in what go itself has kept of it.

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

/// Requests at once, and connections kept.
const LANES: usize = 4;
/// For one small file. go has no limit at all.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(5),
    first_byte: Duration::from_secs(10),
    patience: Duration::ZERO,
    total: Duration::from_secs(20),
    retries: 1,
};
/// A failure that took this long is no answer but a silence.
const SILENCE: Duration = Duration::from_secs(2);
/// So many silences in a row, one of each lane, and nothing is asked any more: thousands of files
/// would each be waited for.
const MOST_SILENCES: usize = LANES;
/// A busy server is not waited for any longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Who is asked. Nothing that they say is believed before it is proven.
#[derive(Debug, Default)]
pub struct Route {
    /// The way to the network: what GOPROXY says. `None`: it is not asked.
    network: Option<(Fetcher, Chain)>,
    /// `$GOMODCACHE`: `cache/download/sumdb/NAME` in it is asked first.
    gomodcache: Option<PathBuf>,
    /// The first folder of GOPATH: `pkg/sumdb/NAME/latest` in it is what go saw last.
    gopath: Option<PathBuf>,
    /// Folders of this database that are asked before any other.
    pub(super) folders: Vec<PathBuf>,
}

impl Route {
    /// Asks no network.
    pub fn offline() -> Route {
        Route::default()
    }

    /// Asks where go would with this GOPROXY (or at GOSUMDB's URL, if it has one).
    pub fn by(goproxy: Chain, env: &Environment) -> Route {
        Route {
            network: Some((Fetcher::keeping(env, LANES), goproxy)),
            ..Route::default()
        }
    }

    /// Also looks into what go has kept in its module cache, before the network is asked.
    pub fn with_cache(mut self, gomodcache: &Path) -> Route {
        self.gomodcache = Some(gomodcache.to_owned());
        self
    }

    /// Also lets the mirror keep up with the head that go saw last. `gopath`: GOPATH as it is;
    /// go looks into its first folder.
    pub fn with_last_seen(mut self, gopath: &std::ffi::OsStr) -> Route {
        let first = std::env::split_paths(gopath).next();
        self.gopath = first.filter(|first| first.is_absolute());
        self
    }

    /// go's own cache of this database.
    pub(super) fn cache(&self, name: &str) -> Option<Folder> {
        let cache = self.gomodcache.as_ref()?;
        let cache = cache.join("cache").join("download").join("sumdb");
        Some(Folder::new(Folder::new(cache).path(name)))
    }

    /// The file in which go keeps the head that it saw last, and what is in it.
    pub(super) fn last_seen(&self, name: &str) -> Option<(PathBuf, std::io::Result<Vec<u8>>)> {
        let kept = self.gopath.as_ref()?.join("pkg").join("sumdb");
        let path = Folder::new(kept).path(name).join("latest");
        match read(&path, MAX_LOOKUP) {
            Ok(None) => None,
            // go takes an empty file for none.
            Ok(Some(bytes)) if bytes.is_empty() => None,
            Ok(Some(bytes)) => Some((path, Ok(bytes))),
            Err(error) => Some((path, Err(error))),
        }
    }
}

/// What came of asking for one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    Found(Vec<u8>),
    /// The source says that there is none; why, with where.
    Absent(String),
    /// No right answer; why, with where.
    Failed(String),
}

impl Asked {
    /// The file, or why it did not come.
    pub(super) fn found(self) -> Result<Vec<u8>, String> {
        match self {
            Asked::Found(bytes) => Ok(bytes),
            Asked::Absent(why) | Asked::Failed(why) => Err(why),
        }
    }
}

/// Where a database's files are asked for in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Base {
    Web(Url),
    Folder(Folder),
}

/// The sources of one turn.
pub(super) struct Sources<'a> {
    proofs: &'a Proofs,
    route: &'a Route,
    /// In which order folders are asked.
    pub(super) folders: Vec<Folder>,
    /// Found out when the network is first needed, then fixed, as in go.
    base: tokio::sync::OnceCell<Result<Base, String>>,
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

    /// Asks the network for files, a few at once; the answers in the order of the paths.
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

    /// Asks the network for one file.
    pub(super) async fn ask(&self, path: &str, most: u64) -> Asked {
        match self.base().await {
            Ok(Base::Folder(folder)) => match read(&folder.path(path), most) {
                Ok(Some(bytes)) => Asked::Found(bytes),
                Ok(None) => Asked::Absent(format!("{} has none", folder.root.display())),
                Err(error) => Asked::Failed(format!("{}: {error}", folder.path(path).display())),
            },
            Ok(Base::Web(base)) => match &self.route.network {
                Some((fetcher, _)) => get(fetcher, &below(base, path), most).await,
                None => Asked::Failed(OFFLINE.to_owned()),
            },
            Err(why) => Asked::Failed(why.clone()),
        }
    }

    /// Can the network be asked at all? If not: why.
    pub(super) async fn reach(&self) -> Result<(), String> {
        self.base().await.as_ref().map(|_| ()).map_err(Clone::clone)
    }

    async fn base(&self) -> &Result<Base, String> {
        self.base.get_or_init(|| self.find_base()).await
    }

    /// `modfetch/sumdb.go:initBase` and `proxy.go:TryProxies`.
    async fn find_base(&self) -> Result<Base, String> {
        let Some((fetcher, chain)) = &self.route.network else {
            return Err(OFFLINE.to_owned());
        };
        let name = self.proofs.name();
        if let Some(url) = &self.proofs.url {
            return base(url);
        }
        // The first error that is no "not found" is what go reports, and where it ends.
        let mut failed = None;
        for hop in &chain.hops {
            let tried = match &hop.kind {
                HopKind::Direct => return base(&format!("https://{name}")),
                HopKind::Off => Ok(None),
                HopKind::Proxy(url) | HopKind::File(url) => {
                    self.try_hop(fetcher, &format!("sumdb/{name}"), url).await
                }
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

    /// Does this hop pass the database on? `None`: it says no.
    async fn try_hop(
        &self,
        fetcher: &Fetcher,
        below_it: &str,
        hop: &str,
    ) -> Result<Option<Base>, String> {
        match base(hop)? {
            Base::Folder(tree) => {
                // What this very mirror lacks is what is being brought.
                if tree.root == self.proofs.layout.root() {
                    return Ok(None);
                }
                let folder = Folder::new(tree.path(below_it));
                let supported = folder.path("supported");
                match read(&supported, MAX_LOOKUP) {
                    Ok(found) => Ok(found.map(|_| Base::Folder(folder))),
                    Err(error) => Err(format!("{}: {error}", supported.display())),
                }
            }
            Base::Web(url) => {
                let url = below(&url, below_it);
                match get(fetcher, &below(&url, "supported"), MAX_LOOKUP).await {
                    Asked::Found(_) => Ok(Some(Base::Web(url))),
                    Asked::Absent(_) => Ok(None),
                    Asked::Failed(why) => Err(why),
                }
            }
        }
    }
}

const OFFLINE: &str = "no network is asked";

/// One file over HTTP, with one more try where that may help.
async fn get(fetcher: &Fetcher, url: &Url, most: u64) -> Asked {
    let shown = mask(url.as_str());
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

fn base(url: &str) -> Result<Base, String> {
    let parsed = Url::parse(url).map_err(|error| format!("{}: {error}", mask(url)))?;
    if parsed.scheme() != "file" {
        return Ok(Base::Web(parsed));
    }
    match parsed.to_file_path() {
        Ok(path) => Ok(Base::Folder(Folder::new(path))),
        Err(()) => Err(format!("{url}: is no folder of this machine")),
    }
}

/// `web.Join`: a path below a URL; its query stays.
fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    // `set_path` escapes everything that has to be but this, which a version may hold.
    let path = path.replace('%', "%25");
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url
}
