//! `goroam doctor` on values that stop go: each is named, what it advises is taken at its word,
//! and then a real go works again.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli::{Done, Run, User};

const VERSIONS: [&str; 3] = ["1.21.13", "1.24.11", "1.27.3"];
const FILE: &str = ".config/go/env";

/// The folder of a real go command; `None`, with a line that says so, where it cannot be had.
fn go(version: &str) -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/go");
    let said = std::process::Command::new(script).arg(version).output();
    let said = said.unwrap();
    if !said.status.success() {
        println!("skipped: no go {version} here");
        return None;
    }
    let path = String::from_utf8(said.stdout).unwrap();
    Some(Path::new(path.trim()).parent().unwrap().to_owned())
}

/// A user with that go alone, and a module to build.
struct Desk {
    user: User,
    path: String,
}

impl Desk {
    fn new(go: &Path) -> Desk {
        let user = User::new();
        user.write("app/go.mod", "module x.test/app\n\ngo 1.20\n");
        user.write("app/app.go", "package app\n");
        user.write(".config/go/telemetry/mode", "off");
        let path = format!("{}:/usr/bin:/bin", go.display());
        Desk { user, path }
    }

    fn run(&self, program: &str) -> Run {
        let run = self.user.run(program).env("PATH", &self.path);
        run.env("GOPROXY", "off").env("SHELL", "/bin/bash")
    }

    fn doctor(&self, code: i32) -> Done {
        let goroam = env!("CARGO_BIN_EXE_goroam");
        let run = self.run(goroam).without("GOPROXY");
        run.args("doctor --json app").exits(code)
    }

    /// Does a real go do its work, where the shell has these variables?
    fn go_works(&self, vars: &[(&str, &str)]) -> bool {
        let script = "cd app && go list unsafe && go build . && go install .";
        let mut run = self.run("sh").arg("-c").arg(script);
        for (name, value) in vars {
            run = run.env(name, value);
        }
        run.command().output().unwrap().status.success()
    }

    fn sh(&self, script: &str) {
        self.run("sh").arg("-c").arg(script).exits(0);
    }
}

/// The findings with this code.
fn all(done: &Done, code: &str) -> Vec<Value> {
    let json = done.json();
    let found = json["findings"].as_array().unwrap().iter();
    found.filter(|one| one["code"] == code).cloned().collect()
}

fn text<'v>(finding: &'v Value, key: &str) -> &'v str {
    finding[key].as_str().unwrap_or_default()
}

/// What stands between backquotes first, of a finding's advice.
fn command(finding: &Value) -> Option<&str> {
    text(finding, "mend").split('`').nth(1)
}

#[test]
fn a_line_that_stops_go_is_named_and_the_advice_helps() {
    for version in VERSIONS {
        let Some(go) = go(version) else { return };
        for line in [
            "GOTOOLCHAIN=1.22.1",
            "GOTOOLCHAIN=latest",
            "GOPATH=~/go",
            "GOPATH=go",
            "GO111MODULE=true",
            "GOFLAGS=-junk",
            "GOFLAGS=-tags=\"a b\"",
            "GOFLAGS=mod=vendor",
            "GOFLAGS=-v '-x",
            "GOROOT=/nowhere",
            "GOWORK=/nowhere/go.work",
            "GOWORK=go.work",
            "GOEXPERIMENT=xxx",
            "GOOS=Linux",
            "GOARCH=x86_64",
            "GOCACHE=off",
            "GOCACHE=~/cache",
            "GOTMPDIR=/nowhere",
            "GOBIN=bin",
        ] {
            let desk = Desk::new(&go);
            desk.user.write(FILE, format!("GONOPROXY=a.test\n{line}\n"));
            if desk.go_works(&[]) {
                println!("go {version} works with {line}");
                continue;
            }
            let name = line.split('=').next().unwrap();
            let done = desk.doctor(1);
            let found = all(&done, "value-refused");
            assert!(!found.is_empty(), "go {version}, {line}: {}", done.all());
            for one in &found {
                assert_eq!(text(one, "name"), name, "{line}");
                assert_eq!(text(one, "place"), "~/.config/go/env:2", "{line}");
            }
            match command(&found[0]).filter(|_| !text(&found[0], "mend").contains("does not")) {
                Some(command) => desk.sh(command),
                // `go env -u` cannot, and the advice is to delete the line.
                None => desk.sh("sed -i 2d .config/go/env"),
            }
            assert!(desk.go_works(&[]), "go {version}, {line}: {found:?}");
            let left = std::fs::read_to_string(desk.user.path(FILE)).unwrap();
            assert_eq!(left, "GONOPROXY=a.test\n", "{line}");
            assert!(all(&desk.doctor(0), "value-refused").is_empty(), "{line}");
        }
    }
}

