//! The go env file line by line, as `envcmd/env.go:updateEnvFile` treats it: whether everything
//! planned is there, whether all foreign lines are still there, and how one writer's changes are
//! applied to another's file.

use std::collections::BTreeMap;

use crate::model::EnvText;
use crate::model::plan::{Plan, PlanStep};

/// Reports whether the text has the values that the plan wants.
pub(super) fn holds(plan: &Plan, text: &EnvText) -> bool {
    missing(plan, text).is_none()
}

/// Describes how go's result differs from the plan, without values: they may hold credentials.
pub(super) fn unexpected(plan: &Plan, before: &[u8], after: &EnvText) -> Option<String> {
    if let Some(name) = missing(plan, after) {
        return Some(format!("{name} is not what it was set to"));
    }
    let (was, is) = (Foreign::of(plan, before), Foreign::of(plan, &after.0));
    if was.other != is.other {
        return Some("a comment, a blank line or an unknown line changed".to_owned());
    }
    let names = was.settings.keys().chain(is.settings.keys());
    let mut changed = names.filter(|name| was.settings.get(*name) != is.settings.get(*name));
    let name = String::from_utf8_lossy(changed.next()?);
    Some(format!("the line of {name} changed"))
}

/// Returns `onto`, plus the changes between `from` and `to` by a writer that did not see `onto`;
/// `onto` was `ours` when goroam wrote it. Lines of planned names are left out. If `onto` has
/// another value of a name than `ours`, that value was written after ours and stays: it is newer.
/// What was already appended is not appended again. Text that is only appended follows `onto`
/// unchanged, byte for byte.
pub(super) fn carry(plan: &Plan, from: &[u8], to: &[u8], ours: &[u8], onto: &[u8]) -> Vec<u8> {
    if from == to {
        return onto.to_vec();
    }
    let foreign = |line: &&[u8]| !is_planned(plan, line);
    let (old, new): (Vec<&[u8]>, Vec<&[u8]>) = (
        split(from).into_iter().filter(foreign).collect(),
        split(to).into_iter().filter(foreign).collect(),
    );
    let (ours, mut lines) = (split(ours), split(onto));
    let mut rewrite = false;
    let mut done = tally(&minus(&ours, &lines));
    for gone in minus(&old, &new) {
        let place = match key(gone) {
            Some(name) if last_of(&new, name).is_some() => continue, // replaced, see below
            Some(name) => untouched(name, &ours, &lines),
            None if take(&mut done, gone) => continue,
            None => lines.iter().rposition(|line| *line == gone),
        };
        if let Some(place) = place {
            lines.remove(place);
            rewrite = true;
        }
    }
    let mut done = tally(&minus(&lines, &ours));
    let mut added: Vec<&[u8]> = Vec::new();
    for line in minus(&new, &old) {
        let Some(name) = key(line) else {
            if !take(&mut done, line) {
                added.push(line);
            }
            continue;
        };
        if last_of(&lines, name).is_none() && last_of(&ours, name).is_none() {
            added.push(line);
        } else if let Some(place) = untouched(name, &ours, &lines)
            && let Some(other) = lines.get_mut(place)
            && *other != line
        {
            *other = line;
            rewrite = true;
        }
    }
    if rewrite {
        lines.extend(added);
        return join(&lines);
    }
    let mut text = onto.to_vec();
    if !added.is_empty() && onto.last().is_some_and(|last| *last != b'\n') {
        text.push(b'\n');
    }
    text.extend(join(&added));
    text
}

/// Returns the first name whose value is not what the plan wants.
fn missing<'a>(plan: &'a Plan, text: &EnvText) -> Option<&'a str> {
    plan.changes().find_map(|step| {
        let right = match step {
            PlanStep::Set { name, value } => text.get(name) == Some(value.as_str()),
            PlanStep::Unset { name } => !text.names().contains(name.as_str()),
            PlanStep::Leave { .. } => true,
        };
        (!right).then_some(step.name())
    })
}

/// What go must not change: the last line of every other name, and everything else in order.
struct Foreign<'a> {
    settings: BTreeMap<&'a [u8], &'a [u8]>,
    other: Vec<&'a [u8]>,
}

