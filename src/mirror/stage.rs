//! Takes one version out of the module cache into the spool with as little copying as possible,
//! hashes its files, and decides whether it may be stored: every source that states a hash must
//! agree.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::layout::Layout;
use super::store::Staged;
use super::wants::Failed;
use crate::gomod::ModuleVersion;
use crate::gomod::form::{MOST_INFO, MOST_MOD, MOST_ZIP_HASH};
use crate::gomod::go_sum::Hashed;
use crate::gomod::stored::{
    Claim, DatabaseAnswer, FileFault, Source, StoredMod, StoredVersion, StoredZip, VersionFile,
    judge,
};
use crate::gomod::zip::ModZip;
use crate::{bounded, trust};

/// A version that may be stored.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) staged: Staged,
    pub(super) added: AddedVersion,
}

/// Takes a version out of the cache. With a `spool` name it also takes the zip, under that name.
///
/// It verifies the file in the spool, which no other user can replace.
pub(super) fn take(
    cache: &Layout,
    module: &ModuleVersion,
    spool: Option<PathBuf>,
    answer: DatabaseAnswer,
    claims: Vec<Claim>,
) -> Result<Taken, Failed> {
    let refused = |why: String| Failed::of(module, why);
    let lacks = |error: io::Error| {
        let is_absent = error.kind() == io::ErrorKind::NotFound;
        let what = if is_absent {
            "the module cache lacks it: "
        } else {
            ""
        };
        refused(format!("{what}{error}"))
    };
    module
        .escaped()
        .map_err(|error| refused(error.to_string()))?;
    let path = |part| cache.file(module, part).unwrap_or_default();
    let go_mod = bounded::read_named(&path(VersionFile::Mod), MOST_MOD).map_err(lacks)?;
    let info = match bounded::read_named(&path(VersionFile::Info), MOST_INFO) {
        Ok(info) => Some(info),
        Err(error) if spool.is_none() && error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(lacks(error)),
    };
    let mut version = StoredVersion {
        info: info.clone().map(Ok),
        go_mod: Some(Ok(StoredMod::of(&go_mod))),
        claims,
        ..StoredVersion::of(module, answer)
    };
    let (mut came, mut staged_zip) = (None, None);
    if let Some(to) = spool {
        let from = path(VersionFile::Zip);
        let named = |error: io::Error| {
            let why = format!("{}: {error}", from.display());
            lacks(io::Error::new(error.kind(), why))
        };
        let how = lift(&from, &to).map_err(named)?;
        let zip_bytes = std::fs::metadata(&to).map_err(named)?.len();
        came = Some(ZipCame { zip_bytes, how });
        let read = ModZip::open(&to).and_then(|zip| {
            zip.belongs_to(&module.path, &module.version)?;
            zip.h1()
        });
        let h1 = read.map_err(|error| {
            let _ = std::fs::remove_file(&to);
            // The spool's file name means nothing to a user.
            let (from, why) = (from.display(), error.why);
            let way_out = "remove it, or run `go clean -modcache`";
            refused(format!("its zip is none: {from}: {why}; {way_out}"))
        })?;
        version.zip_hash = bounded::read(&path(VersionFile::ZipHash), MOST_ZIP_HASH)
            .ok()
            .map(Ok);
        version.zip = Some(Ok(StoredZip {
            h1: Some(h1.clone()),
            go_mod: None,
        }));
        staged_zip = Some((to, h1));
    }
    let added = AddedVersion {
        zip: came,
        ..may_store(&version, path)?
    };
    let module = module.clone();
    let zip = staged_zip;
    let staged = Staged {
        module,
        zip,
        go_mod,
        info,
    };
    Ok(Taken { staged, added })
}

/// One version of the mirror.
#[derive(Debug, Clone, Serialize)]
pub struct AddedVersion {
    /// The module's path.
    pub module: String,
    /// The version.
    pub version: String,
    /// Size of its zip and how it was stored; `None` if it was there before.
    #[serde(flatten)]
    pub zip: Option<ZipCame>,
    /// The name of the checksum database, `go.sum`, or `go` (which checked it by the user's
    /// settings).
    pub proven_by: String,
    /// Why the mirror lacks the proof that go will ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_proof: Option<String>,
}

