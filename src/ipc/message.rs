//! What goes over the wire, and how long a line may be.

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

use crate::agent::Command;

/// The protocol's version. It changes when an older client would misunderstand an answer.
pub const VERSION: u64 = 1;
/// Bytes that a request may have: the longest is a profile's name and a time.
pub const REQUEST_LIMIT: u64 = 64 * 1024;
/// Bytes that an answer may have: a turn's report with every condition of a big policy.
pub const REPLY_LIMIT: u64 = 1024 * 1024;

/// A line before the answer: the agent has the command, and is alive. The first one comes before
/// anything is done, so that a client that has given up is not obeyed.
pub const HEARTBEAT: &[u8] = br#"{"working":true}"#;
/// Between two of them.
pub const HEARTBEAT_PERIOD: Duration = Duration::from_secs(1);

/// The client's one line: `{"goroam":1,"command":{"verb":"status"}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// [`VERSION`] of whoever asks.
    pub goroam: u64,
    /// What is asked.
    pub command: Command,
    /// Is [`HEARTBEAT`] understood? An agent older than this passes over it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub heartbeat: bool,
}

/// The part of a request that every version has.
#[derive(Deserialize)]
struct Hello {
    goroam: Number,
}

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not JSON, or not ours.
    #[error("not a valid request to goroam's agent")]
    NotARequest,
    /// Another version's.
    #[error(
        "the agent speaks version {VERSION} of goroam's protocol and was asked in version {asked}; after an update, restart the agent"
    )]
    Version {
        /// Theirs.
        asked: Number,
    },
    /// Our version, but no command that we know.
    #[error("the agent does not know this command: {0}")]
    Unknown(String),
    /// A field that may change what the command means.
    #[error(
        "the agent does not know the field {0:?} of this command, so it does nothing; after an update, restart the agent"
    )]
    Field(String),
}

impl Request {
    /// Reads a client's line.
    ///
    /// # Errors
    /// With what to answer.
    pub fn parse(line: &[u8]) -> Result<Request, RequestError> {
        let Ok(hello) = serde_json::from_slice::<Hello>(line) else {
            return Err(RequestError::NotARequest);
        };
        if hello.goroam.as_u64() != Some(VERSION) {
            return Err(RequestError::Version {
                asked: hello.goroam,
            });
        }
        let request: Request = serde_json::from_slice(line)
            .map_err(|error| RequestError::Unknown(error.to_string()))?;
        match request.surplus(line) {
            // A newer client may ask for more than this agent can tell.
            None => Ok(request),
            Some(_) if request.command.only_asks() => Ok(request),
            Some(name) => Err(RequestError::Field(name)),
        }
    }

    /// The first field of the line that is not in the request: serde passes such fields over, and
    /// a "restore, but only say what would be done" must not restore.
    fn surplus(&self, line: &[u8]) -> Option<String> {
        let given: Value = serde_json::from_slice(line).ok()?;
        let known = serde_json::to_value(self).ok()?;
        let unknown = |given: Option<&Value>, known: Option<&Value>| {
            let (given, known) = (given?.as_object()?, known?.as_object()?);
            given
                .keys()
                .find(|name| !known.contains_key(*name))
                .cloned()
        };
        unknown(Some(&given), Some(&known))
            .or_else(|| unknown(given.get("command"), known.get("command")))
    }
}

