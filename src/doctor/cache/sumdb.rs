//! What is kept of checksum databases: answers and tiles in the cache, the last tree head in
//! GOPATH. go stops at a broken one of them, and goes on stopping until it is deleted.

use std::path::{Path, PathBuf};

use super::lock;
use super::place::Place;
use super::report::{Broken, Outcome};
use super::stamp::Piece;
use super::walk::entries;
use crate::bounded::read_no_link;
use crate::doctor::finding::Code;
use crate::gomod::form::foreign;
use crate::gomod::sum::{LookupRecord, Note, NoteError, Tile, TreeHead};
use crate::model::{SumDb, VerifierKey};

/// The longest of these files, in bytes: a tile has 8 KiB.
const MOST: u64 = 64 << 10;
/// Folders in folders.
const DEEPEST: usize = 64;

/// What is broken.
pub(super) fn look(place: &Place, databases: &[(String, PathBuf)]) -> Vec<Broken> {
    let mut found = Vec::new();
    for (name, folder) in databases {
        let tiles = folder.join("tile");
        each(&tiles, 0, &mut |path| {
            let below = path.strip_prefix(folder).unwrap_or(path);
            let below = below.to_string_lossy().replace('\\', "/");
            // Others (those of the records themselves) go does not read.
            let Some(tile) = Tile::parse(&below) else {
                return;
            };
            // An empty one is one that go is about to write.
            let wrong = |bytes: &[u8]| {
                let (own, right) = (bytes.len(), tile.length());
                (own != 0 && own != right).then(|| format!("has {own} bytes, not {right}"))
            };
            found.extend(broken(&place.cache, path, Code::CacheSumdb, name, &wrong));
        });
        each(&folder.join("lookup"), 0, &mut |path| {
            let wrong = |bytes: &[u8]| lookup(bytes).map(str::to_owned);
            found.extend(broken(&place.cache, path, Code::CacheSumdb, name, &wrong));
        });
    }
    let Some(heads) = &place.heads else {
        return found;
    };
    each(heads, 0, &mut |path| {
        if path.file_name().is_none_or(|name| name != "latest") {
            return;
        }
        let folder = path.parent().unwrap_or(path);
        let name = folder.strip_prefix(heads).unwrap_or(folder);
        let name = name.to_string_lossy().replace('\\', "/");
        let database = place.database(&name);
        let key = match &database {
            Some(SumDb::Database { key, .. }) => Some(key),
            Some(SumDb::Off) | None => None,
        };
        let wrong = |bytes: &[u8]| latest(bytes, key);
        found.extend(broken(heads, path, Code::SumdbLatest, &name, &wrong));
    });
    found
}

fn broken(
    bounds: &Path,
    path: &Path,
    code: Code,
    database: &str,
    wrong: &dyn Fn(&[u8]) -> Option<String>,
) -> Option<Broken> {
    wrong(&read_no_link(path, MOST).ok()?)?;
    // go writes these in their place: looked at again when nobody does.
    let _lock = lock::file(path).ok()?;
    let bytes = read_no_link(path, MOST).ok()?;
    let ill = wrong(&bytes)?;
    let piece = Piece::of(path.to_owned(), Some(&bytes)).ok()?;
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
        code,
        module: None,
        place: path.display().to_string(),
        says: format!("{} {ill}", path.display()),
        why,
        mend: "go asks the database again by itself".to_owned(),
        removes: vec![piece],
        outcome: Outcome::Found,
        because: None,
        lock: None,
        bounds: bounds.to_owned(),
    })
}

/// Each file below a folder; links are not followed.
fn each(folder: &Path, depth: usize, look: &mut dyn FnMut(&Path)) {
    let all = entries(folder, |_| true).unwrap_or_default();
    for (_, path) in all {
        match std::fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_dir() && depth < DEEPEST => each(&path, depth + 1, look),
            Ok(meta) if meta.is_file() => look(&path),
            Ok(_) | Err(_) => {}
        }
    }
}

/// A checksum database's answer about a version (`x/mod/sumdb/client.go:Lookup`). An empty file
/// is one that go is about to write.
fn lookup(bytes: &[u8]) -> Option<&'static str> {
    if bytes.is_empty() {
        return None;
    }
    let wrong = LookupRecord::parse(bytes).is_err();
    wrong.then(|| foreign(bytes).unwrap_or("holds no record of a checksum database"))
}

/// `$GOPATH/pkg/sumdb/NAME/latest`: the tree head that go saw last; empty before the first.
/// Without the database's key only the form is checked. A head that another key has signed is
/// not broken: it may belong to another database of the same name.
fn latest(bytes: &[u8], key: Option<&VerifierKey>) -> Option<String> {
    if bytes.is_empty() {
        return None;
    }
    let read = || -> Result<TreeHead, NoteError> {
        let note = Note::parse(bytes)?;
        let text = match key {
            Some(key) => note.verify(key)?,
            None => note.unverified_text(),
        };
        TreeHead::parse(text)
    };
    let error = match read() {
        Ok(_) | Err(NoteError::Unverified(_) | NoteError::DamagedKey(_)) => return None,
        Err(error) => error,
    };
    Some(match foreign(bytes) {
        Some(ill) => ill.to_owned(),
        None => format!("is no tree head: {error}"),
    })
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
        assert_eq!(latest(b"", None), None);
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
