//! Finds which of the command's processes fetch, and whether another one is working. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

/// The programs that go starts to fetch a module from its repository
/// (cmd/go/internal/modfetch/codehost).
const VCS: [&str; 5] = ["git", "hg", "svn", "fossil", "bzr"];
/// git runs `GIT_SSH_COMMAND`, which go sets, through a shell.
const SHELLS: [&str; 4] = ["sh", "bash", "dash", "ash"];
/// These programs only wait for go's output.
const FILTERS: [&str; 12] = [
    "tee", "cat", "grep", "sed", "awk", "gawk", "mawk", "head", "tail", "sort", "tr", "ts",
];

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Process {
    /// Its process ID.
    pub(in super::super) pid: i32,
    /// Its program's name, at most 15 bytes.
    pub(super) name: String,
    /// `R`, `S`, `D`, `T`, `t`, `Z` ….
    pub(super) state: u8,
    /// The process that started it, or that adopted it after that one ended.
    pub(super) parent: i32,
    /// Its process group.
    pub(in super::super) group: i32,
    /// Its CPU time, and that of its children that it has reaped.
    pub(super) cpu: Duration,
}

impl Process {
    /// Reports whether it has ended and waits to be reaped.
    pub(in super::super) fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }
}

/// The command's processes: its leader and all descendants. A process that was started in the
/// background and whose parent has ended is not among them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ProcessTree {
    /// The go commands.
    pub(super) go: Vec<i32>,
    /// The processes that these have started to fetch something.
    pub(super) helpers: Vec<i32>,
    /// Another process is working: a compiler, a test, a server, a script that sleeps.
    pub(super) busy: bool,
    /// The CPU time of all of them.
    pub(super) cpu: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Go,
    Helper,
    Filter,
    Other,
}

/// Finds the descendants of a process.
pub(super) fn tree(all: &[Process], leader: i32) -> ProcessTree {
    let mut children: BTreeMap<i32, Vec<&Process>> = BTreeMap::new();
    for process in all {
        children.entry(process.parent).or_default().push(process);
    }
    let mut tree = ProcessTree::default();
    let Some(first) = all.iter().find(|process| process.pid == leader) else {
        return tree;
    };
    let mut open = vec![(first, Kind::Other)];
    // /proc is not read at one instant, so a cycle is possible.
    let mut left = all.len();
    while let Some((process, parent)) = open.pop().filter(|_| left > 0) {
        left -= 1;
        tree.cpu = tree.cpu.saturating_add(process.cpu);
        if process.is_dead() {
            continue;
        }
        let kind = kind(&process.name, parent);
        let below = children.get(&process.pid).map_or(&[][..], Vec::as_slice);
        let is_leaf = below.iter().all(|child| child.is_dead());
        match kind {
            Kind::Go => tree.go.push(process.pid),
            Kind::Helper => tree.helpers.push(process.pid),
            Kind::Filter => {}
            Kind::Other => tree.busy |= is_leaf,
        }
        // Stopped, or under a debugger; or waiting for a disk or a network drive that does not
        // respond.
        tree.busy |= matches!(process.state, b'T' | b't' | b'D');
        open.extend(below.iter().map(|child| (*child, kind)));
    }
    tree
}

fn kind(name: &str, parent: Kind) -> Kind {
    let fetches = matches!(parent, Kind::Go | Kind::Helper);
    match name {
        "go" => Kind::Go,
        _ if fetches && VCS.contains(&name) => Kind::Helper,
        // The kernel cuts names to 15 bytes: git-remote-http(s).
        _ if fetches && name.starts_with("git-remote-") => Kind::Helper,
        // Only below git: a `go generate` may run ssh for an hour.
        "ssh" if parent == Kind::Helper => Kind::Helper,
        _ if parent == Kind::Helper && SHELLS.contains(&name) => Kind::Helper,
        _ if FILTERS.contains(&name) => Kind::Filter,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a tree from `NAME PID PARENT [STATE]`, one a line; the first is the leader.
    fn of(lines: &str) -> ProcessTree {
        let process = |line: &str| {
            let mut words = line.split_whitespace();
            let name = words.next()?.to_owned();
            let pid = words.next()?.parse().ok()?;
            let parent = words.next()?.parse().ok()?;
            Some(Process {
                pid,
                name,
                state: words.next().unwrap_or("S").as_bytes()[0],
                parent,
                group: 1,
                cpu: Duration::from_millis(10),
            })
        };
        tree(&lines.lines().filter_map(process).collect::<Vec<_>>(), 1)
    }

    #[test]
    fn only_what_fetches_may_be_judged() {
        for (lines, busy, go, helpers) in [
            ("go 1 0", false, vec![1], vec![]),
            ("make 1 0\nsh 2 1\ngo 3 2", false, vec![3], vec![]),
            ("bash 1 0\ngo 2 1\ntee 3 1", false, vec![2], vec![]),
            ("go 1 0\ncompile 2 1", true, vec![1], vec![]),
            ("go 1 0\ncompile 2 1 Z", false, vec![1], vec![]),
            ("go 1 0\nw.test 2 1", true, vec![1], vec![]),
            ("go 1 0\nserver 2 1\ngo 3 2", false, vec![1, 3], vec![]),
            ("make 1 0\nsleep 2 1", true, vec![], vec![]),
            ("make 1 0\nsleep 2 1\ngo 3 1", true, vec![3], vec![]),
            ("go 1 0 T", true, vec![1], vec![]),
            ("go 1 0 D", true, vec![1], vec![]),
            (
                "go 1 0\ngit 2 1\ngit-remote-http 3 2",
                false,
                vec![1],
                vec![2, 3],
            ),
            (
                "go 1 0\ngit 2 1\nsh 3 2\nssh 4 3",
                false,
                vec![1],
                vec![2, 3, 4],
            ),
            // A person is being asked.
            (
                "go 1 0\ngit 2 1\ngit-credential- 3 2",
                true,
                vec![1],
                vec![2],
            ),
            // go generate, or a Makefile, that works on another machine.
            ("go 1 0\nssh 2 1", true, vec![1], vec![]),
            ("make 1 0\nssh 2 1", true, vec![], vec![]),
            ("make 1 0\ngit 2 1\nssh 3 2", true, vec![], vec![]),
            ("go 1 0\ntool 2 1\ngit 3 2", true, vec![1], vec![]),
            // Left in the background: its parent has ended.
            ("go 1 0\nserver 9 0", false, vec![1], vec![]),
        ] {
            let mut seen = of(lines);
            seen.go.sort_unstable();
            seen.helpers.sort_unstable();
            assert_eq!(
                (seen.busy, seen.go, seen.helpers),
                (busy, go, helpers),
                "{lines}"
            );
        }
    }

    #[test]
    fn a_circle_ends_and_a_leader_that_is_gone_is_no_tree() {
        of("go 1 2\ngit 2 1");
        assert_eq!(of("go 2 1"), ProcessTree::default());
    }

    #[test]
    fn the_time_of_all_of_them_counts() {
        let seen = of("make 1 0\ngo 2 1\ncompile 3 2\nother 4 0");
        assert_eq!(seen.cpu, Duration::from_millis(30));
    }
}
