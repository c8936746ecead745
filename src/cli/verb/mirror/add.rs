//! `goroam mirror add`

use std::sync::Arc;

use super::site::{Site, failure, say, waits};
use crate::agent::error::{EXIT_DONE, EXIT_FAILED, EXIT_MISMATCH};
use crate::cli::args;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{self, Progress};
use crate::meter::Meter;
use crate::mirror::{Add, Notice, add};
use crate::model::quoted;

/// Brings modules. Exit code 6 when one is not what its checksum says, 1 when one is missing.
pub(super) async fn run(context: &Context, site: &Site, args: args::Add) -> Result<u8, Failure> {
    let json = args.format.json;
    let what = Add {
        modules: args.modules,
        from: args.from,
        tests: args.tests,
        toolchain: args.toolchain,
        offline: args.offline,
    };
    let meter = Arc::new(Meter::default());
    let mut progress = None;
    let mut notice = |notice: Notice<'_>| match notice {
        Notice::Waits => {
            progress = None;
            waits();
        }
        Notice::Asks(what) => say(&format!("asking go what {what} needs")),
        Notice::Proves => say("asking the checksum database"),
        Notice::Stores => {
            let (columns, env) = (context.page.columns, &context.env);
            progress = Some(Progress::show("storing", &meter, columns, env));
        }
    };
    let work = add(
        &site.root,
        site.go.as_deref(),
        &context.env,
        &what,
        &meter,
        &mut notice,
    );
    let mut added = Box::pin(work).await.map_err(|error| failure(&error))?;
    if let Some(fetch) = added.fetch.as_mut().filter(|_| site.is_named) {
        let root = quoted(&site.root.display().to_string());
        fetch.push_str(&[" --mirror ", &root].concat());
    }
    drop(progress);
    if json {
        context.out.json(&added)?;
    } else {
        context
            .out
            .text(&render::mirror_added(&added, &context.page))?;
    }
    Ok(
        match added.failed.iter().map(|failed| failed.mismatch).max() {
            None => EXIT_DONE,
            Some(false) => EXIT_FAILED,
            Some(true) => EXIT_MISMATCH,
        },
    )
}
