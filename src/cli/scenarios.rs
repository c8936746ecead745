//! Runs the scenarios of a policy, for `goroam test` and `goroam check --tests`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Failure;
use super::render::{self, Found, Mark, Page, Position, Sheet, clean, found};
use super::verb::why::tree;
use crate::agent::{Error, POLICY_LIMIT, summary};
use crate::bounded;
use crate::model::plural;
use crate::policy::file::parse_scenarios;
use crate::policy::layers::{Layer, LayerKind, PolicyText};
use crate::policy::scenario::{Difference, Scenario, ScenarioResult, judge};
use crate::policy::{Considered, Policy, PolicyFinding};

/// The results of all scenarios.
#[derive(Debug)]
pub(in crate::cli) struct Tested {
    files: Vec<TestedFile>,
}

#[derive(Debug)]
struct TestedFile {
    name: String,
    source: PolicyText,
    warnings: Vec<PolicyFinding>,
    results: Vec<(Scenario, ScenarioResult)>,
}

/// The JSON form.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Report<'a> {
    scenarios: Vec<Outcome<'a>>,
    warnings: Vec<Found<'a>>,
    passed: usize,
    failed: usize,
}

#[derive(Debug, Serialize)]
struct Outcome<'a> {
    file: &'a str,
    #[serde(flatten)]
    place: Position,
    name: &'a str,
    passed: bool,
    profile: Option<&'a str>,
    needs: &'a [String],
    differences: &'a [Difference],
    /// Every profile in order, with the values of its conditions.
    considered: &'a [Considered],
}

/// Runs the scenarios of these files and directories against a policy.
///
/// # Errors
/// If there is no scenario, or a file cannot be read or has errors (exit code 2).
pub(in crate::cli) fn examine(policy: &Policy, paths: &[PathBuf]) -> Result<Tested, Failure> {
    let mut files = Vec::new();
    for path in all_files(paths)? {
        let text = bounded::read_text(&path, POLICY_LIMIT);
        let text = text.map_err(|error| cannot_read(&path, &error))?;
        let source = PolicyText::of(&[Layer {
            kind: LayerKind::User,
            path: &path,
            text: &text,
        }]);
        let parsed = parse_scenarios(&source, policy);
        if parsed.findings.iter().any(PolicyFinding::is_error) {
            return Err(refused(source, parsed.findings));
        }
        let scenarios = parsed.scenarios.into_iter();
        let results = scenarios.map(|scenario| {
            let judgement = judge(policy, &scenario);
            (scenario, judgement)
        });
        files.push(TestedFile {
            results: results.collect(),
            name: path.display().to_string(),
            source,
            warnings: parsed.findings,
        });
    }
    Ok(Tested { files })
}

/// Returns the named files, and those of the named directories in the order of their names.
fn all_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let cannot = |error| cannot_read(path, &error);
        let mut own = Vec::new();
        for entry in std::fs::read_dir(path).map_err(cannot)? {
            let file = entry.map_err(cannot)?.path();
            if file.extension() == Some(OsStr::new("toml")) {
                own.push(file);
            }
        }
        if own.is_empty() {
            let path = path.display();
            return Err(Failure::usage(format_args!(
                "{path} has no file of scenarios (*.toml)"
            )));
        }
        own.sort();
        files.append(&mut own);
    }
    Ok(files)
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format_args!("cannot read {}: {error}", path.display()))
}

pub(in crate::cli) fn refused(texts: PolicyText, findings: Vec<PolicyFinding>) -> Failure {
    Failure::Goroam(Error::Policy {
        path: texts.path_of(&findings),
        summary: summary(&findings),
        texts: Box::new(texts),
        findings,
    })
}

impl Tested {
    /// Reports whether every scenario came out as expected.
    pub(in crate::cli) fn all_pass(&self) -> bool {
        self.failed() == 0
    }

    fn results(&self) -> impl Iterator<Item = (&TestedFile, &Scenario, &ScenarioResult)> {
        let files = self.files.iter();
        files.flat_map(|file| {
            file.results
                .iter()
                .map(move |(one, result)| (file, one, result))
        })
    }

    fn failed(&self) -> usize {
        let failed = self
            .results()
            .filter(|(.., result)| !result.differences.is_empty());
        failed.count()
    }

    /// Returns the form for scripts.
    pub(in crate::cli) fn report(&self) -> Report<'_> {
        let scenarios = self.results().map(|(file, scenario, result)| Outcome {
            file: &file.name,
            place: Position::of(&file.source.text, scenario.span.start),
            name: &scenario.name,
            passed: result.differences.is_empty(),
            profile: result
                .decision
                .as_ref()
                .map(|decision| decision.profile.as_str()),
            needs: &result.needs,
            differences: &result.differences,
            considered: result
                .decision
                .as_ref()
                .map_or(&[], |decision| &decision.considered),
        });
        let scenarios = Vec::from_iter(scenarios);
        let files = self.files.iter();
        let warnings = files.flat_map(|file| found(&file.source, &file.warnings));
        let failed = self.failed();
        Report {
            passed: scenarios.len() - failed,
            failed,
            warnings: warnings.collect(),
            scenarios,
        }
    }

    /// Returns the form for people: one line for each scenario, and below it what differs and why.
    pub(in crate::cli) fn text(&self, page: &Page) -> String {
        let mut text = String::new();
        for file in self.files.iter().filter(|file| !file.warnings.is_empty()) {
            text.push_str(&render::findings(&file.source, &file.warnings, page));
            text.push('\n');
        }
        let mut sheet = Sheet::new(page.columns);
        for (file, scenario, result) in self.results() {
            let outcome = format!("{}: {}", scenario.name, result.outcome());
            if result.differences.is_empty() {
                sheet.marked(Mark::Good, &clean(&outcome));
                continue;
            }
            let Position { line, column } = Position::of(&file.source.text, scenario.span.start);
            let place = format!("{outcome} ({}:{line}:{column})", file.name);
            sheet.marked(Mark::Bad, &clean(&place));
            explain(&mut sheet, scenario, result);
        }
        text.push_str(&sheet.finish());
        let failed = self.failed();
        let all = self.results().count();
        let parts = match failed {
            0 => format!("{}, all as expected\n", plural(all, "scenario")),
            _ => format!("{}: {failed} not as expected\n", plural(all, "scenario")),
        };
        text.push_str(&parts);
        text
    }
}

/// Prints what differs, and the conditions of the profiles in question.
fn explain(sheet: &mut Sheet, scenario: &Scenario, result: &ScenarioResult) {
    for difference in &result.differences {
        let Difference {
            what,
            expected,
            found,
        } = difference;
        let says = format!("{what}: expected {expected}, but {found}");
        sheet.entry("  ", &clean(&says));
    }
    if result.decision.is_none() {
        sheet.entry(
            "  → ",
            "add what is missing to `answers`, or expect `needs`",
        );
    }
    let Some(decision) = &result.decision else {
        return;
    };
    let chosen = decision.place();
    let expected = scenario.expect.profile.as_ref();
    for (place, considered) in decision.considered.iter().enumerate() {
        let is_chosen = Some(place) == chosen;
        let is_expected = Some(&considered.profile) == expected;
        if let Some(trace) = considered
            .trace
            .as_ref()
            .filter(|_| is_chosen || is_expected)
        {
            let how = if is_chosen {
                "was chosen"
            } else {
                "was not chosen"
            };
            sheet.line(&format!("  {} {how}, because", clean(&considered.profile)));
            tree(sheet, trace);
        } else if is_expected {
            let name = clean(&considered.profile);
            sheet.line(&format!("  {name} was not reached"));
        }
    }
}
