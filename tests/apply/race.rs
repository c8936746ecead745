//! Readers and other writers while goroam applies: nobody sees a torn file, nobody loses a line.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use goroam::gocmd::{ApplyError, EnvText, prepare};

use crate::go::{self, Home, plan};

const FOREIGN: &str = "# kept\nGOFLAGS=-v\n\nlower=case\n# end\n";

#[tokio::test]
async fn a_reader_never_sees_an_empty_or_half_written_file() {
    let home = Home::holding(format!("{FOREIGN}GOPROXY=v0\n"));
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    let padding = "x".repeat(3000);
    let reader = {
        let (path, padding, mut last) = (home.file.path.clone(), padding.clone(), 0);
        Background::start(move |_| {
            let text = std::fs::read_to_string(&path).unwrap();
            let rest = text.strip_prefix(FOREIGN).unwrap();
            let value = rest.strip_prefix("GOPROXY=v").unwrap();
            let value = value.strip_suffix('\n').unwrap();
            let number = value.strip_suffix(padding.as_str()).unwrap_or(value);
            let number: u64 = number.parse().unwrap();
            assert!(number >= last, "the file went back from {last} to {number}");
            last = number;
            std::thread::yield_now();
        })
    };
    let (mut visible, mut prepared_in) = (Vec::new(), Vec::new());
    for number in 1..=200 {
        let plan = plan(&[&format!("GOPROXY=v{number}{padding}")]);
        let started = Instant::now();
        let prepared = prepare(&go, &home.file, &home.env, &plan).await.unwrap();
        prepared_in.push(started.elapsed());
        let applied = prepared.commit().await.unwrap();
        assert_eq!(applied.merged, 0);
        visible.push(applied.visible_after);
    }
    let reads = reader.stop();
    visible.sort();
    prepared_in.sort();
    println!(
        "prepared in {:?}, visible {:?} after commit; {reads} reads",
        prepared_in[100], visible[100]
    );
    assert!(reads > 200);
    // Of a tenth of them: any of them may be held up by what else the machine does.
    assert!(visible[20] < Duration::from_millis(5), "{visible:?}");
}

#[tokio::test]
async fn a_program_that_appends_all_the_time_loses_no_line() {
    let home = Home::holding(FOREIGN);
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    let path = home.file.path.clone();
    let writer = Background::start(move |number| {
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        // In one write, as `echo` does.
        let line = format!("# line {number}\n");
        file.write_all(line.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    });
    let mut merged = 0;
    for number in 0..20 {
        let plan = plan(&[&format!("GOPROXY=v{number}"), "GOSUMDB=off"]);
        let applied = home.apply(&go, &plan).await.unwrap();
        merged += applied.merged;
        let text = EnvText(applied.after);
        assert_eq!(text.get("GOPROXY"), Some(format!("v{number}").as_str()));
    }
    let written = writer.stop();
    println!("{written} lines, {merged} merges");
    let text = home.text();
    let is_line = |line: &&str| line.starts_with("# line ");
    let mut lines: Vec<&str> = text.lines().filter(is_line).collect();
    let total = lines.len() as u64;
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len() as u64, written, "of {total}");
    assert_eq!(total, written, "some lines are there twice");
    let rest: Vec<&str> = text.lines().filter(|line| !is_line(line)).collect();
    assert_eq!(
        rest,
        [
            "# kept",
            "GOFLAGS=-v",
            "",
            "lower=case",
            "# end",
            "GOPROXY=v19",
            "GOSUMDB=off"
        ]
    );
    assert_eq!(home.names(), ["env"]);
}

#[tokio::test]
async fn the_user_s_own_go_env_w_and_goroam_s_both_arrive() {
    let home = Arc::new(Home::holding(FOREIGN));
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    let (theirs, their_go) = (home.clone(), go.clone());
    let user = Background::start(move |number| {
        let value = format!("GOPRIVATE=p{number}");
        let out = theirs.user_go(&their_go, &["env", "-w", &value]);
        assert!(out.status.success(), "{out:?}");
        // Between goroam's swap and its merge it may be away for a moment.
        theirs.wait_for("GOPRIVATE", &format!("p{number}"));
    });
    for number in 0..60 {
        let value = format!("v{number}");
        let plan = plan(&[&format!("GOPROXY={value}")]);
        home.apply(&go, &plan).await.unwrap();
        // The user's go truncates before it writes: an empty look is theirs.
        home.wait_for("GOPROXY", &value);
    }
    let writes = user.stop();
    println!("{writes} writes of the user's go");
    let text = EnvText(home.bytes());
    assert_eq!(text.get("GOPROXY"), Some("v59"));
    assert_eq!(
        text.get("GOPRIVATE"),
        Some(format!("p{}", writes - 1).as_str())
    );
    assert_eq!(home.text().matches("# kept").count(), 1);
    assert_eq!(text.get("GOFLAGS"), Some("-v"));
    assert_eq!(home.names(), ["env"]);
}

