//! `goroam init` as a person meets it, in a real terminal.

use crate::cli::User;
use crate::company::Company;
use crate::company::server::Reply;
use crate::tmux::Terminal;

const INIT: &str = concat!(env!("CARGO_BIN_EXE_goroam"), " init; echo rc=$?");

/// Somebody's terminal, on a system that trusts this authority and no other.
fn terminal(user: &User, trusted: &str) -> Option<Terminal> {
    let (home, run) = (user.path(""), user.path("run"));
    let vars = [
        ("HOME", home.to_str().unwrap()),
        ("XDG_RUNTIME_DIR", run.to_str().unwrap()),
        ("LANG", "C.UTF-8"),
        ("SSL_CERT_FILE", trusted),
        ("SSL_CERT_DIR", "/nonexistent"),
        // Nothing is asked outside of this machine.
        ("HTTPS_PROXY", "http://127.0.0.1:9"),
    ];
    Terminal::open(100, 120, &vars)
}

/// Lets the policy be written, and nothing else: says no to the start at login (where this machine
/// can start anything) and to the turn.
fn only_written(terminal: &Terminal) -> String {
    let ended = |lines: &[String]| lines.iter().any(|line| line.starts_with("rc="));
    let questions = [
        ("[Y/n, p prints", ""),
        ("Start at login", "n"),
        ("Apply it now", "n"),
    ];
    for (at, (_, answer)) in questions.iter().enumerate() {
        let asked = |lines: &[String], part: &[(&str, &str)]| {
            let is_asked = |line: &String| part.iter().any(|(words, _)| line.contains(words));
            lines.iter().any(is_asked)
        };
        let screen = terminal.until("the next question", |lines| {
            asked(lines, &questions[at..]) || ended(lines)
        });
        if asked(&screen, &questions[at..=at]) {
            terminal.enter(answer);
        }
    }
    terminal.until("the end", ended).join("\n")
}

/// Nothing of before is left on the screen.
fn wiped(terminal: &Terminal) {
    terminal.enter("clear");
    terminal.until("an empty screen", |lines| lines.join("").trim() == "$");
}

fn written(user: &User) -> String {
    std::fs::read_to_string(user.policy()).unwrap()
}

#[test]
fn two_answers_make_a_policy_for_a_company() {
    let (user, company) = (User::new(), Company::new());
    let Some(terminal) = terminal(&user, &company.ca()) else {
        return;
    };
    terminal.enter(INIT);
    let text = terminal.shows("address [none]:").join("\n");
    assert!(text.contains("What is here:"), "{text}");
    assert!(text.contains("  network    "), "{text}");
    terminal.enter(&format!("  {}/  ", company.url()));
    // Short at first; the whole policy only if it is asked for.
    let text = terminal.shows("[Y/n, p prints it]:").join("\n");
    assert!(
        text.contains(&format!("  office  {}", company.url())),
        "{text}"
    );
    assert!(!text.contains("[target.company]"), "{text}");
    assert!(!user.policy().exists());
    terminal.enter("p");
    terminal.shows("│ [target.company]");
    let text = only_written(&terminal);
    for told in [
        "✓ it is a module proxy: golang.org/x/text@v0.3.0, hash right",
        &format!("✓ its key is {}", company.pin()),
        "│ [target.company]",
        &format!("│ pin = [\"{}\"]", company.pin()),
        "goroam.toml\n  next: goroam once (or edit it, then goroam check)",
        "rc=0",
    ] {
        assert!(text.contains(told), "no {told}:\n{text}");
    }
    // Trusted as it was, nobody needs to be asked for a CA.
    assert!(!text.contains("PEM"), "{text}");
    for line in written(&user).lines() {
        assert!(text.contains(format!("│ {line}").trim_end()), "{line}");
    }
    user.goroam("check").exits(0);
}

