//! What goroam tells of itself on standard error.

use std::os::unix::fs::MetadataExt;

use crate::cli::User;

/// A filter that is not understood is told in one line of the log.
const BAD_FILTER: &str = "a=b=c";

#[test]
fn nothing_is_told_unless_asked() {
    let user = User::new();
    assert_eq!(user.goroam("history").exits(0).stderr(), "");
}

#[test]
fn a_line_has_its_time_and_no_colour_in_a_pipe() {
    let user = User::new();
    let done = user
        .goroam("history")
        .env("GOROAM_LOG", BAD_FILTER)
        .exits(0);
    let told = done.complains("GOROAM_LOG is not understood").stderr();
    assert!(told.starts_with("20"), "{told}");
    // The time of the reader's clock, and how far that is from UTC.
    let far = user.goroam("history").env("GOROAM_LOG", BAD_FILTER);
    let far = far.env("TZ", "NPT-5:45").exits(0).stderr();
    assert_eq!(
        far.split(' ').next().unwrap().len(),
        "2026-11-22T09:12:03.123+05:45".len()
    );
    assert!(far.split(' ').next().unwrap().ends_with("+05:45"), "{far}");
    assert!(!told.contains('\x1b'), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
}

#[test]
fn journald_puts_its_own_time_before_a_line_but_only_where_it_reads() {
    let user = User::new();
    let log = std::fs::File::create(user.path("log")).unwrap();
    let meta = log.metadata().unwrap();
    let told = |stream: String| {
        log.set_len(0).unwrap();
        let file = std::fs::OpenOptions::new()
            .append(true)
            .open(user.path("log"));
        let status = user
            .goroam("history")
            .env("GOROAM_LOG", BAD_FILTER)
            .env("JOURNAL_STREAM", &stream)
            .command()
            .stdout(std::process::Stdio::null())
            .stderr(file.unwrap())
            .status();
        assert!(status.unwrap().success());
        std::fs::read_to_string(user.path("log")).unwrap()
    };
    let journal = told(format!("{}:{}", meta.dev(), meta.ino()));
    assert!(journal.trim_start().starts_with("WARN"), "{journal}");
    // A terminal inherits the variable from the session that started it.
    let inherited = told("1:1".to_owned());
    assert!(inherited.starts_with("20"), "{inherited}");
}
