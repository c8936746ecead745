//! Finding the go command among wrappers, wrecks and old ones.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use goroam::environment::Environment;
use goroam::gocmd::find::find;
use goroam::gocmd::{FindError, GoCommand};

use crate::go;

/// A folder that plays the machine: its home and its PATH.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Machine {
        Machine(tempfile::tempdir().unwrap())
    }

    fn path(&self, inner: &str) -> PathBuf {
        self.0.path().join(inner)
    }

    fn script(&self, inner: &str, text: &str) -> PathBuf {
        let path = self.path(inner);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path
    }

    fn link(&self, inner: &str, to: &Path) -> PathBuf {
        let path = self.path(inner);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(to, &path).unwrap();
        path
    }

    /// With these folders of it in PATH, and those that scripts need.
    fn env(&self, folders: &[&str]) -> Environment {
        let mut path: Vec<String> = folders
            .iter()
            .map(|folder| self.path(folder).display().to_string())
            .collect();
        path.push("/bin".to_owned());
        let home = self.0.path().display().to_string();
        [("HOME", home), ("PATH", path.join(":"))]
            .into_iter()
            .collect()
    }

    /// Hides the machine's own go commands from this test's thread and its children, if it has
    /// any: they stand where a user without one would have nothing. Only root can.
    fn hiding_go(self) -> Machine {
        // SAFETY: geteuid takes nothing; unshare changes this thread's view of mounts, and
        // each test has a thread of its own.
        let apart = unsafe { libc::geteuid() == 0 && libc::unshare(libc::CLONE_NEWNS) == 0 };
        if apart {
            let script = "mount --make-rprivate /
                for go in /usr/local/go/bin/go /usr/lib/go*/bin/go /usr/bin/go /usr/local/bin/go; do
                    [ ! -e \"$go\" ] || mount --bind /dev/null \"$(readlink -f \"$go\")\" || exit
                done";
            let hidden = std::process::Command::new("sh")
                .args(["-c", script])
                .status();
            assert!(hidden.unwrap().success());
        }
        self
    }

    async fn find(&self, folders: &[&str]) -> Result<GoCommand, FindError> {
        find(None, &self.env(folders)).await
    }
}

#[tokio::test]
async fn a_real_go_is_taken_as_it_is_also_through_links() {
    for version in go::VERSIONS {
        let Some(real) = go::go(version) else { return };
        let machine = Machine::new();
        machine.link("bin/go", &real);
        let found = machine.find(&["bin"]).await.unwrap();
        assert_eq!(found.path, real);
        assert_eq!(found.version.text, version);
        assert_eq!(found.goroot, real.parent().unwrap().parent().unwrap());
    }
}

#[tokio::test]
async fn a_real_go_costs_no_process() {
    let Some(real) = go::go("1.27.3") else { return };
    let goroot = real.parent().unwrap().parent().unwrap();
    // The same GOROOT with a binary that would never answer: not even a program.
    let machine = Machine::new();
    for part in ["VERSION", "pkg", "src"] {
        machine.link(&format!("root/{part}"), &goroot.join(part));
    }
    let dead = machine.path("root/bin/go");
    std::fs::create_dir_all(dead.parent().unwrap()).unwrap();
    std::fs::write(&dead, b"\x7fELF").unwrap();
    std::fs::set_permissions(&dead, PermissionsExt::from_mode(0o755)).unwrap();
    let found = machine.find(&["root/bin"]).await.unwrap();
    assert_eq!((found.path, found.version.text.as_str()), (dead, "1.27.3"));
}

#[tokio::test]
async fn a_wrapper_is_resolved_to_the_real_binary() {
    let Some(real) = go::go("1.24.11") else {
        return;
    };
    let machine = Machine::new();
    let call = format!(
        "echo $$ >> {}\nexec {} \"$@\"",
        machine.path("calls").display(),
        real.display()
    );
    let shim = machine.script("shims/go", &call);
    let found = machine.find(&["shims"]).await.unwrap();
    assert_eq!(
        (found.path.as_path(), found.version.text.as_str()),
        (real.as_path(), "1.24.11")
    );
    let calls = std::fs::read_to_string(machine.path("calls")).unwrap();
    assert_eq!(calls.lines().count(), 1, "it was asked more than once");
    let named = find(Some(&shim), &machine.env(&[])).await.unwrap();
    assert_eq!(named.path, real);
}

