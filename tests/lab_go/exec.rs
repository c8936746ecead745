//! `goroam exec` under every way in which the lab's networks and servers fail, with real go,
//! beside the bare go command: what each of them says, and when.

// A helper of tests may panic; the table is the test's own output.
// The lab is Linux's.

mod faults;

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use faults::{FAULTS, Fault, Limit};
use serde_json::Value;

use crate::support::{self, Lab, Laptop, Ran};

/// The limits that `goroam exec` is given here, in seconds: `--connect`, `--first-byte`,
/// `--stall` and `--retry-budget`.
const CONNECT: u64 = 2;
const FIRST_BYTE: u64 = 3;
const STALL: u64 = 4;
const BUDGET: u64 = 5;
/// What the issue allows on top of a limit.
const ON_TOP: Duration = Duration::from_secs(2);
/// How much longer than the longest limit the bare go command is waited for.
const BARE: u64 = STALL + 5;

/// A project of the lab's modules with its go.sum, and the lab's tree of public modules as the
/// mirror.
struct Bench<'lab> {
    laptop: Laptop<'lab>,
    go: PathBuf,
    project: PathBuf,
    mirror: PathBuf,
    runs: std::cell::Cell<u32>,
}

impl<'lab> Bench<'lab> {
    fn new(lab: &'lab Lab, version: &str) -> Option<Bench<'lab>> {
        let out = std::process::Command::new(support::lab::script("go"))
            .arg(version)
            .output()
            .unwrap();
        if !out.status.success() {
            println!("skipped: no go {version} here");
            return None;
        }
        let go = PathBuf::from(String::from_utf8_lossy(&out.stdout).trim());
        let laptop = lab
            .laptop()
            .env("GOPROXY", "https://proxy.golang.org")
            .env("GOSUMDB", &lab.sumdb_key("sum.golang.org"))
            .env("GOFLAGS", "-modcacherw");
        let bench = Bench {
            project: laptop.home().join("w"),
            mirror: lab.dir().join("tree/public"),
            laptop,
            go,
            runs: std::cell::Cell::default(),
        };
        std::fs::create_dir_all(&bench.project).unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(bench.project.join(name), text).unwrap();
        };
        write(
            "go.mod",
            "module example.test/w\n\ngo 1.21\n\nrequire (\n\tgithub.com/BurntSushi/toml v1.2.0\n\tgithub.com/google/uuid v1.3.0\n\tgithub.com/pkg/errors v0.9.1\n)\n",
        );
        write(
            "w.go",
            "package main\n\nimport (\n\t\"github.com/BurntSushi/toml\"\n\t\"github.com/google/uuid\"\n\t\"github.com/pkg/errors\"\n)\n\nfunc main() { _, _, _ = toml.Primitive{}, uuid.Nil, errors.New(\"\") }\n",
        );
        // Complete go.sum, and a warm build cache: what is measured is the network.
        let tree = format!("GOPROXY=file://{}", bench.mirror.display());
        let made = bench.go_in_project(
            &[&tree, "GOSUMDB=off", "GOFLAGS=-mod=mod -modcacherw"],
            "go build ./...",
        );
        assert!(made.status.success(), "{}", made.stderr);
        Some(bench)
    }

    /// A shell's command line in the project, with an empty module cache.
    fn go_in_project(&self, env: &[&str], line: &str) -> Ran {
        let args = self.args(env, line);
        self.laptop.run("env", &args)
    }

    fn args(&self, env: &[&str], line: &str) -> Vec<String> {
        let run = self.runs.get() + 1;
        self.runs.set(run);
        let cache = self.laptop.home().join(format!("cache-{run}"));
        let path = format!("PATH={}:/usr/bin:/bin", self.go.parent().unwrap().display());
        let cache = format!("GOMODCACHE={}", cache.display());
        let line = format!("cd '{}' && {line}", self.project.display());
        let mut args = vec![path.as_str(), &cache];
        args.extend(env);
        args.extend(["sh", "-c", &line]);
        args.into_iter().map(str::to_owned).collect()
    }

