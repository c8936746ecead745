//! The checksum database in the mirror over its life: joined with another one's, cut down to
//! what is needed, and killed while it is written.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use goroam::gomod::sum::TreeHead;
use goroam::mirror::Layout;
use goroam::mirror::sumdb::{ProofError, Proofs, Route};
use goroam::model::SumDb;

use crate::mirror_db::{Mirror, NAME, by, database, module, publish};
use crate::sumdb_tree::{Database, Served};

/// A mirror that has grown: its heads are sizes, at each of which it brought two modules more.
async fn grown(served: &Served, sizes: &[u64]) -> Mirror {
    let mirror = Mirror::new(served.with(|db| db.gosumdb()));
    grow(served, &mirror, sizes, 0).await;
    mirror
}

async fn grow(served: &Served, mirror: &Mirror, sizes: &[u64], mut from: u64) {
    for size in sizes {
        served.with(|db| {
            publish(db, from..from + 2);
            db.grow_to(*size, "other");
        });
        mirror.bring(served, from..from + 2).await;
        from += 2;
    }
}

/// As one carries it over an air gap.
fn copy(mirror: &Mirror) -> Mirror {
    let other = Mirror::new(mirror.db.clone());
    for (path, content) in mirror.files() {
        let to = other
            .folder
            .path()
            .join(path.strip_prefix(mirror.folder.path()).unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::write(to, content).unwrap();
    }
    other
}

fn head(mirror: &Mirror) -> TreeHead {
    mirror.proofs().head().unwrap().head
}

#[tokio::test]
async fn mirrors_of_one_line_are_joined_with_no_network() {
    let served = Served::start(Database::new(NAME, 1)).await;
    let online = grown(&served, &[300, 700]).await;
    let (behind, was) = (copy(&online), head(&online));
    grow(&served, &online, &[66_000, 66_300], 4).await;

    // The archive is newer, then older than what is there; both ways all is proven.
    let fresh = copy(&behind);
    let joined = fresh
        .proofs()
        .merge(&online.layout, Route::offline())
        .await
        .unwrap();
    assert_eq!(joined.proven, [module(4), module(5), module(6), module(7)]);
    assert_eq!(head(&fresh), head(&online));
    fresh.is_whole(&[was, head(&online)]);
    let joined = online
        .proofs()
        .merge(&behind.layout, Route::offline())
        .await
        .unwrap();
    assert_eq!((joined.proven.len(), joined.written), (0, 0));
    online.is_whole(&[was, head(&online)]);
    // Into nothing.
    let empty = Mirror::new(online.db.clone());
    empty
        .proofs()
        .merge(&online.layout, Route::offline())
        .await
        .unwrap();
    empty.is_whole(&[was, head(&online)]);
    let both = |mirror: &Mirror| mirror.proofs().prove(&module(1)).unwrap();
    assert_eq!(both(&empty), both(&online));
}

#[tokio::test]
async fn mirrors_that_know_nothing_of_each_other_are_joined_only_with_a_network() {
    let served = Served::start(Database::new(NAME, 1)).await;
    let one = grown(&served, &[300, 700]).await;
    let other = Mirror::new(one.db.clone());
    served.with(|db| db.grow_to(40_000, "other"));
    grow(&served, &other, &[66_000], 4).await;
    for (into, from) in [(&one, &other), (&other, &one)] {
        let before = into.files();
        let refused = into
            .proofs()
            .merge(&from.layout, Route::offline())
            .await
            .unwrap_err();
        assert!(matches!(refused, ProofError::Tile(_)));
        let said = refused.to_string();
        assert!(
            said.contains("that the tree of 66000 records began as that of "),
            "{said}"
        );
        assert_eq!(into.files(), before);
        let heads = [head(&one), head(&other)];
        let tried = copy(into);
        let route = by(&served.server.url("http"));
        tried.proofs().merge(&from.layout, route).await.unwrap();
        tried.is_whole(&heads);
        assert!((0..6).all(|number| tried.proofs().prove(&module(number)).is_ok()));
    }
}

#[tokio::test]
async fn a_mirror_that_is_forked_or_damaged_is_not_joined() {
    let served = Served::start(database(1, 2, 300)).await;
    let mirror = grown(&served, &[400]).await;
    let mut forked = Database::new(NAME, 1);
    forked.grow_to(100, "another");
    let forked = grown(&Served::start(forked).await, &[500]).await;
    let before = mirror.files();
    let said = mirror
        .proofs()
        .merge(&forked.layout, Route::offline())
        .await
        .unwrap_err();
    // Its tiles do not show the older tree, or show that it is another.
    assert!(matches!(said, ProofError::Forked { .. }), "{said}");
    std::fs::remove_dir_all(mirror.folder.path().join(".goroam/sumdb/sum.test/forks")).unwrap();
    assert_eq!(mirror.files(), before);

    let damaged = copy(&mirror);
    let lookup = damaged
        .folder
        .path()
        .join("sumdb/sum.test/lookup/a.test/!m1@v1.0.0");
    let text = std::fs::read_to_string(&lookup).unwrap();
    std::fs::write(&lookup, text.replacen("h1:zip", "h1:Zip", 1)).unwrap();
    let said = mirror
        .proofs()
        .merge(&damaged.layout, Route::offline())
        .await
        .unwrap_err();
    assert!(matches!(said, ProofError::False(_)), "{said}");
    assert_eq!(mirror.files(), before);
}

#[tokio::test]
async fn what_is_not_needed_can_go_and_what_is_needed_cannot() {
    let served = Served::start(Database::new(NAME, 1)).await;
    let mirror = grown(&served, &[300, 5_000, 66_000, 66_200]).await;
    let heads: Vec<u64> = vec![300, 5_000, 66_000, 66_200];
    let heads: Vec<TreeHead> = heads
        .into_iter()
        .map(|size| {
            let note = served.with(|db| db.note(size));
            mirror.proofs().read_head(note.as_bytes()).unwrap().head
        })
        .collect();
    mirror.is_whole(&heads);
    let keep = mirror
        .proofs()
        .files_of(&[module(3), module(6), module(99)])
        .unwrap();
    let all = mirror.files().len();
    for (path, _) in mirror.files() {
        if !keep.contains(&path) {
            std::fs::remove_file(path).unwrap();
        }
    }
    assert!(mirror.files().len() < all);
    assert_eq!(mirror.files().len(), keep.len());
    mirror.is_whole(&heads);
    mirror.proofs().prove(&module(3)).unwrap();
    mirror.proofs().prove(&module(6)).unwrap();
    for (path, content) in mirror.files() {
        std::fs::remove_file(&path).unwrap();
        let proofs = mirror.proofs();
        let whole = proofs.verify().unwrap().faults.is_empty()
            && heads.iter().all(|head| proofs.covers(head).is_ok())
            && [3, 6]
                .iter()
                .all(|number| proofs.prove(&module(*number)).is_ok());
        // Without goroam's own list go is as well served as before.
        assert!(!whole || path.ends_with("heads"), "{}", path.display());
        std::fs::write(&path, content).unwrap();
    }
}

/// What the killed one is told.
const CHILD: &str = "GOROAM_TEST_KILLED";

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_moment_leaves_what_go_can_use() {
    if let Ok(told) = std::env::var(CHILD) {
        let [root, key, proxy, upto] = told.split('\n').collect::<Vec<_>>().try_into().unwrap();
        let proofs = Proofs::open(&Layout::new(root), &SumDb::parse(key).unwrap()).unwrap();
        let wanted: Vec<_> = (0..upto.parse().unwrap()).map(module).collect();
        proofs.bring(&by(proxy), &wanted).await.unwrap();
        return;
    }
    let served = Served::start(database(1, 30, 300)).await;
    let mirror = Mirror::new(served.with(|db| db.gosumdb()));
    mirror.bring(&served, 0..30).await;
    let mut heads = vec![head(&mirror)];
    let mut modules = 30;
    let (mut killed, mut halfway) = (0, 0);
    let mut longest = Duration::from_millis(50);
    let mut state = 11_u64;
    for round in 0..24_u64 {
        served.with(|db| {
            publish(db, modules..modules + 2);
            db.grow_to(db.size() + round * 610 % 7000, "other");
        });
        modules += 2;
        let told = [
            mirror.folder.path().to_str().unwrap().to_owned(),
            served.with(|db| db.key()),
            served.server.url("http"),
            modules.to_string(),
        ];
        let begun = Instant::now();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "merge::a_kill_at_any_moment_leaves_what_go_can_use",
            ])
            .env(CHILD, told.join("\n"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        if round % 8 == 0 {
            assert!(child.wait().unwrap().success());
            longest = begun.elapsed();
        } else {
            std::thread::sleep(longest.mul_f64((state >> 40) as f64 / f64::from(1 << 24)));
            let _ = child.kill();
            if child.wait().unwrap().success() {
                // The machine was slow when it was measured: most are to come in time.
                longest = longest * 3 / 4;
            } else {
                killed += 1;
            }
        }
        // The oldest one, and the newest ones.
        mirror.is_whole(&heads[..1]);
        mirror.is_whole(&heads[heads.len().saturating_sub(2)..]);
        halfway += u32::from(notes(&mirror) > 1);
        if head(&mirror) != heads[heads.len() - 1] {
            heads.push(head(&mirror));
        }
        let proofs = mirror.proofs();
        for number in 0..30 {
            proofs.prove(&module(number)).unwrap();
        }
    }
    println!(
        "{killed} killed, {halfway} of them between lookups, {} heads",
        heads.len()
    );
    assert!(killed > 5, "{killed}");
    mirror.bring(&served, 0..modules).await;
    assert_eq!(notes(&mirror), 1);
    mirror.is_whole(&heads);
}

/// How many heads the lookups have between them.
fn notes(mirror: &Mirror) -> usize {
    let lookups: PathBuf = mirror.folder.path().join("sumdb").join(NAME).join("lookup");
    let notes: std::collections::BTreeSet<Vec<u8>> = mirror
        .files()
        .into_iter()
        .filter(|(path, _)| path.starts_with(&lookups))
        .map(|(_, text)| {
            let text = String::from_utf8(text).unwrap();
            text.split_once("\n\n").unwrap().1.as_bytes().to_vec()
        })
        .collect();
    notes.len()
}
