//! The tree of a checksum database: its hashes (`golang.org/x/mod/sumdb/tlog/tlog.go`, RFC 6962,
//! section 2.1); its tiles (`tile.go`), what they are called, and which of them prove a record or
//! an older tree; and a tree that is proven, tile by tile.
//!
//! A tile holds up to 256 hashes side by side, those of the complete subtrees of `256^level`
//! records. All tiles but the last one of each level are full and never change again; a last
//! one that is not full is asked for by its width, and is the beginning of any wider one.

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

/// A complete subtree: the `index`th one of `2^level` records. Level 0 are the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// The logarithm of how many records it holds; below 63.
    pub level: u32,
    /// Its number on this level, from the left.
    pub index: u64,
}

/// `tlog.RecordHash`: of a record's text, which ends with a newline.
pub fn record_hash(text: &[u8]) -> Hash {
    sum(&[&[0], text])
}

/// The same, of the lines as [`LookupRecord`](super::LookupRecord) has them: without the last
/// newline.
pub fn lines_hash(lines: &str) -> Hash {
    sum(&[&[0], lines.as_bytes(), b"\n"])
}

/// `tlog.NodeHash`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sum(&[&[1], left, right])
}

/// The fewest complete subtrees that together hold the first `size` records, from the left,
/// which is the largest first (`tlog.subTreeIndex(0, size)`).
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

/// The root over these subtrees (`tlog.subTreeHash`), as [`subtrees`] has ordered them.
pub fn root(hashes: impl DoubleEndedIterator<Item = Hash>) -> Hash {
    hashes
        .rev()
        .reduce(|right, left| node_hash(&left, &right))
        .unwrap_or(EMPTY)
}

/// The hash over the hashes of a complete subtree's leaves (`tlog.tileHash`): a power of two of
/// them. `None` for anything else.
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

/// Every database has tiles of this height: eight levels of the tree in one tile.
const HEIGHT: u32 = 8;
/// Hashes in a full tile.
pub const FULL: u16 = 1 << HEIGHT;
/// Bytes of a hash.
pub const HASH_BYTES: usize = 32;
/// What `x001/x234/067` counts in.
const PATH_BASE: u64 = 1000;

/// A tile's coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// Its level: its hashes are those of subtrees of `256^level` records. At most 7.
    pub level: u8,
    /// Its number on this level, from the left.
    pub index: u64,
    /// How many hashes it holds: 1 to 256.
    pub width: u16,
}

impl Tile {
    /// The tile at this place in a tree of `size` records, as wide as it is there.
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

    /// The tile that holds the hash of a subtree (or what to make it of), in a tree of this size.
    pub fn of(node: Node, size: u64) -> Option<Tile> {
        let (level, first, count) = leaves(node)?;
        let tile = Tile::at(level, first / u64::from(FULL), size)?;
        // A subtree that the tree does not hold whole has no hash in it.
        let end = first % u64::from(FULL) + count;
        (end <= u64::from(tile.width)).then_some(tile)
    }

    /// Which of the tile's bytes make the hash of this subtree.
    pub fn bytes_of(self, node: Node) -> Option<std::ops::Range<usize>> {
        let (level, first, count) = leaves(node)?;
        if (level, first / u64::from(FULL)) != (self.level, self.index) {
            return None;
        }
        let first = usize::try_from(first % u64::from(FULL)).ok()?;
        let end = first + usize::try_from(count).ok()?;
        (end <= usize::from(self.width)).then_some(first * HASH_BYTES..end * HASH_BYTES)
    }

    /// The subtree of which a full tile holds all leaves: its hash stands in the tile above.
    pub fn node(self) -> Node {
        Node {
            level: (u32::from(self.level) + 1) * HEIGHT,
            index: self.index,
        }
    }

    /// Nothing will be added to it.
    pub fn is_full(self) -> bool {
        self.width == FULL
    }

    /// The same place with all 256 hashes.
    pub fn full(self) -> Tile {
        Tile {
            width: FULL,
            ..self
        }
    }

    /// How long it is, in bytes.
    pub fn length(self) -> usize {
        usize::from(self.width) * HASH_BYTES
    }

    /// `tile/8/LEVEL/NNN[.p/WIDTH]`, as go asks for it.
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

    /// The reverse of [`path`](Tile::path); nothing else is taken.
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
        // One spelling each, as tlog.ParseTilePath has it.
        (width > 0 && tile.path() == path).then_some(tile)
    }
}

/// The tiles that are not full in a tree of this size, the uppermost first: together they make
/// its root.
pub fn edge(size: u64) -> Vec<Tile> {
    let at = |level: u8| {
        let held = size >> (u32::from(level) * HEIGHT);
        Tile::at(level, held / u64::from(FULL), size)
    };
    (0..8).rev().filter_map(at).collect()
}

/// The full tiles between a subtree's hash and the edge, the uppermost first: what must be
/// known, beside the edge, to know that hash. `None`: the tree does not hold it.
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

/// The tiles that prove that record `id` stands in a tree of this size. Each one comes after
/// that which proves it, the edge first. `None`: it is none of the tree's records.
pub fn prove_record(id: u64, size: u64) -> Option<Vec<Tile>> {
    let node = Node {
        level: 0,
        index: id,
    };
    let mut tiles = edge(size);
    tiles.extend(way_down(node, size)?);
    Some(tiles)
}

/// The tiles that prove that a tree of `older` records is how one of `size` records began; in
/// the same order. `None`: it is not the older one.
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

/// Where a subtree's hashes stand: the tiles' level, the first one's number on that level, and
/// how many they are.
fn leaves(node: Node) -> Option<(u8, u64, u64)> {
    let level = u8::try_from(node.level / HEIGHT).ok()?;
    let count = 1_u64 << (node.level % HEIGHT);
    Some((level, node.index.checked_mul(count)?, count))
}

/// Tiles that do not fit the tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Inconsistent {
    /// One of the tiles at the edge is wrong, and it is unknown which.
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

    /// The root over these records as RFC 6962 puts it, with nothing of the code above.
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
