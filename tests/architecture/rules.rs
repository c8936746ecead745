//! The rules of the house. Each returns complaints that start with `file:line:`.

use std::collections::BTreeMap;

use crate::house::{House, SourceFile};
use crate::source::Named;

/// The floors, from the ground up. Rooms of one floor do not know each other, except the bare
/// tools of the ground floor, which may build on one another without a circle.
pub(crate) const FLOORS: [&[&str]; 8] = [
    &[
        "model",
        "environment",
        "paths",
        "bounded",
        "gomod",
        "meter",
        "pool",
        "signals",
        "telemetry",
        "trust",
    ],
    &["policy", "probe", "watch"],
    &["gocmd", "relay", "state"],
    &["agent", "chain", "exec"],
    &["ipc", "mirror"],
    &["vendoring"],
    &["doctor", "service"],
    &["cli", "tray"],
];

/// Longer than this and a file is more than one room.
pub(crate) const LONGEST: usize = 800;

/// Facts in, value out: what the core may not name, as paths.
const IMPURE: [&str; 16] = [
    "tokio",
    "reqwest",
    "hyper",
    "hyper_util",
    "std::fs",
    "std::env",
    "std::process",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "std::time::SystemTime",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "std::thread::sleep",
];
const PURE_ROOMS: [&[&str]; 6] = [
    &["model"],
    &["gomod"],
    &["policy"],
    &["relay", "rules"],
    &["chain", "predict"],
    &["chain", "safe"],
];

/// A foreign crate and the places that may name it.
const WALLED: [(&str, &[&str]); 3] = [
    ("netdev", &["src/watch/survey.rs"]),
    ("reqwest", &["src/probe/"]),
    ("hyper", &["src/probe/", "src/relay/server.rs"]),
];

/// Opens files that may be anything; see `src/bounded.rs`.
const OPENERS: [&str; 7] = [
    "File::open",
    "File::create",
    "fs::read",
    "fs::read_to_string",
    "fs::copy",
    "fs::write",
    "File::open_buffered",
];

/// Who opens files without `src/bounded.rs`, and why that is safe.
const OPEN_THEMSELVES: [(&str, &str); 14] = [
    ("src/bounded.rs", "it is the one that opens"),
    ("src/watch/linux/link.rs", "/sys, which is the kernel's"),
    (
        "src/probe/tcp_table/linux.rs",
        "/proc/net, which is the kernel's",
    ),
    ("src/exec/stall/linux.rs", "/proc, which is the kernel's"),
    ("src/doctor/programs.rs", "/proc, which is the kernel's"),
    (
        "src/service/systemd/manager.rs",
        "/proc, which is the kernel's",
    ),
    ("src/exec/terminal.rs", "/dev/tty, which is a device"),
    ("src/gocmd/copy.rs", "makes a new file (create_new)"),
    (
        "src/mirror/go.rs",
        "writes into a temporary directory of its own",
    ),
    (
        "src/mirror/add.rs",
        "writes into a temporary directory of its own",
    ),
    ("src/cli/verb/man.rs", "writes where the packager says"),
    (
        "src/tray/windows/log_file.rs",
        "Windows has no pipes among files",
    ),
    (
        "src/tray/windows/run.rs",
        "LogFile::open, which is no File::open",
    ),
    (
        "src/ipc/windows.rs",
        "the agent's named pipe, which is meant",
    ),
];

/// All of them.
pub(crate) fn complaints(house: &House) -> Vec<String> {
    let mut out = Vec::new();
    for file in &house.files {
        out.extend(floors(house, file));
        out.extend(purity(file));
        out.extend(walls(file));
        out.extend(super_stars(file));
        out.extend(openings(file));
        out.extend(length(&file.path, &file.text));
        out.extend(ignored(&file.path, &file.text));
    }
    out.extend(circles(house));
    out.sort();
    out.dedup();
    out
}

/// Nobody imports from a floor above, or from the next room.
fn floors(house: &House, file: &SourceFile) -> Vec<String> {
    let Some(own) = file.module.first() else {
        return Vec::new();
    };
    let Some(floor) = floor_of(own) else {
        return vec![format!(
            "{}:1: the room `{own}` stands on no floor; name it in tests/architecture/rules.rs",
            file.path
        )];
    };
    let mut out = Vec::new();
    for named in &file.paths {
        let Some(room) = house
            .absolute(file, named)
            .and_then(|path| path.into_iter().next())
        else {
            continue;
        };
        let Some(other) = floor_of(&room) else {
            continue;
        };
        let allowed = &room == own || other < floor || (other == floor && floor == 0);
        if !allowed {
            let why = if other == floor {
                "stand side by side and do not know each other"
            } else {
                "is above it"
            };
            out.push(format!(
                "{}:{}: `{own}` imports `{}`, but `{room}` {why}",
                file.path,
                named.line,
                named.segments.join("::")
            ));
        }
    }
    out
}