/// A zip that was not there before.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ZipCame {
    /// Its size in bytes.
    pub zip_bytes: u64,
    /// How it was stored.
    pub how: How,
}

/// How a file was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// As a second name of the same file (hard link): it takes no space.
    Link,
    /// As a copy that shares its blocks until one of the two is changed (reflink).
    Reflink,
    /// As a copy.
    Copy,
}

/// Stores `from` as `to`, which must not exist: by hard link, else by reflink, else by copy.
///
/// A file that users other than this one and root can write is never linked: they could change it
/// after its verification. If one of this user's own programs changes a linked file, both names
/// change; go never writes to a file in its cache again.
///
/// # Errors
/// When `from` is not a regular file, or `to` cannot be written.
pub(super) fn lift(from: &Path, to: &Path) -> io::Result<How> {
    if std::fs::symlink_metadata(from).is_ok_and(|meta| is_ours_alone(from, &meta))
        && std::fs::hard_link(from, to).is_ok()
    {
        // Checked again under its new name, which no other user can replace.
        if std::fs::symlink_metadata(to).is_ok_and(|meta| is_ours_alone(to, &meta)) {
            return Ok(How::Link);
        }
        std::fs::remove_file(to)?;
    }
    #[cfg(target_os = "macos")]
    if clone_file(from, to).is_ok() {
        return Ok(How::Reflink);
    }
    let mut source = bounded::open_no_link(from)?;
    let mut target = bounded::create_new(to)?;
    if reflink(&source, &target) {
        return Ok(How::Reflink);
    }
    io::copy(&mut source, &mut target)?;
    Ok(How::Copy)
}

fn is_ours_alone(path: &Path, meta: &std::fs::Metadata) -> bool {
    meta.is_file() && trust::file(path, meta).is_ok()
}

/// FICLONE (ioctl_ficlone(2)) changes nothing when it fails.
#[cfg(target_os = "linux")]
fn reflink(source: &File, target: &File) -> bool {
    rustix::fs::ioctl_ficlone(target, source).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn reflink(_: &File, _: &File) -> bool {
    false
}

#[cfg(target_os = "macos")]
fn clone_file(from: &Path, to: &Path) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt as _;

    /// `sys/clonefile.h`: does not follow a symbolic link. (It clones the link itself, which the
    /// check afterwards rejects.)
    const CLONE_NOFOLLOW: u32 = 1;
    let from = std::ffi::CString::new(from.as_os_str().as_bytes())?;
    let name = std::ffi::CString::new(to.as_os_str().as_bytes())?;
    // SAFETY: both are strings that end in NUL and outlive the call.
    if unsafe { libc::clonefile(from.as_ptr(), name.as_ptr(), CLONE_NOFOLLOW) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if std::fs::symlink_metadata(to)?.is_file() {
        return Ok(());
    }
    std::fs::remove_file(to)?;
    Err(io::ErrorKind::InvalidInput.into())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn what_only_this_user_writes_is_linked_and_the_rest_is_not() {
        let root = tempfile::tempdir().unwrap();
        let from = root.path().join("from");
        std::fs::write(&from, "content").unwrap();
        let set = |mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&from, mode).unwrap();
        };
        let inode = |path: &Path| std::fs::metadata(path).unwrap().ino();
        set(0o644);
        let to = root.path().join("linked");
        assert_eq!(lift(&from, &to).unwrap(), How::Link);
        assert_eq!(inode(&from), inode(&to));
        for (mode, name) in [(0o664, "group"), (0o646, "others")] {
            set(mode);
            let to = root.path().join(name);
            assert_ne!(lift(&from, &to).unwrap(), How::Link, "{name}");
            assert_ne!(inode(&from), inode(&to), "{name}");
            assert_eq!(std::fs::read(&to).unwrap(), b"content");
        }
    }

    #[test]
    fn a_symbolic_link_a_pipe_and_a_folder_are_not_brought() {
        let root = tempfile::tempdir().unwrap();
        let link = root.path().join("link");
        std::fs::write(root.path().join("file"), "x").unwrap();
        symlink("file", &link).unwrap();
        let pipe = root.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        for from in [link, pipe, root.path().to_owned()] {
            let to = root.path().join("to");
            assert!(lift(&from, &to).is_err(), "{}", from.display());
            assert!(!to.exists());
        }
    }
}

