//! Small policies with one fault, and what is found in them.

use std::path::Path;

use goroam::policy::PolicyFinding;
use goroam::policy::file::{Parsed, PolicyLocation, parse};

/// Reads a policy, and compares with the schema for editors.
pub(crate) fn read(text: &str) -> Parsed {
    let parsed = parsed(text);
    crate::schema::agrees(text, &parsed);
    parsed
}

pub(crate) fn parsed(text: &str) -> Parsed {
    let place = PolicyLocation {
        folder: Path::new("/etc/goroam"),
        home: Some(Path::new("/home/me")),
    };
    parse(text, place)
}

/// Code and place of every finding, the place as the text that stands there.
pub(crate) fn found(text: &str) -> Vec<(&'static str, String)> {
    let place = |finding: &PolicyFinding| {
        let label = finding.primary.as_ref();
        label.map_or(String::new(), |label| text[label.span.clone()].to_owned())
    };
    let findings = read(text).findings;
    findings
        .iter()
        .map(|finding| (finding.code, place(finding)))
        .collect()
}

/// A whole policy around some targets and a condition of its first profile.
pub(crate) fn policy(targets: &str, when: &str) -> String {
    format!(
        "version = 1\n[target.proxy]\ngoproxy = \"https://proxy.golang.org\"\n{targets}\n\
         [[profile]]\nname = \"first\"\nwhen = {when}\n[[profile]]\nname = \"last\"\n"
    )
}

pub(crate) fn with_env(env: &str) -> String {
    format!("version = 1\n[[profile]]\nname = \"only\"\nenv = {{ {env} }}\n")
}

pub(crate) fn with_target(body: &str) -> String {
    policy(
        &format!("[target.t]\n{body}"),
        "{ all = [{ up = \"t\" }, { up = \"proxy\" }] }",
    )
}

#[track_caller]
pub(crate) fn one(text: &str, code: &str, place: &str) -> PolicyFinding {
    assert_eq!(
        found(text),
        [(code, place.to_owned())].map(|(c, p)| (leak(c), p)),
        "{text}"
    );
    read(text).findings.remove(0)
}

pub(crate) fn leak(code: &str) -> &'static str {
    Box::leak(code.to_owned().into_boxed_str())
}
