//! The attributes of a file: its owner, group and mode, its access list, its label and every other
//! extended attribute, and its chattr(1) flags. A file that replaces another one must have the
//! same.

use std::io;

#[cfg(target_os = "linux")]
use linux as os;
#[cfg(all(unix, not(target_os = "linux")))]
use unix as os;
#[cfg(not(unix))]
use windows as os;

/// An attribute that could not be copied, and the system's reason.
#[derive(Debug)]
#[cfg_attr(not(unix), allow(dead_code, reason = "nothing is lost there"))]
pub(super) struct Loss {
    pub(super) what: String,
    pub(super) source: io::Error,
}

/// Gives `copy` all attributes of `original`. At every moment, a user who may not read or write the
/// original may not read or write the copy.
///
/// # Errors
/// The attribute that cannot be set, or is missing afterwards. The copy is then at most as open as
/// the original.
pub(super) use os::carry;

#[cfg(unix)]
fn loss(what: impl Into<String>) -> impl FnOnce(io::Error) -> Loss {
    let what = what.into();
    move |source| Loss { what, source }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;
    use std::ffi::{CStr, CString};
    use std::fs::{File, Permissions};
    use std::io;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};

    use rustix::fs::{IFlags, XattrFlags, ioctl_getflags, ioctl_setflags};
    use rustix::fs::{fgetxattr, flistxattr, fremovexattr, fsetxattr};
    use rustix::io::Errno;

    use super::{Loss, loss};

    /// The kernel's limit for a name list and for a value (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`).
    const MOST: usize = 64 << 10;
    /// The kernel computes these from the content of the file, or drops them at every write: they
    /// do not survive `go env -w` either.
    const OF_THE_CONTENT: [&[u8]; 3] = [b"security.capability", b"security.ima", b"security.evm"];

    /// The flags that a user may set. The kernel itself sets some of the others, and a file that is
    /// immutable or append-only is not replaced at all.
    const FLAGS: IFlags = IFlags::NODUMP
        .union(IFlags::NOATIME)
        .union(IFlags::COMPRESSED)
        .union(IFlags::JOURNALING)
        .union(IFlags::NOTAIL)
        .union(IFlags::NOCOW)
        .union(IFlags::SYNC)
        .union(IFlags::from_bits_retain(0x400)); // FS_NOCOMP_FL

    #[derive(PartialEq, Eq)]
    struct Attributes {
        owner: (u32, u32),
        mode: u32,
        extended: BTreeMap<CString, Vec<u8>>,
        flags: IFlags,
    }

    pub(in crate::gocmd) fn carry(original: &File, copy: &File) -> Result<(), Loss> {
        let wanted = Attributes::of(original).map_err(loss("attributes"))?;
        let own = Attributes::of(copy).map_err(loss("attributes"))?;
        if own == wanted {
            return Ok(());
        }
        // Private until everything is set. The copy already has the directory's default access
        // list: without this line, the last chmod would give the users in that list access.
        let mode = |bits| copy.set_permissions(Permissions::from_mode(bits));
        mode(0o600).map_err(loss("mode"))?;
        if own.owner != wanted.owner {
            let (user, group) = wanted.owner;
            fchown(copy, Some(user), Some(group)).map_err(loss("owner and group"))?;
        }
        for name in own.extended.keys() {
            if !wanted.extended.contains_key(name) {
                fremovexattr(copy, name.as_c_str()).map_err(failed(name))?;
            }
        }
        for (name, value) in &wanted.extended {
            // The chmod above has changed an access list.
            if is_access_list(name) || own.extended.get(name) != Some(value) {
                fsetxattr(copy, name.as_c_str(), value, XattrFlags::empty())
                    .map_err(failed(name))?;
            }
        }
        if own.flags != wanted.flags {
            let others = flags(copy) - FLAGS;
            ioctl_setflags(copy, others | wanted.flags)
                .map_err(|error| loss("flags (chattr)")(error.into()))?;
        }
        mode(wanted.mode).map_err(loss("mode"))?;
        // A chmod drops the set-group-ID bit silently, and some file systems drop more.
        if Attributes::of(copy).map_err(loss("attributes"))? == wanted {
            Ok(())
        } else {
            Err(Loss {
                what: "attributes".to_owned(),
                source: io::Error::other("they are not the same afterwards"),
            })
        }
    }

    impl Attributes {
        fn of(file: &File) -> io::Result<Attributes> {
            let meta = file.metadata()?;
            let mut extended = BTreeMap::new();
            for name in names(file)? {
                let mut value = vec![0; MOST];
                match fgetxattr(file, name.as_c_str(), &mut value) {
                    Ok(length) => value.truncate(length),
                    // Removed meanwhile, or listed although this user may not read it.
                    Err(Errno::NODATA) => continue,
                    Err(error) => return Err(error.into()),
                }
                extended.insert(name, value);
            }
            Ok(Attributes {
                owner: (meta.uid(), meta.gid()),
                mode: meta.mode() & 0o7777,
                extended,
                flags: flags(file) & FLAGS,
            })
        }
    }

    /// Returns the flags; none if the file system does not support them.
    fn flags(file: &File) -> IFlags {
        ioctl_getflags(file).unwrap_or(IFlags::empty())
    }

    fn names(file: &File) -> io::Result<Vec<CString>> {
        let mut list = vec![0; MOST];
        match flistxattr(file, &mut list) {
            Ok(length) => list.truncate(length),
            Err(Errno::NOTSUP | Errno::NOSYS) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        }
        let names = list.split_inclusive(|byte| *byte == 0);
        let names = names.filter_map(|name| CStr::from_bytes_with_nul(name).ok());
        Ok(names
            .filter(|name| !OF_THE_CONTENT.contains(&name.to_bytes()))
            .map(CStr::to_owned)
            .collect())
    }

    fn is_access_list(name: &CStr) -> bool {
        name == c"system.posix_acl_access"
    }

    fn failed(name: &CStr) -> impl FnOnce(Errno) -> Loss {
        let what = match name.to_bytes() {
            b"system.posix_acl_access" | b"system.nfs4_acl" => "access control list (ACL)".into(),
            b"security.selinux" => "SELinux label".to_owned(),
            other => format!("extended attribute {}", String::from_utf8_lossy(other)),
        };
        |error| loss(what)(error.into())
    }
}

