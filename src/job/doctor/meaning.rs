//! Variables that goroam does not set, but that change what its settings mean.

use super::cause::Cause;
use super::facts::Facts;
use super::finding::{Code, Finding, Severity};
use super::words;

/// Variables that change the meaning of the others.
pub(super) const NAMES: [&str; 5] = ["GOENV", "GOFLAGS", "GOROOT", "GO111MODULE", "GOTOOLCHAIN"];

/// `None`: nothing to say about it.
pub(super) fn judge(facts: &Facts, cause: &Cause<'_>) -> Option<Finding> {
    let value = cause.root.value.as_deref();
    let (code, severity, why) = match (cause.root.name.as_str(), value) {
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
        ("GOFLAGS", Some(flags)) if has_flag(flags, "insecure") => (
            Code::GoflagsInsecure,
            Severity::Note,
            "That flag does nothing any more, and `go get` refuses it: GOINSECURE took its \
             place."
                .to_owned(),
        ),
        ("GOFLAGS", Some(flags)) if has_flag(flags, "mod") => (
            Code::GoflagsMod,
            Severity::Note,
            "It holds for every module: -mod=vendor fails where there is no vendor folder, \
             -mod=mod changes go.mod on the way."
                .to_owned(),
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
    Some(Finding {
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
    })
}

/// `-mod=vendor`, `--mod vendor`
pub(super) fn has_flag(flags: &str, name: &str) -> bool {
    flags.split_whitespace().any(|flag| {
        let flag = flag.trim_matches(['"', '\'']).trim_start_matches('-');
        flag == name || flag.starts_with(&format!("{name}="))
    })
}
