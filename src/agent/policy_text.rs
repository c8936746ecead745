//! Reading the policy file, with everything that makes one unfit to be followed.

use std::io::{self, Read};
use std::path::Path;

use super::error::Error;
use crate::bounded;
use crate::trust;

/// More than any policy needs: a file beyond this is something else.
pub const POLICY_LIMIT: u64 = 1024 * 1024;

/// The text of a policy file. Refuses, as ssh does, a file that others may write to or put
/// another one in the place of: who writes the policy decides where modules come from.
///
/// # Errors
/// [`Error::PolicyFile`], when it cannot be read, is too big or not UTF-8, or is not safe.
pub fn read_policy_text(path: &Path) -> Result<String, Error> {
    let text = read_policy_to_check(path)?;
    trust::way(path).map_err(|why| Error::PolicyFile {
        path: path.to_owned(),
        why: why.to_string(),
        unsafe_mode: true,
    })?;
    Ok(text)
}

/// The same of one that is not to be followed, wherever it lies.
///
/// # Errors
/// [`Error::PolicyFile`], when it cannot be read, is too big or not UTF-8, or others may write
/// to it.
pub fn read_policy_to_check(path: &Path) -> Result<String, Error> {
    let failed = |why: String, unsafe_mode: bool| Error::PolicyFile {
        path: path.to_owned(),
        why,
        unsafe_mode,
    };
    let cannot = |error: io::Error| {
        let why = match (error.kind(), std::fs::read_link(path)) {
            (io::ErrorKind::NotFound, Ok(target)) => {
                format!("is a link to {}, which is not there", target.display())
            }
            (io::ErrorKind::NotFound, Err(_)) => {
                "there is no such file; `goroam init` writes one".to_owned()
            }
            (io::ErrorKind::IsADirectory | io::ErrorKind::InvalidInput, _) => error.to_string(),
            (_, _) => format!("cannot be read: {error}"),
        };
        failed(why, false)
    };
    let file = bounded::open(path).map_err(cannot)?;
    let meta = file.metadata().map_err(cannot)?;
    if let Err(why) = trust::file(path, &meta) {
        return Err(failed(why.to_string(), true));
    }
    let mut bytes = Vec::new();
    file.take(POLICY_LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(cannot)?;
    if bytes.len() as u64 > POLICY_LIMIT {
        let why = format!(
            "is bigger than {} KiB, so it is no policy",
            POLICY_LIMIT / 1024
        );
        return Err(failed(why, false));
    }
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let before = error.as_bytes().iter().take(offset);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        failed(
            format!("is not UTF-8 (byte {offset}, line {line}); save it as UTF-8"),
            false,
        )
    })
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{POLICY_LIMIT, read_policy_text};
    use crate::agent::Error;

    fn refused(bytes: &[u8], mode: u32) -> (String, u8) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("goroam.toml");
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let error: Error = read_policy_text(&path).unwrap_err();
        (error.to_string(), error.exit_code())
    }

    #[test]
    fn a_policy_that_others_may_write_to_is_refused() {
        for mode in [0o664, 0o646, 0o666] {
            let (message, exit) = refused(b"version = 1\n", mode);
            assert!(message.contains("chmod go-w"), "{message}");
            assert_eq!(exit, 4);
        }
    }

    #[test]
    fn a_policy_that_others_may_replace_is_refused_wherever_the_open_folder_is() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let inner = root.join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        let path = inner.join("goroam.toml");
        std::fs::write(&path, "version = 1\n").unwrap();
        let mode = |path: &std::path::Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(&path, 0o600);
        for open in [&inner, &root.join("a")] {
            for (bits, is_open) in [
                (0o755, false),
                (0o777, true),
                (0o733, true),
                (0o1777, false),
            ] {
                mode(open, bits);
                let read = read_policy_text(&path);
                assert_eq!(read.is_err(), is_open, "{} {bits:o}", open.display());
                let Err(error) = read else { continue };
                let named = format!("{} may be written to by others", open.display());
                assert!(error.to_string().contains(&named), "{error}");
                assert_eq!(error.exit_code(), 4);
            }
            mode(open, 0o755);
        }
    }

    #[test]
    fn a_text_that_is_not_utf_8_is_named_with_byte_and_line() {
        let (message, exit) = refused(b"version = 1\n# \xff\n", 0o600);
        assert!(message.contains("byte 14, line 2"), "{message}");
        assert_eq!(exit, 2);
    }

    #[test]
    fn a_file_of_just_the_limit_is_read_and_one_byte_more_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("goroam.toml");
        std::fs::write(&path, vec![b'#'; POLICY_LIMIT as usize]).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read_policy_text(&path).unwrap().len() as u64, POLICY_LIMIT);
        let (message, exit) = refused(&vec![b'#'; POLICY_LIMIT as usize + 1], 0o600);
        assert!(message.contains("bigger than 1024 KiB"), "{message}");
        assert_eq!(exit, 2);
    }

    #[test]
    fn a_folder_and_a_pipe_are_no_policies_and_nobody_waits_for_the_pipe() {
        let folder = tempfile::tempdir().unwrap();
        let error = read_policy_text(folder.path()).unwrap_err().to_string();
        assert!(error.contains("is a folder"), "{error}");
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let error = read_policy_text(&pipe).unwrap_err().to_string();
        assert!(error.contains("is a named pipe"), "{error}");
    }
}
