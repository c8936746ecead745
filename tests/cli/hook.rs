//! `goroam hook` in real shells, with real turns.

use std::ffi::OsStr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cli::{User, mode};
use crate::go;
use crate::tmux::Terminal;

const POLICY: &str = r#"version = 1
[[profile]]
name = "office"
env = { GOPROXY = "https://p.example", GOSUMDB = "sum.golang.org" }
[[profile]]
name = "plain"
env = { GOFLAGS = "-mod=mod" }
"#;

/// What each start-up file exports before it loads the hook.
const EXPORTS: [(&str, &str); 4] = [
    ("GOPROXY", "https://joe:s3cret@old.example"),
    ("GOSUMDB", "off"),
    ("GOPRIVATE", "x.example"),
    ("GONOSUMDB", "x.example"),
];

/// A shell as a user starts it in a terminal.
pub(crate) struct Interactive {
    pub(crate) name: &'static str,
    startup: &'static str,
}

pub(crate) const SHELLS: [Interactive; 3] = [
    Interactive {
        name: "bash",
        startup: ".bashrc",
    },
    Interactive {
        name: "zsh",
        startup: ".zshrc",
    },
    Interactive {
        name: "fish",
        startup: ".config/fish/config.fish",
    },
];

impl Interactive {
    /// Reports whether the shell is installed; prints that the test is skipped if not.
    pub(crate) fn is_here(&self) -> bool {
        let mut command = Command::new(self.name);
        let is_here = command.args(["-c", ":"]).status().is_ok();
        if !is_here {
            println!("skipped: no {} here", self.name);
        }
        is_here
    }

    pub(crate) fn export(&self, name: &str, value: &str) -> String {
        match self.name {
            "fish" => format!("set -gx {name} '{value}'"),
            _ => format!("export {name}='{value}'"),
        }
    }

    /// A home whose `goroam` counts its runs, in which a turn has chosen the office.
    fn user(&self, exports: &[(&str, &str)]) -> Option<User> {
        self.user_with(POLICY, exports)
    }

    /// The same with a policy that has a profile `office`.
    pub(crate) fn user_with(&self, policy: &str, exports: &[(&str, &str)]) -> Option<User> {
        let go = go::go(go::VERSIONS[2])?;
        let user = User::new();
        user.write(".config/goroam/goroam.toml", policy);
        let (real, runs) = (env!("CARGO_BIN_EXE_goroam"), user.path("runs"));
        let counting = format!(
            "#!/bin/bash\necho \"$1\" >> {}\nPATH={}:$PATH exec -a goroam {real} \"$@\"\n",
            runs.display(),
            go.parent().unwrap().display()
        );
        mode(&user.write("bin/goroam", counting), 0o755);
        user.run(user.path("bin/goroam").to_str().unwrap())
            .args("use office")
            .exits(0);
        let load = match self.name {
            "fish" => "goroam hook fish | source".to_owned(),
            name => format!("eval \"$(goroam hook {name})\""),
        };
        // A prompt of the user's own, which wants to know how the last command ended.
        let prompt = match self.name {
            "bash" => "PROMPT_COMMAND='ended=$?'",
            "zsh" => "own() { ended=$? }; precmd_functions=(own)",
            _ => "function fish_prompt; set -g ended $status; echo '> '; end",
        };
        let lines = exports.iter().map(|(name, value)| self.export(name, value));
        let lines: Vec<String> = lines.chain([prompt.to_owned(), load]).collect();
        user.write(self.startup, lines.join("\n") + "\n");
        Some(user)
    }

    /// Types these lines at its prompts in a terminal; returns what is on the screen in the end.
    pub(crate) fn types(&self, user: &User, lines: &[&str]) -> Option<String> {
        let path = format!("{}:/usr/bin:/bin", user.path("bin").display());
        let (home, runtime) = (user.path(""), user.path("run"));
        let vars = [
            ("HOME", home.to_str().unwrap()),
            ("PATH", &path),
            ("XDG_RUNTIME_DIR", runtime.to_str().unwrap()),
            ("SHELL", "/bin/bash"),
        ];
        let program = [self.name, "-i"].map(OsStr::new);
        let terminal = Terminal::running(250, 100, &vars, &program)?;
        // What is typed before the first prompt would stand amid what the hook says.
        terminal.until("the first prompt", |screen| {
            let last = screen.iter().rfind(|line| !line.trim().is_empty());
            last.is_some_and(|line| line.trim_end().ends_with(['$', '#', '>', '%']))
        });
        for (number, line) in lines.iter().chain([&"true"]).enumerate() {
            // Typed, it has quotation marks in it; printed, it has none. It stands first, so that
            // the prompt finds the line's own exit status.
            terminal.enter(&format!("echo BEGUN''{number}; {line}"));
            terminal.shows(&format!("BEGUN{number}"));
        }
        Some(terminal.screen().join("\n"))
    }
}

