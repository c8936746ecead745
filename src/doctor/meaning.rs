//! Variables that goroam does not set, but that change what its settings mean.

use super::cause::Cause;
use super::facts::Facts;
use super::finding::{Code, Finding, Severity};
use super::words;

/// Variables that change the meaning of the others.
pub(super) const NAMES: [&str; 5] = ["GOENV", "GOFLAGS", "GOROOT", "GO111MODULE", "GOTOOLCHAIN"];

/// What is to be said about it; one value can have several faults.
pub(super) fn judge(facts: &Facts, cause: &Cause<'_>) -> Vec<Finding> {
    let meanings = meanings(facts, &cause.root.name, cause.root.value.as_deref());
    let found = |(code, severity, why): Meaning| Finding {
        code,
        // What only may be so is a warning.
        severity: if cause.root.certain || !cause.echoes.is_empty() {
            severity
        } else {
            severity.max(Severity::Warning)
        },
        name: Some(cause.root.name.clone()),
        place: Some(cause.root.place.clone()),
        says: words::says(cause.root),
        why,
        reaches: cause.reaches(),
        mend: words::mend(cause),
    };
    meanings.into_iter().map(found).collect()
}

type Meaning = (Code, Severity, String);

fn meanings(facts: &Facts, name: &str, value: Option<&str>) -> Vec<Meaning> {
    if name == "GOFLAGS" {
        return value.map(flags).unwrap_or_default();
    }
    if name == "XDG_CONFIG_HOME" {
        return value
            .and_then(|value| config_home(facts, value))
            .into_iter()
            .collect();
    }
    // What go stops with is told by its own finding.
    let stops = facts
        .stops
        .iter()
        .any(|stop| !stop.in_file && stop.name == name && Some(stop.value.as_str()) == value);
    if stops {
        Vec::new()
    } else {
        meaning(facts, name, value).into_iter().collect()
    }
}

fn meaning(facts: &Facts, name: &str, value: Option<&str>) -> Option<Meaning> {
    let (code, severity, why) = match (name, value) {
        // The same file by its name is no other one.
        ("GOENV", Some(value)) if facts.env_file.as_deref() == Some(value) => return None,
        ("GOENV", Some("off")) => (
            Code::GoenvElsewhere,
            Severity::Error,
            "With it go reads no go env file, so nothing that goroam writes counts.".to_owned(),
        ),
        // It may well be that very file.
        ("GOENV", None) => (
            Code::GoenvElsewhere,
            Severity::Warning,
            match &facts.env_file {
                Some(file) => format!("With it go may read another file than {file}."),
                None => "With it go may read another file than goroam writes.".to_owned(),
            },
        ),
        ("GOENV", Some(_)) => (
            Code::GoenvElsewhere,
            Severity::Error,
            match &facts.env_file {
                Some(file) => format!("With it go reads that file, and not {file}."),
                None => "With it go reads another file than goroam writes.".to_owned(),
            },
        ),
        ("GO111MODULE", Some("off")) => (
            Code::ModulesOff,
            Severity::Warning,
            "With it go uses no modules, so GOPROXY and the like mean nothing.".to_owned(),
        ),
        ("GOROOT", _) => (
            Code::GorootSet,
            Severity::Note,
            "A go command of another version will then use the wrong tools; go finds its own \
             by itself."
                .to_owned(),
        ),
        ("GOTOOLCHAIN", _) => (
            Code::ToolchainSet,
            Severity::Note,
            "It decides whether go fetches newer versions of itself, through GOPROXY.".to_owned(),
        ),
        _ => return None,
    };
    Some((code, severity, why))
}

/// Each of the flags that do harm.
pub(super) fn flags(value: &str) -> Vec<Meaning> {
    let mut found = Vec::new();
    if has_flag(value, "insecure") {
        found.push((
            Code::GoflagsInsecure,
            Severity::Note,
            "-insecure does nothing any more, and `go get` refuses it: GOINSECURE took its place."
                .to_owned(),
        ));
    }
    if has_flag(value, "mod") {
        found.push((
            Code::GoflagsMod,
            Severity::Note,
            "-mod holds for every module: -mod=vendor fails where there is no vendor folder, \
             -mod=mod changes go.mod on the way."
                .to_owned(),
        ));
    }
    found
}

/// `os.UserConfigDir`: with another folder there, go reads another go env file.
fn config_home(facts: &Facts, value: &str) -> Option<Meaning> {
    // macOS and Windows have folders of their own.
    if cfg!(windows) || cfg!(target_vendor = "apple") || value.is_empty() {
        return None;
    }
    let folder = std::path::Path::new(value);
    let file = folder.join("go/env");
    let own = facts.env_file.as_deref();
    if own.is_some_and(|own| std::path::Path::new(own) == file) {
        return None;
    }
    // GOENV names a file of its own, whatever the folder.
    let has_goenv = facts.seen.iter().any(|one| one.name == "GOENV");
    let own = own.unwrap_or("the file that goroam writes");
    let why = if folder.is_absolute() {
        format!(
            "With it go reads {}, and not {own}: what goroam writes does not count there. The \
             same variable for the agent, or GOENV={own} beside it, brings both together.",
            file.display()
        )
    } else {
        format!(
            "It is relative: go takes that for an error, and reads no go env file, also not {own}."
        )
    };
    let severity = if has_goenv {
        Severity::Warning
    } else {
        Severity::Error
    };
    Some((Code::GoenvElsewhere, severity, why))
}

/// `-mod=vendor`, `--mod vendor`
pub(super) fn has_flag(flags: &str, name: &str) -> bool {
    flags.split_whitespace().any(|flag| {
        let flag = flag.trim_matches(['"', '\'']).trim_start_matches('-');
        flag == name || flag.starts_with(&format!("{name}="))
    })
}
