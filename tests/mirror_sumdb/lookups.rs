//! The checksum database in the mirror: what go itself verifies out of it with no network.

use std::path::Path;

use goroam::gomod::ModuleVersion;
use goroam::mirror::Layout;
use goroam::mirror::sumdb::{ProofError, Proofs, Route};
use goroam::model::{Chain, SumDb};

use crate::go;
use crate::mirror_go::{Client, Real, mirror, reals, shuffled};
use crate::server;
use crate::sumdb_tree::{Database, Served};

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

/// A go that is online: modules from the lab's tree, the database at its own URL.
fn online(client: &Client, served: &Served, tree: &Path, real: &Real) {
    let gosumdb = served.with(|db| db.key()) + " " + &served.server.url("http");
    let proxy = format!("file://{}", tree.display());
    let out = client.run(
        &proxy,
        &gosumdb,
        &["mod", "download", &real.module.to_string()],
    );
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
}

/// What `covers` says of what this client has seen last.
fn covered(proofs: &Proofs, client: &Client) -> Result<(), ProofError> {
    let note = std::fs::read(client.latest(NAME)).unwrap();
    proofs.covers(&proofs.read_head(&note).unwrap().head)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_keeps_up_with_what_go_has_seen_elsewhere_and_knows_when_it_does_not() {
    let Some(go) = go::go(go::VERSIONS[1]) else {
        return;
    };
    let Some((tree, reals)) = reals(&go) else {
        return;
    };
    let served = Served::start(Database::new(NAME, 1)).await;
    let key = served.with(|db| db.key());
    let (_folder, layout) = mirror(&tree);
    let proofs = open(&layout, &served.with(|db| db.gosumdb()));
    let there: Vec<&Real> = reals.iter().take(3).collect();
    served.with(|db| {
        for real in &reals[..8] {
            db.publish(&real.escaped, &real.lines);
            db.grow_to(db.size() + 90, "other");
        }
    });
    proofs
        .bring(&route(&served), &modules(&there))
        .await
        .unwrap();

    // Older than the mirror, but never the mirror's own head; newer than it; far newer.
    let mut elsewhere = Vec::new();
    for (size, real) in [(730, 4), (66_000, 5), (131_500, 6)] {
        served.with(|db| db.grow_to(size, "other"));
        let client = Client::new(&go);
        online(&client, &served, &tree, &reals[real]);
        let newer = size > proofs.head().unwrap().head.size;
        // goroam's opinion is go's.
        assert_eq!(covered(&proofs, &client).is_err(), newer, "{size}");
        if newer {
            let why = "no such file or directory";
            client
                .with_cache_cleaned()
                .refuses(&layout, &key, there[0], why);
        }
        // The mirror comes by when the tree has grown, so that head is never its own.
        let next = [&reals[8 + elsewhere.len()]];
        served.with(|db| {
            db.grow_to(size + 50, "other");
            db.publish(&next[0].escaped, &next[0].lines);
        });
        let seen = route(&served).with_last_seen(client.gopath().as_os_str());
        let brought = proofs.bring(&seen, &modules(&next)).await.unwrap();
        assert_eq!(brought.behind, None);
        covered(&proofs, &client).unwrap();
        client
            .with_cache_cleaned()
            .verifies(&layout, &key, &shuffled(&there, size));
        elsewhere.push(client);
        whole(&proofs);
    }
    for client in &elsewhere {
        covered(&proofs, client).unwrap();
        client
            .with_cache_cleaned()
            .verifies(&layout, &key, &shuffled(&there, 9));
    }
    whole(&proofs);
    // Off line it says that it is behind, and does what it can do.
    served.with(|db| db.grow_to(140_000, "other"));
    let client = Client::new(&go);
    online(&client, &served, &tree, &reals[5]);
    let seen = Route::offline().with_last_seen(client.gopath().as_os_str());
    let brought = proofs.bring(&seen, &modules(&there)).await.unwrap();
    assert!(brought.behind.unwrap().contains("140000"));
    // What go itself has kept of it may be enough to go on.
    let cache = seen_cache(&client);
    let seen = Route::offline()
        .with_last_seen(client.gopath().as_os_str())
        .with_cache(&cache);
    let brought = proofs.bring(&seen, &modules(&[&reals[5]])).await;
    // Here it is not: an older head cannot be proven by it.
    assert!(matches!(brought, Err(ProofError::Tile(_))), "{brought:?}");
}

fn seen_cache(client: &Client) -> std::path::PathBuf {
    client.gopath().join("pkg/mod")
}

/// One thing is changed, then put back.
fn tampered(path: &Path, change: impl FnOnce(Vec<u8>) -> Vec<u8>, check: impl FnOnce()) {
    let kept = std::fs::read(path).unwrap();
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, change(kept.clone())).unwrap();
    check();
    std::fs::write(path, kept).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_tampered_with_is_refused_by_go_and_found_by_verify() {
    let Some((tree, reals)) = go::go(go::VERSIONS[0]).and_then(|go| reals(&go)) else {
        return;
    };
    let served = Served::start(Database::new(NAME, 1)).await;
    let key = served.with(|db| db.key());
    let (folder, layout) = mirror(&tree);
    let proofs = open(&layout, &served.with(|db| db.gosumdb()));
    served.with(|db| {
        for real in &reals[..2] {
            db.publish(&real.escaped, &real.lines);
        }
        db.grow_to(66_000, "other");
    });
    let (real, other) = (&reals[0], &reals[1]);
    proofs
        .bring(&route(&served), &modules(&[real, other]))
        .await
        .unwrap();
    whole(&proofs);
    let at = |path: &str| folder.path().join("sumdb").join(NAME).join(path);
    let lookup = at(&format!("lookup/{}", real.escaped));
    let other_lookup = std::fs::read(at(&format!("lookup/{}", other.escaped))).unwrap();
    let flip = |mut bytes: Vec<u8>| {
        bytes[8] ^= 1;
        bytes
    };
    // Another record's hash than that of the module.
    let beside = |mut bytes: Vec<u8>| {
        bytes[40] ^= 1;
        bytes
    };
    let zip = |text: Vec<u8>| {
        let text = String::from_utf8(text).unwrap();
        text.replacen(" h1:", " h1:A", 1).into_bytes()
    };
    let signature = |text: Vec<u8>| {
        let text = String::from_utf8(text).unwrap();
        text.replacen("\n66000\n", "\n66001\n", 1).into_bytes()
    };
    let found = || {
        let report = open(&layout, &served.with(|db| db.gosumdb()))
            .verify()
            .unwrap();
        assert!(!report.faults.is_empty());
        assert!(
            open(&layout, &served.with(|db| db.gosumdb()))
                .prove(&real.module)
                .is_err()
        );
    };
    for version in go::VERSIONS {
        let Some(go) = go::go(version) else { continue };
        let refused = |why: &'static str| {
            let (go, layout, key) = (&go, &layout, &key);
            move || {
                Client::new(go).refuses(layout, key, real, why);
                found();
            }
        };
        // go before 1.25.13, 1.26.6 and 1.27 takes forged tiles below the edge for good
        // (CVE-2026-56865, go.dev/issue/80744), here as from any proxy; goroam does not.
        let is_mended = version == go::VERSIONS[2];
        let below_edge = |why: &'static str| {
            let refused = refused(why);
            move || {
                if is_mended {
                    refused();
                } else {
                    found();
                }
            }
        };
        tampered(
            &at("tile/8/0/000"),
            beside,
            below_edge("downloaded inconsistent tile"),
        );
        tampered(
            &at("tile/8/1/000"),
            flip,
            below_edge("downloaded inconsistent tile"),
        );
        // These also take an answer about other modules for a yes (modfetch/fetch.go:checkSumDB).
        let other = || other_lookup.clone();
        tampered(
            &lookup,
            |_| other(),
            below_edge("checksum missing from sumdb"),
        );
        tampered(
            &at("tile/8/1/001.p/1"),
            flip,
            refused("downloaded inconsistent tile"),
        );
        tampered(
            &at("tile/8/0/000"),
            |tile| tile[..32].to_vec(),
            refused("bad result slice"),
        );
        tampered(&lookup, zip, refused("cannot authenticate record data"));
        tampered(&lookup, signature, refused("note"));
        tampered(
            &lookup,
            |_| b"<html>".to_vec(),
            refused("malformed record data"),
        );
    }
    // goroam replaces what it can download again.
    std::fs::write(at("tile/8/0/000"), [7; 8192]).unwrap();
    std::fs::write(&lookup, "<html>").unwrap();
    proofs
        .bring(&route(&served), &modules(&[real]))
        .await
        .unwrap();
    whole(&proofs);
}
