//! The go env file: where it is (`cfg.go:EnvFile`, `os.UserConfigDir`) and what it holds.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::bounded;
use crate::environment::Environment;
use crate::model::status::Shadow;
use crate::model::{EnvText, mask};

/// The maximum length of the file, in bytes. A real one has a few hundred.
pub(super) const MOST_BYTES: u64 = 1 << 20;

/// The go env file of this user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvFile {
    /// As go computes it; may be a symbolic link, may not exist yet.
    pub path: PathBuf,
}

/// Why there is no go env file to write. Exit code 4: refused for safety.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocateError {
    /// `GOENV=off`: go would still write the default file (`go env -w` does), so goroam must not call it.
    #[error(
        "GOENV=off: the user has turned the go env file off, so goroam writes nothing; unset GOENV to change that"
    )]
    Off,
    /// Neither HOME nor XDG_CONFIG_HOME is set.
    #[error("no go env file: neither HOME nor XDG_CONFIG_HOME is set")]
    NoHome,
    /// A relative GOENV would mean another file in each directory.
    #[error(
        "GOENV={0} is relative: it would be another file in each folder, so goroam writes nothing; give it an absolute path or unset it"
    )]
    Relative(String),
    /// go then has no env file (`os.UserConfigDir`), or another one in each directory.
    #[error(
        "{name}={value} is relative, so there is no go env file; give it an absolute path or unset it"
    )]
    RelativeFolder {
        /// HOME, or another variable that go reads.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// The home directory belongs to another user (`sudo` without `-H`).
    #[error(
        "{home} belongs to uid {owner}, but goroam runs as uid {me}: it would leave files there that their owner cannot change. Run it as that user"
    )]
    ForeignHome {
        /// The home directory, or the file itself if that belongs to another user.
        home: PathBuf,
        /// The uid of its owner.
        owner: u32,
        /// The uid that goroam runs as.
        me: u32,
    },
}

impl EnvFile {
    /// Finds it by go's rules.
    ///
    /// # Errors
    /// See [`LocateError`].
    pub fn locate(env: &Environment) -> Result<EnvFile, LocateError> {
        let path = match env.get("GOENV") {
            Some("off") => return Err(LocateError::Off),
            Some(path) if !Path::new(path).is_absolute() => {
                return Err(LocateError::Relative(path.to_owned()));
            }
            Some(path) => PathBuf::from(path),
            None => {
                let (base, folder) = config_folder(env)?;
                owner::check_folder(&base)?;
                folder.join("go").join("env")
            }
        };
        owner::check_file(&path)?;
        Ok(EnvFile { path })
    }

    /// Returns its content; `Ok(None)` if there is none.
    ///
    /// # Errors
    /// If it exists but cannot be read, is a directory or a device, or is longer than 1 MiB.
    pub fn read(&self) -> io::Result<Option<EnvText>> {
        Ok(read_file(&self.path)?.map(EnvText))
    }
}

/// Returns the bytes of a regular file, bounded; `Ok(None)` if there is none.
pub(super) fn read_file(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match bounded::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    read_open(&file).map(Some)
}

/// Returns the bytes of an open regular file from its beginning, bounded.
pub(super) fn read_open(file: &File) -> io::Result<Vec<u8>> {
    let meta = file.metadata()?;
    if let Some(what) = not_a_file(&meta) {
        let kind = if meta.is_dir() {
            io::ErrorKind::IsADirectory
        } else {
            io::ErrorKind::InvalidInput
        };
        return Err(io::Error::new(kind, format!("is {what}, not a file")));
    }
    let mut file = file;
    io::Seek::seek(&mut file, io::SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "is longer than 1 MiB, so it is not a go env file",
        ));
    }
    Ok(bytes)
}

/// Returns "a folder" or "a device or pipe" if it is not a regular file.
pub(super) fn not_a_file(meta: &std::fs::Metadata) -> Option<&'static str> {
    let what = if meta.is_dir() {
        "a folder"
    } else {
        "a device or pipe"
    };
    (!meta.is_file()).then_some(what)
}

