//! Probes what is on this machine: a listener at an own address (no packet leaves the machine), and
//! a `file://` module mirror, a tree that `GOPROXY=file:///…` reads. A mirror is useful only if it
//! has a zip: nothing can be built from go.mod files alone.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, ErrorKind, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::attempt::{ProbeAttempt, within};
use super::fault::{ProbeOutcome, down, quoted, refusal, wrong};
use super::goproxy::begins_as_zip;
use crate::bounded;
use crate::gomod::sum;
use crate::model::{Phase, Proof};

/// Checks whether anything listens at the address, without connecting if the system has a table of
/// its sockets.
pub(super) async fn listening(address: SocketAddr) -> ProbeOutcome {
    let listens = is_listening(address).await.map_err(|error| {
        let reason = format!("the system's table of listeners cannot be read: {error}");
        down(Phase::Connect, reason)
    })?;
    if listens {
        return Ok((format!("something listens at {address}"), Proof::None));
    }
    let reason = format!("nothing listens at {address}");
    Err(refusal(Phase::Connect, reason))
}

#[cfg(any(target_os = "linux", windows))]
#[expect(
    clippy::unused_async,
    reason = "the signature must match the other systems'"
)]
async fn is_listening(address: SocketAddr) -> io::Result<bool> {
    let all = super::tcp_table::listeners()?;
    Ok(all.iter().any(|listener| answers(*listener, address)))
}

/// For systems whose tables are not read: connects to an own address; the connection stays on this
/// machine.
#[cfg(not(any(target_os = "linux", windows)))]
async fn is_listening(address: SocketAddr) -> io::Result<bool> {
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
    use std::time::Duration;

    use tokio::net::TcpStream;
    use tokio::time::timeout;

    /// The kernel itself answers.
    const LIMIT: Duration = Duration::from_millis(500);

    let candidates = if address.ip().is_unspecified() {
        vec![
            SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
            SocketAddr::from((Ipv6Addr::LOCALHOST, address.port())),
        ]
    } else {
        vec![address]
    };
    for candidate in candidates {
        // Only an own address can be bound; a connection to another one would leave the machine.
        let is_own = TcpListener::bind((candidate.ip(), 0)).is_ok();
        let connect = || timeout(LIMIT, TcpStream::connect(candidate));
        if is_own && matches!(connect().await, Ok(Ok(_))) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Reports whether a connection to `address` would reach this listener.
#[cfg(any(target_os = "linux", windows, test))]
fn answers(listener: SocketAddr, address: SocketAddr) -> bool {
    if listener.port() != address.port() {
        return false;
    }
    let (own, asked) = (listener.ip().to_canonical(), address.ip().to_canonical());
    let same_family = own.is_ipv4() == asked.is_ipv4();
    // `[::]` accepts IPv4 as well, unless that was turned off, which the table does not show.
    asked.is_unspecified() || own == asked || own.is_unspecified() && (same_family || own.is_ipv6())
}

/// How many directory entries are examined before giving up.
const MAX_ENTRIES: usize = 20_000;
/// No module path has more elements.
const MAX_DEPTH: usize = 16;

/// The walk through each tree: one at a time.
static WALKS: Mutex<Vec<(PathBuf, Turn)>> = Mutex::new(Vec::new());
type Turn = Arc<tokio::sync::Mutex<()>>;

/// Walks the tree until one version is found. A directory on a network that is gone may block, so
/// the walk has its own thread and is subject to the try's limit.
pub(super) async fn mirror(attempt: &ProbeAttempt, path: &Path) -> ProbeOutcome {
    walked(attempt, path, look).await
}

/// A thread that hangs in a directory that does not respond cannot be ended, so there is never a
/// second one in the same directory: otherwise such threads would after some hours use up all
/// threads, and no name could be looked up.
async fn walked(
    attempt: &ProbeAttempt,
    path: &Path,
    walk: impl FnOnce(&Path) -> ProbeOutcome + Send + 'static,
) -> ProbeOutcome {
    let hangs = || format!("{} still hangs from an earlier look", path.display());
    let turn = turn(path).lock_owned();
    let (mine, _) = within(attempt.end(), Phase::Content, hangs, turn).await?;
    let root = path.to_owned();
    let missing = || format!("{} cannot be read to its end", path.display());
    let walk = tokio::task::spawn_blocking(move || {
        let _mine = mine;
        walk(&root)
    });
    let (found, _) = within(attempt.end(), Phase::Content, missing, walk).await?;
    found.unwrap_or_else(|_| Err(down(Phase::Content, "the walk was broken off")))
}

fn turn(path: &Path) -> Turn {
    let mut walks = WALKS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, turn)) = walks.iter().find(|(root, _)| root == path) {
        return Arc::clone(turn);
    }
    let turn = Turn::default();
    walks.push((path.to_owned(), Arc::clone(&turn)));
    turn
}

