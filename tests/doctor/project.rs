//! `goroam doctor` in a project: what go would stop at is named, with file and line, and what
//! is to be written instead works with a real go.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::cli::{Done, User};
use crate::modcache::{Home, all};

/// The findings with a code that is about projects or values.
fn found(done: &Done) -> Vec<(String, String)> {
    let json = done.json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = json["findings"].as_array().unwrap().iter();
    let ours = [
        "goproxy-",
        "gonosumdb-",
        "nothing-",
        "gomod-",
        "replace-",
        "gosum-",
        "go-too",
        "toolchain-f",
        "vendor-",
        "goflags-",
    ];
    all.map(|one| (text(&one["code"]), text(&one["place"])))
        .filter(|(code, _)| ours.iter().any(|start| code.starts_with(start)))
        .collect()
}

#[track_caller]
fn finding(done: &Done, code: &str) -> Value {
    let json = done.json();
    let all = json["findings"].as_array().unwrap();
    let one = all.iter().find(|one| one["code"] == code);
    one.unwrap_or_else(|| panic!("no {code}: {}", done.all()))
        .clone()
}

fn pair(code: &str, place: &str) -> (String, String) {
    (code.to_owned(), place.to_owned())
}

#[test]
fn outside_of_a_project_nothing_is_said_of_projects() {
    let user = User::new();
    user.write("app/go.sum", "<<<<<<< HEAD\n");
    assert_eq!(found(&user.goroam("doctor --json").exits(0)), []);
    user.goroam("doctor none")
        .exits(2)
        .complains("none is not a directory");
}

#[test]
fn a_project_in_good_order_has_no_finding() {
    let user = User::new();
    user.write(
        "app/go.mod",
        "module example.com/app\n\ngo 1.20\n\nrequire example.com/m v1.0.0\n\nreplace example.com/m => ../m\n",
    );
    user.write("m/go.mod", "module example.com/m\n");
    for dir in ["app", "app/../app"] {
        let done = user.goroam("doctor --json").arg(dir).exits(0);
        assert_eq!(found(&done), [], "{}", done.all());
    }
    let looked = user.goroam("doctor --json app").exits(0).json();
    assert!(
        looked["looked"].to_string().contains("~/app/go.mod"),
        "{looked}"
    );
}

#[test]
fn a_url_behind_replace_gets_its_local_form_which_go_takes() {
    for version in ["1.21.13", "1.24.11", "1.27.3"] {
        let Some(home) = Home::new(version) else {
            return;
        };
        home.write("my m/go.mod", "module example.com/m\n\ngo 1.21\n");
        home.write("my m/m.go", "package m\n");
        home.write("far/a/b/c/d/go.mod", "module example.com/d\n\ngo 1.21\n");
        home.write("app/app.go", "package app\n\nimport _ \"example.com/m\"\n");
        let url = format!("file://{}", home.path("my%20m").display());
        let go_mod = |form: &str| {
            format!(
                "module example.com/app\n\ngo 1.21\n\nrequire example.com/m v1.0.0\n\nreplace example.com/m => {form}\n"
            )
        };
        home.write("app/go.mod", go_mod(&url));
        let build = home.go(&["build", "./..."]);
        assert!(
            !build.status.success() && all(&build).contains("errors parsing go.mod"),
            "{}",
            all(&build)
        );
        let doctor = |args: &[&str]| {
            let mut command = home.command(Path::new(env!("CARGO_BIN_EXE_goroam")));
            command.env_remove("GOFLAGS").env_remove("GOSUMDB");
            command.arg("doctor").args(args).output().unwrap()
        };
        let done = doctor(&["--json"]);
        assert_eq!(done.status.code(), Some(1), "{}", all(&done));
        let json: Value = serde_json::from_slice(&done.stdout).unwrap();
        let all_found = json["findings"].as_array().unwrap();
        let found: Vec<&Value> = all_found
            .iter()
            .filter(|one| one["place"].as_str().unwrap_or_default().contains("go.mod"))
            .collect();
        assert_eq!(found.len(), 1, "{json}");
        assert_eq!(found[0]["code"], "replace-url");
        assert_eq!(found[0]["place"], "~/app/go.mod:7");
        let mend = found[0]["mend"].as_str().unwrap();
        let form = mend.split("=> ").nth(1).unwrap().split('`').next().unwrap();
        assert_eq!(form, "\"../my m\"");
        home.write("app/go.mod", go_mod(form));
        home.builds();
    }
}

