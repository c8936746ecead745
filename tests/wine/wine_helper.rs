//! The helper of the tests under Wine, compiled when it is first asked for.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::wine::{Run, Running, Wine, wait_for};

/// `wine_helper.exe …`, words separated by spaces; see `wine_helper.c`.
pub(crate) fn helper(wine: &Wine, words: &str) -> Run {
    let program = wine.drive().join("helper.exe");
    if !program.exists() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/wine_helper.c");
        let mut compile = Command::new("x86_64-w64-mingw32-gcc");
        compile.args(["-O1", "-s", "-municode", "-Wall", "-Werror", "-o"]);
        compile.arg(&program).arg(source).arg("-ladvapi32");
        assert!(compile.status().unwrap().success());
    }
    wine.run(r"C:\helper.exe").args(words)
}

/// How many programs of this name run.
#[track_caller]
pub(crate) fn count(wine: &Wine, name: &str) -> usize {
    let said = helper(wine, "count").arg(name).exits(0).stdout;
    said.trim().parse().expect(&said)
}

/// A program that has a file open.
pub(crate) struct Holder {
    mark: PathBuf,
    program: Option<Running>,
}

impl Holder {
    /// Opens it for reading; `share` says what others may do meanwhile (1 read, 2 write,
    /// 4 rename and delete).
    pub(crate) fn of(wine: &Wine, file: &Path, share: u32) -> Holder {
        let mark = wine.drive().join("held");
        let program = helper(wine, "hold")
            .arg(wine.windows(file))
            .arg(share.to_string())
            .arg(wine.windows(&mark))
            .start();
        wait_for("the file is held", || match mark.exists() {
            true => Ok(()),
            false => Err(program.said()),
        });
        Holder {
            mark,
            program: Some(program),
        }
    }

    /// Lets go of it.
    pub(crate) fn lets_go(mut self) {
        std::fs::remove_file(&self.mark).unwrap();
        let done = self.program.take().unwrap().wait();
        assert!(done.status.success(), "{}", done.all());
    }
}
