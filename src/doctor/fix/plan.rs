//! Plans fixes from findings. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::step::{commented, unset};
use crate::agent::{HOOKED, keeps_private};
use crate::doctor::cache::{CacheReport, Outcome};
use crate::doctor::facts::{DoctorFacts, Kind};
use crate::doctor::finding::{Code, DoctorFinding, Severity};
use crate::doctor::gather::short;
use crate::doctor::managers::MANAGER;
use crate::doctor::repair::{Fix, FixKind, FixOutcome, Target};
use crate::environment::Environment;
use crate::gocmd::EnvText;
use crate::model::mask;

/// Plans what goroam itself can do about findings. What is not sure stays out.
pub(super) fn plan(facts: &DoctorFacts, findings: &[DoctorFinding]) -> Vec<Fix> {
    // What a hook unsets already is a note. Lists of private modules stay: without them go would
    // show private names to public servers.
    let can_go = |one: &&DoctorFinding| {
        one.severity < Severity::Note
            && one
                .name
                .as_deref()
                .is_some_and(|name| HOOKED.contains(&name))
    };
    let of_shells = findings.iter().filter(can_go);
    let of_shells = of_shells.filter(|one| one.code == Code::ShadowedByShell);
    let names: BTreeSet<&String> = of_shells.filter_map(|one| one.name.as_ref()).collect();
    let mut fixes = Vec::new();
    for (lone, reaches) in &facts.lone {
        if !lone.names.iter().all(|name| names.contains(name)) {
            continue;
        }
        let place = format!("{}:{}", short(&lone.file, &facts.home), lone.line);
        let target = Target::Line {
            path: lone.file.clone(),
            line: lone.line,
            text: lone.text.clone(),
            shells: reaches.iter().map(|reach| shell_of(reach)).collect(),
        };
        let mut fix = Fix::new(FixKind::CommentOut, lone.names.clone(), place, target);
        let new = commented(&lone.text, &lone.names);
        let new = new.iter().map(|line| format!("+ {}", mask(line)));
        fix.changes.push(format!("- {}", mask(&lone.text)));
        fix.changes.extend(new);
        fixes.push(fix);
    }
    let passed_on = facts.seen.iter().filter(|one| one.kind == Kind::Manager);
    let is_hooked = |name: &str| HOOKED.contains(&name) && facts.written.contains_key(name);
    for one in passed_on.filter(|one| is_hooked(&one.name)) {
        let (names, place) = (vec![one.name.clone()], MANAGER.to_owned());
        let target = Target::Variable(one.name.clone());
        let mut fix = Fix::new(FixKind::UnsetInManager, names, place, target);
        let (program, args) = unset(&one.name);
        fix.changes.push(format!("$ {program} {}", args.join(" ")));
        fixes.push(fix);
    }
    for fix in &mut fixes {
        let why = fix.names.iter().find_map(|name| doubt(facts, name));
        if let Some(why) = why {
            fix.keep(why);
        }
    }
    fixes
}

/// Returns why go is better off with a variable of the environment than without it.
fn doubt(facts: &DoctorFacts, name: &str) -> Option<String> {
    if facts.line(name).is_none() {
        return Some(format!(
            "the go env file has no {name} yet: run `goroam once` first"
        ));
    }
    let lists = ["GOPRIVATE", "GONOPROXY", "GONOSUMDB"];
    let kinds = [Kind::Shell, Kind::Login, Kind::Manager, Kind::Here];
    let exported = facts.seen.iter();
    let exported = exported.filter(|one| lists.contains(&&*one.name) && kinds.contains(&one.kind));
    let (mut env, mut is_clear) = (BTreeMap::new(), true);
    for one in exported {
        let value = one.value.as_deref().unwrap_or_default();
        let known = *env.entry(one.name.as_str()).or_insert(value);
        is_clear &= one.value.is_some() && known == value;
    }
    let lines = facts.lines.iter();
    let text: String = lines
        .map(|line| format!("{}={}\n", line.name, line.value))
        .collect();
    let env: Environment = env.into_iter().collect();
    let is_safe = is_clear && keeps_private(name, &env, &EnvText(text.into_bytes()));
    (!is_safe).then(|| {
        "lists of private modules are exported, too: without it go could show private names to a \
         public server"
            .to_owned()
    })
}

/// Adds the broken entries of the module cache that can be removed.
pub fn plan_cache(fixes: &mut Vec<Fix>, report: &CacheReport) {
    for (at, broken) in report.broken.iter().enumerate() {
        if broken.outcome == Outcome::Found {
            let names = broken.module.clone().into_iter().collect();
            let (place, target) = (broken.place.clone(), Target::Cache(at));
            let mut fix = Fix::new(FixKind::RemoveFromCache, names, place, target);
            let pieces = broken.removes.iter();
            fix.changes.extend(pieces.map(|piece| format!("- {piece}")));
            fixes.push(fix);
        }
    }
}

/// Tells the findings what goroam does about them.
pub fn assign(findings: &mut [DoctorFinding], fixes: &[Fix]) {
    for finding in findings {
        let planned = fixes
            .iter()
            .filter(|fix| fix.outcome == FixOutcome::Planned);
        finding.by_goroam = { planned }.find(|fix| finding.is_fixed_by(fix)).cloned();
    }
}

/// Returns the program that can check a file with `-n`, by what the file reaches.
fn shell_of(reach: &str) -> &'static str {
    match reach.split(' ').next() {
        Some("bash") => "bash",
        Some("zsh") => "zsh",
        Some("fish") => "fish",
        _ => "sh",
    }
}