#[test]
fn folders_that_are_no_modules_are_named() {
    let user = User::new();
    user.write(
        "app/go.mod",
        "module example.com/app\n\nrequire example.com/a v1.0.0\n\nreplace (\n\
         \texample.com/a => ../nothing\n\texample.com/b => ./plain\n\texample.com/c v1.0.0 => other.test/c v1.0.0\n)\n",
    );
    user.write("app/plain/x.go", "package x\n");
    let done = user.goroam("doctor --json app").exits(1);
    assert_eq!(
        found(&done),
        [
            pair("replace-missing", "~/app/go.mod:6"),
            pair("replace-missing", "~/app/go.mod:7"),
        ]
    );
    user.goroam("doctor app")
        .exits(1)
        .says("which has no go.mod");
}

#[test]
fn a_go_sum_with_the_marks_of_a_conflict_or_none_at_all() {
    let user = User::new();
    user.write(
        "app/go.mod",
        "module example.com/app\n\nrequire example.com/a v1.0.0\n",
    );
    let done = user.goroam("doctor --json app").exits(1);
    assert_eq!(found(&done), [pair("gosum-missing", "~/app/go.mod")]);
    let sum = "example.com/a v1.0.0 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n<<<<<<< HEAD\nexample.com/a v1.0.0/go.mod h1:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB=\n=======\n>>>>>>> other\n";
    user.write("app/go.sum", sum);
    let done = user.goroam("doctor --json app").exits(1);
    assert_eq!(found(&done), [pair("gosum-invalid", "~/app/go.sum:2")]);
    let mend = finding(&done, "gosum-invalid")["mend"].to_string();
    assert!(mend.contains("keep the lines of both sides"), "{mend}");
    user.write(
        "app/go.sum",
        "example.com/a v1.0.0 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= h1:y=\n",
    );
    let done = user.goroam("doctor --json app").exits(1);
    assert_eq!(found(&done), [pair("gosum-invalid", "~/app/go.sum:1")]);
}

#[test]
fn a_workspace_and_the_modules_that_it_uses_are_looked_at() {
    let user = User::new();
    user.write(
        "w/go.work",
        "go 1.20\n\nuse (\n\t./a\n\t./b\n)\n\nreplace example.com/m => file:///srv/m\n",
    );
    user.write("w/a/go.mod", "module example.com/a\n");
    user.write("w/b/go.mod", "module example.com/b\n\n<<<<<<< HEAD\n");
    let done = user.goroam("doctor --json w/a").exits(1);
    assert_eq!(
        found(&done),
        [
            pair("gomod-invalid", "~/w/b/go.mod:3"),
            pair("replace-url", "~/w/go.work:8"),
        ]
    );
    let off = user
        .goroam("doctor --json w/a")
        .env("GOWORK", "off")
        .exits(0);
    assert_eq!(found(&off), []);
}

#[test]
fn proxies_that_go_refuses_get_the_form_that_it_takes() {
    let user = User::new();
    for (value, form) in [
        ("/srv/mirror", "file:///srv/mirror"),
        ("file:/srv/mirror", "file:///srv/mirror"),
        (
            "https://proxy.example,file://localhost/srv/m",
            "file:///srv/m",
        ),
        ("file://~/mirror", "file://$HOME/mirror"),
        ("~/mirror", "file://$HOME/mirror"),
    ] {
        user.write(".config/go/env", format!("GOSUMDB=off\nGOPROXY={value}\n"));
        let done = user.goroam("doctor --json").exits(1);
        let ours = found(&done);
        assert_eq!(
            ours,
            [pair("goproxy-invalid", "~/.config/go/env:2")],
            "{value}"
        );
        let mend = finding(&done, "goproxy-invalid")["mend"].to_string();
        assert!(mend.contains(form), "{value}: {mend}");
    }
    user.write(".config/go/env", "");
    user.write(".bashrc", "export GOPROXY=/srv/mirror\n");
    let done = user.goroam("doctor --json").exits(1);
    assert!(
        found(&done).contains(&pair("goproxy-invalid", "~/.bashrc:1")),
        "{}",
        done.all()
    );
    user.write(".bashrc", "export GOPROXY=file:///srv/mirror,off\n");
    let done = user.goroam("doctor --json").env("X", "").exits(1);
    assert_eq!(found(&done), []);
}

