//! Shows the progress of long work in one line on standard error. The line appears only on a
//! terminal, and is removed when the work is done.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::text::width;
use crate::environment::Environment;
use crate::meter::{Meter, Reading};

/// The line is updated ten times a second.
const EVERY: Duration = Duration::from_millis(100);
/// Shorter work needs no line.
const PATIENCE: Duration = Duration::from_millis(300);
/// Earlier, no rate is shown: it is not reliable.
const RATE_FROM: Duration = Duration::from_secs(1);

/// Shows the line until this is dropped.
#[derive(Debug)]
pub(in crate::cli) struct Progress {
    line: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Shows the verb ("verifying") and the meter in at most `columns` columns, if standard error
    /// is a terminal that can overwrite a line.
    pub(in crate::cli) fn show(
        verb: &'static str,
        meter: &Arc<Meter>,
        columns: usize,
        env: &Environment,
    ) -> Progress {
        let dumb = match env.get("TERM") {
            Some(term) => term == "dumb",
            None => cfg!(unix),
        };
        if dumb || !std::io::stderr().is_terminal() {
            return Progress { line: None };
        }
        let meter = Arc::clone(meter);
        let (stop, stopped) = mpsc::channel();
        // If no thread can be created, the work runs without a line.
        let thread = std::thread::Builder::new().spawn(move || {
            let start = Instant::now();
            let mut wait = PATIENCE;
            let mut shown = false;
            while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                let text = line(verb, meter.read(), start.elapsed(), columns);
                write(&["\r", &text, "\x1b[K"].concat());
                (shown, wait) = (true, EVERY);
            }
            if shown {
                write("\r\x1b[K");
            }
        });
        Progress {
            line: thread.ok().map(|thread| (stop, thread)),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.line.take() {
            drop(stop);
            // Waits for the thread, so that later output does not follow the line on the same row.
            let _ = thread.join();
        }
    }
}

fn write(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = err.write_all(text.as_bytes());
    let _ = err.flush();
}

/// Formats `verifying [=====>    ] 132 of 410, 512 MB of 2.0 GB, 480 MB/s, 3 s left`, as much of it
/// as fits. The text is ASCII, because any terminal may show it.
fn line(verb: &str, now: Reading, elapsed: Duration, columns: usize) -> String {
    let mut parts = Vec::new();
    // More may be done than was known at the start.
    let (all, all_bytes) = (now.all_things.max(now.things), now.all_bytes.max(now.bytes));
    match (now.things, now.all_things) {
        (0, 0) => {}
        (things, 0) => parts.push(things.to_string()),
        (things, _) => parts.push(format!("{things} of {all}")),
    }
    match (now.all_bytes, now.bytes) {
        (0, 0) => {}
        (0, bytes) => parts.push(size(bytes)),
        (_, bytes) => parts.push(format!("{} of {}", size(bytes), size(all_bytes))),
    }
    let ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    if now.bytes > 0 && elapsed >= RATE_FROM {
        let rate = now.bytes.saturating_mul(1000) / ms;
        parts.push(format!("{}/s", size(rate)));
        if now.all_bytes > 0 && rate > 0 {
            parts.push(format!("{} left", left((all_bytes - now.bytes) / rate)));
        }
    }
    let share = match (now.all_bytes, now.all_things) {
        (0, 0) => None,
        (0, _) => Some((now.things, all)),
        (_, _) => Some((now.bytes, all_bytes)),
    };
    let mut text = verb.to_owned();
    if let Some((done, all)) = share {
        let filled = usize::try_from(done.saturating_mul(20) / all.max(1)).unwrap_or(20);
        text.push_str(&format!(" [{:.<20}]", "=".repeat(filled.min(20))));
    }
    for (place, part) in parts.iter().enumerate() {
        let between = if place == 0 { " " } else { ", " };
        // The last column stays empty: some terminals go to the next line there.
        if width(&text) + between.len() + part.len() >= columns {
            break;
        }
        text += &format!("{between}{part}");
    }
    text.chars().take(columns.saturating_sub(1)).collect()
}

fn left(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds.div_ceil(60)),
        more => format!("{} h", more.div_ceil(3600)),
    }
}

/// Formats a size: "512 B", "1.5 MB", "2.0 GB", in powers of ten, as on disk labels.
pub(in crate::cli) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    // In tenths of a kB, rounded down so that a size is never overstated.
    let mut tenths = bytes / 100;
    let mut unit = 0;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if tenths < 100 {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    } else {
        format!("{} {name}", tenths / 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: Reading = Reading {
        things: 132,
        bytes: 1_000_000_000,
        all_things: 410,
        all_bytes: 2_000_000_000,
    };

    #[test]
    fn the_line_says_how_far_it_is_and_how_long_it_will_take() {
        let after =
            |seconds, now, columns| line("verifying", now, Duration::from_secs(seconds), columns);
        assert_eq!(
            after(2, HALF, 80),
            "verifying [==========..........] 132 of 410, 1.0 GB of 2.0 GB, 500 MB/s"
        );
        assert_eq!(
            after(2, HALF, 100),
            "verifying [==========..........] 132 of 410, 1.0 GB of 2.0 GB, 500 MB/s, 2 s left"
        );
        assert_eq!(
            after(0, HALF, 50),
            "verifying [==========..........] 132 of 410"
        );
        for columns in 0..120 {
            assert!(after(2, HALF, columns).len() < columns.max(1));
        }
        let unknown = Reading {
            things: 3,
            bytes: 4096,
            ..Reading::default()
        };
        assert_eq!(after(2, unknown, 80), "verifying 3, 4.0 kB, 2.0 kB/s");
        let only_things = Reading {
            things: 3,
            all_things: 4,
            ..Reading::default()
        };
        assert_eq!(
            after(2, only_things, 80),
            "verifying [===============.....] 3 of 4"
        );
        assert_eq!(after(9, Reading::default(), 80), "verifying");
        // More is done than was known.
        let more = Reading {
            bytes: 3_000_000_000,
            ..HALF
        };
        assert!(after(2, more, 100).contains("[====================]"));
    }

    #[test]
    fn sizes_have_two_digits_at_least_and_never_say_too_much() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (9_999, "9.9 kB"),
            (10_000, "10 kB"),
            (999_999, "999 kB"),
            (1_000_000, "1.0 MB"),
            (2_500_000_000, "2.5 GB"),
            (u64::MAX, "18446 PB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn times_left_are_rounded_up() {
        assert_eq!(
            [left(0), left(59), left(61), left(3601)],
            ["0 s", "59 s", "2 min", "2 h"]
        );
    }
}