    /// The bare go command, started.
    fn bare(&self) -> Running {
        let line = format!("exec timeout -s KILL {BARE} go build -o /dev/null .");
        let mut command = self.laptop.command("env", &self.args(&[], &line));
        command.process_group(0).stdout(Stdio::null());
        Running {
            child: command.stderr(Stdio::piped()).spawn().unwrap(),
            start: Instant::now(),
        }
    }

    fn exec(&self, tiers: &str) -> (Value, Ran) {
        let line = format!(
            "exec '{}' exec --summary json --tiers {tiers} --mirror '{}' --connect {CONNECT}s --first-byte {FIRST_BYTE}s --stall {STALL}s --retry-budget {BUDGET}s -- go build -o /dev/null .",
            support::goroam_bin().display(),
            self.mirror.display()
        );
        let ran = self.go_in_project(&[], &line);
        let last = ran.stderr.lines().last().unwrap_or_default();
        let summary = serde_json::from_str(last).unwrap_or_else(|error| {
            panic!("{error}: {last}\n{}", ran.stderr);
        });
        (summary, ran)
    }

    /// By way of all steps. A neighbour on the same processors may delay one run, hardly three.
    fn exec_within(&self, most: Duration) -> (Value, Ran) {
        let mut last = self.exec("proxy,mirror");
        for _ in 0..2 {
            if last.1.took <= most {
                break;
            }
            println!("delayed, and measured again: {:?}", last.1.took);
            last = self.exec("proxy,mirror");
        }
        last
    }
}

/// What the bare go command did.
struct Bare {
    /// `None`: it was still waiting.
    code: Option<i32>,
    stderr: String,
    took: Duration,
}

/// A bare go command that runs.
struct Running {
    child: Child,
    start: Instant,
}

impl Running {
    /// Waits for its end.
    fn end(self) -> Bare {
        let start = self.start;
        let said = self.child.wait_with_output().unwrap();
        Bare {
            code: said.status.code().filter(|code| *code != 137),
            stderr: String::from_utf8_lossy(&said.stderr).into_owned(),
            took: start.elapsed(),
        }
    }

    /// Ends it where it still waits: what saves a build has saved it meanwhile.
    fn end_now(self) -> Bare {
        let group = i32::try_from(self.child.id()).unwrap();
        // SAFETY: kill(2) has no preconditions; the group is that of a child that was not waited for.
        unsafe { libc::kill(-group, libc::SIGKILL) };
        self.end()
    }
}

/// How long a fault may keep `goroam exec` from what saves the build.
fn allowed(fault: &Fault) -> Duration {
    Duration::from_secs(match fault.limit {
        Limit::None => 0,
        Limit::Connect => CONNECT,
        Limit::FirstByte => FIRST_BYTE,
        Limit::Stall => STALL,
        Limit::Slow(seconds) => seconds,
    })
}

fn one_line(stderr: &str) -> String {
    let told = |line: &&str| !line.starts_with("go: downloading") && !line.trim().is_empty();
    let line = stderr.lines().find(told).unwrap_or("(nothing)");
    let line = line.replace("github.com/", "");
    line.chars().take(60).collect()
}

