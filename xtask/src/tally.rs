//! Counts the results in the output of test binaries: libtest's plain format, run with
//! `--show-output`.

use std::collections::BTreeMap;

/// The results of one or more binaries.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    pub passed: usize,
    pub failed: usize,
    /// Test → why it could not run here: it printed a line `skipped: why`, or is `#[ignore]`d.
    pub skipped: BTreeMap<String, String>,
    /// The tests that libtest lists under `failures:`, without their binary's name.
    pub failures: Vec<String>,
    /// Whether every run reached its `test result:` line.
    pub complete: bool,
}

impl Tally {
    /// Reads the output of one binary; the binary's name is put before those of its tests.
    pub fn of(binary: &str, text: &str) -> Tally {
        let mut tally = Tally::default();
        let (mut test, mut failures) = (None, false);
        // The last list before a result has only names; the one before it has the tests' output.
        let mut names = Vec::new();
        for line in text.lines() {
            if let Some(name) = line
                .strip_prefix("---- ")
                .and_then(|l| l.strip_suffix(" stdout ----"))
            {
                test = Some(format!("{binary} {name}"));
            } else if line == "failures:" || line == "successes:" {
                (test, failures) = (None, line == "failures:");
                names.clear();
            } else if let Some(why) = line.strip_prefix("skipped:") {
                // A test that failed after it printed this line counts as failed.
                if let (Some(test), false) = (&test, failures) {
                    tally
                        .skipped
                        .entry(test.clone())
                        .or_insert_with(|| why.trim().to_owned());
                }
            } else if let Some((name, how)) = line
                .strip_prefix("test ")
                .and_then(|l| l.split_once(" ... ignored"))
            {
                let why = how.trim_start_matches([',', ' ']);
                tally.skipped.insert(
                    format!("{binary} {name}"),
                    format!("ignored {why}").trim().to_owned(),
                );
            } else if let Some(result) = line.strip_prefix("test result: ") {
                tally.passed += count(result, "passed");
                tally.failed += count(result, "failed");
                tally.complete = true;
                if failures {
                    tally.failures.append(&mut names);
                }
                (test, failures) = (None, false);
            } else if let Some(name) = line.strip_prefix("    ") {
                names.push(name.to_owned());
            }
        }
        // libtest counts a test that returned early as passed, and an ignored one as neither.
        let returned = tally
            .skipped
            .values()
            .filter(|why| !why.starts_with("ignored"))
            .count();
        tally.passed = tally.passed.saturating_sub(returned);
        tally
    }

    pub fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped.extend(other.skipped);
        self.failures.extend(other.failures);
    }
}

fn count(result: &str, what: &str) -> usize {
    let words: Vec<&str> = result
        .split([' ', ';'])
        .filter(|word| !word.is_empty())
        .collect();
    words
        .windows(2)
        .find(|pair| pair[1] == what)
        .and_then(|pair| pair[0].parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Tally;

    const OUTPUT: &str = "
running 5 tests
test a::good ... ok
test a::elsewhere ... ok
test a::lazy ... ignored, later
test a::bad ... FAILED
test a::half ... FAILED

successes:

---- a::elsewhere stdout ----
skipped: no network lab: needs root
skipped: said twice


successes:
    a::elsewhere
    a::good

failures:

---- a::half stdout ----
skipped: after all
assertion failed
    indented by itself

failures:
    a::bad
    a::half

test result: FAILED. 2 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
";

    #[test]
    fn a_test_that_said_skipped_has_not_passed() {
        let tally = Tally::of("x.rs", OUTPUT);
        assert_eq!((tally.passed, tally.failed, tally.complete), (1, 2, true));
        assert_eq!(tally.failures, ["a::bad", "a::half"]);
        let skipped: Vec<_> = tally
            .skipped
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        assert_eq!(
            skipped,
            [
                ("x.rs a::elsewhere", "no network lab: needs root"),
                ("x.rs a::lazy", "ignored later")
            ]
        );
    }

    #[test]
    fn several_results_in_one_output_are_summed() {
        let twice = format!("{OUTPUT}{}", OUTPUT.replace("a::", "b::"));
        let tally = Tally::of("x.rs", &twice);
        assert_eq!((tally.passed, tally.failed, tally.skipped.len()), (2, 4, 4));
    }

    #[test]
    fn a_binary_that_died_is_not_complete() {
        assert!(!Tally::of("x.rs", "running 3 tests\ntest a ... ok\n").complete);
    }
}
