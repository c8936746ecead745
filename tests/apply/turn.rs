//! Plans carried out with real go commands on real files.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt, symlink};
use std::process::Command;

use goroam::environment::Environment;
use goroam::gocmd::{ApplyError, EnvFile, prepare, restore, run};

use crate::go::{self, Home, VERSIONS, is_root, names_in, plan};

#[tokio::test]
async fn values_are_set_and_removed_and_foreign_lines_stay_byte_for_byte() {
    for version in VERSIONS {
        let before = b"# mine\r\n\xef\xbb\xbfBOM=1\nGOFLAGS=-v\r\n\nfoo=bar\nno equals\nGOSUMDB=off\nX=\xff\xfe\nGOPROXY=old";
        let home = Home::holding(before);
        let Some(go) = go::command(version, &home.env).await else {
            return;
        };
        let plan = plan(&[
            "GOPROXY=https://p.example,direct",
            "GOPRIVATE=corp.example",
            "GOSUMDB",
        ]);
        let applied = home.apply(&go, &plan).await.unwrap();
        assert_eq!(applied.before.as_deref(), Some(before.as_slice()));
        let after = home.bytes();
        assert_eq!(after, applied.after);
        assert_eq!(applied.merged, 0);
        let mut lines: Vec<&[u8]> = after.split(|b| *b == b'\n').collect();
        lines.sort_unstable();
        let mut expected: Vec<&[u8]> = vec![
            b"# mine\r",
            b"\xef\xbb\xbfBOM=1",
            b"GOFLAGS=-v\r",
            b"",
            b"",
            b"foo=bar",
            b"no equals",
            b"X=\xff\xfe",
            b"GOPROXY=https://p.example,direct",
            b"GOPRIVATE=corp.example",
        ];
        expected.sort_unstable();
        assert_eq!(lines, expected, "go {version}");
        let said = home.user_go(&go, &["env", "GOPROXY", "GOPRIVATE"]).stdout;
        assert_eq!(said, b"https://p.example,direct\ncorp.example\n");
        assert_eq!(home.names(), ["env"]);
    }
}

#[tokio::test]
async fn a_file_and_its_folder_are_made_as_go_makes_them() {
    for version in VERSIONS {
        let (ours, theirs) = (Home::new(), Home::new());
        let Some(go) = go::command(version, &ours.env).await else {
            return;
        };
        ours.apply(&go, &plan(&["GOPROXY=off"])).await.unwrap();
        assert!(
            theirs
                .user_go(&go, &["env", "-w", "GOPROXY=off"])
                .status
                .success()
        );
        assert_eq!(ours.bytes(), theirs.bytes());
        for up in 0..3 {
            let mode = |home: &Home| {
                let path = home.file.path.ancestors().nth(up).unwrap();
                std::fs::metadata(path).unwrap().mode()
            };
            assert_eq!(mode(&ours), mode(&theirs));
        }
        assert_eq!(ours.names(), ["env"]);
    }
}

#[tokio::test]
async fn removing_from_a_file_that_is_not_there_makes_none() {
    let home = Home::new();
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    let applied = home
        .apply(&go, &plan(&["GOPROXY", "GOSUMDB"]))
        .await
        .unwrap();
    assert_eq!((applied.before, applied.after), (None, Vec::new()));
    assert!(!home.file.path.exists());
    assert_eq!(home.names(), [""; 0]);
}

#[tokio::test]
async fn a_plan_without_changes_leaves_the_file_alone() {
    let home = Home::holding("B=1\nA=2");
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    let inode = std::fs::metadata(&home.file.path).unwrap().ino();
    home.apply(&go, &plan(&[])).await.unwrap();
    assert_eq!(home.text(), "B=1\nA=2");
    assert_eq!(std::fs::metadata(&home.file.path).unwrap().ino(), inode);
}

#[tokio::test]
async fn dropping_what_was_prepared_changes_nothing_and_leaves_nothing() {
    let home = Home::holding("GOPROXY=off\n");
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    let plan = plan(&["GOPROXY=direct"]);
    let prepared = prepare(&go, &home.file, &home.env, &plan).await.unwrap();
    assert_eq!(
        prepared.before.as_deref(),
        Some(b"GOPROXY=off\n".as_slice())
    );
    assert_eq!(prepared.after, b"GOPROXY=direct\n");
    assert_eq!(home.names().len(), 2);
    drop(prepared);
    assert_eq!(
        (home.text().as_str(), home.names()),
        ("GOPROXY=off\n", vec!["env".to_owned()])
    );
}