/// macOS copies access lists and extended attributes with one call. On other systems neither is
/// handled.
#[cfg(all(unix, not(target_os = "linux")))]
mod unix {
    use std::fs::{File, Permissions};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};

    use super::{Loss, loss};

    pub(in crate::gocmd) fn carry(original: &File, copy: &File) -> Result<(), Loss> {
        let wanted = original.metadata().map_err(loss("attributes"))?;
        let own = copy.metadata().map_err(loss("attributes"))?;
        let mode = |bits| copy.set_permissions(Permissions::from_mode(bits));
        mode(0o600).map_err(loss("mode"))?;
        if (own.uid(), own.gid()) != (wanted.uid(), wanted.gid()) {
            fchown(copy, Some(wanted.uid()), Some(wanted.gid()))
                .map_err(loss("owner and group"))?;
        }
        #[cfg(target_vendor = "apple")]
        copy_extended(original, copy).map_err(loss("access control list (ACL)"))?;
        mode(wanted.mode() & 0o7777).map_err(loss("mode"))
    }

    #[cfg(target_vendor = "apple")]
    fn copy_extended(original: &File, copy: &File) -> std::io::Result<()> {
        use std::os::fd::AsRawFd as _;

        let flags = libc::COPYFILE_ACL | libc::COPYFILE_XATTR;
        let (from, to) = (original.as_raw_fd(), copy.as_raw_fd());
        // SAFETY: both descriptors are open for the whole call; copyfile(3) allows a null state.
        match unsafe { libc::fcopyfile(from, to, std::ptr::null_mut(), flags) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    }
}

/// `ReplaceFileW` gives the copy the original's access list.
#[cfg(not(unix))]
mod windows {
    use std::fs::File;

    use super::Loss;

    #[expect(clippy::unnecessary_wraps, reason = "must match Unix")]
    pub(in crate::gocmd) fn carry(_: &File, _: &File) -> Result<(), Loss> {
        Ok(())
    }
}
