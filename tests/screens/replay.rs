//! `goroam replay`

use insta::assert_snapshot;

use crate::cli::User;
use crate::{POLICY, screen, screen_with_go};

#[test]
fn what_another_policy_would_have_done() {
    let user = User::new();
    user.write(".config/goroam/goroam.toml", POLICY);
    for words in ["once", "use cache", "restore"] {
        if screen_with_go(&user, words).is_none() {
            return;
        }
    }
    user.write("same.toml", POLICY);
    assert_snapshot!(screen(&user, "replay --policy same.toml"), @r"
    $ goroam replay --policy same.toml
    2 turns: 2 the same, 0 would differ, 0 not known; 1 turn without a decision of
    its own
    [exit 0]
    ");
    user.write("other.toml", POLICY.replace("\"off\"", "\"direct\""));
    assert_snapshot!(screen(&user, "replay --policy other.toml"), @r"
    $ goroam replay --policy other.toml
    turn 1 offline, with other values; asked, N:N
      GOPROXY direct, was off
    2 turns: 1 the same, 1 would differ, 0 not known; 1 turn without a decision of
    its own
    [exit 0]
    ");
    let more = "[target.more]\nlistening = \"127.0.0.1:2\"\n[[profile]]\nname = \"more\"\n\
                when = { up = \"more\" }\n[[profile]]\nname = \"cache\"";
    let more = POLICY.replacen("[[profile]]\nname = \"cache\"", more, 1);
    user.write("more.toml", more);
    assert_snapshot!(screen(&user, "replay --policy more.toml --since 1h"), @r"
    $ goroam replay --policy more.toml --since 1h
    not known: turn 1 (needs more)
    2 turns: 1 the same, 0 would differ, 1 not known; 1 turn without a decision of
    its own
    Not what they were, so not known: more.
    [exit 0]
    ");
    assert_snapshot!(screen(&user, "replay --policy same.toml --since 2999-01-01"), @r"
    $ goroam replay --policy same.toml --since 2999-01-01
    0 turns: 0 the same, 0 would differ, 0 not known
    [exit 0]
    ");
    assert_snapshot!(screen(&user, "replay same.toml --policy same.toml"), @r"
    $ goroam replay same.toml --policy same.toml
    goroam: same.toml: none of its lines can be read: it is damaged, or not a journal of goroam
    [exit 1]
    ");
    assert_snapshot!(screen(&user, "replay none.jsonl --policy same.toml"), @r"
    $ goroam replay none.jsonl --policy same.toml
    goroam: none.jsonl: there is no such journal
    [exit 2]
    ");
}
