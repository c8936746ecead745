//! What the integration tests share: the network lab, the laptop that is moved in it, and
//! waiting that ends.
//!
//! A test binary that uses the lab is named `tests/lab_*`; `cargo xtask test` runs their tests one
//! after another. A test starts like this:
//!
//! ```text
//! let Some(lab) = Lab::get() else { return };
//! let laptop = lab.laptop().with_policy(&lab.policy());
//! let agent = laptop.agent();
//! lab.travel("home");
//! laptop.wait_for("GOPROXY", "https://proxy.golang.org,direct", Duration::from_secs(10));
//! ```

// Each test binary compiles this again and uses a part of it; a helper of tests may panic.
#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    missing_docs,
    unreachable_pub
)]
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stdout)]

#[cfg(target_os = "linux")]
pub mod container;
pub mod dist;
pub mod lab;
pub mod laptop;

use std::path::PathBuf;
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
pub use container::{Container, PROGRAM, SOON, Said};
pub use lab::Lab;
pub use laptop::{Agent, Laptop, Ran};

/// Ends the test with a line that says why it could not run. `cargo xtask test` counts these.
macro_rules! skip {
    ($($why:tt)*) => {{
        println!("skipped: {}", format_args!($($why)*));
        return;
    }};
}
pub(crate) use skip;

/// The program under test.
pub fn goroam_bin() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_goroam"))
}

/// Asks again until there is an answer; fails, naming what was waited for, after `limit`.
pub fn wait_until<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let end = Instant::now() + limit;
    loop {
        let last = match ask() {
            Ok(answer) => return answer,
            Err(last) => last,
        };
        assert!(
            Instant::now() < end,
            "not within {limit:?}: {what}; last seen: {last}"
        );
        // Not a guess at how long it takes: only the pace of asking.
        std::thread::park_timeout(Duration::from_millis(2));
    }
}