#[test]
fn a_line_that_go_takes_is_not_named() {
    let Some(go) = go("1.27.3") else { return };
    let desk = Desk::new(&go);
    let lines = "GOTOOLCHAIN=go1.27.3+auto\nGOPATH=/srv/go\nGO111MODULE=on\n\
                 GOFLAGS=-trimpath '-tags=a b' -modfile=x.mod\nGOEXPERIMENT=\nGOOS=windows\n\
                 GOCACHE=/tmp/c\nGOSUMDB=off\nGOVCS=*:git\nGOPRIVATE=git.corp.example\n";
    desk.user.write(FILE, lines);
    desk.user.write("app/x.mod", "module x.test/app\n");
    let done = desk.doctor(0);
    assert!(all(&done, "value-refused").is_empty(), "{}", done.all());
    assert!(all(&done, "env-line-ignored").is_empty(), "{}", done.all());
}

#[test]
fn several_bad_lines_are_all_named_and_can_all_be_taken_out() {
    for version in VERSIONS {
        let Some(go) = go(version) else { return };
        let desk = Desk::new(&go);
        let lines = "GOTOOLCHAIN=1.22.1\nGOPATH=~/go\nGOFLAGS=-junk\nGO111MODULE=yes\n";
        desk.user.write(FILE, lines);
        let found = all(&desk.doctor(1), "value-refused");
        let names: Vec<&str> = found.iter().map(|one| text(one, "name")).collect();
        for name in ["GOTOOLCHAIN", "GOPATH", "GOFLAGS", "GO111MODULE"] {
            assert!(names.contains(&name), "{names:?}");
        }
        for one in &found {
            desk.sh(command(one).unwrap());
        }
        assert!(desk.go_works(&[]));
        desk.doctor(0);
    }
}

