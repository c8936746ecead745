//! Who may read and write the go env file stays as it is, and a file that cannot be replaced is
//! written in place, with the real go command.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use goroam::gocmd::{ApplyError, InPlace, prepare, restore};
use rustix::fs::{IFlags, XattrFlags, getxattr, ioctl_getflags, ioctl_setflags, setxattr};

use crate::go::{self, Home, is_root, plan};

const ACCESS: &str = "system.posix_acl_access";
const DEFAULT: &str = "system.posix_acl_default";

/// An access list: the owner may read and write, one more user, too; the group may only read.
fn acl(user: u32) -> Vec<u8> {
    let nobody = u32::MAX;
    let entries = [
        (0x01, 6, nobody),
        (0x02, 6, user),
        (0x04, 4, nobody),
        (0x10, 6, nobody),
        (0x20, 0, nobody),
    ];
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        let (tag, rights): (u16, u16) = (tag, rights);
        bytes.extend(tag.to_le_bytes());
        bytes.extend(rights.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

fn give(path: &Path, name: &str, value: &[u8]) -> bool {
    let given = setxattr(path, name, value, XattrFlags::empty());
    if let Err(error) = given {
        println!(
            "skipped: {name} cannot be given to {}: {error}",
            path.display()
        );
    }
    given.is_ok()
}

fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 4096];
    let length = getxattr(path, name, &mut value).ok()?;
    value.truncate(length);
    Some(value)
}