#[test]
fn a_certificate_that_nobody_vouches_for_leads_to_one_more_question() {
    let (user, company) = (User::new(), Company::new());
    let Some(terminal) = terminal(&user, &company.other_ca()) else {
        return;
    };
    terminal.enter(INIT);
    terminal.shows("address [none]:");
    terminal.enter(&company.url());
    terminal.shows("a PEM file [the system's roots alone]:");
    for (answer, why) in [
        ("gone.pem", "No such file"),
        (&company.other_ca(), "did not sign it either"),
        ("~/run", "is a folder, not a file"),
    ] {
        terminal.enter(answer);
        terminal.shows(why);
    }
    std::fs::copy(company.ca(), user.path("corp.pem")).unwrap();
    terminal.enter("~/corp.pem");
    terminal.shows("✓ it is a module proxy");
    only_written(&terminal);
    let text = written(&user);
    let ca = user.path("corp.pem");
    assert!(
        text.contains(&format!("ca = \"{}\"\n", ca.display())),
        "{text}"
    );
    assert!(text.contains(company.pin()), "{text}");
}

#[test]
fn enter_alone_is_the_built_in_policy() {
    let user = User::new();
    let Some(terminal) = terminal(&user, "/nonexistent") else {
        return;
    };
    terminal.enter(INIT);
    terminal.shows("address [none]:");
    terminal.enter("");
    let text = only_written(&terminal);
    assert!(text.contains("rc=0"), "{text}");
    let built_in = user.goroam("init --print").exits(0).stdout();
    assert_eq!(written(&user), built_in);
    // Once more: it stays, and only what is left to do is offered.
    wiped(&terminal);
    terminal.enter(INIT);
    let text = only_written(&terminal);
    assert!(
        text.contains("there is a policy already; it is left unchanged"),
        "{text}"
    );
    assert!(text.contains("rc=0"), "{text}");
    assert!(!text.contains("module proxy"), "{text}");
    assert_eq!(written(&user), built_in);
}

#[test]
fn what_go_env_says_is_offered_without_its_password() {
    let (user, company) = (User::new(), Company::new());
    let Some(terminal) = terminal(&user, &company.ca()) else {
        return;
    };
    let url = company.url().replace("https://", "https://joe:s3cret@");
    let env = format!("GOPROXY={url},direct\nGOPRIVATE=git.corp.example\nGOFLAGS=-mod=mod\n");
    user.write(".config/go/env", env);
    terminal.enter(INIT);
    let text = terminal.shows("as `go env` has it").join("\n");
    assert!(text.contains("https://joe:***@127.0.0.1"), "{text}");
    assert!(text.contains("git.corp.example (go env file)"), "{text}");
    assert!(text.contains(&format!("[{}, as", company.url())), "{text}");
    terminal.enter("");
    let text = only_written(&terminal);
    assert!(!text.contains("s3cret"), "{text}");
    assert!(written(&user).contains("GOPRIVATE = \"git.corp.example\"\n"));
    assert!(written(&user).contains(company.pin()));
}

#[test]
fn an_answer_that_cannot_be_right_is_asked_for_again() {
    let user = User::new();
    let Some(terminal) = terminal(&user, "/nonexistent") else {
        return;
    };
    terminal.enter(INIT);
    terminal.shows("address [none]:");
    for (answer, why) in [
        ("https://joe:s3cret@goproxy.corp.example", "~/.netrc"),
        ("ftp://goproxy.corp.example", "must be https"),
        ("two words", "no spaces"),
        (&format!("https://{}", "x".repeat(3000)), "longer than"),
    ] {
        terminal.enter(answer);
        terminal.shows(why);
    }
    terminal.enter("none");
    only_written(&terminal);
    assert!(!written(&user).contains("[target.company]"));
}

#[test]
fn who_breaks_it_off_has_nothing_written() {
    let user = User::new();
    let Some(terminal) = terminal(&user, "/nonexistent") else {
        return;
    };
    for (key, rc, said) in [
        ("C-c", "rc=130", "interrupted"),
        ("C-d", "rc=1\n", "no answer"),
    ] {
        wiped(&terminal);
        terminal.enter(INIT);
        terminal.shows("address [none]:");
        terminal.press(&[key]);
        terminal.shows(rc);
        terminal.shows(said);
        terminal.shows("nothing was written");
        assert!(!user.path(".config/goroam").exists());
    }
}

