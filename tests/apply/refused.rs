//! Files that goroam leaves alone, or cannot write, with the real go command.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use goroam::environment::Environment;
use goroam::gocmd::{ApplyError, EnvFile, LocateError, prepare};

use crate::go::{self, Home, is_root, plan};

#[tokio::test]
async fn read_only_is_somebody_s_wish() {
    let home = Home::holding("GOPROXY=off\n");
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    std::fs::set_permissions(&home.file.path, PermissionsExt::from_mode(0o444)).unwrap();
    let error = home
        .apply(&go, &plan(&["GOPROXY=direct"]))
        .await
        .unwrap_err();
    assert!(matches!(error, ApplyError::ReadOnly { .. }), "{error}");
    assert_eq!(
        (home.text().as_str(), home.names()),
        ("GOPROXY=off\n", vec!["env".to_owned()])
    );
}

#[tokio::test]
async fn a_read_only_folder_is_too() {
    let home = Home::holding("GOPROXY=off\n");
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    let folder = home.file.path.parent().unwrap();
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o555)).unwrap();
    let error = home.apply(&go, &plan(&["GOPROXY=direct"])).await;
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
    match error.unwrap_err() {
        ApplyError::ReadOnly { path, .. } => assert_eq!(path, folder),
        error => panic!("{error}"),
    }
    assert_eq!(home.text(), "GOPROXY=off\n");
}

#[tokio::test]
async fn an_immutable_file_is_read_only_for_root_too() {
    let home = Home::holding("GOPROXY=off\n");
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    let chattr = |flag: &str| {
        let done = Command::new("chattr")
            .arg(flag)
            .arg(&home.file.path)
            .output();
        done.is_ok_and(|out| out.status.success())
    };
    for flag in ["i", "a"] {
        if !chattr(&format!("+{flag}")) {
            println!("skipped: chattr +{flag} does not work here");
            return;
        }
        let result = home.apply(&go, &plan(&["GOPROXY=direct"])).await;
        chattr(&format!("-{flag}"));
        let error = result.unwrap_err();
        assert!(matches!(error, ApplyError::ReadOnly { .. }), "{error}");
        assert_eq!(
            (home.text().as_str(), home.names()),
            ("GOPROXY=off\n", vec!["env".to_owned()])
        );
    }
}

#[tokio::test]
async fn a_folder_or_a_device_in_the_file_s_place_is_named() {
    let home = Home::new();
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    std::fs::create_dir_all(&home.file.path).unwrap();
    let plan = plan(&["GOPROXY=off"]);
    let error = home.apply(&go, &plan).await.unwrap_err();
    assert!(
        matches!(
            error,
            ApplyError::NotAFile {
                what: "a folder",
                ..
            }
        ),
        "{error}"
    );
    let null = EnvFile {
        path: "/dev/null".into(),
    };
    let error = prepare(&go, &null, &home.env, &plan).await.unwrap_err();
    assert!(
        matches!(
            error,
            ApplyError::NotAFile {
                what: "a device or pipe",
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_full_disk_leaves_the_file_as_it_was() {
    let home = Home::holding("");
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    let Some(disk) = SmallDisk::mount(home.file.path.parent().unwrap()) else {
        return;
    };
    let before = "GOPROXY=off\n# end\n";
    home.write(before);
    disk.fill();
    let value = format!("GOPRIVATE={}", vec!["corp.example"; 400].join(","));
    for plan in [plan(&["GOPROXY=direct"]), plan(&[&value])] {
        let error = home.apply(&go, &plan).await.unwrap_err();
        let said =
            std::error::Error::source(&error).map_or_else(|| error.to_string(), |s| s.to_string());
        assert!(
            format!("{error} {said}").contains("o space left"),
            "{error}"
        );
        assert_eq!(home.text(), before);
        assert_eq!(home.names(), ["env", "filler"]);
    }
}

#[tokio::test]
async fn off_and_homeless_write_nothing() {
    let none: [(&str, &str); 0] = [];
    let off: Environment = [("HOME", "/root"), ("GOENV", "off")].into_iter().collect();
    assert_eq!(EnvFile::locate(&off), Err(LocateError::Off));
    let homeless: Environment = none.into_iter().collect();
    assert_eq!(EnvFile::locate(&homeless), Err(LocateError::NoHome));
}

#[tokio::test]
async fn another_user_s_home_is_refused() {
    if !is_root() {
        println!("skipped: only root can give a folder away");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let own = home.path().join("own.env");
    std::fs::write(&own, "").unwrap();
    std::os::unix::fs::chown(home.path(), Some(1000), None).unwrap();
    let locate = |vars: &[(&str, &str)]| EnvFile::locate(&vars.iter().copied().collect());
    let path = home.path().to_str().unwrap();
    let foreign = |result: Result<EnvFile, LocateError>| {
        assert!(
            matches!(
                result,
                Err(LocateError::ForeignHome {
                    owner: 1000,
                    me: 0,
                    ..
                })
            ),
            "{result:?}"
        );
    };
    foreign(locate(&[("HOME", path)]));
    foreign(locate(&[("HOME", "/root"), ("XDG_CONFIG_HOME", path)]));
    foreign(locate(&[
        ("HOME", "/root"),
        ("GOENV", &format!("{path}/new")),
    ]));
    assert!(locate(&[("HOME", path), ("GOENV", own.to_str().unwrap())]).is_ok());
    std::os::unix::fs::chown(&own, Some(1000), None).unwrap();
    foreign(locate(&[
        ("HOME", "/root"),
        ("GOENV", own.to_str().unwrap()),
    ]));
}

/// A disk of 64 KiB, unmounted on drop.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(at: &std::path::Path) -> Option<SmallDisk> {
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=64k,nr_inodes=8", "goroam-test"])
            .arg(at);
        if mount.output().is_ok_and(|out| out.status.success()) {
            return Some(SmallDisk(at.to_owned()));
        }
        println!("skipped: a small disk cannot be mounted here");
        None
    }

    /// Leaves not one page.
    fn fill(&self) {
        use std::io::Write as _;
        let mut file = std::fs::File::create(self.0.join("filler")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}
