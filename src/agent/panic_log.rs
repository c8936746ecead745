//! Keeps a record of each panic. A release aborts (`panic = "abort"`) and its symbols are stripped,
//! so the place in the source and the message are all that a bug report can show.

use std::io::{self, Write as _};
use std::panic::PanicHookInfo;
use std::path::{Path, PathBuf};

use super::clock;
use crate::model::mask;
use crate::state::file::{private_folder, read, replace};

/// How many lines are kept, one for each panic; the oldest are dropped first.
const MOST_PANICS: usize = 32;
/// How many characters of a message are kept.
const MOST_MESSAGE: usize = 2000;
/// In bytes. goroam never writes a larger file; such a file is replaced.
const MOST_BYTES: u64 = 1 << 20;

/// From now on, prints each panic of this process to standard error and appends it to the file
/// (0600), without credentials.
pub fn record_panics(file: PathBuf) {
    let print_with_backtrace = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if cfg!(debug_assertions) {
            print_with_backtrace(panic);
        }
        let line = describe(panic);
        let where_to = match keep(&file, &line) {
            Ok(()) => format!("it is recorded in {}", file.display()),
            Err(error) => format!("cannot record it in {}: {error}", file.display()),
        };
        // If standard error is closed, nothing else can be done.
        let _ = writeln!(io::stderr(), "{line}\nThis is a bug in goroam; {where_to}.");
    }));
}

/// One line: the time, goroam's version, the place in the source, the message.
fn describe(panic: &PanicHookInfo<'_>) -> String {
    let payload = panic.payload();
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let message = mask(message.unwrap_or("no message"));
    let message = message.chars().take(MOST_MESSAGE);
    let message: String = message.flat_map(char::escape_debug).collect();
    let place = panic.location().map(ToString::to_string);
    format!(
        "{} goroam {} ({} {}) panicked at {}: {message}",
        clock::now(),
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        place.as_deref().unwrap_or("an unknown place"),
    )
}

fn keep(file: &Path, line: &str) -> io::Result<()> {
    private_folder(file.parent().unwrap_or(Path::new(".")))?;
    let before = read(file, MOST_BYTES).ok().flatten().unwrap_or_default();
    let before = String::from_utf8_lossy(&before);
    let mut lines: Vec<&str> = before.lines().chain([line]).collect();
    let surplus = lines.len().saturating_sub(MOST_PANICS);
    lines.drain(..surplus);
    replace(file, format!("{}\n", lines.join("\n")).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::{MOST_PANICS, record_panics};

    /// Runs this test again in a process of its own, selected by `CHILD`.
    #[test]
    fn a_panic_leaves_version_place_and_message_in_a_private_file_without_credentials() {
        const CHILD: &str = "GOROAM_TEST_PANICS_INTO";
        const NAME: &str = "agent::panic_log::tests::a_panic_leaves_version_place_and_message_in_a_private_file_without_credentials";
        if let Some(file) = std::env::var_os(CHILD) {
            record_panics(file.into());
            panic!("cannot reach\nhttps://joe:s3cret@proxy.test");
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state/panic.log");
        let panic = || {
            let mut test = std::process::Command::new(std::env::current_exe().unwrap());
            test.args(["--exact", NAME, "--nocapture"])
                .env(CHILD, &file);
            let output = test.output().unwrap();
            assert!(!output.status.success());
            String::from_utf8_lossy(&output.stderr).into_owned()
        };
        let stderr = panic();
        let log = std::fs::read_to_string(&file).unwrap();
        let version = env!("CARGO_PKG_VERSION");
        for part in [
            &format!(" goroam {version} ("),
            &format!(") panicked at {}:", file!()),
            ": cannot reach\\nhttps://joe:***@proxy.test\n",
        ] {
            assert!(log.contains(part), "{part}: {log}");
        }
        assert!(stderr.contains(log.trim_end()), "{stderr}");
        assert!(stderr.contains(&format!("recorded in {}", file.display())));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::write(&file, "an older one\n".repeat(MOST_PANICS)).unwrap();
        panic();
        let log = std::fs::read_to_string(&file).unwrap();
        assert_eq!(log.lines().count(), MOST_PANICS);
        assert!(log.lines().last().unwrap().contains("panicked at"));
    }
}
