//! Talks with the user of `init`: a person at a terminal, a script, or the reader of a policy that
//! is printed.

use std::io::{self, BufRead, Read, Write};

use super::found::{Found, Variable};
use crate::cli::render::{BOLD, DIM, Mark, Page, Sheet, clean, network, paint, width};
use crate::cli::{Failure, Output};
use crate::model::mask;
use crate::policy::{EnvValue, Policy};

/// The exit code that a shell reports for SIGINT.
const INTERRUPTED: u8 = 130;
/// A terminal delivers no longer line (N_TTY_BUF_SIZE); a pipe might.
const MOST_BYTES: u64 = 4096;

/// Prints messages and keeps them for the report; asks questions if a person can answer them.
#[derive(Debug)]
pub(super) struct Dialogue {
    pub(super) out: Output,
    /// Whether questions can and should be asked.
    pub(super) asks: bool,
    /// Standard output is a report, which contains the messages.
    pub(super) json: bool,
    /// Standard output is a policy; messages go to standard error.
    pub(super) print: bool,
    pub(super) remarks: Vec<String>,
}

impl Dialogue {
    /// Prints a success.
    pub(super) fn good(&mut self, text: &str) -> io::Result<()> {
        self.remarks.push(text.to_owned());
        self.say(&marked(Mark::Good, text))
    }

    /// Prints a remark.
    pub(super) fn remark(&mut self, text: &str) -> io::Result<()> {
        self.remarks.push(text.to_owned());
        self.say(&marked(Mark::Odd, text))
    }

    /// Prints a message for the present reader only.
    pub(super) fn say(&self, text: &str) -> io::Result<()> {
        match (self.json, self.print) {
            (true, _) => Ok(()),
            (_, true) => anstream::stderr().lock().write_all(text.as_bytes()),
            _ => self.out.text(text),
        }
    }

    /// Repeats the question until `read` accepts the answer.
    ///
    /// # Errors
    /// When the input has ended.
    pub(super) async fn ask<T>(
        &self,
        text: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        loop {
            self.out.text(&question(text))?;
            let line = tokio::task::spawn_blocking(|| read_line(&mut io::stdin().lock()));
            let answer = match line.await.unwrap_or(Ok(Line::End))? {
                Line::Text(text) => read(&text),
                Line::Odd(why) => Err(why.to_owned()),
                Line::End => {
                    self.out.text("\n")?;
                    return Err(Failure::failed("no answer; nothing was written"));
                }
            };
            match answer {
                Ok(answer) => return Ok(answer),
                Err(why) => self.out.text(&marked(Mark::Odd, &why))?,
            }
        }
    }

    /// Asks a yes/no question; Enter means yes.
    ///
    /// # Errors
    /// When the input has ended.
    pub(super) async fn agrees(&self, question: &str) -> Result<bool, Failure> {
        self.decides(&format!("{question} [Y/n]"), true).await
    }

    /// Asks a yes/no question; Enter means no.
    ///
    /// # Errors
    /// When the input has ended.
    pub(super) async fn confirms(&self, question: &str) -> Result<bool, Failure> {
        self.decides(&format!("{question} [y/N]"), false).await
    }

    async fn decides(&self, question: &str, usual: bool) -> Result<bool, Failure> {
        let read = |text: &str| match text.trim().to_lowercase().as_str() {
            "" => Ok(usual),
            "y" | "yes" => Ok(true),
            "n" | "no" => Ok(false),
            _ => Err("y or n, please".to_owned()),
        };
        self.ask(question, read).await
    }
}