#[tokio::test]
async fn what_a_killed_run_left_is_swept_up_and_what_is_in_use_is_not() {
    let home = Home::holding("GOPROXY=off\n");
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    let folder = home.file.path.parent().unwrap();
    std::fs::write(folder.join(".env.goroam-left"), "GOPROXY=x\n").unwrap();
    std::fs::write(folder.join(".env.mine"), "").unwrap();
    let (one, two) = (plan(&["GOPROXY=direct"]), plan(&["GOSUMDB=off"]));
    let prepared = prepare(&go, &home.file, &home.env, &one).await.unwrap();
    home.apply(&go, &two).await.unwrap();
    prepared.commit().await.unwrap();
    assert_eq!(home.names(), [".env.mine", "env"]);
    assert_eq!(home.text(), "GOPROXY=direct\nGOSUMDB=off\n");
}

#[tokio::test]
async fn a_symbolic_link_stays_one_and_a_dangling_one_gets_its_target() {
    let home = Home::holding("");
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    let dotfiles = home.folder.path().join("dotfiles");
    std::fs::create_dir(&dotfiles).unwrap();
    let target = dotfiles.join("goenv");
    std::fs::write(&target, "GOFLAGS=-v\n").unwrap();
    let link = |to: &str| {
        let _ = std::fs::remove_file(&home.file.path);
        symlink(to, &home.file.path).unwrap();
    };
    link("../../dotfiles/goenv");
    home.apply(&go, &plan(&["GOPROXY=off"])).await.unwrap();
    assert!(
        std::fs::symlink_metadata(&home.file.path)
            .unwrap()
            .is_symlink()
    );
    assert_eq!(
        std::fs::read_to_string(&target).unwrap(),
        "GOFLAGS=-v\nGOPROXY=off\n"
    );

    link("../../dotfiles/other");
    home.apply(&go, &plan(&["GOPROXY=direct"])).await.unwrap();
    assert_eq!(
        std::fs::read_to_string(dotfiles.join("other")).unwrap(),
        "GOPROXY=direct\n"
    );
    assert_eq!(names_in(&dotfiles), ["goenv", "other"]);
    assert_eq!(home.names(), ["env"]);

    link("../../usb/env");
    let error = home.apply(&go, &plan(&["GOPROXY=off"])).await.unwrap_err();
    assert!(matches!(error, ApplyError::File { .. }), "{error}");
    assert!(!home.folder.path().join("usb").exists());

    link("env");
    let error = home.apply(&go, &plan(&["GOPROXY=off"])).await.unwrap_err();
    assert!(error.to_string().contains("cannot be reached"), "{error}");
}

#[tokio::test]
async fn mode_and_owner_are_kept() {
    let home = Home::holding("GOPROXY=off\n");
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    std::fs::set_permissions(&home.file.path, PermissionsExt::from_mode(0o600)).unwrap();
    if is_root() {
        std::os::unix::fs::chown(&home.file.path, Some(1000), Some(1001)).unwrap();
    } else {
        println!("skipped: only root can give a file away");
    }
    let was = std::fs::metadata(&home.file.path).unwrap();
    home.apply(&go, &plan(&["GOPROXY=direct"])).await.unwrap();
    let is = std::fs::metadata(&home.file.path).unwrap();
    assert_eq!(
        (is.mode(), is.uid(), is.gid()),
        (was.mode(), was.uid(), was.gid())
    );
    restore(&home.file, Some(b"x".to_vec()), b"GOPROXY=direct\n")
        .await
        .unwrap();
    let is = std::fs::metadata(&home.file.path).unwrap();
    assert_eq!(
        (is.mode(), is.uid(), is.gid()),
        (was.mode(), was.uid(), was.gid())
    );
}

#[tokio::test]
async fn no_module_toolchain_or_flag_of_the_surroundings_interferes() {
    for version in VERSIONS {
        let home = Home::with(&[
            ("GOPROXY", "https://joe:s3cret@shadow.example"),
            ("GOFLAGS", "-nonsense"),
            ("GOWORK", "/nowhere/go.work"),
            ("GOROOT", "/nowhere"),
            ("GOTOOLCHAIN", "go1.99.0"),
        ]);
        // What would brick a go up to 1.26 or any newer one, written by hand.
        home.write("GOROOT=/nowhere\nGOTOOLCHAIN=garbage\nGOFLAGS=junk\n");
        let Some(go) = go::command(version, &home.env).await else {
            return;
        };
        home.apply(&go, &plan(&["GOPROXY=off", "GOTOOLCHAIN=local", "GOFLAGS"]))
            .await
            .unwrap();
        assert_eq!(
            home.text(),
            "GOPROXY=off\nGOROOT=/nowhere\nGOTOOLCHAIN=local\n"
        );
        let values = run::values(&go, &home.env, &["GOPROXY", "GOTOOLCHAIN", "GOFLAGS"])
            .await
            .unwrap();
        // The environment wins over the file, as it does for the user's own go commands.
        assert_eq!(values["GOPROXY"], "https://joe:s3cret@shadow.example");
        assert_eq!(values["GOTOOLCHAIN"], "local");
        assert_eq!(values["GOFLAGS"], "");
    }
}

