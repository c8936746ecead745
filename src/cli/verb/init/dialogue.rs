//! Asks a person at a terminal, one line at a time.

use std::io::{self, BufRead, Read};

use crate::agent::error::EXIT_FAILED;
use crate::cli::context::Output;
use crate::cli::failure::Failure;
use crate::cli::render;

/// The exit code that a shell reports for SIGINT.
pub(super) const INTERRUPTED: u8 = 130;
/// A terminal delivers no longer line (N_TTY_BUF_SIZE); a pipe might.
const MOST_BYTES: u64 = 4096;

/// A conversation with a person at a terminal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialogue {
    pub(super) out: Output,
}

impl Dialogue {
    /// Repeats the question until `read` accepts the answer.
    ///
    /// # Errors
    /// When the input has ended.
    pub(super) async fn ask<T>(
        &self,
        question: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        loop {
            self.out.text(&render::question(question))?;
            let answer = match self.line().await? {
                Line::Text(text) => read(&text),
                Line::Odd(why) => Err(why.to_owned()),
                Line::End => {
                    self.out.text("\n")?;
                    let message = "no answer; nothing was written";
                    return Err(Failure::said(message, EXIT_FAILED));
                }
            };
            match answer {
                Ok(answer) => return Ok(answer),
                Err(why) => self.out.text(&render::refusal(&why))?,
            }
        }
    }

    /// Asks a yes/no question; Enter means yes.
    ///
    /// # Errors
    /// When the input has ended.
    pub(super) async fn agrees(&self, question: &str) -> Result<bool, Failure> {
        let read = |text: &str| match text.trim().to_lowercase().as_str() {
            "" | "y" | "yes" => Ok(true),
            "n" | "no" => Ok(false),
            _ => Err("y or n, please".to_owned()),
        };
        self.ask(&format!("{question} [Y/n]"), read).await
    }

    async fn line(&self) -> Result<Line, Failure> {
        let read = tokio::task::spawn_blocking(|| read_line(&mut io::stdin().lock()));
        match read.await {
            Ok(line) => Ok(line?),
            Err(_) => Ok(Line::End),
        }
    }
}

/// Waits for Ctrl-C. After the first call Ctrl-C no longer ends the program.
pub(super) async fn ctrl_c() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
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
        Ok(_) => {}
        // A Windows console that received half of a character.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Ok(Line::Odd("that is not text"));
        }
        Err(error) => return Err(error),
    }
    if bytes.is_empty() {
        return Ok(Line::End);
    }
    if bytes.len() as u64 == MOST_BYTES && !bytes.ends_with(b"\n") {
        // The rest of the line must not answer the next question.
        loop {
            let mut more = Vec::new();
            input.take(MOST_BYTES).read_until(b'\n', &mut more)?;
            if more.is_empty() || more.ends_with(b"\n") {
                return Ok(Line::Odd("that is too long"));
            }
        }
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => Line::Text(text),
        Err(_) => Line::Odd("that is not UTF-8"),
    })
}

#[cfg(test)]
mod tests {
    use super::{Line, read_line};

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
}