#[test]
fn who_loses_patience_with_a_silent_proxy_has_nothing_written_either() {
    let (user, silent) = (User::new(), Company::answering(|_| Reply::Hang));
    let Some(terminal) = terminal(&user, &silent.ca()) else {
        return;
    };
    terminal.enter(INIT);
    terminal.shows("address [none]:");
    terminal.enter(&silent.url());
    terminal.shows("asking https://127.0.0.1");
    terminal.press(&["C-c"]);
    terminal.shows("rc=130");
    assert!(!user.path(".config/goroam").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn the_policy_is_shown_while_it_can_still_be_refused() {
    let user = User::new();
    let Some(terminal) = terminal(&user, "/nonexistent") else {
        return;
    };
    // A user manager that has nothing of goroam's: it is asked before the last question.
    user.write("run/systemd/private", "");
    let systemctl = user.write("bin/systemctl", "#!/bin/sh\necho LoadState=not-found\n");
    crate::cli::mode(&systemctl, 0o755);
    terminal.enter(&format!("PATH=$HOME/bin:$PATH; {INIT}"));
    terminal.shows("address [none]:");
    terminal.enter("");
    terminal.shows("[Y/n, p prints it]:");
    terminal.enter("p");
    terminal.shows("version = 1");
    terminal.enter("y");
    terminal.shows("Start at login");
    assert!(
        !user.policy().exists(),
        "it was written before the question"
    );
    terminal.press(&["C-c"]);
    terminal.shows("rc=130");
    terminal.shows("nothing was written");
    assert!(!user.path(".config/goroam").exists());
}

#[test]
fn nothing_is_written_or_replaced_without_a_yes() {
    let user = User::new();
    let Some(terminal) = terminal(&user, "/nonexistent") else {
        return;
    };
    terminal.enter(INIT);
    terminal.shows("address [none]:");
    terminal.enter("none");
    terminal.shows("[Y/n, p prints it]:");
    terminal.enter("maybe");
    terminal.shows("y, n or p, please");
    terminal.enter("n");
    terminal.shows("nothing was written");
    terminal.shows("rc=1");
    assert!(!user.path(".config/goroam").exists());

    user.write(".config/goroam/goroam.toml", "version = 1\n");
    wiped(&terminal);
    terminal.enter(&INIT.replace(" init", " init --force"));
    terminal.shows("address [none]:");
    terminal.enter("none");
    terminal.shows("and keep it as .bak [Y/n, p prints the new one]:");
    terminal.enter("n");
    terminal.shows("rc=1");
    assert_eq!(written(&user), "version = 1\n");
    assert!(!user.path(".config/goroam/goroam.toml.bak").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn the_last_answer_applies_it() {
    let Some(go) = crate::go::go(crate::go::VERSIONS[2]) else {
        return;
    };
    let (user, company) = (User::new(), Company::new());
    let Some(terminal) = terminal(&user, &company.ca()) else {
        return;
    };
    let go = go.parent().unwrap().display();
    terminal.enter(&format!("PATH={go}:$PATH; {INIT}"));
    terminal.shows("address [none]:");
    terminal.enter(&company.url());
    terminal.shows("[Y/n, p prints it]:");
    terminal.enter("");
    let last = |lines: &[String]| lines.iter().any(|line| line.contains("Apply it now"));
    let login = |lines: &[String]| lines.iter().any(|line| line.contains("Start at login"));
    let screen = terminal.until("a question", |lines| last(lines) || login(lines));
    if login(&screen) {
        terminal.enter("n");
        terminal.until("the last question", last);
    }
    terminal.enter("y");
    terminal.shows("none → office");
    terminal.shows("rc=0");
    let env = std::fs::read_to_string(user.path(".config/go/env")).unwrap();
    assert!(env.contains(&company.url()), "{env}");
}
