//! What the checksum database says about modules, proven in its signed tree: the part of
//! `golang.org/x/mod/sumdb.Client` that a relay needs, without a cache on disk. The relay asks only
//! about paths that a public hop serves, and that neither GOPRIVATE nor GONOSUMDB covers.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex as StdMutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use tokio::sync::{Mutex, OnceCell};

use super::spool::lock;

use crate::gomod::ModuleVersion;
use crate::gomod::go_sum::{self, Hashed};
use crate::gomod::sum::tile::{edge, lines_hash, prove_prefix, prove_record};
use crate::gomod::sum::{LookupRecord, ProvenTree, Tile, TreeHead};
use crate::model::VerifierKey;

/// Modules whose answers are remembered; a build has a few hundred.
const MOST_KNOWN: usize = 20_000;
/// After a failure the database is left alone for this long.
const PAUSE: Duration = Duration::from_secs(10);

/// The servers that can be asked for a file of the database, in order.
pub(super) trait DatabaseSource: Sync {
    /// How many there are.
    fn count(&self) -> usize;

    /// May the path be sent to another server although this one has answered, but not rightly?
    fn passes_on(&self, server: usize) -> bool;

    /// Asks for `lookup/…` or `tile/…`: one server, or (`None`) one after another as for a module.
    fn fetch<'a>(&'a self, server: Option<usize>, path: &'a str) -> BoxFuture<'a, Fetch>;
}

/// The result of asking.
#[derive(Debug, Clone)]
pub(super) enum Fetch {
    /// The file.
    Found(Bytes),
    /// It is not there; another server may be asked.
    Next,
    /// It cannot be had, and no other server may be asked.
    Stop,
}

/// All servers as usual; if what came is wrong, each by itself.
fn ways(source: &dyn DatabaseSource) -> impl Iterator<Item = Option<usize>> {
    std::iter::once(None).chain((0..source.count()).map(Some))
}

/// A module's record.
#[derive(Debug, Clone)]
struct Proven {
    answer: Bytes,
    sums: BTreeMap<Hashed, String>,
}

/// A module's record, asked for once however many wait for it.
type Asked = Arc<OnceCell<Proven>>;

/// The client. Many modules are asked about at the same time: a server may be far away.
#[derive(Debug)]
pub(super) struct Checksums {
    key: VerifierKey,
    tree: Mutex<Option<ProvenTree>>,
    known: StdMutex<BTreeMap<ModuleVersion, Asked>>,
    paused_until: StdMutex<Option<Instant>>,
}

impl Checksums {
    pub(super) fn new(key: VerifierKey) -> Checksums {
        Checksums {
            key,
            tree: Mutex::default(),
            known: StdMutex::default(),
            paused_until: StdMutex::default(),
        }
    }

    /// The name of the database.
    pub(super) fn name(&self) -> &str {
        &self.key.name
    }

    /// The proven hash of a file; `None` if the database does not know it or cannot be asked: then
    /// go itself decides.
    pub(super) async fn hash(
        &self,
        module: &ModuleVersion,
        of: Hashed,
        source: &dyn DatabaseSource,
    ) -> Option<String> {
        self.prove(module, source).await?.sums.get(&of).cloned()
    }

    /// The proven answer to a lookup.
    pub(super) async fn lookup(
        &self,
        module: &ModuleVersion,
        source: &dyn DatabaseSource,
    ) -> Option<Bytes> {
        Some(self.prove(module, source).await?.answer)
    }

    /// A tile, if it has been proven.
    pub(super) async fn tile(&self, path: &str) -> Option<Bytes> {
        let wanted = Tile::parse(path)?;
        let tree = self.tree.lock().await;
        let (_, data) = tree.as_ref()?.tile(wanted.level, wanted.index)?;
        data.get(..wanted.length()).map(Bytes::copy_from_slice)
    }

    async fn prove(&self, module: &ModuleVersion, source: &dyn DatabaseSource) -> Option<Proven> {
        let asked = {
            let mut known = lock(&self.known);
            match known.get(module) {
                Some(asked) => Arc::clone(asked),
                None => {
                    let asked = Asked::default();
                    if known.len() < MOST_KNOWN {
                        known.insert(module.clone(), Arc::clone(&asked));
                    }
                    asked
                }
            }
        };
        let proven = asked.get_or_try_init(|| self.ask(module, source)).await;
        proven.ok().cloned()
    }

    async fn ask(
        &self,
        module: &ModuleVersion,
        source: &dyn DatabaseSource,
    ) -> Result<Proven, Unproven> {
        let is_paused = |until: Instant| Instant::now() < until;
        if lock(&self.paused_until).is_some_and(is_paused) {
            return Err(Unproven::NoAnswer);
        }
        let proven = match self.proven(module, source).await {
            Ok(proven) => Some(proven),
            Err(Unproven::Unknown) => return Err(Unproven::Unknown),
            Err(Unproven::NoAnswer) => None,
        };
        if proven.is_none() {
            *lock(&self.paused_until) = Some(Instant::now() + PAUSE);
        }
        proven.ok_or(Unproven::NoAnswer)
    }

