//! Files that cannot be written: read-only, full, or no files at all.

use crate::bench::{Bench, ENV, POLICY, STATE};
use crate::cli::mode;

/// `$1` is read-only for this command.
fn read_only(folder: &std::path::Path) -> String {
    let folder = folder.display();
    format!("mount --bind {folder} {folder}; mount -o remount,ro,bind {folder}")
}

#[test]
fn a_folder_in_the_place_of_the_env_file_is_named() {
    let Some(bench) = Bench::new() else { return };
    std::fs::create_dir_all(bench.user.path(ENV)).unwrap();
    let path = bench.user.path(ENV);
    let why = format!("{} is a folder, not a file", path.display());
    for verb in ["once", "why", "use only"] {
        bench
            .goroam(verb)
            .exits(1)
            .complains(&why)
            .complains("Move it away");
    }
    let troubles = bench.goroam("status --json").exits(0).json()["troubles"].to_string();
    assert!(troubles.contains("is a folder"), "{troubles}");
}

#[test]
fn a_read_only_env_file_is_left_alone_with_the_way_out() {
    let Some(bench) = Bench::new() else { return };
    let path = bench.user.write(ENV, "GOFLAGS=-v\n");
    let folder = path.parent().unwrap();
    mode(&path, 0o400);
    bench
        .goroam("once")
        .exits(4)
        .complains(&format!(
            "{} is read-only, so goroam does not change it",
            path.display()
        ))
        .complains("`chmod u+w` it");
    mode(&path, 0o644);
    bench
        .after(&read_only(folder), "once")
        .exits(4)
        .complains("its file system is mounted so; GOENV can name a file elsewhere");
    assert_eq!(bench.read(ENV), "GOFLAGS=-v\n");
    std::fs::remove_file(&path).unwrap();
    std::fs::remove_dir(folder).unwrap();
    bench
        .after(&read_only(folder.parent().unwrap()), "once")
        .exits(4)
        .complains(&format!("{} is read-only", folder.display()));
}

#[test]
fn a_full_disk_leaves_the_env_file_as_it_was() {
    let Some(bench) = Bench::new() else { return };
    let folder = bench.user.path(".config/go");
    std::fs::create_dir_all(&folder).unwrap();
    let folder = folder.display();
    // Looked at before the mount goes with the namespace.
    let full = format!(
        "mount -t tmpfs -o size=16k none {folder}; echo GOFLAGS=-v > {folder}/env
        head -c 100000 /dev/zero > {folder}/fill 2>/dev/null || true
        trap 'cat {folder}/env; ls -A {folder}' EXIT; \"$GOROAM\" \"$@\"; exit $?"
    );
    bench
        .after(&full, "once")
        .exits(1)
        .complains("/env: no copy can be made beside it: No space left on device")
        .says("GOFLAGS=-v\nenv\nfill\n");
}

#[test]
fn a_journal_on_a_full_disk_is_told_and_the_turn_is_taken() {
    let Some(bench) = Bench::new() else { return };
    bench.goroam("once").exits(0);
    bench.policy(&POLICY.replace("\"off\" }", "\"direct\" }"));
    let journal = bench.user.path(STATE).join("journal.jsonl");
    let journal = journal.display();
    // Two pages for a file that fills them but for some bytes: the next line does not fit.
    let full = format!(
        "cd /tmp; full=goroam-full-$$; mkdir $full; mount -t tmpfs -o size=8k none $full
        cp {journal} $full/journal
        while [ $(stat -c %s $full/journal) -lt 8000 ]
        do echo no line of a journal at all >> $full/journal; done
        mount --bind $full/journal {journal}; umount -l $full; rmdir $full"
    );
    let done = bench.after(&full, "once --json").exits(0);
    let json = done.json();
    assert_eq!(json["outcome"]["is"], "written");
    let trouble = json["troubles"].to_string();
    assert!(trouble.contains("the journal is not written"), "{trouble}");
    assert!(trouble.contains("No space left"), "{trouble}");
    done.complains("the journal is not written");
    assert_eq!(bench.read(ENV), "GOPROXY=direct\n");
    // What was there before the disk was full still is, and the next turn is written.
    bench.goroam("history --verify").exits(0).says("1 turn");
    bench.goroam("once").exits(0);
    bench.goroam("history --verify").exits(0).says("2 turns");
}