/// `os.UserConfigDir`, and the directory that the user must own.
fn config_folder(env: &Environment) -> Result<(PathBuf, PathBuf), LocateError> {
    if cfg!(windows) {
        let folder = env.path("AppData").or_else(|| env.path("APPDATA"));
        return folder.map(|it| (it.clone(), it)).ok_or(LocateError::NoHome);
    }
    if cfg!(target_vendor = "apple") {
        let home = absolute(env, "HOME")?.ok_or(LocateError::NoHome)?;
        let folder = home.join("Library").join("Application Support");
        return Ok((home, folder));
    }
    // go 1.21 accepted a relative one; later releases report an error and use none.
    if let Some(folder) = absolute(env, "XDG_CONFIG_HOME")? {
        return Ok((folder.clone(), folder));
    }
    let home = absolute(env, "HOME")?.ok_or(LocateError::NoHome)?;
    let folder = home.join(".config");
    Ok((home, folder))
}

/// Returns the path in a variable, and refuses a relative one. go accepts a relative HOME and
/// creates directories in its present directory; goroam does not.
fn absolute(env: &Environment, name: &'static str) -> Result<Option<PathBuf>, LocateError> {
    match env.path(name) {
        Some(path) if !path.is_absolute() => Err(LocateError::RelativeFolder {
            name,
            value: path.display().to_string(),
        }),
        path => Ok(path),
    }
}

#[cfg(unix)]
mod owner {
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;

    use super::LocateError;

    /// Checks that a home or config directory is the user's own. One that belongs to root is not
    /// another user's home: containers run any uid with `HOME=/`.
    pub(super) fn check_folder(path: &Path) -> Result<(), LocateError> {
        match std::fs::metadata(path) {
            Ok(meta) if meta.uid() != 0 => refuse_foreign(path, meta.uid()),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Checks that an existing file is the user's own. Also, root must not leave a new one in
    /// another user's directory.
    pub(super) fn check_file(path: &Path) -> Result<(), LocateError> {
        if let Ok(meta) = std::fs::metadata(path) {
            return match meta.is_file() {
                true => refuse_foreign(path, meta.uid()),
                false => Ok(()), // not a regular file; prepare reports that more clearly
            };
        }
        if me() != 0 {
            return Ok(()); // the directory's permissions decide
        }
        let mut folders = path.ancestors().skip(1);
        let found = folders.find_map(|folder| Some((folder, std::fs::metadata(folder).ok()?)));
        found.map_or(Ok(()), |(folder, meta)| refuse_foreign(folder, meta.uid()))
    }

    fn refuse_foreign(path: &Path, owner: u32) -> Result<(), LocateError> {
        let me = me();
        if owner == me {
            return Ok(());
        }
        Err(LocateError::ForeignHome {
            home: path.to_owned(),
            owner,
            me,
        })
    }

    fn me() -> u32 {
        rustix::process::geteuid().as_raw()
    }
}

/// Windows has no uid; a profile directory that belongs to another user cannot be written.
#[cfg(not(unix))]
mod owner {
    use std::path::Path;

    use super::LocateError;

    #[expect(clippy::unnecessary_wraps, reason = "must match Unix")]
    pub(super) fn check_folder(_: &Path) -> Result<(), LocateError> {
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "must match Unix")]
    pub(super) fn check_file(_: &Path) -> Result<(), LocateError> {
        Ok(())
    }
}

/// Returns the managed names whose value in this environment differs from the go env file (`None`:
/// no line), with credentials hidden. An empty value does not override: go treats it as unset.
pub fn shadows(env: &Environment, written: &BTreeMap<String, Option<String>>) -> Vec<Shadow> {
    let shadow = |(name, written): (&String, &Option<String>)| {
        let value = mask(env.get(name)?);
        let written = written.as_deref().map(mask);
        (written.as_ref() != Some(&value)).then(|| Shadow {
            name: name.clone(),
            value,
            written,
        })
    };
    written.iter().filter_map(shadow).collect()
}

/// Where go keeps what it downloads (`cfg.go:gopathDir`, `cfg.go:GOMODCACHE`), by the environment,
/// the go env file, or go's defaults. Neither directory need exist.
#[derive(Debug, Clone)]
pub struct GoDirectories {
    /// The first directory of GOPATH; `None` if there is no home directory either.
    pub gopath: Option<PathBuf>,
    /// GOMODCACHE, after the name of the variable that decides it.
    pub modcache: Option<(&'static str, PathBuf)>,
}

impl GoDirectories {
    /// Reads both. An empty variable counts as unset.
    pub fn find(env: &Environment) -> GoDirectories {
        let file = EnvFile::locate(env).ok().and_then(|file| file.read().ok());
        let file = file.flatten().unwrap_or_default();
        let value = |name: &str| {
            let written = || file.get(name);
            let value = env.get(name).or_else(written);
            value.filter(|value| !value.is_empty()).map(str::to_owned)
        };
        let gopath = value("GOPATH").and_then(|list| std::env::split_paths(&list).next());
        let gopath = gopath.or_else(|| Some(env.home()?.join("go")));
        let below_gopath = || Some(("GOPATH", gopath.as_ref()?.join("pkg").join("mod")));
        let modcache = value("GOMODCACHE").map(|value| ("GOMODCACHE", PathBuf::from(value)));
        GoDirectories {
            modcache: modcache.or_else(below_gopath),
            gopath,
        }
    }
}

#[cfg(test)]
mod shadow_tests {
    use super::{Environment, shadows};

