//! Read-through: what passed is offered to the mirror, which keeps what is proven. One task stores
//! one batch after another, after go has its answer.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::epoch::Epoch;
use super::passed::{NotKept, PassedVersion, Proof, ProofSource};
use super::rules::hop::HopClass;
use super::rules::request::{ModuleFile, ProxyRequest};
use super::spool::{Content, lock};
use super::walk::{Reply, Walk};
use crate::gomod::ModuleVersion;
use crate::gomod::go_sum::Hashed;
use crate::model::SumDb;

/// Files that may wait to be stored: each zip is an open file. What comes while they wait is not
/// kept.
const MOST_WAITING: usize = 1024;
/// Files that are stored at once: the disk is waited for once.
const BATCH: usize = 128;
/// Small files in bytes that are remembered until their zip comes; without them the proxy is asked
/// again.
const MOST_REMEMBERED: usize = 1 << 20;
/// Missing small files that are asked for at once.
const LANES: usize = 4;
/// go asks for the small files of a version soon after its zip, and for the next version.
const SETTLE: Duration = Duration::from_millis(500);
/// How often the checksum database is asked for the proof of a version.
const TRIES: usize = 3;
/// While another goroam writes to the mirror, and before the database is asked again.
const PAUSE: Duration = Duration::from_secs(2);

/// A file that has passed.
#[derive(Debug)]
struct PassedFile {
    epoch: Arc<Epoch>,
    class: HopClass,
    module: ModuleVersion,
    file: ModuleFile,
    content: Content,
}

/// The way to the task that stores.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    task: Mutex<Option<(Sender<PassedFile>, JoinHandle<()>)>>,
    /// The relay's own URL, once it listens.
    pub(super) url: OnceLock<String>,
}

impl Keeping {
    /// Offers what go gets to the mirror, if there is one.
    pub(super) fn offer(&self, epoch: &Arc<Epoch>, request: ProxyRequest, reply: &Reply) {
        let Some(url) = self.url.get().filter(|_| epoch.setup.keep.is_some()) else {
            return;
        };
        let (ProxyRequest::Module { module, file }, Reply::File { content, class }) =
            (request, reply)
        else {
            return;
        };
        let version = match &file {
            ModuleFile::Info(version) | ModuleFile::Mod(version) | ModuleFile::Zip(version) => {
                version.as_str()
            }
            ModuleFile::List | ModuleFile::Latest => return,
        };
        let class = *class;
        if class == HopClass::Local {
            return;
        }
        let passed = PassedFile {
            epoch: Arc::clone(epoch),
            class,
            module: ModuleVersion::new(module, version),
            content: content.clone(),
            file,
        };
        let mut task = lock(&self.task);
        let (to, _) = task.get_or_insert_with(|| {
            let (to, from) = channel(MOST_WAITING);
            (to, tokio::spawn(store_all(url.clone(), from)))
        });
        if to.try_send(passed).is_err() {
            tracing::debug!("too many files wait for the mirror: one is not kept");
        }
    }

    /// Waits until what was offered is stored, for this long at most.
    pub(super) async fn finish(&self, limit: Duration) {
        let task = lock(&self.task).take();
        if let Some((to, task)) = task {
            drop(to);
            // What is not stored by then is not kept.
            let _ = timeout(limit, task).await;
        }
    }
}

/// Small files that came before their zip.
#[derive(Debug, Default)]
struct Remembered {
    files: HashMap<(ModuleVersion, bool), Bytes>,
    bytes: usize,
}

impl Remembered {
    fn add(&mut self, module: &ModuleVersion, is_info: bool, bytes: Bytes) {
        if self.bytes + bytes.len() > MOST_REMEMBERED {
            self.files.clear();
            self.bytes = 0;
        }
        if bytes.len() <= MOST_REMEMBERED {
            self.bytes += bytes.len();
            self.files.insert((module.clone(), is_info), bytes);
        }
    }

    fn get(&self, module: &ModuleVersion, is_info: bool) -> Option<Bytes> {
        self.files.get(&(module.clone(), is_info)).cloned()
    }
}