#[tokio::test]
async fn what_is_written_between_prepare_and_commit_is_merged() {
    let home = Home::holding("A=1\nB=1\n# one\n");
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    let plan = plan(&["GOPROXY=off"]);
    let again = || prepare(&go, &home.file, &home.env, &plan);

    let prepared = again().await.unwrap();
    home.write("A=2\n# one\n# two\nGOPROXY=theirs\n");
    let applied = prepared.commit().await.unwrap();
    assert_eq!(applied.merged, 1);
    assert_eq!(home.text(), "A=2\n# one\nGOPROXY=off\n# two\n");
    assert_eq!(applied.after, home.bytes());
    assert_eq!(
        applied.before.unwrap(),
        b"A=2\n# one\n# two\nGOPROXY=theirs\n"
    );

    // Removed meanwhile: the user wants none of the old lines.
    home.write("A=1\n");
    let prepared = again().await.unwrap();
    std::fs::remove_file(&home.file.path).unwrap();
    prepared.commit().await.unwrap();
    assert_eq!(home.text(), "GOPROXY=off\n");

    // Made meanwhile, where there was none.
    std::fs::remove_file(&home.file.path).unwrap();
    let prepared = again().await.unwrap();
    home.write("A=1\n");
    prepared.commit().await.unwrap();
    assert_eq!(home.text(), "GOPROXY=off\nA=1\n");

    // Made a symbolic link meanwhile, as dotfile managers do.
    home.write("A=1\n");
    let prepared = again().await.unwrap();
    let target = home.folder.path().join("target");
    std::fs::rename(&home.file.path, &target).unwrap();
    std::os::unix::fs::symlink(&target, &home.file.path).unwrap();
    prepared.commit().await.unwrap();
    assert!(
        std::fs::symlink_metadata(&home.file.path)
            .unwrap()
            .is_symlink()
    );
    assert_eq!(
        std::fs::read_to_string(&target).unwrap(),
        "A=1\nGOPROXY=off\n"
    );
    assert_eq!(home.names(), ["env"]);
}

#[tokio::test]
async fn a_writer_who_had_the_old_file_open_is_heard() {
    let home = Home::holding("A=1\n");
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    // `go env -w A=2 B=2`, stopped between its truncating and its writing.
    let mut slow = std::fs::File::create(&home.file.path).unwrap();
    let thread = std::thread::spawn(move || {
        // Long after goroam's 15 ms: it is the open file that it waits for.
        std::thread::sleep(Duration::from_millis(150));
        slow.write_all(b"A=2\nB=2\n").unwrap();
    });
    let applied = home.apply(&go, &plan(&["GOPROXY=off"])).await.unwrap();
    thread.join().unwrap();
    assert_eq!(home.bytes(), applied.after);
    let text = EnvText(applied.after);
    assert_eq!(
        (text.get("A"), text.get("B"), text.get("GOPROXY")),
        (Some("2"), Some("2"), Some("off"))
    );
}

#[tokio::test]
async fn a_program_that_insists_on_its_own_values_is_named_as_the_trouble() {
    let home = Home::holding("GOPROXY=theirs\n");
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    let path = home.file.path.clone();
    let writer = Background::start(move |_| {
        let new = path.with_extension("new");
        std::fs::write(&new, "GOPROXY=theirs\n").unwrap();
        std::fs::rename(&new, &path).unwrap();
        std::thread::sleep(Duration::from_micros(500));
    });
    let error = home.apply(&go, &plan(&["GOPROXY=off"])).await.unwrap_err();
    writer.stop();
    assert!(
        matches!(error, ApplyError::Contended { tries: 8, .. }),
        "{error}"
    );
    assert_eq!(home.text(), "GOPROXY=theirs\n");
    assert_eq!(home.names(), ["env"]);
}

/// Does something again and again on a thread of its own.
struct Background {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<u64>>,
}

impl Background {
    fn start(mut step: impl FnMut(u64) + Send + 'static) -> Background {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut steps = 0;
            while !stopped.load(Ordering::Relaxed) {
                step(steps);
                steps += 1;
            }
            steps
        });
        let thread = Some(thread);
        Background { stop, thread }
    }

    /// How often it was done.
    fn stop(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
