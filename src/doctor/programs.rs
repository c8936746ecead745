//! Running programs that have a variable, on Linux: `/proc/PID/environ` holds the environment that
//! a process was started with. macOS hides it; Windows shows it only with a debugger's rights.

/// Does nothing: other systems do not show the environment.
#[cfg(not(target_os = "linux"))]
pub(super) fn look(
    _: &mut super::facts::DoctorFacts,
    _: &std::path::Path,
    _: &std::collections::BTreeSet<String>,
) {
}

#[cfg(target_os = "linux")]
pub(super) use linux::look;

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeSet;
    use std::io::Read as _;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;

    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::super::facts::{DoctorFacts, Kind, Sighting};
    use super::super::finding::{Code, DoctorFinding, Severity};
    use super::super::format;

    /// Names, as in `/proc/PID/comm`, of programs that start go commands, directly or through other
    /// programs.
    const NAMES: &str = "gopls,dlv,dlv-dap,go,code,code-insiders,codium,cursor,windsurf,code-server,\
                         goland,goland64,idea,idea64,zed,zed-editor,nvim,vim,vi,emacs,hx,helix,\
                         subl,sublime_text,tmux: server,screen,zellij,goroam-tray,dbus-daemon,\
                         dbus-broker-lau,gnome-shell,plasmashell,kded5,kded6,sway,Hyprland,\
                         golangci-lint,air";
    /// A go command that runs for this many seconds is a server; others end quickly.
    const LONG: i64 = 30;
    /// Maximum size in bytes. Linux limits an environment to a quarter of the stack limit; this is
    /// enough.
    const MOST_BYTES: u64 = 1 << 20;

    /// Examines editors, language servers, debuggers and multiplexers of the same user, the oldest
    /// first.
    pub(crate) fn look(facts: &mut DoctorFacts, home: &Path, names: &BTreeSet<String>) {
        facts.looked.push("running programs".to_owned());
        let me = rustix::process::geteuid().as_raw();
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let pid = |entry: std::fs::DirEntry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let is_mine = entry.metadata().is_ok_and(|meta| meta.uid() == me);
            (is_mine && pid != std::process::id()).then_some(pid)
        };
        let mut pids: Vec<u32> = entries.filter_map(pid).collect();
        pids.sort();
        older_gopls(facts, home, &pids);
        // An editor has a dozen processes: only the first is reported, with the number of the
        // others.
        let mut found: Vec<(String, Sighting, usize)> = Vec::new();
        for pid in pids {
            let Some((program, place)) = program(pid) else {
                continue;
            };
            for (name, value) in variables(pid, home, names) {
                let new = Sighting::new(name, Some(&value), place.clone(), Kind::Process);
                let same = found.iter_mut().find(|(known, one, _)| {
                    *known == program && one.name == new.name && one.value == new.value
                });
                match same {
                    Some((_, _, more)) => *more += 1,
                    None => found.push((program.clone(), new, 0)),
                }
            }
        }
        let found = found.into_iter().map(|(_, mut one, more)| {
            one.place.push_str(&match more {
                0 => ")".to_owned(),
                more => format!("; {more} more)"),
            });
            one
        });
        facts.seen.extend(found);
    }

    /// Reports each gopls that is older than the values in the go env file. It asks `go env` when
    /// it first searches for imports, and gives the answers (GOPROXY, GONOPROXY, GONOSUMDB,
    /// GOSUMDB, GOINSECURE, GOFLAGS) to the `go list -m` of each later search. All its other go
    /// commands read the file (`tests/cli/doctor_gopls.rs`).
    fn older_gopls(facts: &mut DoctorFacts, home: &Path, pids: &[u32]) {
        let file = facts.env_file.as_deref();
        let meta = file.and_then(|path| std::fs::metadata(path).ok());
        let modified = meta.and_then(|meta| meta.modified().ok());
        let Some(changed) = modified.and_then(|at| Timestamp::try_from(at).ok()) else {
            return;
        };
        let home_of: BTreeSet<String> = ["HOME".to_owned()].into();
        for pid in pids {
            // The time of a start is known to a second.
            let is_older = started(*pid).is_some_and(|at| at.as_second() + 1 < changed.as_second());
            let Some((_, place)) = program(*pid).filter(|(name, _)| is_older && name == "gopls")
            else {
                continue;
            };
            if variables(*pid, home, &home_of).is_empty() {
                continue;
            }
            let (place, changed) = (format!("{place})"), when(changed));
            let says = format!("{place} is older than the go env file, which changed {changed}");
            let why = "When it searches for imports it may still use the old GOPROXY, GONOPROXY, \
                       GOSUMDB and GOFLAGS. What it loads and downloads follows the file.";
            let fix = format!("restart it: {}", restarts(*pid));
            let code = Code::GoplsOutdated;
            let finding = DoctorFinding::new(code, Severity::Note, says, why, fix);
            facts.findings.push(finding.at(place));
        }
    }

    /// Returns what restarts the gopls of the editor that started it.
    fn restarts(pid: u32) -> &'static str {
        let mut pid = pid;
        // The editor is the parent, or a helper of the editor is.
        for _ in 0..4 {
            let Some(parent) = stat(pid, 1).and_then(|text| text.parse().ok()) else {
                break;
            };
            pid = parent;
            let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            return match comm.trim_end() {
                "code" | "code-insiders" | "codium" | "cursor" | "windsurf" | "code-server" => {
                    "“Go: Restart Language Server” in the editor's command palette"
                }
                "nvim" => "`:LspRestart` in Neovim, with nvim-lspconfig",
                "hx" | "helix" => "`:lsp-restart` in Helix",
                "emacs" => "`M-x eglot-reconnect` in Emacs, or `M-x lsp-workspace-restart`",
                "zed" | "zed-editor" => "“editor: restart language server” in Zed",
                _ => continue,
            };
        }
        "the editor's command for its language server, or the editor"
    }

    /// `09:12`, or `2026-11-30 09:12` on another day.
    fn when(at: Timestamp) -> String {
        let (at, now) = [at, Timestamp::now()]
            .map(|one| one.to_zoned(TimeZone::system()))
            .into();
        let is_today = at.date() == now.date();
        let form = if is_today { "%H:%M" } else { "%Y-%m-%d %H:%M" };
        at.strftime(form).to_string()
    }

    /// Returns a field behind the name in `/proc/PID/stat`, from 0 (proc_pid_stat(5)).
    fn stat(pid: u32, field: usize) -> Option<String> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in brackets may contain any character.
        let (_, rest) = stat.rsplit_once(')')?;
        rest.split_whitespace().nth(field).map(str::to_owned)
    }

    /// Returns the name of a program that is examined, and its displayed name.
    fn program(pid: u32) -> Option<(String, String)> {
        let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        let name = comm.trim_end().to_owned();
        let line = || std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = || String::from_utf8_lossy(&line()).to_lowercase();
        let is_one = match name.as_str() {
            "java" => ["jetbrains", "goland", "idea"]
                .iter()
                .any(|one| line().contains(one)),
            // The agent, not another doctor.
            "goroam" => line().split('\0').any(|word| word == "agent"),
            name => NAMES.split(',').any(|one| one == name),
        };
        if !is_one {
            return None;
        }
        let started = started(pid);
        let now = Timestamp::now().as_second();
        let is_young = started.is_none_or(|at| now - at.as_second() < LONG);
        if name == "go" && is_young {
            return None;
        }
        let started = started.map(|at| format!(", started {}", when(at)));
        let place = format!("{name} (pid {pid}{}", started.unwrap_or_default());
        Some((name, place))
    }

    /// Returns the variables that it was started with; none if it has another home, where go reads
    /// another file.
    fn variables(pid: u32, home: &Path, names: &BTreeSet<String>) -> Vec<(String, String)> {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(format!("/proc/{pid}/environ"));
        // A process that is ending has none.
        if file
            .and_then(|file| file.take(MOST_BYTES).read_to_end(&mut bytes))
            .is_err()
        {
            return Vec::new();
        }
        let homes = format::environ(&bytes, &["HOME".to_owned()].into());
        let mut found = format::environ(&bytes, names);
        found.retain(|_| homes.iter().any(|(_, theirs)| Path::new(theirs) == home));
        found
    }

    fn started(pid: u32) -> Option<Timestamp> {
        // The boot time of the system, in seconds since 1970 (proc_stat(5)).
        let system = std::fs::read_to_string("/proc/stat").ok()?;
        let boot = system
            .lines()
            .find_map(|line| line.strip_prefix("btime "))?;
        let boot: i64 = boot.trim().parse().ok()?;
        // Clock ticks since boot.
        let ticks: i64 = stat(pid, 19)?.parse().ok()?;
        // SAFETY: sysconf takes a number and touches nothing.
        let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
        let seconds = ticks.checked_div(per_second)?;
        Timestamp::from_second(boot.checked_add(seconds)?).ok()
    }
}
