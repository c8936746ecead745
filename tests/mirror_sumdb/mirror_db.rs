//! A mirror of a checksum database that was made here.

use std::path::{Path, PathBuf};

use goroam::gomod::ModuleVersion;
use goroam::gomod::sum::TreeHead;
use goroam::mirror::Layout;
use goroam::mirror::sumdb::{Proofs, Route};
use goroam::model::{Chain, SumDb};

use super::server;
use super::sumdb_tree::{Database, Served};

pub(crate) const NAME: &str = "sum.test";

pub(crate) fn module(number: u64) -> ModuleVersion {
    ModuleVersion::new(format!("a.test/M{number}"), "v1.0.0")
}

/// Modules `a.test/M0`, … with others between them.
pub(crate) fn database(seed: u8, modules: u64, size: u64) -> Database {
    let mut database = Database::new(NAME, seed);
    publish(&mut database, 0..modules);
    database.grow_to(size, "other");
    database
}

pub(crate) fn publish(database: &mut Database, modules: std::ops::Range<u64>) {
    for number in modules {
        let lines = format!(
            "a.test/M{number} v1.0.0 h1:zip{number}=\na.test/M{number} v1.0.0/go.mod h1:mod{number}=\n"
        );
        database.publish(&format!("a.test/!m{number}@v1.0.0"), &lines);
        database.grow_to(database.size() + 37, "between");
    }
}

pub(crate) fn by(goproxy: &str) -> Route {
    let nowhere = Path::new("/nonexistent");
    Route::by(
        Chain::parse(goproxy).unwrap(),
        &server::environment(nowhere, &[]),
    )
}

pub(crate) struct Mirror {
    pub(crate) layout: Layout,
    pub(crate) db: SumDb,
    pub(crate) folder: tempfile::TempDir,
}

impl Mirror {
    pub(crate) fn new(db: SumDb) -> Mirror {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        Mirror { layout, db, folder }
    }

    pub(crate) fn proofs(&self) -> Proofs {
        Proofs::open(&self.layout, &self.db).unwrap()
    }

    pub(crate) async fn bring(&self, served: &Served, numbers: std::ops::Range<u64>) {
        let wanted: Vec<_> = numbers.map(module).collect();
        let route = by(&served.server.url("http"));
        let brought = self.proofs().bring(&route, &wanted).await.unwrap();
        assert!(
            brought.failed.is_empty() && brought.unknown.is_empty(),
            "{brought:?}"
        );
    }

    /// Everything there is proven, and a go with this or that head could use it.
    pub(crate) fn is_whole(&self, seen: &[TreeHead]) {
        let proofs = self.proofs();
        let report = proofs.verify().unwrap();
        assert!(report.faults.is_empty(), "{:#?}", report.faults);
        for head in seen {
            proofs.covers(head).unwrap();
        }
    }

    /// Paths and contents of all that is below it but the lock.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if !path.ends_with("lock") {
                    files.push((path.clone(), std::fs::read(path).unwrap()));
                }
            }
        }
        files.sort();
        files
    }
}
