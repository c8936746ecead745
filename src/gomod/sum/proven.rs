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
                .all(|(tile, data)| tile.length() == data.len());
        if !fits {
            return Err(wrong);
        }
        let tiles = edge.into_iter().zip(data);
        let tiles =
            BTreeMap::from_iter(tiles.map(|(tile, data)| ((tile.level, tile.index), (tile, data))));
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
            || data.len() != tile.length()
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::merkle::{node_hash, record_hash};
    use super::super::tile::{prove_prefix, prove_record};
    use super::*;

    /// The root over these records as RFC 6962 puts it, with nothing of the code above.
    fn naive(records: &[Hash]) -> Hash {
        match records {
            [] => super::super::merkle::EMPTY,
            [record] => *record,
            _ => {
                let (left, right) = records.split_at(records.len().next_power_of_two() / 2);
                node_hash(&naive(left), &naive(right))
            }
        }
    }

    fn records(size: usize) -> Vec<Hash> {
        (0..size)
            .map(|id| record_hash(format!("record {id}\n").as_bytes()))
            .collect()
    }

    fn data(records: &[Hash], tile: Tile) -> Vec<u8> {
        let each = 256_usize.pow(u32::from(tile.level));
        let first = usize::try_from(tile.index).unwrap() * 256;
        (first..first + usize::from(tile.width))
            .flat_map(|i| naive(&records[i * each..(i + 1) * each]))
            .collect()
    }

    fn head(records: &[Hash]) -> TreeHead {
        TreeHead {
            size: records.len() as u64,
            root: naive(records),
        }
    }

    /// The tree by these tiles, as `change` has changed them.
    fn build(
        records: &[Hash],
        tiles: &[Tile],
        mut change: impl FnMut(Tile, Vec<u8>) -> Vec<u8>,
    ) -> Result<ProvenTree, Inconsistent> {
        let edges = edge(records.len() as u64);
        let first: Vec<_> = edges
            .iter()
            .map(|tile| change(*tile, data(records, *tile)))
            .collect();
        let mut tree = ProvenTree::new(head(records), first)?;
        for tile in tiles.iter().filter(|tile| tile.is_full()) {
            tree.add(*tile, change(*tile, data(records, *tile)))?;
        }
        Ok(tree)
    }

    #[test]
    fn a_tile_is_taken_only_below_what_proves_it() {
        let records = records(70_000);
        let tiles = prove_record(3, 70_000).unwrap();
        let names: Vec<_> = tiles.iter().map(|tile| tile.path()).collect();
        assert_eq!(
            names,
            [
                "tile/8/2/000.p/1",
                "tile/8/1/001.p/17",
                "tile/8/0/273.p/112",
                "tile/8/1/000",
                "tile/8/0/000"
            ]
        );
        let mut tree = build(&records, &[], |_, data| data).unwrap();
        let [.., upper, lower] = tiles.as_slice() else {
            panic!();
        };
        let lowest = data(&records, *lower);
        assert!(tree.add(*lower, lowest.clone()).is_err());
        tree.add(*upper, data(&records, *upper)).unwrap();
        assert_eq!(tree.record(3), None);
        tree.add(*lower, lowest).unwrap();
        assert_eq!(tree.record(3), Some(records[3]));
        // The same data in another place is not right there.
        let beside = Tile { index: 1, ..*lower };
        assert!(tree.add(beside, data(&records, *lower)).is_err());
    }

    #[test]
    fn a_tree_without_records_is_one_too() {
        let tree = ProvenTree::new(head(&[]), Vec::new()).unwrap();
        assert_eq!(tree.prefix(0), Some(super::super::merkle::EMPTY));
        let wrong = TreeHead {
            size: 0,
            root: [1; 32],
        };
        assert!(ProvenTree::new(wrong, Vec::new()).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_tiles_that_are_named_prove_records_and_older_trees(
            size in 1_usize..3000,
            older in any::<prop::sample::Index>(),
            id in any::<prop::sample::Index>(),
        ) {
            let records = records(size);
            let (older, id) = (older.index(size + 1), id.index(size));
            let tiles = prove_prefix(older as u64, size as u64).unwrap();
            let tree = build(&records, &tiles, |_, data| data).unwrap();
            prop_assert_eq!(tree.prefix(older as u64), Some(naive(&records[..older])));
            let tiles = prove_record(id as u64, size as u64).unwrap();
            let tree = build(&records, &tiles, |_, data| data).unwrap();
            prop_assert_eq!(tree.record(id as u64), Some(records[id]));
            prop_assert_eq!(tree.prefix(size as u64 + 1), None);
            prop_assert_eq!(tree.record(size as u64), None);
        }

        #[test]
        fn one_flipped_bit_in_any_tile_is_found(
            size in 1_usize..3000,
            id in any::<prop::sample::Index>(),
            which in any::<prop::sample::Index>(),
            at in any::<prop::sample::Index>(),
            bit in 0_u32..8,
        ) {
            let records = records(size);
            let tiles = prove_record(id.index(size) as u64, size as u64).unwrap();
            let victim = tiles[which.index(tiles.len())];
            let flipped = build(&records, &tiles, |tile, mut data| {
                if tile == victim {
                    data[at.index(tile.length())] ^= 1_u8 << bit;
                }
                data
            });
            prop_assert!(flipped.is_err());
        }

        #[test]
        fn hostile_tiles_do_not_make_it_panic(
            size in any::<u64>(),
            lengths in prop::collection::vec(0_usize..300, 0..9),
            level in any::<u8>(),
            index in any::<u64>(),
            width in any::<u16>(),
        ) {
            let head = TreeHead { size, root: [7; 32] };
            let data = lengths.iter().map(|length| vec![7; length * 32]).collect();
            prop_assert!(ProvenTree::new(head, data).is_err());
            let mut tree = build(&records(300), &[], |_, data| data).unwrap();
            let tile = Tile { level, index, width };
            prop_assert!(tree.add(tile, vec![7; usize::from(width) * 32]).is_err());
            let _ = (tree.prefix(size), tree.record(index));
        }
    }
}
