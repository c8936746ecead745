//! Notifies systemd of the agent's state with sd_notify(3). This needs no library: it is one
//! datagram of lines.
//!
//! The watchdog runs only while the agent works: `WATCHDOG_USEC=0` stops the timer of the service
//! (systemd, `service_override_watchdog_timeout`), any other value starts it. So systemd ends and
//! restarts an agent that hangs in a turn, and a resting agent need not wake up to report that it
//! is alive.
//!
//! An agent that ends in order leaves the relay's listener to systemd (`FDSTORE=1`), which passes it
//! on to the next start of the service, and closes it if the service is stopped. The next agent
//! takes it out of the store at once: from then on it closes with the process. A start that does
//! not get that far ends in the unit's `ExecStopPost=`, which takes it out as well.
//!
//! May import: agent, environment, model.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::AsFd as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use crate::agent::{self, Life, STORED, Supervisor};
use crate::environment::Environment;
use crate::model::status::Status;

/// Longest status line in characters. systemd ignores a message of more than 4096 bytes
/// (`NOTIFY_BUFFER_MAX`) with all its lines; go's error messages are sometimes longer.
const LONGEST: usize = 500;

/// The systemd that has started this process.
#[derive(Debug)]
pub struct Systemd {
    socket: UnixDatagram,
    manager: SocketAddr,
    /// `WatchdogSec=` of the unit; `None` if the unit has none.
    watchdog: Option<Duration>,
    /// The last `STATUS=`.
    told: String,
    /// The relay's listener that an earlier agent has left.
    kept: Option<TcpListener>,
}

impl Systemd {
    /// Returns `None` if systemd has not started this process, or its socket cannot be reached.
    pub fn find(env: &Environment) -> Option<Systemd> {
        let name = env.get("NOTIFY_SOCKET")?;
        let found = address(name).and_then(|manager| {
            let socket = UnixDatagram::unbound()?;
            // A manager that does not read must not block the agent.
            socket.set_nonblocking(true)?;
            Ok((socket, manager))
        });
        match found {
            Ok((socket, manager)) => {
                let systemd = Systemd {
                    socket,
                    manager,
                    watchdog: watchdog(env, std::process::id()),
                    told: String::new(),
                    kept: agent::inherited(env),
                };
                if env.get("LISTEN_FDS").is_some() {
                    systemd.send(&format!("FDSTOREREMOVE=1\nFDNAME={STORED}\n"));
                }
                Some(systemd)
            }
            Err(error) => {
                tracing::warn!("NOTIFY_SOCKET={name}: {error}");
                None
            }
        }
    }

    fn send(&self, text: &str) {
        if let Err(error) = self.socket.send_to_addr(text.as_bytes(), &self.manager) {
            tracing::debug!("systemd was not notified: {error}");
        }
    }

    /// Gives systemd a copy of the listener (sd_pid_notify_with_fds(3)).
    fn store(&self, listener: &TcpListener) -> io::Result<()> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.connect_addr(&self.manager)?;
        let text = format!("FDSTORE=1\nFDNAME={STORED}\n");
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptors = [listener.as_fd()];
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
        let text = [IoSlice::new(text.as_bytes())];
        sendmsg(&socket, &text, &mut control, SendFlags::empty())?;
        Ok(())
    }
}

impl Supervisor for Systemd {
    fn tell(&mut self, life: Life, status: &Status) {
        let mut text = match (life, self.watchdog) {
            (Life::Ready, _) => format!("READY=1\nMAINPID={}\n", std::process::id()),
            // `WATCHDOG=1` comes first: the timer counts from the last one.
            (Life::Working, Some(limit)) => {
                format!("WATCHDOG=1\nWATCHDOG_USEC={}\n", limit.as_micros())
            }
            (Life::Resting, Some(_)) => "WATCHDOG_USEC=0\n".to_owned(),
            (Life::Working | Life::Resting, None) => String::new(),
            (Life::Beat, _) => "WATCHDOG=1\n".to_owned(),
            (Life::Reloading, _) => "RELOADING=1\n".to_owned(),
            (Life::Ending, _) => "STOPPING=1\n".to_owned(),
        };
        if matches!(life, Life::Ready | Life::Resting) {
            let line = line(status);
            if line != self.told {
                text.push_str(&format!("STATUS={line}\n"));
                self.told = line;
            }
        }
        if text.is_empty() {
            return;
        }
        self.send(&text);
    }

