//! A process group (setpgid(2)), whose leader is the command.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use super::super::classify::Exit;
use super::GroupChange;

/// How long the group has to end by itself after SIGTERM. go ends at once and leaves nothing
/// half-done behind (its next run removes the `.tmp`).
const GRACE: Duration = Duration::from_millis(500);
/// How long dead members may take to go away: who has to collect them may be busy.
const LEAVE: Duration = Duration::from_secs(2);
const PACE: Duration = Duration::from_millis(10);

/// The command and what it has started. Its number cannot be given to another process before
/// [`Group::end`] has collected the leader.
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
        // Not waited for through this handle: it does not report stops.
        let child = command.spawn()?;
        let leader = libc::pid_t::try_from(child.id()).map_err(io::Error::other)?;
        Ok(Group { leader, exit: None })
    }

    /// The leader's number, which is the group's.
    pub(in super::super) fn id(&self) -> libc::pid_t {
        self.leader
    }

    /// What has happened to the leader since the last look.
    pub(in super::super) fn look(&mut self) -> Option<GroupChange> {
        if self.exit.is_some() {
            return Some(GroupChange::Ended);
        }
        // Left uncollected (WNOWAIT) until the group is no longer needed.
        if wait(self.leader, libc::WEXITED | libc::WNOWAIT).is_some() {
            return Some(GroupChange::Ended);
        }
        wait(self.leader, libc::WSTOPPED).map(|(_, signal)| GroupChange::Stopped(signal))
    }

    /// Sends a signal to every member.
    pub(in super::super) fn send(&self, signal: i32) {
        if self.exit.is_none() {
            // SAFETY: kill takes numbers only; the leader has not been collected, so this is
            // its group's number and no other's.
            unsafe { libc::kill(-self.leader, signal) };
        }
    }

    /// Ends every member: SIGTERM first, then SIGKILL. Returns when they are gone, at the
    /// latest after some 3 s. A process that has left the group (setsid) is not followed.
    pub(in super::super) async fn kill(&mut self) {
        self.send(libc::SIGTERM);
        // A stopped process receives it only when continued.
        self.send(libc::SIGCONT);
        let mut asked = Instant::now() + GRACE;
        let end = asked + LEAVE;
        while !self.is_gone() && Instant::now() < end {
            if Instant::now() >= asked {
                self.send(libc::SIGKILL);
                // New members may come while the others are ended.
                asked += GRACE;
            }
            tokio::time::sleep(PACE).await;
        }
    }

    /// No member lives any more, except a leader that waits to be collected.
    fn is_gone(&mut self) -> bool {
        if self.look() != Some(GroupChange::Ended) {
            return false;
        }
        members_alive(self.leader) == 0
    }

    /// Collects the leader, which has ended; from now on nothing can be sent.
    pub(in super::super) fn end(&mut self) -> Exit {
        if let Some(exit) = self.exit {
            return exit;
        }
        let exit = match wait(self.leader, libc::WEXITED) {
            Some((libc::CLD_EXITED, code)) => Exit::Code(code),
            Some((_, signal)) => Exit::Signal(signal),
            // Killed and not gone yet (a dead network drive).
            None => Exit::Signal(libc::SIGKILL),
        };
        self.exit = Some(exit);
        exit
    }
}

/// waitid(2) without waiting: the code and the exit code or signal.
fn wait(pid: libc::pid_t, what: libc::c_int) -> Option<(libc::c_int, i32)> {
    let id = libc::id_t::try_from(pid).ok()?;
    // SAFETY: `siginfo_t` is plain data, for which zero is a value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: waitid writes one `siginfo_t` to where the pointer leads, which is one.
    let done = unsafe { libc::waitid(libc::P_PID, id, &raw mut info, what | libc::WNOHANG) };
    // SAFETY: after waitid these fields are those of a SIGCHLD, or still zero.
    let (who, status) = unsafe { (info.si_pid(), info.si_status()) };
    (done == 0 && who == pid).then_some((info.si_code, status))
}

/// Members other than the leader that still run. Dead ones that were not collected (in a
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
    // SAFETY: kill takes numbers only; signal 0 asks whether a process is there. A dead leader
    // that has not been collected does not count for macOS (EPERM), so this ends.
    usize::from(unsafe { libc::kill(-leader, 0) } == 0)
}
