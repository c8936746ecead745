//! Whole screens, one file for each verb: what a user reads at 80 columns, in a pipe.
//!
//! After a change of wording: `cargo insta test --review --test screens`, or edit the text.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/cli.rs"]
mod cli;
#[path = "../support/go.rs"]
mod go;

mod chain;
mod check;
mod choose;
mod doctor;
mod env;
mod errors;
mod exec;
mod explain;
mod fleet;
mod history;
mod hook;
mod init;
mod metrics;
mod mirror;
mod ready;
mod relay;
mod replay;
mod status;
mod test;
mod vendor;
mod why;

use cli::User;

/// Runs `goroam WORDS` and shows both outputs and the exit code. The home is `~`, times are `N`.
fn screen(user: &User, words: &str) -> String {
    shown(user, user.goroam(words), words)
}

/// The same with a go command, so that turns can be taken; `None`: there is none here.
fn screen_with_go(user: &User, words: &str) -> Option<String> {
    let go = go::go(go::VERSIONS[2])?;
    let path = format!("{}:/usr/bin:/bin", go.parent().unwrap().display());
    Some(shown(user, user.goroam(words).env("PATH", &path), words))
}

fn shown(user: &User, run: cli::Run, words: &str) -> String {
    let run = run.env("TZ", "UTC").env("TERM", "dumb");
    let output = run.command().output().unwrap();
    let mut text = format!("$ goroam {words}\n");
    text.push_str(&String::from_utf8(output.stdout).unwrap());
    text.push_str(&String::from_utf8(output.stderr).unwrap());
    text.push_str(&format!("[exit {}]", output.status.code().unwrap()));
    let home = user.path("");
    let home = home.to_str().unwrap().trim_end_matches('/');
    without_times(&text.replace(home, "~"))
}

/// `12 ms`, `<1 ms`, `(3 s)` and `09:12:03` with `N` in the place of each number. Columns behind
/// them move with the number of digits, so that such a line has single spaces.
fn without_times(text: &str) -> String {
    text.lines()
        .map(|line| match line_without_times(line) {
            shown if shown == line => shown,
            shown => {
                let indent = &line[..line.len() - line.trim_start().len()];
                let words: Vec<&str> = shown.split_whitespace().collect();
                format!("{indent}{}", words.join(" "))
            }
        })
        .collect::<Vec<_>>()
        .join("\n")
}

fn line_without_times(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let masked = words.iter().enumerate().map(|(at, word)| {
        if let Some((turn, hash)) = word.split_once(':')
            && hash.len() == 64
        {
            return format!("{turn}:HASH");
        }
        let unit = words.get(at + 1).unwrap_or(&"");
        let unit = unit.trim_end_matches(['.', ',', ';', ')', ':']);
        let is_clock = word.contains(':') && word.chars().all(|c| c.is_ascii_digit() || c == ':');
        if !word.contains(|c: char| c.is_ascii_digit())
            || !(is_clock || unit == "ms" || unit == "s")
        {
            return (*word).to_owned();
        }
        let mut out = word
            .replace('<', "")
            .replace(|c: char| c.is_ascii_digit(), "N");
        while out.contains("NN") {
            out = out.replace("NN", "N");
        }
        out
    });
    masked.collect::<Vec<_>>().join(" ")
}

/// Without what differs by machine: the network of `status`.
fn without_network(text: &str) -> String {
    let mut is_network = false;
    let mut out = String::new();
    for line in text.lines() {
        if line.starts_with("  network") {
            is_network = true;
            out.push_str("  network   …\n");
        } else if !(is_network && line.starts_with("            ")) {
            is_network = false;
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// Needs no network: its one target is a port of this machine on which nothing listens.
const POLICY: &str = r#"version = 1
[target.local]
listening = "127.0.0.1:1"
[[profile]]
name = "cache"
when = { up = "local" }
env = { GOPROXY = "http://127.0.0.1:1,direct" }
[[profile]]
name = "offline"
env = { GOPROXY = "off" }
"#;
