//! Go's own tlog says which tiles it reads to prove a record, or an older tree, in a tree of some
//! size, and what the roots are: goroam must name the same.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use goroam::gomod::sum::tile::{Hash, Node, node_hash, record_hash, root, subtrees};
use goroam::gomod::sum::tile::{prove_prefix, prove_record};

use crate::go;
use crate::mirror_go;

/// Prints, for each `size older id` of its input, the tiles that golang.org/x/mod/sumdb/tlog
/// reads for either, and the two roots.
const ORACLE: &str = r#"
package main

import (
	"bufio"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/tlog"
)

var stored []tlog.Hash

func read(indexes []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, i := range indexes {
		out = append(out, stored[i])
	}
	return out, nil
}

type tiles struct{ paths []string }

func (t *tiles) Height() int { return 8 }
func (t *tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (t *tiles) ReadTiles(list []tlog.Tile) (data [][]byte, err error) {
	for _, tile := range list {
		t.paths = append(t.paths, tile.Path())
		d, err := tlog.ReadTileData(tile, tlog.HashReaderFunc(read))
		if err != nil {
			return nil, err
		}
		data = append(data, d)
	}
	return data, nil
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var size, older, id int64
		fmt.Sscan(in.Text(), &size, &older, &id)
		for n := tlog.StoredHashCount(0); ; n++ {
			if int64(len(stored)) >= tlog.StoredHashCount(size) {
				break
			}
			for tlog.StoredHashCount(n) < int64(len(stored)) {
				n++
			}
			h, err := tlog.StoredHashes(n, []byte(fmt.Sprintf("record %d\n", n)), tlog.HashReaderFunc(read))
			if err != nil {
				panic(err)
			}
			stored = append(stored, h...)
		}
		r := tlog.HashReaderFunc(read)
		now, _ := tlog.TreeHash(size, r)
		then, _ := tlog.TreeHash(older, r)
		tree := tlog.Tree{N: size, Hash: now}
		var record, prefix tiles
		if _, err := tlog.TileHashReader(tree, &record).ReadHashes([]int64{tlog.StoredHashIndex(0, id)}); err != nil {
			panic(err)
		}
		if h, err := tlog.TreeHash(older, tlog.TileHashReader(tree, &prefix)); err != nil || h != then {
			panic(err)
		}
		fmt.Println(now, then, record.paths, prefix.paths)
	}
}
"#;

/// `size older id`: around every place where a tile or a level is complete, and many between.
fn cases() -> Vec<[u64; 3]> {
    let edges = [
        1, 2, 3, 255, 256, 257, 511, 512, 700, 65_535, 65_536, 65_537, 65_792, 66_000, 131_071,
        131_072, 140_000,
    ];
    let mut cases = Vec::new();
    for size in edges {
        for older in edges.into_iter().filter(|older| *older <= size) {
            for id in [0, older - 1, size / 2, size - 1] {
                cases.push([size, older, id]);
            }
        }
    }
    let mut state = 7_u64;
    let mut next = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    };
    for _ in 0..300 {
        let size = 1 + next(140_000);
        cases.push([size, 1 + next(size), next(size)]);
    }
    cases
}

#[test]
fn goroam_names_the_tiles_and_roots_that_gos_own_tlog_does() {
    let Some(go) = go::go(go::VERSIONS[2]) else {
        return;
    };
    let Some(tree) = mirror_go::tree() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let said = ask(&go, &tree, folder.path());
    let mut levels = Levels::default();
    for (case, said) in cases().into_iter().zip(said.lines()) {
        let [size, older, id] = case;
        levels.grow(140_000);
        let (record, prefix) = said.split_once("] [").unwrap();
        let (roots, record) = record.split_once(" [").unwrap();
        let named = |text: &str| -> BTreeSet<String> {
            text.trim_matches(']')
                .split_whitespace()
                .map(str::to_owned)
                .collect()
        };
        let ours = |tiles: Option<Vec<goroam::gomod::sum::Tile>>| -> BTreeSet<String> {
            tiles
                .unwrap()
                .into_iter()
                .map(goroam::gomod::sum::Tile::path)
                .collect()
        };
        assert_eq!(ours(prove_record(id, size)), named(record), "{case:?}");
        // Of the tree itself, and of the one without records, go reads no tile but the edge.
        assert_eq!(ours(prove_prefix(older, size)), named(prefix), "{case:?}");
        let root = |size| STANDARD.encode(levels.root(size));
        assert_eq!(roots, format!("{} {}", root(size), root(older)), "{case:?}");
    }
    assert_eq!(said.lines().count(), cases().len());
}

fn ask(go: &Path, tree: &Path, folder: &Path) -> String {
    std::fs::write(folder.join("main.go"), ORACLE).unwrap();
    let module = "module oracle.test\n\ngo 1.21\n\nrequire golang.org/x/mod v0.7.0\n";
    std::fs::write(folder.join("go.mod"), module).unwrap();
    let input: String = cases()
        .iter()
        .map(|[size, older, id]| format!("{size} {older} {id}\n"))
        .collect();
    std::fs::write(folder.join("cases"), input).unwrap();
    let out = Command::new(go)
        .args(["run", "-mod=mod", "."])
        .env_clear()
        .env("HOME", folder)
        .env("PATH", "/usr/bin:/bin")
        .env("GOPATH", folder.join("gopath"))
        .env("GOENV", "off")
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "-modcacherw")
        .env("GOSUMDB", "off")
        .env("GOPROXY", format!("file://{},off", tree.display()))
        .stdin(std::fs::File::open(folder.join("cases")).unwrap())
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap()
}

/// All complete subtrees of a tree.
#[derive(Default)]
struct Levels(Vec<Vec<Hash>>);

impl Levels {
    fn grow(&mut self, size: usize) {
        if !self.0.is_empty() {
            return;
        }
        let mut level: Vec<Hash> = (0..size)
            .map(|id| record_hash(format!("record {id}\n").as_bytes()))
            .collect();
        while !level.is_empty() {
            let above = level
                .chunks_exact(2)
                .map(|pair| node_hash(&pair[0], &pair[1]));
            let above = above.collect();
            self.0.push(std::mem::replace(&mut level, above));
        }
    }

    fn root(&self, size: u64) -> Hash {
        let hash = |node: Node| self.0[node.level as usize][node.index as usize];
        root(subtrees(size).into_iter().map(hash))
    }
}
