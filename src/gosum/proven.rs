//! What is known for certain about a signed tree: tiles, each of which was checked against the
//! root or against a tile that was (`tlog.TileHashReader`).

use std::collections::BTreeMap;

use super::merkle::{Hash, Node, leaves_hash, root, subtrees};
use super::tile::{Tile, edge};
use super::tree::TreeHead;

/// Tiles that do not fit the tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Inconsistent {
    /// One of the tiles at the edge is wrong, and nobody can tell which.
    #[error("the tiles at the edge do not make the root of the tree of {0} records")]
    Edge(u64),
    /// This one is, or is not in that tree at all.
    #[error("{} does not fit the tree of {size} records", tile.path())]
    Tile {
        /// Which.
        tile: Tile,
        /// The tree's.
        size: u64,
    },
}

/// A tree of which the root is trusted, and the tiles that were proven to be in it.
#[derive(Debug, Clone)]
pub struct ProvenTree {
    head: TreeHead,
    tiles: BTreeMap<(u8, u64), (Tile, Vec<u8>)>,
}

impl ProvenTree {
    /// Begins with the tiles of [`edge`], in its order.
    ///
    /// # Errors
    /// When they do not make the tree's root.
    pub fn new(head: TreeHead, data: Vec<Vec<u8>>) -> Result<ProvenTree, Inconsistent> {
        let wrong = Inconsistent::Edge(head.size);
        let edge = edge(head.size);
        let fits = edge.len() == data.len()
            && edge
                .iter()
                .zip(&data)
                .all(|(tile, data)| tile.len() == data.len());
        if !fits {
            return Err(wrong);
        }
        let tiles = edge
            .into_iter()
            .zip(data)
            .map(|(tile, data)| ((tile.level, tile.index), (tile, data)))
            .collect();
        let tree = ProvenTree { head, tiles };
        if tree.prefix(head.size) == Some(head.root) {
            Ok(tree)
        } else {
            Err(wrong)
        }
    }

    /// The tree.
    pub fn head(&self) -> TreeHead {
        self.head
    }

    /// Takes one more full tile; the one above it must have been taken before.
    ///
    /// # Errors
    /// When it is not what the one above it says.
    pub fn add(&mut self, tile: Tile, data: Vec<u8>) -> Result<(), Inconsistent> {
        let known = self.node(tile.node());
        if !tile.is_full()
            || data.len() != tile.len()
            || known.is_none()
            || leaves_hash(&data) != known
        {
            let size = self.head.size;
            return Err(Inconsistent::Tile { tile, size });
        }
        self.tiles.insert((tile.level, tile.index), (tile, data));
        Ok(())
    }

    /// A tile that is proven, as wide as it is in this tree.
    pub fn tile(&self, level: u8, index: u64) -> Option<(Tile, &[u8])> {
        let (tile, data) = self.tiles.get(&(level, index))?;
        Some((*tile, data))
    }

    /// The hash of a subtree, if the tile that holds it is proven.
    pub fn node(&self, node: Node) -> Option<Hash> {
        let tile = Tile::of(node, self.head.size)?;
        let (tile, data) = self.tile(tile.level, tile.index)?;
        leaves_hash(data.get(tile.bytes_of(node)?)?)
    }

    /// The hash of a record, if its tile is proven.
    pub fn record(&self, id: u64) -> Option<Hash> {
        self.node(Node {
            level: 0,
            index: id,
        })
    }

    /// The root of the tree as it was with its first `older` records, if the tiles for that are
    /// proven.
    pub fn prefix(&self, older: u64) -> Option<Hash> {
        if older > self.head.size {
            return None;
        }
        let hashes: Option<Vec<Hash>> = subtrees(older)
            .into_iter()
            .map(|node| self.node(node))
            .collect();
        Some(root(hashes?.into_iter()))
    }
}
