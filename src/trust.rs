//! Decides whether goroam believes a file: only if no other user could have written it. One rule
//! for the policy, the CA files of its targets, goroam's own state and the program that an agent
//! re-executes itself as.
//!
//! A file must belong to root or to this user, and neither group nor others may write to it (the
//! mode's group bits are the mask of an access list, so this covers ACLs). Nor may others be able
//! to replace it: every directory on the way to it is checked, up to the root and through links. A
//! directory may be writable for a group that has only this user in it, as most distributions
//! create for each user, and for all if it is sticky, as /tmp is.

use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};

/// Why another user could have written it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// It belongs to another user.
    #[error(
        "belongs to uid {owner}, but goroam runs as uid {me}; run it as that user, or make your own copy of it"
    )]
    Foreign {
        /// The uid of its owner.
        owner: u32,
        /// The uid that goroam runs as.
        me: u32,
    },
    /// Its group or all users may write to it.
    #[error("others may write to it (mode {mode:04o}); `chmod go-w {path}`", path = .path.display())]
    Open {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A directory on the way to it is writable for others or belongs to another user.
    #[error(
        "another user could replace it: {directory} {why}; `chmod go-w` it, or keep the file where only you may write",
        directory = .directory.display()
    )]
    Way {
        /// The directory.
        directory: PathBuf,
        /// The reason.
        why: String,
    },
    /// On Windows any user may create a file below `%ProgramData%`.
    #[error(
        "belongs neither to Administrators nor to SYSTEM, so any user could have written it; run `takeown /a /f \"{}\"` as an administrator",
        .0.display()
    )]
    NotOfMachine(PathBuf),
}

/// Checks an open file by its metadata, which cannot be exchanged between check and use. `path` is
/// for the message.
///
/// # Errors
/// [`Untrusted`], if another user owns it or may write to it.
pub fn file(path: &Path, meta: &Metadata) -> Result<(), Untrusted> {
    os::file(path, meta)
}

/// Checks the machine's policy file: it counts for all users.
///
/// # Errors
/// [`Untrusted`], if a user without rights could have written it.
pub fn of_machine(path: &Path, open: &File, meta: &Metadata) -> Result<(), Untrusted> {
    file(path, meta)?;
    os::of_machine(path, open)
}

/// Does the same, and checks the directories on the way to it.
///
/// # Errors
/// [`Untrusted`], if another user could have written it, or put it there.
pub fn file_and_way(path: &Path, meta: &Metadata) -> Result<(), Untrusted> {
    file(path, meta)?;
    way(path)
}

/// Checks every directory on the way to `path`, through symbolic links. One that cannot be read is
/// skipped: opening the file gives a better error.
///
/// # Errors
/// [`Untrusted::Way`], if another user could replace `path` by something else.
pub fn way(path: &Path) -> Result<(), Untrusted> {
    os::way(path)
}

/// Checks that the system lets this user write to it. The system considers owners, root, access
/// lists, immutable files and read-only mounts; the mode alone does not show them (root's home is
/// 0550 on Fedora). On Windows the attribute of a directory means something else, and for a file
/// the error comes when it is opened.
///
/// # Errors
/// The system's reason.
pub fn may_write(path: &Path) -> std::io::Result<()> {
    os::may_write(path)
}

/// Reports whether root or this user is the only one in this group. Uses the files that hold a
/// system's own groups; a group from a directory service counts as not private.
#[cfg(unix)]
pub fn is_private_group(gid: u32, uid: u32) -> bool {
    os::is_private_group(gid, uid)
}

#[cfg(not(unix))]
pub(crate) use os::Owner;

/// On Windows the access list of the directory decides, and that of the profile directory is the
/// user's own.
#[cfg(not(unix))]
mod os {
    use std::fs::{File, Metadata};
    use std::io;
    use std::os::windows::io::AsRawHandle;
    use std::path::Path;
    use std::ptr;

    use windows_sys::Win32::Foundation::{LocalFree, NO_ERROR};
    use windows_sys::Win32::Security::Authorization::{
        GetSecurityInfo, SE_FILE_OBJECT, SE_OBJECT_TYPE,
    };
    use windows_sys::Win32::Security::{
        IsWellKnownSid, OWNER_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, PSID,
        WELL_KNOWN_SID_TYPE, WinBuiltinAdministratorsSid, WinLocalSystemSid,
    };

    use super::Untrusted;

    /// The owner of an open object.
    pub(crate) struct Owner {
        sid: PSID,
        /// Contains the identifier.
        descriptor: PSECURITY_DESCRIPTOR,
    }

