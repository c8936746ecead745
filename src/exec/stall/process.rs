//! The processes of this machine, as /proc tells them (proc_pid_stat(5)).

use std::io;
use std::path::Path;
use std::time::Duration;

use super::tree::Process;

/// More processes than any machine for builds has; what is behind that is not looked at.
const MOST: usize = 100_000;

/// All of them.
///
/// # Errors
/// When there is no /proc.
pub(in super::super) fn processes() -> io::Result<Vec<Process>> {
    let ticks = ticks();
    let pids = std::fs::read_dir("/proc")?.filter_map(|entry| {
        let name = entry.ok()?.file_name();
        name.to_str()?.parse::<i32>().ok()
    });
    let one = |pid: i32| {
        let stat = std::fs::read(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
        parse(&stat, ticks)
    };
    // One that has ended meanwhile is passed over.
    Ok(pids.filter_map(one).take(MOST).collect())
}

/// `PID (NAME) STATE PPID PGRP …`; the name may hold anything, so the last `)` ends it.
pub(super) fn parse(stat: &[u8], ticks: u64) -> Option<Process> {
    let stat = String::from_utf8_lossy(stat);
    let (pid, rest) = stat.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().take(15).collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    // utime, stime, cutime, cstime: fields 14 to 17 of the manual.
    let used = [11, 12, 13, 14].iter().filter_map(|at| number(*at));
    let used = used.fold(0_u64, u64::saturating_add);
    Some(Process {
        pid: pid.parse().ok()?,
        name: name.to_owned(),
        state: *fields.first()?.as_bytes().first()?,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        cpu: Duration::from_millis(used.saturating_mul(1000) / ticks.max(1)),
    })
}

/// Ticks of CPU time in a second.
fn ticks() -> u64 {
    // SAFETY: sysconf takes and returns a number.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_brackets_is_a_name() {
        let stat = b"42 (a) S 1 (b) T 7 9 9 0 -1 4194304 1 2 3 4 50 60 1 2 20 0 1 0 5 6 7";
        let process = parse(stat, 100).unwrap();
        assert_eq!((process.pid, process.name.as_str()), (42, "a) S 1 (b"));
        assert_eq!((process.state, process.parent, process.group), (b'T', 7, 9));
        assert_eq!(process.cpu, Duration::from_millis(1130));
        for torn in [&b""[..], b"42", b"42 (x", b"42 (x) ", b"42 (x) S 1"] {
            assert_eq!(parse(torn, 100), None);
        }
    }

    #[test]
    fn this_test_is_among_them() {
        let own = i32::try_from(std::process::id()).unwrap();
        let all = processes().unwrap();
        let process = all.iter().find(|one| one.pid == own).unwrap();
        assert!(!process.is_dead() && process.parent > 0 && process.group > 0);
    }
}
