//! `goroam ready`

use crate::agent::error::{EXIT_DONE, EXIT_FAILED, EXIT_MISMATCH};
use crate::agent::load_policy;
use crate::cli::render::{BOLD, Mark, Page, Sheet, Shown, clean, paint};
use crate::cli::{Context, Failure};
use crate::mirror;
use crate::mirror::ready::{self, Answers, Examined, Missing, ReadyTools, Report, What};
use crate::model::status::Readiness;
use crate::model::{plural, quoted};
use crate::paths::Paths;
use clap::{Args, ValueHint};
use jiff::Timestamp;
use std::path::{Path, PathBuf};

/// `goroam ready`
#[derive(Debug, Clone, Args)]
pub struct Ready {
    /// Directories with projects in or below [default: remembered projects or here]
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub folders: Vec<PathBuf>,
    /// Fetch what is missing (`goroam mirror add`)
    #[arg(long)]
    pub fetch: bool,
    /// Forget these projects
    #[arg(long, conflicts_with = "fetch")]
    pub forget: bool,
    /// As the agent runs it: at low priority, up to the policy's `max_size`
    #[arg(long, hide = true, requires = "fetch")]
    pub kept: bool,
    /// Mirror directory [env: GOROAM_MIRROR] [default: the policy's or goroam's own]
    #[arg(long = "mirror", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub place: Option<PathBuf>,
    /// How to print.
    #[command(flatten)]
    pub format: crate::cli::args::Json,
}

/// Checks whether these projects are ready for work without a network. Exit code 0 when all are.
pub(in crate::cli) async fn run(context: &Context, args: Ready) -> Result<u8, Failure> {
    if args.kept {
        ready::step_back();
    }
    let paths = context.paths()?;
    if args.forget {
        return forget(context, &paths, &args);
    }
    let policy = load_policy(&paths, &context.env)?.policy;
    let projects = projects(&paths, &args.folders)?;
    let is_named = args.place.is_some();
    let mirror = context.mirror_of(args.place, &policy)?;
    let go = policy.agent.go.clone();
    let tools = ready::tools(go.as_deref(), &context.env, &mirror).await?;
    let mut answers = Answers::load(&paths);
    let mut found: Vec<Examined> = Vec::new();
    for project in projects {
        found.push(Examined {
            verdict: Box::pin(ready::examine(&project, &tools, &mut answers)).await,
            project,
            failed: None,
        });
    }
    let mut mismatch = false;
    if args.fetch {
        let most = args.kept.then_some(policy.mirror.max_size);
        let go = go.as_deref();
        mismatch = Box::pin(fetch(go, &tools, &mut found, most, &mut answers)).await;
    }
    let proofs = tools.database.follows(tools.shelf.mirror()).err();
    let mut report = Report::new(mirror, found, proofs);
    if is_named && !report.command.is_empty() {
        let mirror = report.mirror.display().to_string();
        report.command.extend(["--mirror".to_owned(), mirror]);
    }
    if let Err(error) = answers.save(&paths) {
        tracing::warn!("go's answers are not kept: {error}");
    }
    keep(&paths, &report);
    context.show(args.format.json, &report, ready)?;
    Ok(match (mismatch, report.ready) {
        (true, _) => EXIT_MISMATCH,
        (false, true) => EXIT_DONE,
        (false, false) => EXIT_FAILED,
    })
}

/// Returns the projects in and below the directories, else the remembered ones, else those below
/// the current directory.
fn projects(paths: &Paths, folders: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let here = [PathBuf::from(".")];
    let remembered = ready::remembered(paths);
    let folders = match folders {
        [] if !remembered.is_empty() => return Ok(remembered),
        [] => &here,
        named => named,
    };
    let mut all: Vec<PathBuf> = Vec::new();
    for folder in folders {
        let found = mirror::projects(folder);
        let folder_name = folder.display();
        if !folder.is_dir() {
            return Err(Failure::usage(format_args!(
                "{folder_name} cannot be read as a directory"
            )));
        }
        if found.is_empty() {
            return Err(Failure::usage(format_args!(
                "no go.mod or go.work in, below or above {folder_name}"
            )));
        }
        all.extend(found);
    }
    all.sort();
    all.dedup();
    Ok(all)
}

fn forget(context: &Context, paths: &Paths, args: &Ready) -> Result<u8, Failure> {
    let folders: Vec<PathBuf> = match args.folders.as_slice() {
        [] => ready::remembered(paths),
        named => named
            .iter()
            .map(|one| dunce::canonicalize(one).or_else(|_| std::path::absolute(one)))
            .collect::<Result<_, _>>()
            .map_err(Failure::usage)?,
    };
    let gone = ready::forget(paths, &folders).map_err(Failure::failed)?;
    let report = serde_json::json!({ "forgotten": gone });
    context.show(args.format.json, &report, |_, _| {
        format!("forgot {}\n", plural(gone, "project"))
    })?;
    Ok(EXIT_DONE)
}