/// Does the work unless a person interrupts it. After the first call Ctrl-C no longer ends the
/// program.
pub(super) async fn unless_interrupted<T>(
    asks: bool,
    message: &str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        () = interrupt, if asks => {
            Output.text("\n")?;
            Err(Failure::said(message, INTERRUPTED))
        }
        done = work => done,
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Line {
    Text(String),
    /// The line cannot be an answer, for this reason.
    Odd(&'static str),
    End,
}

fn read_line(input: &mut impl BufRead) -> io::Result<Line> {
    let mut bytes = Vec::new();
    match input.take(MOST_BYTES).read_until(b'\n', &mut bytes) {
        Ok(0) => return Ok(Line::End),
        Ok(_) => {}
        // A Windows console that received half of a character.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Ok(Line::Odd("that is not text"));
        }
        Err(error) => return Err(error),
    }
    if bytes.len() as u64 == MOST_BYTES && !bytes.ends_with(b"\n") {
        // The rest of the line must not answer the next question.
        input.skip_until(b'\n')?;
        return Ok(Line::Odd("that is too long"));
    }
    let text = String::from_utf8(bytes);
    Ok(text.map_or(Line::Odd("that is not UTF-8"), Line::Text))
}

/// The first column's width: "GOPRIVATE" and most other names fit.
const NAME_COLUMNS: usize = 10;

/// Formats what exists already: the network, and the variables with their locations.
pub(super) fn here(found: &Found, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    sheet.line("What is here:");
    if let Some(status) = &found.network {
        sheet.row("network", NAME_COLUMNS, &network(status));
    }
    for Variable {
        name,
        value,
        origin,
    } in &found.variables
    {
        let text = format!("{} ({origin})", clean(&mask(value)));
        sheet.row(name, NAME_COLUMNS, &text);
    }
    if found.variables.is_empty() {
        let text = "nothing is set but Go's own defaults";
        sheet.row("go env", NAME_COLUMNS, text);
    }
    sheet.finish()
}

/// Formats a question; the cursor follows it.
fn question(text: &str) -> String {
    format!("\n{} ", paint(BOLD, &format!("{}:", clean(text))))
}

/// Formats a message, at most 80 columns wide.
pub(super) fn marked(mark: Mark, text: &str) -> String {
    let mut sheet = Sheet::new(80);
    sheet.entry(&format!("  {} ", mark.painted()), &clean(text));
    sheet.finish()
}

/// Formats what a policy does: each profile with its GOPROXY.
pub(super) fn profiles(policy: &Policy, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    sheet.line("The policy, first to last:");
    let columns = policy.profiles.iter().map(|profile| width(&profile.name));
    let columns = columns.max().unwrap_or(0);
    let mut last = None;
    for profile in &policy.profiles {
        let text = match profile.env.get("GOPROXY") {
            Some(EnvValue::Text(text)) => mask(text),
            Some(EnvValue::Fastest { of, then, .. }) => {
                let then = then.as_ref().map(|then| format!(", then {then}"));
                format!("the best of {}{}", of.join(", "), then.unwrap_or_default())
            }
            None => "as it was".to_owned(),
        };
        // A variant that differs in nothing that is shown.
        let row = Some((&profile.name, text));
        if row != last
            && let Some((name, text)) = &row
        {
            sheet.row(name, columns, &clean(text));
        }
        last = row;
    }
    sheet.finish()
}

/// Formats a policy as it will be in the file: comments are dim, headings are bold.
pub(super) fn policy(text: &str) -> String {
    let mut sheet = Sheet::new(80);
    for line in text.lines() {
        let shown = clean(line);
        let shown = match line.chars().next() {
            Some('#') => paint(DIM, &shown),
            Some('[') => paint(BOLD, &shown),
            Some(_) | None => shown,
        };
        sheet.line(&format!("  {} {shown}", paint(DIM, "│")));
    }
    sheet.finish()
}

#[cfg(test)]
mod tests {
    use super::{Found, Line, Variable, here, marked, policy, question, read_line};
    use crate::cli::render::Mark;
    use crate::cli::render::fixtures::{office, page, plain, too_wide};

    #[test]
    fn odd_answers_are_no_answers_and_the_next_line_is_the_next_one() {
        let long = "x".repeat(10_000);
        let typed = [
            b"yes\r\n".as_slice(),
            b"caf\xe9\n",
            long.as_bytes(),
            b"\n",
            b"\n",
            b"last",
        ]
        .concat();
        let mut input = typed.as_slice();
        let mut lines = Vec::new();
        loop {
            match read_line(&mut input).unwrap() {
                Line::End => break,
                line @ (Line::Text(_) | Line::Odd(_)) => lines.push(line),
            }
        }
        assert_eq!(
            lines,
            [
                Line::Text("yes\r\n".to_owned()),
                Line::Odd("that is not UTF-8"),
                Line::Odd("that is too long"),
                Line::Text("\n".to_owned()),
                Line::Text("last".to_owned()),
            ]
        );
    }

    #[test]
    fn what_is_here_is_told_in_a_few_lines() {
        let variable = Variable {
            name: "GOPROXY",
            value: "https://joe:***@h\x1b[2J".to_owned(),
            origin: "go env file",
        };
        let found = Found {
            variables: vec![variable],
            network: Some(office().network),
        };
        let text = here(&found, &page());
        assert_eq!(
            plain(&text),
            "What is here:\n  \
             network    wlan0 (wifi “corp”) via 10.20.0.1 · dns 10.20.0.53 · corp.example\n  \
             GOPROXY    https://joe:***@h\u{fffd}[2J (go env file)\n"
        );
        assert_eq!(too_wide(&text), None);
        let text = plain(&here(&Found::default(), &page()));
        assert_eq!(
            text,
            "What is here:\n  go env     nothing is set but Go's own defaults\n"
        );
    }

    #[test]
    fn the_policy_is_shown_as_it_will_stand_there() {
        let text = plain(&policy("# why\n\n[target.a]\nca = \"\x1b[2J\"\n"));
        assert_eq!(
            text,
            "  │ # why\n  │\n  │ [target.a]\n  │ ca = \"\u{fffd}[2J\"\n"
        );
    }

    #[test]
    fn nothing_that_is_said_commands_the_terminal() {
        for text in [question("a\x1b[2J"), marked(Mark::Odd, "a\x1b[2J")] {
            assert!(!plain(&text).contains('\x1b'), "{text:?}");
        }
        assert_eq!(too_wide(&marked(Mark::Odd, &"word ".repeat(60))), None);
    }
}
