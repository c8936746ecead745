//! Tiles of a checksum database's tree (`golang.org/x/mod/sumdb/tlog/tile.go`): which there are,
//! what they are called, and which of them prove a record or an older tree.
//!
//! A tile holds up to 256 hashes side by side, those of the complete subtrees of `256^level`
//! records. All tiles but the last one of each level are full and never change again; a last
//! one that is not full is asked for by its width, and is the beginning of any wider one.

use super::merkle::{Node, subtrees};

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

#[cfg(test)]
mod tests {
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
