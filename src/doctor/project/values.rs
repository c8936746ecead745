//! Values of go's variables that cannot work, that harm, or that nothing reads. Pure.

use super::super::cause::{Cause, causes};
use super::super::facts::{Facts, Kind, Scope, Stop};
use super::super::finding::{Code, Finding, Severity};
use super::super::meaning::has_flag;
use super::super::words;
use super::local;
use super::seen::Line;
use crate::model::lookalike;
use crate::model::pattern_fault;
use crate::model::pattern_scope::public_as_shown;
use crate::model::{Chain, PatternFault};

/// Variables that are looked for, besides those that the policy manages.
pub(in super::super) const NAMES: [&str; 7] = [
    "GOPROXY",
    "GOPRIVATE",
    "GONOPROXY",
    "GOINSECURE",
    "GONOSUMDB",
    "GONOSUMCHECK",
    "GONOVERIFY",
];

/// What is to be said about values, wherever they are set.
pub(in super::super) fn judge(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for cause in causes(facts) {
        let Some(value) = &cause.root.value else {
            continue;
        };
        let place = cause.root.place.as_str();
        let name = cause.root.name.as_str();
        let stops = facts
            .stops
            .iter()
            .filter(|stop| !stop.in_file && stop.name == name && stop.value == *value);
        let mut here: Vec<Finding> = stops.map(|stop| refused(stop, place)).collect();
        here.extend(of_value(facts, name, value, place));
        here.extend(of_patterns(name, value, place));
        for mut finding in here {
            finding.reaches = cause.reaches();
            // The way out is where the value comes from.
            finding.mend = if finding.mend.is_empty() {
                words::mend(&cause)
            } else {
                finding.mend
            };
            if !is_sure(&cause) {
                finding.severity = finding.severity.max(Severity::Warning);
            }
            found.push(finding);
        }
    }
    for line in &facts.lines {
        let stops = facts.stops.iter();
        let stops = stops.filter(|stop| stop.in_file && stop.name == line.name);
        let mut here: Vec<Finding> = stops.map(|stop| refused(stop, &line.place)).collect();
        let is_refused = !here.is_empty();
        here.extend(of_value(facts, &line.name, &line.value, &line.place));
        here.extend(of_patterns(&line.name, &line.value, &line.place));
        here.extend(of_line(line, is_refused));
        for mut finding in here {
            if finding.mend.is_empty() {
                finding.mend = format!("run `go env -u {}`", line.name);
            }
            found.push(finding);
        }
    }
    found.extend(facts.ignored.iter().map(ignored));
    found.extend(facts.unwritable.iter().map(unwritable));
    found
}

/// A cache at its usual place.
fn unwritable((name, folder, why): &(String, String, String)) -> Finding {
    let (what, stops) = match name.as_str() {
        "GOCACHE" => ("build cache", "every build"),
        _ => ("module cache", "every download"),
    };
    let says = format!("go cannot write the {what}, {folder}");
    let mend = format!("give it to this user, or name another directory: `go env -w {name}=…`");
    let finding = Finding::new(Code::CacheUnwritable, Severity::Error, says, mend);
    let why = format!("{why}: that stops {stops}.");
    let mut finding = finding.because(why);
    finding.place = Some(folder.clone());
    finding
}

