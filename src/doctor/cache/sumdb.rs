//! Files of checksum databases: answers and tiles in the cache, the last tree head in GOPATH. If
//! one of them is broken, go stops until it is deleted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::lock;
use super::place::Place;
use super::report::{Broken, CacheReport, Piece};
use crate::bounded::read_no_link;
use crate::doctor::finding::Code;
use crate::gomod::form::foreign;
use crate::gomod::sum::{LookupRecord, Note, NoteError, Tile, TreeHead};
use crate::mirror::FilesBelow;
use crate::model::{SumDb, VerifierKey};

/// Maximum size of these files in bytes: a tile has 8 KiB.
const MOST: u64 = 64 << 10;

/// Reports what is broken, and returns the names of the databases.
pub(super) fn look(place: &Place, report: &mut CacheReport) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let root = place.layout.root().join("sumdb");
    for (below, path) in &listed(&root, report) {
        let Some((name, rest)) = below.split_once("/tile/").or(below.split_once("/lookup/")) else {
            continue;
        };
        names.insert(name.to_owned());
        let tile = Tile::parse(&format!("tile/{rest}"));
        let wrong = |bytes: &[u8]| match tile {
            Some(tile) => {
                let (own, right) = (bytes.len(), tile.length());
                (own != right).then(|| format!("has {own} bytes, not {right}"))
            }
            None => lookup(bytes),
        };
        // go does not read the other tiles (those with the records themselves).
        if tile.is_some() || below.contains("/lookup/") {
            let found = broken(&place.cache, path, Code::CacheSumdb, name, &wrong);
            report.broken.extend(found);
        }
    }
    if let Some(heads) = &place.heads {
        for (below, path) in &listed(heads, report) {
            if let Some(name) = below.strip_suffix("/latest") {
                let database = place.database(name);
                let key = match &database {
                    Some(SumDb::Database { key, .. }) => Some(key),
                    Some(SumDb::Off) | None => None,
                };
                let wrong = |bytes: &[u8]| latest(bytes, key);
                let found = broken(heads, path, Code::SumdbLatest, name, &wrong);
                report.broken.extend(found);
            }
        }
    }
    names
}

/// Lists the files below a directory, with their paths below it.
fn listed(folder: &Path, report: &mut CacheReport) -> Vec<(String, PathBuf)> {
    let below = FilesBelow::list(folder, "", &[]);
    for (folder, error) in &below.unreadable {
        report.unread(folder, error);
    }
    below.files
}

fn broken(
    bounds: &Path,
    path: &Path,
    code: Code,
    database: &str,
    wrong: &dyn Fn(&[u8]) -> Option<String>,
) -> Option<Broken> {
    let read = || {
        let bytes = read_no_link(path, MOST).ok()?;
        // go is about to write an empty file.
        let says = wrong(&bytes).filter(|_| !bytes.is_empty())?;
        Some((bytes, says))
    };
    read()?;
    // go writes these files in place: they are read again under go's lock.
    let _lock = lock::file(path).ok()?;
    let (bytes, says) = read()?;
    let why = if code == Code::SumdbLatest {
        format!(
            "go fails with “reading tree note” at every module that is not in go.sum, until it is \
             deleted. With it goes what go remembers of {database}: it will take the next tree \
             that is signed."
        )
    } else {
        format!(
            "go fails where it wants {database} to prove a module, on any network, until it is \
             deleted."
        )
    };
    Some(Broken {
        mend: "go asks the database again".to_owned(),
        removes: vec![Piece::of(path.to_owned(), Some(&bytes)).ok()?],
        ..Broken::new(code, path, &says, &why, bounds)
    })
}

/// Checks a database's answer about a version (`x/mod/sumdb/client.go:Lookup`). Returns what is
/// wrong.
fn lookup(bytes: &[u8]) -> Option<String> {
    let is_wrong = LookupRecord::parse(bytes).is_err();
    let says = foreign(bytes).unwrap_or("holds no record of a checksum database");
    is_wrong.then(|| says.to_owned())
}

/// Checks `$GOPATH/pkg/sumdb/NAME/latest`: the last tree head that go saw; empty before the first.
/// Returns what is wrong. Without the database's key, only the form is checked. A head that another
/// key has signed is not broken: it may belong to another database of the same name.
fn latest(bytes: &[u8], key: Option<&VerifierKey>) -> Option<String> {
    let read = || -> Result<TreeHead, NoteError> {
        let note = Note::parse(bytes)?;
        let text = match key {
            Some(key) => note.verify(key)?,
            None => note.unverified_text(),
        };
        TreeHead::parse(text)
    };
    match (read(), foreign(bytes)) {
        (Ok(_) | Err(NoteError::Unverified(_) | NoteError::DamagedKey(_)), _) => None,
        (Err(_), Some(says)) => Some(says.to_owned()),
        (Err(error), None) => Some(format!("is not a tree head: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_tree_head_that_go_cannot_read_is_named() {
        let page = latest(b"<html>", None).unwrap();
        assert_eq!(page, "holds an HTML page");
        assert!(
            latest(b"garbage\n", None)
                .unwrap()
                .contains("malformed note")
        );
        let root = "nND/nri/U0xuHUrYSy0HtMeal2vzD9V4k/BO79C+QeI=";
        let note = format!("go.sum database tree\n7\n{root}\n\n\u{2014} sum.test AAAAAAAA\n");
        assert_eq!(latest(note.as_bytes(), None), None);
        let key = VerifierKey::parse(crate::model::sumdb::SUM_GOLANG_ORG).unwrap();
        assert_eq!(latest(note.as_bytes(), Some(&key)), None, "another key's");
        let forged = [&0x033d_e0ae_u32.to_be_bytes()[..], &[7; 64]].concat();
        let forged = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, forged);
        let note = format!("go.sum database tree\n7\n{root}\n\n\u{2014} sum.golang.org {forged}\n");
        let said = latest(note.as_bytes(), Some(&key)).unwrap();
        assert!(said.contains("signature"), "{said}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = lookup(&bytes);
            let _ = latest(&bytes, None);
        }
    }
}
