//! Tab in real shells: what goroam knows, files, and what other commands complete.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::cli::User;
use crate::tmux::Terminal;

const POLICY: &str = r#"version = 1
[target.corp]
goproxy = "https://joe:s3cret@goproxy.corp.example"
[[profile]]
name = "office"
when = { up = "corp" }
env = { GOPROXY = "https://goproxy.corp.example,direct" }
[[profile]]
name = "zone; touch pwned $(touch pwned)"
when = { up = "corp" }
env = { GOPROXY = "off" }
[[profile]]
name = "rest"
env = { GOPROXY = "direct" }
"#;

const BASH_COMPLETION: &str = "/usr/share/bash-completion/bash_completion";

/// A shell, what its start-up file has besides goroam's line, and where that file is.
struct Interactive {
    program: &'static [&'static str],
    startup: &'static str,
    before: &'static str,
    load: &'static str,
    /// Whether it completes what follows `exec`.
    knows_others: bool,
}

/// What the other command's words follow.
const OTHERS: &str = " -- ";

const EVAL_BASH: &str = "eval \"$(goroam completions bash)\"";

const SHELLS: [Interactive; 5] = [
    Interactive {
        program: &["bash", "-i"],
        startup: ".bashrc",
        before: "PS1='READY> '; . /usr/share/bash-completion/bash_completion",
        load: EVAL_BASH,
        knows_others: true,
    },
    Interactive {
        program: &["bash", "-i"],
        startup: ".bashrc",
        before: "PS1='READY> '",
        load: EVAL_BASH,
        knows_others: false,
    },
    Interactive {
        program: &["zsh", "-i"],
        startup: ".zshrc",
        before: "PS1='READY> '; autoload -Uz compinit; compinit -u",
        load: "eval \"$(goroam completions zsh)\"",
        knows_others: true,
    },
    Interactive {
        program: &["fish", "-i"],
        startup: ".config/fish/config.fish",
        before: "set fish_greeting; function fish_prompt; echo 'READY> '; end",
        load: "goroam completions fish | source",
        knows_others: true,
    },
    Interactive {
        program: &["elvish"],
        startup: ".config/elvish/rc.elv",
        before: "set edit:prompt = { put 'READY> ' }; set edit:rprompt = { put '' }",
        load: "eval (goroam completions elvish | slurp)",
        knows_others: true,
    },
];

impl Interactive {
    /// Reports whether the shell is installed; prints that the test is skipped if not.
    fn is_here(&self) -> bool {
        let is_here = Command::new(self.program[0])
            .args(["-c", ""])
            .status()
            .is_ok();
        let needs_more = self.before.contains(BASH_COMPLETION);
        let is_here = is_here && (!needs_more || Path::new(BASH_COMPLETION).exists());
        if !is_here {
            println!(
                "skipped: no {} here, or no bash-completion",
                self.program[0]
            );
        }
        is_here
    }

    /// A terminal in which it waits for a line, in the user's home.
    fn open(&self, user: &User) -> Option<Terminal> {
        user.write(self.startup, format!("{}\n{}\n", self.before, self.load));
        let (home, runtime) = (user.path(""), user.path("run"));
        let bin = Path::new(env!("CARGO_BIN_EXE_goroam")).parent().unwrap();
        let path = format!("{}:/usr/bin:/bin", bin.display());
        let vars = [
            ("HOME", home.to_str().unwrap()),
            ("PATH", &path),
            ("XDG_RUNTIME_DIR", runtime.to_str().unwrap()),
        ];
        let program: Vec<&OsStr> = self.program.iter().map(OsStr::new).collect();
        let terminal = Terminal::running(100, 50, &vars, &program)?;
        terminal.shows("READY>");
        terminal.enter("cd ~");
        Some(terminal)
    }
}

/// A user with a policy, a mirror and two files.
fn user() -> User {
    let user = User::new();
    user.write(".config/goroam/goroam.toml", POLICY);
    for (module, versions) in [
        ("golang.org/x/text", "v0.3.0\nv0.14.0\n"),
        ("github.com/!burnt!sushi/toml", "v1.0.0\n"),
    ] {
        let list = format!(".local/share/goroam/mirror/{module}/@v/list");
        user.write(&list, versions);
    }
    user.write("notes one.toml", "");
    user.write("place one/in it", "");
    user
}