    fn heartbeat(&self) -> Option<Duration> {
        // Twice in the allowed time, as sd_watchdog_enabled(3) recommends.
        self.watchdog.map(|limit| limit / 2)
    }

    fn starts_again(&self) -> bool {
        true
    }

    fn keep(&mut self, listener: &TcpListener) -> bool {
        let stored = self.store(listener);
        if let Err(error) = &stored {
            tracing::debug!("systemd does not keep the relay's listener: {error}");
        }
        stored.is_ok()
    }

    fn kept(&mut self) -> Option<TcpListener> {
        self.kept.take()
    }
}

/// The variables that systemd sets for this process only, and not for one that it becomes.
pub const LISTEN: [&str; 3] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];

/// Removes the variables that are meant for this process only: the go command and its children must
/// not notify systemd for the agent.
pub fn without_notify(env: &Environment) -> Environment {
    let ours = ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"];
    let is_ours =
        |name: &str| ours.contains(&name) || LISTEN.contains(&name) || name == agent::LISTENER;
    env.all().filter(|(name, _)| !is_ours(name)).collect()
}

/// Parses the address: a path, or an abstract name that begins with `@`.
fn address(name: &str) -> io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(name) = name.strip_prefix('@') {
        use std::os::linux::net::SocketAddrExt as _;
        return SocketAddr::from_abstract_name(name);
    }
    if name.starts_with('/') {
        return SocketAddr::from_pathname(name);
    }
    let why = "is neither a path nor an abstract name";
    Err(io::Error::new(io::ErrorKind::InvalidInput, why))
}

/// Returns the watchdog's time if it is meant for this process, as sd_watchdog_enabled(3) does.
fn watchdog(env: &Environment, pid: u32) -> Option<Duration> {
    if let Some(meant) = env.get("WATCHDOG_PID")
        && meant.parse() != Ok(pid)
    {
        return None;
    }
    let micros: u64 = env.get("WATCHDOG_USEC")?.parse().ok()?;
    // A shorter time would make the heartbeat a burden; u64::MAX means no watchdog.
    (1000..u64::MAX)
        .contains(&micros)
        .then(|| Duration::from_micros(micros))
}

