//! The tree of a checksum database: its hashes (`golang.org/x/mod/sumdb/tlog/tlog.go`, RFC 6962,
//! section 2.1); its tiles (`tile.go`), their names, and which of them prove a record or an older
//! tree; and a tree that is proven, tile by tile.
//!
//! A tile holds up to 256 hashes side by side, those of the complete subtrees of `256^level`
//! records. All tiles but the last one of each level are full and never change again. A last tile
//! that is not full is requested by its width, and is the beginning of any wider one.

use std::collections::BTreeMap;

use ring::digest::{Context, SHA256};

use super::note::TreeHead;

/// SHA-256.
pub type Hash = [u8; 32];

/// The root of a tree without records: the hash of nothing.
pub const EMPTY: Hash = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// A complete subtree: number `index` of those with `2^level` records. Level 0 are the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// The base-2 logarithm of the number of its records; below 63.
    pub level: u32,
    /// Its number on this level, from the left.
    pub index: u64,
}

/// `tlog.RecordHash`: the hash of a record's text, which ends with a newline.
pub fn record_hash(text: &[u8]) -> Hash {
    sum(&[&[0], text])
}

/// Returns the same hash for lines as [`LookupRecord`](super::LookupRecord) has them: without the
/// last newline.
pub fn lines_hash(lines: &str) -> Hash {
    sum(&[&[0], lines.as_bytes(), b"\n"])
}

/// `tlog.NodeHash`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sum(&[&[1], left, right])
}

/// Returns the fewest complete subtrees that together hold the first `size` records, from the left,
/// so the largest is first (`tlog.subTreeIndex(0, size)`).
pub fn subtrees(size: u64) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut before = 0_u64;
    for level in (0..u64::BITS).rev().filter(|bit| size >> bit & 1 == 1) {
        nodes.push(Node {
            level,
            index: before >> level,
        });
        before |= 1 << level;
    }
    nodes
}

/// Returns the root over these subtrees (`tlog.subTreeHash`), in the order of [`subtrees`].
pub fn root(hashes: impl DoubleEndedIterator<Item = Hash>) -> Hash {
    hashes
        .rev()
        .reduce(|right, left| node_hash(&left, &right))
        .unwrap_or(EMPTY)
}

/// Returns the hash over the hashes of a complete subtree's leaves (`tlog.tileHash`). Their number
/// must be a power of two; otherwise `None`.
pub fn leaves_hash(leaves: &[u8]) -> Option<Hash> {
    if leaves.len() <= size_of::<Hash>() {
        return leaves.try_into().ok();
    }
    if !leaves.len().is_power_of_two() {
        return None;
    }
    let (left, right) = leaves.split_at(leaves.len() / 2);
    Some(node_hash(&leaves_hash(left)?, &leaves_hash(right)?))
}

fn sum(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = EMPTY;
    // Both have 32 bytes.
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// The tiles of every database have this height: eight levels of the tree in one tile.
const HEIGHT: u32 = 8;
/// The number of hashes in a full tile.
pub const FULL: u16 = 1 << HEIGHT;
/// The length of a hash in bytes.
pub const HASH_BYTES: usize = 32;
/// The base of the number in `x001/x234/067`.
const PATH_BASE: u64 = 1000;

/// A tile's coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// Its level: its hashes are those of subtrees of `256^level` records. At most 7.
    pub level: u8,
    /// Its number on this level, from the left.
    pub index: u64,
    /// The number of hashes it holds: 1 to 256.
    pub width: u16,
}

impl Tile {
    /// Returns the tile at this place in a tree of `size` records, with the width that it has
    /// there.
    pub fn at(level: u8, index: u64, size: u64) -> Option<Tile> {
        let held = size.checked_shr(u32::from(level) * HEIGHT)?;
        let before = index.checked_mul(u64::from(FULL))?;
        let width = held.checked_sub(before)?.min(u64::from(FULL));
        let width = u16::try_from(width).ok().filter(|width| *width > 0)?;
        Some(Tile {
            level,
            index,
            width,
        })
    }

    /// Returns the tile that holds the hash of a subtree (or the hashes to compute it from), in a
    /// tree of this size.
    pub fn of(node: Node, size: u64) -> Option<Tile> {
        let (level, first, count) = leaves(node)?;
        let tile = Tile::at(level, first / u64::from(FULL), size)?;
        // A subtree that is only partly in the tree has no hash in it.
        let end = first % u64::from(FULL) + count;
        (end <= u64::from(tile.width)).then_some(tile)
    }

    /// Returns which of the tile's bytes determine the hash of this subtree.
    pub fn bytes_of(self, node: Node) -> Option<std::ops::Range<usize>> {
        let (level, first, count) = leaves(node)?;
        if (level, first / u64::from(FULL)) != (self.level, self.index) {
            return None;
        }
        let first = usize::try_from(first % u64::from(FULL)).ok()?;
        let end = first + usize::try_from(count).ok()?;
        (end <= usize::from(self.width)).then_some(first * HASH_BYTES..end * HASH_BYTES)
    }

