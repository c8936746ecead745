//! `goroam history`

use insta::assert_snapshot;

use crate::cli::User;
use crate::{POLICY, screen, screen_with_go};

#[test]
fn without_a_turn() {
    let user = User::new();
    assert_snapshot!(screen(&user, "history"), @r"
    $ goroam history
    The journal is empty: no turn was taken yet.
    [exit 0]
    ");
    assert_snapshot!(screen(&user, "history --verify"), @r"
    $ goroam history --verify
    ✓ the journal is intact: no turn was taken yet
    [exit 0]
    ");
}

#[test]
fn one_line_for_each_turn() {
    let user = User::new();
    user.write(".config/goroam/goroam.toml", POLICY);
    for words in ["once", "use cache", "restore"] {
        if screen_with_go(&user, words).is_none() {
            return;
        }
    }
    assert_snapshot!(screen(&user, "history"), @r"
    $ goroam history
    N:N:N → offline in N ms: asked
    N:N:N offline → cache in N ms: asked; chosen by hand
    N:N:N cache → put back in N ms: asked
    [exit 0]
    ");
    assert_snapshot!(screen(&user, "history --verify"), @r"
    $ goroam history --verify
    ✓ the journal is intact: 3 turns, each linked to the one before
    its end, to keep elsewhere for --anchor:
    3:HASH
    [exit 0]
    ");
    let anchor = user.goroam("history --verify --json").exits(0).json();
    let anchor = anchor["anchor"].as_str().unwrap().to_owned();
    let verify = format!("history --verify --anchor {anchor}");
    let shown = screen(&user, &verify).replace(&anchor, "3:HASH");
    assert_snapshot!(shown, @r"
    $ goroam history --verify --anchor 3:HASH
    ✓ the journal is intact: 3 turns, each linked to the one before
    ✓ the line of the anchor is there, and 0 turns after it
    its end, to keep elsewhere for --anchor:
    3:HASH
    [exit 0]
    ");
    assert_snapshot!(screen(&user, "history --since 2999-01-01"), @r"
    $ goroam history --since 2999-01-01
    No turn was taken in that time.
    [exit 0]
    ");
    let reversed = "history --since 2026-11-02 --until 2026-11-01";
    assert_snapshot!(screen(&user, reversed), @r"
    $ goroam history --since 2026-11-02 --until 2026-11-01
    goroam: --until is earlier than --since; swap the two
    [exit 2]
    ");
    let csv = user
        .goroam("history --csv --since 1h -n 2")
        .exits(0)
        .stdout();
    let rows = Vec::from_iter(csv.split("\r\n"));
    assert_eq!(rows.len(), 4, "{csv}");
    assert!(rows[1].starts_with("2,") && rows[1].contains(
        ",asked,offline,cache,by hand,\"{\"\"GOPROXY\"\":\"\"http://127.0.0.1:1,direct\"\"}\",written,GOPROXY,"
    ), "{csv}");
    assert!(
        rows[2].ends_with(",asked,cache,,,,restored,GOPROXY,"),
        "{csv}"
    );
    let journal = user.path(".local/state/goroam/journal.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, text.replacen("\"turn\":2", "\"turn\":9", 1)).unwrap();
    assert_snapshot!(screen(&user, "history --verify"), @r"
    $ goroam history --verify
    goroam: ~/.local/state/goroam/journal.jsonl:2: was changed after it was written; something other than goroam changed the journal
    [exit 1]
    ");
    std::fs::write(&journal, text.lines().next().unwrap().to_owned() + "\n").unwrap();
    std::fs::remove_file(user.path(".local/state/goroam/state.json")).unwrap();
    let shown = screen(&user, &verify).replace(&anchor, "3:HASH");
    assert_snapshot!(shown, @r"
    $ goroam history --verify --anchor 3:HASH
    goroam: ~/.local/state/goroam/journal.jsonl: its end is missing: it ends with turn 1, and turn 3 was there; something other than goroam changed the journal
    [exit 1]
    ");
}
