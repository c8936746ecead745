//! The journal through kills, full disks, tampering and two writers at once.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test says what is wrong by panicking, and why it is skipped by printing"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use goroam::model::plan::{Plan, PlanStep};
use goroam::model::{Change, Observation, Phase, Phases, Proof, Snapshot, Verdict};
use goroam::state::entry::Outcome;
use goroam::state::{Anchor, Entry, Journal, JournalError, Mark};

#[test]
fn what_is_appended_is_read_back_and_follows_from_what_was_before() {
    let (_folder, path) = place();
    for turn in 1..=5 {
        append(&path, &entry(turn));
    }
    assert_eq!(Journal::verify(&path).unwrap(), 5);
    let (entries, unreadable) = Journal::last(&path, 3).unwrap();
    assert_eq!(entries, [entry(3), entry(4), entry(5)]);
    assert_eq!(unreadable, 0);
}

#[test]
fn no_journal_is_an_empty_one() {
    let (_folder, path) = place();
    assert_eq!(Journal::last(&path, 9).unwrap(), (Vec::new(), 0));
    assert_eq!(Journal::verify(&path).unwrap(), 0);
}

#[test]
fn a_kill_at_any_byte_loses_at_most_the_line_being_written() {
    // In memory, where there is some: every cut costs two fsyncs.
    let folder = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap();
    let path = folder.path().join("journal.jsonl");
    append(&path, &entry(1));
    append(&path, &entry(2));
    let two = std::fs::read(&path).unwrap();
    append(&path, &entry(3));
    let three = std::fs::read(&path).unwrap();
    for cut in two.len()..=three.len() {
        std::fs::write(&path, &three[..cut]).unwrap();
        // Before it is repaired, a torn line does not count as tampering.
        let whole = cut + 1 >= three.len();
        assert_eq!(Journal::verify(&path).unwrap(), if whole { 3 } else { 2 });
        append(&path, &entry(4));
        let turns = turns(&path);
        let expected = if whole {
            vec![1, 2, 3, 4]
        } else {
            vec![1, 2, 4]
        };
        assert_eq!(turns, (expected.clone(), 0), "cut at {cut}");
        assert_eq!(Journal::verify(&path).unwrap(), expected.len());
    }
}

#[test]
fn a_line_torn_by_another_process_is_repaired() {
    let (_folder, path) = place();
    append(&path, &entry(1));
    let mut torn = std::fs::read(&path).unwrap();
    torn.extend_from_slice(b"{\"prev\":\"00\0\0\0");
    std::fs::write(&path, torn).unwrap();
    append(&path, &entry(2));
    assert_eq!(turns(&path), (vec![1, 2], 0));
    assert_eq!(Journal::verify(&path).unwrap(), 2);
}

#[test]
fn every_changed_byte_is_noticed() {
    let (_folder, path) = place();
    for turn in 1..=3 {
        append(&path, &entry(turn));
    }
    let good = std::fs::read(&path).unwrap();
    let second = good.iter().position(|b| *b == b'\n').unwrap() + 1;
    let third = second + good[second..].iter().position(|b| *b == b'\n').unwrap() + 1;
    for at in 0..third {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&path, bad).unwrap();
        let error = Journal::verify(&path).unwrap_err();
        assert!(
            matches!(error, JournalError::Broken { .. }),
            "byte {at}: {error}"
        );
    }
}

