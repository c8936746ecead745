//! Where the mirror's checksum database comes from: routes, and servers that misbehave.

use goroam::mirror::sumdb::{ProofError, Proofs};
use goroam::model::SumDb;

use crate::mirror_db::{Mirror, NAME, by, database, module, publish};
use crate::server::{self, PAGE, Reply, ok, status};
use crate::sumdb_tree::{Database, Served, bytes};

#[tokio::test]
async fn many_small_files_come_over_few_connections_and_once_only() {
    let served = Served::start(database(1, 40, 70_000)).await;
    let mirror = Mirror::new(served.with(|db| db.gosumdb()));
    mirror.bring(&served, 0..40).await;
    let seen = served.server.seen();
    let connections = seen.iter().map(|seen| seen.connection).max().unwrap() + 1;
    assert!(
        seen.len() > 50 && connections <= 5,
        "{} over {connections}",
        seen.len()
    );
    let mut lines = served.asked();
    lines.sort();
    let all = lines.len();
    lines.dedup();
    assert_eq!(lines.len(), all, "some were asked for twice");
    mirror.bring(&served, 0..40).await;
    assert_eq!(served.asked().len(), all, "what is there is not asked for");
    assert_eq!(
        mirror.proofs().prove(&module(7)).unwrap().zip.as_deref(),
        Some("h1:zip7=")
    );
    assert_eq!(
        mirror.proofs().prove(&module(7)).unwrap().go_mod.as_deref(),
        Some("h1:mod7=")
    );
    let absent = mirror.proofs().prove(&module(40));
    assert!(matches!(absent, Err(ProofError::Absent(_))));
}

#[tokio::test]
async fn a_cache_with_a_head_in_each_lookup_is_gone_through_once() {
    let served = Served::start(database(9, 600, 30_000)).await;
    let mirror = Mirror::new(served.with(|db| db.gosumdb()));
    mirror.bring(&served, 0..600).await;
    let cache = tempfile::tempdir().unwrap();
    let to = cache.path().join("cache/download/sumdb").join(NAME);
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    let mut copy = std::process::Command::new("cp");
    let copied = copy.arg("-r").arg(mirror.layout.sumdb(NAME)).arg(&to);
    assert!(copied.status().unwrap().success());
    let wanted: Vec<_> = (0..600).map(module).collect();
    let route = by(&served.server.url("http")).with_cache(cache.path());
    let (start, asked) = (std::time::Instant::now(), served.asked().len());
    mirror.proofs().bring(&route, &wanted).await.unwrap();
    // Each head against each lookup takes more than a minute.
    assert!(start.elapsed().as_secs() < 15, "{:?}", start.elapsed());
    assert_eq!(served.asked().len(), asked);
}

#[tokio::test]
async fn a_database_that_never_answers_is_not_waited_for_once_for_each_module() {
    // Takes connections, and that is all.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let key = Database::new(NAME, 1).key();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let mirror = Mirror::new(SumDb::parse(&format!("{key} {url}")).unwrap());
    let wanted: Vec<_> = (0..100).map(module).collect();
    let start = std::time::Instant::now();
    let brought = mirror.proofs().bring(&by("off"), &wanted).await;
    // Ten seconds and one more try for each, four at once, would be more than eight minutes.
    assert!(start.elapsed().as_secs() < 90, "{:?}", start.elapsed());
    let failed = match brought {
        Ok(brought) => brought.failed,
        Err(error) => panic!("{error}"),
    };
    assert_eq!(failed.len(), 100);
    let last = &failed.last().unwrap().1;
    assert!(
        last.contains(&url) && last.contains("not asked for"),
        "{last}"
    );
}

#[tokio::test]
async fn the_database_is_asked_where_go_would_ask_it() {
    let good = Served::start(database(1, 3, 300)).await;
    let passed = Served::start(database(1, 3, 300)).await;
    passed.misbehave(|path| (path == "supported").then(|| status("404 Not Found")));
    let broken = Served::start(database(1, 3, 300)).await;
    broken.misbehave(|_| Some(status("502 Bad Gateway")));
    let db = good.with(|db| db.gosumdb());
    let url = |served: &Served| served.server.url("http");
    let dead = format!("http://127.0.0.1:{}", server::dead_port());
    let (good_url, broken_url) = (url(&good), url(&broken));
    // A tree by file://, as another mirror is.
    let other = Mirror::new(db.clone());
    other.bring(&good, 0..3).await;
    let file = format!("file://{}", other.layout.root().display());
    for (goproxy, reason) in [
        (format!("{},{good_url}", url(&passed)), None),
        (format!("{dead}|{good_url}"), None),
        (format!("{broken_url}|{good_url}"), None),
        (format!("{file},{dead}"), None),
        (format!("file:///nonexistent,{good_url}"), None),
        (format!("{broken_url},{good_url}"), Some("502")),
        (format!("{dead},{good_url}"), Some("127.0.0.1")),
        (format!("{broken_url}|off"), Some("502")),
    ] {
        let mirror = Mirror::new(db.clone());
        let brought = mirror.proofs().bring(&by(&goproxy), &[module(1)]).await;
        match (brought, reason) {
            (Ok(_), None) => mirror.is_whole(&[]),
            (Err(ProofError::Unreachable(said)), Some(reason)) => {
                assert!(said.contains(reason), "{goproxy}: {said}");
                assert!(!mirror.folder.path().join("sumdb").exists());
            }
            (brought, _) => panic!("{goproxy}: {brought:?}"),
        }
    }
    // With a URL in GOSUMDB no proxy is asked; and the mirror itself is no source of its own.
    let text = format!("{} {good_url}", good.with(|db| db.key()));
    let mirror = Mirror::new(SumDb::parse(&text).unwrap());
    mirror
        .proofs()
        .bring(&by(&dead), &[module(1)])
        .await
        .unwrap();
    let own = format!("file://{},{good_url}", mirror.layout.root().display());
    let mirror = Mirror {
        db: db.clone(),
        ..mirror
    };
    mirror
        .proofs()
        .bring(&by(&own), &[module(2)])
        .await
        .unwrap();
    assert!(matches!(
        Proofs::open(&mirror.layout, &SumDb::Off),
        Err(ProofError::Off)
    ));
}

