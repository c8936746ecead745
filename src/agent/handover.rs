//! The relay's listener, from one program to the next: over a re-execution, and over a restart by a
//! service manager that keeps it meanwhile.

/// The variable with the listener's descriptor, from a program to the one that replaces it.
pub const LISTENER: &str = "GOROAM_RELAY_LISTENER";

/// The listener's name in the service manager's store.
pub const STORED: &str = "goroam-relay";

#[cfg(unix)]
mod descriptor {
    use std::io;
    use std::net::{Ipv4Addr, TcpListener};
    use std::os::fd::{BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

    use rustix::io::{FdFlags, fcntl_setfd};
    use rustix::net::SocketType;
    use rustix::net::sockopt::socket_type;

    use crate::environment::Environment;

    /// The first descriptor that systemd passes on (sd_listen_fds(3)).
    const FIRST: RawFd = 3;

    /// Lets the descriptor stay open when this process becomes another program.
    pub(in crate::agent) fn keep_open(listener: &TcpListener) -> io::Result<()> {
        Ok(fcntl_setfd(listener, FdFlags::empty())?)
    }

    /// The listener that an earlier agent has left. To be called once, before anything else opens
    /// or closes descriptors.
    pub fn inherited(env: &Environment) -> Option<TcpListener> {
        let replaced = env.get(super::LISTENER).and_then(|text| text.parse().ok());
        let number = replaced.or_else(|| stored(env, std::process::id()))?;
        if number < FIRST {
            return None;
        }
        // SAFETY: the descriptor is only borrowed for this call, which fails if it is not an
        // open socket.
        let kind = socket_type(unsafe { BorrowedFd::borrow_raw(number) });
        if kind != Ok(SocketType::STREAM) {
            return None;
        }
        // SAFETY: it is open, and nothing else in this program uses it: it has been passed on
        // under this number, and this is called once.
        let listener = TcpListener::from(unsafe { OwnedFd::from_raw_fd(number) });
        fcntl_setfd(&listener, FdFlags::CLOEXEC).ok()?;
        let address = listener.local_addr().ok()?;
        (address.ip() == Ipv4Addr::LOCALHOST).then_some(listener)
    }

    /// The descriptor that systemd has kept, if it is meant for this process.
    fn stored(env: &Environment, pid: u32) -> Option<RawFd> {
        if env.get("LISTEN_PID")?.parse() != Ok(pid) {
            return None;
        }
        let names = env.get("LISTEN_FDNAMES")?;
        let place = names.split(':').position(|name| name == super::STORED)?;
        let count: usize = env.get("LISTEN_FDS")?.parse().ok()?;
        let place = Some(place).filter(|place| *place < count)?;
        FIRST.checked_add(RawFd::try_from(place).ok()?)
    }

    #[cfg(test)]
    mod tests {
        use super::stored;
        use crate::environment::Environment;

        #[test]
        fn only_a_listener_that_is_meant_for_this_process_is_taken() {
            let env = |pid: &str, count: &str, names: &str| -> Environment {
                let vars = [
                    ("LISTEN_PID", pid),
                    ("LISTEN_FDS", count),
                    ("LISTEN_FDNAMES", names),
                ];
                vars.into_iter().collect()
            };
            assert_eq!(stored(&env("7", "1", "goroam-relay"), 7), Some(3));
            assert_eq!(stored(&env("7", "2", "other:goroam-relay"), 7), Some(4));
            for (pid, count, names) in [
                ("8", "1", "goroam-relay"),
                ("7", "1", "other:goroam-relay"),
                ("7", "0", "goroam-relay"),
                ("7", "x", "goroam-relay"),
                ("7", "1", "stored"),
                ("", "1", "goroam-relay"),
            ] {
                assert_eq!(stored(&env(pid, count, names), 7), None, "{pid} {names}");
            }
            assert_eq!(stored(&Environment::default(), 7), None);
        }
    }
}

#[cfg(not(unix))]
mod descriptor {
    use std::io;
    use std::net::TcpListener;

    use crate::environment::Environment;

    /// No process becomes another program here.
    pub(in crate::agent) fn keep_open(_listener: &TcpListener) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// No manager keeps a listener here.
    pub fn inherited(_env: &Environment) -> Option<TcpListener> {
        None
    }
}

pub use descriptor::inherited;
pub(super) use descriptor::keep_open;