/// Runs each fault; returns what was not as it should be.
fn all(lab: &Lab, version: &str, chosen: impl Fn(&Fault) -> bool) -> Option<Vec<String>> {
    let bench = Bench::new(lab, version)?;
    lab.travel("airplane");
    let (_, quiet) = bench.exec("mirror");
    assert!(quiet.status.success(), "{}", quiet.stderr);
    let mut wrong = Vec::new();
    println!(
        "go {version}; from the mirror alone {:.1} s",
        quiet.took.as_secs_f64()
    );
    println!(
        "{:20} {:>13} {:>7}  {:8} {:11} {:>7}",
        "fault", "bare go", "", "exec", "class", ""
    );
    for fault in FAULTS.iter().filter(|fault| chosen(fault)) {
        lab.travel(fault.place);
        (fault.set)(lab);
        // Both wait for the network most of their time, and know nothing of each other.
        let bare = bench.bare();
        let most = quiet.took + allowed(fault) + ON_TOP;
        // Routers ration such answers, and a slow server is measured by one at a time.
        let (bare, (summary, ran)) = if matches!(fault.limit, Limit::Slow(_)) {
            (bare.end(), bench.exec_within(most))
        } else {
            let ran = bench.exec_within(most);
            let bare = match fault.bare_builds {
                true => bare.end(),
                false => bare.end_now(),
            };
            (bare, ran)
        };
        calm(lab, fault.place);
        let first = &summary["attempts"][0];
        let got = (
            summary["tier"].as_str().unwrap_or_default(),
            first["class"].as_str().unwrap_or_default(),
            ran.status.code().unwrap_or(-1),
        );
        println!(
            "{:20} {:>13} {:5.1} s  {:8} {:11} {:5.1} s  {}",
            fault.name,
            bare.code
                .map_or("still waiting".to_owned(), |code| format!("exit {code}")),
            bare.took.as_secs_f64(),
            format!("{} {}", got.0, got.2),
            got.1,
            ran.took.as_secs_f64(),
            one_line(&bare.stderr),
        );
        if (got.0, got.2) != (fault.tier, fault.exit) || !fault.classes.contains(&got.1) {
            wrong.push(format!(
                "{}: wanted {} {:?} {}, got {got:?}\n{}",
                fault.name, fault.tier, fault.classes, fault.exit, ran.stderr
            ));
        }
        // What goroam is for: it builds where go does not.
        if (bare.code == Some(0)) != fault.bare_builds {
            wrong.push(format!(
                "{}: the bare go: {:?}\n{}",
                fault.name, bare.code, bare.stderr
            ));
        }
        if ran.took > most {
            wrong.push(format!(
                "{}: took {:?}, not {most:?}\n{}",
                fault.name, ran.took, ran.stderr
            ));
        }
    }
    Some(wrong)
}

/// Takes back what the fault did.
fn calm(lab: &Lab, place: &str) {
    match place {
        "home" => {
            lab.net(&["fault", "home", "all", "pass", "public"]);
            lab.dns("home", "ok");
        }
        "office" => drop(lab.net(&["office-mode", "unreachable"])),
        "hotspot" => drop(lab.net(&["hotspot-mode", "portal302"])),
        _ => {}
    }
}

fn check(version: &str, chosen: impl Fn(&Fault) -> bool) {
    let Some(lab) = Lab::get() else { return };
    let Some(wrong) = all(&lab, version, chosen) else {
        return;
    };
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn exec_saves_a_build_under_each_fault_where_go_fails_or_hangs() {
    check("1.27.3", |_| true);
}

#[test]
fn exec_saves_a_build_with_older_go_commands_too() {
    let few = [
        "hang",
        "reset",
        "503",
        "hotspot-portal200",
        "badzip",
        "trunczip",
        "expired",
        "dns-silent",
    ];
    for version in ["1.21.13", "1.24.11"] {
        check(version, |fault| few.contains(&fault.name));
    }
}

/// The tree that is used as the mirror must be one: nothing of this test works otherwise.
#[test]
fn the_labs_tree_has_what_the_project_needs() {
    let Some(lab) = Lab::get() else { return };
    let tree: &Path = &lab.dir().join("tree/public");
    for file in [
        "github.com/pkg/errors/@v/v0.9.1.zip",
        "github.com/!burnt!sushi/toml/@v/v1.2.0.zip",
    ] {
        assert!(tree.join(file).is_file(), "{file}");
    }
}