#[test]
fn removed_moved_and_added_lines_are_noticed_with_their_number() {
    let (_folder, path) = place();
    for turn in 1..=4 {
        append(&path, &entry(turn));
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for (order, broken) in [
        (vec![1, 2, 3], 1),
        (vec![0, 2, 3], 2),
        (vec![0, 2, 1, 3], 2),
        (vec![0, 1, 1, 2], 3),
    ] {
        let changed: String = order.iter().map(|i| lines[*i]).collect();
        std::fs::write(&path, changed).unwrap();
        match Journal::verify(&path).unwrap_err() {
            JournalError::Broken { line, .. } => assert_eq!(line, broken, "{order:?}"),
            error @ (JournalError::File { .. }
            | JournalError::Missing { .. }
            | JournalError::Older { .. }
            | JournalError::Unknown { .. }) => panic!("{error}"),
        }
    }
}

#[test]
fn it_stays_bounded_and_the_chain_goes_on_over_the_rotation() {
    let (folder, path) = place();
    let padding = "x".repeat(20_000);
    for turn in 1..=250 {
        let mut entry = entry(turn);
        entry.changes[0].what.clone_from(&padding);
        append(&path, &entry);
    }
    let size = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().len();
    assert!(size("journal.jsonl") <= 3 << 20 && size("journal.1.jsonl") <= 3 << 20);
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        3,
        "two files and the lock"
    );
    let kept = Journal::verify(&path).unwrap();
    assert!((100..250).contains(&kept), "{kept}");
    let (turns, _) = turns(&path);
    let expected: Vec<u64> = (251 - kept as u64..=250).collect();
    assert_eq!(turns, expected);
    let both = Journal::last(&path, kept - 1).unwrap().0;
    assert_eq!(both.len(), kept - 1);

    // Killed right after the old file was put aside.
    let rotated = folder.path().join("journal.1.jsonl");
    std::fs::rename(&path, &rotated).unwrap();
    assert!(Journal::verify(&path).unwrap() > 0);
    append(&path, &entry(251));
    assert_eq!(self::turns(&path).0.last(), Some(&251));
    Journal::verify(&path).unwrap();

    // A turn that is far too large takes no more room than others.
    let before = size("journal.jsonl");
    let mut huge = entry(252);
    huge.changes[0].what = "y".repeat(2 << 20);
    append(&path, &huge);
    assert!(size("journal.jsonl") - before < 64 << 10);
    assert_eq!(self::turns(&path).0.last(), Some(&252));
    Journal::verify(&path).unwrap();
}

#[test]
fn what_is_cut_off_emptied_deleted_or_replaced_is_missed() {
    let (folder, path) = place();
    let mut mark = Mark::default();
    for turn in 1..=11 {
        // A kill between journal and memory leaves the journal one turn ahead: that is no loss.
        let older = mark.clone();
        mark = Journal::append(&path, &entry(turn), Some(&mark)).unwrap();
        assert_eq!(Journal::verify_after(&path, &older).unwrap(), turn as usize);
    }
    assert_eq!(Journal::verify_after(&path, &mark).unwrap(), 11);
    assert_eq!((mark.turn, mark.lines), (11, 11));
    let whole = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let missed = |mark: &Mark| match Journal::verify_after(&path, mark).unwrap_err() {
        JournalError::Missing { what, .. } => what,
        error @ (JournalError::File { .. }
        | JournalError::Broken { .. }
        | JournalError::Older { .. }
        | JournalError::Unknown { .. }) => panic!("{error}"),
    };
    let old = Mark {
        turn: 11,
        ..Mark::default()
    };
    for mark in [&mark, &old] {
        std::fs::write(&path, lines[..3].concat()).unwrap();
        assert_eq!(missed(mark), "turns 4 to 11 are missing at its end");
        std::fs::write(&path, "").unwrap();
        assert!(missed(mark).contains("empty or was deleted"));
        std::fs::remove_file(&path).unwrap();
        assert!(missed(mark).contains("turns 1 to 11"));
    }
    std::fs::write(&path, lines[..10].concat()).unwrap();
    assert_eq!(missed(&mark), "turn 11 is missing at its end");
    // What goroam remembers is lost.
    let lost = Journal::verify_after(&path, &Mark::default()).unwrap_err();
    assert!(matches!(lost, JournalError::Unknown { .. }), "{lost}");
    std::fs::write(&path, lines[0]).unwrap();
    assert_eq!(Journal::verify_after(&path, &Mark::default()).unwrap(), 1);
    // A kill after the very first turn leaves no line of a later one.
    std::fs::remove_file(&path).unwrap();
    append(&path, &entry(5));
    let lost = Journal::verify_after(&path, &Mark::default()).unwrap_err();
    assert!(matches!(lost, JournalError::Unknown { .. }), "{lost}");
    // Another journal that is as long.
    let other = folder.path().join("other.jsonl");
    for turn in 1..=11 {
        let mut entry = entry(turn);
        entry.cause = "forged".into();
        append(&other, &entry);
    }
    std::fs::copy(&other, &path).unwrap();
    assert!(missed(&mark).contains("was replaced"));

    // The next turn does not cover a loss.
    std::fs::write(&path, lines[..3].concat()).unwrap();
    let after = Journal::append(&path, &entry(12), Some(&mark)).unwrap();
    let told = "turns 4 to 11 were removed before turn 12 was written";
    assert_eq!(missed(&after), told);
    let after = Journal::append(&path, &entry(13), Some(&after)).unwrap();
    assert_eq!(missed(&after), told);
}