/// Rejects a version that differs from what any source states, and one that nothing proves.
/// Otherwise names the strongest source. `path`: where its files are.
pub(super) fn may_store(
    version: &StoredVersion<'_>,
    path: impl Fn(VersionFile) -> PathBuf,
) -> Result<AddedVersion, Failed> {
    let refused = |why: String| Failed::of(version.module, why);
    for flaw in judge(version).flaws {
        let (by, expected, found) = match (flaw.file, flaw.fault) {
            (
                _,
                FileFault::Differs {
                    by,
                    expected,
                    found,
                    ..
                },
            ) => (by, expected, found),
            (file @ (VersionFile::Mod | VersionFile::Info), FileFault::Broken { why, .. }) => {
                let name = if file == VersionFile::Mod {
                    "go.mod"
                } else {
                    ".info"
                };
                return Err(refused(format!(
                    "its {name} {why} ({}): a login page may have answered in its place. \
                     `goroam doctor --cache --fix` removes such files",
                    path(file).display()
                )));
            }
            _ => continue,
        };
        let by = match by {
            Source::Database(name) => name,
            Source::GoSum(place) => place,
            Source::ZipHash | Source::Zip | Source::NotedMod => {
                path(VersionFile::ZipHash).display().to_string()
            }
        };
        // A stored hash that differs from a proven zip is also a fault: go would reject the two as
        // well.
        let (what, here, said) = match flaw.file {
            VersionFile::ZipHash => ("zip", expected, found),
            VersionFile::Zip => ("zip", found, expected),
            VersionFile::Mod | VersionFile::Info => ("go.mod", found, expected),
        };
        return Err(Failed {
            mismatch: true,
            ..refused(format!(
                "checksum mismatch of its {what}\nhere: {here}\n{by}: {said}\nOne of them was \
                 changed after it was made. Compare both with what the module's origin says before \
                 you trust either."
            ))
        });
    }
    let is_claimed = |of| version.claims.iter().any(|claim| claim.of == of);
    let in_go_sum = is_claimed(Hashed::GoMod) && (version.zip.is_none() || is_claimed(Hashed::Zip));
    let (by, without_proof) = match &version.answer {
        DatabaseAnswer::Sums { by, zip, go_mod } => {
            if go_mod.is_none() || version.zip.is_some() && zip.is_none() {
                let why = format!("{by} has no checksum of {}", version.module);
                return Err(refused(why));
            }
            (by.as_str(), None)
        }
        DatabaseAnswer::Absent(why) | DatabaseAnswer::False(why) if in_go_sum => {
            ("go.sum", Some(why.clone()))
        }
        DatabaseAnswer::Absent(why) | DatabaseAnswer::False(why) => {
            return Err(refused(format!(
                "nothing proves it: no go.sum names it, and {why}"
            )));
        }
        DatabaseAnswer::NotAsked(_) if in_go_sum => ("go.sum", None),
        DatabaseAnswer::NotAsked(_) => ("go", None),
    };
    Ok(AddedVersion {
        module: version.module.path.clone(),
        version: version.module.version.clone(),
        zip: None,
        proven_by: by.to_owned(),
        without_proof,
    })
}

#[cfg(test)]
mod judge_tests {
    use super::*;
    use crate::gomod::ModuleVersion;

    fn h1(letter: &str) -> String {
        format!("h1:{}=", letter.repeat(43))
    }

