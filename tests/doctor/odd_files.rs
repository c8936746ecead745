//! What others can put in the place of a file (a named pipe, a socket, a device, a directory)
//! never makes goroam wait: each command ends with words, within seconds.

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cli::User;
use crate::modcache::Home;

/// Far more than any of these commands takes, far less than for ever.
const LONGEST: Duration = Duration::from_secs(30);

/// What may stand in the place of a file.
const KINDS: [&str; 4] = ["pipe", "socket", "device", "directory"];

/// Puts it there, whatever was there before.
fn put(path: &Path, kind: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let _ = std::fs::remove_file(path);
    match kind {
        "pipe" => {
            let made = Command::new("mkfifo").arg(path).status().unwrap();
            assert!(made.success());
        }
        // Nobody answers there once the listener is dropped; the name stays.
        "socket" => drop(UnixListener::bind(path).unwrap()),
        "device" => std::os::unix::fs::symlink("/dev/zero", path).unwrap(),
        _ => std::fs::create_dir(path).unwrap(),
    }
}

fn take_away(path: &Path) {
    match path.symlink_metadata().unwrap().is_dir() {
        true => std::fs::remove_dir_all(path).unwrap(),
        false => std::fs::remove_file(path).unwrap(),
    }
}

/// Runs it to its end, which must come; it must say something, and not with a panic.
#[track_caller]
fn ends(mut command: Command, about: &str) -> String {
    let out = tempfile::tempfile().unwrap();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(out.try_clone().unwrap())
        .stderr(out.try_clone().unwrap())
        .spawn()
        .unwrap();
    let end = Instant::now() + LONGEST;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > end {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{about}: no end within {LONGEST:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let mut said = String::new();
    let mut out = out;
    std::io::Seek::rewind(&mut out).unwrap();
    std::io::Read::read_to_string(&mut out, &mut said).unwrap();
    let code = status.code();
    assert!(
        code.is_some_and(|code| code <= 6),
        "{about}: {status}\n{said}"
    );
    assert!(!said.contains("panicked"), "{about}: {said}");
    said
}

/// goroam in a home that has a go, and no network.
fn goroam(home: &Home, words: &str, folder: &str) -> Command {
    let mut command = home.command(Path::new(env!("CARGO_BIN_EXE_goroam")));
    let path = std::env::var("PATH").unwrap_or_default();
    let go = home.go_folder().display().to_string();
    std::fs::create_dir_all(home.path("run")).unwrap();
    command
        .env("PATH", [go, path].join(":"))
        .env("XDG_RUNTIME_DIR", home.path("run"))
        .env("GOPROXY", "off")
        .env_remove("GOFLAGS")
        .current_dir(home.path(folder))
        .args(words.split_whitespace());
    command
}

/// Every command on every kind of thing in every one of these places.
#[track_caller]
fn all_end(home: &Path, places: &[&str], run: &dyn Fn(&str) -> Command, commands: &[&str]) {
    for place in places {
        let path = home.join(place);
        let was = std::fs::read(&path).ok();
        for kind in KINDS {
            put(&path, kind);
            for words in commands {
                ends(
                    run(words),
                    &format!("{place} is a {kind}, `goroam {words}`"),
                );
            }
            // A command may have moved it away.
            if path.symlink_metadata().is_ok() {
                take_away(&path);
            }
        }
        if let Some(was) = was {
            std::fs::write(&path, was).unwrap();
        }
    }
}

const POLICY: &str = "version = 1\n[[profile]]\nname = \"p\"\nenv = { GOPROXY = \"off\" }\n";

#[test]
fn in_a_home_directory() {
    let user = User::new();
    user.write(".config/goroam/goroam.toml", POLICY);
    let run = |words: &str| user.goroam(words).env("SHELL", "/bin/bash").command();
    let looks = ["doctor", "status"];
    let starts = [
        ".bashrc",
        ".profile",
        ".zshrc",
        ".config/fish/config.fish",
        ".config/fish/fish_variables",
        ".config/environment.d/go.conf",
        ".pam_environment",
        ".envrc",
        ".vimrc",
        ".config/Code/User/settings.json",
        ".netrc",
    ];
    all_end(user.path("").as_path(), &starts, &run, &looks);
    let own = [".config/goroam/goroam.toml"];
    let reads = ["check", "doctor", "status", "why", "once", "probe"];
    all_end(user.path("").as_path(), &own, &run, &reads);
}

#[test]
fn in_the_place_of_goroam_s_own_state_and_of_the_go_env_file() {
    let Some(home) = Home::new("1.27.3") else {
        return;
    };
    home.write(".config/goroam/goroam.toml", POLICY);
    let run = |words: &str| goroam(&home, words, "");
    ends(run("once"), "once");
    let places = [
        ".local/state/goroam/state.json",
        ".local/state/goroam/baseline.json",
        ".local/state/goroam/journal.jsonl",
        ".local/state/goroam/journal.1.jsonl",
        ".local/state/goroam/journal.lock",
        ".local/state/goroam/turn.lock",
        ".local/state/goroam/projects.json",
        ".local/state/goroam/ready.json",
    ];
    let commands = ["status", "history --verify", "why", "once", "doctor"];
    all_end(&home.path(""), &places, &run, &commands);
    let file = [".config/go/env"];
    all_end(&home.path(""), &file, &run, &["once", "status", "doctor"]);
}

#[test]
fn in_a_project() {
    let Some(home) = Home::new("1.27.3") else {
        return;
    };
    home.write(
        "app/go.mod",
        "module x.test/y\n\ngo 1.22\n\nrequire a.test/b v1.0.0\n",
    );
    home.write("app/y.go", "package y\n\nimport _ \"a.test/b\"\n");
    home.write("app/go.sum", "");
    home.write(
        "app/vendor/modules.txt",
        "# a.test/b v1.0.0\n## explicit; go 1.20\na.test/b\n",
    );
    home.write("app/vendor/a.test/b/b.go", "package b\n");
    let git = Command::new("git")
        .args(["init", "-q"])
        .current_dir(home.path("app"))
        .status();
    assert!(git.unwrap().success());
    let run = |words: &str| goroam(&home, words, "app");
    let commands = [
        "doctor",
        "vendor check",
        "vendor list",
        "vendor rollback",
        "ready .",
        "mirror add --from .",
    ];
    let places = [
        "app/go.mod",
        "app/go.sum",
        "app/vendor/modules.txt",
        "app/vendor/a.test/b/b.go",
        "app/.git/goroam/lock",
        "app/.git/goroam/rollback.json",
        "app/go.work",
    ];
    all_end(&home.path(""), &places, &run, &commands);
    home.write(
        "app/go.mod",
        "module x.test/y\n\ngo 1.22\n\nreplace a.test/b => ../b\n\nrequire a.test/b v1.0.0\n",
    );
    home.write("b/go.mod", "module a.test/b\n");
    all_end(&home.path(""), &["b/go.mod"], &run, &commands);
    home.write("app/go.work", "go 1.22\n\nuse (\n\t.\n\t./in\n)\n");
    home.write("app/in/go.mod", "module x.test/in\n\ngo 1.22\n");
    let places = ["app/go.work.sum", "app/in/go.mod", "app/in/go.sum"];
    all_end(&home.path(""), &places, &run, &commands);
}

#[test]
fn in_a_module_cache_and_in_a_mirror() {
    let Some(home) = Home::new("1.27.3") else {
        return;
    };
    let cache = "go/pkg/mod/cache/download/a.test/b/@v";
    let names = [
        "list",
        "v1.0.0.info",
        "v1.0.0.mod",
        "v1.0.0.zip",
        "v1.0.0.ziphash",
        "v1.0.0.lock",
    ];
    home.write(&format!("{cache}/v1.0.1.mod"), "module a.test/b\n");
    let run = |words: &str| goroam(&home, words, "");
    let places: Vec<String> = names.iter().map(|name| format!("{cache}/{name}")).collect();
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    let looks = [
        "doctor --cache",
        "doctor --cache --fix",
        "doctor --cache --hash",
    ];
    all_end(&home.path(""), &places, &run, &looks);
    home.write("m/a.test/b/@v/v1.0.1.mod", "module a.test/b\n");
    home.write("m/a.test/b/@v/v1.0.1.info", "{\"Version\":\"v1.0.1\"}");
    home.write("out.tar.zst", "");
    let mut places: Vec<String> = names
        .iter()
        .map(|name| format!("m/a.test/b/@v/{name}"))
        .collect();
    places.extend(
        ["lock", "index.json", "pins.json", "own", "pins"].map(|name| format!("m/.goroam/{name}")),
    );
    places.push("m/sumdb/sum.golang.org/latest".to_owned());
    places.push("m/sumdb/sum.golang.org/supported".to_owned());
    places.push("m/sumdb/sum.golang.org/lookup/a.test/b@v1.0.0".to_owned());
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    let commands = [
        "mirror list --mirror m",
        "mirror verify --mirror m",
        "mirror prune --mirror m --max-size 1G",
        "mirror export --mirror m exported",
        "mirror pin --mirror m a.test/b@v1.0.1",
        "status",
    ];
    all_end(&home.path(""), &places, &run, &commands);
    all_end(
        &home.path(""),
        &["archive"],
        &run,
        &["mirror import --mirror m archive"],
    );
}
