//! `goroam doctor`: it names what wins over the go env file, with file and line.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use goroam::doctor::Code;

use crate::cli::{Done, User, mode};

/// The codes of the findings about a variable, or about goroam itself for `""`.
fn codes(done: &Done, name: &str) -> Vec<String> {
    let json = done.json();
    let findings = json["findings"].as_array().unwrap().iter();
    findings
        .filter(|one| one["name"].as_str().unwrap_or_default() == name)
        .map(|one| one["code"].as_str().unwrap().to_owned())
        .collect()
}

/// The finding about a variable; there must be just one.
#[track_caller]
fn only(done: &Done, name: &str) -> serde_json::Value {
    let json = done.json();
    let mut found = json["findings"].as_array().unwrap().clone();
    found.retain(|one| one["name"] == name);
    assert_eq!(found.len(), 1, "{}", done.all());
    found.remove(0)
}

#[test]
fn a_user_with_nothing_in_the_way_is_told_so() {
    let user = User::new();
    user.write(".bashrc", "# export GOPROXY=off\nexport EDITOR=vi\n");
    let json = user.goroam("doctor --json").exits(0).json();
    assert_eq!(json["clean"], true);
    let looked = json["looked"].as_array().unwrap();
    assert!(looked.contains(&"~/.bashrc".into()), "{looked:?}");
}

#[test]
fn a_start_up_file_that_writes_the_go_env_file_is_named() {
    let user = User::new();
    user.write(".bashrc", "\ngo env -w GOPROXY=https://old.example\n");
    let run = |words| user.goroam(words).env("SHELL", "/bin/bash");
    let found = only(&run("doctor --json").exits(1), "GOPROXY");
    assert_eq!(found["code"], "rewritten-by-shell");
    assert_eq!(found["place"], "~/.bashrc:2");
    assert_eq!(found["severity"], "error");
    assert_eq!(found["reaches"], serde_json::json!(["bash terminals"]));
    run("doctor").exits(1).says("delete that line");
}

#[test]
fn a_line_of_the_shell_is_named_once_with_all_that_it_reaches() {
    let user = User::new();
    user.write(
        ".bashrc",
        "\n\nexport GOPROXY=https://joe:s3cret@old.example,direct\n",
    );
    let run = || {
        user.goroam("doctor --json")
            .env("GOPROXY", "https://joe:s3cret@old.example,direct")
    };
    let done = run().exits(1);
    let found = only(&done, "GOPROXY");
    assert_eq!(found["code"], "shadowed-by-shell");
    assert_eq!(found["severity"], "error");
    assert_eq!(found["place"], "~/.bashrc:3");
    assert_eq!(
        found["reaches"],
        serde_json::json!(["bash terminals", "this shell"])
    );
    assert!(!done.all().contains("s3cret"), "{}", done.all());
    let text = user
        .goroam("doctor")
        .env("GOPROXY", "https://joe:s3cret@old.example,direct")
        .exits(1)
        .says("in ~/.bashrc:3")
        .says("→ delete that line; `unset GOPROXY`")
        .says("1 error, 1 note; looked at ");
    assert!(!text.all().contains("s3cret"), "{}", text.all());
    let wide = text.stdout();
    let wide = wide.lines().find(|line| line.chars().count() > 80);
    assert_eq!(wide, None);
}

#[test]
fn another_value_in_this_shell_is_another_cause() {
    let user = User::new();
    user.write(".bashrc", "export GOPROXY=https://one.example\n");
    let done = user
        .goroam("doctor --json")
        .env("GOPROXY", "https://two.example")
        .exits(1);
    assert_eq!(
        codes(&done, "GOPROXY"),
        ["shadowed-by-shell", "shadowed-here"]
    );
}

#[test]
fn a_line_under_a_condition_is_a_warning_until_this_shell_proves_it() {
    let user = User::new();
    user.write(".bashrc", "if at_work; then\n  export GOPROXY=off\nfi\n");
    let found = only(&user.goroam("doctor --json").exits(1), "GOPROXY");
    assert_eq!(found["severity"], "warning");
    let proven = user.goroam("doctor --json").env("GOPROXY", "off").exits(1);
    assert_eq!(only(&proven, "GOPROXY")["severity"], "error");
}

#[test]
fn a_file_of_a_shell_that_is_not_the_users_is_a_warning() {
    let user = User::new();
    user.write(".zshrc", "export GOPROXY=off\n");
    let run = |shell| user.goroam("doctor --json").env("SHELL", shell).exits(1);
    assert_eq!(only(&run("/bin/bash"), "GOPROXY")["severity"], "warning");
    assert_eq!(only(&run("/usr/bin/zsh"), "GOPROXY")["severity"], "error");
}