/// Formats the status as one line of plain text: "office · since 09:12 UTC".
fn line(status: &Status) -> String {
    let profile = status.profile.as_deref().unwrap_or("no profile yet");
    let mut line = profile.to_owned();
    if let Some(since) = status.since {
        let since = since.strftime("%Y-%m-%d %H:%M UTC");
        line.push_str(&format!(" · since {since}"));
    }
    if status.paused {
        line.push_str(" · paused");
    } else if let Some(trouble) = status.troubles.first() {
        line.push_str(&format!(" · {trouble}"));
    }
    if let Some((end, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(end);
        line.push('…');
    }
    // A line end would begin another assignment.
    line.replace(|c: char| c.is_control(), " ")
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::time::Duration;

    use super::{Systemd, watchdog, without_notify};
    use crate::agent::{Life, Supervisor};
    use crate::environment::Environment;
    use crate::model::status::Status;

    fn env(vars: &[(&str, &str)]) -> Environment {
        vars.iter().copied().collect()
    }

    fn heard(manager: &UnixDatagram) -> String {
        let mut bytes = [0; 1024];
        manager
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let length = manager.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    #[test]
    fn the_manager_hears_of_every_turn_of_the_agents_life() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let vars = [
            ("NOTIFY_SOCKET", path.to_str().unwrap()),
            ("WATCHDOG_USEC", "60000000"),
        ];
        let mut systemd = Systemd::find(&env(&vars)).unwrap();
        assert_eq!(systemd.heartbeat(), Some(Duration::from_secs(30)));
        let mut status = Status::default();
        systemd.tell(Life::Ready, &status);
        let ready = format!(
            "READY=1\nMAINPID={}\nSTATUS=no profile yet\n",
            std::process::id()
        );
        assert_eq!(heard(&manager), ready);
        systemd.tell(Life::Working, &status);
        assert_eq!(heard(&manager), "WATCHDOG=1\nWATCHDOG_USEC=60000000\n");
        systemd.tell(Life::Beat, &status);
        assert_eq!(heard(&manager), "WATCHDOG=1\n");
        status.profile = Some("office\nMAINPID=1".to_owned());
        status.since = Some("2026-11-22T09:12:00Z".parse().unwrap());
        systemd.tell(Life::Resting, &status);
        let resting = "WATCHDOG_USEC=0\nSTATUS=office MAINPID=1 · since 2026-11-22 09:12 UTC\n";
        assert_eq!(heard(&manager), resting);
        systemd.tell(Life::Reloading, &status);
        assert_eq!(heard(&manager), "RELOADING=1\n");
        systemd.tell(Life::Ending, &status);
        assert_eq!(heard(&manager), "STOPPING=1\n");
    }

    #[test]
    fn a_long_trouble_does_not_make_a_message_that_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let vars = [
            ("NOTIFY_SOCKET", path.to_str().unwrap()),
            ("WATCHDOG_USEC", "60000000"),
        ];
        let mut systemd = Systemd::find(&env(&vars)).unwrap();
        let status = Status {
            troubles: vec!["\u{1F600}".repeat(8000)],
            ..Status::default()
        };
        systemd.tell(Life::Resting, &status);
        let mut bytes = [0; 65536];
        let length = manager.recv(&mut bytes).unwrap();
        assert!(length <= 4096, "{length} bytes");
        let said = std::str::from_utf8(&bytes[..length]).unwrap();
        assert!(
            said.starts_with("WATCHDOG_USEC=0\nSTATUS=no profile yet · \u{1F600}"),
            "{said}"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_abstract_socket_will_do_and_without_a_watchdog_work_is_nobodys_business() {
        use std::os::linux::net::SocketAddrExt as _;

        let name = format!("goroam-test-{}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        let mut systemd = Systemd::find(&env(&[("NOTIFY_SOCKET", &format!("@{name}"))])).unwrap();
        assert_eq!(systemd.heartbeat(), None);
        systemd.tell(Life::Working, &Status::default());
        systemd.tell(Life::Resting, &Status::default());
        assert_eq!(heard(&manager), "STATUS=no profile yet\n");
    }

    #[test]
    fn only_a_manager_that_means_this_process_has_a_watchdog() {
        let limit = |vars: &[(&str, &str)]| watchdog(&env(vars), 7);
        let minute = Some(Duration::from_secs(60));
        assert_eq!(limit(&[("WATCHDOG_USEC", "60000000")]), minute);
        assert_eq!(
            limit(&[("WATCHDOG_USEC", "60000000"), ("WATCHDOG_PID", "7")]),
            minute
        );
        assert_eq!(
            limit(&[("WATCHDOG_USEC", "60000000"), ("WATCHDOG_PID", "8")]),
            None
        );
        for nonsense in ["0", "x", "-1", "18446744073709551615"] {
            assert_eq!(limit(&[("WATCHDOG_USEC", nonsense)]), None);
        }
        for nowhere in ["", "relative", "vsock:2:1"] {
            assert!(Systemd::find(&env(&[("NOTIFY_SOCKET", nowhere)])).is_none());
        }
    }

    #[test]
    fn what_the_agent_starts_cannot_speak_for_it() {
        let all = env(&[
            ("NOTIFY_SOCKET", "/x"),
            ("WATCHDOG_PID", "1"),
            ("LISTEN_FDS", "1"),
            ("GOROAM_RELAY_LISTENER", "3"),
            ("HOME", "/h"),
        ]);
        assert_eq!(without_notify(&all), env(&[("HOME", "/h")]));
    }
}
