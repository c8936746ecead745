//! Programs that run and carry a variable, on Linux: `/proc/PID/environ` holds what a process
//! was started with. macOS shows that to nobody, Windows not without a debugger's rights.

use std::collections::BTreeSet;
use std::path::Path;

use super::facts::Facts;

/// Where nothing can be seen there is nothing to say.
#[cfg(not(target_os = "linux"))]
pub(super) fn look(_: &mut Facts, _: &Path, _: &BTreeSet<String>) {}

/// Looks at editors, language servers, debuggers and multiplexers of the same user. A `gopls`
/// without the variable is fine: each go command that it starts reads the file anew.
#[cfg(target_os = "linux")]
pub(super) fn look(facts: &mut Facts, home: &Path, names: &BTreeSet<String>) {
    use super::facts::{Kind, Sighting};
    use crate::model::mask;

    facts.looked.push("programs that run".to_owned());
    let mut found: Vec<(linux::Program, String, String)> = Vec::new();
    for program in linux::programs() {
        for (name, value) in linux::variables(program.pid, home, names) {
            found.push((program.clone(), name, mask(&value)));
        }
    }
    // An editor is a dozen processes: the first of them is told.
    let mut told: Vec<(Sighting, String, u32)> = Vec::new();
    for (program, name, value) in found {
        let same = told.iter_mut().find(|(one, comm, _)| {
            *comm == program.name && one.name == name && one.value.as_deref() == Some(&value)
        });
        match same {
            Some((_, _, more)) => *more += 1,
            None => {
                let sighting = Sighting {
                    name,
                    value: Some(value),
                    place: match &program.started {
                        Some(at) => format!("{} (pid {}, started {at})", program.name, program.pid),
                        None => format!("{} (pid {})", program.name, program.pid),
                    },
                    kind: Kind::Process,
                    certain: true,
                    reaches: Vec::new(),
                    foreign: false,
                };
                told.push((sighting, program.name, 0));
            }
        }
    }
    facts
        .seen
        .extend(told.into_iter().map(|(mut one, _, more)| {
            if more > 0 && one.place.ends_with(')') {
                one.place.pop();
                one.place.push_str(&format!("; {more} more)"));
            }
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

    /// What `/proc/PID/comm` says of programs that start go commands, or start those that do.
    const NAMES: [&str; 38] = [
        "gopls",
        "dlv",
        "dlv-dap",
        "go",
        "code",
        "code-insiders",
        "codium",
        "cursor",
        "windsurf",
        "code-server",
        "goland",
        "goland64",
        "idea",
        "idea64",
        "zed",
        "zed-editor",
        "nvim",
        "vim",
        "vi",
        "emacs",
        "hx",
        "helix",
        "subl",
        "sublime_text",
        "tmux: server",
        "screen",
        "zellij",
        "goroam-tray",
        "dbus-daemon",
        "dbus-broker-lau",
        "gnome-shell",
        "plasmashell",
        "kded5",
        "kded6",
        "sway",
        "Hyprland",
        "golangci-lint",
        "air",
    ];
    /// A go command that runs longer than this serves something; others are gone in a moment.
    const LONG: i64 = 30;
    /// Linux bounds an environment to a quarter of the stack's limit; this is ample.
    const MOST_BYTES: u64 = 1 << 20;

    #[derive(Debug, Clone)]
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
                // The agent; another doctor is none.
                "goroam" => words(pid).iter().any(|word| word == "agent"),
                name => NAMES.contains(&name),
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
                started: started.map(|at| told(at, now)),
            })
        };
        pids.into_iter().filter_map(program).collect()
    }

    /// What it was started with. One with another home reads another go env file.
    pub(super) fn variables(
        pid: u32,
        home: &Path,
        names: &BTreeSet<String>,
    ) -> Vec<(String, String)> {
        let mut bytes = Vec::new();
        let Ok(file) = std::fs::File::open(format!("/proc/{pid}/environ")) else {
            return Vec::new();
        };
        // One that ends just now says nothing.
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

    /// Seconds since 1970 at which the system was started (proc_stat(5), `btime`).
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

    fn told(at: Timestamp, now: Timestamp) -> String {
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
