//! Other systems: their routes are not read, which is one of the troubles. if-watch still reports
//! addresses there.

use std::io;

use crate::model::{Route, Rule};
use crate::watch::inbox::Hint;
use crate::watch::source::HintSource;

pub(super) fn tables() -> io::Result<(Vec<Route>, Vec<Rule>)> {
    Ok((Vec::new(), Vec::new()))
}

/// Never opens.
pub(in crate::watch) struct RouteMessages {}

impl HintSource for RouteMessages {
    const NAME: &'static str = "route messages";

    fn open() -> io::Result<RouteMessages> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "not known on this system",
        ))
    }

    async fn next(&mut self) -> io::Result<Hint> {
        std::future::pending().await
    }
}
