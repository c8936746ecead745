//! `goroam mirror list`

use crate::agent::error::EXIT_DONE;
use crate::cli::render::{BOLD, DIM, GOOD, Mark, ODD, Page, Sheet, clean, pad, paint, size, width};
use crate::cli::verb::mirror::args::{self, List};
use crate::cli::verb::mirror::site::{failed, failure, no_mirror, waits};
use crate::cli::{Context, Failure};
use crate::mirror::{ListedVersion, Listing, Pinned, Prune, Pruned, Trust, Why, list, pin, prune};
use crate::model::plural;
use std::path::Path;

/// Lists the content of the mirror.
pub(super) fn run(context: &Context, root: &Path, args: &List) -> Result<u8, Failure> {
    let trust = Trust::find(&context.env).map_err(failed)?;
    let listing = list(root, &args.modules, &trust).map_err(|error| no_mirror(root, &error))?;
    context.show(args.format.json, &listing, mirror_list)?;
    Ok(EXIT_DONE)
}

/// Makes `@latest` return this version; without one, the highest version again.
pub(super) fn run_pin(
    context: &Context,
    root: &Path,
    module: &str,
    version: Option<&str>,
    json: bool,
) -> Result<u8, Failure> {
    let pinned = pin(root, module, version, &mut waits).map_err(|error| failure(&error))?;
    context.show(json, &pinned, mirror_pinned)?;
    Ok(EXIT_DONE)
}

/// Removes versions that are old, exceed the size or are needed by no project.
pub(super) fn run_prune(context: &Context, root: &Path, args: args::Prune) -> Result<u8, Failure> {
    let what = Prune {
        older_than: args.older_than,
        max_size: args.max_size,
        needed_by: args.needed_by,
        dry_run: args.dry_run,
    };
    let pruned = prune(root, &what, context.page.now, &mut waits);
    let pruned = pruned.map_err(|error| failure(&error))?;
    context.show(args.format.json, &pruned, mirror_pruned)?;
    Ok(EXIT_DONE)
}

/// Formats each module with its versions, then the totals.
pub(in crate::cli) fn mirror_list(listing: &Listing, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    let shown = |version: &&ListedVersion| version.zip;
    let all = listing.modules.iter().flat_map(|module| &module.versions);
    let wide = all
        .filter(shown)
        .map(|one| width(&one.version))
        .max()
        .unwrap_or(0)
        .min(40);
    for module in &listing.modules {
        if !module.versions.iter().any(|version| version.zip) {
            continue;
        }
        sheet.line(&paint(BOLD, &clean(&module.module)));
        for version in module.versions.iter().filter(shown) {
            let mut line = vec!["  ".to_owned(), pad(&clean(&version.version), wide)];
            line.push(format!("  {:>8}  ", size(version.bytes)));
            line.push(match &version.proven_by {
                Some(_) => paint(GOOD, "proven"),
                None => paint(ODD, "not proven"),
            });
            if let Some(since) = version.since {
                line.push(paint(DIM, &[", ", &page.ago_in_minutes(since)].concat()));
            }
            if module.pinned.as_deref() == Some(version.version.as_str()) {
                line.push(", pinned".to_owned());
            }
            sheet.line(&line.concat());
        }
    }
    let totals = &listing.totals;
    if totals.versions > 0 {
        sheet.gap();
    }
    let mut text = format!(
        "{}, {}, {}",
        plural(totals.modules, "module"),
        plural(totals.versions, "version"),
        size(totals.bytes)
    );
    if totals.go_mods > 0 {
        let more = plural(totals.go_mods, "go.mod");
        text += &format!("; {more} more that module graphs need");
    }
    if totals.versions > 0 {
        text += &match totals.versions - totals.proven {
            0 => "; all proven by the checksum database".to_owned(),
            n => format!("; {n} not proven by the checksum database"),
        };
    }
    sheet.paragraph(&text);
    sheet.finish()
}

