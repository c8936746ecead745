//! What is to be said about the project. Pure.

use super::super::facts::Facts;
use super::super::finding::{Code, Finding, Severity};
use super::local;
use super::seen::{Encoding, ModuleFile, Project, Stand, Sums, Wants};
use crate::gomod::go_sum::{Flaw, FlawKind};
use crate::gomod::go_version;

/// All of it.
pub(in super::super) fn judge(facts: &Facts) -> Vec<Finding> {
    let Some(project) = &facts.project else {
        return Vec::new();
    };
    let mut found: Vec<Finding> = project.encoded.iter().map(encoded).collect();
    found.extend(project.odd.iter().map(odd));
    found.extend(project.passed_over.iter().map(passed_over));
    found.extend(project.unused.iter().map(unused));
    found.extend(project.files.iter().flat_map(file));
    found.extend(
        project
            .files
            .iter()
            .flat_map(|file| directives(project, file)),
    );
    if let Some((place, flaws)) = &project.work_sums {
        found.extend(flawed(place, flaws));
    }
    found.extend(project.torn_list.as_ref().map(torn));
    found.extend(project.wants.as_ref().and_then(wants));
    found.extend(vendor(project));
    // What go stops at first has a finding of its own above, if anything has.
    let is_told = found.iter().any(|one| one.severity == Severity::Error);
    let words = project.refused.iter().filter(|_| !is_told);
    found.extend(words.map(|words| refused(&project.main, words)));
    found
}

/// What go says of the whole.
fn refused(place: &str, words: &str) -> Finding {
    let says = format!("{place} is refused by go: {words}");
    let mend = "change that; no go command works in this project before that";
    let mut finding = Finding::new(code_of(place), Severity::Error, says, mend);
    finding.place = Some(place.to_owned());
    finding
}