fn look(root: &Path) -> ProbeOutcome {
    let shown = root.display();
    let refusal = |reason: String| Err(refusal(Phase::Content, reason));
    match fs::metadata(root) {
        Ok(meta) if !meta.is_dir() => return refusal(format!("{shown} is not a directory")),
        Ok(_) => {}
        Err(error) => return refusal(unreadable(root, &error)),
    }
    // For go, GOMODCACHE itself is not a mirror, but its download directory is.
    if root.join("cache").join("download").is_dir() {
        let download = root.join("cache").join("download");
        let reason = format!(
            "{shown} is a module cache: name {} instead",
            download.display()
        );
        return Err(wrong(Phase::Content, reason));
    }
    match find_version(root) {
        Ok(Some(found)) => Ok((format!("holds {found}"), Proof::None)),
        Ok(None) => Err(wrong(
            Phase::Content,
            format!("{shown} holds no module: no @v folder with a whole .zip in it"),
        )),
        Err(error) => refusal(unreadable(root, &error)),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a foreign enum that may grow"
)]
fn unreadable(path: &Path, error: &io::Error) -> String {
    let shown = path.display();
    match error.kind() {
        ErrorKind::NotFound => format!("{shown} is not there"),
        ErrorKind::PermissionDenied => format!("{shown} may not be read by this user"),
        _ => format!("{shown} cannot be read: {error}"),
    }
}

/// Returns the first module in the tree that has a zip, as `path@version`. Searches breadth first;
/// only an error of the root counts.
fn find_version(root: &Path) -> io::Result<Option<String>> {
    let mut waiting = VecDeque::from([(PathBuf::new(), 0)]);
    let mut left = MAX_ENTRIES;
    while let Some((folder, depth)) = waiting.pop_front() {
        let entries = match fs::read_dir(root.join(&folder)) {
            Ok(entries) => entries,
            Err(error) if depth == 0 => return Err(error),
            Err(_) => continue,
        };
        for entry in entries.filter_map(Result::ok) {
            left = left.saturating_sub(1);
            if left == 0 {
                return Ok(None);
            }
            let name = entry.file_name();
            // In a module cache, the checksum database's files are beside the modules.
            let passed = depth == 0 && name == "sumdb";
            if passed || !entry.path().is_dir() {
                continue;
            }
            if name == "@v" {
                if let Some(version) = version_in(&entry.path()) {
                    return Ok(Some(format!("{}{version}", module(&folder))));
                }
            } else if depth < MAX_DEPTH {
                waiting.push_back((folder.join(name), depth + 1));
            }
        }
    }
    Ok(None)
}

/// Returns the `@VERSION` of any zip in an `@v` directory.
fn version_in(folder: &Path) -> Option<String> {
    let entries = fs::read_dir(folder).ok()?.take(MAX_ENTRIES);
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if let Some(version) = name.strip_suffix(".zip")
            && !version.is_empty()
            && !version.starts_with('.')
            && is_a_zip(&entry.path())
        {
            let version = plain(version, sum::unescape_version);
            return Some(format!("@{version}"));
        }
    }
    None
}

/// Ignores what a broken download leaves behind: an empty file, other content, a dangling link.
fn is_a_zip(path: &Path) -> bool {
    let mut start = [0; 4];
    let read = bounded::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && begins_as_zip(&start)
}

fn module(folder: &Path) -> String {
    let path = folder.to_string_lossy().replace('\\', "/");
    plain(&path, sum::unescape_path)
}

