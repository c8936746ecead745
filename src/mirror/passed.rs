//! `[relay] keep`: stores what the relay has passed on, judged as `mirror add` judges.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::task::spawn_blocking;

use super::layout::{Layout, Tree, VersionFile};
use super::stage::may_store;
use super::store::{Staged, Store};
use super::sumdb::{Proofs, Route};
use super::wants::refuse_other_things;
use crate::bounded;
use crate::environment::Environment;
use crate::gomod::ModuleVersion;
use crate::gomod::stored::{Claim, DatabaseAnswer, StoredMod, StoredVersion, StoredZip};
use crate::gomod::zip::ModZip;
use crate::model::Chain;
use crate::relay::passed::{Kept, NotKept, PassedStore, PassedVersion, Proof, ProofSource};
use crate::relay::spool::Content;

/// The mirror is measured again after this time: another process may have pruned it.
const MEASURED_FOR: Duration = Duration::from_secs(60);
/// How much of a zip is copied at a time.
const PIECE: usize = 1 << 20;

/// Opens the mirror at `root` for a relay. `most`: its size in bytes from which on nothing is added.
pub fn keep_in(root: &Path, most: u64, env: &Environment) -> Arc<dyn PassedStore> {
    Arc::new(PassedMirror {
        layout: Layout::new(root),
        most,
        env: env.clone(),
        size: Arc::default(),
    })
}

#[derive(Debug)]
struct PassedMirror {
    layout: Layout,
    most: u64,
    env: Environment,
    /// Its size, and when it was measured.
    size: Arc<Mutex<Option<(u64, Instant)>>>,
}

impl PassedStore for PassedMirror {
    fn store(
        &self,
        versions: Vec<PassedVersion>,
        proofs: Option<ProofSource>,
    ) -> BoxFuture<'_, Result<Kept, NotKept>> {
        self.keep(versions, proofs).boxed()
    }
}

impl PassedMirror {
    async fn keep(
        &self,
        versions: Vec<PassedVersion>,
        proofs: Option<ProofSource>,
    ) -> Result<Kept, NotKept> {
        let (layout, most, size) = (self.layout.clone(), self.most, Arc::clone(&self.size));
        let open = move || {
            let absent = absent(&layout, versions);
            if absent.is_empty() {
                return Ok((None, absent, false));
            }
            let room = most.saturating_sub(measured(&layout, &size)?);
            let (fitting, is_full) = fitting(absent, room);
            let store = match fitting.is_empty() {
                true => None,
                false => Some(Store::open_if_free(layout)?),
            };
            Ok((store, fitting, is_full))
        };
        let (store, versions, is_full) = self.on_disk(open).await?;
        let Some(store) = store else {
            return Ok(Kept {
                is_full,
                ..Kept::default()
            });
        };
        let (answered, unproven) = self.answered(versions, proofs).await;
        let size = Arc::clone(&self.size);
        let write = move || {
            let (versions, bytes) = write(store, answered)?;
            if let Some((size, _)) = &mut *lock(&size) {
                *size += bytes;
            }
            Ok(Kept {
                versions,
                is_full,
                unproven,
            })
        };
        self.on_disk(write).await
    }

    /// Runs work that blocks.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, NotKept> {
        let done = spawn_blocking(work).await.map_err(io::Error::other);
        done.flatten().map_err(|error| {
            let (root, why) = (self.layout.root().display().to_string(), error.to_string());
            if error.kind() == io::ErrorKind::WouldBlock {
                NotKept::Busy
            } else if why.contains(&root) {
                NotKept::Failed(why)
            } else {
                NotKept::Failed(format!("{root}: {why}"))
            }
        })
    }

    /// Brings the proofs of the checksum database into the mirror, from the relay itself, which
    /// knows them already. Also returns the versions whose proof could not be had.
    async fn answered(
        &self,
        versions: Vec<PassedVersion>,
        source: Option<ProofSource>,
    ) -> (Vec<(PassedVersion, DatabaseAnswer)>, Vec<PassedVersion>) {
        let covered = versions.iter();
        let covered = covered.filter(|version| version.proof == Proof::Database);
        let covered: Vec<ModuleVersion> = covered.map(|version| version.module.clone()).collect();
        let mut proofs = None;
        if !covered.is_empty()
            && let Some(source) = source
            && let Ok(opened) = Proofs::open(&self.layout, &source.sumdb)
            && let Ok(relay) = Chain::parse(&source.relay)
        {
            let route = Route::by(relay, &self.env);
            if let Err(error) = Box::pin(opened.bring(&route, &covered)).await {
                tracing::debug!(%error, "no proofs of what the relay has passed on");
            }
            proofs = Some(opened);
        }
        let (mut answered, mut unproven) = (Vec::new(), Vec::new());
        for version in versions {
            let not_asked = || DatabaseAnswer::NotAsked("GOSUMDB does not cover it".to_owned());
            let proven = || proofs.as_ref()?.answer(&version.module).ok();
            let answer = match version.proof {
                Proof::Database => proven(),
                Proof::GoSum(_) => Some(not_asked()),
            };
            match answer {
                Some(answer) => answered.push((version, answer)),
                None => unproven.push(version),
            }
        }
        (answered, unproven)
    }
}