const INSIDE: &str = "GOROAM_TEST_HOME_IN_A_MODULE";

/// Not a test of its own: the one below runs it in a module's folder.
#[tokio::test]
async fn inside_a_module() {
    let Ok(home) = std::env::var(INSIDE) else {
        return;
    };
    let env: Environment = [("HOME", home.as_str()), ("GOPROXY", "off")]
        .into_iter()
        .collect();
    let file = EnvFile::locate(&env).unwrap();
    for version in VERSIONS {
        let go = go::command(version, &env).await.unwrap();
        let plan = plan(&[&format!("GOPRIVATE=by-{version}")]);
        let prepared = prepare(&go, &file, &env, &plan).await.unwrap();
        prepared.commit().await.unwrap();
        let values = run::values(&go, &env, &["GOPRIVATE"]).await.unwrap();
        assert_eq!(values["GOPRIVATE"], format!("by-{version}"));
    }
    println!("all versions wrote");
}

#[tokio::test]
async fn a_module_of_the_future_triggers_no_toolchain_download() {
    let home = Home::new();
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    let module = home.folder.path().join("module");
    std::fs::create_dir(&module).unwrap();
    std::fs::write(module.join("go.mod"), "module x.example\n\ngo 1.99\n").unwrap();
    // The trap works: the same command of the user's fails there.
    let trapped = Command::new(&go.path)
        .args(["env", "-w", "GOPRIVATE=x"])
        .env_clear()
        .env("HOME", home.folder.path())
        .env("GOPROXY", "off")
        .current_dir(&module)
        .output()
        .unwrap();
    assert!(!trapped.status.success(), "{trapped:?}");
    let out = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "turn::inside_a_module", "--nocapture"])
        .env(INSIDE, home.folder.path())
        .current_dir(&module)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(
        out.status.success() && said.contains("all versions wrote"),
        "{out:?}"
    );
}

#[tokio::test]
async fn a_name_that_go_does_not_know_is_named_with_the_version() {
    let home = Home::holding("A=1\n");
    let Some(go) = go::command("1.21.13", &home.env).await else {
        return;
    };
    let plan = plan(&["GOAUTH=netrc", "GOPROXY=https://joe:s3cret@p.example"]);
    let error = home.apply(&go, &plan).await.unwrap_err().to_string();
    assert!(error.contains("go 1.21.13 does not know GOAUTH"), "{error}");
    assert!(
        !error.contains("s3cret") && error.contains("joe:***@"),
        "{error}"
    );
    assert_eq!(
        (home.text().as_str(), home.names()),
        ("A=1\n", vec!["env".to_owned()])
    );
}

#[tokio::test]
async fn odd_values_arrive_as_they_are() {
    let home = Home::new();
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    for value in [
        "",
        " ",
        "-x",
        "a=b==",
        "\"off\"",
        "ü 'x' \\ $HOME `id`",
        "#",
    ] {
        home.apply(&go, &plan(&[&format!("GOPRIVATE={value}")]))
            .await
            .unwrap();
        assert_eq!(home.text(), format!("GOPRIVATE={value}\n"));
    }
}

#[tokio::test]
async fn restoring_is_byte_for_byte_and_only_over_what_is_expected() {
    let odd = b"\xef\xbb\xbf# \xff\r\nGOPROXY=\"x\"\n\n\n no end".to_vec();
    let home = Home::holding("GOPROXY=off\n");
    let changed = restore(&home.file, Some(odd.clone()), b"GOPROXY=on\n").await;
    assert!(
        changed
            .unwrap_err()
            .to_string()
            .contains("changed by another program")
    );
    assert_eq!(home.text(), "GOPROXY=off\n");
    restore(&home.file, Some(odd.clone()), b"GOPROXY=off\n")
        .await
        .unwrap();
    assert_eq!(home.bytes(), odd);
    assert!(restore(&home.file, None, b"x").await.is_err());
    assert_eq!(home.bytes(), odd);
    restore(&home.file, None, &odd).await.unwrap();
    assert_eq!(home.names(), [""; 0]);
    restore(&home.file, Some(odd.clone()), b"").await.unwrap();
    assert_eq!(home.bytes(), odd);
    assert_eq!(home.names(), ["env"]);
}
