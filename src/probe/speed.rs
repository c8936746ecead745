//! Measures how fast a proxy sends a small zip, and checks that it is the right one.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

use super::answer::WantedBody;
use super::attempt::{BodySink, Download, FilePart};
use super::fault::{ProbeFailure, quoted, refusal, wrong};
use super::goproxy::{base_url, below, expect_ok, judge_zip, of_zip};
use super::session::ProbeSession;
use crate::gomod::sum;
use crate::gomod::zip::ModZip;
use crate::model::text::milliseconds;
use crate::model::{Phase, Speed};

/// A longer zip says nothing more about the speed.
const MOST: u64 = 1 << 20;
/// How much is read of an answer that is not a zip.
const MOST_TEXT: usize = 64 * 1024;
/// A shorter time depends on the machine more than on the network.
const SHORTEST: Duration = Duration::from_millis(1);

/// Stores a body, and notes when it begins.
struct TimedSink {
    file: File,
    first: Arc<OnceLock<Instant>>,
}

impl BodySink for TimedSink {
    fn begin(&mut self, _: &FilePart) -> io::Result<()> {
        Ok(())
    }

    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        self.first.get_or_init(Instant::now);
        self.file.write_all(data)
    }
}

/// Fetches the zip of a module, its version and the zip's hash.
pub(super) async fn measure(
    session: &mut ProbeSession<'_>,
    url: &str,
    (module, version, hash): (&str, &str, &str),
) -> Result<Speed, ProbeFailure> {
    let base = base_url(url)?;
    let malformed = |error: sum::EscapeError| refusal(Phase::Content, error.to_string());
    let name = format!("{module}@{version}");
    let module = sum::escape_path(module).map_err(malformed)?;
    let version = sum::escape_version(version).map_err(malformed)?;
    let file = |kind: &str| below(&base, &format!("{module}/@v/{version}.{kind}"));

    // A small file first: go, too, has a connection by the time it needs a zip.
    let small = WantedBody::Body(MOST_TEXT);
    let info = session.follow(&file("info"), small, true).await?;
    expect_ok(session, &info, &name)?;

    let unstored = |error| refusal(Phase::Body, format!("the zip cannot be stored: {error}"));
    let stored = tempfile::tempfile().map_err(unstored)?;
    let first = Arc::new(OnceLock::new());
    session.download(Download {
        sink: Box::new(TimedSink {
            file: stored.try_clone().map_err(unstored)?,
            first: Arc::clone(&first),
        }),
        most: MOST,
        stall: Duration::from_secs(5),
        resume: None,
        never_to: Vec::new(),
    });
    let start = Instant::now();
    let zip = session.follow(&file("zip"), small, false).await;
    let zip = zip.map_err(of_zip(&name))?;
    let end = Instant::now();
    judge_zip(session, zip, &name)?;

    let unlike = |why: String| of_zip(&name)(wrong(Phase::Content, why));
    let bytes = stored.metadata().map_err(unstored)?.len();
    let read = ModZip::of(stored.into(), Path::new("the zip")).and_then(|zip| zip.h1());
    let found = read.map_err(|error| match error.is_unreadable {
        true => refusal(Phase::Body, error.to_string()),
        false => unlike(format!("200, but {}", error.why)),
    })?;
    if found != hash {
        return Err(unlike(format!("its hash is {found}, not {}", quoted(hash))));
    }
    let first = *first.get().unwrap_or(&end);
    let sending = end.duration_since(first).max(SHORTEST);
    Ok(Speed {
        first_byte: milliseconds(first.duration_since(start)),
        bytes_per_second: (bytes as f64 / sending.as_secs_f64()).round(),
    })
}