fn floor_of(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// No clock, socket, file or environment in the core. Its tests may read files.
fn purity(file: &SourceFile) -> Vec<String> {
    let is_in = |room: &&[&str]| file.module.iter().take(room.len()).eq(room.iter());
    if !PURE_ROOMS.iter().any(is_in) {
        return Vec::new();
    }
    let named = file
        .paths
        .iter()
        .filter(|named| !named.test)
        .filter_map(|named| {
            let path = named.segments.join("::");
            let word = IMPURE.iter().find(|word| {
                path == **word
                    || path.starts_with(&format!("{word}::"))
                    || path.ends_with(&format!("::{word}"))
            })?;
            Some(format!(
                "{}:{}: `{path}` in the core, which takes facts and returns values ({word})",
                file.path, named.line
            ))
        });
    named.collect()
}

/// Foreign types stop at the door.
fn walls(file: &SourceFile) -> Vec<String> {
    let mut out = Vec::new();
    for (foreign, homes) in WALLED
        .into_iter()
        .filter(|(_, homes)| !homes.iter().any(|home| file.path.starts_with(home)))
    {
        for named in file
            .paths
            .iter()
            .filter(|named| named.segments[0] == foreign)
        {
            out.push(format!(
                "{}:{}: `{foreign}` is named in {} only",
                file.path,
                named.line,
                homes.join(" and ")
            ));
        }
    }
    out
}

/// What may be a pipe or a device is opened in one way.
fn openings(file: &SourceFile) -> Vec<String> {
    let allowed = OPEN_THEMSELVES.iter().any(|(path, _)| *path == file.path);
    if allowed || file.path.ends_with("_tests.rs") {
        return Vec::new();
    }
    let is_opener = |named: &Named| {
        let path = named.segments.join("::");
        let mut known = OPENERS.iter();
        known.any(|word| path == *word || path.ends_with(&format!("::{word}")))
    };
    let named = file.paths.iter().filter(|named| !named.test);
    let mut lines: Vec<usize> = named.filter(|it| is_opener(it)).map(|it| it.line).collect();
    // `options.open(path)`, where the file makes such options.
    let has_options = file.paths.iter().any(|named| {
        let path = named.segments.join("::");
        !named.test
            && (path.ends_with("OpenOptions")
                || path.contains("OpenOptions::")
                || path.ends_with("File::options"))
    });
    let calls = file.tokens.windows(4).filter(|w| {
        let text = |at: usize| w[at].text.as_str();
        !w[1].test && text(0) != "self" && [text(1), text(2), text(3)] == [".", "open", "("]
    });
    if has_options {
        lines.extend(calls.map(|w| w[1].line));
    }
    let says = |line| {
        format!(
            "{}:{line}: opens a file that may be a pipe or a device; `bounded` opens those",
            file.path
        )
    };
    lines.into_iter().map(says).collect()
}

/// `use super::*` would make the floors' check blind.
fn super_stars(file: &SourceFile) -> Vec<String> {
    let stars = file.paths.iter().filter(|named| {
        !named.test
            && named.segments.last().is_some_and(|s| s == "*")
            && named.segments[0] == "super"
    });
    stars
        .map(|named| format!("{}:{}: `use super::*` outside tests", file.path, named.line))
        .collect()
}

/// One file, one room.
pub(crate) fn length(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    let long = (lines > LONGEST).then(|| {
        format!("{path}:{LONGEST}: {lines} lines; over {LONGEST} it is more than one room")
    });
    long.into_iter().collect()
}

/// An ignored test is not a test.
pub(crate) fn ignored(path: &str, text: &str) -> Vec<String> {
    let tokens = crate::source::tokens(text);
    let found = tokens
        .windows(3)
        .filter(|w| w[0].text == "#" && w[1].text == "[" && w[2].text == "ignore");
    found
        .map(|w| format!("{path}:{}: an ignored test is not a test", w[0].line))
        .collect()
}

/// No file needs itself, by whatever way round. What a face (`mod.rs`) only hands on is not a need of its own.
fn circles(house: &House) -> Vec<String> {
    let mut needs: BTreeMap<usize, BTreeMap<usize, usize>> = BTreeMap::new();
    for (from, file) in house.files.iter().enumerate() {
        let is_face = file.path.ends_with("/mod.rs") || file.path.ends_with("/lib.rs");
        for named in file
            .paths
            .iter()
            .filter(|n| !(n.test || is_face && n.is_pub))
        {
            let to = house
                .absolute(file, named)
                .and_then(|path| house.file_at(&path));
            if let Some(to) = to.filter(|&to| to != from) {
                needs
                    .entry(from)
                    .or_default()
                    .entry(to)
                    .or_insert(named.line);
            }
        }
    }
    let mut out = Vec::new();
    let mut done = vec![false; house.files.len()];
    for start in 0..house.files.len() {
        walk(house, &needs, start, &mut Vec::new(), &mut done, &mut out);
    }
    out
}

fn walk(
    house: &House,
    needs: &BTreeMap<usize, BTreeMap<usize, usize>>,
    at: usize,
    way: &mut Vec<usize>,
    done: &mut [bool],
    out: &mut Vec<String>,
) {
    if let Some(n) = way.iter().position(|&x| x == at) {
        let names: Vec<&str> = way[n..]
            .iter()
            .chain([&at])
            .map(|&i| house.files[i].path.as_str())
            .collect();
        let line = needs[&at][way.get(n + 1).unwrap_or(&at)];
        out.push(format!(
            "{}:{line}: a circle: {}",
            names[0],
            names.join(" → ")
        ));
        return;
    }
    if done[at] {
        return;
    }
    way.push(at);
    for &to in needs.get(&at).into_iter().flat_map(BTreeMap::keys) {
        walk(house, needs, to, way, done, out);
    }
    way.pop();
    done[at] = true;
}