#[test]
fn each_fault_of_goflags_is_named_and_the_gravest_decides() {
    let Some(go) = go("1.27.3") else { return };
    let desk = Desk::new(&go);
    desk.user
        .write(FILE, "GOFLAGS=-insecure -mod=vendor -junk -also=1\n");
    let done = desk.doctor(1);
    let parts: Vec<String> = all(&done, "value-refused")
        .iter()
        .map(|one| text(one, "says").split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(parts, ["-junk", "-also=1"]);
    assert_eq!(all(&done, "goflags-mod").len(), 1, "{}", done.all());
    assert_eq!(all(&done, "goflags-insecure").len(), 1, "{}", done.all());
    // In a shell, too.
    desk.user.write(FILE, "");
    desk.user
        .write(".bashrc", "export GOFLAGS='-insecure -mod=mod'\n");
    let done = desk.doctor(0);
    assert_eq!(all(&done, "goflags-mod").len(), 1, "{}", done.all());
    assert_eq!(all(&done, "goflags-insecure").len(), 1, "{}", done.all());
}

#[test]
fn what_a_shell_sets_is_not_to_be_taken_out_of_the_file() {
    let Some(go) = go("1.27.3") else { return };
    for (name, value) in [
        ("GOFLAGS", "-junk"),
        ("GOTOOLCHAIN", "1.22.1"),
        ("GOPROXY", "https://a.test,Direct"),
        ("GO111MODULE", "true"),
    ] {
        let desk = Desk::new(&go);
        desk.user
            .write(".bashrc", format!("# mine\nexport {name}='{value}'\n"));
        assert!(name == "GOPROXY" || !desk.go_works(&[(name, value)]));
        let json = desk.doctor(1).json();
        let found = json["findings"].as_array().unwrap();
        let about: Vec<&Value> = found.iter().filter(|one| one["name"] == name).collect();
        assert!(!about.is_empty(), "{json}");
        for one in about.iter().filter(|one| one["place"] == "~/.bashrc:2") {
            let mend = text(one, "mend");
            assert!(mend.starts_with("delete that line"), "{name}: {mend}");
            assert!(!mend.contains("go env -u"), "{name}: {mend}");
        }
        assert!(
            about.iter().any(|one| one["place"] == "~/.bashrc:2"),
            "{json}"
        );
        desk.user.write(".bashrc", "# mine\n");
        desk.doctor(0);
    }
}

#[test]
fn a_pattern_that_matches_no_module_is_named() {
    let Some(go) = go("1.27.3") else { return };
    let desk = Desk::new(&go);
    for (value, fine) in [
        ("git.corp.example", true),
        ("*.corp.example,github.com/acme/*", true),
        ("none", true),
        ("git.corp.example\r", false),
        ("https://git.corp.example", false),
        ("\"git.corp.example\"", false),
        ("git.corp.example;lab.example", false),
        ("git.corp.example:8443", false),
        ("git@git.corp.example", false),
        (".corp.example", false),
        ("git.corp.example, lab.example", false),
        ("git.corp.example，lab.example", false),
    ] {
        for name in ["GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOINSECURE"] {
            desk.user.write(FILE, format!("{name}={value}\n"));
            let done = desk.doctor(i32::from(!fine));
            let found = all(&done, "pattern-matches-nothing");
            assert_eq!(found.is_empty(), fine, "{name}={value:?}: {}", done.all());
        }
        // go agrees: what matches is asked of its host, which GOPROXY=off forbids otherwise.
        desk.user.write(FILE, format!("GOPRIVATE={value}\n"));
        let first = value.split([',', '/', '*']).next().unwrap();
        if fine && first == "git.corp.example" {
            let asked = desk.run("go").args("list -m git.corp.example/m@v1.0.0");
            let said = asked.command().output().unwrap();
            let said = String::from_utf8_lossy(&said.stderr).into_owned();
            assert!(!said.contains("disabled by GOPROXY=off"), "{said}");
        }
    }
    desk.user.write(FILE, "");
    desk.user
        .write(".profile", "export GOPRIVATE=https://git.corp.example\n");
    let found = all(&desk.doctor(1), "pattern-matches-nothing");
    assert_eq!(text(&found[0], "place"), "~/.profile:1");
    desk.user.write(".profile", "");
    desk.user.write(FILE, "GOPROXY=https://a.example，direct\n");
    assert_eq!(all(&desk.doctor(1), "goproxy-invalid").len(), 1);
}

#[test]
fn a_directory_or_a_program_that_go_cannot_use_is_named() {
    let Some(go) = go("1.27.3") else { return };
    let desk = Desk::new(&go);
    desk.user.write("file", "");
    desk.user.write("plain/program", "no program");
    std::os::unix::fs::symlink("none", desk.user.path("link")).unwrap();
    let at = |name: &str| desk.user.path(name).display().to_string();
    let mods = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/mods");
    let made = std::process::Command::new(mods).output().unwrap();
    assert!(made.status.success());
    let lab = std::env::var("LAB").unwrap_or("/var/tmp/goroam-lab".to_owned());
    for (name, value, says) in [
        ("GOCACHE", at("file"), "not a directory"),
        ("GOCACHE", at("file/below"), "not a directory"),
        ("GOCACHE", at("link/below"), "broken link"),
        ("GOCACHE", "/proc/x".to_owned(), "can be made"),
        ("GOMODCACHE", at("file"), "not a directory"),
        ("GOPATH", at("file"), "not a directory"),
        ("GOTMPDIR", at("file"), "creating work dir"),
        ("GOTMPDIR", "/proc".to_owned(), "can be made"),
        (
            "GOCACHEPROG",
            "/nowhere/prog -x".to_owned(),
            "error starting",
        ),
        (
            "GOCACHEPROG",
            "no-such-program".to_owned(),
            "error starting",
        ),
        ("GOCACHEPROG", at("plain/program"), "error starting"),
        ("GOCACHE", at("fresh/below"), ""),
        ("GOMODCACHE", at("fresh/below"), ""),
        ("GOTMPDIR", at("plain"), ""),
    ] {
        desk.user.write(FILE, format!("{name}={value}\n"));
        let mut build = desk.run("sh").arg("-c").arg(
            "cd app && go build . && GOSUMDB=off go mod download github.com/google/uuid@v1.3.0",
        );
        build = build.env("GOPROXY", &format!("file://{lab}/tree/public"));
        let output = build.command().output().unwrap();
        let works = output.status.success();
        assert_eq!(works, says.is_empty(), "{name}={value}: {output:?}");
        let found = all(&desk.doctor(i32::from(!works)), "value-refused");
        assert_eq!(found.is_empty(), works, "{name}={value}: {found:?}");
        let Some(one) = found.first() else { continue };
        assert!(text(one, "why").contains(says), "{found:?}");
        // The same from the shell.
        desk.user.write(FILE, "");
        let run = desk.run(env!("CARGO_BIN_EXE_goroam")).without("GOPROXY");
        let done = run.args("doctor --json app").env(name, &value).exits(1);
        let found = all(&done, "value-refused");
        assert_eq!(text(&found[0], "place"), "this shell", "{found:?}");
    }
    let desk = Desk::new(&go);
    desk.user.write("go/pkg", "a file");
    let found = all(&desk.doctor(1), "cache-unwritable");
    assert!(
        text(&found[0], "says").contains("module cache"),
        "{found:?}"
    );
    std::fs::remove_file(desk.user.path("go/pkg")).unwrap();
    desk.user.write(".cache/go-build", "a file");
    let found = all(&desk.doctor(1), "cache-unwritable");
    assert!(text(&found[0], "says").contains("build cache"), "{found:?}");
}

#[test]
fn a_toolchain_that_is_not_there_is_named_and_one_that_is_there_is_not() {
    let Some(go) = go("1.27.3") else { return };
    let desk = Desk::new(&go);
    for (value, proxy, severity) in [
        ("go1.99.0", "off", "error"),
        ("go1.99.0", "https://proxy.example", "warning"),
        ("go1.99.0+auto", "https://proxy.example", "warning"),
        ("go1.27.3", "off", ""),
        ("go1.20", "off", "error"),
        ("go1.20+auto", "off", "error"),
        ("go1.27.3+auto", "off", ""),
        ("auto", "off", ""),
    ] {
        desk.user
            .write(FILE, format!("GOTOOLCHAIN={value}\nGOPROXY={proxy}\n"));
        let works = desk.run("go").args("list unsafe").command();
        let works = { works }.output().unwrap().status.success();
        assert_eq!(works, severity.is_empty(), "{value}");
        let found = all(&desk.doctor(i32::from(!works)), "value-refused");
        let severities: Vec<&str> = found.iter().map(|one| text(one, "severity")).collect();
        let wanted: &[&str] = if works { &[] } else { &[severity] };
        assert_eq!(severities, wanted, "{value}: {found:?}");
    }
}

#[test]
fn a_list_that_takes_in_public_code_is_named_wherever_it_is_set() {
    let Some(go) = go("1.27.3") else { return };
    let desk = Desk::new(&go);
    for (value, is_public) in [
        ("*", true),
        ("*/*", true),
        ("*.com", true),
        ("*.com,*.org", true),
        ("github.com", true),
        ("[a-z]*", true),
        ("git.corp.example,golang.org/x", true),
        ("github.com/acme", false),
        ("*.corp.example", false),
        ("none", false),
    ] {
        for name in ["GONOSUMDB", "GOPRIVATE"] {
            let line = format!("{name}={value}");
            desk.user.write(FILE, format!("{line}\n"));
            let found = all(&desk.doctor(i32::from(is_public)), "gonosumdb-all");
            assert_eq!(found.len(), usize::from(is_public), "{line}: {found:?}");
            desk.user.write(FILE, "");
            let run = desk.run(env!("CARGO_BIN_EXE_goroam")).without("GOPROXY");
            let run = run.args("doctor --json app").env(name, value);
            let found = all(&run.exits(i32::from(is_public)), "gonosumdb-all");
            assert_eq!(found.len(), usize::from(is_public), "{line}: {found:?}");
            if is_public {
                assert_eq!(text(&found[0], "place"), "this shell");
            }
        }
    }
}

#[test]
fn a_look_alike_in_goauth_is_named_with_the_character() {
    let Some(go) = go("1.27.3") else { return };
    let desk = Desk::new(&go);
    for (value, marked) in [
        ("netrc", false),
        ("off", false),
        ("netrc；off", true),
        ("ｎetrc", true),
        ("git\u{a0}/tmp", true),
    ] {
        desk.user.write(FILE, format!("GOAUTH={value}\n"));
        let run = desk.run(env!("CARGO_BIN_EXE_goroam")).without("GOPROXY");
        let output = run.args("doctor --json app").command().output().unwrap();
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        let found = json["findings"].as_array().unwrap().iter();
        let found: Vec<&Value> = found
            .filter(|one| one["code"] == "goauth-invalid")
            .collect();
        assert_eq!(!found.is_empty(), marked, "{value}: {json}");
        if marked {
            assert!(text(found[0], "says").contains("U+"), "{found:?}");
        }
        let policy = format!("[[profile]]\nname = \"a\"\nenv = {{ GOAUTH = \"{value}\" }}\n");
        desk.user.write("policy.toml", policy);
        let run = desk
            .run(env!("CARGO_BIN_EXE_goroam"))
            .args("check policy.toml");
        let output = run.command().output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert_eq!(said.contains("look-alike"), marked, "{value}: {said}");
    }
}

#[test]
fn a_line_that_go_passes_over_is_named() {
    let Some(go) = go("1.27.3") else { return };
    let desk = Desk::new(&go);
    let run = |text: &[u8]| {
        desk.user.write(FILE, text);
        let value = desk
            .run("go")
            .without("GOPROXY")
            .args("env GOSUMDB")
            .exits(0);
        assert_ne!(value.stdout().trim(), "x.test", "{text:?}");
        let found = all(&desk.doctor(1), "env-line-ignored");
        assert_eq!(found.len(), 1, "{text:?}");
        assert_eq!(text_of(&found[0]), "~/.config/go/env:1");
    };
    fn text_of(one: &Value) -> &str {
        one["place"].as_str().unwrap()
    }
    run(b"\xef\xbb\xbfGOSUMDB=x.test\n");
    run(b"export GOSUMDB=x.test\n");
    run(b" GOSUMDB=x.test\n");
    run(b"gosumdb=x.test\n");
    run(b"GOSUMDB =x.test\n");
    desk.user
        .write(FILE, "# GOSUMDB=x.test\n\nnote = x\nGOSUMDB=off\n");
    assert!(all(&desk.doctor(0), "env-line-ignored").is_empty());
}

#[test]
fn another_configuration_folder_leads_go_to_another_file() {
    let Some(go) = go("1.27.3") else { return };
    let desk = Desk::new(&go);
    let home = desk.user.path("");
    let home = home.to_str().unwrap().trim_end_matches('/');
    for (file, lines, place) in [
        (
            ".bashrc",
            "\nexport XDG_CONFIG_HOME=\"$HOME/cfg\"\n",
            "~/.bashrc:2",
        ),
        (".profile", "export XDG_CONFIG_HOME=~/cfg\n", "~/.profile:1"),
        (
            ".config/environment.d/x.conf",
            "XDG_CONFIG_HOME=${HOME}/cfg\n",
            "~/.config/environment.d/x.conf:1",
        ),
        (
            ".pam_environment",
            "XDG_CONFIG_HOME DEFAULT=@{HOME}/cfg\n",
            "~/.pam_environment:1",
        ),
    ] {
        desk.user.write(file, lines);
        let found = all(&desk.doctor(1), "goenv-elsewhere");
        let places: Vec<&str> = found.iter().map(text_at).collect();
        assert_eq!(places, [place], "{file}");
        assert!(text(&found[0], "why").contains(&format!("{home}/cfg/go/env")));
        // The usual folder is no other one.
        desk.user.write(file, lines.replace("/cfg", "/.config"));
        assert!(all(&desk.doctor(0), "goenv-elsewhere").is_empty(), "{file}");
        std::fs::remove_file(desk.user.path(file)).unwrap();
    }
    fn text_at(one: &Value) -> &str {
        one["place"].as_str().unwrap()
    }
}
