//! Running programs that have a variable, on Linux: `/proc/PID/environ` holds the environment that
//! a process was started with. macOS hides it, Windows shows it only with a debugger's rights.

use std::collections::BTreeSet;
use std::path::Path;

use super::facts::DoctorFacts;

/// Does nothing: other systems do not show the environment.
#[cfg(not(target_os = "linux"))]
pub(super) fn look(_: &mut DoctorFacts, _: &Path, _: &BTreeSet<String>) {}

/// Looks at editors, language servers, debuggers and multiplexers of the same user. A `gopls`
/// without the variable is fine: each go command that it starts reads the file again.
#[cfg(target_os = "linux")]
pub(super) fn look(facts: &mut DoctorFacts, home: &Path, names: &BTreeSet<String>) {
    use super::facts::{Kind, Sighting};

    facts.looked.push("running programs".to_owned());
    // An editor is a dozen processes: the first one is reported, with the number of the others.
    let mut found: Vec<(String, Sighting, usize)> = Vec::new();
    for program in linux::programs() {
        let place = match &program.started {
            Some(at) => format!("{} (pid {}, started {at}", program.name, program.pid),
            None => format!("{} (pid {}", program.name, program.pid),
        };
        for (name, value) in linux::variables(program.pid, home, names) {
            let new = Sighting::new(name, Some(&value), place.clone(), Kind::Process);
            let same = found.iter_mut().find(|(comm, one, _)| {
                *comm == program.name && one.name == new.name && one.value == new.value
            });
            match same {
                Some((_, _, more)) => *more += 1,
                None => found.push((program.name.clone(), new, 0)),
            }
        }
    }
    facts
        .seen
        .extend(found.into_iter().map(|(_, mut one, more)| {
            one.place.push_str(&match more {
                0 => ")".to_owned(),
                more => format!("; {more} more)"),
            });
            one
        }));
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeSet;
    use std::io::Read;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::super::format;

    /// `/proc/PID/comm` of programs that start go commands, or programs that do.
    const NAMES: &str = "gopls,dlv,dlv-dap,go,code,code-insiders,codium,cursor,windsurf,code-server,\
                         goland,goland64,idea,idea64,zed,zed-editor,nvim,vim,vi,emacs,hx,helix,\
                         subl,sublime_text,tmux: server,screen,zellij,goroam-tray,dbus-daemon,\
                         dbus-broker-lau,gnome-shell,plasmashell,kded5,kded6,sway,Hyprland,\
                         golangci-lint,air";
    /// A go command that runs for so many seconds serves something; others end in a moment.
    const LONG: i64 = 30;
    /// Linux bounds an environment to a quarter of the stack limit; this is enough.
    const MOST_BYTES: u64 = 1 << 20;

    pub(super) struct Program {
        pub(super) pid: u32,
        pub(super) name: String,
        /// "09:12"; with the date when it was another day.
        pub(super) started: Option<String>,
    }

    /// Those of this user, oldest first.
    pub(super) fn programs() -> Vec<Program> {
        let Ok(entries) = std::fs::read_dir("/proc") else {
            return Vec::new();
        };
        // SAFETY: geteuid takes nothing and cannot fail.
        let me = unsafe { libc::geteuid() };
        let own = std::process::id();
        let boot = boot_time();
        let now = Timestamp::now();
        let mut pids: Vec<u32> = entries
            .flatten()
            .filter_map(|entry| {
                let pid = entry.file_name().to_str()?.parse().ok()?;
                let mine = pid != own && entry.metadata().is_ok_and(|meta| meta.uid() == me);
                mine.then_some(pid)
            })
            .collect();
        pids.sort();
        let program = |pid: u32| {
            let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
            let name = comm.trim_end().to_owned();
            let is_one = match name.as_str() {
                "java" => is_jetbrains(pid),
                // The agent, not another doctor.
                "goroam" => words(pid).iter().any(|word| word == "agent"),
                name => NAMES.split(',').any(|one| one == name),
            };
            if !is_one {
                return None;
            }
            let started = boot.and_then(|boot| started(pid, boot));
            if name == "go" && started.is_none_or(|at| now.as_second() - at.as_second() < LONG) {
                return None;
            }
            Some(Program {
                pid,
                name,
                started: started.map(|at| shown(at, now)),
            })
        };
        pids.into_iter().filter_map(program).collect()
    }

    /// The variables that it was started with; none with another home, where go reads another file.
    pub(super) fn variables(
        pid: u32,
        home: &Path,
        names: &BTreeSet<String>,
    ) -> Vec<(String, String)> {
        let mut bytes = Vec::new();
        let Ok(file) = std::fs::File::open(format!("/proc/{pid}/environ")) else {
            return Vec::new();
        };
        // A process that ends just now has none.
        if file.take(MOST_BYTES).read_to_end(&mut bytes).is_err() {
            return Vec::new();
        }
        let homes = format::environ(&bytes, &["HOME".to_owned()].into());
        if homes.iter().any(|(_, theirs)| Path::new(theirs) == home) {
            format::environ(&bytes, names)
        } else {
            Vec::new()
        }
    }

    /// The words of its command line.
    fn words(pid: u32) -> Vec<String> {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words = line.split(|byte| *byte == 0);
        words
            .map(|word| String::from_utf8_lossy(word).to_lowercase())
            .collect()
    }

    fn is_jetbrains(pid: u32) -> bool {
        let words = words(pid);
        let is = |word: &String| {
            ["jetbrains", "goland", "idea"]
                .iter()
                .any(|name| word.contains(name))
        };
        words.iter().any(is)
    }

    /// When the system was started, in seconds since 1970 (proc_stat(5), `btime`).
    fn boot_time() -> Option<i64> {
        let stat = std::fs::read_to_string("/proc/stat").ok()?;
        let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
        line.trim().parse().ok()
    }

    /// Field 22 of proc_pid_stat(5), in clock ticks since the system was started.
    fn started(pid: u32, boot: i64) -> Option<Timestamp> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in brackets may hold anything.
        let (_, rest) = stat.rsplit_once(')')?;
        let ticks: i64 = rest.split_whitespace().nth(19)?.parse().ok()?;
        // SAFETY: sysconf takes a number and touches nothing.
        let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
        let seconds = ticks.checked_div(per_second)?;
        Timestamp::from_second(boot.checked_add(seconds)?).ok()
    }

    fn shown(at: Timestamp, now: Timestamp) -> String {
        let zone = TimeZone::system();
        let (at, now) = (at.to_zoned(zone.clone()), now.to_zoned(zone));
        let form = if at.date() == now.date() {
            "%H:%M"
        } else {
            "%Y-%m-%d %H:%M"
        };
        at.strftime(form).to_string()
    }
}
