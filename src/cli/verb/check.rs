//! `goroam check`

mod layers;

use crate::agent::error::{EXIT_DONE, EXIT_FAILED, EXIT_USAGE};
use crate::agent::{lent, read_layers, read_policy_to_check};
use crate::cli::args::Json;
use crate::cli::render::{self, Found, found};
use crate::cli::scenarios::{self, Tested};
use crate::cli::{Context, Failure};
use crate::model::plural;
use crate::policy::file::{Parsed, parse_layers};
use crate::policy::layers::{Layer, LayerKind, Part, PolicyText};
use crate::policy::{PolicyFinding, Severity};
use crate::probe::unknown_to_go;
use crate::{bounded, trust};
use clap::{Args, ValueHint};
use layers::Layers;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// `goroam check`
#[derive(Debug, Clone, Args)]
pub struct Check {
    /// File to check [default: the active policy]
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// Also list the layers, and the file and line of each part
    #[arg(long, conflicts_with = "file")]
    pub layers: bool,
    /// Treat every warning as an error, for CI
    #[arg(long)]
    pub strict: bool,
    /// Also run these scenarios, as `goroam test` does
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub tests: Vec<PathBuf>,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// The JSON form.
#[derive(Debug, Serialize)]
struct Report<'a> {
    file: &'a str,
    findings: Vec<Found<'a>>,
    errors: usize,
    warnings: usize,
    notes: usize,
    /// Whether every warning counts as an error.
    strict: bool,
    /// With `--layers`: where each part of the policy comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    layers: Option<Layers>,
    /// The results of `--tests`.
    #[serde(skip_serializing_if = "Option::is_none")]
    tests: Option<scenarios::Report<'a>>,
}

/// Reads a policy and shows all its errors and warnings.
pub(in crate::cli) fn run(context: &Context, args: &Check) -> Result<u8, Failure> {
    let (name, mut parsed) = read(context, args.file.as_deref())?;
    let named = parsed.certificates.iter();
    let named: BTreeSet<PathBuf> = named.map(|certificate| certificate.path.clone()).collect();
    let unknown = unknown_to_go(&context.env, &Vec::from_iter(named));
    for certificate in &parsed.certificates {
        let path = &certificate.path;
        let told = match trouble(path) {
            Some(why) => certificate.unusable(&why),
            None if unknown.contains(path) => certificate.unknown_to_go(),
            None => continue,
        };
        let is_behind = |other: &PolicyFinding| {
            let label = other.primary.as_ref();
            label.is_some_and(|label| label.span.start > certificate.span.start)
        };
        let found = &mut parsed.findings;
        let at = found.iter().position(is_behind).unwrap_or(found.len());
        found.insert(at, told);
    }
    // A warning today can be an error tomorrow: CI must find it before the merge.
    for finding in &mut parsed.findings {
        if args.strict && finding.severity == Severity::Warning {
            finding.severity = Severity::Error;
        }
    }
    let errors = count(&parsed.findings, Severity::Error);
    let policy = parsed.policy.as_ref().filter(|_| !args.tests.is_empty());
    let tested = policy.map(|policy| scenarios::examine(policy, &args.tests));
    let tested = tested.transpose()?;
    let all_pass = tested.as_ref().is_none_or(Tested::all_pass);
    let exit = match (errors, all_pass) {
        (1.., _) => EXIT_USAGE,
        (0, false) => EXIT_FAILED,
        (0, true) => EXIT_DONE,
    };
    let layers = args.layers.then(|| Layers::of(&parsed));
    if args.format.json {
        let report = report(&name, &parsed.source, &parsed.findings, args.strict);
        let tests = tested.as_ref().map(Tested::report);
        context.out.json(&Report {
            layers,
            tests,
            ..report
        })?;
        return Ok(exit);
    }
    if let Some(layers) = layers {
        context.out.text(&layers.text(&context.page))?;
    }
    if parsed.findings.is_empty() {
        let text = all_right(&name, &parsed);
        let is_layered = parsed.source.parts.len() > 1;
        // Two paths are too long for one line.
        let columns = if is_layered {
            context.page.columns
        } else {
            usize::MAX
        };
        let mut sheet = render::Sheet::new(columns);
        sheet.entry("✓ ", &text);
        context.out.text(&sheet.finish())?;
    } else {
        let shown = render::findings(&parsed.source, &parsed.findings, &context.page);
        context.out.text(&shown)?;
    }
    if let Some(tested) = tested {
        context.out.text(&tested.text(&context.page))?;
    }
    Ok(exit)
}