#[test]
fn a_state_folder_that_cannot_be_written_is_named_and_nothing_is_changed() {
    let Some(bench) = Bench::new() else { return };
    let folder = bench.user.path(".local/state");
    std::fs::create_dir_all(&folder).unwrap();
    for verb in ["once", "agent", "use only"] {
        bench
            .after(&read_only(&folder), verb)
            .exits(1)
            .complains(&format!(
                "{}/goroam: Read-only file system",
                folder.display()
            ));
    }
    // What only looks goes on.
    for verb in ["once --dry-run", "status", "why", "history", "probe"] {
        bench.after(&read_only(&folder), verb).exits(0);
    }
    assert!(!bench.is_there(ENV));
    std::fs::write(folder.join("goroam"), "").unwrap();
    // What only looks goes on, and says what it lacks.
    bench.goroam("status").exits(0).says("Not a directory");
    for verb in ["once", "history"] {
        bench
            .goroam(verb)
            .exits(1)
            .complains(&format!("{}/goroam/", folder.display()))
            .complains("Not a directory");
    }
    assert!(!bench.is_there(ENV));
}

#[test]
fn what_was_there_before_is_not_forgotten_when_it_cannot_be_kept() {
    let Some(bench) = Bench::new() else { return };
    bench.user.write(ENV, "GOPROXY=https://mine.example\n");
    let state = bench.user.path(STATE);
    // A folder in the baseline's place: it can be neither read nor replaced.
    std::fs::create_dir_all(state.join("baseline.json/x")).unwrap();
    bench
        .goroam("once")
        .exits(1)
        .complains("baseline.json cannot be read")
        .complains("is a folder, not a file");
    std::fs::remove_dir_all(state.join("baseline.json")).unwrap();
    assert_eq!(bench.read(ENV), "GOPROXY=https://mine.example\n");
    bench.goroam("once").exits(0);
    bench.goroam("restore").exits(0);
    assert_eq!(bench.read(ENV), "GOPROXY=https://mine.example\n");
}

#[test]
fn a_start_up_file_on_a_full_disk_stays_as_it_was_and_so_do_the_others() {
    let Some(bench) = Bench::new() else { return };
    let text = "export GOPROXY=direct\n";
    bench.user.write(ENV, "GOPROXY=off\n");
    bench.user.write(".bashrc", text);
    let (dots, state) = (bench.user.path("dots"), bench.user.path(STATE));
    std::fs::create_dir_all(&dots).unwrap();
    std::fs::create_dir_all(&state).unwrap();
    std::os::unix::fs::symlink(dots.join("zshrc"), bench.user.path(".zshrc")).unwrap();
    let full = |folder: &std::path::Path| {
        let folder = folder.display();
        format!(
            "mount -t tmpfs -o size=16k,mode=700 none {folder}
            echo export GOPROXY=direct > {folder}/zshrc; chmod 600 {folder}/zshrc
            head -c 100000 /dev/zero > {folder}/fill 2>/dev/null || true
            trap 'cat {folder}/zshrc; ls -A {folder}' EXIT; \"$GOROAM\" \"$@\"; exit $?"
        )
    };
    bench
        .after(&full(&dots), "doctor --fix --yes")
        .exits(1)
        .says("left alone: GOPROXY in ~/.bashrc:1")
        .says("nothing was changed")
        .says("export GOPROXY=direct\nfill\nzshrc\n");
    assert_eq!(bench.read(".bashrc"), text);
    assert!(!bench.is_there(&format!("{STATE}/undo.json")));
    // Nothing is changed that could not be taken back.
    bench
        .after(&full(&state), "doctor --fix --yes")
        .exits(1)
        .complains("undo.json: No space left on device")
        .complains("nothing was changed");
    assert_eq!(bench.read(".bashrc"), text);
    bench.goroam("doctor --fix --yes").exits(0);
    bench.goroam("doctor --undo").exits(0);
    assert_eq!(bench.read(".bashrc"), text);
}