#[test]
fn an_anchor_kept_elsewhere_shows_what_was_cut_off_and_forged_together_with_goroams_own_record() {
    let (folder, path) = place();
    let mut mark = Mark::default();
    let mut anchors = Vec::new();
    for turn in 1..=11 {
        mark = Journal::append(&path, &entry(turn), Some(&mark)).unwrap();
        anchors.push(mark.anchor().unwrap());
    }
    assert_eq!(Journal::anchor(&path).unwrap().as_ref(), anchors.last());
    for (at, anchor) in anchors.iter().enumerate() {
        assert_eq!(Journal::verify_since(&path, anchor).unwrap(), 10 - at);
        let text = anchor.to_string();
        assert!(text.starts_with(&format!("{}:", at + 1)), "{text}");
        assert_eq!(text.parse().as_ref(), Ok(anchor));
    }
    let whole = std::fs::read_to_string(&path).unwrap();
    let lines = Vec::from_iter(whole.split_inclusive('\n'));
    let told = |anchor: &Anchor| {
        let error = Journal::verify_since(&path, anchor).unwrap_err();
        let text = error.to_string();
        let (_, what) = text.split_once(".jsonl: ").unwrap();
        what.to_owned()
    };
    let [.., tenth, last] = anchors.as_slice() else {
        panic!()
    };
    // goroam's own record was set back as well, so that alone nothing is missing.
    std::fs::write(&path, lines[..10].concat()).unwrap();
    let older = Mark {
        turn: 10,
        hash: tenth.hash.clone(),
        lines: 10,
        gaps: Vec::new(),
    };
    assert_eq!(Journal::verify_after(&path, &older).unwrap(), 10);
    assert_eq!(Journal::verify_since(&path, tenth).unwrap(), 0);
    assert_eq!(
        told(last),
        "its end is missing: it ends with turn 10, and turn 11 was there"
    );
    let nameless = Anchor {
        turn: None,
        ..last.clone()
    };
    assert!(told(&nameless).starts_with("no line has the hash of the anchor"));
    // The cut turn was written again, and the chain is whole.
    let mut forged = entry(11);
    forged.cause = "forged".into();
    Journal::append(&path, &forged, Some(&older)).unwrap();
    assert_eq!(Journal::verify(&path).unwrap(), 11);
    assert_eq!(
        told(last),
        "turn 11 is not the one that the anchor names: the journal was replaced"
    );
    // The hash that is looked for stands in a last line without an end: a made up one, and the line
    // that was cut off, which does not follow from the forged ones.
    let forged = std::fs::read_to_string(&path).unwrap();
    let (prev, hash) = ("0".repeat(64), &last.hash);
    let made_up = format!("{{\"prev\":\"{prev}\",\"hash\":\"{hash}\",\"turn\":11}}");
    let mark = Mark {
        turn: 11,
        hash: hash.clone(),
        lines: 11,
        gaps: Vec::new(),
    };
    for end in [made_up.as_str(), lines[10].trim_end()] {
        std::fs::write(&path, format!("{forged}{end}")).unwrap();
        Journal::verify_since(&path, last).unwrap_err();
        Journal::verify_after(&path, &mark).unwrap_err();
    }
    // A line after the anchor was changed.
    std::fs::write(&path, whole.replacen("\"turn\":10", "\"turn\":19", 1)).unwrap();
    let error = Journal::verify_since(&path, &anchors[0]).unwrap_err();
    assert!(
        matches!(error, JournalError::Broken { line: 10, .. }),
        "{error}"
    );
    // Over the rotation: a line of the rotated file is found, one that is kept no more is too old.
    std::fs::write(&path, lines[10]).unwrap();
    std::fs::write(folder.path().join("journal.1.jsonl"), lines[5..10].concat()).unwrap();
    assert_eq!(Journal::verify_since(&path, &anchors[6]).unwrap(), 4);
    assert_eq!(
        told(&anchors[3]),
        "turn 4 is not kept any more; the oldest is turn 6"
    );
    std::fs::remove_file(folder.path().join("journal.1.jsonl")).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(told(last), "it is empty or was deleted");
    for bad in [
        "",
        "11",
        "11:",
        ":11",
        "x:".repeat(40).as_str(),
        &format!("{last}0"),
    ] {
        assert!(bad.parse::<Anchor>().is_err(), "{bad}");
    }
}

