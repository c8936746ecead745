//! `goroam ready`

use super::page::Page;
use super::style::{BAD, BOLD, DIM, GOOD, ODD, paint};
use super::text::{Sheet, clean};
use crate::mirror::ready::{Examined, Missing, Report, What};
use crate::model::quoted;

/// Names of one project that are shown.
const MOST_NAMES: usize = 8;

/// Each project with what is missing, then all of them and what to do.
pub(in crate::cli) fn ready(report: &Report, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    for one in &report.projects {
        project(&mut sheet, one);
    }
    if let Some(why) = &report.proofs {
        let says = format!(
            "go would not take the mirror's proofs for what no go.sum names: {}; \
             `goroam mirror add` renews them",
            clean(why)
        );
        sheet.entry(&format!("{} ", paint(ODD, "!")), 2, &says, 2);
    }
    if report.projects.len() > 1 {
        let ready = report.projects.iter().filter(|one| one.verdict.is_ready());
        let all = report.projects.len();
        let says = format!(
            "offline-ready {} %: {} of {all} projects",
            report.percent,
            ready.count()
        );
        sheet.line(&paint(BOLD, &says));
    }
    if !report.command.is_empty() {
        let words: Vec<String> = report
            .command
            .iter()
            .map(|word| clean(&quoted(word)))
            .collect();
        sheet.entry("→ ", 2, &words.join(" "), 2);
    }
    sheet.finish()
}

fn project(sheet: &mut Sheet, one: &Examined) {
    let verdict = &one.verdict;
    let (mark, style) = match verdict.is_ready() {
        true => ("✓", GOOD),
        false => ("✗", BAD),
    };
    let rest = if verdict.is_ready() && verdict.vendored {
        ": vendor has it all".to_owned()
    } else if verdict.is_ready() {
        format!(
            ": {} module{}",
            verdict.needed,
            if verdict.needed == 1 { "" } else { "s" }
        )
    } else if verdict.missing.is_empty() {
        String::new()
    } else {
        format!(": missing {}", names(&verdict.missing))
    };
    let path = clean(&one.project.display().to_string());
    let says = format!("{path}: offline-ready {} %{rest}", verdict.percent);
    sheet.entry(&format!("{} ", paint(style, mark)), 2, &says, 2);
    let whys = verdict.missing.iter().filter_map(|one| {
        let why = one.why.as_ref()?;
        Some(format!("{}: {why}", name(one)))
    });
    let notes = verdict
        .troubles
        .iter()
        .cloned()
        .chain(whys.take(MOST_NAMES));
    let failed = one
        .failed
        .as_ref()
        .map(|why| format!("could not be brought: {why}"));
    for note in notes.chain(failed) {
        sheet.styled("  ", 2, &clean(&note), 2, DIM);
    }
}

fn names(missing: &[Missing]) -> String {
    let mut shown: Vec<String> = missing.iter().take(MOST_NAMES).map(name).collect();
    let more = missing.len().saturating_sub(MOST_NAMES);
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    shown.join(", ")
}

fn name(one: &Missing) -> String {
    let (module, version) = (clean(&one.module), clean(&one.version));
    match one.what {
        What::Zip => format!("{module} {version}"),
        What::GoMod => format!("the go.mod of {module} {version}"),
        What::Toolchain => format!("the toolchain {}", toolchain(&version)),
        What::Proof => format!("the proof of the toolchain {}", toolchain(&version)),
    }
}

/// `go1.27.3.linux-amd64` of `v0.0.1-go1.27.3.linux-amd64`.
fn toolchain(version: &str) -> &str {
    version.strip_prefix("v0.0.1-").unwrap_or(version)
}

#[cfg(test)]
mod tests {
    use super::ready;
    use crate::cli::render::fixtures::{page, plain, too_wide};
    use crate::mirror::ready::{Examined, Missing, Report, Verdict, What};

    fn missing(module: &str, version: &str, what: What) -> Missing {
        Missing {
            module: module.to_owned(),
            version: version.to_owned(),
            what,
            why: None,
        }
    }

    #[test]
    fn what_is_missing_is_named_with_the_command_that_brings_it() {
        let projects = vec![
            Examined {
                project: "/home/me/src/app".into(),
                verdict: Verdict {
                    needed: 23,
                    here: 23,
                    percent: 100,
                    ..Verdict::default()
                },
                failed: None,
            },
            Examined {
                project: "/home/me/my src/web".into(),
                verdict: Verdict {
                    needed: 60,
                    here: 58,
                    percent: 96,
                    missing: vec![
                        missing("golang.org/x/text", "v0.14.0", What::Zip),
                        missing(
                            "golang.org/toolchain",
                            "v0.0.1-go1.27.3.linux-amd64",
                            What::Toolchain,
                        ),
                    ],
                    ..Verdict::default()
                },
                failed: Some("dial tcp: connection refused".to_owned()),
            },
        ];
        let report = Report::new("/m".into(), projects, None);
        let text = ready(&report, &page());
        assert_eq!(
            plain(&text),
            "\
✓ /home/me/src/app: offline-ready 100 %: 23 modules
✗ /home/me/my src/web: offline-ready 96 %: missing golang.org/x/text v0.14.0,
  the toolchain go1.27.3.linux-amd64
  could not be brought: dial tcp: connection refused
offline-ready 97 %: 1 of 2 projects
→ goroam mirror add --from '/home/me/my src/web' --toolchain
"
        );
        assert_eq!(too_wide(&text), None);
    }
}