/// One line without its end; `None` when the other side has closed. A line that breaks off
/// without an end is taken as one: a script that forgets the newline still gets its answer.
///
/// # Errors
/// When the line is longer than `limit` bytes, or reading fails.
pub async fn read_line(
    from: &mut (impl AsyncBufRead + Unpin),
    limit: u64,
) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let read = from.take(limit + 1).read_until(b'\n', &mut line).await?;
    if read == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if read as u64 > limit {
        let why = format!("a line of more than {} KiB", limit / 1024);
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Request, RequestError, read_line};
    use crate::agent::Command;

    #[test]
    fn a_request_says_its_version_and_its_command() {
        let request = Request {
            goroam: 1,
            command: Command::Status,
            heartbeat: false,
        };
        let line = serde_json::to_vec(&request).unwrap();
        assert_eq!(line, br#"{"goroam":1,"command":{"verb":"status"}}"#);
        assert_eq!(Request::parse(&line), Ok(request));
    }

    #[test]
    fn another_version_is_told_apart_from_nonsense() {
        let newer = br#"{"goroam":2,"command":{"verb":"dance"}}"#;
        assert_eq!(
            Request::parse(newer),
            Err(RequestError::Version { asked: 2.into() })
        );
        assert_eq!(
            Request::parse(b"GET / HTTP/1.1"),
            Err(RequestError::NotARequest)
        );
        let unknown = Request::parse(br#"{"goroam":1,"command":{"verb":"dance"}}"#);
        let said = unknown.unwrap_err().to_string();
        assert!(said.contains("dance"), "{said}");
    }

    #[test]
    fn a_command_with_an_unknown_field_is_not_carried_out_half() {
        let parse = |command: &str, more: &str| {
            let line = format!(r#"{{"goroam":1,"command":{{{command}}}{more}}}"#);
            Request::parse(line.as_bytes())
        };
        for (command, more) in [
            (r#""verb":"restore","dry_run":true"#, ""),
            (r#""verb":"once","dry_run":true,"profile":"x""#, ""),
            (r#""verb":"end""#, r#","unless_busy":true"#),
        ] {
            let said = parse(command, more).unwrap_err();
            assert!(matches!(said, RequestError::Field(_)), "{said}");
        }
        for verb in ["status", "watch"] {
            let asked = parse(&format!(r#""verb":"{verb}","since":-1"#), r#","id":7"#);
            assert!(asked.is_ok(), "{asked:?}");
        }
        assert!(parse(r#""verb":"once","dry_run":true"#, "").is_ok());
        assert!(parse(r#""verb":"use","profile":"x","until":null"#, "").is_ok());
    }

    #[test]
    fn odd_numbers_and_deep_nesting_are_refused_in_words() {
        for version in ["-1", "1.5", "0", "18446744073709551615", "1e30"] {
            let line = format!(r#"{{"goroam":{version},"command":{{"verb":"status"}}}}"#);
            let said = Request::parse(line.as_bytes()).unwrap_err().to_string();
            assert!(said.contains("was asked in version"), "{said}");
        }
        let deep = format!(r#"{{"goroam":1,"command":{}"#, "[".repeat(60_000));
        for line in [
            deep.as_bytes(),
            br#"{"goroam":1e999}"#,
            b"\xff\xfe",
            b"",
            b"null",
        ] {
            assert_eq!(Request::parse(line), Err(RequestError::NotARequest));
        }
        let until = br#"{"goroam":1,"command":{"verb":"use","profile":"x","until":-1}}"#;
        assert!(matches!(
            Request::parse(until),
            Err(RequestError::Unknown(_))
        ));
    }

    #[tokio::test]
    async fn a_line_of_just_the_limit_is_read_and_one_byte_more_is_not() {
        let mut text: &[u8] = b"12345678\nrest";
        assert!(read_line(&mut text, 7).await.is_err());
        let mut text: &[u8] = b"12345678\nrest";
        let line = read_line(&mut text, 8).await.unwrap();
        assert_eq!(line, Some(b"12345678".to_vec()));
        let line = read_line(&mut text, 8).await.unwrap();
        assert_eq!(line, Some(b"rest".to_vec()));
        assert_eq!(read_line(&mut text, 8).await.unwrap(), None);
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(
            line in proptest::collection::vec(any::<u8>(), 0..80),
            at in 0..60_usize,
            byte in any::<u8>(),
        ) {
            let _ = Request::parse(&line);
            let mut near = br#"{"goroam":1,"command":{"verb":"use","profile":"x"}}"#.to_vec();
            if let Some(place) = near.get_mut(at) {
                *place = byte;
            }
            let _ = Request::parse(&near);
        }
    }
}