/// Prints what go would find in its environment, as `GOPROXY=… GOSUMDB=…`; empty is unset.
const SHOW: &str = "printf 'SEEN %s;' $(env | grep -E '^(GOPROXY|GOSUMDB|GOPRIVATE|GONOSUMDB|GOROAM_PROFILE)=.' | sort)";

/// The values that `SHOW` printed each time.
fn seen(printed: &str) -> Vec<Vec<String>> {
    let words = |line: &str| {
        let words = line.split(';').filter_map(|word| word.split_once("SEEN "));
        words.map(|(_, word)| word.to_owned()).collect()
    };
    // A shell may repeat what is typed.
    let lines = printed.lines().filter(|line| line.contains("SEEN GO"));
    lines.map(words).collect()
}

#[test]
fn exports_of_start_up_files_give_way_to_the_profile_and_come_back_without_it() {
    for shell in SHELLS.iter().filter(|shell| shell.is_here()) {
        let Some(user) = shell.user(&EXPORTS) else {
            return;
        };
        let mine = shell.export("GOPROXY", "https://mine.example");
        let same = shell.export("GOSUMDB", "off");
        let lines = [
            SHOW,
            "goroam use plain",
            SHOW,
            "goroam use office",
            SHOW,
            &mine,
            &same,
            "goroam use plain",
            "goroam use office",
            SHOW,
        ];
        let Some(printed) = shell.types(&user, &lines) else {
            return;
        };
        let private = ["GONOSUMDB=x.example", "GOPRIVATE=x.example"];
        let with = |more: &[&str]| {
            let all = private.iter().chain(more).copied();
            let mut all: Vec<String> = all.map(str::to_owned).collect();
            all.sort();
            all
        };
        let old = "GOPROXY=https://joe:s3cret@old.example";
        let expected = [
            with(&["GOROAM_PROFILE=office*"]),
            with(&[old, "GOSUMDB=off", "GOROAM_PROFILE=plain*"]),
            with(&["GOROAM_PROFILE=office*"]),
            // Exported by hand: stays, whatever the profile says, also if it is the old value.
            with(&[
                "GOPROXY=https://mine.example",
                "GOSUMDB=off",
                "GOROAM_PROFILE=office*!",
            ]),
        ];
        assert_eq!(seen(&printed), expected, "{}: {printed}", shell.name);
        for name in ["GOPROXY", "GOSUMDB"] {
            let says = format!("goroam: {name} is unset in this shell, as profile office sets it");
            assert_eq!(
                printed.matches(&says).count(),
                1,
                "{}: {printed}",
                shell.name
            );
            // Said once, not in every terminal.
            let again = shell.types(&user, &["true"]).unwrap();
            assert!(!again.contains(&says), "{}: {again}", shell.name);
        }
    }
}

#[test]
fn a_prompt_starts_no_process_and_keeps_the_exit_status() {
    for shell in SHELLS.iter().filter(|shell| shell.is_here()) {
        let Some(user) = shell.user(&EXPORTS) else {
            return;
        };
        let show = "echo ENDED $ended.";
        let lines = [
            "true",
            "true",
            "true",
            "goroam pause",
            "sh -c 'exit 7'",
            show,
        ];
        let Some(printed) = shell.types(&user, &lines) else {
            return;
        };
        assert!(printed.contains("ENDED 7."), "{}: {printed}", shell.name);
        let runs = std::fs::read_to_string(user.path("runs")).unwrap();
        // `pause` without an agent does nothing.
        assert_eq!(runs, "use\nhook\npause\n", "{}: {printed}", shell.name);
    }
}

/// A real agent of this user; it ends with the test.
struct Agent(std::process::Child);