#[test]
fn a_go_build_cache_is_no_proxy() {
    let user = User::new();
    let cache = user.path(".cache/go-build");
    let value = format!(
        "GOPROXY=file://{},https://proxy.golang.org\n",
        cache.display()
    );
    user.write(".config/go/env", value);
    let done = user.goroam("doctor --json").exits(1);
    assert_eq!(
        found(&done),
        [pair("goproxy-build-cache", "~/.config/go/env:1")]
    );
    // By another name it is known by what go keeps there.
    let other = user.path("modules");
    user.write("modules/trim.txt", "1");
    user.write(
        "modules/README",
        "This directory holds cached build artifacts\n",
    );
    user.write(
        ".config/go/env",
        format!("GOPROXY=file://{}\n", other.display()),
    );
    let done = user.goroam("doctor --json").exits(1);
    let mend = finding(&done, "goproxy-build-cache")["mend"].to_string();
    let wanted = format!(
        "write file://{} in place of file://{}",
        user.path("go/pkg/mod/cache/download").display(),
        other.display()
    );
    assert!(mend.contains(&wanted), "{mend}");
    std::fs::remove_file(user.path("modules/trim.txt")).unwrap();
    assert_eq!(found(&user.goroam("doctor --json").exits(0)), []);
}

#[test]
fn values_that_nothing_reads_or_that_switch_checks_off() {
    let user = User::new();
    user.write(".profile", "export GONOSUMDB=*\nexport GONOSUMCHECK=1\n");
    user.write(".config/go/env", "GOFLAGS=-trimpath -mod=vendor\n");
    let done = user.goroam("doctor --json").exits(1);
    assert_eq!(
        found(&done),
        [
            pair("goflags-mod", "~/.config/go/env:1"),
            pair("gonosumdb-all", "~/.profile:1"),
            pair("nothing-reads", "~/.profile:2"),
        ]
    );
    assert_eq!(finding(&done, "goflags-mod")["severity"], "warning");
    user.write(
        ".profile",
        "export GONOSUMDB=x.test,*/*\nexport GONOVERIFY=*\n",
    );
    user.write(".config/go/env", "GOPROXY=$HOME/modules\n");
    let done = user.goroam("doctor --json").exits(1);
    assert_eq!(
        found(&done),
        [
            pair("goproxy-invalid", "~/.config/go/env:1"),
            pair("gonosumdb-all", "~/.profile:1"),
            pair("nothing-reads", "~/.profile:2"),
        ]
    );
    user.write(".profile", "export GONOSUMDB=git.example.com/*\n");
    user.write(".config/go/env", "GOFLAGS=-insecure\n");
    let done = user.goroam("doctor --json").exits(0);
    assert_eq!(
        found(&done),
        [pair("goflags-insecure", "~/.config/go/env:1")]
    );
}

#[test]
fn a_newer_go_that_may_not_be_fetched_is_told_before_go_tells_it() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/go");
    let said = Command::new(script).arg("1.27.3").output().unwrap();
    if !said.status.success() {
        println!("skipped: no go 1.27.3 here");
        return;
    }
    let go = String::from_utf8(said.stdout).unwrap();
    let bin = Path::new(go.trim()).parent().unwrap().to_str().unwrap();
    let path = format!("{bin}:/usr/bin:/bin");
    let user = User::new();
    user.write("app/go.mod", "module example.com/app\n\ngo 1.99.0\n");
    let run = |toolchain: &str| {
        let run = user.goroam("doctor --json app").env("PATH", &path);
        run.env("GOTOOLCHAIN", toolchain)
    };
    let local = run("local").exits(1);
    assert_eq!(found(&local), [pair("go-too-old", "~/app/go.mod:3")]);
    let auto = run("").exits(0);
    assert_eq!(found(&auto), [pair("toolchain-fetched", "~/app/go.mod:3")]);
    user.write(".config/go/env", "GOTOOLCHAIN=path\n");
    assert_eq!(
        found(&run("").exits(1)),
        [pair("go-too-old", "~/app/go.mod:3")]
    );
    user.write(
        "app/go.mod",
        "module example.com/app\n\ngo 1.21\n\ntoolchain go1.98.1\n",
    );
    let done = run("auto").exits(0);
    assert_eq!(found(&done), [pair("toolchain-fetched", "~/app/go.mod:5")]);
}

