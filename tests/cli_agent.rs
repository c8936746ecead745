//! The verbs that ask an agent, where there is none.
#![cfg(unix)]

#[path = "support/cli.rs"]
mod cli;

use cli::User;

#[test]
fn watching_needs_an_agent() {
    let user = User::new();
    for words in ["status --watch", "status --watch --json"] {
        let done = user
            .goroam(words)
            .exits(5)
            .complains("goroam: no agent is running");
        assert_eq!(done.stdout(), "");
    }
}

#[test]
fn without_a_home_there_is_nowhere_to_keep_anything() {
    let user = User::new();
    for words in [
        "status", "once", "why", "history", "init", "restore", "agent", "auto",
    ] {
        user.goroam(words)
            .without("HOME")
            .exits(4)
            .complains("HOME is not set");
    }
}

#[test]
fn an_empty_journal_is_an_answer() {
    let user = User::new();
    user.goroam("history")
        .exits(0)
        .says("no turn was taken yet");
    assert_eq!(
        user.goroam("history --json").exits(0).json(),
        serde_json::json!([])
    );
    user.goroam("history --verify").exits(0).says("0 turns");
    let json = user.goroam("history --verify --json").exits(0).json();
    assert_eq!(json["whole"], true);
}
