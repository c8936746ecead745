//! Values of go's variables that cannot work, that harm, or that nothing reads. Pure.

use super::super::cause::{Cause, causes};
use super::super::facts::{Facts, Kind};
use super::super::finding::{Code, Finding, Severity};
use super::super::meaning::has_flag;
use super::super::words;
use super::local;
use crate::model::Chain;

/// Variables that are looked for, besides those that the policy manages.
pub(in super::super) const NAMES: [&str; 4] =
    ["GOPROXY", "GONOSUMDB", "GONOSUMCHECK", "GONOVERIFY"];

/// What is to be said about values, whoever sets them.
pub(in super::super) fn judge(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for cause in causes(facts) {
        let Some(value) = &cause.root.value else {
            continue;
        };
        let name = cause.root.name.as_str();
        if let Some(mut finding) = of_value(facts, name, value, &cause.root.place) {
            finding.reaches = cause.reaches();
            if finding.mend.is_empty() {
                finding.mend = words::mend(&cause);
            }
            if !is_sure(&cause) {
                finding.severity = finding.severity.max(Severity::Warning);
            }
            found.push(finding);
        }
    }
    for line in &facts.lines {
        let finding = of_value(facts, &line.name, &line.value, &line.place);
        let finding = finding.or_else(|| of_flags(&line.name, &line.value, &line.place));
        if let Some(mut finding) = finding {
            if finding.mend.is_empty() {
                finding.mend = format!("run `go env -u {}`", line.name);
            }
            found.push(finding);
        }
    }
    found
}

fn is_sure(cause: &Cause<'_>) -> bool {
    let root = cause.root;
    root.certain && !root.foreign && root.kind != Kind::Process || !cause.echoes.is_empty()
}

/// An empty `mend`: the line is to go.
fn of_value(facts: &Facts, name: &str, value: &str, place: &str) -> Option<Finding> {
    let says = |what: &str| format!("{name}={value} in {place} {what}");
    let (code, severity, says, why, mend) = match name {
        "GOPROXY" => return of_proxy(facts, value, place),
        "GONOSUMDB" if value.split(',').any(is_all) => (
            Code::GonosumdbAll,
            Severity::Warning,
            says("switches the checksum database off for every module"),
            "What is not in a go.sum yet is then believed, whoever answers: a login page or a \
             changed module can be kept in the module cache."
                .to_owned(),
            "name the private modules alone: GOPRIVATE=git.example.com/*",
        ),
        // Names that GONOSUMDB had in drafts and in advice that is older than Go 1.13.
        "GONOSUMCHECK" | "GONOVERIFY" => (
            Code::NothingReads,
            Severity::Note,
            says("has no effect: no go command reads that variable"),
            "Modules that the checksum database is not asked about are named in GOPRIVATE or \
             GONOSUMDB."
                .to_owned(),
            "",
        ),
        _ => return None,
    };
    Some(found(
        Finding::new(code, severity, says, mend).because(why),
        name,
        place,
    ))
}

/// Does this pattern match every module (`module.MatchPrefixPatterns`)? `*/*` leaves out only
/// those whose path has one element, which nobody can fetch.
fn is_all(glob: &str) -> bool {
    let mut elements = glob.trim_end_matches('/').split('/');
    elements.all(|element| !element.is_empty() && element.bytes().all(|b| b == b'*'))
}

fn of_proxy(facts: &Facts, value: &str, place: &str) -> Option<Finding> {
    let name = "GOPROXY";
    let parts = || value.split([',', '|']).map(str::trim);
    if let Some(part) = parts().find(|part| facts.build_caches.iter().any(|known| known == part)) {
        let says = format!("GOPROXY in {place} names a go build cache, {part}");
        let why = "That is GOCACHE: compiled objects, and no module. go finds nothing there.";
        let mend = match facts.module_cache.as_deref().and_then(right_form) {
            Some(form) => {
                format!("the module cache is a proxy: write {form} in the place of {part}")
            }
            None => "name the module cache's download folder in its place".to_owned(),
        };
        let finding = Finding::new(Code::GoproxyBuildCache, Severity::Error, says, mend);
        return Some(found(finding.because(why), name, place));
    }
    // go puts https:// before what has a slash and no scheme.
    let host = parts().find(|part| {
        ["~", "$", "./", "../"]
            .iter()
            .any(|start| part.starts_with(start))
    });
    let (part, says) = match (Chain::parse(value), host) {
        (Err(error), _) => {
            let (start, length) = error.at;
            let part = value.get(start..start + length).unwrap_or(value);
            (
                part,
                format!("GOPROXY in {place} is refused by go: {}", error.message),
            )
        }
        (Ok(_), Some(part)) => {
            let says = format!("GOPROXY in {place}: go takes {part} for a host, https://{part}");
            (part, says)
        }
        (Ok(_), None) => return None,
    };
    let mend = match right_form(part) {
        Some(form) => format!("write {form} in the place of {part}"),
        None => "mend or delete it; go env -u GOPROXY gives go's own default".to_owned(),
    };
    let why = "Every download fails with it, whatever else the list names.";
    let finding = Finding::new(Code::GoproxyInvalid, Severity::Error, says, mend);
    Some(found(finding.because(why), name, place))
}

/// The `file:///` form of a folder that was spelled in another way.
fn right_form(part: &str) -> Option<String> {
    let folder = match local::is_url(part) {
        true => local::folder_of(part)?,
        false => part.to_owned(),
    };
    if let Some(rest) = folder.trim_start_matches('/').strip_prefix("~/") {
        return Some(format!(
            "file://$HOME/{rest} (with your home's path in the place of $HOME)"
        ));
    }
    if folder.starts_with('/') {
        return Some(format!("file://{}", folder.replace(' ', "%20")));
    }
    let drive = folder.get(1..2) == Some(":");
    drive.then(|| format!("file:///{}", folder.replace('\\', "/")))
}

/// GOFLAGS in the go env file; in other places `meaning` judges it.
fn of_flags(name: &str, value: &str, place: &str) -> Option<Finding> {
    if name != "GOFLAGS" {
        return None;
    }
    let says = format!("GOFLAGS={value} is written in {place}, for every project");
    let (code, severity, why) = if has_flag(value, "insecure") {
        (
            Code::GoflagsInsecure,
            Severity::Note,
            "That flag does nothing any more, and `go get` refuses it: GOINSECURE took its place.",
        )
    } else if has_flag(value, "mod") {
        (
            Code::GoflagsMod,
            Severity::Warning,
            "With -mod=vendor modules without a good vendor folder fail, and so do `go install \
             m@v` and `go run m@v` anywhere; -mod=mod and -mod=readonly pass vendor over and \
             want the network, and -mod=mod fails in a workspace.",
        )
    } else {
        return None;
    };
    let mend = "run `go env -u GOFLAGS`; give the flag to single commands";
    let finding = Finding::new(code, severity, says, mend).because(why);
    Some(found(finding, name, place))
}

fn found(mut finding: Finding, name: &str, place: &str) -> Finding {
    finding.name = Some(name.to_owned());
    finding.place = Some(place.to_owned());
    finding
}