    /// Proves that the tree holds the record.
    async fn in_tree(
        &self,
        module: &ModuleVersion,
        signed: Signed,
        source: &dyn DatabaseSource,
    ) -> Option<Proven> {
        let missing = {
            let mut tree = self.tree.lock().await;
            if tree
                .as_ref()
                .is_none_or(|tree| tree.head().size < signed.head.size)
            {
                *tree = Some(grow(tree.as_ref(), signed.head, source).await?);
            }
            let tree = tree.as_ref()?;
            let mut needed = prove_record(signed.id, tree.head().size)?;
            needed.retain(|tile| tree.tile(tile.level, tile.index).is_none());
            needed
        };
        // Meanwhile other modules' tiles may come.
        let fetched = missing
            .iter()
            .map(|tile| async { (*tile, tile_of(None, *tile, source).await) });
        let fetched = join_all(fetched).await.into_iter();
        let came = fetched.filter_map(|(tile, data)| Some((tile, data?.ok()?)));
        let mut tree = self.tree.lock().await;
        let tree = tree.as_mut()?;
        let needed = prove_record(signed.id, tree.head().size)?;
        add(tree, needed, came.collect(), source).await?;
        if tree.record(signed.id) != Some(signed.leaf) {
            tracing::warn!(%module, "the checksum database's answer is not in its own tree");
            return None;
        }
        Some(signed.proven)
    }

    /// The first answer about the module that the database has signed, and whose record is in its
    /// tree: the signature is not about the record.
    async fn proven(
        &self,
        module: &ModuleVersion,
        source: &dyn DatabaseSource,
    ) -> Result<Proven, Unproven> {
        let escaped = module.escaped().map_err(|_| Unproven::Unknown)?;
        let path = format!("lookup/{escaped}");
        let mut end = Unproven::Unknown;
        for way in ways(source) {
            match source.fetch(way, &path).await {
                Fetch::Found(answer) => {
                    if let Some(signed) = self.read(module, answer)
                        && let Some(proven) = self.in_tree(module, signed, source).await
                    {
                        return Ok(proven);
                    }
                    if way.is_some_and(|server| !source.passes_on(server)) {
                        return Err(Unproven::NoAnswer);
                    }
                    end = Unproven::NoAnswer;
                }
                // All of them have been asked, and none has it.
                Fetch::Next if way.is_none() => return Err(Unproven::Unknown),
                Fetch::Next => {}
                Fetch::Stop => return Err(Unproven::NoAnswer),
            }
        }
        Err(end)
    }

    fn read(&self, module: &ModuleVersion, answer: Bytes) -> Option<Signed> {
        let record = LookupRecord::parse(&answer).ok()?;
        let head = TreeHead::parse(record.tree.verify(&self.key).ok()?).ok()?;
        let sums = sums(record.lines, module);
        let (id, leaf) = (record.id, lines_hash(record.lines));
        (!sums.is_empty()).then_some(Signed {
            head,
            id,
            leaf,
            proven: Proven { answer, sums },
        })
    }
}

/// Why there is no signed answer.
enum Unproven {
    /// The database does not know the module.
    Unknown,
    /// No server gave an answer that can be proven.
    NoAnswer,
}

/// An answer whose tree is signed; that the tree holds the record is not proven yet.
struct Signed {
    head: TreeHead,
    id: u64,
    leaf: [u8; 32],
    proven: Proven,
}

/// The tree of a newer head, which must begin with the tree before it.
async fn grow(
    older: Option<&ProvenTree>,
    head: TreeHead,
    source: &dyn DatabaseSource,
) -> Option<ProvenTree> {
    // The tiles at the edge prove each other only together, so they come from one server.
    let mut tree = None;
    for way in ways(source) {
        let mut data = Vec::new();
        for tile in edge(head.size) {
            let Ok(tile) = tile_of(way, tile, source).await? else {
                break;
            };
            data.push(tile);
        }
        tree = ProvenTree::new(head, data).ok();
        if tree.is_some() {
            break;
        }
    }
    let mut tree = tree?;
    if let Some(older) = older.map(ProvenTree::head) {
        let needed = prove_prefix(older.size, head.size)?;
        add(&mut tree, needed, BTreeMap::new(), source).await?;
        if tree.prefix(older.size) != Some(older.root) {
            tracing::warn!("the checksum database has shown two trees that contradict each other");
            return None;
        }
    }
    Some(tree)
}

/// Adds tiles, of which some have come already; each is proven by the one on the level above it.
async fn add(
    tree: &mut ProvenTree,
    tiles: Vec<Tile>,
    mut came: BTreeMap<Tile, Vec<u8>>,
    source: &dyn DatabaseSource,
) -> Option<()> {
    let mut tiles: Vec<Tile> = BTreeSet::from_iter(tiles).into_iter().collect();
    tiles.sort_by_key(|tile| Reverse(tile.level));
    for tile in tiles {
        if let Some(data) = came.remove(&tile) {
            let _ = tree.add(tile, data);
        }
        let mut ways = ways(source);
        while tree.tile(tile.level, tile.index).is_none() {
            if let Ok(data) = tile_of(ways.next()?, tile, source).await? {
                // A wrong tile: another server may have the right one.
                let _ = tree.add(tile, data);
            }
        }
    }
    Some(())
}

/// A server has no such tile.
struct NoTile;

/// A tile by its own name, else cut from the full one, as go does (`client.go:readTile`). `None`:
/// no other server may be asked.
async fn tile_of(
    server: Option<usize>,
    tile: Tile,
    source: &dyn DatabaseSource,
) -> Option<Result<Vec<u8>, NoTile>> {
    for path in [tile.path(), tile.full().path()] {
        match source.fetch(server, &path).await {
            Fetch::Found(data) => {
                let mut data = data.to_vec();
                data.truncate(tile.length());
                return Some(Ok(data));
            }
            Fetch::Next if tile.is_full() => break,
            Fetch::Next => {}
            Fetch::Stop => return None,
        }
    }
    Some(Err(NoTile))
}

/// The hashes of this module in a record, which holds lines of go.sum.
fn sums(lines: &str, module: &ModuleVersion) -> BTreeMap<Hashed, String> {
    let lines = go_sum::parse(lines).unwrap_or_default().into_iter();
    let own = lines.filter(|line| line.module == *module && line.hash.starts_with("h1:"));
    own.map(|line| (line.of, line.hash)).collect()
}
