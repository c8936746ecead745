//! A recorded terminal in the format of asciinema (asciicast v2): what appeared on it, and when.

use std::num::NonZeroU16;

use serde_json::{Value, json};

use super::pty::Size;
use super::svg::{Frame, rows};
use crate::run::Result;

/// What was written within this time, in seconds, is one screen: no eye sees more.
const BLINK: f64 = 0.04;

/// A recording.
#[derive(Debug, PartialEq)]
pub struct Cast {
    pub size: Size,
    pub title: String,
    pub events: Vec<Event>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Seconds since the start.
    pub at: f64,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub enum What {
    Output(String),
    /// From here on, this is what happens to the laptop.
    Marker(String),
}

/// Returns a terminal of this size.
pub fn terminal(columns: u16, rows: u16) -> vt100::Parser {
    let number = |number| NonZeroU16::new(number).unwrap_or(NonZeroU16::MIN);
    vt100::Parser::new(number(rows), number(columns), 0)
}

impl Cast {
    pub fn to_text(&self) -> String {
        let head = json!({
            "version": 2,
            "width": self.size.columns,
            "height": self.size.rows,
            "title": self.title,
        });
        let mut text = format!("{head}\n");
        for event in &self.events {
            let (code, data) = match &event.what {
                What::Output(data) => ("o", data),
                What::Marker(data) => ("m", data),
            };
            text.push_str(&format!("{}\n", json!([event.at, code, data])));
        }
        text
    }

    pub fn parse(text: &str) -> Result<Cast> {
        let mut lines = text.lines();
        let mut next = || -> Option<Value> { serde_json::from_str(lines.next()?).ok() };
        let head = next().ok_or("no head of a recording")?;
        let number = |name: &str| head[name].as_u64().and_then(|n| u16::try_from(n).ok());
        let mut cast = Cast {
            size: Size {
                columns: number("width").ok_or("a recording without a width")?,
                rows: number("height").ok_or("a recording without a height")?,
            },
            title: head["title"].as_str().unwrap_or_default().to_owned(),
            events: Vec::new(),
        };
        while let Some(event) = next() {
            let data = event[2].as_str().unwrap_or_default().to_owned();
            cast.events.push(Event {
                at: event[0]
                    .as_f64()
                    .ok_or_else(|| format!("no time: {event}"))?,
                what: match event[1].as_str() {
                    Some("m") => What::Marker(data),
                    _ => What::Output(data),
                },
            });
        }
        Ok(cast)
    }

    /// Returns each screen that could be seen.
    pub fn frames(&self) -> Vec<Frame> {
        let mut terminal = terminal(self.size.columns, self.size.rows);
        let mut caption = String::new();
        let mut frames: Vec<Frame> = Vec::new();
        for (number, event) in self.events.iter().enumerate() {
            match &event.what {
                What::Output(data) => terminal.process(data.as_bytes()),
                What::Marker(text) => caption.clone_from(text),
            }
            let next = self.events.get(number + 1);
            if next.is_some_and(|next| next.at - event.at < BLINK) {
                continue;
            }
            let rows = rows(terminal.screen());
            let is_new = |last: &Frame| last.caption != caption || last.rows != rows;
            if !rows.is_empty() && frames.last().is_none_or(is_new) {
                frames.push(Frame {
                    at: if frames.is_empty() { 0.0 } else { event.at },
                    caption: caption.clone(),
                    rows,
                });
            }
        }
        frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::svg::text;

    fn cast() -> Cast {
        let output = |at, data: &str| Event {
            at,
            what: What::Output(data.to_owned()),
        };
        Cast {
            size: Size {
                columns: 20,
                rows: 3,
            },
            title: "a film".to_owned(),
            events: vec![
                Event {
                    at: 0.0,
                    what: What::Marker("office".to_owned()),
                },
                output(0.01, "on"),
                output(0.02, "e \"1\""),
                output(2.5, "\x1b[H\x1b[2Jtwo ✓"),
            ],
        }
    }

    #[test]
    fn a_recording_that_is_read_again_is_the_same() {
        assert_eq!(Cast::parse(&cast().to_text()).unwrap(), cast());
        assert!(Cast::parse("").is_err() && Cast::parse("{}").is_err());
    }

    #[test]
    fn what_is_written_piece_by_piece_is_one_screen() {
        let seen: Vec<(f64, String, String)> = cast()
            .frames()
            .iter()
            .map(|frame| (frame.at, frame.caption.clone(), text(&frame.rows[0])))
            .collect();
        let office = || "office".to_owned();
        let first = (0.0, office(), "one \"1\"".to_owned());
        assert_eq!(seen, [first, (2.5, office(), "two ✓".to_owned())]);
    }
}