#[test]
fn tab_completes_names_files_and_the_commands_of_others() {
    let user = user();
    for shell in SHELLS.iter().filter(|shell| shell.is_here()) {
        let Some(terminal) = shell.open(&user) else {
            return;
        };
        for (typed, completed) in [
            ("goroam prob", "goroam probe"),
            ("goroam use offi", "goroam use office"),
            ("goroam use ali", "goroam use aliyun"),
            ("goroam probe co", "goroam probe corp"),
            ("goroam --color=al", "--color=always"),
            ("goroam mirror list git", "github.com/BurntSushi/toml"),
            ("goroam mirror pin golang.org/x/text v0.1", "text v0.14.0"),
            ("goroam env GOPRO", "goroam env GOPROXY"),
            ("goroam exec --tiers proxy,mi", "proxy,mirror"),
            ("goroam check no", "one.toml"),
            ("goroam ready pl", "one/"),
            ("goroam exec -- goroam hist", "goroam history"),
            ("goroam exec -v -- goroam --color ne", "--color never"),
        ] {
            if typed.contains(OTHERS) && !shell.knows_others {
                continue;
            }
            terminal.press(&["-l", typed]);
            terminal.press(&["Tab"]);
            let screen = terminal.shows(completed).join("\n");
            assert!(!screen.contains("rror:"), "{typed}: {screen}");
            // Elvish asks first if it has to quote the word.
            if screen.contains("COMPLETING") {
                terminal.press(&["Enter"]);
            }
            // C-c would also end a shell that is still about to draw the line.
            terminal.press(&["C-u"]);
            terminal.until("a new prompt", |lines| {
                let last = lines.iter().rfind(|line| !line.trim().is_empty());
                last.is_some_and(|line| line.trim_end() == "READY>")
            });
        }
    }
}

#[test]
fn a_name_that_looks_like_code_runs_nothing() {
    let user = user();
    for shell in SHELLS.iter().filter(|shell| shell.is_here()) {
        let Some(terminal) = shell.open(&user) else {
            return;
        };
        terminal.press(&["-l", "goroam use zo"]);
        terminal.press(&["Tab"]);
        terminal.shows("touch");
        // Elvish takes the word first; its quotes are not on the screen before.
        terminal.press(&["Enter"]);
        terminal.press(&["Enter"]);
        terminal.enter("echo ended");
        terminal.until("the end", |lines| {
            lines.iter().any(|line| line.trim() == "ended")
        });
        assert!(!user.path("pwned").exists(), "{}", shell.program[0]);
    }
}

#[test]
fn a_tab_starts_quickly_writes_nothing_and_never_shows_an_error() {
    let user = user();
    let ask = |words: &str| user.goroam(&format!("__complete fish {words}")).exits(0);
    let names = ask("= use").stdout();
    assert!(
        names.starts_with(":words\noffice\tGOPROXY=https://"),
        "{names}"
    );
    let targets = ask("= probe").stdout();
    assert!(targets.contains("corp\thttps://joe:***@"), "{targets}");
    let took = |_| {
        let began = Instant::now();
        ask("=o use");
        began.elapsed()
    };
    let best = (0..20).map(took).min().unwrap();
    // Of a program that is not optimised, on a busy machine.
    assert!(best < Duration::from_millis(60), "{best:?}");
    println!("{best:?} for a Tab");

    let quiet = |words: &str| {
        let output = user.goroam(words).command().output().unwrap();
        assert!(output.status.success(), "{words}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{words}");
        String::from_utf8(output.stdout).unwrap()
    };
    user.write(".config/goroam/goroam.toml", "version = 1\n[[profile");
    let names = quiet("__complete fish = use");
    assert!(names.starts_with(":words\ncn\thttps://"), "{names}");
    for words in ["", " fish", " fish =", " bash = exec --", " zsh == == =="] {
        quiet(&format!("__complete{words}"));
    }
    assert!(!user.path(".local/state").exists());
}