    impl Owner {
        pub(crate) fn of(open: &impl AsRawHandle, kind: SE_OBJECT_TYPE) -> io::Result<Owner> {
            let mut owner = Owner {
                sid: ptr::null_mut(),
                descriptor: ptr::null_mut(),
            };
            // SAFETY: the handle is open; the two places receive the returned pointers, and fields
            // that are not requested may be left out.
            let done = unsafe {
                GetSecurityInfo(
                    open.as_raw_handle(),
                    kind,
                    OWNER_SECURITY_INFORMATION,
                    &mut owner.sid,
                    ptr::null_mut(),
                    ptr::null_mut(),
                    ptr::null_mut(),
                    &mut owner.descriptor,
                )
            };
            match done {
                NO_ERROR => Ok(owner),
                error => Err(io::Error::from_raw_os_error(error.cast_signed())),
            }
        }

        /// Returns the identifier, which lives as long as this; `None`: the object has no owner.
        pub(crate) fn sid(&self) -> Option<PSID> {
            (!self.sid.is_null()).then_some(self.sid)
        }

        fn is(&self, kind: WELL_KNOWN_SID_TYPE) -> bool {
            // SAFETY: the identifier is within the descriptor, which lives as long as this.
            self.sid()
                .is_some_and(|sid| unsafe { IsWellKnownSid(sid, kind) } != 0)
        }
    }

    impl Drop for Owner {
        fn drop(&mut self) {
            // SAFETY: allocated by GetSecurityInfo, which requires LocalFree; it may be null.
            unsafe { LocalFree(self.descriptor.cast()) };
        }
    }

    pub(super) fn of_machine(path: &Path, open: &File) -> Result<(), Untrusted> {
        let is_trusted = Owner::of(open, SE_FILE_OBJECT).is_ok_and(|owner| {
            owner.is(WinBuiltinAdministratorsSid) || owner.is(WinLocalSystemSid)
        });
        match is_trusted {
            true => Ok(()),
            false => Err(Untrusted::NotOfMachine(path.to_owned())),
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "must match Unix")]
    pub(super) fn file(_: &Path, _: &Metadata) -> Result<(), Untrusted> {
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "must match Unix")]
    pub(super) fn way(_: &Path) -> Result<(), Untrusted> {
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "must match Unix")]
    pub(super) fn may_write(_: &Path) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(unix)]
mod os {
    use std::collections::{BTreeSet, VecDeque};
    use std::ffi::OsString;
    use std::fs::Metadata;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::{Component, Path, PathBuf};

    use super::Untrusted;
    use crate::bounded;

    /// Only the owner may rename or remove an entry of such a directory.
    const STICKY: u32 = 0o1000;
    /// The number of links that the kernel follows.
    const MOST_LINKS: u32 = 40;
    /// More than the user database of any machine that keeps it in files.
    const MOST_BYTES: u64 = 8 << 20;

    #[expect(clippy::unnecessary_wraps, reason = "must match Windows")]
    pub(super) fn of_machine(_: &Path, _: &std::fs::File) -> Result<(), Untrusted> {
        Ok(())
    }

