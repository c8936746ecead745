//! The snippets for CI: read by a true YAML parser, and every block of theirs run by a shell in a
//! project, with the program under test and a real go. What only the service has (its actions,
//! its cache) is looked at for its form.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::modcache::{Home, all};

/// Nobody listens there.
const DEAD: &str = "http://127.0.0.1:9";

fn snippet(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("packaging/ci")
        .join(name);
    std::fs::read_to_string(path).unwrap()
}

/// A YAML document as JSON; `None`, with a line that says so, where nothing here can read YAML.
fn yaml(text: &str) -> Option<Value> {
    let can = |python: &&str| {
        let asked = Command::new(python).args(["-c", "import yaml"]).output();
        asked.is_ok_and(|done| done.status.success())
    };
    // The system's own has the system's packages, where another one comes first in PATH.
    let Some(python) = ["python3", "/usr/bin/python3"].into_iter().find(can) else {
        println!("skipped: no python3 with yaml here");
        return None;
    };
    let script = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)";
    let mut child = Command::new(python)
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{said}");
    Some(serde_json::from_slice(&done.stdout).unwrap())
}

/// A machine of a CI service.
struct Runner {
    home: Home,
    env: Vec<(String, String)>,
    proxy: String,
    path: String,
}

impl Runner {
    fn new() -> Option<Runner> {
        let home = Home::new("1.24.11")?;
        // go.sum, as it is in a repository.
        let home = home.filled();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/go");
        let go = Command::new(script).arg("1.24.11").output().unwrap();
        let go = PathBuf::from(String::from_utf8(go.stdout).unwrap().trim());
        let path = format!(
            "{}:/usr/local/bin:/usr/bin:/bin",
            go.parent().unwrap().display()
        );
        Some(Runner {
            proxy: format!("file://{}", home.modules().display()),
            home,
            env: Vec::new(),
            path,
        })
    }

    /// What a release has: the program, in an archive, with its hash. Gives the address.
    fn release(&mut self) -> (String, String) {
        let root = "release/goroam-0.1.0-x86_64-linux";
        let program = format!("#!/bin/sh\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_goroam"));
        let program = self.home.write(&format!("{root}/bin/goroam"), program);
        let mut permissions = std::fs::metadata(&program).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
        std::fs::set_permissions(&program, permissions).unwrap();
        std::fs::create_dir_all(self.home.path("release/v0.1.0")).unwrap();
        let archive = self
            .home
            .path("release/v0.1.0/goroam-0.1.0-x86_64-linux.tar.gz");
        let tar = Command::new("tar")
            .arg("-czf")
            .arg(&archive)
            .arg("-C")
            .arg(self.home.path("release"))
            .arg("goroam-0.1.0-x86_64-linux")
            .status();
        assert!(tar.unwrap().success());
        let sum = Command::new("sha256sum").arg(&archive).output().unwrap();
        let sum = String::from_utf8(sum.stdout).unwrap();
        let url = format!("file://{}", self.home.path("release").display());
        (url, sum.split(' ').next().unwrap().to_owned())
    }

    fn set(&mut self, name: &str, value: impl Into<String>) {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.into()));
    }

    /// Variables of the snippet, with what stands for the service's own in them.
    fn take_env(&mut self, vars: &Value) {
        let project = self.home.path("app").display().to_string();
        for (name, value) in vars.as_object().unwrap() {
            let value = value.as_str().unwrap();
            let value = value.replace("${{ github.workspace }}", &project);
            let value = value.replace("$CI_PROJECT_DIR", &project);
            assert!(!value.contains('$') || name == "GO_IMAGE", "{name}={value}");
            self.set(name, value);
        }
    }

    /// Runs a block as the service does, with an empty module cache of this name.
    fn run(&self, shell: &[&str], block: &str, cache: &str) -> Output {
        let mut command = self.home.command(Path::new("/usr/bin/env"));
        command
            .args(shell)
            .arg(block)
            .env("PATH", &self.path)
            .env("GOMODCACHE", self.home.path(cache))
            .env("GOPROXY", &self.proxy)
            .env_remove("GOFLAGS")
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command.output().unwrap()
    }

    #[track_caller]
    fn runs(&self, shell: &[&str], block: &str, cache: &str) -> Output {
        let done = self.run(shell, block, cache);
        assert!(done.status.success(), "{block}\n{}", all(&done));
        done
    }
}

/// GitHub's own way to run a block on Linux; GitLab's shell stops at the first failure, too.
const BASH: [&str; 5] = ["bash", "--noprofile", "--norc", "-e", "-c"];

/// The step that a summary names.
fn tier(line: &str) -> Value {
    let json: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert_eq!(json["exit"], 0, "{line}");
    json["tier"].clone()
}

