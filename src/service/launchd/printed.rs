//! Reads the output of `launchctl print` and `launchctl print-disabled`.

use std::path::PathBuf;

/// A service that launchd has loaded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Printed {
    /// launchd's word: `running`, `not running`, `spawn scheduled`, `waiting`.
    pub(super) state: String,
    /// The running process.
    pub(super) pid: Option<u32>,
    /// The program that it starts.
    pub(super) program: Option<PathBuf>,
    /// How the last run ended, if it failed: `exit code 78: EX_CONFIG`, `Killed: 9`.
    pub(super) ended_badly: Option<String>,
}

/// Reads `launchctl print DOMAIN/LABEL`. launchctl(1) does not guarantee the format, so a line that
/// is missing or different means "not known".
pub(super) fn service(text: &str) -> Printed {
    let mut printed = Printed::default();
    for (key, value) in own_lines(text) {
        match key {
            "state" => value.clone_into(&mut printed.state),
            "pid" => printed.pid = value.parse().ok().filter(|pid| *pid != 0),
            "program" => printed.program = Some(PathBuf::from(value)),
            // "0", "78: EX_CONFIG", "(never exited)".
            "last exit code" if value != "0" && !value.starts_with('(') => {
                printed.ended_badly = Some(format!("exit code {value}"));
            }
            // "Killed: 9"; SIGTERM is how launchd itself ends a service.
            "last terminating signal" if !value.ends_with(": 15") => {
                printed.ended_badly = Some(value.to_owned());
            }
            _ => {}
        }
    }
    printed
}

/// Reads `launchctl print-disabled DOMAIN` and reports whether this service is disabled, whatever
/// its file says.
pub(super) fn is_disabled(text: &str, label: &str) -> bool {
    text.lines().any(|line| {
        let Some((name, word)) = line.split_once("=>") else {
            return false;
        };
        // Up to macOS 12 the word is "true".
        name.trim().trim_matches('"') == label && matches!(word.trim(), "disabled" | "true")
    })
}

/// Returns the `key = value` lines of the service itself, not those of the blocks within it.
fn own_lines(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut depth = 0_usize;
    text.lines().filter_map(move |line| {
        let line = line.trim();
        if line.ends_with('{') {
            depth = depth.saturating_add(1);
            return None;
        }
        if line == "}" {
            depth = depth.saturating_sub(1);
            return None;
        }
        let (key, value) = line.split_once(" = ")?;
        (depth == 1).then(|| (key.trim(), value.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// macOS 13, as printed for a running LaunchAgent.
    const RUNNING: &str = "gui/501/dev.goroam.agent = {
\tactive count = 1
\tpath = /Users/dev/Library/LaunchAgents/dev.goroam.agent.plist
\ttype = LaunchAgent
\tstate = running

\tprogram = /Users/dev/.cargo/bin/goroam
\targuments = {
\t\t/Users/dev/.cargo/bin/goroam
\t\tagent
\t}

\tstderr path = /Users/dev/Library/Logs/goroam.log
\tinherited environment = {
\t\tSSH_AUTH_SOCK => /private/tmp/com.apple.launchd.4YjWzJ2lVd/Listeners
\t}

\tdefault environment = {
\t\tPATH => /usr/bin:/bin:/usr/sbin:/sbin
\t}

\tenvironment = {
\t\tXPC_SERVICE_NAME => dev.goroam.agent
\t}

\tdomain = gui/501 [100027]
\tasid = 100027
\tminimum runtime = 10
\texit timeout = 5
\truns = 3
\tpid = 85245
\timmediate reason = inefficient
\tforks = 12
\texecs = 1
\tinitialized = 1
\ttrampolined = 1
\tstarted suspended = 0
\tproxy started suspended = 0
\tlast exit code = (never exited)

\tevent triggers = {
\t}

\tendpoints = {
\t\t\"dev.goroam.agent\" = {
\t\t\tport = 0x2ed07
\t\t\tactive = 0
\t\t}
\t}

\tspawn type = daemon (3)
\tjetsam priority = 40
\tproperties = keepalive | runatload | inferred program
}
";

    #[test]
    fn a_running_service_has_its_pid_and_nothing_of_the_blocks_within() {
        let spoofed = RUNNING.replace("\t\tagent\n", "\t\tpid = 7\n\t\tstate = spoofed\n");
        for text in [RUNNING, &spoofed] {
            let printed = service(text);
            assert_eq!(printed.state, "running");
            assert_eq!(printed.pid, Some(85245));
            let program = printed.program.unwrap();
            assert_eq!(program, PathBuf::from("/Users/dev/.cargo/bin/goroam"));
            assert_eq!(printed.ended_badly, None);
        }
    }

    /// Lines as seen on macOS 10.10 to 26.
    #[test]
    fn each_state_and_each_end_is_understood() {
        for (lines, state, pid, ended_badly) in [
            (
                "state = not running\n\tlast exit code = 0",
                "not running",
                None,
                None,
            ),
            ("state = waiting\n\truns = 0", "waiting", None, None),
            (
                "state = spawn scheduled\n\truns = 5\n\tlast exit code = 5",
                "spawn scheduled",
                None,
                Some("exit code 5"),
            ),
            (
                "state = not running\n\tlast exit code = 78: EX_CONFIG",
                "not running",
                None,
                Some("exit code 78: EX_CONFIG"),
            ),
            (
                "state = running\n\tpid = 24784\n\tlast exit code = 1",
                "running",
                Some(24784),
                Some("exit code 1"),
            ),
            (
                "state = running\n\tpid = 9\n\tlast terminating signal = Terminated: 15",
                "running",
                Some(9),
                None,
            ),
            (
                "state = spawn scheduled\n\tlast terminating signal = Killed: 9",
                "spawn scheduled",
                None,
                Some("Killed: 9"),
            ),
            ("state = running\n\tpid = 0", "running", None, None),
            ("state = running\n\tpid = unknown", "running", None, None),
        ] {
            // Before macOS 11 the first line was only the label.
            for head in ["gui/501/dev.goroam.agent", "dev.goroam.agent"] {
                let printed = service(&format!("{head} = {{\n\t{lines}\n}}\n"));
                assert_eq!(printed.state, state, "{lines}");
                assert_eq!(printed.pid, pid, "{lines}");
                assert_eq!(printed.ended_badly.as_deref(), ended_badly, "{lines}");
            }
        }
        assert_eq!(service("Bad request.\n"), Printed::default());
    }

    #[test]
    fn both_ways_of_saying_disabled_are_understood() {
        let now = "disabled services = {\n\t\"com.apple.Siri.agent\" => enabled\n\
                   \t\"dev.goroam.agent\" => disabled\n}\nlogin item associations = {\n}\n";
        let before = now
            .replace("disabled\n", "true\n")
            .replace("enabled", "false");
        for text in [now, before.as_str()] {
            assert!(is_disabled(text, "dev.goroam.agent"), "{text}");
            assert!(!is_disabled(text, "com.apple.Siri.agent"), "{text}");
            assert!(!is_disabled(text, "goroam"), "{text}");
        }
    }
}