    #[test]
    fn only_what_is_set_and_different_shadows() {
        let env: Environment = [
            ("GOPROXY", "https://joe:s3cret@h"),
            ("GOSUMDB", ""),
            ("GOPRIVATE", "a"),
            ("GOFLAGS", "-mod=mod"),
        ]
        .into_iter()
        .collect();
        let written = [
            ("GOPROXY".to_owned(), Some("https://bob:pass@h".to_owned())),
            ("GOSUMDB".to_owned(), Some("off".to_owned())),
            ("GOPRIVATE".to_owned(), Some("a".to_owned())),
            ("GOFLAGS".to_owned(), None),
        ];
        let found = shadows(&env, &written.into_iter().collect());
        let names: Vec<&str> = found.iter().map(|shadow| shadow.name.as_str()).collect();
        assert_eq!(names, ["GOFLAGS", "GOPROXY"]);
        assert_eq!(found[1].value, "https://joe:***@h");
        assert_eq!(found[1].written.as_deref(), Some("https://bob:***@h"));
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::path::Path;

    use super::{EnvFile, Environment, LocateError};

    fn locate(vars: &[(&str, &str)]) -> Result<EnvFile, LocateError> {
        EnvFile::locate(&vars.iter().copied().collect::<Environment>())
    }

    #[test]
    fn it_is_where_go_looks_for_it() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().to_str().unwrap();
        let path = locate(&[("HOME", home)]).unwrap().path;
        assert_eq!(path, Path::new(home).join(".config/go/env"));
        let xdg = format!("{home}/x");
        let path = locate(&[("HOME", home), ("XDG_CONFIG_HOME", &xdg)])
            .unwrap()
            .path;
        assert_eq!(path, Path::new(&xdg).join("go/env"));
        let own = format!("{home}/e");
        let path = locate(&[("HOME", "/nowhere"), ("GOENV", &own)])
            .unwrap()
            .path;
        assert_eq!(path, Path::new(&own));
    }

    #[test]
    fn off_relative_and_homeless_are_refused() {
        assert_eq!(
            locate(&[("HOME", "/"), ("GOENV", "off")]),
            Err(LocateError::Off)
        );
        assert_eq!(
            locate(&[("HOME", "/"), ("GOENV", "dev")]),
            Err(LocateError::Relative("dev".into()))
        );
        assert_eq!(locate(&[]), Err(LocateError::NoHome));
        assert_eq!(locate(&[("HOME", "")]), Err(LocateError::NoHome));
        let relative = |name, value: &str| {
            let value = value.to_owned();
            Err(LocateError::RelativeFolder { name, value })
        };
        assert_eq!(locate(&[("HOME", "here")]), relative("HOME", "here"));
        assert_eq!(
            locate(&[("HOME", "/"), ("XDG_CONFIG_HOME", "rel")]),
            relative("XDG_CONFIG_HOME", "rel")
        );
    }

    #[test]
    fn a_folder_and_a_device_and_a_pipe_say_what_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let read = |path: &Path| {
            EnvFile {
                path: path.to_owned(),
            }
            .read()
            .unwrap_err()
            .to_string()
        };
        assert!(read(folder.path()).contains("a folder"));
        assert!(read(Path::new("/dev/null")).contains("a device"));
        let big = folder.path().join("big");
        std::fs::write(&big, vec![b'x'; (1 << 20) + 1]).unwrap();
        assert!(read(&big).contains("1 MiB"));
        let none = EnvFile {
            path: folder.path().join("none"),
        };
        assert_eq!(none.read().unwrap(), None);
    }
}
