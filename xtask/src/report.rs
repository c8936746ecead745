//! The suite's results so far: counts, the time of each step, and failures.

use std::io::{IsTerminal as _, Write as _};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::binaries::Binary;
use crate::cross;
use crate::run::{self, Result};
use crate::tally::Tally;

/// Longer than any test binary takes unless it hangs.
const LIMIT: Duration = Duration::from_secs(900);
/// Longer than any build takes on a slow machine.
const BUILD_LIMIT: Duration = Duration::from_secs(3600);

/// A report of everything, or of one lane.
#[derive(Default)]
pub struct Report {
    pub total: Tally,
    steps: Vec<(String, Duration)>,
    /// What failed with its panic's message, and the command that shows it again.
    failures: Vec<(String, String)>,
    /// Prints nothing: the output of a test of this type would be counted as the suite's.
    mute: bool,
}

impl Report {
    fn say(&self, text: &str) {
        if !self.mute {
            println!("{text}");
        }
    }

    /// Runs a step and records how long it took.
    pub fn step<T>(&mut self, name: &str, work: impl FnOnce(&mut Report) -> T) -> T {
        let start = Instant::now();
        let done = work(self);
        self.steps.push((name.to_owned(), start.elapsed()));
        done
    }

    /// Adds the results of another lane.
    pub fn add(&mut self, other: Report) {
        self.total.add(other.total);
        self.steps.extend(other.steps);
        self.failures.extend(other.failures);
    }

    /// Records a failure of something other than a test.
    pub fn failed(&mut self, what: &str, again: &str, why: &str) {
        self.say(&format!("  FAILED  {what}\n{why}"));
        self.total.failed += 1;
        self.failures.push((what.to_owned(), again.to_owned()));
    }

    /// Runs a step that is one command; its output is printed if it fails.
    pub fn check(&mut self, name: &str, command: &mut Command) -> bool {
        let again = run::spelled(command);
        let start = Instant::now();
        let ran = self.step(name, |_| run::transcript(command, BUILD_LIMIT));
        let why = match ran {
            Ok((Some(status), _)) if status.success() => {
                self.say(&format!(
                    "  ok      {name:44} {:.1} s",
                    start.elapsed().as_secs_f64()
                ));
                return true;
            }
            Ok((Some(status), text)) => format!("{text}\n{status}"),
            Ok((None, text)) => format!("{text}\nkilled after {} s", BUILD_LIMIT.as_secs()),
            Err(why) => why,
        };
        self.failed(name, &again, &why);
        false
    }

    /// Runs the tests of one binary.
    pub fn run(&mut self, binary: &Binary, filter: Option<&str>, packages: &str) -> Result {
        let mut command = binary.command(filter, packages);
        self.tests(&binary.name, &mut command, |test| binary.again(test))
    }

    /// Runs a command whose output is in libtest's format, prints its line, and prints all of its
    /// output if something failed.
    pub fn tests(
        &mut self,
        name: &str,
        command: &mut Command,
        again: impl Fn(Option<&str>) -> String,
    ) -> Result {
        if std::io::stdout().is_terminal() {
            print!("  ...     {name:44}\r");
            let _ = std::io::stdout().flush();
        }
        let start = Instant::now();
        let (status, text) = run::transcript(command, LIMIT)?;
        let mut tally = Tally::of(name, &text);
        let why = match status {
            None => Some(format!("killed after {} s", LIMIT.as_secs())),
            Some(status) if !tally.complete => Some(format!("ended without a result: {status}")),
            Some(status) if !status.success() && tally.failed == 0 => Some(status.to_string()),
            Some(_) if cross::has_crashed(&text) => Some("something is missing in Wine".to_owned()),
            Some(_) => None,
        };
        if why.is_some() {
            tally.failed += 1;
        }
        let word = if tally.failed == 0 { "ok" } else { "FAILED" };
        let counts = format!(
            "{} passed, {} failed, {} skipped",
            tally.passed,
            tally.failed,
            tally.skipped.len()
        );
        self.say(&format!(
            "  {word:7} {name:44} {counts}, {:.1} s",
            start.elapsed().as_secs_f64()
        ));
        if tally.failed > 0 {
            self.say(&format!("{text}\n{}", why.clone().unwrap_or_default()));
        }
        let seed = seed(&text);
        for test in std::mem::take(&mut tally.failures) {
            let again = format!("{seed}{}", again(Some(&test)));
            let said = panic_message(&text, &test);
            self.failures.push((format!("{name} {test}{said}"), again));
        }
        if let Some(why) = why {
            self.failures.push((format!("{name}: {why}"), again(None)));
        }
        self.total.add(tally);
        Ok(())
    }