/// A value that go stops with. An empty `mend` for the OS environment: the place says it.
fn refused(stop: &Stop, place: &str) -> Finding {
    let Stop { name, value, .. } = stop;
    let what = match stop.scope {
        Scope::Every => "stops every go command",
        Scope::Build => "stops every build",
        Scope::Download => "stops every download",
        Scope::Install => "stops `go install`",
        Scope::Offline => "stops every go command where there is no network",
    };
    let says = match &stop.part {
        Some(part) => format!("{part} in {name}={value} in {place} {what}"),
        None => format!("{name}={value} in {place} {what}"),
    };
    let mend = match (stop.in_file, &stop.undo, stop.scope) {
        (false, ..) => String::new(),
        (true, Some(undo), _) if undo.starts_with("go env -u") => format!("run `{undo}`"),
        (true, Some(undo), _) => {
            format!("delete that line, or run `{undo}` (`go env -u {name}` alone stops as well)")
        }
        (true, None, Scope::Every) => {
            format!("delete that line; `go env -u {name}` does not take it out")
        }
        (true, None, _) => format!("run `go env -u {name}`"),
    };
    let severity = match stop.scope {
        Scope::Install | Scope::Offline => Severity::Warning,
        Scope::Every | Scope::Build | Scope::Download => Severity::Error,
    };
    let why = match form(name) {
        _ if stop.is_seen => format!("{}.", stop.says),
        "" => format!("go says: {}.", stop.says),
        form => format!("go says: {}. {form}", stop.says),
    };
    found(
        Finding::new(Code::ValueRefused, severity, says, mend).because(why),
        name,
        place,
    )
}

/// What the variable takes.
fn form(name: &str) -> &'static str {
    match name {
        "GOTOOLCHAIN" => "It takes auto, local, path, or a version as in go1.24.0.",
        "GOPATH" | "GOCACHE" | "GOMODCACHE" | "GOTMPDIR" | "GOBIN" => {
            "It takes an absolute path; the go env file knows neither ~ nor $HOME."
        }
        "GO111MODULE" => "It takes on, off or auto.",
        "GOFLAGS" => {
            "It takes flags that go knows, as -flag=value; quotes stand around a whole flag: \
             '-tags=a b'."
        }
        "GOROOT" => "go finds its own by itself.",
        "GOWORK" => "It takes off, or the absolute path of a go.work that is there.",
        "GOSUMDB" => "It takes off, sum.golang.org, or a database's verifier key.",
        "GOVCS" => "It takes pattern:list pairs with commas between, as in *:git.",
        "GOCACHEPROG" => "It takes a program, by its path or in PATH, and its arguments.",
        "GOOS" | "GOARCH" => "`go tool dist list` names the pairs that there are.",
        _ => "",
    }
}

/// What only a line of the go env file means.
fn of_line(line: &Line, is_refused: bool) -> Vec<Finding> {
    let Line { name, value, place } = line;
    let is_written = format!("{name}={value} is written in {place}, for every project");
    let one = |code, severity, why: &str, mend: String| {
        let finding = Finding::new(code, severity, is_written.clone(), mend).because(why);
        vec![found(finding, name, place)]
    };
    match name.as_str() {
        "GOFLAGS" => of_flags(name, value, place),
        "GO111MODULE" if value == "off" => one(
            Code::ModulesOff,
            Severity::Warning,
            "With it go uses no modules, so GOPROXY and the like mean nothing.",
            String::new(),
        ),
        "GOROOT" if !is_refused => one(
            Code::GorootSet,
            Severity::Note,
            "A go command of another version will then use the wrong tools; go finds its own by \
             itself.",
            "delete that line".to_owned(),
        ),
        "GOENV" | "GODEBUG" => one(
            Code::NothingReads,
            Severity::Note,
            "go reads that variable from the OS environment only.",
            "delete that line; set it where the shell starts".to_owned(),
        ),
        _ => Vec::new(),
    }
}

/// Patterns that no module path can match: go passes them over in silence.
fn of_patterns(name: &str, value: &str, place: &str) -> Vec<Finding> {
    let (severity, why) = match name {
        "GOPRIVATE" | "GONOPROXY" => (
            Severity::Error,
            "go then asks the public proxy for the private modules that were meant.",
        ),
        "GONOSUMDB" => (
            Severity::Error,
            "go then asks the checksum database about the private modules that were meant.",
        ),
        "GOINSECURE" => (
            Severity::Warning,
            "go then refuses plain http from the hosts that were meant.",
        ),
        _ => return Vec::new(),
    };
    let faults = pattern_fault::faults(value).into_iter();
    let one = |fault: PatternFault| {
        let says = format!("{name} in {place}: {fault}");
        let finding = Finding::new(Code::PatternMatchesNothing, severity, says, fault.help());
        found(finding.because(why), name, place)
    };
    faults.map(one).collect()
}

