//! A Unix socket in a private directory.

use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;
use tokio::net::{UnixListener, UnixStream};

use crate::paths::Paths;

/// The agent's end of a connection.
pub(super) type ServerEnd = UnixStream;
/// The client's end of a connection.
pub(super) type ClientEnd = UnixStream;

/// A listening socket; dropping it removes the file.
#[derive(Debug)]
pub(super) struct Listener {
    socket: UnixListener,
    path: PathBuf,
    /// Device and inode: a later agent's file must not be removed.
    identity: (u64, u64),
}

impl Listener {
    /// Listens at `paths.socket()`. Only the holder of the agent's lock may call this: a file at
    /// that path then belongs to a dead agent, and is removed.
    pub(super) fn bind(paths: &Paths) -> io::Result<Listener> {
        make_private_folder(&paths.runtime)?;
        let path = paths.socket();
        remove_stale(&path)?;
        let socket = UnixListener::bind(&path).map_err(|error| {
            // The library's message is "SUN_LEN".
            let is_long = error.kind() == io::ErrorKind::InvalidInput;
            if is_long {
                io::Error::new(error.kind(), TOO_LONG)
            } else {
                error
            }
        })?;
        // Up to here only the directory's mode kept other users out; on some systems nothing else
        // does.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        let identity = identity(&path)?;
        Ok(Listener {
            socket,
            path,
            identity,
        })
    }