impl<'a> Foreign<'a> {
    fn of(plan: &Plan, text: &'a [u8]) -> Foreign<'a> {
        let mut foreign = Foreign {
            settings: BTreeMap::new(),
            other: Vec::new(),
        };
        for line in split(text) {
            match key(line) {
                Some(_) if is_planned(plan, line) => {}
                Some(name) => {
                    foreign.settings.insert(name, line);
                }
                None => foreign.other.push(line),
            }
        }
        foreign
    }
}

fn is_planned(plan: &Plan, line: &[u8]) -> bool {
    key(line).is_some_and(|name| plan.changes().any(|step| step.name().as_bytes() == name))
}

/// `env.go:lineToKey`: it accepts more than go reads as a setting, so that `foo=1` moves as one
/// line.
fn key(line: &[u8]) -> Option<&[u8]> {
    let equals = line.iter().position(|b| *b == b'=')?;
    let name = line.get(..equals)?;
    (!name.is_empty() && !name.contains(&b'#')).then_some(name)
}

fn last_of<'a>(lines: &[&'a [u8]], name: &[u8]) -> Option<&'a [u8]> {
    let mut newest_first = lines.iter().rev().copied();
    newest_first.find(|line| key(line) == Some(name))
}

/// Returns where the name's line is, if it is still as in `ours`.
fn untouched(name: &[u8], ours: &[&[u8]], lines: &[&[u8]]) -> Option<usize> {
    let place = lines.iter().rposition(|line| key(line) == Some(name))?;
    (lines.get(place).copied() == last_of(ours, name)).then_some(place)
}

/// Returns the lines without their ends; go adds a missing last one.
fn split(text: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = text.split(|b| *b == b'\n').collect();
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    lines
}

fn join(lines: &[&[u8]]) -> Vec<u8> {
    let ended = lines.iter().flat_map(|line| [*line, b"\n"]);
    ended.flatten().copied().collect()
}

/// Returns the lines of `a` that `b` lacks, each as often as `b` lacks it, in order.
fn minus<'a>(a: &[&'a [u8]], b: &[&[u8]]) -> Vec<&'a [u8]> {
    let mut spare = tally(b);
    let lacks = a.iter().filter(|line| !take(&mut spare, line));
    lacks.copied().collect()
}

/// Counts how often each line occurs.
fn tally<'a>(lines: &[&'a [u8]]) -> BTreeMap<&'a [u8], usize> {
    let mut tally = BTreeMap::new();
    for line in lines {
        *tally.entry(*line).or_insert(0) += 1;
    }
    tally
}