#[test]
fn what_agrees_today_will_not_follow_tomorrow() {
    let user = User::new();
    let policy = "version = 1\n[[profile]]\nname = \"p\"\nenv = { GOPROXY = \"off\" }\n";
    user.write(".config/goroam/goroam.toml", policy);
    user.write(".config/go/env", "GOPROXY=off\n");
    user.write(".bashrc", "export GOPROXY=off\n");
    let found = only(&user.goroam("doctor --json").exits(1), "GOPROXY");
    assert_eq!(found["severity"], "warning");
    let why = found["why"].as_str().unwrap();
    assert!(why.contains("will not follow"), "{why}");
}

#[test]
fn settings_of_vs_code_with_comments_are_read() {
    let user = User::new();
    user.write(
        ".config/Code/User/settings.json",
        "{\n  // mine\n  \"go.toolsEnvVars\": {\n    \"GOPROXY\": \"off\", /* home */\n  },\n}\n",
    );
    let found = only(&user.goroam("doctor --json").exits(1), "GOPROXY");
    assert_eq!(found["code"], "shadowed-by-editor");
    let place = "~/.config/Code/User/settings.json:4 (go.toolsEnvVars)";
    assert_eq!(found["place"], place);
}

#[test]
fn the_folder_and_those_above_count() {
    let user = User::new();
    user.write("src/.envrc", "export GOPROXY=off\n");
    user.write(
        "src/.vscode/settings.json",
        "{\"gopls\":{\"build.env\":{\"GOSUMDB\":\"off\"}}}",
    );
    user.write("src/x/go.mod", "module x\n");
    let mut command = user.goroam("doctor --json").command();
    let output = command.current_dir(user.path("src/x")).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let places: BTreeSet<&str> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["place"].as_str())
        .collect();
    assert!(places.contains("~/src/.envrc:1"), "{json}");
    assert!(
        places.contains("~/src/.vscode/settings.json:1 (gopls.build.env)"),
        "{json}"
    );
    // Elsewhere they do not.
    user.goroam("doctor").exits(0);
}

#[test]
fn goenv_that_leads_go_elsewhere_is_an_error_and_told_once() {
    let user = User::new();
    for value in ["off", "/somewhere/else"] {
        let done = user.goroam("doctor --json").env("GOENV", value).exits(1);
        assert_eq!(only(&done, "GOENV")["code"], "goenv-elsewhere", "{value}");
        assert!(
            !codes(&done, "").contains(&"trouble".to_owned()),
            "{}",
            done.all()
        );
    }
    let usual = user.path(".config/go/env");
    let usual = usual.to_str().unwrap();
    user.goroam("doctor").env("GOENV", usual).exits(0);
}

/// That of the go on PATH: go refuses every other folder.
fn goroot() -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut all = std::env::split_paths(&path).map(|folder| folder.join("go"));
    let go = all.find_map(|go| dunce::canonicalize(go).ok().filter(|go| go.is_file()));
    let root = go.as_deref().and_then(|go| go.parent()?.parent());
    root.unwrap_or(Path::new("/opt/go")).display().to_string()
}

#[test]
fn variables_that_change_the_meaning_are_notes() {
    let user = User::new();
    let done = user
        .goroam("doctor --json")
        .env("GOFLAGS", "-v -mod=vendor")
        .env("GOROOT", &goroot())
        .env("GOTOOLCHAIN", "local")
        .exits(0);
    assert_eq!(codes(&done, "GOFLAGS"), ["goflags-mod"]);
    assert_eq!(codes(&done, "GOROOT"), ["goroot-set"]);
    assert_eq!(codes(&done, "GOTOOLCHAIN"), ["toolchain-set"]);
    let off = user
        .goroam("doctor --json")
        .env("GO111MODULE", "off")
        .exits(1);
    assert_eq!(codes(&off, "GO111MODULE"), ["modules-off"]);
    let on = user
        .goroam("doctor --json")
        .env("GO111MODULE", "on")
        .exits(0);
    assert!(codes(&on, "GO111MODULE").is_empty());
    let flags = user
        .goroam("doctor --json")
        .env("GOFLAGS", "-trimpath")
        .exits(0);
    assert!(codes(&flags, "GOFLAGS").is_empty());
}