impl Agent {
    fn start(user: &User) -> Agent {
        let run = user.run(user.path("bin/goroam").to_str().unwrap());
        let mut command = run.args("agent").command();
        let agent = Agent(command.stderr(Stdio::null()).spawn().unwrap());
        let end = Instant::now() + Duration::from_secs(30);
        // It is there when it can be paused.
        let is_there = || {
            let mut command = user.goroam("pause").command();
            command.output().unwrap().status.success()
        };
        while !is_there() {
            assert!(Instant::now() < end, "no agent");
            std::thread::sleep(Duration::from_millis(20));
        }
        user.goroam("auto").exits(0);
        agent
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_pause_shows_in_the_next_prompt() {
    for shell in SHELLS.iter().filter(|shell| shell.is_here()) {
        let Some(user) = shell.user(&[]) else {
            return;
        };
        let _agent = Agent::start(&user);
        let lines = [SHOW, "goroam pause", SHOW, "goroam auto", SHOW];
        let Some(printed) = shell.types(&user, &lines) else {
            return;
        };
        let shown = ["office", "paused", "office"].map(|name| [format!("GOROAM_PROFILE={name}")]);
        assert_eq!(seen(&printed), shown, "{}: {printed}", shell.name);
    }
}

#[test]
fn a_thousand_prompts_take_less_than_a_second() {
    for shell in SHELLS.iter().filter(|shell| shell.is_here()) {
        let Some(user) = shell.user(&[]) else {
            return;
        };
        let prompts = match shell.name {
            "fish" => "for i in (seq 1000); __goroam_prompt; end",
            _ => "for i in $(seq 1000); do __goroam_prompt; done",
        };
        // The clock of the shell itself: starting it takes longer than the prompts do.
        let clock = "date +TIME=%s%N";
        let took = |_| {
            let printed = shell.types(&user, &[clock, prompts, clock])?;
            let times = printed.lines().filter_map(|line| line.split_once("TIME="));
            let times: Vec<u64> = times.filter_map(|(_, at)| at.trim().parse().ok()).collect();
            assert_eq!(times.len(), 2, "{}: {printed}", shell.name);
            Some(Duration::from_nanos(times[1] - times[0]))
        };
        let Some(best) = (0..3).filter_map(took).min() else {
            return;
        };
        assert!(best < Duration::from_secs(1), "{}: {best:?}", shell.name);
        println!("{}: {best:?} for 1000 prompts", shell.name);
    }
}

#[test]
fn a_shell_in_a_shell_keeps_what_the_user_has_exported_by_hand() {
    for shell in SHELLS.iter().filter(|shell| shell.is_here()) {
        let Some(user) = shell.user(&EXPORTS[1..]) else {
            return;
        };
        let mine = shell.export("GOPROXY", "https://mine.example");
        let inner = format!("{} -ic \"{}\"", shell.name, SHOW.replace('$', "\\$"));
        let Some(printed) = shell.types(&user, &[&mine, &inner]) else {
            return;
        };
        let mine = [
            "GONOSUMDB=x.example",
            "GOPRIVATE=x.example",
            "GOPROXY=https://mine.example",
            "GOROAM_PROFILE=office*!",
        ];
        assert_eq!(seen(&printed), [mine], "{}: {printed}", shell.name);
    }
}

#[test]
fn an_export_stays_if_the_user_has_changed_the_go_env_file() {
    let Some(user) = SHELLS[0].user(&[]) else {
        return;
    };
    let unsets = || {
        let hook = user.goroam("hook bash");
        let code = hook.env("GOPROXY", "https://old.example").exits(0).stdout();
        code.contains("unset GOPROXY")
    };
    assert!(unsets());
    user.write(".config/go/env", "GOPROXY=https://mine.example\n");
    assert!(!unsets());
}

#[test]
fn an_export_stays_where_private_names_would_reach_another_server_without_it() {
    let exports = [
        ("GOPROXY", "https://corp.example"),
        ("GOPRIVATE", "git.corp.example"),
        ("GONOPROXY", "none"),
    ];
    for shell in SHELLS.iter().filter(|shell| shell.is_here()) {
        let Some(user) = shell.user(&exports) else {
            return;
        };
        let Some(printed) = shell.types(&user, &[SHOW]) else {
            return;
        };
        let says = "goroam: GOPROXY stays exported: the exported GOPRIVATE or GONO… relies on it";
        assert!(printed.contains(says), "{}: {printed}", shell.name);
        assert!(seen(&printed)[0].contains(&"GOPROXY=https://corp.example".to_owned()));
    }
}

#[test]
fn doctor_does_not_complain_of_what_the_hook_unsets() {
    let shell = &SHELLS[0];
    let Some(user) = shell.user(&EXPORTS).filter(|_| shell.is_here()) else {
        return;
    };
    let Some(printed) = shell.types(&user, &["goroam doctor"]) else {
        return;
    };
    let hooked = "`goroam hook` unsets it in terminals, as in this one.";
    assert_eq!(printed.matches(hooked).count(), 2, "{printed}");
    let without = user.goroam("doctor").env("SHELL", "/bin/bash");
    let without = without.exits(1).stdout();
    assert!(!without.contains(hooked), "{without}");
    assert!(without.contains("shadowed-by-shell"), "{without}");
}

#[test]
fn a_policy_that_is_refused_leaves_the_shell_as_it_is() {
    let user = User::new();
    user.write(".config/goroam/goroam.toml", "version = 7\n");
    let load = user.goroam("hook bash").env("GOPROXY", "off").exits(2);
    let load = load.complains("goroam.toml").says("__goroam_prompt");
    assert!(!load.stdout().contains("unset"), "{}", load.all());
    let refresh = user.goroam("hook bash --refresh").exits(1);
    assert_eq!(refresh.stdout() + &refresh.stderr(), "");
}