#[test]
fn a_flood_of_routes_and_addresses_makes_no_long_lines() {
    let (folder, path) = place();
    let mut flooded = entry(1);
    let route: goroam::model::Route = serde_json::from_str(
        r#"{"destination":"::/0","metric":1,"gateway":"fe80::1","link":2,"table":254,"kind":"unicast"}"#,
    )
    .unwrap();
    for metric in 0..4000 {
        let route = goroam::model::Route {
            metric,
            ..route.clone()
        };
        flooded.snapshot.routes.push(route);
    }
    append(&path, &flooded);
    let size = std::fs::metadata(folder.path().join("journal.jsonl"))
        .unwrap()
        .len();
    assert!(size < 8 << 10, "{size}");
    let kept = Journal::last(&path, 1).unwrap().0.remove(0);
    let left_out = kept.left_out.unwrap();
    assert_eq!(
        (kept.snapshot.routes.len(), left_out.omitted.routes),
        (16, 3984)
    );
    assert_eq!(left_out.sha256.len(), 64);
}

#[test]
fn two_writers_take_turns() {
    let (_folder, path) = place();
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let path = &path;
            scope.spawn(move || {
                for turn in 0..40 {
                    let mut entry = entry(writer * 100 + turn);
                    entry.changes[0].what = "x".repeat(20_000);
                    append(path, &entry);
                }
            });
        }
    });
    assert_eq!(Journal::verify(&path).unwrap() + dropped(&path), 80);
    let (turns, unreadable) = turns(&path);
    assert_eq!(unreadable, 0);
    for writer in 0..2 {
        let own: Vec<u64> = turns
            .iter()
            .copied()
            .filter(|turn| turn / 100 == writer)
            .collect();
        assert!(
            own.is_sorted() && own.last() == Some(&(writer * 100 + 39)),
            "{own:?}"
        );
    }
}

#[test]
fn credentials_never_reach_the_disk() {
    let (folder, path) = place();
    let mut secret = entry(1);
    let url = "https://joe:s3cret@goproxy.corp.example/x,https://t0ken@h|joe:s3cret@p.example";
    secret.cause = format!("policy {url}");
    secret.changes[0].what = url.to_owned();
    secret.report[0].reason = format!("Get \"{url}\": refused");
    secret.plan.steps.push(PlanStep::Set {
        name: "GOPROXY".into(),
        value: url.to_owned(),
    });
    secret.outcome = Outcome::Failed {
        error: format!("go env -w GOPROXY={url}"),
        kind: String::new(),
    };
    secret.ms.insert(url.to_owned(), 1.0);
    append(&path, &secret);
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(
            !text.contains("s3cret") && !text.contains("t0ken"),
            "{text}"
        );
    }
    let (entries, _) = Journal::last(&path, 1).unwrap();
    assert!(
        entries[0].changes[0]
            .what
            .starts_with("https://joe:***@goproxy.corp.example/x")
    );
    assert_eq!(Journal::verify(&path).unwrap(), 1);
}