#[tokio::test]
async fn nothing_wrong_is_stored_whoever_sends_it() {
    let served = Served::start(database(1, 3, 66_000)).await;
    let mirror = Mirror::new(served.with(|db| db.gosumdb()));
    mirror.bring(&served, 0..1).await;
    let before = mirror.files();
    let theirs = Served::start(database(2, 3, 66_100)).await;
    let foreign = theirs
        .with(|db| db.lookup("a.test/!m1@v1.0.0", 66_000))
        .unwrap();
    let right = served
        .with(|db| db.lookup("a.test/!m1@v1.0.0", 66_000))
        .unwrap();
    let forged = right.replacen("h1:zip1", "h1:zipX", 1);
    let beyond = right.replacen("38\n", "66000\n", 1);
    assert!(forged != right && beyond != right);
    served.with(|db| db.grow_to(66_700, "more"));
    let lookup = |body: String| {
        move |path: &str| path.starts_with("lookup/").then(|| ok("text/plain", &body))
    };
    let tile = |name: &'static str, reply: fn() -> Reply| {
        move |path: &str| path.contains(name).then(reply)
    };
    type Fault = Box<dyn Fn(&str) -> Option<Reply> + Send>;
    let faults: Vec<(&str, Fault)> = vec![
        ("not signed by sum.test's key", Box::new(lookup(foreign))),
        ("is not what the signed tree", Box::new(lookup(forged))),
        ("is beyond the tree", Box::new(lookup(beyond))),
        ("a login page?", Box::new(lookup(PAGE.to_owned()))),
        ("malformed record data", Box::new(lookup(String::new()))),
        (
            "tile/8/0/260",
            Box::new(tile("tile/8/0/260", || status("404 Not Found"))),
        ),
        (
            "do not make the root",
            Box::new(tile("tile/8/0/260", || bytes(&[7; 140 * 32]))),
        ),
        (
            "does not fit",
            Box::new(tile("tile/8/0/257", || bytes(&[7; 8192]))),
        ),
        (
            "does not fit",
            Box::new(tile("tile/8/0/257", || bytes(&[7; 100]))),
        ),
        (
            "longer than 8192 bytes",
            Box::new(tile("tile/8/0/257", || bytes(&[7; 8193]))),
        ),
    ];
    for (reason, fault) in faults {
        served.misbehave(fault);
        let said = mirror
            .proofs()
            .bring(&by(&served.server.url("http")), &[module(1)])
            .await;
        let said = said.unwrap_err().to_string();
        assert!(said.contains(reason), "{reason}: {said}");
        assert_eq!(mirror.files(), before, "{reason}");
    }
    // What one source says about one module does not keep the others out.
    served.misbehave(|path| match path {
        "lookup/a.test/!m1@v1.0.0" => Some(status("404 Not Found")),
        "lookup/a.test/!m2@v1.0.0" => Some(status("403 Forbidden")),
        _ => None,
    });
    served.with(|db| publish(db, 3..4));
    let wanted: Vec<_> = (1..4).map(module).collect();
    let route = by(&served.server.url("http"));
    let brought = mirror.proofs().bring(&route, &wanted).await.unwrap();
    assert_eq!(brought.proven, [module(3)]);
    assert_eq!(
        (&brought.unknown[0].0, &brought.failed[0].0),
        (&module(1), &module(2))
    );
    mirror.is_whole(&[]);
}

#[tokio::test]
async fn a_database_that_shows_two_trees_is_caught_and_both_heads_are_kept() {
    let served = Served::start(database(1, 2, 700)).await;
    let mirror = Mirror::new(served.with(|db| db.gosumdb()));
    mirror.bring(&served, 0..1).await;
    let before = mirror.files();
    let old = mirror.proofs().head().unwrap();
    for size in [900, 700] {
        // The same key, other records.
        let mut other = Database::new(NAME, 1);
        other.grow_to(20, "another");
        publish(&mut other, 0..2);
        other.grow_to(size, "another");
        let other = Served::start(other).await;
        let forked = mirror
            .proofs()
            .bring(&by(&other.server.url("http")), &[module(1)])
            .await;
        let forked = forked.unwrap_err();
        let ProofError::Forked {
            fork,
            evidence: Some(evidence),
        } = &forked
        else {
            panic!("{forked}");
        };
        let heads = [&fork.older, &fork.newer].map(|head| head.head.size);
        assert_eq!(heads, [700, size]);
        assert!(fork.older == old || fork.newer == old);
        let kept = std::fs::read_to_string(evidence).unwrap();
        assert!(kept.contains(&fork.older.note) && kept.contains(&fork.newer.note));
        assert!(forked.to_string().contains(&old.note), "{forked}");
        std::fs::remove_dir_all(evidence.parent().unwrap()).unwrap();
        assert_eq!(mirror.files(), before);
    }
}