    pub(super) fn may_write(path: &Path) -> std::io::Result<()> {
        let name = std::ffi::CString::new(path.as_os_str().as_bytes())?;
        // SAFETY: `name` is a nul-terminated string that outlives the call.
        match unsafe { libc::access(name.as_ptr(), libc::W_OK) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    }

    pub(super) fn file(path: &Path, meta: &Metadata) -> Result<(), Untrusted> {
        let me = me();
        if !is_ours(meta.uid(), me) {
            let owner = meta.uid();
            return Err(Untrusted::Foreign { owner, me });
        }
        let mode = meta.mode() & 0o7777;
        match mode & 0o022 {
            0 => Ok(()),
            _ => Err(Untrusted::Open {
                path: path.to_owned(),
                mode,
            }),
        }
    }

    pub(super) fn way(path: &Path) -> Result<(), Untrusted> {
        let Ok(path) = std::path::absolute(path) else {
            return Ok(());
        };
        let mut rest = parts(&path);
        let mut at = PathBuf::from("/");
        let mut links = 0;
        while let Some(part) = rest.pop_front() {
            let next = match part.as_bytes() {
                b".." => {
                    at.pop();
                    continue;
                }
                _ => at.join(&part),
            };
            let (Ok(directory), Ok(entry)) = (
                std::fs::symlink_metadata(&at),
                std::fs::symlink_metadata(&next),
            ) else {
                return Ok(());
            };
            look_into(&at, &directory, &entry)?;
            if !entry.is_symlink() {
                at = next;
                continue;
            }
            links += 1;
            let Ok(target) = std::fs::read_link(&next) else {
                return Ok(());
            };
            if links > MOST_LINKS {
                return Ok(());
            }
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            for part in parts(&target).into_iter().rev() {
                rest.push_front(part);
            }
        }
        Ok(())
    }

    fn parts(path: &Path) -> VecDeque<OsString> {
        let parts = path.components().filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
        });
        parts.collect()
    }

    /// Checks that another user cannot replace this entry by something else.
    fn look_into(path: &Path, directory: &Metadata, entry: &Metadata) -> Result<(), Untrusted> {
        let me = me();
        let way = |why| Untrusted::Way {
            directory: path.to_owned(),
            why,
        };
        let owner = directory.uid();
        if !is_ours(owner, me) && !is_unmapped(owner) {
            return Err(way(format!("belongs to uid {owner}")));
        }
        let mode = directory.mode();
        let by_group =
            mode & 0o020 != 0 && (has_access_list(path) || !is_private_group(directory.gid(), me));
        let by_all = mode & 0o002 != 0;
        if !by_group && !by_all || is_read_only(path) {
            return Ok(());
        }
        if mode & STICKY != 0 {
            return if is_ours(entry.uid(), me) {
                Ok(())
            } else {
                let owner = entry.uid();
                Err(way(format!(
                    "holds an entry on the way that uid {owner} owns"
                )))
            };
        }
        let mode = mode & 0o7777;
        Err(way(format!(
            "may be written to by others (mode {mode:04o})"
        )))
    }

    pub(super) fn is_private_group(gid: u32, uid: u32) -> bool {
        if gid == 0 {
            return true; // root's own group
        }
        let read = |path| {
            let bytes = bounded::read(Path::new(path), MOST_BYTES).ok()?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        };
        let (Some(passwd), Some(group)) = (read("/etc/passwd"), read("/etc/group")) else {
            return false;
        };
        has_only(gid, uid, &passwd, &group)
    }

    /// Applies passwd(5) and group(5).
    fn has_only(gid: u32, uid: u32, passwd: &str, group: &str) -> bool {
        let mut own = BTreeSet::from(["root"]);
        for line in passwd.lines() {
            let mut fields = line.split(':');
            let (name, user) = (fields.next(), fields.nth(1));
            let (Some(name), Some(user)) = (name, user.and_then(|user| user.parse().ok())) else {
                continue;
            };
            if is_ours(user, uid) {
                own.insert(name);
            } else if fields.next().and_then(|field| field.parse().ok()) == Some(gid) {
                return false;
            }
        }
        let mut is_known = false;
        for line in group.lines() {
            let mut fields = line.split(':');
            if fields.nth(2).and_then(|field| field.parse().ok()) != Some(gid) {
                continue;
            }
            is_known = true;
            let mut members = fields.next().unwrap_or_default().split(',');
            if members.any(|name| !name.is_empty() && !own.contains(name)) {
                return false;
            }
        }
        is_known
    }

    fn is_ours(owner: u32, me: u32) -> bool {
        owner == me || owner == 0
    }

    /// Reports whether the owner is not mapped. In a user namespace that does not map its owner, a
    /// directory from outside (often `/`) shows the overflow uid: no user inside the namespace can
    /// be that user.
    fn is_unmapped(owner: u32) -> bool {
        let read = |path| bounded::read(Path::new(path), 64 << 10);
        let number = |bytes: &[u8]| std::str::from_utf8(bytes).ok()?.trim().parse::<u32>().ok();
        let overflow = read("/proc/sys/kernel/overflowuid");
        if overflow.ok().and_then(|bytes| number(&bytes)) != Some(owner) {
            return false;
        }
        let Ok(map) = read("/proc/self/uid_map") else {
            return false;
        };
        let map = String::from_utf8_lossy(&map);
        let covers = |line: &str| {
            let mut fields = line.split_ascii_whitespace().map(str::parse::<u64>);
            let (Some(Ok(first)), Some(Ok(count))) = (fields.next(), fields.nth(1)) else {
                return true;
            };
            (first..first.saturating_add(count)).contains(&u64::from(owner))
        };
        !map.lines().any(covers)
    }

    /// Reports whether an access list gives more than the owner and the group have.
    #[cfg(target_os = "linux")]
    fn has_access_list(path: &Path) -> bool {
        rustix::fs::getxattr(path, "system.posix_acl_access", &mut [0_u8; 0]).is_ok()
    }

    #[cfg(not(target_os = "linux"))]
    fn has_access_list(_: &Path) -> bool {
        false
    }

    /// Reports whether the mount is read-only: no user can write there through it, as in a volume
    /// of Kubernetes, which is 0777 and read-only.
    #[cfg(target_os = "linux")]
    fn is_read_only(path: &Path) -> bool {
        rustix::fs::statvfs(path)
            .is_ok_and(|mount| mount.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
    }

    #[cfg(not(target_os = "linux"))]
    fn is_read_only(_: &Path) -> bool {
        false
    }

    fn me() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    #[cfg(test)]
    mod tests {
        use super::has_only;

        #[test]
        fn a_group_is_private_if_no_other_user_is_in_it() {
            let passwd = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/h:/s\nbob:x:1001:100::/h:/s\n\
                          cat:x:1002:100::/h:/s\ndan:x:1003:1003::/h:/s\n";
            let group = "root:x:0:\nusers:x:100:\nann:x:1000:\ndan:x:1003:bob\nstaff:x:50:\n\
                         wheel:x:10:root,ann\nodd\n";
            let only = |gid, uid| has_only(gid, uid, passwd, group);
            assert!(only(1000, 1000), "her own");
            assert!(!only(1000, 1001), "another one's");
            assert!(!only(100, 1001), "the primary group of two");
            assert!(!only(1003, 1003), "somebody was added to it");
            assert!(only(50, 1000), "with no user at all");
            assert!(only(10, 1000) && !only(10, 1001));
            assert!(!only(4711, 1000), "of a directory service");
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::{file, way};

    fn mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn said(path: &Path) -> String {
        let meta = std::fs::metadata(path).unwrap();
        match file(path, &meta).and_then(|()| way(path)) {
            Ok(()) => String::new(),
            Err(why) => why.to_string(),
        }
    }

    #[test]
    fn a_file_that_others_may_write_to_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, "").unwrap();
        for (bits, trusted) in [
            (0o600, true),
            (0o644, true),
            (0o755, true),
            (0o664, false),
            (0o602, false),
        ] {
            mode(&path, bits);
            assert_eq!(said(&path).is_empty(), trusted, "{bits:o}");
        }
    }

    #[test]
    fn a_directory_that_others_may_write_to_is_named_also_behind_links() {
        let folder = tempfile::tempdir().unwrap();
        let (open, shut) = (folder.path().join("open"), folder.path().join("shut"));
        for dir in [&open, &shut] {
            std::fs::create_dir(dir).unwrap();
        }
        std::fs::write(open.join("program"), "").unwrap();
        mode(&open.join("program"), 0o755);
        std::os::unix::fs::symlink("../open/program", shut.join("link")).unwrap();
        assert_eq!(said(&shut.join("link")), "");
        mode(&open, 0o777);
        for path in [open.join("program"), shut.join("link")] {
            let said = said(&path);
            assert!(
                said.contains("/open may be written to by others (mode 0777)"),
                "{said}"
            );
        }
        // As in /tmp: the owner of the file decides.
        mode(&open, 0o1777);
        assert_eq!(said(&shut.join("link")), "");
    }

    #[test]
    fn what_belongs_to_another_user_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("theirs");
        let path = dir.join("f");
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(&path, "").unwrap();
        if std::os::unix::fs::chown(&path, Some(65534), None).is_err() {
            println!("skipped: only root can give a file away");
            return;
        }
        assert!(
            said(&path).contains("belongs to uid 65534"),
            "{}",
            said(&path)
        );
        std::os::unix::fs::chown(&path, Some(0), None).unwrap();
        std::os::unix::fs::chown(&dir, Some(65534), None).unwrap();
        assert!(
            said(&path).contains("theirs belongs to uid 65534"),
            "{}",
            said(&path)
        );
        // A link of another user in a directory that is writable for all leads wherever that user
        // wants.
        let temp = folder.path().join("temp");
        std::fs::create_dir(&temp).unwrap();
        mode(&temp, 0o1777);
        let link = temp.join("link");
        std::os::unix::fs::symlink("/etc/hostname", &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(65534), None).unwrap();
        let said = way(&link).unwrap_err().to_string();
        assert!(said.contains("temp holds an entry"), "{said}");
    }
}
