//! A process group (setpgid(2)), whose leader is the command.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use super::super::classify::Exit;
use super::GroupChange;

/// How long the group has to end after SIGTERM before SIGKILL follows. go ends at once and leaves
/// nothing incomplete behind (its next run removes the `.tmp`).
const GRACE: Duration = Duration::from_millis(500);
/// How long dead members may take to disappear: the process that has to reap them may be busy.
const LEAVE: Duration = Duration::from_secs(2);
const PACE: Duration = Duration::from_millis(10);

/// The command and what it has started. Its process ID cannot be given to another process before
/// [`Group::end`] has reaped the leader.
#[derive(Debug)]
pub(in super::super) struct Group {
    leader: libc::pid_t,
    exit: Option<Exit>,
}

impl Group {
    /// Starts the command as the leader of a new group.
    ///
    /// # Errors
    /// When it cannot be started: `NotFound`, or another reason.
    pub(in super::super) fn spawn(mut command: Command) -> io::Result<Group> {
        command.process_group(0);
        #[cfg(target_os = "linux")]
        crate::gocmd::end_with_us(&mut command, libc::SIGTERM);
        // This handle is not used to wait: it does not report stops.
        let child = command.spawn()?;
        let leader = libc::pid_t::try_from(child.id()).map_err(io::Error::other)?;
        Ok(Group { leader, exit: None })
    }

    /// The leader's process ID, which is also the group's.
    pub(in super::super) fn id(&self) -> libc::pid_t {
        self.leader
    }

    /// Returns what has happened to the leader since the last call.
    pub(in super::super) fn look(&mut self) -> Option<GroupChange> {
        if self.exit.is_some() {
            return Some(GroupChange::Ended);
        }
        // The leader is not reaped (WNOWAIT) until the group is no longer needed.
        if wait(self.leader, libc::WEXITED | libc::WNOWAIT).is_some() {
            return Some(GroupChange::Ended);
        }
        wait(self.leader, libc::WSTOPPED).map(|(_, signal)| GroupChange::Stopped(signal))
    }

    /// Sends a signal to every member.
    pub(in super::super) fn send(&self, signal: i32) {
        if self.exit.is_none() {
            // SAFETY: kill takes numbers only; the leader has not been reaped, so this is still its
            // group's number.
            unsafe { libc::kill(-self.leader, signal) };
        }
    }

    /// Ends every member: SIGTERM first, then SIGKILL. Returns when they are gone, at the latest
    /// after some 3 s. A process that has left the group (setsid) is not followed.
    pub(in super::super) async fn kill(&mut self) {
        self.send(libc::SIGTERM);
        // A stopped process receives the signal only when it is continued.
        self.send(libc::SIGCONT);
        let mut asked = Instant::now() + GRACE;
        let end = asked + LEAVE;
        while !self.is_gone() && Instant::now() < end {
            if Instant::now() >= asked {
                self.send(libc::SIGKILL);
                // New members may start while the others are ended.
                asked += GRACE;
            }
            tokio::time::sleep(PACE).await;
        }
    }

    /// Reports whether no member lives any more, except a leader that waits to be reaped.
    fn is_gone(&mut self) -> bool {
        if self.look() != Some(GroupChange::Ended) {
            return false;
        }
        members_alive(self.leader) == 0
    }

    /// Reaps the leader, which has ended; from now on no signal can be sent.
    pub(in super::super) fn end(&mut self) -> Exit {
        if let Some(exit) = self.exit {
            return exit;
        }
        let exit = match wait(self.leader, libc::WEXITED) {
            Some((libc::CLD_EXITED, code)) => Exit::Code(code),
            Some((_, signal)) => Exit::Signal(signal),
            // It was killed and is not gone yet (a network drive that does not respond).
            None => Exit::Signal(libc::SIGKILL),
        };
        self.exit = Some(exit);
        exit
    }
}

/// Calls waitid(2) without waiting; returns the code, and the exit code or signal.
fn wait(pid: libc::pid_t, what: libc::c_int) -> Option<(libc::c_int, i32)> {
    let id = libc::id_t::try_from(pid).ok()?;
    // SAFETY: `siginfo_t` is plain data, for which zero is a value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: waitid writes one `siginfo_t` to the pointer's target, which is one.
    let done = unsafe { libc::waitid(libc::P_PID, id, &raw mut info, what | libc::WNOHANG) };
    // SAFETY: after waitid these fields are those of a SIGCHLD, or still zero.
    let (who, status) = unsafe { (info.si_pid(), info.si_status()) };
    (done == 0 && who == pid).then_some((info.si_code, status))
}

/// Counts the members other than the leader that still run. Dead ones that were not reaped (in a
/// container without an init) do not count.
#[cfg(target_os = "linux")]
fn members_alive(leader: libc::pid_t) -> usize {
    use super::super::stall::processes;

    let all = processes().unwrap_or_default();
    all.iter()
        .filter(|one| one.group == leader && one.pid != leader && !one.is_dead())
        .count()
}

#[cfg(not(target_os = "linux"))]
fn members_alive(leader: libc::pid_t) -> usize {
    // SAFETY: kill takes numbers only; signal 0 checks whether a process exists. On macOS a dead
    // leader that has not been reaped does not count (EPERM), so this ends.
    usize::from(unsafe { libc::kill(-leader, 0) } == 0)
}