    /// Listens again if the directory was cleared; a file that another program created there stays.
    pub(super) fn keep(&mut self, paths: &Paths) -> io::Result<()> {
        let seen = identity(&self.path);
        if seen.is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            *self = Listener::bind(paths)?;
            tracing::info!("{} was removed; listening there again", self.path.display());
        }
        Ok(())
    }

    /// Returns the next client of the same user. Clients of other users are disconnected without an
    /// answer.
    pub(super) async fn accept(&mut self) -> io::Result<ServerEnd> {
        loop {
            let (stream, _) = self.socket.accept().await?;
            match check_peer(&stream) {
                Ok(()) => return Ok(stream),
                Err(error) => tracing::warn!("refused a client: {error}"),
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let ours = identity(&self.path).is_ok_and(|identity| identity == self.identity);
        if ours && let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!("{}: {error}", self.path.display());
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let meta = std::fs::symlink_metadata(path)?;
    Ok((meta.dev(), meta.ino()))
}

/// Connects to the agent of this user. `NotFound` and `ConnectionRefused`: no agent runs.
pub(super) async fn connect(paths: &Paths) -> io::Result<ClientEnd> {
    let stream = UnixStream::connect(paths.socket()).await?;
    // Another user's server at this path would learn our command, and could answer with lies.
    check_peer(&stream)?;
    Ok(stream)
}

/// Returns the listening process, if the system reports it.
pub(super) fn server_pid(stream: &ClientEnd) -> Option<u32> {
    let pid = stream.peer_cred().ok()?.pid()?;
    u32::try_from(pid).ok()
}

fn check_peer(stream: &UnixStream) -> io::Result<()> {
    let peer = stream.peer_cred()?.uid();
    if peer == own_uid() {
        return Ok(());
    }
    let why = format!("the other end of the socket is user {peer}");
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

fn own_uid() -> u32 {
    geteuid().as_raw()
}

/// Makes the directory 0700 and owned by this user, whatever the umask and the user that created
/// it.
fn make_private_folder(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)?;
    let meta = std::fs::symlink_metadata(path)?;
    if !meta.is_dir() || meta.uid() != own_uid() {
        let why = format!("{} is not a folder of this user", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    if meta.mode() & 0o077 != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn remove_stale(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.file_type().is_socket() => std::fs::remove_file(path),
        Ok(_) => {
            let why = format!(
                "{} is in the way and is not a socket; move it away",
                path.display()
            );
            Err(io::Error::new(io::ErrorKind::AlreadyExists, why))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(not(target_os = "macos"))]
const TOO_LONG: &str =
    "the path is too long for a socket (108 bytes); set XDG_RUNTIME_DIR to a shorter one";
/// On macOS the socket is in the home directory: launchd empties its temporary directories every
/// three days.
#[cfg(target_os = "macos")]
const TOO_LONG: &str = "the path is too long for a socket (104 bytes); goroam needs a home whose path has less than 54 bytes";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{Listener, connect};
    use crate::paths::Paths;

    fn paths(folder: &std::path::Path) -> Paths {
        Paths {
            policy: folder.join("goroam.toml"),
            policy_named: false,
            machine_policy: "/nowhere/goroam.toml".into(),
            state: folder.join("state"),
            data: folder.join("state"),
            runtime: folder.join("run/goroam"),
        }
    }

    fn mode(path: &std::path::Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[tokio::test]
    async fn folder_and_socket_are_private_even_if_the_folder_was_open() {
        let folder = tempfile::tempdir().unwrap();
        let paths = paths(folder.path());
        std::fs::create_dir_all(&paths.runtime).unwrap();
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&paths.runtime, open).unwrap();
        let _listener = Listener::bind(&paths).unwrap();
        assert_eq!(mode(&paths.runtime), 0o700);
        assert_eq!(mode(&paths.socket()), 0o600);
    }

    #[tokio::test]
    async fn a_dead_agents_socket_is_replaced_and_a_file_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let paths = paths(folder.path());
        std::fs::create_dir_all(&paths.runtime).unwrap();
        drop(std::os::unix::net::UnixListener::bind(paths.socket()).unwrap());
        assert!(paths.socket().exists(), "nobody cleaned up");
        let listener = Listener::bind(&paths).unwrap();
        connect(&paths).await.unwrap();
        drop(listener);
        assert!(!paths.socket().exists(), "an orderly end cleans up");

        std::fs::write(paths.socket(), "precious").unwrap();
        let error = Listener::bind(&paths).unwrap_err().to_string();
        assert!(error.contains("is not a socket"), "{error}");
        assert_eq!(std::fs::read(paths.socket()).unwrap(), b"precious");
    }

    #[tokio::test]
    async fn an_ending_agent_leaves_the_socket_of_the_next_one_alone() {
        let folder = tempfile::tempdir().unwrap();
        let paths = paths(folder.path());
        let first = Listener::bind(&paths).unwrap();
        let _second = Listener::bind(&paths).unwrap();
        drop(first);
        connect(&paths).await.unwrap();
    }

    /// Only root can act as another user; other runs test only the directory's mode.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn another_users_client_is_turned_away_even_where_the_folder_lets_it_in() {
        use std::io::Read;

        if super::own_uid() != 0 {
            println!("skipped: only root can connect as another user");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let paths = paths(folder.path());
        let mut listener = Listener::bind(&paths).unwrap();
        for open in [folder.path(), &folder.path().join("run"), &paths.runtime] {
            std::fs::set_permissions(open, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let socket = paths.socket();
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o666)).unwrap();
        let stranger = std::thread::spawn(move || {
            // SAFETY: the bare system call changes the user of this thread only.
            let changed = unsafe { libc::syscall(libc::SYS_setresuid, -1, 65534, -1) };
            assert_eq!(changed, 0);
            let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
            let patience = std::time::Duration::from_secs(20);
            stream.set_read_timeout(Some(patience)).unwrap();
            let mut told = Vec::new();
            stream.read_to_end(&mut told).unwrap();
            told
        });
        let accepted = tokio::spawn(async move { listener.accept().await });
        let told = tokio::task::spawn_blocking(|| stranger.join().unwrap());
        assert_eq!(told.await.unwrap(), b"");
        assert!(!accepted.is_finished());
        let _own = connect(&paths).await.unwrap();
        accepted.await.unwrap().unwrap();
    }
}