    /// Prints the summary that a reader of a long log looks for at its end.
    pub fn close(&self) {
        println!("\nseconds for each step:");
        for (name, took) in &self.steps {
            println!("{:7.1}  {name}", took.as_secs_f64());
        }
        for (test, why) in &self.total.skipped {
            println!("skipped: {test}: {why}");
        }
        for (what, again) in &self.failures {
            println!("FAILED: {what}\n        {again}");
        }
    }
}

/// Returns the seed as a variable to put before a command: tests that use random numbers print
/// `seed N` and accept it again.
fn seed(text: &str) -> String {
    let told = text.lines().find_map(|line| line.strip_prefix("seed "));
    told.map_or(String::new(), |seed| format!("GOROAM_SEED={seed} "))
}

/// Returns the first lines that a test panicked with, indented, each on a new line: the end of a
/// long log is often all that there is.
fn panic_message(text: &str, test: &str) -> String {
    /// Lines and characters of a line.
    const MOST: (usize, usize) = (8, 300);
    let head = format!("---- {test} stdout ----");
    let own = text.lines().skip_while(|line| **line != head).skip(1);
    let own = own.take_while(|line| !line.starts_with("---- "));
    let message = own.skip_while(|line| !line.contains("panicked at"));
    let message = message.take_while(|line| *line != "stack backtrace:");
    let cut = |line: &str| line.chars().take(MOST.1).collect::<String>();
    message
        .take(MOST.0)
        .map(|line| format!("\n        | {}", cut(line)))
        .collect()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn script(text: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", text]);
        command
    }

    fn mute() -> Report {
        Report {
            mute: true,
            ..Report::default()
        }
    }

    fn again(test: Option<&str>) -> String {
        format!("again {}", test.unwrap_or("all"))
    }

    #[test]
    fn each_failed_test_is_named_with_what_runs_it_again() {
        let mut report = mute();
        let said = "printf 'seed 7\\n---- a::b stdout ----\\ndone\\nthread x panicked at b.rs:1:\\n\
                    port\\nstack backtrace:\\n0: f\\n---- c stdout ----\\n\\n\
                    failures:\\n    a::b\\n    c\\n\\n\
                    test result: FAILED. 3 passed; 2 failed; 0 ignored\\n'; exit 101";
        report.tests("x.rs", &mut script(said), again).unwrap();
        let pair = |what: &str, again: &str| (what.to_owned(), again.to_owned());
        assert_eq!(
            report.failures,
            [
                pair(
                    "x.rs a::b\n        | thread x panicked at b.rs:1:\n        | port",
                    "GOROAM_SEED=7 again a::b"
                ),
                pair("x.rs c", "GOROAM_SEED=7 again c")
            ]
        );
        assert_eq!((report.total.passed, report.total.failed), (3, 2));
    }

    #[test]
    fn a_binary_that_died_and_a_check_that_failed_are_named_too() {
        let mut report = mute();
        report
            .tests("x.rs", &mut script("kill -9 $$"), again)
            .unwrap();
        assert!(!report.check("spelling", &mut script("exit 3")));
        assert!(report.check("grammar", &mut script("true")));
        assert_eq!(report.total.failed, 2);
        let (what, how) = &report.failures[0];
        assert!(what.starts_with("x.rs: ended without a result: "), "{what}");
        assert_eq!(how, "again all");
        assert_eq!(
            report.failures[1],
            ("spelling".to_owned(), "sh -c 'exit 3'".to_owned())
        );
        let steps: Vec<&str> = report.steps.iter().map(|step| step.0.as_str()).collect();
        assert_eq!(steps, ["spelling", "grammar"]);
    }
}
