//! goroam's log: lines on standard error, or in a file if a program has no standard error (a tray).
//! Nothing is sent anywhere. Every room may emit `tracing` events; only the command line and the
//! trays set up the output.

use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::environment::Environment;

/// Sets up the log for this process. `$GOROAM_LOG` has priority over `$RUST_LOG`, and both over
/// `level`; all accept `debug` or `goroam::probe=debug,warn`. `told`: the part of goroam whose
/// warnings the caller tells in its own words. A second call does nothing.
pub fn start(level: Level, told: Option<&str>, color: bool, env: &Environment) {
    // journald puts its own time before each line.
    let clock = !journal_reads_stderr(env);
    let color = color && std::io::stderr().is_terminal();
    let filter = filter(level, told, env);
    write_to(std::io::stderr, Line { clock }, color, filter);
}

/// Does the same for a program without standard error: the lines go to `writer`, without colours.
pub fn start_in(
    writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static,
    level: Level,
    env: &Environment,
) {
    write_to(
        writer,
        Line { clock: true },
        false,
        filter(level, None, env),
    );
}

fn write_to(
    writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static,
    line: Line,
    color: bool,
    (filter, complaint): (Targets, Option<String>),
) {
    let lines = tracing_subscriber::fmt::layer()
        .event_format(line)
        .with_ansi(color)
        .with_writer(writer);
    let registry = tracing_subscriber::registry().with(filter).with(lines);
    if let (Ok(()), Some(complaint)) = (registry.try_init(), complaint) {
        tracing::warn!("{complaint}");
    }
}

/// Formats a line: time, level, source, message; like the compact format of tracing-subscriber.
/// That one supports spans, which nothing here opens, and is compiled twice, with a time and
/// without: 15 KB more.
struct Line {
    /// Whether the time is put before it.
    clock: bool,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let meta = event.metadata();
        let (dim, level) = if out.has_ansi_escapes() {
            (Style::new().dimmed(), color_of(*meta.level()).on_default())
        } else {
            (Style::new(), Style::new())
        };
        if self.clock {
            // The clock on the wall, and how far it is from UTC.
            let now = jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%.3f%:z");
            write!(out, "{dim}{now}{dim:#} ")?;
        }
        write!(out, "{level}{:>5}{level:#} ", meta.level().as_str())?;
        write!(out, "{dim}{}:{dim:#} ", meta.target())?;
        context.format_fields(out.by_ref(), event)?;
        writeln!(out)
    }
}

fn color_of(level: Level) -> AnsiColor {
    match level {
        Level::ERROR => AnsiColor::Red,
        Level::WARN => AnsiColor::Yellow,
        Level::INFO => AnsiColor::Green,
        Level::DEBUG => AnsiColor::Blue,
        Level::TRACE => AnsiColor::Magenta,
    }
}

/// Returns the filter, and a message if the variable cannot be parsed.
fn filter(level: Level, told: Option<&str>, env: &Environment) -> (Targets, Option<String>) {
    // The `info` events of other crates are about their internals.
    let usual = Targets::new()
        .with_default(level.min(Level::WARN))
        .with_target("goroam", level)
        .with_targets(told.map(|told| (told, Level::ERROR)));
    let named = ["GOROAM_LOG", "RUST_LOG"]
        .into_iter()
        .find_map(|name| Some((name, env.get(name)?)));
    match named {
        None => (usual, None),
        Some((name, text)) => match text.parse() {
            Ok(targets) => (targets, None),
            Err(error) => (usual, Some(format!("{name} is not understood: {error}"))),
        },
    }
}

/// Reports whether journald reads standard error. Everything that a session starts inherits
/// `$JOURNAL_STREAM`, so systemd.exec(5) says to compare it with the stream's device and inode.
#[cfg(unix)]
fn journal_reads_stderr(env: &Environment) -> bool {
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;

    let stderr = std::io::stderr().as_fd().try_clone_to_owned();
    let Ok(meta) = stderr.and_then(|stderr| std::fs::File::from(stderr).metadata()) else {
        return false;
    };
    env.get("JOURNAL_STREAM") == Some(&format!("{}:{}", meta.dev(), meta.ino()))
}

#[cfg(not(unix))]
fn journal_reads_stderr(_: &Environment) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::filter;
    use crate::environment::Environment;

    fn env(vars: &[(&str, &str)]) -> Environment {
        vars.iter().copied().collect()
    }

    #[test]
    fn other_crates_are_quieter_than_goroam() {
        let (targets, complaint) = filter(Level::DEBUG, None, &env(&[]));
        assert_eq!(complaint, None);
        assert!(targets.would_enable("goroam::probe", &Level::DEBUG));
        assert!(!targets.would_enable("hyper", &Level::INFO));
    }

    #[test]
    fn goroam_log_wins_over_rust_log_and_both_over_the_flag() {
        let both = env(&[("GOROAM_LOG", "goroam=trace"), ("RUST_LOG", "error")]);
        let (targets, _) = filter(Level::WARN, None, &both);
        assert!(targets.would_enable("goroam::ipc", &Level::TRACE));
        let (targets, _) = filter(Level::WARN, None, &env(&[("RUST_LOG", "error")]));
        assert!(!targets.would_enable("goroam::ipc", &Level::WARN));
    }

    #[test]
    fn a_filter_that_is_not_understood_is_told_and_the_usual_one_holds() {
        let (targets, complaint) = filter(Level::INFO, None, &env(&[("GOROAM_LOG", "a=b=c")]));
        assert!(
            complaint
                .unwrap()
                .starts_with("GOROAM_LOG is not understood")
        );
        assert!(targets.would_enable("goroam", &Level::INFO));
    }
}
