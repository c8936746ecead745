//! A network of one's own for a test: the body runs on a thread with its own network and mount
//! namespaces, which end with it, whatever happens.

#![allow(dead_code, unreachable_pub)] // each test uses its part

use std::ffi::CString;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use goroam::model::{Change, Snapshot};
use goroam::watch::{Hint, WatchPaths, Watcher, survey};

/// Runs the body, or says why not.
pub fn in_namespace<F: Future<Output = ()>>(body: impl FnOnce(Namespace) -> F + Send + 'static) {
    // SAFETY: takes nothing, cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        println!("skipped: needs root and network namespaces");
        return;
    }
    let thread = std::thread::Builder::new().name("gr-watch-net".to_owned());
    let run = move || {
        let namespace = Namespace::enter();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(body(namespace));
    };
    if let Err(panic) = thread.spawn(run).unwrap().join() {
        std::panic::resume_unwind(panic);
    }
}

/// The namespaces of the calling thread. `/etc/resolv.conf` is a file bind-mounted from
/// elsewhere, as `ip netns exec` makes it.
pub struct Namespace {
    pub folder: tempfile::TempDir,
    /// Lives in another network namespace, where the far ends of the links are.
    peer: Child,
}

impl Namespace {
    fn enter() -> Namespace {
        let folder = tempfile::Builder::new()
            .prefix("gr-watch-")
            .tempdir()
            .unwrap();
        // SAFETY: only this thread, which was made for it, changes its namespaces.
        let done = unsafe { libc::unshare(libc::CLONE_NEWNS | libc::CLONE_NEWNET) };
        assert_eq!(done, 0, "unshare: {}", std::io::Error::last_os_error());
        // What is mounted from here on stays in here.
        mount("none", "/", "", libc::MS_REC | libc::MS_PRIVATE);
        mount("sysfs", "/sys", "sysfs", 0);
        let resolver = folder.path().join("resolv.conf");
        fs::write(&resolver, "nameserver 10.0.0.53\n").unwrap();
        mount(
            resolver.to_str().unwrap(),
            "/etc/resolv.conf",
            "",
            libc::MS_BIND,
        );
        let peer = Command::new("unshare")
            .args(["--net", "sleep", "300"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let namespace = Namespace { folder, peer };
        let own = fs::read_link("/proc/thread-self/ns/net").unwrap();
        wait_for("the peer's namespace", || {
            let its = fs::read_link(format!("/proc/{}/ns/net", namespace.peer.id()));
            its.is_ok_and(|its| its != own)
        });
        namespace
    }

    /// What is mounted over `/etc/resolv.conf`.
    pub fn resolver(&self) -> PathBuf {
        self.folder.path().join("resolv.conf")
    }

    pub fn peer_pid(&self) -> u32 {
        self.peer.id()
    }

    /// `ip -batch` here: one process, so the commands follow each other within a millisecond.
    pub fn ip(&self, lines: &str) {
        let mut command = Command::new("ip");
        let lines = match lines.strip_prefix("-6 ") {
            Some(lines) => {
                command.arg("-6");
                lines
            }
            None => lines,
        };
        self.batch(command, lines);
    }

    /// The same where the far ends are.
    pub fn far_ip(&self, lines: &str) {
        let mut command = Command::new("nsenter");
        command.args(["--net", "--target", &self.peer.id().to_string(), "ip"]);
        self.batch(command, lines);
    }

    /// A link that is up and plugged in.
    pub fn cable(&self, link: &str) {
        let peer = self.peer.id();
        self.ip(&format!(
            "link add {link} type veth peer name far-{link} netns {peer}\nlink set {link} up"
        ));
        self.far_ip(&format!("link set far-{link} up"));
        wait_for("the carrier", || {
            let links = survey().unwrap().links;
            links.iter().any(|one| one.name == link && one.is_running())
        });
    }

    fn batch(&self, command: Command, lines: &str) {
        let done = start_batch(command, lines).wait().unwrap();
        assert!(done.success(), "ip: {lines}");
    }

    /// Switches IPv6 off on a link, as many companies do.
    pub fn without_ipv6(&self, link: &str) {
        fs::write(format!("/proc/sys/net/ipv6/conf/{link}/disable_ipv6"), "1").unwrap();
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.peer.kill();
        let _ = self.peer.wait();
    }
}

/// Starts `ip -batch -` and gives it the lines.
pub fn start_batch(mut command: Command, lines: &str) -> Child {
    let mut child = command
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let lines = lines.to_owned();
    std::thread::spawn(move || pipe.write_all(lines.as_bytes()));
    child
}

fn mount(source: &str, target: &str, kind: &str, flags: libc::c_ulong) {
    let [source, target, kind] = [source, target, kind].map(|text| CString::new(text).unwrap());
    let (from, to, kind) = (source.as_ptr(), target.as_ptr(), kind.as_ptr());
    // SAFETY: three strings that end with NUL and outlive the call, and no data.
    let done = unsafe { libc::mount(from, to, kind, flags, std::ptr::null()) };
    assert_eq!(
        done,
        0,
        "mount {target:?}: {}",
        std::io::Error::last_os_error()
    );
}

/// Polls for a condition; for what sends no message.
pub fn wait_for(what: &str, mut met: impl FnMut() -> bool) {
    for _ in 0..500 {
        if met() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{what}: not within 5 s");
}

/// As the agent looks: on a hint wait until it is quiet, survey, compare.
pub struct Eyes {
    pub watcher: Watcher,
    pub last: Snapshot,
    /// Every hint that has come.
    pub hints: Vec<Hint>,
}

/// The agent waits longer. `ip -batch` needs less between two of its lines.
const SETTLE: Duration = Duration::from_millis(60);

impl Eyes {
    pub async fn open(paths: WatchPaths) -> Eyes {
        let mut eyes = Eyes {
            watcher: Watcher::start(paths),
            last: Snapshot::default(),
            hints: Vec::new(),
        };
        // if-watch begins with the addresses that are there.
        while eyes.hint(Duration::from_millis(150)).await {}
        eyes.last = survey().unwrap();
        assert_eq!(eyes.watcher.troubles(), [""; 0]);
        eyes
    }

    /// Is there a hint within this time?
    pub async fn hint(&mut self, within: Duration) -> bool {
        let next = tokio::time::timeout(within, self.watcher.next()).await;
        self.hints.extend(next.as_ref().ok());
        next.is_ok()
    }

    /// The next batch of changes that is not empty; none if nothing changes within the time.
    pub async fn batch(&mut self, within: Duration) -> Option<Vec<Change>> {
        let deadline = tokio::time::Instant::now() + within;
        while self
            .hint(deadline.saturating_duration_since(tokio::time::Instant::now()))
            .await
        {
            while self.hint(SETTLE).await {}
            let now = survey().unwrap();
            let changes = Change::between(&self.last, &now);
            self.last = now;
            if !changes.is_empty() {
                return Some(changes);
            }
        }
        None
    }
}

/// Minor ones in brackets.
pub fn words(changes: &[Change]) -> Vec<String> {
    let bracket = |change: &Change| match change.major {
        true => change.what.clone(),
        false => format!("[{}]", change.what),
    };
    changes.iter().map(bracket).collect()
}

/// The number after `name:` in a `/proc` status file.
pub fn status_number(path: &Path, name: &str) -> Option<u64> {
    let status = fs::read_to_string(path).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim_start_matches(':').trim().parse().ok()
}