#[test]
fn odd_files_are_noted_and_hold_nothing_up() {
    let user = User::new();
    user.write(".bashrc", vec![b'x'; 2 << 20]);
    let fifo = user.path(".profile");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    std::os::unix::fs::symlink(user.path(".zshrc"), user.path(".zshrc")).unwrap();
    std::fs::create_dir(user.path(".zshenv")).unwrap();
    user.write(".bash_profile", b"\xff\xfe\x00export GOPROXY=\x1b[31m\n");
    let began = Instant::now();
    let done = user.goroam("doctor --json").exits(0);
    // A FIFO that is opened is waited for without end.
    assert!(began.elapsed() < Duration::from_secs(60));
    let unread = codes(&done, "");
    let count = unread.iter().filter(|code| *code == "unread").count();
    assert_eq!(count, 3, "{}", done.all());
    user.goroam("doctor").exits(0).says("longer than 1 MiB");
}

#[test]
fn a_policy_that_cannot_be_used_and_one_with_its_own_variables() {
    let user = User::new();
    user.write(".config/goroam/goroam.toml", "version = 1\nnonsense = 2\n");
    let done = user.goroam("doctor --json").exits(1);
    assert!(
        codes(&done, "").contains(&"policy-unusable".to_owned()),
        "{}",
        done.all()
    );
    let policy = "version = 1\n[[profile]]\nname = \"p\"\nenv = { GOVCS = \"*:git\" }\n";
    user.write(".config/goroam/goroam.toml", policy);
    let done = user
        .goroam("doctor --json")
        .env("GOVCS", "*:all")
        .env("GOPROXY", "off")
        .exits(1);
    assert_eq!(only(&done, "GOVCS")["code"], "shadowed-here");
    // The policy does not manage it, so it does not matter.
    assert!(codes(&done, "GOPROXY").is_empty());
}

/// The sentences of the findings that the file cannot be written.
#[track_caller]
fn read_only(done: &Done) -> Vec<String> {
    let json = done.json();
    let mut found = json["findings"].as_array().unwrap().clone();
    found.retain(|one| one["code"] == "env-file-read-only");
    let says = found.iter().map(|one| one["says"].as_str().unwrap());
    says.map(str::to_owned).collect()
}

#[test]
fn a_go_env_file_that_cannot_be_written_is_named() {
    let user = User::new();
    let file = user.write(".config/go/env", "GOPROXY=direct\n");
    let folder = user.path(".config/go");
    user.goroam("doctor").exits(0);
    for (path, closed, open) in [(&folder, 0o555, 0o755), (&file, 0o444, 0o644)] {
        mode(path, closed);
        let done = user.goroam("doctor --json").exits(1);
        mode(path, open);
        assert_eq!(
            read_only(&done),
            [format!("cannot write {}", path.display())]
        );
    }
}

/// Fedora's root has such a home, and nothing stops root there.
#[test]
fn a_home_without_a_w_is_no_obstacle_to_root() {
    // SAFETY: geteuid takes nothing and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        println!("skipped: only root may write whatever the mode says");
        return;
    }
    let user = User::new();
    mode(&user.path("."), 0o550);
    let done = user.goroam("doctor --json").exits(0);
    assert_eq!(read_only(&done), [""; 0]);
}

/// A program of this name that waits, with a variable that it was started with.
struct Program {
    child: Child,
    _folder: tempfile::TempDir,
}