    /// Returns the subtree whose leaves fill this full tile: its hash is in the tile above.
    pub fn node(self) -> Node {
        Node {
            level: (u32::from(self.level) + 1) * HEIGHT,
            index: self.index,
        }
    }

    /// Reports whether the tile is full: nothing will be added to it.
    pub fn is_full(self) -> bool {
        self.width == FULL
    }

    /// Returns the tile at the same place with all 256 hashes.
    pub fn full(self) -> Tile {
        Tile {
            width: FULL,
            ..self
        }
    }

    /// Returns its length in bytes.
    pub fn length(self) -> usize {
        usize::from(self.width) * HASH_BYTES
    }

    /// Returns `tile/8/LEVEL/NNN[.p/WIDTH]`, as go requests it.
    pub fn path(self) -> String {
        let mut number = format!("{:03}", self.index % PATH_BASE);
        let mut rest = self.index / PATH_BASE;
        while rest > 0 {
            number = format!("x{:03}/{number}", rest % PATH_BASE);
            rest /= PATH_BASE;
        }
        let part = if self.is_full() {
            String::new()
        } else {
            format!(".p/{}", self.width)
        };
        format!("tile/{HEIGHT}/{}/{number}{part}", self.level)
    }

    /// The reverse of [`path`](Tile::path); any other text is refused.
    pub fn parse(path: &str) -> Option<Tile> {
        let rest = path.strip_prefix("tile/8/")?;
        let (level, rest) = rest.split_once('/')?;
        let level = level.parse().ok().filter(|level| *level < 8)?;
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, width.parse().ok().filter(|width| *width < FULL)?),
            None => (rest, FULL),
        };
        let mut index = 0_u64;
        for digits in number.split('/') {
            let digits = digits.strip_prefix('x').unwrap_or(digits);
            let value: u64 = digits.parse().ok().filter(|value| *value < PATH_BASE)?;
            index = index.checked_mul(PATH_BASE)?.checked_add(value)?;
        }
        let tile = Tile {
            level,
            index,
            width,
        };
        // Each tile has exactly one spelling, as in tlog.ParseTilePath.
        (width > 0 && tile.path() == path).then_some(tile)
    }
}

/// Returns the tiles that are not full in a tree of this size, the uppermost first: together they
/// determine its root.
pub fn edge(size: u64) -> Vec<Tile> {
    let at = |level: u8| {
        let held = size >> (u32::from(level) * HEIGHT);
        Tile::at(level, held / u64::from(FULL), size)
    };
    (0..8).rev().filter_map(at).collect()
}

/// Returns the full tiles between a subtree's hash and the edge, the uppermost first: the tiles
/// that are needed, beside the edge, to prove that hash. `None`: the tree does not hold it.
pub fn way_down(node: Node, size: u64) -> Option<Vec<Tile>> {
    let mut way = Vec::new();
    let mut tile = Tile::of(node, size)?;
    while tile.is_full() {
        way.push(tile);
        tile = Tile::of(tile.node(), size)?;
    }
    way.reverse();
    Some(way)
}

/// Returns the tiles that prove that record `id` is in a tree of this size. Each one comes after
/// the tile that proves it, the edge first. `None`: the record is not in the tree.
pub fn prove_record(id: u64, size: u64) -> Option<Vec<Tile>> {
    let node = Node {
        level: 0,
        index: id,
    };
    let mut tiles = edge(size);
    tiles.extend(way_down(node, size)?);
    Some(tiles)
}

/// Returns the tiles that prove that a tree of `older` records is the beginning of one of `size`
/// records, in the same order. `None`: it is not the older one.
pub fn prove_prefix(older: u64, size: u64) -> Option<Vec<Tile>> {
    if older > size {
        return None;
    }
    let mut tiles = edge(size);
    for node in subtrees(older) {
        for tile in way_down(node, size)? {
            if !tiles.contains(&tile) {
                tiles.push(tile);
            }
        }
    }
    Some(tiles)
}

/// Returns where a subtree's hashes are: the level of the tiles, the number of the first hash on
/// that level, and the number of hashes.
fn leaves(node: Node) -> Option<(u8, u64, u64)> {
    let level = u8::try_from(node.level / HEIGHT).ok()?;
    let count = 1_u64 << (node.level % HEIGHT);
    Some((level, node.index.checked_mul(count)?, count))
}

/// Tiles that do not match the tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Inconsistent {
    /// One of the tiles at the edge is wrong; it is unknown which.
    #[error("the tiles at the edge do not make the root of the tree of {0} records")]
    Edge(u64),
    /// This tile is wrong, or is not in that tree.
    #[error("{} does not fit the tree of {size} records", tile.path())]
    Tile {
        /// The tile.
        tile: Tile,
        /// The number of records in the tree.
        size: u64,
    },
}

/// A tree with a trusted root, and the tiles that were proven to be in it.
#[derive(Debug, Clone)]
pub struct ProvenTree {
    head: TreeHead,
    tiles: BTreeMap<(u8, u64), (Tile, Vec<u8>)>,
}

