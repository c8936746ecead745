//! What doctor reports about the files of a project: each function turns one fact into findings.
//! Pure.

use std::path::Path;

use super::super::file_url;
use super::super::finding::{Code, DoctorFinding, Severity};
use crate::gomod::go_sum::{Flaw, FlawKind};
use crate::gomod::{At, Newcomer, Replace, go_version, is_conflict_marker};

/// The code for what is wrong with a whole file.
fn code_of(place: &str) -> Code {
    match name_of(place) {
        "go.mod" | "go.work" => Code::GomodInvalid,
        "modules.txt" => Code::VendorOutdated,
        _ => Code::GosumInvalid,
    }
}

fn name_of(place: &str) -> &str {
    place.rsplit(['/', '\\']).next().unwrap_or(place)
}

/// go's own words about the project as a whole.
pub(super) fn refused(place: &str, words: &str) -> DoctorFinding {
    let says = format!("go refuses {place}: {words}");
    let fix = "change that; until then no go command works in this project";
    DoctorFinding::error(code_of(place), says, fix).at(place)
}

/// Something with the name of a file that go does not take for one: a directory, a broken link.
pub(super) fn not_a_file(place: &str, what: &str) -> DoctorFinding {
    let (severity, why, fix) = match name_of(place) {
        "go.mod" => (
            Severity::Error,
            "go ignores it: it takes the go.mod of a directory above, or finds no module.",
            "put the file itself there",
        ),
        "go.work" => (
            Severity::Warning,
            "go ignores it and builds without that workspace.",
            "put the file itself there, or delete it",
        ),
        "modules.txt" => (
            Severity::Error,
            "go needs that list of what vendor holds, and stops with “inconsistent vendoring”.",
            "run `go mod vendor` (`go work vendor` in a workspace)",
        ),
        _ => (
            Severity::Error,
            "go finds no checksum there and cannot write one: it stops where it needs one.",
            "put the file itself there",
        ),
    };
    let says = format!("{place} {what}");
    DoctorFinding::new(code_of(place), severity, says, fix)
        .because(why)
        .at(place)
}

/// A pipe or a device in place of a file, and what `bounded` says of it.
pub(super) fn not_regular(place: &str, what: &str) -> DoctorFinding {
    let why = "go waits endlessly for a pipe, or stops there.";
    DoctorFinding::error(
        code_of(place),
        format!("{place} {what}"),
        "put the file itself there",
    )
    .because(why)
    .at(place)
}

/// A file in an encoding that editors on Windows or PowerShell's `>` write; `None`: go reads it.
pub(super) fn encoded(place: &str, bytes: &[u8]) -> Option<DoctorFinding> {
    let name = name_of(place);
    let start = bytes.get(..512).unwrap_or(bytes);
    let is_wide = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    let (says, command) = if bytes.starts_with(b"\xef\xbb\xbf") {
        let says = "begins with a byte order mark, which go takes for a part of the text";
        (
            says,
            format!("`tail -c +4 {name} >{name}.new && mv {name}.new {name}`"),
        )
    } else if is_wide || start.contains(&0) {
        let command =
            format!("iconv -f UTF-16 -t UTF-8 {name} >{name}.new && mv {name}.new {name}");
        ("is UTF-16, and go reads only UTF-8", format!("`{command}`"))
    } else {
        return None;
    };
    let plain = "save it as UTF-8 without a byte order mark";
    let fix = if cfg!(windows) {
        plain.to_owned()
    } else {
        format!("{plain}: {command}")
    };
    let why = match name {
        "go.mod" | "go.work" => "go stops with “unexpected input character”.",
        "modules.txt" => "go stops with “inconsistent vendoring”.",
        _ => "go finds no checksum in it, or stops with “malformed go.sum”.",
    };
    let finding = DoctorFinding::error(code_of(place), format!("{place} {says}"), fix);
    Some(finding.because(why).at(place))
}

/// A module below a workspace that does not use it.
pub(super) fn unused(module: &str, work: &str) -> DoctorFinding {
    let says = format!("{module} is a module that {work} does not use");
    let why = "go stops in its directory with “current directory is contained in a module that \
               is not one of the workspace modules”.";
    let fix = "run `go work use .` there, or set GOWORK=off for it";
    DoctorFinding::warning(Code::GomodInvalid, says, fix)
        .because(why)
        .at(module)
}

/// A line of go.mod or go.work that go refuses.
pub(super) fn fault(place: &str, line: usize, why: &str) -> DoctorFinding {
    let says = format!("go refuses {place}:{line}: {why}");
    let fix = "fix that line; until then no go command works in this module";
    DoctorFinding::error(Code::GomodInvalid, says, fix).at(format!("{place}:{line}"))
}