/// Fetches what each project lacks, and checks again. True: something did not match its checksum.
async fn fetch(
    go: Option<&Path>,
    tools: &ReadyTools,
    found: &mut [Examined],
    most: Option<u64>,
    answers: &mut Answers,
) -> bool {
    let mut mismatch = false;
    for one in found.iter_mut() {
        if one.verdict.missing.is_empty() {
            continue;
        }
        if let Some(most) = most
            && tools.shelf.mirror_bytes() >= most
        {
            one.failed = Some("the mirror is as large as the policy's max_size allows".to_owned());
            continue;
        }
        let mirror = tools.shelf.mirror().root();
        if let Err((why, is_mismatch)) = ready::bring(mirror, go, &tools.env, one).await {
            mismatch |= is_mismatch;
            one.failed = Some(why);
        }
        tools.shelf.forget();
        one.verdict = Box::pin(ready::examine(&one.project, tools, answers)).await;
    }
    mismatch
}

/// Remembers the projects, and also the result for `status` if these are all projects. Errors are
/// ignored: the result can be computed again.
fn keep(paths: &Paths, report: &Report) {
    let projects = report.projects.iter().map(|one| one.project.clone());
    let projects: Vec<PathBuf> = projects.collect();
    let mut kept = ready::remember(paths, &projects);
    let remembered = ready::remembered(paths);
    if kept.is_ok() && remembered.iter().all(|one| projects.contains(one)) {
        let missing = report.projects.iter().map(|one| one.verdict.missing.len());
        let readiness = Readiness {
            at: Timestamp::now(),
            percent: report.percent,
            projects: projects.len(),
            missing: missing.sum(),
            trouble: report.projects.iter().find_map(|one| one.failed.clone()),
        };
        kept = ready::note(paths, &readiness);
    }
    if let Err(error) = kept {
        tracing::warn!("what ready has seen is not kept: {error}");
    }
}

/// Most names shown of one project.
const MOST_NAMES: usize = 8;

/// Formats each project with what is missing, then the total and what to do.
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
        sheet.marked(Mark::Odd, &says);
    }
    if report.projects.len() > 1 {
        let ready = report.projects.iter().filter(|one| one.verdict.is_ready());
        let all = report.projects.len();
        let (percent, ready) = (report.percent, ready.count());
        let says = format!("offline-ready {percent} %: {ready} of {all} projects");
        sheet.line(&paint(BOLD, &says));
    }
    if !report.command.is_empty() {
        let words: Vec<String> = report.command.iter().map(|word| quoted(word)).collect();
        sheet.entry("→ ", &clean(&words.join(" ")));
    }
    sheet.finish()
}

fn project(sheet: &mut Sheet, one: &Examined) {
    let verdict = &one.verdict;
    let is_ready = verdict.is_ready();
    let rest = if is_ready && verdict.vendored {
        ": vendor has it all".to_owned()
    } else if is_ready {
        format!(": {}", plural(verdict.needed, "module"))
    } else if verdict.missing.is_empty() {
        String::new()
    } else {
        format!(": missing {}", names(&verdict.missing))
    };
    let whys = verdict.missing.iter().filter_map(|one| {
        let why = one.why.as_ref()?;
        Some(format!("{}: {why}", name(one)))
    });
    let notes = verdict.troubles.iter().cloned();
    let failed = one.failed.as_ref();
    let failed = failed.map(|why| format!("could not be fetched: {why}"));
    let notes = notes.chain(whys.take(MOST_NAMES)).chain(failed);
    let (project, percent) = (one.project.display(), verdict.percent);
    Shown {
        mark: if is_ready { Mark::Good } else { Mark::Bad },
        says: format!("{project}: offline-ready {percent} %{rest}"),
        code: None,
        details: notes.map(|note| ("", note)).collect(),
        help: "",
    }
    .print(sheet);
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
    let (module, version) = (&one.module, &one.version);
    match one.what {
        What::Zip => format!("{module} {version}"),
        What::GoMod => format!("the go.mod of {module} {version}"),
        What::Toolchain => format!("the toolchain {}", toolchain(version)),
        What::Proof => format!("the proof of the toolchain {}", toolchain(version)),
    }
}

/// Returns `go1.27.3.linux-amd64` of `v0.0.1-go1.27.3.linux-amd64`.
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
  could not be fetched: dial tcp: connection refused
offline-ready 97 %: 1 of 2 projects
→ goroam mirror add --from '/home/me/my src/web' --toolchain
"
        );
        assert_eq!(too_wide(&text), None);
    }
}