#[test]
fn the_workflow_for_github_builds_fills_the_mirror_and_builds_from_it() {
    let Some(flow) = yaml(&snippet("github-actions.yml")) else {
        return;
    };
    let Some(mut runner) = Runner::new() else {
        return;
    };
    // Nothing but reading, unless somebody says so.
    assert_eq!(
        flow["permissions"],
        serde_json::json!({ "contents": "read" })
    );
    runner.take_env(&flow["env"]);
    let (url, sum) = runner.release();
    runner.set("GOROAM_RELEASES", url);
    let (paths, summary) = (runner.home.path("paths"), runner.home.path("summary"));
    runner.set("GITHUB_PATH", paths.display().to_string());
    runner.set("GITHUB_STEP_SUMMARY", summary.display().to_string());
    let steps = flow["jobs"]["build"]["steps"].as_array().unwrap();
    let mut ran = Vec::new();
    for step in steps {
        let Some(block) = step["run"].as_str() else {
            let uses = step["uses"].as_str().unwrap();
            let (action, version) = uses.split_once('@').unwrap();
            assert!(
                action.starts_with("actions/") && version.starts_with('v'),
                "{uses}"
            );
            if action.starts_with("actions/cache") {
                assert_eq!(step["with"]["path"], ".goroam-mirror", "{step}");
                assert!(
                    step["with"]["key"]
                        .as_str()
                        .unwrap()
                        .contains("hashFiles('**/go.sum')")
                );
            }
            continue;
        };
        let name = step["name"].as_str().unwrap();
        if name == "Install goroam" {
            // The hash of the snippet is a placeholder, which must not let anything in.
            assert!(!runner.run(&BASH, block, "mod").status.success());
            runner.set("GOROAM_SHA256", &sum);
        }
        runner.runs(&BASH, block, "mod");
        if let Ok(added) = std::fs::read_to_string(&paths) {
            runner.path = format!("{}:{}", added.trim(), runner.path);
            std::fs::remove_file(&paths).unwrap();
        }
        ran.push(name);
    }
    assert_eq!(ran, ["Install goroam", "Build", "Test", "Fill the mirror"]);
    assert_eq!(
        tier(std::fs::read_to_string(&summary).unwrap().trim()),
        "proxy"
    );
    // The next job, on a bad day: no proxy, and nothing in the module cache.
    std::fs::remove_file(&summary).unwrap();
    runner.proxy = DEAD.to_owned();
    let block = |name: &str| {
        let step = steps.iter().find(|step| step["name"] == name).unwrap();
        step["run"].as_str().unwrap().to_owned()
    };
    runner.runs(&BASH, &block("Build"), "other");
    assert_eq!(
        tier(std::fs::read_to_string(&summary).unwrap().trim()),
        "mirror"
    );
    runner.runs(&BASH, &block("Test"), "other");
    // What is the code's own fault fails the step.
    runner
        .home
        .write("app/bad.go", "package app\n\nvar x int = \"no\"\n");
    assert!(!runner.run(&BASH, &block("Build"), "other").status.success());
}

#[test]
fn the_job_for_gitlab_does_the_same() {
    let Some(ci) = yaml(&snippet("gitlab-ci.yml")) else {
        return;
    };
    let Some(mut runner) = Runner::new() else {
        return;
    };
    runner.take_env(&ci["variables"]);
    let (url, sum) = runner.release();
    runner.set("GOROAM_RELEASES", url);
    runner.set("GOROAM_SHA256", sum);
    let job = &ci["build"];
    // GitLab takes a key as it is, so one that go.sum is in would find nothing after any change.
    assert_eq!(job["cache"]["key"], "goroam-$CI_COMMIT_REF_SLUG");
    assert_eq!(
        job["cache"]["fallback_keys"],
        serde_json::json!(["goroam-$CI_DEFAULT_BRANCH"])
    );
    assert_eq!(
        job["cache"]["paths"],
        serde_json::json!([".goroam-mirror/"])
    );
    let lines = |key: &str| {
        let lines = job[key].as_array().unwrap().iter();
        lines
            .map(|line| line.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    // GitLab makes one script of both.
    let all_of_it = [lines("before_script"), lines("script")]
        .concat()
        .join("\n");
    let done = runner.runs(&BASH, &all_of_it, "mod");
    let summaries = String::from_utf8_lossy(&done.stderr).into_owned();
    let summaries: Vec<&str> = summaries
        .lines()
        .filter(|line| line.starts_with("{\"tier\""))
        .collect();
    assert_eq!(summaries.len(), 2, "{}", all(&done));
    assert_eq!(tier(summaries[0]), "proxy");
    runner.proxy = DEAD.to_owned();
    let script = lines("script");
    let builds = [lines("before_script"), script[..2].to_vec()]
        .concat()
        .join("\n");
    let done = runner.runs(&BASH, &builds, "other");
    // The build filled the module cache; what follows has no need of a proxy any more.
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    let first = said.lines().find(|line| line.starts_with("{\"tier\""));
    assert_eq!(tier(first.unwrap()), "mirror");
}

#[test]
fn the_targets_of_the_makefile_work_with_goroam_and_without() {
    let Some(mut runner) = Runner::new() else {
        return;
    };
    if !Command::new("make")
        .arg("--version")
        .output()
        .is_ok_and(|done| done.status.success())
    {
        println!("skipped: no make here");
        return;
    }
    runner.home.write("app/Makefile", snippet("Makefile"));
    runner.set("GOROAM", env!("CARGO_BIN_EXE_goroam"));
    runner.set(
        "GOROAM_MIRROR",
        runner.home.path("mirror").display().to_string(),
    );
    let make = ["make"];
    for target in ["build", "test", "ready"] {
        runner.runs(&make, target, "mod");
    }
    runner.proxy = DEAD.to_owned();
    let done = runner.runs(&make, "all", "other");
    assert!(
        String::from_utf8_lossy(&done.stderr).contains("mirror"),
        "{}",
        all(&done)
    );
    // Without goroam there is no mirror, and no build.
    let bare = runner.run(&["make", "GO=go"], "build", "third");
    assert!(!bare.status.success(), "{}", all(&bare));
    assert!(
        !runner.run(&make, "vendor-check", "other").status.success(),
        "there is no vendor/"
    );
    runner.proxy = format!("file://{}", runner.home.modules().display());
    runner.runs(&["go", "mod"], "vendor", "mod");
    runner.runs(&make, "vendor-check", "mod");
}