/// Stores what comes, until the relay ends.
async fn store_all(url: String, mut files: Receiver<PassedFile>) {
    let mut small = Remembered::default();
    let mut batch = Vec::new();
    while files.recv_many(&mut batch, BATCH).await > 0 {
        let more =
            async { while batch.len() < BATCH && files.recv_many(&mut batch, BATCH).await > 0 {} };
        // What a batch lacks by then is asked for.
        let _ = timeout(SETTLE, more).await;
        // Each epoch has its chain and its mirror; most batches are of one.
        while let Some(first) = batch.first() {
            let epoch = Arc::clone(&first.epoch);
            let is_own = |file: &mut PassedFile| Arc::ptr_eq(&file.epoch, &epoch);
            let own = batch.extract_if(.., is_own).collect();
            let versions = gather(&epoch, own, &mut small).await;
            if !versions.is_empty() {
                store(&epoch, &url, versions).await;
            }
        }
    }
}

/// Makes versions of files; asks for small files that are missing.
async fn gather(
    epoch: &Epoch,
    files: Vec<PassedFile>,
    small: &mut Remembered,
) -> Vec<PassedVersion> {
    let mut zips: BTreeMap<ModuleVersion, Content> = BTreeMap::new();
    let mut wanted: BTreeMap<ModuleVersion, HopClass> = BTreeMap::new();
    for PassedFile {
        class,
        module,
        file,
        content,
        ..
    } in files
    {
        match file {
            ModuleFile::Info(_) => small.add(&module, true, content.bytes()),
            ModuleFile::Mod(_) => {
                small.add(&module, false, content.bytes());
                wanted.entry(module).or_insert(class);
            }
            ModuleFile::Zip(_) => {
                zips.insert(module.clone(), content);
                wanted.insert(module, class);
            }
            ModuleFile::List | ModuleFile::Latest => {}
        }
    }
    let small = &*small;
    let versions = wanted.into_iter().map(|(module, class)| {
        let zip = zips.remove(&module);
        async move {
            let proof = proof(epoch, &module, class, zip.is_some())?;
            let version = || module.version.clone();
            let go_mod = match small.get(&module, false) {
                Some(go_mod) => go_mod,
                None => {
                    let file = ModuleFile::Mod(version());
                    missing(epoch, &module, file).await?
                }
            };
            let mut info = small.get(&module, true);
            if info.is_none() && zip.is_some() {
                let file = ModuleFile::Info(version());
                info = Some(missing(epoch, &module, file).await?);
            }
            Some(PassedVersion {
                module,
                go_mod,
                info,
                zip,
                proof,
            })
        }
    });
    let versions: Vec<_> = versions.collect();
    let mut versions = stream::iter(versions).buffer_unordered(LANES);
    let mut all = Vec::new();
    while let Some(version) = versions.next().await {
        all.extend(version);
    }
    all
}

/// Asks for a small file that go did not need; it does not count among go's requests.
async fn missing(epoch: &Epoch, module: &ModuleVersion, file: ModuleFile) -> Option<Bytes> {
    let end = match file {
        ModuleFile::Info(_) => "info",
        ModuleFile::Mod(_) => "mod",
        ModuleFile::List | ModuleFile::Latest | ModuleFile::Zip(_) => return None,
    };
    let ModuleVersion { path, version } = module.escaped().ok()?;
    let path = format!("/{path}/@v/{version}.{end}").replace('!', "%21");
    let request = ProxyRequest::Module {
        module: module.path.clone(),
        file,
    };
    let walk = Walk {
        epoch,
        hops: &epoch.hops,
        end: epoch.setup.chain.end,
        is_private: epoch.setup.chain.is_private(&module.path),
        request: &request,
        path: &path,
    };
    Some(walk.file().await?.bytes())
}

/// What must prove a version, so that `goroam mirror verify` finds it proven; `None`: nothing can.
/// The database is asked only about what a public hop has served.
fn proof(epoch: &Epoch, module: &ModuleVersion, class: HopClass, has_zip: bool) -> Option<Proof> {
    let setup = &epoch.setup;
    let is_covered = matches!(setup.sumdb, Some(SumDb::Database { .. }))
        && !setup.no_sumdb.matches(&module.path);
    if is_covered {
        let may_be_asked = class == HopClass::Public && !setup.chain.is_private(&module.path);
        return may_be_asked.then_some(Proof::Database);
    }
    let needed = match has_zip {
        true => BTreeSet::from([Hashed::GoMod, Hashed::Zip]),
        false => BTreeSet::from([Hashed::GoMod]),
    };
    let sums = needed.into_iter().map(|of| {
        let hash = epoch.go_sum.get(&(module.clone(), of))?;
        Some((of, hash.clone()))
    });
    sums.collect::<Option<Vec<_>>>().map(Proof::GoSum)
}