/// Formats what was removed and why, then the totals.
pub(in crate::cli) fn mirror_pruned(pruned: &Pruned, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    for one in &pruned.removed {
        let why = match one.why {
            Why::Unfinished => "left unfinished",
            Why::NotNeeded => "not needed",
            Why::Old => "old",
            Why::TooMuch => "among the oldest",
        };
        let name = clean(&[one.module.as_str(), "@", &one.version].concat());
        sheet.hanging("  ", &format!("{name} {}, {why}", size(one.bytes)), 4);
    }
    let verb = if pruned.dry_run {
        "would remove"
    } else {
        "removed"
    };
    let text = match pruned.removed.len() {
        0 => "nothing to remove".to_owned(),
        n => format!(
            "{verb} {}, {}",
            plural(n, "version"),
            size(pruned.removed_bytes)
        ),
    };
    let rest = format!("; {} stay, {}", pruned.kept, size(pruned.kept_bytes));
    sheet.marked(Mark::Good, &format!("{text}{rest}"));
    sheet.finish()
}

/// Formats the present result of `@latest`.
pub(in crate::cli) fn mirror_pinned(pinned: &Pinned, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    let module = clean(&pinned.module);
    let says = match &pinned.latest {
        Some(version) => format!("{module}@latest is {}", clean(version)),
        None => format!("{module} has no version here"),
    };
    let change = match (&pinned.pinned, &pinned.before) {
        (Some(new), Some(old)) if new != old => format!("; it was pinned to {}", clean(old)),
        (Some(_), _) => "; pinned".to_owned(),
        (None, Some(old)) => format!("; no longer pinned to {}", clean(old)),
        (None, None) => "; it was not pinned".to_owned(),
    };
    sheet.marked(Mark::Good, &format!("{says}{change}"));
    sheet.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::fixtures::{at, page};
    use crate::mirror::{ListTotals, ListedModule, Removed};

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn versions_stand_below_their_module() {
        let version = |version: &str, proven: bool, zip: bool| ListedVersion {
            version: version.to_owned(),
            zip,
            bytes: 212_000,
            proven_by: proven.then(|| "sum.golang.org".to_owned()),
            since: Some(at("09:12:00")),
        };
        let listing = Listing {
            mirror: "/m".into(),
            modules: vec![ListedModule {
                module: "golang.org/x/text".to_owned(),
                pinned: Some("v0.3.0".to_owned()),
                versions: vec![
                    version("v0.3.0", true, true),
                    version("v0.14.0", false, true),
                    version("v0.1.0", true, false),
                ],
            }],
            totals: ListTotals {
                modules: 1,
                versions: 2,
                go_mods: 1,
                bytes: 636_000,
                proven: 1,
            },
        };
        assert_eq!(
            plain(&mirror_list(&listing, &page())),
            "golang.org/x/text\n  \
             v0.3.0     212 kB  proven, 2 h 04 min, pinned\n  \
             v0.14.0    212 kB  not proven, 2 h 04 min\n\n\
             1 module, 2 versions, 636 kB; 1 go.mod more that module graphs need; 1 not\n\
             proven by the checksum database\n"
        );
    }

    #[test]
    fn what_went_is_told_with_why() {
        let mut pruned = Pruned {
            mirror: "/m".into(),
            dry_run: true,
            removed: vec![Removed {
                module: "a.test/b".to_owned(),
                version: "v1.0.0".to_owned(),
                bytes: 5_000_000,
                why: Why::Old,
            }],
            removed_bytes: 5_000_000,
            kept: 3,
            kept_bytes: 1_000,
        };
        assert_eq!(
            plain(&mirror_pruned(&pruned, &page())),
            "  a.test/b@v1.0.0 5.0 MB, old\n✓ would remove 1 version, 5.0 MB; 3 stay, 1.0 kB\n"
        );
        pruned.removed.clear();
        let text = plain(&mirror_pruned(&pruned, &page()));
        assert_eq!(text, "✓ nothing to remove; 3 stay, 1.0 kB\n");
    }

    #[test]
    fn a_pin_says_what_latest_is_now() {
        let mut pinned = Pinned {
            mirror: "/m".into(),
            module: "a.test/b".to_owned(),
            pinned: Some("v1.0.0".to_owned()),
            before: None,
            latest: Some("v1.0.0".to_owned()),
        };
        let text = plain(&mirror_pinned(&pinned, &page()));
        assert_eq!(text, "✓ a.test/b@latest is v1.0.0; pinned\n");
        (pinned.before, pinned.pinned) = (pinned.pinned, None);
        pinned.latest = Some("v1.1.0".to_owned());
        let text = plain(&mirror_pinned(&pinned, &page()));
        assert_eq!(
            text,
            "✓ a.test/b@latest is v1.1.0; no longer pinned to v1.0.0\n"
        );
    }
}