/// Reads the named file alone, or else the layers in force.
pub(super) fn read(context: &Context, file: Option<&Path>) -> Result<(String, Parsed), Failure> {
    let Some(file) = file else {
        let layers = read_layers(&context.paths()?, &context.env)?;
        let parsed = parse_layers(&lent(&layers), context.env.home().as_deref());
        let parts = parsed.source.parts.iter().map(Part::name);
        return Ok((Vec::from_iter(parts).join(", "), parsed));
    };
    // A file that is only checked may be in a CI job's directory that all users can write to.
    let text = read_policy_to_check(file)?;
    let mut parsed = parse_alone(context, LayerKind::User, file, &text);
    if let Err(why) = trust::way(file) {
        let finding = PolicyFinding::replaceable(&why.to_string());
        parsed.findings.insert(0, finding);
    }
    Ok((file.display().to_string(), parsed))
}

/// Parses the text of a policy file as if it were the only layer.
pub(super) fn parse_alone(context: &Context, kind: LayerKind, file: &Path, text: &str) -> Parsed {
    let path = &*std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let home = context.env.home();
    let mut parsed = parse_layers(&[Layer { kind, path, text }], home.as_deref());
    // Messages name the file as the user does.
    if let Some(part) = parsed.source.parts.first_mut() {
        part.path = file.to_owned();
    }
    parsed
}

/// Longest file of certificates that is read, in bytes.
const MOST_PEM: u64 = 16 << 20;

/// Returns why a file holds no certificate that a probe could trust.
fn trouble(path: &Path) -> Option<String> {
    let read = bounded::open(path).and_then(|file| {
        let judged = trust::file_and_way(path, &file.metadata()?);
        Ok((judged, bounded::read_open(&file, MOST_PEM)?))
    });
    let (judged, bytes) = match read {
        Ok(read) => read,
        Err(error) => {
            let words = [
                (ErrorKind::NotFound, "is not there"),
                (ErrorKind::IsADirectory, "is not a regular file"),
                (ErrorKind::InvalidInput, "is not a regular file"),
                (
                    ErrorKind::FileTooLarge,
                    "is too long for a file of certificates",
                ),
            ];
            let known = words.iter().find(|(kind, _)| *kind == error.kind());
            let why = known.map_or("cannot be read", |(_, why)| *why);
            return Some(why.to_owned());
        }
    };
    if let Err(why) = judged {
        return Some(format!("proves nothing: {why}"));
    }
    let text = String::from_utf8_lossy(&bytes);
    (!text.contains("-----BEGIN CERTIFICATE-----"))
        .then(|| "holds no certificate in PEM".to_owned())
}

fn all_right(name: &str, parsed: &Parsed) -> String {
    let parts = parsed.policy.as_ref().map(|policy| {
        let profiles = plural(policy.names().len(), "profile");
        let targets = plural(policy.targets.len(), "target");
        match policy.projects.len() {
            0 => format!("; {profiles}, {targets}"),
            n => format!("; {profiles}, {targets}, {}", plural(n, "project")),
        }
    });
    let (name, parts) = (render::clean(name), parts.unwrap_or_default());
    format!("{name}: no errors{parts}")
}

fn report<'a>(
    file: &'a str,
    source: &PolicyText,
    findings: &'a [PolicyFinding],
    strict: bool,
) -> Report<'a> {
    Report {
        file,
        findings: found(source, findings),
        errors: count(findings, Severity::Error),
        warnings: count(findings, Severity::Warning),
        notes: count(findings, Severity::Note),
        strict,
        layers: None,
        tests: None,
    }
}

fn count(findings: &[PolicyFinding], severity: Severity) -> usize {
    findings
        .iter()
        .filter(|finding| finding.severity == severity)
        .count()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::report;
    use crate::policy::PolicyFinding;
    use crate::policy::layers::{Layer, LayerKind, PolicyText};

    #[test]
    fn a_script_finds_place_severity_and_help() {
        let text = "version = 1\ngoproxy = 2\n";
        let finding = PolicyFinding::error("unknown-key", "no such key", 12..19)
            .related(0..7, "after this")
            .help("leave it out");
        let warning = PolicyFinding {
            primary: None,
            ..PolicyFinding::warning("w", "w", 0..0)
        };
        let findings = [finding, warning];
        let (kind, path) = (LayerKind::User, Path::new("p.toml"));
        let source = PolicyText::of(&[Layer { kind, path, text }]);
        let json = serde_json::to_value(report("p.toml", &source, &findings, false)).unwrap();
        assert_eq!(json["file"], "p.toml");
        assert_eq!((&json["errors"], &json["warnings"]), (&1.into(), &1.into()));
        let found = &json["findings"][0];
        assert_eq!(found["severity"], "error");
        assert_eq!((&found["line"], &found["column"]), (&2.into(), &1.into()));
        assert_eq!(found["span"]["end"], 19);
        assert_eq!(found["related"][0]["line"], 1);
        assert_eq!(found["help"], "leave it out");
        assert!(json["findings"][1]["line"].is_null());
        assert_eq!(
            (&json["notes"], &json["strict"]),
            (&0.into(), &false.into())
        );
    }
}
