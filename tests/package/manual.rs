//! docs/install.md, carried out.

use super::machine::Machine;

const MANUAL: &str = include_str!("../../docs/install.md");

/// Runs every command that stands below this heading, as the user types it. After `, again` all
/// but those that a user says once in his life.
#[track_caller]
pub(crate) fn follow(machine: &Machine<'_>, heading: &str) {
    let (heading, again) = match heading.strip_suffix(", again") {
        Some(heading) => (heading, true),
        None => (heading, false),
    };
    let commands = commands(heading);
    assert!(
        !commands.is_empty(),
        "docs/install.md has no commands below {heading:?}"
    );
    for command in commands {
        if again && command == "goroam init" {
            continue;
        }
        println!("$ {command}");
        match machine.session(&command) {
            Ok(said) => print!("{said}"),
            Err(why) => panic!("docs/install.md, {heading:?}: {command}: {why}"),
        }
    }
}

/// The lines after `$` in the console blocks between this heading and the next one.
fn commands(heading: &str) -> Vec<String> {
    let start = format!("### {heading}\n");
    let (_, rest) = MANUAL
        .split_once(&start)
        .unwrap_or_else(|| panic!("no {start:?}"));
    let section = rest.split("\n#").next().unwrap_or(rest);
    let lines = section.lines().filter_map(|line| line.strip_prefix("$ "));
    lines.map(ToOwned::to_owned).collect()
}