/// `replace` with a directory in a form that only Windows reads.
pub(super) fn windows_path(place: &str, replace: &Replace, from: &Path) -> DoctorFinding {
    let (line, old, folder) = (replace.line, &replace.old.path, &replace.new.path);
    let says = format!("go refuses {place}:{line}: {folder} is a Windows path");
    let fix = if folder.starts_with('.') {
        let form = file_url::form(&folder.replace('\\', "/"), from);
        format!("write `replace {old} => {form}` there, which every system reads")
    } else {
        "write where that directory is on this system: ./…, ../…, or /…".to_owned()
    };
    DoctorFinding::error(Code::GomodInvalid, says, fix)
        .because("go says “replacement directory appears to be Windows path”.")
        .at(format!("{place}:{line}"))
}

/// `replace` with a URL, and the directory that it probably means.
pub(super) fn url(
    place: &str,
    replace: &Replace,
    from: &Path,
    folder: Option<&str>,
) -> DoctorFinding {
    let (line, old) = (replace.line, &replace.old.path);
    let says = format!(
        "{place}:{line} replaces {old} with a URL, {}",
        replace.new.path
    );
    let fix = match folder {
        Some(folder) => {
            let form = file_url::form(folder, from);
            format!("write `replace {old} => {form}` there, without a version after it")
        }
        None => "write the directory: ./…, ../…, or an absolute path".to_owned(),
    };
    let why = "go takes a directory there, not a URL: every command fails with “errors parsing \
               go.mod”.";
    DoctorFinding::error(Code::ReplaceUrl, says, fix)
        .because(why)
        .at(format!("{place}:{line}"))
}

