//! `goroam mirror add`

use crate::cli::render::{Mark, Page, Progress, Sheet, Shown, clean, size};
use crate::cli::verb::mirror::args;
use crate::cli::verb::mirror::site::{Site, exit, failure, say, waits};
use crate::cli::{Context, Failure};
use crate::meter::Meter;
use crate::mirror::{Add, Added, Failed, Notice, add};
use crate::model::{plural, quoted};
use std::sync::Arc;

/// Adds modules. Exit code 6 when one does not match its checksum, 1 when one is missing.
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
    let show = |verb| Progress::show(verb, &meter, context.page.columns, &context.env);
    let mut notice = |notice: Notice<'_>| {
        // Its line must be gone before another is printed.
        progress = None;
        match notice {
            Notice::Waits => waits(),
            Notice::Asks(what) => {
                say(&format!("asking go what {what} needs"));
                progress = Some(show("downloading"));
            }
            Notice::Proves(count) => {
                let versions = plural(count, "version");
                say(&format!("asking the checksum database about {versions}"));
            }
            Notice::Stores => progress = Some(show("storing")),
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
    context.show(json, &added, mirror_added)?;
    let has_mismatch = added.failed.iter().any(|failed| failed.mismatch);
    Ok(exit(has_mismatch, added.failed.is_empty()))
}

/// Formats what failed and why, then the totals.
pub(in crate::cli) fn mirror_added(added: &Added, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    for failed in &added.failed {
        one(&mut sheet, failed);
    }
    let mark = if added.failed.is_empty() {
        Mark::Good
    } else {
        Mark::Bad
    };
    let text = [what(added), proof(added)].concat();
    sheet.marked(mark, &text);
    if let Some(fetch) = &added.fetch {
        let text = format!("with a network, this fetches the rest: `{}`", clean(fetch));
        sheet.entry("  ", &text);
    }
    if let Some(why) = why_without(added) {
        let text = format!(
            "{} without the proof that go will ask for where no go.sum has them: {}. Run it again \
             with a network",
            plural(added.totals.without_proof, "module"),
            clean(why)
        );
        sheet.marked(Mark::Odd, &text);
    }
    sheet.finish()
}

fn one(sheet: &mut Sheet, failed: &Failed) {
    let lines = failed.why.lines().filter(|line| !line.trim().is_empty());
    Shown {
        mark: Mark::Bad,
        says: match failed.version.as_str() {
            "" => failed.module.clone(),
            version => format!("{}@{version}", failed.module),
        },
        code: None,
        // go's own lines stay separate, so that the hashes are below each other.
        details: lines.map(|line| ("", line.to_owned())).collect(),
        help: "",
    }
    .print(sheet);
}

/// Formats the totals: "added 23 modules, 41 MB (38 MB by hard link); 3 were there".
fn what(added: &Added) -> String {
    let totals = &added.totals;
    let mut text = match totals.added {
        0 => "added nothing".to_owned(),
        n => format!("added {}, {}", plural(n, "module"), size(totals.bytes)),
    };
    let ways = [
        (totals.linked_bytes, "by hard link"),
        (totals.reflinked_bytes, "by reflink"),
    ];
    let ways = ways.iter().filter(|(bytes, _)| *bytes > 0);
    let ways: Vec<String> = ways
        .map(|(bytes, way)| format!("{} {way}", size(*bytes)))
        .collect();
    if !ways.is_empty() {
        text += &format!(" ({})", ways.join(", "));
    }
    if totals.go_mods > 0 {
        text += &format!(
            "; {} more that module graphs need",
            plural(totals.go_mods, "go.mod")
        );
    }
    match totals.present {
        0 => {}
        1 => text += "; 1 was there",
        n => text += &format!("; {n} were there"),
    }
    match totals.failed {
        0 => {}
        n => text += &format!("; {n} failed"),
    }
    text
}

/// Formats the proof: "; all proven by sum.golang.org".
fn proof(added: &Added) -> String {
    let totals = &added.totals;
    let all = added.added.iter().chain(&added.present);
    let mut names: Vec<&String> = all
        .map(|one| &one.proven_by)
        .filter(|name| !matches!(name.as_str(), "go" | "go.sum"))
        .collect();
    names.dedup();
    let all = totals.added + totals.present;
    match (names.first(), totals.unproven) {
        (_, _) if all == 0 => String::new(),
        (Some(name), 0) => format!("; all proven by {name}"),
        (Some(name), n) => format!("; {} proven by {name}, {n} not", all - n),
        (None, _) => "; none proven by a checksum database".to_owned(),
    }
}

fn why_without(added: &Added) -> Option<&str> {
    let mut all = added.added.iter().chain(&added.present);
    all.find_map(|one| one.without_proof.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::fixtures::page;
    use crate::mirror::{AddedVersion, How, Totals, ZipCame};

    fn plain(added: &Added) -> String {
        anstream::adapter::strip_str(&mirror_added(added, &page())).to_string()
    }

    fn some() -> Added {
        let one = |module: &str, zip| AddedVersion {
            module: module.to_owned(),
            version: "v1.0.0".to_owned(),
            zip,
            proven_by: "sum.golang.org".to_owned(),
            without_proof: None,
        };
        let zip = ZipCame {
            zip_bytes: 41_000_000,
            how: How::Link,
        };
        Added {
            added: vec![one("a.test/b", Some(zip))],
            present: vec![one("a.test/c", None)],
            totals: Totals {
                added: 1,
                present: 1,
                bytes: 41_000_000,
                linked_bytes: 38_000_000,
                ..Totals::default()
            },
            ..Added::default()
        }
    }

    #[test]
    fn the_totals_are_one_sentence() {
        assert_eq!(
            plain(&some()),
            "✓ added 1 module, 41 MB (38 MB by hard link); 1 was there; all proven by\n  \
             sum.golang.org\n"
        );
    }

    #[test]
    fn what_is_not_proven_and_what_failed_is_told() {
        let mut added = some();
        added.totals.unproven = 1;
        added.totals.without_proof = 1;
        added.added[0].proven_by = "go.sum".to_owned();
        added.added[0].without_proof = Some("sum.golang.org cannot be asked".to_owned());
        added.totals.failed = 1;
        added.failed.push(Failed {
            module: "evil.test/\x1b[2Jx".to_owned(),
            version: "v1.0.0".to_owned(),
            why: "verifying module: checksum mismatch\n\tdownloaded: h1:A\n\tgo.sum: h1:B"
                .to_owned(),
            mismatch: true,
        });
        let text = plain(&added);
        assert!(
            text.starts_with("✗ evil.test/\u{fffd}[2Jx@v1.0.0\n  verifying module: "),
            "{text}"
        );
        assert!(
            text.contains("\n  go.sum: h1:B\n✗ added 1 module"),
            "{text}"
        );
        assert!(
            text.contains("1 proven by\n  sum.golang.org, 1 not"),
            "{text}"
        );
        assert!(text.contains("! 1 module without the proof"), "{text}");
    }
}