/// Unescapes a text for the reader if it is escaped correctly; otherwise returns it unchanged.
fn plain<E>(text: &str, unescape: impl Fn(&str) -> Result<String, E>) -> String {
    quoted(&unescape(text).unwrap_or_else(|_| text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Limits, RelayLimits, Target, TargetKind, Verdict};

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "PK\x03\x04").unwrap();
        }
        dir
    }

    fn target(limits: Limits) -> Target {
        Target {
            name: "t".to_owned(),
            kind: TargetKind::Mirror { path: "/".into() },
            limits,
            relay: RelayLimits::default(),
            private: false,
            ca: Vec::new(),
            pins: Vec::new(),
        }
    }

    #[test]
    fn a_tree_with_one_version_is_a_mirror() {
        let dir = tree(&["github.com/!burnt!sushi/toml/@v/v1.2.0.zip", "README"]);
        let found = look(dir.path()).unwrap();
        assert_eq!(found.0, "holds github.com/BurntSushi/toml@v1.2.0");
        let dir = tree(&[
            "sumdb/sum.test/lookup/x/@v/v1.zip",
            "a.test/b/@v/v0.1.0.mod",
            "a.test/b/@v/v1.0.0.zip",
        ]);
        assert_eq!(look(dir.path()).unwrap().0, "holds a.test/b@v1.0.0");
    }

    #[test]
    fn what_go_could_not_use_is_not_a_mirror() {
        let absent = look(Path::new("/nonexistent/goroam")).unwrap_err();
        assert_eq!(absent.reason, "/nonexistent/goroam is not there");
        assert_eq!(absent.verdict, Verdict::Down);
        let dir = tree(&["src/main.go", "a.test/b/@v/v1.0.0.lock"]);
        assert_eq!(look(dir.path()).unwrap_err().verdict, Verdict::Wrong);
        // This has all that go needs to list versions and their requirements, but no source.
        let dir = tree(&[
            "a.test/b/@v/v1.0.0.info",
            "a.test/b/@v/v1.0.0.mod",
            "a.test/b/@v/list",
        ]);
        assert_eq!(look(dir.path()).unwrap_err().verdict, Verdict::Wrong);
        for left in ["", "PK", "<html>blocked</html>"] {
            let dir = tree(&["a.test/b/@v/x", "a.test/b/@v/.new.zip", "a.test/b/@v/.zip"]);
            let file = dir.path().join("a.test/b/@v/v1.0.0.zip");
            fs::write(&file, left).unwrap();
            assert_eq!(
                look(dir.path()).unwrap_err().verdict,
                Verdict::Wrong,
                "{left}"
            );
            fs::remove_file(&file).unwrap();
            fs::create_dir(&file).unwrap();
            assert_eq!(
                look(dir.path()).unwrap_err().verdict,
                Verdict::Wrong,
                "{left}"
            );
        }
        let dir = tree(&["cache/download/a.test/b/@v/v1.0.0.zip"]);
        let cache = look(dir.path()).unwrap_err();
        let download = dir.path().join("cache").join("download");
        let instead = format!("name {} instead", download.display());
        assert!(cache.reason.ends_with(&instead), "{}", cache.reason);
        assert!(look(&dir.path().join("cache/download")).is_ok());
    }

    #[tokio::test]
    async fn a_dead_folder_takes_one_thread_however_often_it_is_looked_at() {
        let hasty = target(Limits {
            total: std::time::Duration::from_millis(20),
            ..Limits::default()
        });
        let path = Path::new("/dead/mirror");
        let (wake, hang) = std::sync::mpsc::channel::<()>();
        let hangs = move |_: &Path| {
            let _ = hang.recv();
            Ok((String::new(), Proof::None))
        };
        let slow = walked(&ProbeAttempt::start(&hasty, None), path, hangs).await;
        assert!(slow.unwrap_err().reason.contains("to its end"));
        let again = walked(&ProbeAttempt::start(&hasty, None), path, |_| {
            panic!("a second thread")
        })
        .await;
        assert!(again.unwrap_err().reason.contains("an earlier look"));
        let other = mirror(&ProbeAttempt::start(&hasty, None), Path::new("/dead/other")).await;
        assert!(other.unwrap_err().reason.contains("is not there"));

        // The mirror is there again: a probe that waits for its turn gets it.
        let patient = ProbeAttempt::start(&target(Limits::default()), None);
        drop(wake);
        let back = walked(&patient, path, look).await;
        assert!(back.unwrap_err().reason.contains("is not there"));
    }

    #[test]
    fn a_wildcard_listener_answers_for_every_address_and_a_bound_one_for_its_own() {
        let answers = |listener: &str, address: &str| {
            answers(listener.parse().unwrap(), address.parse().unwrap())
        };
        assert!(answers("0.0.0.0:80", "127.0.0.1:80"));
        assert!(answers("[::]:80", "127.0.0.1:80"));
        assert!(!answers("0.0.0.0:80", "[::1]:80"));
        assert!(answers("127.0.0.1:80", "0.0.0.0:80"));
        assert!(!answers("127.0.0.1:80", "127.0.0.1:81"));
        assert!(!answers("127.0.0.2:80", "127.0.0.1:80"));
    }

    #[tokio::test]
    async fn a_listener_of_this_machine_is_seen_until_it_ends() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listening(address).await.unwrap();
        drop(listener);
        let failure = listening(address).await.unwrap_err();
        assert_eq!(failure.reason, format!("nothing listens at {address}"));
    }

    #[tokio::test]
    async fn another_machines_address_is_not_connected_to() {
        // TEST-NET-1, which no machine has.
        let failure = listening("192.0.2.1:443".parse().unwrap())
            .await
            .unwrap_err();
        assert_eq!(failure.reason, "nothing listens at 192.0.2.1:443");
    }
}
