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
    ✓ the journal is intact: 0 turns, each linked to the one before
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
    [exit 0]
    ");
    let journal = user.path(".local/state/goroam/journal.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, text.replacen("\"turn\":2", "\"turn\":9", 1)).unwrap();
    assert_snapshot!(screen(&user, "history --verify"), @r"
    $ goroam history --verify
    goroam: ~/.local/state/goroam/journal.jsonl:2: was changed after it was written; something other than goroam changed the journal
    [exit 1]
    ");
}