/// Stores versions, and says once why that cannot be.
async fn store(epoch: &Epoch, url: &str, mut versions: Vec<PassedVersion>) {
    let Some(mirror) = &epoch.setup.keep else {
        return;
    };
    let proofs = epoch.setup.sumdb.clone().map(|sumdb| ProofSource {
        sumdb,
        relay: url.to_owned(),
    });
    let mut tries = 0;
    while !versions.is_empty() && tries < TRIES {
        match mirror.store(versions.clone(), proofs.clone()).await {
            Ok(kept) => {
                let why = "the mirror is as large as [relay] max_size allows".to_owned();
                let trouble = kept.is_full.then_some(why);
                epoch.stats().kept(kept.versions, trouble);
                versions = kept.unproven;
                tries += 1;
            }
            Err(NotKept::Busy) => {}
            Err(NotKept::Failed(why)) => return epoch.stats().kept(0, Some(why)),
        }
        if !versions.is_empty() {
            sleep(PAUSE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::environment::Environment;
    use crate::gomod::go_sum::GoSumLine;
    use crate::relay::RelaySetup;
    use crate::relay::rules::chain::KnownProxies;
    use crate::relay::rules::hop::HopLimits;

    /// Private and unknown paths are never asked of a database, and kept only if go.sum proves all.
    #[tokio::test]
    async fn a_version_is_proven_by_what_verify_will_ask() {
        let value = |name: &str| match name {
            "GOPROXY" => "https://proxy.golang.org",
            "GOPRIVATE" | "GONOSUMDB" => "corp.example",
            "GONOPROXY" => "corp.example,half.example",
            "GOSUMDB" => "sum.golang.org",
            _ => "",
        };
        let (known, limits) = (KnownProxies::default(), HopLimits::default());
        let setup = RelaySetup::of_go_env(value, &known, limits, PathBuf::new()).unwrap();
        let line = |of, path: &str| GoSumLine {
            module: ModuleVersion::new(path, "v1.0.0"),
            of,
            hash: "h1:x=".to_owned(),
            line: 1,
        };
        let setup = RelaySetup {
            go_sum: vec![
                line(Hashed::Zip, "corp.example/a"),
                line(Hashed::GoMod, "corp.example/a"),
                line(Hashed::GoMod, "corp.example/b"),
                line(Hashed::Zip, "half.example/a"),
                line(Hashed::GoMod, "half.example/a"),
            ],
            ..setup
        };
        let epoch = Epoch::new(&Environment::default(), setup, Arc::default());
        let proof = |path: &str, class, has_zip| {
            let module = ModuleVersion::new(path, "v1.0.0");
            proof(&epoch, &module, class, has_zip)
        };
        let (public, unknown) = (HopClass::Public, HopClass::Gatekeeper);
        let sums = |of: &[Hashed]| {
            let sums = of.iter().map(|of| (*of, "h1:x=".to_owned()));
            Some(Proof::GoSum(sums.collect()))
        };
        assert_eq!(proof("rsc.io/quote", public, true), Some(Proof::Database));
        assert_eq!(proof("rsc.io/quote", unknown, true), None);
        let both = sums(&[Hashed::Zip, Hashed::GoMod]);
        assert_eq!(proof("corp.example/a", unknown, true), both);
        assert_eq!(proof("corp.example/b", unknown, true), None);
        let go_mod = sums(&[Hashed::GoMod]);
        assert_eq!(proof("corp.example/b", unknown, false), go_mod);
        assert_eq!(proof("corp.example/c", public, true), None);
        // GONOPROXY alone: go itself would ask the database, which the relay must not.
        assert_eq!(proof("half.example/a", public, true), None);
    }
}