impl Program {
    fn start(name: &str, home: &Path, variable: (&str, &str)) -> Program {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        // Not a copy: whoever forks while it is written keeps it busy. A link names it as well.
        std::os::unix::fs::symlink("/bin/sleep", &path).unwrap();
        let child = Command::new(&path)
            .arg("60")
            .env_clear()
            .env("HOME", home)
            .env(variable.0, variable.1)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let comm = format!("/proc/{}/comm", child.id());
        let end = Instant::now() + Duration::from_secs(5);
        while std::fs::read_to_string(&comm).unwrap_or_default().trim() != name {
            assert!(Instant::now() < end, "{name} does not start");
            std::thread::yield_now();
        }
        Program {
            child,
            _folder: folder,
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_program_that_runs_with_the_old_value_is_to_be_restarted() {
    let user = User::new();
    let home = user.path("");
    let gopls = Program::start("gopls", home.components().as_path(), ("GOPROXY", "off"));
    // It reads another go env file.
    let _other = Program::start("gopls", Path::new("/elsewhere"), ("GOSUMDB", "off"));
    let found = only(&user.goroam("doctor --json").exits(1), "GOPROXY");
    assert_eq!(found["code"], "shadowed-in-process");
    let place = format!("gopls (pid {}, started ", gopls.child.id());
    assert!(
        found["place"].as_str().unwrap().starts_with(&place),
        "{found}"
    );
    // A file with that value is the cause, and the program its echo.
    user.write(".bashrc", "export GOPROXY=off\n");
    let found = only(&user.goroam("doctor --json").exits(1), "GOPROXY");
    assert_eq!(found["code"], "shadowed-by-shell");
    let reaches = found["reaches"].to_string();
    assert!(reaches.contains(&place), "{reaches}");
    drop(gopls);
    std::fs::remove_file(user.path(".bashrc")).unwrap();
    user.goroam("doctor").exits(0);
}

#[test]
fn a_proxy_variable_that_go_misreads_is_named_without_its_password() {
    let user = User::new();
    for (value, says) in [
        ("http://joe:s3%cret@p.test:3128", "asks directly"),
        ("http://p.test:3128\r", "control character"),
        ("http:/p.test:3128", "name of the proxy's host"),
        ("foo://p.test", "does not know the scheme"),
        ("http://joe:s3cr/et@p.test", "%2F"),
    ] {
        let done = user
            .goroam("doctor --json")
            .env("HTTPS_PROXY", value)
            .exits(1);
        let finding = only(&done, "HTTPS_PROXY");
        assert_eq!(finding["code"], "proxy-misread", "{value}");
        let said = finding.to_string();
        assert!(
            said.contains(says) && !said.contains("s3"),
            "{value}: {said}"
        );
    }
    let good = user
        .goroam("doctor --json")
        .env("HTTPS_PROXY", "http://joe:s3cret@p.test:3128");
    assert!(!good.exits(0).stdout().contains("proxy-misread"));
}

#[test]
fn a_goauth_at_which_go_ends_is_an_error_in_the_shell_and_in_the_file() {
    let user = User::new();
    let done = user
        .goroam("doctor --json")
        .env("GOAUTH", "netrc;")
        .exits(1);
    assert_eq!(only(&done, "GOAUTH")["code"], "goauth-invalid");
    user.write(".config/go/env", "GOAUTH=git here\n");
    let done = user.goroam("doctor --json").exits(1);
    assert_eq!(only(&done, "GOAUTH")["code"], "goauth-invalid");
    user.write(".config/go/env", "GOAUTH=off\n");
    assert!(
        !user
            .goroam("doctor --json")
            .exits(0)
            .stdout()
            .contains("goauth-invalid")
    );
}

#[test]
fn every_code_is_documented_and_no_other() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/doctor.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let listed: Vec<&str> = docs
        .split("## Codes")
        .nth(1)
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let read = |word: &&str| serde_json::from_value::<Code>((*word).into()).unwrap();
    let codes: Vec<Code> = listed.iter().map(read).collect();
    let order: Vec<usize> = codes.iter().map(|code| *code as usize).collect();
    let all: Vec<usize> = (0..=Code::SumdbLatest as usize).collect();
    assert_eq!(order, all, "all of them, in the order of the type");
    // Each one is made somewhere, and none is missing in the list.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/doctor");
    let mut made = BTreeSet::new();
    let mut paths: Vec<PathBuf> = vec![folder];
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(
                std::fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            continue;
        }
        if path.ends_with("finding.rs") {
            continue;
        }
        let text = std::fs::read_to_string(path)
            .unwrap()
            .replace("VendorCode::", "");
        for rest in text.split("Code::").skip(1) {
            let word: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
            made.insert(word);
        }
    }
    let named: BTreeSet<String> = codes.iter().map(|code| format!("{code:?}")).collect();
    assert_eq!(made, named);
}

#[test]
fn a_variable_that_the_agents_relay_does_not_see_is_named_until_the_go_env_file_has_it() {
    let user = User::new();
    let policy = "version = 1\n[relay]\nenabled = true\n[[profile]]\nname = \"a\"\n\
                  env = { GOPROXY = \"https://proxy.golang.org\" }\n";
    user.write(".config/goroam/goroam.toml", policy);
    let run = || {
        user.goroam("doctor --json")
            .env("GOPRIVATE", "git.corp.test")
    };
    let found = |done: &Done| codes(done, "GOPRIVATE").contains(&"unseen-by-relay".to_owned());
    assert!(found(&run().exits(1)));
    user.write(".config/go/env", "GOPRIVATE=git.corp.test\n");
    let done = run().exits(0);
    assert!(!found(&done), "{}", done.all());
    // Without a relay it is only the shell's own value.
    user.write(".config/go/env", "");
    let off = policy.replace("enabled = true", "enabled = false");
    user.write(".config/goroam/goroam.toml", off);
    let done = run().exits(0);
    assert!(!found(&done), "{}", done.all());
}
