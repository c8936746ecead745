//! The checksum database in the mirror: what go itself verifies out of it with no network.
#![cfg(unix)]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test says why it fails"
)]

#[path = "support/go.rs"]
mod go;
#[path = "support/mirror_go.rs"]
mod mirror_go;
#[path = "support/probe_server.rs"]
mod server;
#[path = "support/sumdb_tree.rs"]
mod sumdb_tree;

use std::path::Path;

use goroam::gomod::ModuleVersion;
use goroam::job::mirror::Layout;
use goroam::job::mirror::sumdb::{Proofs, Route};
use goroam::model::{Chain, SumDb};
use mirror_go::{Client, Real, mirror, reals, shuffled};
use sumdb_tree::{Database, Served};

const NAME: &str = "sum.test";

fn modules(reals: &[&Real]) -> Vec<ModuleVersion> {
    reals.iter().map(|real| real.module.clone()).collect()
}

/// By a proxy that passes the database on.
fn route(served: &Served) -> Route {
    let chain = Chain::parse(&served.server.url("http")).unwrap();
    let nowhere = Path::new("/nonexistent");
    Route::by(chain, &server::environment(nowhere, &[]))
}

fn open(layout: &Layout, db: &SumDb) -> Proofs {
    Proofs::open(layout, db).unwrap()
}

fn whole(proofs: &Proofs) {
    let report = proofs.verify().unwrap();
    assert!(report.faults.is_empty(), "{:#?}", report.faults);
}

#[tokio::test(flavor = "multi_thread")]
async fn go_follows_a_growing_tree_from_every_head_that_it_has_seen_with_no_network() {
    let Some(newest) = go::go(go::VERSIONS[2]) else {
        return;
    };
    let Some((tree, reals)) = reals(&newest) else {
        return;
    };
    let gos: Vec<_> = go::VERSIONS
        .iter()
        .filter_map(|version| go::go(version))
        .collect();
    let served = Served::start(Database::new(NAME, 1)).await;
    let key = served.with(|db| db.key());
    let (_folder, layout) = mirror(&tree);
    let proofs = open(&layout, &served.with(|db| db.gosumdb()));
    // Levels come and go: the first tile full, a second level, a third, and sizes between.
    let sizes = [2, 255, 256, 700, 65_535, 65_791, 66_000, 131_072, 300_000];
    let mut clients: Vec<Client> = Vec::new();
    let mut there: Vec<&Real> = Vec::new();
    for (stage, size) in sizes.into_iter().enumerate() {
        let new: Vec<&Real> = reals.iter().skip(stage * 2).take(2).collect();
        served.with(|db| {
            for real in &new {
                db.publish(&real.escaped, &real.lines);
            }
            db.grow_to(size, "other");
        });
        let brought = proofs.bring(&route(&served), &modules(&new)).await.unwrap();
        assert_eq!(brought.proven.len(), new.len());
        assert_eq!(
            proofs.head().unwrap().head.size,
            served.with(|db| db.size())
        );
        there.extend(new);
        whole(&proofs);
        for client in &clients {
            client
                .with_cache_cleaned()
                .verifies(&layout, &key, &shuffled(&there, size));
            client.verifies(&layout, &key, &shuffled(&there, size + 1));
        }
        let client = Client::new(&gos[stage % gos.len()]);
        client.verifies(&layout, &key, &shuffled(&there, size + 2));
        clients.push(client);
    }
    println!("{} lookups, {} requests", there.len(), served.asked().len());
}