/// Removes one such line from the tally, and reports whether there was one.
fn take(tally: &mut BTreeMap<&[u8], usize>, line: &[u8]) -> bool {
    let left = tally.get_mut(line).filter(|left| **left > 0);
    left.map(|left| *left -= 1).is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{carry, holds, unexpected};
    use crate::model::EnvText;
    use crate::model::plan::{Plan, PlanStep};

    fn plan() -> Plan {
        Plan {
            steps: vec![
                PlanStep::Set {
                    name: "GOPROXY".into(),
                    value: "off".into(),
                },
                PlanStep::Unset {
                    name: "GOSUMDB".into(),
                },
            ],
        }
    }

    fn carried(from: &str, to: &str, onto: &str) -> String {
        carried_after(from, to, onto, onto)
    }

    fn carried_after(from: &str, to: &str, ours: &str, onto: &str) -> String {
        let bytes = |text: &'_ str| text.as_bytes().to_vec();
        let (ours, onto) = (bytes(ours), bytes(onto));
        String::from_utf8(carry(&plan(), &bytes(from), &bytes(to), &ours, &onto)).unwrap()
    }

    #[test]
    fn sorting_and_dropping_duplicates_is_go_s_good_right() {
        let before = b"B=1\nA=1\n# c\nA=2\nGOSUMDB=x\nno end";
        let after = EnvText(b"B=1\n# c\nA=2\nno end\nGOPROXY=off\n".to_vec());
        assert_eq!(unexpected(&plan(), before, &after), None);
    }

    #[test]
    fn a_lost_or_changed_foreign_line_is_noticed() {
        let before = b"A=1\n# c\r\nx\n";
        for after in [
            "# c\r\nx\nGOPROXY=off\n",
            "A=2\n# c\r\nx\nGOPROXY=off\n",
            "A=1\n# c\nx\nGOPROXY=off\n",
            "A=1\nx\n# c\r\nGOPROXY=off\n",
            "A=1\n# c\r\nx\nGOPROXY=off\nB=2\n",
            "A=1\n# c\r\nx\nGOPROXY=of\n",
            "A=1\n# c\r\nx\nGOPROXY=off\nGOSUMDB=\n",
        ] {
            let after = EnvText(after.as_bytes().to_vec());
            assert!(unexpected(&plan(), before, &after).is_some(), "{after:?}");
        }
    }

    #[test]
    fn appended_lines_are_appended() {
        assert_eq!(
            carried("A=1\n", "A=1\n# x\n", "A=1\nGOPROXY=off\n"),
            "A=1\nGOPROXY=off\n# x\n"
        );
        assert_eq!(carried("", "B=2", "A=1"), "A=1\nB=2\n");
    }

    #[test]
    fn a_changed_and_a_removed_line_are_changed_and_removed() {
        assert_eq!(
            carried("A=1\nB=1\n# c\n", "A=2\n", "A=1\nB=1\n# c\nGOPROXY=off\n"),
            "A=2\nGOPROXY=off\n"
        );
    }

    #[test]
    fn the_younger_of_two_values_wins() {
        // Written to the displaced file after our copy was made from it.
        assert_eq!(carried_after("A=1\n", "A=3\n", "A=2\n", "A=2\n"), "A=3\n");
        // Written to the real file after our copy was swapped in.
        assert_eq!(carried_after("A=1\n", "A=2\n", "A=1\n", "A=3\n"), "A=3\n");
        assert_eq!(carried_after("A=1\n", "", "A=2\n", "A=3\n"), "A=3\n");
        assert_eq!(carried_after("A=1\n", "", "A=2\n", "A=2\n"), "");
        assert_eq!(carried_after("A=1\n", "A=2\n", "A=1\n", ""), "");
    }

    #[test]
    fn what_a_writer_did_to_planned_names_is_not_carried() {
        assert_eq!(
            carried("GOPROXY=x\n", "GOPROXY=y\nGOSUMDB=z\n", "GOPROXY=off\n"),
            "GOPROXY=off\n"
        );
    }

    #[test]
    fn a_line_that_the_writer_brought_along_is_not_doubled() {
        assert_eq!(
            carried_after("# a\n", "# a\n# b\n", "# a\nGOPROXY=off\n", "# a\n# b\n"),
            "# a\n# b\n"
        );
    }

    proptest! {
        #[test]
        fn what_was_appended_is_not_appended_again(
            from in "([ABab#]{0,2}=?[12]?\n){0,5}",
            to in "([ABab#]{0,2}=?[12]?\n){0,5}",
            ours in "([ABab#]{0,2}=?[12]?\n){0,5}",
            more in "([ABab#]{0,2}=?[12]?\n){0,2}",
        ) {
            let onto = format!("{ours}{more}");
            let bytes = |text: &str| text.as_bytes().to_vec();
            let again = |onto: &[u8]| carry(&plan(), &bytes(&from), &bytes(&to), &bytes(&ours), onto);
            let once = again(onto.as_bytes());
            if once.starts_with(onto.as_bytes()) {
                prop_assert_eq!(again(&once), once);
            }
        }

        #[test]
        fn a_file_that_nobody_else_touched_becomes_the_writer_s(
            from in "([CDcd#]{1,2}=[12]\n){0,5}",
            line in "[EF]{1,2}=[12]\n",
        ) {
            let to = format!("{from}{line}");
            prop_assert_eq!(carried(&from, &to, &from), to);
        }
    }

    #[test]
    fn a_plan_holds_when_every_name_is_right() {
        assert!(holds(&plan(), &EnvText(b"GOPROXY=off\n".to_vec())));
        assert!(!holds(
            &plan(),
            &EnvText(b"GOPROXY=off\nGOSUMDB=\n".to_vec())
        ));
        assert!(!holds(&plan(), &EnvText::default()));
    }
}