/// `replace` with a directory that is missing, or that has no go.mod.
pub(super) fn not_a_module(
    place: &str,
    replace: &Replace,
    is_folder: bool,
    is_required: bool,
) -> DoctorFinding {
    let (line, old, folder) = (replace.line, &replace.old.path, &replace.new.path);
    let (what, fix) = if is_folder {
        (
            "has no go.mod",
            "run `go mod init` there, or delete the line",
        )
    } else {
        ("does not exist", "put the module there, or delete the line")
    };
    let says = format!("{place}:{line} replaces {old} with {folder}, which {what}");
    let (severity, why) = if is_required {
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
    DoctorFinding::new(Code::ReplaceMissing, severity, says, fix)
        .because(why)
        .at(format!("{place}:{line}"))
}

/// The first go whose directives goroam does not know.
const UNKNOWN_GO: &str = "1.28";

/// What a project requires of go, and what this machine has.
pub(super) struct Toolchains {
    /// The go command on PATH: its version, without `go`.
    pub(super) has: String,
    /// The newest version that the project requires, with the place that names it.
    pub(super) wanted: Option<(String, String)>,
    /// GOTOOLCHAIN as go reads it.
    pub(super) toolchain: String,
    /// How to let go download a newer one, where GOTOOLCHAIN forbids it.
    pub(super) permit: &'static str,
}

impl Toolchains {
    /// Before 1.21 a go line downloaded nothing.
    fn fetches(&self) -> bool {
        go_version::at_least(&self.has, "1.21")
    }

    /// Whether GOTOOLCHAIN lets go download a newer go.
    fn may_fetch(&self) -> bool {
        let toolchain = self.toolchain.as_str();
        toolchain.is_empty() || toolchain == "auto" || toolchain.ends_with("+auto")
    }

    /// The go that will read the project: the one on PATH, or a newer one that it requires.
    fn reads(&self) -> &str {
        match &self.wanted {
            Some((wanted, _)) if self.fetches() && go_version::at_least(wanted, &self.has) => {
                wanted
            }
            _ => &self.has,
        }
    }

    /// Directives of a file that the go that will read it refuses.
    pub(super) fn directives(
        &self,
        place: &str,
        newcomers: &[Newcomer],
        unknown: &[At<String>],
    ) -> Vec<DoctorFinding> {
        let reads = self.reads();
        let mut found = Vec::new();
        for Newcomer { line, verb, since } in newcomers {
            if go_version::at_least(reads, since) {
                continue;
            }
            let says =
                format!("go {reads} refuses {place}:{line}: {verb} in that form needs go {since}");
            let fix = if self.fetches() && self.may_fetch() {
                format!(
                    "write `go {since}.0` in the go line, so that go downloads such a version, or \
                     delete the line"
                )
            } else {
                format!("install go {since} or newer, or delete the line")
            };
            let why =
                "go stops with “unknown directive”, “unknown block type” or “invalid go version”.";
            let finding = DoctorFinding::error(Code::GomodInvalid, says, fix).because(why);
            found.push(finding.at(format!("{place}:{line}")));
        }
        if go_version::at_least(reads, UNKNOWN_GO) {
            return found;
        }
        // git's markers are faults of the file already.
        for At { line, value, .. } in unknown.iter().filter(|one| !is_conflict_marker(&one.value)) {
            let says = format!("go {reads} refuses {place}:{line}: unknown directive {value}");
            let fix = "delete the line, or write what was meant";
            let finding = DoctorFinding::error(Code::GomodInvalid, says, fix);
            let why = "No go command works in this module until then.";
            found.push(finding.because(why).at(format!("{place}:{line}")));
        }
        found
    }

    /// The project requires a newer go: go may not download it, or has to.
    pub(super) fn newer(&self) -> Option<DoctorFinding> {
        let (version, place) = self.wanted.as_ref()?;
        let Toolchains {
            has,
            toolchain,
            permit,
            ..
        } = self;
        if go_version::at_least(has, version) || !self.fetches() {
            return None;
        }
        let says = format!("{place} requires go {version}, but PATH has go {has}");
        let finding = if self.may_fetch() {
            let fix = "download it before you go offline: `goroam mirror add --from . --toolchain`";
            let why = "go downloads the newer one through GOPROXY, which fails without a network.";
            DoctorFinding::note(Code::ToolchainFetched, says, fix).because(why)
        } else {
            let fix = format!("install go {version}, or {permit} so that go can download it");
            let why =
                format!("With GOTOOLCHAIN={toolchain} go stops and downloads no other version.");
            DoctorFinding::error(Code::GoTooOld, says, fix).because(why)
        };
        Some(finding.at(place))
    }
}

/// vendor/modules.txt with a marker of a merge conflict.
pub(super) fn conflict_in_list(place: &str) -> DoctorFinding {
    let says = format!("{place} is a conflict marker of git");
    let fix = "run `go mod vendor` (`go work vendor` in a workspace), which writes the file again";
    let why = "go stops with “inconsistent vendoring”, or builds one side of the merge.";
    DoctorFinding::error(Code::VendorOutdated, says, fix)
        .because(why)
        .at(place)
}

/// What `goroam vendor check` finds first.
pub(super) fn vendor(what: &str, fix: &str, is_refused: bool) -> DoctorFinding {
    let (severity, why) = if is_refused {
        (
            Severity::Error,
            "go refuses to build with it. `goroam vendor check` lists everything.",
        )
    } else {
        (
            Severity::Warning,
            "go builds what vendor/ has without a warning. `goroam vendor check` lists everything.",
        )
    };
    DoctorFinding::new(Code::VendorOutdated, severity, what, fix).because(why)
}

/// A module that requires others has no go.sum.
pub(super) fn no_sums(module: &str, sums: &str) -> DoctorFinding {
    let says = format!("{module} requires modules, but {sums} is missing");
    let why = "go stops with “missing go.sum entry”, and cannot verify anything offline.";
    let fix = "get it from git, or run `go mod tidy` on a network that you trust";
    DoctorFinding::warning(Code::GosumMissing, says, fix)
        .because(why)
        .at(module)
}

/// What is wrong with a go.sum. git's conflict markers belong together and are one finding.
pub(super) fn sums(place: &str, flaws: &[Flaw]) -> Vec<DoctorFinding> {
    let mut found = Vec::new();
    let mut marked = false;
    for Flaw { line, what } in flaws {
        let (says, why, fix) = match what {
            FlawKind::Conflict if marked => continue,
            FlawKind::Conflict => {
                marked = true;
                (
                    "is a conflict marker of git".to_owned(),
                    "go stops with “malformed go.sum”.",
                    "delete the markers and keep the lines of both sides; `go mod tidy` deletes \
                     those that are not needed"
                        .to_owned(),
                )
            }
            FlawKind::Fields(_) => (
                "is not a valid line of a go.sum".to_owned(),
                "go stops with “malformed go.sum: wrong number of fields”.",
                "delete that line; `go mod tidy` adds what is missing".to_owned(),
            ),
            FlawKind::NoHash(name) => (
                format!("has no complete hash of {name}"),
                "go compares with it and stops with “checksum mismatch”.",
                "delete that line; `go mod tidy` adds what is missing".to_owned(),
            ),
            FlawKind::Differs(first, name) => (
                format!("has another hash of {name} than line {first}"),
                "go compares with the first line only, and stops with “checksum mismatch” where \
                 that is the wrong one. A merge that keeps the lines of both sides does that.",
                format!(
                    "delete both lines and run `go mod tidy` on a network that you trust; then \
                     compare: the other hash belongs to a changed {name}"
                ),
            ),
        };
        let finding =
            DoctorFinding::error(Code::GosumInvalid, format!("{place}:{line} {says}"), fix);
        found.push(finding.because(why).at(format!("{place}:{line}")));
    }
    found
}