#[test]
fn lines_that_cannot_be_read_are_counted_and_do_not_end_it() {
    let (_folder, path) = place();
    append(&path, &entry(1));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(b"\xff\xfe not json\n");
    std::fs::write(&path, bytes).unwrap();
    append(&path, &entry(2));
    assert_eq!(turns(&path), (vec![1, 2], 1));
    assert!(Journal::verify(&path).is_err());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_loses_no_earlier_line() {
    use std::io::Write as _;

    let (folder, path) = place();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "goroam-test"])
        .arg(folder.path())
        .output();
    if !mounted.is_ok_and(|out| out.status.success()) {
        println!("skipped: a small disk cannot be mounted here");
        return;
    }
    let result = std::panic::catch_unwind(|| {
        for turn in 1..=3 {
            append(&path, &entry(turn));
        }
        let filler = folder.path().join("filler");
        let mut file = std::fs::File::create(&filler).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        let mut large = entry(4);
        large.changes[0].what = "x".repeat(20_000);
        let error = Journal::append(&path, &large, None)
            .unwrap_err()
            .to_string();
        assert!(error.contains("o space left"), "{error}");
        assert_eq!(turns(&path), (vec![1, 2, 3], 0));
        assert_eq!(Journal::verify(&path).unwrap(), 3);
        drop(file);
        std::fs::remove_file(filler).unwrap();
        append(&path, &large);
        assert_eq!(turns(&path), (vec![1, 2, 3, 4], 0));
        assert_eq!(Journal::verify(&path).unwrap(), 4);
    });
    let unmounted = std::process::Command::new("umount")
        .arg(folder.path())
        .status();
    assert!(unmounted.unwrap().success());
    result.unwrap();
}

#[cfg(unix)]
#[test]
fn its_files_are_private() {
    use std::os::unix::fs::MetadataExt as _;

    let (folder, path) = place();
    append(&path, &entry(1));
    for file in std::fs::read_dir(folder.path()).unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().mode() & 0o777, 0o600);
    }
}

fn append(path: &Path, entry: &Entry) {
    Journal::append(path, entry, None).unwrap();
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    (folder, path)
}

fn turns(path: &Path) -> (Vec<u64>, usize) {
    let (entries, unreadable) = Journal::last(path, 1000).unwrap();
    (entries.iter().map(|entry| entry.turn).collect(), unreadable)
}

/// How many of the eighty are no longer kept.
fn dropped(path: &Path) -> usize {
    80 - turns(path).0.len()
}

fn entry(turn: u64) -> Entry {
    Entry {
        turn,
        trace: "5b8efff798038103d269b633813fc60c".into(),
        at: "2026-11-22T12:00:00.123Z".parse().unwrap(),
        cause: "network".into(),
        changes: vec![Change {
            what: "wlan0 has 10.0.0.2/24 — ü\n\"".into(),
            major: true,
        }],
        drift: Vec::new(),
        incidents: Vec::new(),
        fleet: None,
        snapshot: Snapshot::default(),
        left_out: None,
        report: vec![Observation {
            target: "corp".into(),
            verdict: Verdict::Down,
            reason: "connection refused".into(),
            failed: Some(Phase::Connect),
            phases: Phases {
                dns: Some(0.1 + 0.2),
                ..Phases::default()
            },
            proof: Proof::None,
            definite: true,
            tries: 1,
            began_ms: None,
            silent: false,
            portal_url: None,
            caveat: None,
            speed: None,
        }],
        counts_as_before: Default::default(),
        decision: None,
        from: Some("home".into()),
        plan: Plan {
            steps: vec![PlanStep::Unset {
                name: "GOPRIVATE".into(),
            }],
        },
        outcome: Outcome::Written {
            changed: vec!["GOPRIVATE".into()],
        },
        ms: BTreeMap::from([("all".to_owned(), 12.345_678)]),
    }
}