#[test]
fn a_vendor_folder_that_go_would_refuse_is_named() {
    let Some(home) = Home::new("1.27.3") else {
        return;
    };
    let home = home.filled();
    let done = home.go(&["mod", "vendor"]);
    assert!(done.status.success(), "{}", all(&done));
    let doctor = || {
        let mut command = home.command(Path::new(env!("CARGO_BIN_EXE_goroam")));
        command.env_remove("GOFLAGS").env_remove("GOSUMDB");
        let done = command.args(["doctor", "--json"]).output().unwrap();
        let json: Value = serde_json::from_slice(&done.stdout).unwrap();
        json["findings"].to_string().contains("vendor-outdated")
    };
    assert!(!doctor());
    let go_mod = std::fs::read_to_string(home.path("app/go.mod")).unwrap();
    home.write(
        "app/go.mod",
        go_mod.replace("pkg/errors v0.9.1", "pkg/errors v0.9.2"),
    );
    assert!(doctor());
}

#[test]
fn folders_as_another_system_writes_them_get_the_form_of_this_one() {
    let user = User::new();
    user.write("m/go.mod", "module example.com/m\n");
    let mend = |target: &str| {
        let text =
            format!("module example.com/app\n\ngo 1.21\n\nreplace example.com/m => {target}\n");
        user.write("app/go.mod", text);
        let done = user.goroam("doctor app --json").exits(1);
        let all = found(&done);
        assert_eq!(all.len(), 1, "{target}: {all:?}");
        assert_eq!(all[0].1, "~/app/go.mod:5", "{target}");
        finding(&done, &all[0].0)["mend"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let form = "`replace example.com/m => ../m`";
    assert!(mend("..\\m").contains(form));
    assert!(mend("C:\\src\\m").contains("on this system"));
    // A slash forgotten; a share, which has no place here.
    let forgotten = format!("file:/{}", user.path("m").display());
    assert!(forgotten.starts_with("file://") && !forgotten.starts_with("file:///"));
    assert!(mend(&forgotten).contains(form), "{}", mend(&forgotten));
    assert!(mend("file://server/share/m").contains("write the directory"));
}

#[test]
fn a_vendor_folder_that_is_behind_a_local_module_is_named() {
    let Some(home) = Home::new("1.27.3") else {
        return;
    };
    home.write("m/go.mod", "module example.com/m\n\ngo 1.21\n");
    home.write("m/m.go", "package m\n");
    home.write("app/app.go", "package app\n\nimport _ \"example.com/m\"\n");
    home.write(
        "app/go.mod",
        "module example.com/app\n\ngo 1.21\n\nrequire example.com/m v0.0.0\n\nreplace example.com/m => ../m\n",
    );
    let vendored = home.go(&["mod", "vendor"]);
    assert!(vendored.status.success(), "{}", all(&vendored));
    let severity = || {
        let mut command = home.command(Path::new(env!("CARGO_BIN_EXE_goroam")));
        command.env_remove("GOFLAGS").env_remove("GOSUMDB");
        let done = command.args(["doctor", "--json"]).output().unwrap();
        let json: Value = serde_json::from_slice(&done.stdout).unwrap();
        let mut all = json["findings"].as_array().unwrap().iter();
        let one = all.find(|one| one["code"] == "vendor-outdated").cloned();
        one.map(|one| (one["severity"].clone(), one["says"].to_string()))
    };
    assert_eq!(severity(), None);
    home.write("m/m.go", "package m\n\nconst New = 1\n");
    let (severity, says) = severity().unwrap();
    assert_eq!(severity, "warning");
    assert!(says.contains("vendor/example.com/m/m.go"), "{says}");
}