/// The versions that the mirror lacks. What it has stays as it is: `mirror verify` judges that.
fn absent(layout: &Layout, mut versions: Vec<PassedVersion>) -> Vec<PassedVersion> {
    versions.retain(|version| {
        let is_there = |file| {
            let path = layout.file(&version.module, file);
            path.is_ok_and(|path| path.exists())
        };
        let needed: &[VersionFile] = match version.zip {
            Some(_) => &VersionFile::ALL,
            None => &[VersionFile::Mod],
        };
        !needed.iter().all(|file| is_there(*file))
    });
    versions
}

/// The size of the mirror in bytes; 0 if there is none yet.
fn measured(layout: &Layout, known: &Mutex<Option<(u64, Instant)>>) -> io::Result<u64> {
    let mut known = lock(known);
    if let Some((size, at)) = *known
        && at.elapsed() < MEASURED_FOR
    {
        return Ok(size);
    }
    refuse_other_things(layout.root()).map_err(io::Error::other)?;
    let tree = bounded::if_any(Tree::read(layout))?.unwrap_or_default();
    let versions = tree
        .modules
        .values()
        .flat_map(|module| module.versions.values());
    let size = versions.flat_map(|files| files.values()).sum();
    *known = Some((size, Instant::now()));
    Ok(size)
}

/// The versions that fit into this many bytes. The others are left out, and that is reported.
fn fitting(mut versions: Vec<PassedVersion>, mut room: u64) -> (Vec<PassedVersion>, bool) {
    let all = versions.len();
    versions.retain(|version| {
        let zip = version.zip.as_ref().map_or(0, Content::length);
        let left = room.checked_sub(zip.saturating_add(version.go_mod.len() as u64));
        room = left.unwrap_or(room);
        left.is_some()
    });
    let is_full = versions.len() < all;
    (versions, is_full)
}

/// Stores the versions that are proven. Returns how many with a zip, and their bytes.
fn write(
    mut store: Store,
    versions: Vec<(PassedVersion, DatabaseAnswer)>,
) -> io::Result<(u64, u64)> {
    let mut staged = Vec::new();
    let (mut zips, mut bytes) = (0, 0);
    for (version, answer) in versions {
        let Some(one) = stage(&mut store, &version, answer)? else {
            continue;
        };
        let zip = version.zip.as_ref().map_or(0, Content::length);
        zips += u64::from(version.zip.is_some());
        bytes += zip + version.go_mod.len() as u64;
        staged.push(one);
    }
    store.place(&staged)?;
    let modules: BTreeSet<&str> = staged.iter().map(|one| one.module.path.as_str()).collect();
    store.index(&modules)?;
    Ok((zips, bytes))
}

/// Copies a version into the spool and judges the copy; `None`: it is not what is proven.
fn stage(
    store: &mut Store,
    version: &PassedVersion,
    answer: DatabaseAnswer,
) -> io::Result<Option<Staged>> {
    let module = &version.module;
    let zip = match &version.zip {
        None => None,
        Some(content) => {
            let path = store.spool.name();
            copy(content, &path)?;
            let read = ModZip::open(&path).and_then(|zip| {
                zip.belongs_to(&module.path, &module.version)?;
                zip.h1()
            });
            let Ok(h1) = read else {
                return Ok(None);
            };
            Some((path, h1))
        }
    };
    let claims = match &version.proof {
        Proof::Database => Vec::new(),
        Proof::GoSum(sums) => sums.clone(),
    };
    let claim = |(of, hash)| Claim {
        of,
        hash,
        by: "go.sum".to_owned(),
        sure: true,
    };
    let info = version.info.as_ref().map(|info| info.to_vec());
    let stored = StoredVersion {
        info: info.clone().map(Ok),
        go_mod: Some(Ok(StoredMod::of(&version.go_mod))),
        zip: zip.as_ref().map(|(_, h1)| {
            Ok(StoredZip {
                h1: Some(h1.clone()),
                go_mod: None,
            })
        }),
        claims: claims.into_iter().map(claim).collect(),
        ..StoredVersion::of(module, answer)
    };
    if let Err(failed) = may_store(&stored, |_| PathBuf::new()) {
        tracing::debug!(why = %failed.why, "not kept in the mirror");
        return Ok(None);
    }
    Ok(Some(Staged {
        module: module.clone(),
        zip,
        go_mod: version.go_mod.to_vec(),
        info,
    }))
}

fn copy(content: &Content, to: &Path) -> io::Result<()> {
    let mut file = bounded::create_new(to)?;
    let mut done = 0;
    while done < content.length() {
        let piece = content.piece(done, PIECE)?;
        file.write_all(&piece)?;
        done += piece.len() as u64;
    }
    Ok(())
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // It is changed by single statements.
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
