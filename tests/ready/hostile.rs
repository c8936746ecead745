//! The agent brings what found projects need, by itself. Nothing that stands in a project may be
//! executed by that: neither by go nor by the git that go might run.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use crate::go;

/// Every place of a repository's settings that names a program.
const PROGRAMS: [&str; 8] = [
    "core.fsmonitor",
    "core.sshCommand",
    "core.pager",
    "core.editor",
    "credential.helper",
    "diff.external",
    "filter.x.clean",
    "gpg.program",
];

fn put(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

#[test]
fn nothing_of_a_found_project_is_executed() {
    for version in go::VERSIONS {
        let Some(go) = go::go(version) else { return };
        let home = tempfile::tempdir().unwrap();
        let (app, evil) = (home.path().join("app"), home.path().join("evil"));
        let mark = home.path().join("was-here");
        let script = format!("#!/bin/sh\ntouch '{}'\nexit 1\n", mark.display());
        std::fs::write(&evil, script).unwrap();
        std::fs::set_permissions(&evil, std::fs::Permissions::from_mode(0o755)).unwrap();
        let generate = format!("package main\n\n//go:generate {}\n", evil.display());
        let main = "package main\n\n// #cgo pkg-config: x\nimport \"C\"\n\nfunc main() {}\n";
        put(
            &app,
            &[
                // One more reason to run something: a toolchain that is not there.
                (
                    "go.mod",
                    "module evil.test/app\n\ngo 1.21\n\ntoolchain go1.99.0\n\n\
                     require evil.test/gone v1.0.0\n",
                ),
                ("go.sum", "evil.test/gone v1.0.0 h1:x=\n"),
                ("main.go", main),
                ("generate.go", &generate),
                (".gitattributes", "* filter=x diff=x\n"),
            ],
        );
        let run = |program: &Path, args: &[&str]| -> Output {
            let bin = go.parent().unwrap().display();
            Command::new(program)
                .args(args)
                .current_dir(&app)
                .env_clear()
                .env("HOME", home.path())
                .env("PATH", format!("{bin}:/usr/bin:/bin"))
                .env("GOPROXY", "off")
                .env("GOFLAGS", format!("-toolexec={}", evil.display()))
                .env("CC", &evil)
                .env("PKG_CONFIG", &evil)
                .env("GIT_AUTHOR_NAME", "a")
                .output()
                .unwrap()
        };
        let git = |args: &[&str]| run(Path::new("git"), args);
        assert!(git(&["init", "-q"]).status.success());
        for name in PROGRAMS {
            assert!(
                git(&["config", name, evil.to_str().unwrap()])
                    .status
                    .success()
            );
        }
        let hooks = home.path().to_str().unwrap();
        assert!(git(&["config", "core.hooksPath", hooks]).status.success());
        // It bites: whoever runs git or go in there runs it.
        git(&["status"]);
        assert!(mark.exists(), "git runs nothing");
        std::fs::remove_file(&mark).unwrap();

        let goroam = Path::new(env!("CARGO_BIN_EXE_goroam"));
        let folder = app.to_str().unwrap();
        for args in [
            &["ready", folder][..],
            &["ready", "--fetch", "--kept"],
            &["mirror", "add", "--from", folder],
            &["mirror", "add", "--tests", "--from", folder],
            &["doctor", folder],
        ] {
            let out = run(goroam, args);
            let said = String::from_utf8_lossy(&out.stderr);
            assert!(out.status.code().is_some(), "{args:?}: {said}");
            assert!(!mark.exists(), "{version} {args:?}: {said}");
        }
        let ready = run(goroam, &["ready", "--json"]);
        let said = String::from_utf8_lossy(&ready.stdout);
        assert!(said.contains("evil.test/gone"), "{said}");
    }
}
