//! What is to be said about the project. Pure.

use super::super::facts::Facts;
use super::super::finding::{Code, Finding, Severity};
use super::local;
use super::seen::{ModuleFile, Project, Stand, Sums, Wants};
use crate::gomod::go_version;

/// All of it.
pub(in super::super) fn judge(facts: &Facts) -> Vec<Finding> {
    let Some(project) = &facts.project else {
        return Vec::new();
    };
    let mut found: Vec<Finding> = project.files.iter().flat_map(file).collect();
    found.extend(project.wants.as_ref().and_then(wants));
    found.extend(vendor(project));
    found
}

fn file(file: &ModuleFile) -> Vec<Finding> {
    let mut found = Vec::new();
    for (line, why) in &file.faults {
        let says = format!("{}:{line} is refused by go: {why}", file.place);
        let mend = "mend that line; no go command works in this module before that";
        let finding = Finding::new(Code::GomodInvalid, Severity::Error, says, mend);
        found.push(at(finding, &file.place, *line));
    }
    for (line, old, folder) in &file.windows {
        let says = format!(
            "{}:{line} is refused by go: {folder} is a path of Windows",
            file.place
        );
        let mend = match folder.starts_with('.') {
            true => {
                let form = local::form(&folder.replace('\\', "/"), &file.folder);
                format!("write `replace {old} => {form}` there, which every system reads")
            }
            false => "write where that folder is on this system: ./…, ../…, or /…".to_owned(),
        };
        let finding = Finding::new(Code::GomodInvalid, Severity::Error, says, mend);
        let why = "go says “replacement directory appears to be Windows path”.";
        found.push(at(finding.because(why), &file.place, *line));
    }
    for (line, old, url, folder) in &file.urls {
        let says = format!("{}:{line} replaces {old} by a URL, {url}", file.place);
        let mend = match folder {
            Some(folder) => {
                let form = local::form(folder, &file.folder);
                format!("write `replace {old} => {form}` there, with no version behind it")
            }
            None => "write the folder: ./…, ../…, or an absolute path".to_owned(),
        };
        let why = "go takes a folder there, and no URL: every command fails with “errors parsing \
                   go.mod”.";
        let finding = Finding::new(Code::ReplaceUrl, Severity::Error, says, mend).because(why);
        found.push(at(finding, &file.place, *line));
    }
    for (line, old, folder, stand, required) in &file.missing {
        let what = match stand {
            Stand::Nothing => "which is not there",
            Stand::NoModule => "which has no go.mod",
        };
        let says = format!("{}:{line} replaces {old} by {folder}, {what}", file.place);
        let (severity, why) = match required {
            true => (
                Severity::Error,
                "go stops: “replacement directory … does not exist”, or cannot read its go.mod.",
            ),
            false => (
                Severity::Warning,
                "go.mod does not require it, so go stops only where another module does.",
            ),
        };
        let mend = match stand {
            Stand::Nothing => "put the module there, or take the line out",
            Stand::NoModule => "run `go mod init` there, or take the line out",
        };
        let finding = Finding::new(Code::ReplaceMissing, severity, says, mend).because(why);
        found.push(at(finding, &file.place, *line));
    }
    found.extend(sums(file));
    found
}

fn sums(file: &ModuleFile) -> Option<Finding> {
    let place = match file.place.rsplit_once(['/', '\\']) {
        Some((folder, _)) => format!("{folder}{}go.sum", std::path::MAIN_SEPARATOR),
        None => "go.sum".to_owned(),
    };
    let (says, why, mend, line) = match file.sums {
        Sums::Fine => return None,
        Sums::Missing => {
            let says = format!("{} requires modules, but there is no {place}", file.place);
            let why =
                "go stops with “missing go.sum entry”, and off line nothing could be checked.";
            let mend = "get it from git, or run `go mod tidy` on a network that you trust";
            let finding = Finding::new(Code::GosumMissing, Severity::Warning, says, mend);
            let mut finding = finding.because(why);
            finding.place = Some(file.place.clone());
            return Some(finding);
        }
        Sums::Broken(line, true) => (
            format!("{place}:{line} is a conflict marker of git"),
            "go stops with “malformed go.sum”.",
            "delete the markers and keep the lines of both sides; `go mod tidy` drops what is too \
             much",
            line,
        ),
        Sums::Broken(line, false) => (
            format!("{place}:{line} is no line of a go.sum"),
            "go stops with “malformed go.sum: wrong number of fields”.",
            "delete that line; `go mod tidy` brings what is missing",
            line,
        ),
    };
    let finding = Finding::new(Code::GosumInvalid, Severity::Error, says, mend).because(why);
    Some(at(finding, &place, line))
}

/// A go that is too old, and may not fetch a newer one, or would have to.
fn wants(wants: &Wants) -> Option<Finding> {
    let has = wants.has.strip_prefix("go").unwrap_or(&wants.has);
    // Before 1.21 a go line was no demand.
    if go_version::at_least(has, &wants.version) || !go_version::at_least(has, "1.21") {
        return None;
    }
    let Wants {
        version,
        place,
        toolchain,
        ..
    } = wants;
    let says = format!("{place} asks for go {version}, and PATH has go {has}");
    let may_fetch = toolchain.is_empty() || toolchain == "auto" || toolchain.ends_with("+auto");
    let mut finding = match may_fetch {
        true => Finding::new(
            Code::ToolchainFetched,
            Severity::Note,
            says,
            "bring it before you go off line: `goroam mirror add --from . --toolchain`",
        )
        .because(
            "go fetches the newer one through GOPROXY, which fails where there is no network.",
        ),
        false => Finding::new(
            Code::GoTooOld,
            Severity::Error,
            says,
            format!("install go {version}, or take GOTOOLCHAIN={toolchain} out"),
        )
        .because(format!(
            "With GOTOOLCHAIN={toolchain} go stops there and fetches no other."
        )),
    };
    finding.place = Some(place.clone());
    Some(finding)
}

fn vendor(project: &Project) -> Option<Finding> {
    let (what, mend, refused) = project.vendor.as_ref()?;
    let (severity, why) = match refused {
        true => (
            Severity::Error,
            "go refuses to build with it. `goroam vendor check` says all of it.",
        ),
        false => (
            Severity::Warning,
            "go builds what vendor/ has, and says nothing. `goroam vendor check` says all of it.",
        ),
    };
    Some(Finding::new(Code::VendorOutdated, severity, what, mend).because(why))
}

fn at(mut finding: Finding, place: &str, line: usize) -> Finding {
    finding.place = Some(format!("{place}:{line}"));
    finding
}
