//! Reads `[[project]]`.

use std::path::Path;

use super::profiles::{self, Targets, report};
use super::reader::{Section, Text};
use super::target::too_many;
use super::values::expand_path;
use crate::model::Patterns;
use crate::policy::finding::{PolicyFinding, ProfilePlace, quoted};
use crate::policy::grammar;
use crate::policy::profile::{Condition, EnvValue, Profile, Project, ProjectPlace, references};

const KEYS: [&str; 4] = ["dir", "match", "env", "accept_unauthenticated"];

/// The maximum number of projects: each is checked beside each profile.
const MOST: usize = 64;

const EXAMPLE: &str = "dir = \"~/oss\", or match = \"git.corp.example/*\"";

/// Reads all projects, with their places; those without a valid place are left out.
pub(super) fn projects(root: &Section<'_>, targets: &Targets) -> Vec<(Project, ProfilePlace)> {
    let Some(value) = root.get("project", "[[project]] dir = \"~/oss\"") else {
        return Vec::new();
    };
    let items = value.list("a list: write [[project]]").unwrap_or_default();
    if let Some(one_more) = items.get(MOST) {
        root.reader
            .report(too_many(MOST, "projects", one_more.span()));
    }
    let items = items.iter().take(MOST);
    items
        .filter_map(|item| project(&item.table("a project")?, targets))
        .collect()
}

fn project(table: &Section<'_>, targets: &Targets) -> Option<(Project, ProfilePlace)> {
    table.only(&KEYS);
    let mut place = ProfilePlace {
        name: table.span.clone(),
        accept: table.key_value_span("accept_unauthenticated"),
        ..ProfilePlace::default()
    };
    let found = holds(table, &mut place);
    let mut env = profiles::env(table, targets, &mut place, true);
    env.retain(|name, value| is_fixed(table, name, value, &place));
    let (name, holds) = found?;
    let rules = Profile {
        name,
        when: Condition::Always,
        accept_unauthenticated: table.boolean("accept_unauthenticated").unwrap_or(false),
        keep_ready: false,
        fleet: false,
        env,
        loosens: Vec::new(),
        over: None,
    };
    let place_of_project = Project {
        place: holds,
        rules,
    };
    Some((place_of_project, place))
}

/// Reads `dir` or `match`: exactly one.
fn holds(table: &Section<'_>, place: &mut ProfilePlace) -> Option<(String, ProjectPlace)> {
    let dir = table.get("dir", "dir = \"~/oss\"");
    let matching = table.get("match", "match = \"git.corp.example/*\"");
    let value = match (&dir, &matching) {
        (Some(value), None) | (None, Some(value)) => value,
        (Some(dir), Some(matching)) => {
            let finding = matching.error("several-conditions", "a project has one place");
            let finding = finding.related(dir.span(), "the first one");
            return table
                .reader
                .refuse(finding.help("write two projects, or take one of the two out"));
        }
        (None, None) => {
            let (span, message) = (table.span.clone(), "this project has no place");
            let finding = PolicyFinding::error("missing-key", message, span);
            return table.reader.refuse(finding.help(EXAMPLE));
        }
    };
    let text = value.string()?;
    place.name = text.span.clone();
    let found = match dir {
        Some(_) => directory(&text)?,
        None => patterns(&text)?,
    };
    Some((text.value.to_owned(), found))
}

fn directory(text: &Text<'_>) -> Option<ProjectPlace> {
    let value = text.value;
    if !value.starts_with(['~', '/']) && !value.starts_with("${") && !Path::new(value).is_absolute()
    {
        let message = format!("{} is not an absolute path", quoted(value));
        return text.refuse("bad-path", message, "for example: dir = \"~/oss\"");
    }
    if value.contains('*') {
        let message = "`dir` takes no pattern";
        let help = "it names one directory, and holds in all below it, too";
        return text.refuse("bad-path", message, help);
    }
    expand_path(text).map(ProjectPlace::Dir)
}

fn patterns(text: &Text<'_>) -> Option<ProjectPlace> {
    let patterns = Patterns::parse(text.value);
    if patterns.globs().is_empty() {
        return text.refuse(
            "bad-pattern",
            "`match` names no module",
            "for example: match = \"git.corp.example/*\", as in GOPRIVATE",
        );
    }
    for fault in grammar::patterns("match", text.value) {
        report(fault, text, true);
    }
    Some(ProjectPlace::Match(patterns))
}

/// Reports whether a value can be known without asking go: a shell sets it when it enters the
/// directory.
fn is_fixed(table: &Section<'_>, name: &str, value: &EnvValue, place: &ProfilePlace) -> bool {
    let span = place.env.get(name).unwrap_or(&place.name).clone();
    let error = |code, message: String, help: &str| {
        let finding = PolicyFinding::error(code, message, span.clone());
        table.reader.report(finding.help(help));
        false
    };
    let EnvValue::Text(text) = value else {
        let message = "a project cannot have a `fastest`".to_owned();
        return error(
            "bad-value",
            message,
            "write one list; profiles follow the network",
        );
    };
    if text.is_empty() {
        let message = format!("an empty {name} in the environment counts as unset for go");
        return error(
            "empty-value",
            message,
            "for a list of hosts, `none` names no module",
        );
    }
    let mut names = references(text);
    match names.find(|name| !matches!(*name, "HOME" | "MIRROR")) {
        Some(other) => {
            let message = format!(
                "{} has no value in a project",
                quoted(&format!("${{{other}}}"))
            );
            let help = "only `${HOME}` and `${MIRROR}` stand for something here";
            error("bad-reference", message, help)
        }
        None => true,
    }
}
