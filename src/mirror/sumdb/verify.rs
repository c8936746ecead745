//! Looking at everything that is stored.

use std::io;
use std::path::{Path, PathBuf};

use super::error::ProofError;
use super::folder::{MAX_TILE, read};
use super::heads::SignedHead;
use super::local::{began_as, extend, open_tree};
use super::proofs::Proofs;
use crate::gomod::sum::tile::way_down;
use crate::gomod::sum::{Inconsistent, ProvenTree, Tile};

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    /// The newest head.
    pub head: Option<SignedHead>,
    /// Heads that were ever shown to go, all of them.
    pub heads: usize,
    /// Lookups that are proven.
    pub lookups: usize,
    /// Tiles that are proven.
    pub tiles: usize,
    /// Tiles that belong to no tree that is kept, as a killed turn leaves them: harmless.
    pub strays: usize,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

/// A file that is not as it should be.
#[derive(Debug)]
pub struct Fault {
    /// Which.
    pub path: PathBuf,
    /// What is wrong with it.
    pub error: ProofError,
}

impl Report {
    fn fault(&mut self, path: &Path, error: ProofError) {
        self.faults.push(Fault {
            path: path.to_owned(),
            error,
        });
    }

    fn broken(&mut self, path: &Path, why: &str) {
        let error = io::Error::new(io::ErrorKind::InvalidData, why);
        let error = ProofError::Unreadable {
            path: path.to_owned(),
            error,
        };
        self.fault(path, error);
    }
}

impl Proofs {
    /// Proves every lookup, every head and every tile that is stored, with no network.
    ///
    /// # Errors
    /// When the folder itself cannot be read. What is wrong within is in the report.
    pub fn verify(&self) -> Result<Report, ProofError> {
        let heads = self.stored_heads()?;
        self.now_knows(heads.clone());
        let mut report = Report {
            heads: heads.len(),
            head: heads.last().cloned(),
            ..Report::default()
        };
        let lookups = self.lookups()?;
        for (module, path) in &lookups {
            let Some(module) = module else {
                report.broken(path, "is not named after a module, as lookups are");
                continue;
            };
            let proven = match self.lookup(path) {
                Ok(Some(lookup)) => self.prove_lookup(module, path, &lookup).map(|_| ()),
                Ok(None) => continue,
                Err(error) => Err(error),
            };
            match proven {
                Ok(()) => report.lookups += 1,
                Err(error) => report.fault(path, error),
            }
        }
        let supported = self.folder.path("supported");
        if !lookups.is_empty() && !supported.is_file() {
            report.broken(&supported, "is not there, so go will not ask here");
        }
        let Some(newest) = heads.last() else {
            return Ok(report);
        };
        let mut tree = match open_tree(&self.folder, newest.head) {
            Ok(tree) => tree,
            Err(error) => {
                report.fault(&self.folder.root, error);
                return Ok(report);
            }
        };
        for older in &heads {
            // From it, go could follow to the newest; and it begins by reading that tree's edge.
            let proven = began_as(&self.folder, &mut tree, newest, older)
                .and_then(|()| open_tree(&self.folder, older.head));
            if let Err(error) = proven {
                report.fault(&self.ledger(), error);
            }
        }
        self.verify_tiles(&mut tree, &mut report)?;
        Ok(report)
    }

    fn verify_tiles(&self, tree: &mut ProvenTree, report: &mut Report) -> Result<(), ProofError> {
        let tiles = self
            .folder
            .tiles()
            .map_err(|error| ProofError::Unreadable {
                path: self.folder.path("tile"),
                error,
            })?;
        for (tile, path) in tiles {
            let Some(tile) = tile else {
                report.broken(&path, "is not named as tiles are");
                continue;
            };
            let data = match read(&path, MAX_TILE) {
                Ok(Some(data)) => data,
                Ok(None) => continue,
                Err(error) => {
                    report.fault(
                        &path,
                        ProofError::Unreadable {
                            path: path.clone(),
                            error,
                        },
                    );
                    continue;
                }
            };
            if data.len() != tile.length() {
                let why = format!("has {} bytes instead of {}", data.len(), tile.length());
                report.broken(&path, &why);
                continue;
            }
            match self.right(tree, tile) {
                Some(right) if right == data => report.tiles += 1,
                Some(_) => {
                    let size = tree.head().size;
                    let error = ProofError::Inconsistent {
                        folder: self.folder.root.clone(),
                        error: Inconsistent::Tile { tile, size },
                    };
                    report.fault(&path, error);
                }
                None => report.strays += 1,
            }
        }
        Ok(())
    }

    /// What a tile of the newest tree must hold; `None` where that is not to be known here.
    fn right(&self, tree: &mut ProvenTree, tile: Tile) -> Option<Vec<u8>> {
        let size = tree.head().size;
        let now = Tile::at(tile.level, tile.index, size).filter(|now| now.width >= tile.width)?;
        if now.is_full() {
            let way = way_down(now.node(), size)?;
            // Above it all must be right to judge it; then what stands above it is its hash.
            extend(&self.folder, tree, &way).ok()?;
            match extend(&self.folder, tree, &[now]) {
                Ok(()) => {}
                Err(ProofError::NoTile { .. }) => return None,
                // The one that is judged, or the full one of which it is the beginning.
                Err(_) => return Some(Vec::new()),
            }
        }
        let (_, data) = tree.tile(now.level, now.index)?;
        data.get(..tile.length()).map(<[u8]>::to_vec)
    }
}