/// A line that looks like a setting, and is none to go.
fn ignored(line: &(String, String, String)) -> Finding {
    let (place, text, why) = line;
    let says = format!("{place} is passed over by go: {text}");
    let mend = "write NAME=value there, with nothing before it, or delete the line";
    let mut finding =
        Finding::new(Code::EnvLineIgnored, Severity::Warning, says, mend).because(why);
    finding.place = Some(place.clone());
    finding
}

fn is_sure(cause: &Cause<'_>) -> bool {
    let root = cause.root;
    root.certain && !root.foreign && root.kind != Kind::Process || !cause.echoes.is_empty()
}

/// An empty `mend`: the value is to go.
fn of_value(facts: &Facts, name: &str, value: &str, place: &str) -> Option<Finding> {
    let says = |what: &str| format!("{name}={value} in {place} {what}");
    let (code, severity, says, why, mend) = match name {
        "GOPROXY" => return of_proxy(facts, value, place),
        "GONOSUMDB" | "GOPRIVATE" => {
            let public = public_as_shown(value);
            let what = match public.iter().any(|glob| is_all(glob)) {
                _ if public.is_empty() => return None,
                true => "switches the checksum database off for every module".to_owned(),
                false => format!(
                    "takes public code out of what the checksum database checks: {}",
                    public.join(",")
                ),
            };
            let why = "What is not in a go.sum yet is then believed, whoever answers: a login \
                       page or a changed module can be kept in the module cache.";
            let mend = "name the private modules alone: GOPRIVATE=git.example.com/*";
            (
                Code::GonosumdbAll,
                Severity::Warning,
                says(&what),
                why.to_owned(),
                mend,
            )
        }
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
        (Ok(_), None) => {
            let mark = lookalike::in_list(value).into_iter().next()?;
            let says = format!("GOPROXY in {place}: {mark}");
            let why = "go takes it for a part of the name, so that no such host answers.";
            let finding = Finding::new(Code::GoproxyInvalid, Severity::Error, says, mark.help());
            return Some(found(finding.because(why), name, place));
        }
    };
    // Without a form to write, the value is to go, in the way that its place has for that.
    let mend = match right_form(part) {
        Some(form) => format!("write {form} in the place of {part}"),
        None => String::new(),
    };
    let why = "Every download fails with it, whatever else the list names.";
    let finding = Finding::new(Code::GoproxyInvalid, Severity::Error, says, mend);
    Some(found(finding.because(why), name, place))
}

/// The `file:///` form of a folder that was spelled in another way.
fn right_form(part: &str) -> Option<String> {
    let folder = if local::is_url(part) {
        local::folder_of(part)?
    } else {
        part.to_owned()
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
fn of_flags(name: &str, value: &str, place: &str) -> Vec<Finding> {
    let says = format!("GOFLAGS={value} is written in {place}, for every project");
    let mut faults = Vec::new();
    if has_flag(value, "mod") {
        faults.push((
            Code::GoflagsMod,
            Severity::Warning,
            "With -mod=vendor modules without a good vendor folder fail, and so do `go install \
             m@v` and `go run m@v` anywhere; -mod=mod and -mod=readonly pass vendor over and \
             want the network, and -mod=mod fails in a workspace.",
        ));
    }
    if has_flag(value, "insecure") {
        faults.push((
            Code::GoflagsInsecure,
            Severity::Note,
            "-insecure does nothing any more, and `go get` refuses it: GOINSECURE took its place.",
        ));
    }
    let mend = "run `go env -u GOFLAGS`; give the flag to single commands";
    let one = |(code, severity, why): (Code, Severity, &str)| {
        let finding = Finding::new(code, severity, says.clone(), mend).because(why);
        found(finding, name, place)
    };
    faults.into_iter().map(one).collect()
}

fn found(mut finding: Finding, name: &str, place: &str) -> Finding {
    finding.name = Some(name.to_owned());
    finding.place = Some(place.to_owned());
    finding
}