#[tokio::test]
async fn wrecks_are_passed_over() {
    let Some(real) = go::go("1.27.3") else { return };
    let machine = Machine::new();
    machine.script("a/go", "exit 1");
    machine.script("b/go", "echo hello");
    std::fs::create_dir_all(machine.path("c/go")).unwrap();
    std::fs::create_dir_all(machine.path("d")).unwrap();
    std::fs::write(machine.path("d/go"), "no x").unwrap();
    machine.link("e/go", Path::new("/nowhere"));
    machine.link("f/go", &real);
    let found = machine.find(&["a", "b", "c", "d", "e", "f"]).await.unwrap();
    assert_eq!(found.path, real);
}

#[tokio::test]
async fn one_that_hangs_is_given_up_with_all_that_it_started() {
    let Some(real) = go::go("1.27.3") else { return };
    let machine = Machine::new();
    let pid = machine.path("pid");
    machine.script(
        "a/go",
        &format!("sleep 600 & echo $! > {}; wait", pid.display()),
    );
    machine.link("b/go", &real);
    let started = Instant::now();
    let found = machine.find(&["a", "b"]).await.unwrap();
    assert_eq!(found.path, real);
    // It is given up after five seconds, and sleeps for ten minutes.
    assert!(started.elapsed() < Duration::from_secs(60));
    let pid = std::fs::read_to_string(pid).unwrap();
    let stat = format!("/proc/{}/stat", pid.trim());
    let deadline = Instant::now() + Duration::from_secs(20);
    while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < deadline, "its child lives on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn an_old_one_is_passed_over_while_there_is_another() {
    let Some(real) = go::go("1.27.3") else { return };
    let machine = Machine::new();
    let old = "case $2 in GOROOT) echo /opt/go1.12; echo go1.12.17;; esac";
    machine.script("a/go", old);
    machine.link("b/go", &real);
    assert_eq!(machine.find(&["a", "b"]).await.unwrap().path, real);
    let named = find(Some(&machine.path("a/go")), &machine.env(&[]))
        .await
        .unwrap_err();
    assert!(
        named
            .to_string()
            .contains("go 1.12.17, which has no `go env -w`"),
        "{named}"
    );
}

#[tokio::test]
async fn sdk_managers_are_known_and_the_newest_is_taken() {
    let (Some(new), Some(old)) = (go::go("1.27.3"), go::go("1.24.11")) else {
        return;
    };
    for pattern in [
        "sdk/goVERSION/bin/go",
        ".local/share/mise/installs/go/VERSION/bin/go",
        ".asdf/installs/golang/VERSION/go/bin/go",
        ".goenv/versions/VERSION/bin/go",
        ".gvm/gos/goVERSION/bin/go",
    ] {
        let machine = Machine::new().hiding_go();
        machine.link(&pattern.replace("VERSION", "1.9.7"), &old);
        machine.link(&pattern.replace("VERSION", "1.27.3"), &new);
        match machine.find(&[]).await {
            Ok(found) if found.path.starts_with(new.parent().unwrap()) => {}
            Ok(found) if !found.path.starts_with(old.parent().unwrap()) => {
                println!(
                    "skipped: this machine has a go of its own at {}",
                    found.path.display()
                );
            }
            other => panic!("{pattern}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn none_at_all_says_where_it_was_looked_for() {
    let machine = Machine::new().hiding_go();
    machine.script("a/go", "exit 1");
    match machine.find(&["a", "b"]).await {
        Err(error @ FindError::None { .. }) => {
            let said = error.to_string();
            assert!(
                said.contains("PATH (3 folders), /usr/local/go/bin, "),
                "{said}"
            );
            assert!(
                said.contains("~/go/bin, ~/sdk, mise, asdf, goenv and gvm, Homebrew, snap"),
                "{said}"
            );
            assert!(
                said.contains("does not work: ") && said.contains("a/go"),
                "{said}"
            );
            assert!(said.contains("go.dev/dl"), "{said}");
        }
        Ok(found) => println!("skipped: this machine has a go at {}", found.path.display()),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_wish_is_that_one_or_none() {
    let machine = Machine::new();
    std::fs::create_dir(machine.path("folder")).unwrap();
    std::fs::write(machine.path("text"), "").unwrap();
    let mute = machine.script("mute", "echo secret https://joe:s3cret@h >&2; exit 3");
    let env = machine.env(&[]);
    for (path, why) in [
        (machine.path("none"), "does not exist"),
        (machine.path("folder"), "is a folder"),
        (machine.path("text"), "is not executable"),
        (PathBuf::from("go"), "is not an absolute path"),
        (mute, "is not a go command"),
    ] {
        let error = find(Some(&path), &env).await.unwrap_err();
        assert!(matches!(error, FindError::Named { .. }), "{error}");
        let said = error.to_string();
        assert!(said.contains(why) && !said.contains("s3cret"), "{said}");
    }
}
