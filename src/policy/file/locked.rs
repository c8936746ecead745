//! Reads `[policy] locked`, and finds what sets a variable although a lower layer has locked it.

use std::ops::Range;

use super::merge::Replaced;
use super::profiles::report;
use super::reader::{Reader, Section};
use crate::policy::finding::{Places, PolicyFinding, ProfilePlace};
use crate::policy::loosen;
use crate::policy::profile::{EnvValue, Policy, Profile};
use crate::policy::variables::name_fault;

/// A variable that no higher layer may set.
#[derive(Debug)]
pub(super) struct Lock {
    variable: String,
    span: Range<usize>,
}

/// Where these are unset, go takes GOPRIVATE in their place: a lock on one of them includes it, and a
/// lock on it includes them.
const STANDS_FOR: [&str; 2] = ["GONOPROXY", "GONOSUMDB"];

/// Variables whose value can get around a locked one.
const AROUND: [(&str, &[&str]); 4] = [
    (
        "GOSUMDB",
        &[
            "GO111MODULE",
            "GOFLAGS",
            "GONOSUMDB",
            "GOPRIVATE",
            "GOTOOLCHAIN",
        ],
    ),
    ("GONOSUMDB", &["GO111MODULE", "GOFLAGS", "GOTOOLCHAIN"]),
    ("GOINSECURE", &["GOFLAGS"]),
    ("GOPROXY", &["GONOPROXY", "GOPRIVATE"]),
];

impl Lock {
    /// Says how a variable's value changes what this lock protects; empty: it is the variable.
    fn broken_by(&self, variable: &str, phrase: Option<&String>) -> Option<String> {
        let own = self.variable.as_str();
        if own == variable {
            return Some(String::new());
        }
        let pair = (own, variable);
        if STANDS_FOR
            .iter()
            .any(|one| pair == (*one, "GOPRIVATE") || pair == ("GOPRIVATE", *one))
        {
            return Some(format!(
                ", and go takes GOPRIVATE where {} is unset",
                match own {
                    "GOPRIVATE" => variable,
                    _ => own,
                }
            ));
        }
        let mut around = AROUND.iter().filter(|(lock, _)| *lock == own);
        let gets_around = around.any(|(_, others)| others.contains(&variable));
        let phrase = phrase.filter(|_| gets_around)?;
        Some(format!(", and this gets around it: {phrase}"))
    }
}

/// Reads `[policy]` of one layer.
pub(super) fn locks(root: &Section<'_>) -> Vec<Lock> {
    let table = root.get("policy", "[policy] locked = [\"GOSUMDB\"]");
    let Some(table) = table.and_then(|value| value.table("`policy`")) else {
        return Vec::new();
    };
    let Some(value) = table.get("locked", "locked = [\"GOSUMDB\"]") else {
        return Vec::new();
    };
    let items = value.list("a list of go variables").unwrap_or_default();
    let lock = |name: super::reader::Text<'_>| {
        if let Some(fault) = name_fault(name.value) {
            report(fault, &name, true);
            return None;
        }
        Some(Lock {
            variable: name.value.to_owned(),
            span: name.span,
        })
    };
    let names = items.iter().filter_map(|item| item.string());
    names.filter_map(lock).collect()
}

/// Reports everything in a higher layer that changes what a lower one has locked.
pub(super) fn check(
    reader: &Reader<'_>,
    policy: &mut Policy,
    places: &Places,
    locks: &[Lock],
    replaced: &[Replaced<'_>],
) {
    let is_above = |span: &Range<usize>, lock: &Lock| reader.kind(span) > reader.kind(&lock.span);
    let projects = policy.projects.iter().map(|project| &project.rules);
    let rules = policy.profiles.iter().chain(projects);
    let rules: Vec<(&Profile, &ProfilePlace)> = rules
        .zip(places.profiles.iter().chain(&places.projects))
        .collect();
    for (rules, place) in &rules {
        let phrases = loosen::by_variable(rules, &policy.targets);
        for (variable, span) in &place.env {
            let mut above = locks.iter().filter(|lock| is_above(span, lock));
            let broken = above.find_map(|lock| {
                let how = lock.broken_by(variable, phrases.get(variable))?;
                Some((lock, how))
            });
            if let Some((lock, how)) = broken {
                reader.report(locked(reader, lock, how, span));
            }
        }
    }
    // The value of a locked variable may name a target: another target would be another value.
    for Replaced { name, node, by } in replaced {
        let url = node.get_ref().as_table().and_then(|table| {
            let url = table.get("goproxy").or(table.get("mirror"))?;
            Some(url.get_ref().as_str()?.trim_end_matches('/'))
        });
        let uses = |lock: &&Lock| {
            let below = rules.iter().filter(|(_, place)| {
                let span = place.env.get(&lock.variable);
                span.is_some_and(|span| reader.kind(span) < reader.kind(by))
            });
            is_above(by, lock)
                && below
                    .filter_map(|(rules, _)| rules.env.get(&lock.variable))
                    .any(|value| match value {
                        EnvValue::Fastest { of, .. } => of.iter().any(|one| one == name.get_ref()),
                        EnvValue::Text(text) => url.is_some_and(|url| text.contains(url)),
                    })
        };
        if let Some(lock) = locks.iter().find(uses) {
            let why = format!(", and its value uses target `{}`", name.get_ref());
            let finding = locked(reader, lock, why, by);
            reader.report(finding.related(name.span(), "the target it uses"));
        }
    }
    for lock in locks {
        let place = reader.source.place(lock.span.start);
        policy.locked.entry(lock.variable.clone()).or_insert(place);
    }
}

fn locked(reader: &Reader<'_>, lock: &Lock, why: String, span: &Range<usize>) -> PolicyFinding {
    let place = reader.source.place(lock.span.start);
    let message = format!("{} is locked by {place}{why}", lock.variable);
    PolicyFinding::error("locked", message, span.clone())
        .related(lock.span.clone(), "locked here")
        .help("take it out: only that file, and layers below it, may set it")
}