impl ProvenTree {
    /// Starts with the tiles of [`edge`], in its order.
    ///
    /// # Errors
    /// If they do not give the tree's root.
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

    /// Returns the head of the tree.
    pub fn head(&self) -> TreeHead {
        self.head
    }

    /// Adds one more full tile; the one above it must have been added before.
    ///
    /// # Errors
    /// If it does not match the hash in the tile above.
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

    /// Returns a proven tile, with the width that it has in this tree.
    pub fn tile(&self, level: u8, index: u64) -> Option<(Tile, &[u8])> {
        let (tile, data) = self.tiles.get(&(level, index))?;
        Some((*tile, data))
    }

    /// Returns the hash of a subtree, if the tile that holds it is proven.
    pub fn node(&self, node: Node) -> Option<Hash> {
        let tile = Tile::of(node, self.head.size)?;
        let (tile, data) = self.tile(tile.level, tile.index)?;
        leaves_hash(data.get(tile.bytes_of(node)?)?)
    }

    /// Returns the hash of a record, if its tile is proven.
    pub fn record(&self, id: u64) -> Option<Hash> {
        self.node(Node {
            level: 0,
            index: id,
        })
    }

    /// Returns the root of the tree with only its first `older` records, if the necessary tiles are
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
mod tile_tests {
    use proptest::prelude::*;

    use super::*;

    fn tile(level: u8, index: u64, width: u16) -> Tile {
        Tile {
            level,
            index,
            width,
        }
    }

    #[test]
    fn tiles_are_called_what_go_calls_them() {
        // tlog/tile_test.go, with this height
        for (path, want) in [
            ("tile/8/0/000.p/1", tile(0, 0, 1)),
            ("tile/8/0/x001/234", tile(0, 1234, 256)),
            ("tile/8/4/x001/x234/067.p/255", tile(4, 1_234_067, 255)),
            ("tile/8/3/x001/000", tile(3, 1000, 256)),
        ] {
            assert_eq!(want.path(), path);
            assert_eq!(Tile::parse(path), Some(want));
        }
    }

    #[test]
    fn what_is_no_tiles_name_is_not_taken_for_one() {
        for path in [
            "",
            "tile/8/0",
            "tile/8/0/",
            "tile/4/0/000",
            "tile/8/8/000",
            "tile/8/-1/000",
            "tile/8/data/000",
            "tile/8/0/0",
            "tile/8/0/0000",
            "tile/8/0/x000/001",
            "tile/8/0/001/x002",
            "tile/8/0/000.p/0",
            "tile/8/0/000.p/256",
            "tile/8/0/000.p/01",
            "tile/8/0/000.p/1/",
            "tile/8/0/../000",
            "tile/8/0/+01",
            "tile/8/00/000",
            "tile/8/0/x999/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert_eq!(Tile::parse(path), None, "{path}");
        }
    }

    #[test]
    fn the_largest_tree_that_can_be_signed_has_tiles_too() {
        let size = i64::MAX.unsigned_abs();
        assert_eq!(edge(size).len(), 8);
        assert_eq!(
            prove_record(size - 1, size).map(|tiles| tiles.len()),
            Some(8)
        );
        assert_eq!(prove_record(0, size).map(|tiles| tiles.len()), Some(8 + 7));
        assert_eq!(prove_record(size, size), None);
        assert_eq!(edge(u64::MAX).len(), 8);
        assert_eq!(edge(0), []);
    }

    proptest! {
        #[test]
        fn names_read_back(level in 0_u8..8, index in 0_u64..1 << 50, width in 1_u16..=256) {
            let tile = tile(level, index, width);
            prop_assert_eq!(Tile::parse(&tile.path()), Some(tile));
        }

        #[test]
        fn nothing_makes_it_panic(
            text in "(tile/8/)?[0-9xp./]{0,30}",
            older in any::<u64>(),
            size in any::<u64>(),
            level in any::<u32>(),
        ) {
            let _ = Tile::parse(&text);
            let _ = (prove_record(older, size), prove_prefix(older, size));
            let _ = Tile::of(Node { level, index: older }, size);
            let any = tile(u8::try_from(level & 255).unwrap(), older, 7);
            let _ = any.bytes_of(Node { level, index: size });
            let _ = any.path();
        }
    }
}

#[cfg(test)]
mod proven_tests {
    use proptest::prelude::*;

    use super::super::tile::{prove_prefix, prove_record};
    use super::*;
    use super::{node_hash, record_hash};

    /// The root over these records as RFC 6962 defines it, independent of the code above.
    fn naive(records: &[Hash]) -> Hash {
        match records {
            [] => EMPTY,
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

    /// Builds the tree from these tiles, after `change` has changed them.
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
        // The same data at another place is wrong.
        let beside = Tile { index: 1, ..*lower };
        assert!(tree.add(beside, data(&records, *lower)).is_err());
    }

    #[test]
    fn a_tree_without_records_is_one_too() {
        let tree = ProvenTree::new(head(&[]), Vec::new()).unwrap();
        assert_eq!(tree.prefix(0), Some(EMPTY));
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