/// Owner, group, mode and access list: all that decides who may read and write.
fn rights(path: &Path) -> (u32, u32, u32, Option<Vec<u8>>) {
    let meta = std::fs::metadata(path).unwrap();
    let mode = meta.mode() & 0o7777;
    (meta.uid(), meta.gid(), mode, attribute(path, ACCESS))
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// The copy beside the file.
fn copy_of(home: &Home) -> PathBuf {
    let folder = home.file.path.parent().unwrap();
    let names = home.names();
    let name = names.iter().find(|name| name.contains(".goroam-"));
    folder.join(name.unwrap())
}

#[tokio::test]
async fn the_access_list_and_all_attributes_stay_with_the_file() {
    let home = Home::holding("GOFLAGS=-x\n");
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    let path = &home.file.path;
    if !give(path, ACCESS, &acl(65533)) || !give(path, "user.note", b"mine") {
        return;
    }
    let mut names = vec!["user.note"];
    if is_root() {
        std::os::unix::fs::chown(path, None, Some(65534)).unwrap();
        assert!(give(path, "trusted.note", b"root's") && give(path, "security.note", b"its"));
        names.extend(["trusted.note", "security.note"]);
    }
    let before = rights(path);
    let off = plan(&["GOPROXY=off"]);
    let prepared = prepare(&go, &home.file, &home.env, &off).await.unwrap();
    assert_eq!(rights(&copy_of(&home)), before);
    let applied = prepared.commit().await.unwrap();
    assert_eq!(applied.in_place, None);
    assert_eq!(rights(path), before);
    for name in names {
        assert!(attribute(path, name).is_some(), "{name} is lost");
    }
    restore(&home.file, Some(b"GOFLAGS=-x\n".to_vec()), &applied.after)
        .await
        .unwrap();
    assert_eq!(
        (home.text().as_str(), rights(path)),
        ("GOFLAGS=-x\n", before)
    );
}

#[tokio::test]
async fn what_chattr_has_said_of_the_file_stays() {
    let home = Home::holding("GOFLAGS=-x\n");
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    let path = &home.file.path;
    let flags = || ioctl_getflags(std::fs::File::open(path).unwrap());
    let Ok(before) = flags() else {
        println!("skipped: no flags on this file system");
        return;
    };
    let wanted = before | IFlags::NODUMP | IFlags::NOATIME;
    if let Err(error) = ioctl_setflags(std::fs::File::open(path).unwrap(), wanted) {
        println!("skipped: no flags on this file system: {error}");
        return;
    }
    let applied = home.apply(&go, &plan(&["GOPROXY=off"])).await.unwrap();
    assert_eq!(applied.in_place, None);
    assert_eq!(flags().unwrap(), wanted);
    assert_eq!(home.text(), "GOFLAGS=-x\nGOPROXY=off\n");
}

#[tokio::test]
async fn the_directory_s_default_access_list_lets_nobody_into_a_file_that_was_closed() {
    let home = Home::holding("GOPROXY=https://me:secret@proxy.example\n");
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    let path = &home.file.path;
    if !give(path.parent().unwrap(), DEFAULT, &acl(65533)) {
        return;
    }
    for mode in [0o600, 0o640] {
        set_mode(path, mode);
        let before = rights(path);
        assert_eq!(before.3, None);
        let flags = plan(&["GOFLAGS=-v"]);
        let prepared = prepare(&go, &home.file, &home.env, &flags).await.unwrap();
        assert_eq!(rights(&copy_of(&home)), before);
        drop(prepared);
        home.apply(&go, &plan(&[&format!("GOFLAGS=-p={mode}")]))
            .await
            .unwrap();
        assert_eq!(rights(path), before);
    }
}

#[tokio::test]
async fn a_file_that_is_closed_or_opened_after_the_copy_was_made_stays_so() {
    for (first, then) in [(0o666, 0o600), (0o600, 0o644)] {
        let home = Home::holding("GOFLAGS=-x\n");
        let Some(go) = go::newest(&home.env).await else {
            return;
        };
        let path = &home.file.path;
        set_mode(path, first);
        let off = plan(&["GOPROXY=off"]);
        let prepared = prepare(&go, &home.file, &home.env, &off).await.unwrap();
        set_mode(path, then);
        prepared.commit().await.unwrap();
        assert_eq!(rights(path).2, then);
        assert_eq!(home.text(), "GOFLAGS=-x\nGOPROXY=off\n");
    }
}

#[tokio::test]
async fn a_file_with_two_names_keeps_both() {
    let home = Home::holding("GOFLAGS=-x\nGOPRIVATE=a-long-name.example\n");
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    let path = &home.file.path;
    let other = home.folder.path().join("dotfiles-env");
    std::fs::hard_link(path, &other).unwrap();
    let applied = home
        .apply(&go, &plan(&["GOPROXY=off", "GOPRIVATE=x"]))
        .await
        .unwrap();
    assert_eq!(applied.in_place, Some(InPlace::HardLinks(2)));
    let told = applied.in_place.unwrap().told(path);
    assert!(
        told.contains("2 hard links") && told.contains("half of it"),
        "{told}"
    );
    let wanted = "GOFLAGS=-x\nGOPRIVATE=x\nGOPROXY=off\n";
    assert_eq!(home.text(), wanted);
    assert_eq!(std::fs::read_to_string(&other).unwrap(), wanted);
    assert_eq!(std::fs::metadata(&other).unwrap().nlink(), 2);
    assert_eq!(home.names(), ["env"]);
    let before = "GOFLAGS=-x\nGOPRIVATE=a-long-name.example\n";
    let back = restore(&home.file, Some(before.into()), wanted.as_bytes()).await;
    assert_eq!(back.unwrap(), Some(InPlace::HardLinks(2)));
    assert_eq!(std::fs::read_to_string(&other).unwrap(), before);
}

#[tokio::test]
async fn a_file_that_is_a_mount_point_is_written_and_put_back_where_it_is() {
    let home = Home::holding("");
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    let path = &home.file.path;
    let behind = home.folder.path().join("host-env");
    let before = "GOPRIVATE=git.corp.example\n";
    std::fs::write(&behind, before).unwrap();
    let Some(_mount) = Mount::bind(&behind, path) else {
        return;
    };
    let applied = home.apply(&go, &plan(&["GOPROXY=off"])).await.unwrap();
    assert_eq!(applied.in_place, Some(InPlace::MountPoint));
    assert_eq!(applied.before.as_deref(), Some(before.as_bytes()));
    let wanted = format!("{before}GOPROXY=off\n");
    assert_eq!(std::fs::read_to_string(&behind).unwrap(), wanted);
    assert_eq!(home.names(), ["env"]);
    let text = home.text();
    let back = restore(&home.file, Some(before.into()), text.as_bytes()).await;
    assert_eq!(back.unwrap(), Some(InPlace::MountPoint));
    assert_eq!(std::fs::read_to_string(&behind).unwrap(), before);
    // Where there was no file, it cannot be removed: it is empty then.
    let back = restore(&home.file, None, before.as_bytes()).await;
    assert_eq!(back.unwrap(), Some(InPlace::MountPoint));
    assert_eq!(std::fs::read(&behind).unwrap(), b"");
}

#[tokio::test]
async fn what_another_go_writes_into_a_file_with_two_names_is_not_lost() {
    let home = Home::holding("");
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    let path = home.file.path.clone();
    std::fs::hard_link(&path, home.folder.path().join("other")).unwrap();
    for round in 0..15 {
        let theirs = format!("GOPRIVATE=round-{round}.example");
        let mut writer = Command::new(&go.path)
            .args(["env", "-w", &theirs])
            .env("GOENV", &path)
            .env("HOME", home.folder.path())
            .spawn()
            .unwrap();
        let ours = format!("GOPROXY=https://{round}.example");
        home.apply(&go, &plan(&[&ours])).await.unwrap();
        assert!(writer.wait().unwrap().success());
        let text = home.text();
        assert!(text.contains(&theirs) && text.contains(&ours), "{text}");
    }
}

/// Another user's group, or another user's directory: what an ordinary user cannot copy.
#[test]
fn a_user_without_rights_over_group_or_directory_gets_the_file_written_in_place() {
    const USER: u32 = 65532;
    if !is_root() {
        println!("skipped: only root can become another user");
        return;
    }
    let home = Home::holding("GOFLAGS=-x\n");
    let (path, folder) = (home.file.path.clone(), home.file.path.parent().unwrap());
    set_mode(home.folder.path(), 0o755);
    let own = |path: &Path, gid| std::os::unix::fs::chown(path, Some(USER), Some(gid)).unwrap();
    own(&path, 65533);
    set_mode(&path, 0o660);
    own(folder, USER);
    let before = rights(&path);
    let apply = |value: &'static str| as_user(USER, &home, value);
    let Some(applied) = apply("GOPROXY=off") else {
        return;
    };
    let in_place = applied.unwrap();
    assert_eq!(in_place, Some(InPlace::Attribute("owner and group".into())));
    assert_eq!(rights(&path), before);
    assert_eq!(home.text(), "GOFLAGS=-x\nGOPROXY=off\n");

    own(&path, USER);
    std::os::unix::fs::chown(folder, Some(0), Some(0)).unwrap();
    let in_place = apply("GOPROXY=direct").unwrap().unwrap();
    assert_eq!(in_place, Some(InPlace::Directory));
    assert_eq!(home.text(), "GOFLAGS=-x\nGOPROXY=direct\n");
    assert_eq!(home.names(), ["env"]);
}

/// Applies as another user, which this thread alone becomes: the kernel keeps a user for each
/// thread. `None`: that user cannot run go here.
fn as_user(
    user: u32,
    home: &Home,
    value: &'static str,
) -> Option<Result<Option<InPlace>, ApplyError>> {
    // Asked before: the other user may not reach this repository.
    let path = go::go(go::VERSIONS[2])?;
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: these calls take integers only, and an empty list.
            unsafe {
                libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>());
                libc::syscall(libc::SYS_setresgid, user, user, user);
                libc::syscall(libc::SYS_setresuid, user, user, user);
            }
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let Ok(go) = goroam::gocmd::find::find(Some(&path), &home.env).await else {
                    println!("skipped: {} cannot be run by uid {user}", path.display());
                    return None;
                };
                let applied = home.apply(&go, &plan(&[value])).await;
                Some(applied.map(|applied| applied.in_place))
            })
        });
        thread.join().unwrap()
    })
}

#[tokio::test]
async fn a_pipe_or_a_socket_in_its_place_is_refused_and_not_waited_for() {
    let home = Home::holding("");
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    let path = &home.file.path;
    std::fs::remove_file(path).unwrap();
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    let refused = |result: Result<_, ApplyError>| match result {
        Err(ApplyError::NotAFile { what, .. }) => assert_eq!(what, "a device or pipe"),
        other => panic!("{other:?}"),
    };
    refused(home.apply(&go, &plan(&["GOPROXY=off"])).await);
    std::fs::remove_file(path).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(path).unwrap();
    refused(home.apply(&go, &plan(&["GOPROXY=off"])).await);
}

/// One file over another one, taken away on drop.
struct Mount(PathBuf);

impl Mount {
    fn bind(from: &Path, to: &Path) -> Option<Mount> {
        let mut mount = Command::new("mount");
        mount.arg("--bind").arg(from).arg(to);
        if mount.output().is_ok_and(|out| out.status.success()) {
            return Some(Mount(to.to_owned()));
        }
        println!("skipped: a file cannot be mounted here");
        None
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}