    fn says(zip: &str, go_mod: &str) -> DatabaseAnswer {
        DatabaseAnswer::Sums {
            by: "sum.test".to_owned(),
            zip: Some(h1(zip)),
            go_mod: Some(h1(go_mod)),
        }
    }

    fn not_asked() -> DatabaseAnswer {
        DatabaseAnswer::NotAsked("private".to_owned())
    }

    /// The zip's hash is that of `z`, the go.mod's that of `m`.
    fn judged(
        claims: (Option<&str>, Option<&str>),
        noted: Option<&str>,
        answer: &DatabaseAnswer,
    ) -> Result<AddedVersion, Failed> {
        let claim = |of, letter: Option<&str>| {
            letter.map(|letter| Claim {
                of,
                hash: h1(letter),
                by: "/p/go.sum".to_owned(),
                sure: true,
            })
        };
        let claims = [claim(Hashed::Zip, claims.0), claim(Hashed::GoMod, claims.1)];
        let module = ModuleVersion::new("a.test/b", "v1.0.0");
        let version = StoredVersion {
            go_mod: Some(Ok(StoredMod {
                hash: h1("m"),
                form: Ok(()),
            })),
            zip_hash: noted.map(|letter| Ok(h1(letter).into_bytes())),
            zip: Some(Ok(StoredZip {
                h1: Some(h1("z")),
                go_mod: None,
            })),
            claims: claims.into_iter().flatten().collect(),
            ..StoredVersion::of(&module, answer.clone())
        };
        may_store(&version, |file| format!("/c/v1.0.0{}", file.end()).into())
    }

    #[test]
    fn each_source_can_refuse_it() {
        let (good, private) = (says("z", "m"), not_asked());
        let (other_zip, other_mod) = (says("X", "m"), says("z", "X"));
        for (claims, noted, answer, by) in [
            ((Some("X"), None), None, &good, "/p/go.sum"),
            ((None, Some("X")), None, &good, "/p/go.sum"),
            ((None, Some("X")), None, &private, "/p/go.sum"),
            ((None, None), Some("X"), &good, "/c/v1.0.0.ziphash"),
            ((None, None), Some("X"), &private, "/c/v1.0.0.ziphash"),
            ((None, None), None, &other_zip, "sum.test"),
            ((None, None), None, &other_mod, "sum.test"),
        ] {
            let refusal = judged(claims, noted, answer).unwrap_err();
            assert!(refusal.mismatch, "{refusal:?}");
            let said = format!("\n{by}: {}\n", h1("X"));
            assert!(refusal.why.contains(&said), "{refusal:?}");
        }
    }

    #[test]
    fn the_strongest_source_is_named() {
        let good = says("z", "m");
        let (both, none) = ((Some("z"), Some("m")), (None, None));
        let by =
            |claims, answer: &DatabaseAnswer| judged(claims, Some("z"), answer).unwrap().proven_by;
        assert_eq!(by(both, &good), "sum.test");
        assert_eq!(by(both, &not_asked()), "go.sum");
        assert_eq!(by((Some("z"), None), &not_asked()), "go");
        assert_eq!(by(none, &not_asked()), "go");
    }

    #[test]
    fn without_the_database_only_a_whole_go_sum_will_do() {
        for answer in [DatabaseAnswer::Absent, DatabaseAnswer::False] {
            let answer = answer("it is asleep".to_owned());
            let (both, half) = ((Some("z"), Some("m")), (Some("z"), None));
            let verified = judged(both, None, &answer).unwrap();
            assert_eq!(verified.without_proof.as_deref(), Some("it is asleep"));
            let refusal = judged(half, None, &answer).unwrap_err();
            assert!(
                !refusal.mismatch && refusal.why.contains("it is asleep"),
                "{refusal:?}"
            );
        }
    }

    #[test]
    fn a_record_that_lacks_the_zip_proves_no_zip() {
        let half = DatabaseAnswer::Sums {
            by: "sum.test".to_owned(),
            zip: None,
            go_mod: Some(h1("m")),
        };
        assert!(judged((None, None), None, &half).is_err());
    }
}