/// What has the name of a file and is none to go.
fn passed_over((place, what): &(String, &'static str)) -> Finding {
    let name = place.rsplit(['/', '\\']).next().unwrap_or(place);
    let says = format!("{place} {what}");
    let (severity, why, mend) = match name {
        "go.mod" => (
            Severity::Error,
            "go passes it over: it takes the go.mod of a folder above, or finds no module.",
            "put the file itself there",
        ),
        "go.work" => (
            Severity::Warning,
            "go passes it over, and builds without that workspace.",
            "put the file itself there, or delete it",
        ),
        "modules.txt" => (
            Severity::Error,
            "go reads from it what vendor/ holds, and stops with “inconsistent vendoring”.",
            "run `go mod vendor` (`go work vendor` in a workspace)",
        ),
        _ => (
            Severity::Error,
            "go finds no checksum there and can write none: it stops where it needs one.",
            "put the file itself there",
        ),
    };
    let mut finding = Finding::new(code_of(place), severity, says, mend).because(why);
    finding.place = Some(place.clone());
    finding
}

/// A module below a workspace that is not one of its modules.
fn unused((module, work): &(String, String)) -> Finding {
    let says = format!("{module} is a module that {work} does not use");
    let why = "go stops in its folder with “current directory is contained in a module that is \
               not one of the workspace modules”.";
    let mend = "run `go work use .` there, or set GOWORK=off for it";
    let mut finding = Finding::new(Code::GomodInvalid, Severity::Warning, says, mend).because(why);
    finding.place = Some(module.clone());
    finding
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
        let mend = if folder.starts_with('.') {
            let form = local::form(&folder.replace('\\', "/"), &file.folder);
            format!("write `replace {old} => {form}` there, which every system reads")
        } else {
            "write where that folder is on this system: ./…, ../…, or /…".to_owned()
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
        let (severity, why) = if *required {
            (
                Severity::Error,
                "go stops: “replacement directory … does not exist”, or cannot read its go.mod.",
            )
        } else {
            (
                Severity::Warning,
                "go.mod does not require it, so go stops only where another module does.",
            )
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

/// What is no file, and what it is to go.
fn odd((place, what): &(String, String)) -> Finding {
    let says = format!("{place} {what}");
    let why = "go waits for a pipe without end, or stops there.";
    let mend = "put the file itself there";
    let mut finding = Finding::new(code_of(place), Severity::Error, says, mend).because(why);
    finding.place = Some(place.clone());
    finding
}

/// A file's own code.
fn code_of(place: &str) -> Code {
    match place.rsplit(['/', '\\']).next().unwrap_or(place) {
        "go.mod" | "go.work" => Code::GomodInvalid,
        "modules.txt" => Code::VendorOutdated,
        _ => Code::GosumInvalid,
    }
}

/// A file that Windows' editors or PowerShell's `>` have written.
fn encoded((place, encoding): &(String, Encoding)) -> Finding {
    let name = place.rsplit(['/', '\\']).next().unwrap_or(place);
    let (says, command) = match encoding {
        Encoding::Mark => (
            format!("{place} begins with a byte order mark, which go takes for a part of the text"),
            format!("`tail -c +4 {name} >{name}.new && mv {name}.new {name}`"),
        ),
        Encoding::Wide => (
            format!("{place} is UTF-16, and go reads UTF-8 alone"),
            format!("`iconv -f UTF-16 -t UTF-8 {name} >{name}.new && mv {name}.new {name}`"),
        ),
    };
    let plain = "save it as UTF-8 without a byte order mark";
    let mend = if cfg!(windows) {
        plain.to_owned()
    } else {
        format!("{plain}: {command}")
    };
    let why = match name {
        "go.mod" | "go.work" => "go stops with “unexpected input character”.",
        "modules.txt" => "go stops with “inconsistent vendoring”.",
        _ => "go finds no checksum in it, or stops with “malformed go.sum”.",
    };
    let mut finding = Finding::new(code_of(place), Severity::Error, says, mend).because(why);
    finding.place = Some(place.clone());
    finding
}

/// The first go whose directives are not known here.
const UNKNOWN_GO: &str = "1.28";

/// Directives that the go which will read the file refuses: the one on PATH, or a newer one that
/// the file itself asks for.
fn directives(project: &Project, file: &ModuleFile) -> Vec<Finding> {
    let Some(has) = &project.has else {
        return Vec::new();
    };
    let wanted = project.wants.as_ref().map(|wants| wants.version.as_str());
    // Before 1.21 a go line fetched nothing.
    let fetches = go_version::at_least(has, "1.21");
    let reads = match wanted {
        Some(wanted) if fetches && go_version::at_least(wanted, has) => wanted,
        _ => has,
    };
    let mut found = Vec::new();
    let newer = file.newcomers.iter();
    for one in newer.filter(|one| !go_version::at_least(reads, one.since)) {
        let (line, verb, since) = (one.line, one.verb, one.since);
        let says = format!(
            "{}:{line} is refused by go {reads}: {verb} in that form came with go {since}",
            file.place
        );
        let mend = if fetches && project.wants.as_ref().is_none_or(may_fetch) {
            format!(
                "write `go {since}.0` in the go line, so that go fetches such a version, or take \
                 the line out"
            )
        } else {
            format!("install go {since} or newer, or take the line out")
        };
        let why =
            "go stops with “unknown directive”, “unknown block type” or “invalid go version”.";
        let finding = Finding::new(Code::GomodInvalid, Severity::Error, says, mend).because(why);
        found.push(at(finding, &file.place, line));
    }
    if go_version::at_least(reads, UNKNOWN_GO) {
        return found;
    }
    for (line, verb) in &file.unknown {
        let says = format!(
            "{}:{line} is refused by go {reads}: it does not know the directive {verb}",
            file.place
        );
        let mend = "take the line out, or write what was meant";
        let finding = Finding::new(Code::GomodInvalid, Severity::Error, says, mend);
        let why = "No go command works in this module before that.";
        found.push(at(finding.because(why), &file.place, *line));
    }
    found
}

/// A list that a merge has left as it was.
fn torn(place: &String) -> Finding {
    let says = format!("{place} is a conflict marker of git");
    let mend = "run `go mod vendor` (`go work vendor` in a workspace), which writes it anew";
    let why = "go stops with “inconsistent vendoring”, or builds one side of the merge.";
    let mut finding = Finding::new(Code::VendorOutdated, Severity::Error, says, mend).because(why);
    finding.place = Some(place.clone());
    finding
}

fn sums(file: &ModuleFile) -> Vec<Finding> {
    let place = match file.place.rsplit_once(['/', '\\']) {
        Some((folder, _)) => format!("{folder}{}go.sum", std::path::MAIN_SEPARATOR),
        None => "go.sum".to_owned(),
    };
    match &file.sums {
        Sums::Fine => Vec::new(),
        Sums::Missing => {
            let says = format!("{} requires modules, but there is no {place}", file.place);
            let why =
                "go stops with “missing go.sum entry”, and off line nothing could be checked.";
            let mend = "get it from git, or run `go mod tidy` on a network that you trust";
            let finding = Finding::new(Code::GosumMissing, Severity::Warning, says, mend);
            let mut finding = finding.because(why);
            finding.place = Some(file.place.clone());
            vec![finding]
        }
        Sums::Flawed(flaws) => flawed(&place, flaws),
    }
}

/// What is wrong with a go.sum. Git's marks are one finding: they belong together.
fn flawed(place: &str, flaws: &[Flaw]) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut marked = false;
    for Flaw { line, what } in flaws {
        let (says, why, mend) = match what {
            FlawKind::Conflict if marked => continue,
            FlawKind::Conflict => {
                marked = true;
                (
                    format!("{place}:{line} is a conflict marker of git"),
                    "go stops with “malformed go.sum”.",
                    "delete the markers and keep the lines of both sides; `go mod tidy` drops \
                     what is too much"
                        .to_owned(),
                )
            }
            FlawKind::Fields(_) => (
                format!("{place}:{line} is no line of a go.sum"),
                "go stops with “malformed go.sum: wrong number of fields”.",
                "delete that line; `go mod tidy` brings what is missing".to_owned(),
            ),
            FlawKind::NoHash(name) => (
                format!("{place}:{line} has no whole hash of {name}"),
                "go compares with it and stops with “checksum mismatch”.",
                "delete that line; `go mod tidy` brings what is missing".to_owned(),
            ),
            FlawKind::Differs(first, name) => (
                format!("{place}:{line} has another hash of {name} than line {first}"),
                "go compares with the first alone, and stops with “checksum mismatch” where that \
                 is the wrong one. A merge that keeps the lines of both sides does that.",
                format!(
                    "delete both lines and run `go mod tidy` on a network that you trust; then \
                     see which of them it was: the other is of a changed {name}"
                ),
            ),
        };
        let finding = Finding::new(Code::GosumInvalid, Severity::Error, says, mend).because(why);
        found.push(at(finding, place, *line));
    }
    found
}

/// May go fetch a newer go?
fn may_fetch(wants: &Wants) -> bool {
    let toolchain = &wants.toolchain;
    toolchain.is_empty() || toolchain == "auto" || toolchain.ends_with("+auto")
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
    let mut finding = if may_fetch(wants) {
        Finding::new(
            Code::ToolchainFetched,
            Severity::Note,
            says,
            "bring it before you go off line: `goroam mirror add --from . --toolchain`",
        )
        .because("go fetches the newer one through GOPROXY, which fails where there is no network.")
    } else {
        Finding::new(
            Code::GoTooOld,
            Severity::Error,
            says,
            format!(
                "install go {version}, or {}, so that go may fetch it",
                wants.permit
            ),
        )
        .because(format!(
            "With GOTOOLCHAIN={toolchain} go stops there and fetches no other."
        ))
    };
    finding.place = Some(place.clone());
    Some(finding)
}

fn vendor(project: &Project) -> Option<Finding> {
    let (what, mend, refused) = project.vendor.as_ref()?;
    let (severity, why) = if *refused {
        (
            Severity::Error,
            "go refuses to build with it. `goroam vendor check` says all of it.",
        )
    } else {
        (
            Severity::Warning,
            "go builds what vendor/ has, and says nothing. `goroam vendor check` says all of it.",
        )
    };
    Some(Finding::new(Code::VendorOutdated, severity, what, mend).because(why))
}

fn at(mut finding: Finding, place: &str, line: usize) -> Finding {
    finding.place = Some(format!("{place}:{line}"));
    finding
}
