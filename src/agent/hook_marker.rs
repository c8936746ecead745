//! What a hook notes in the shell's environment.

use std::collections::BTreeSet;

use crate::environment::Environment;
use crate::gomod::sum::sha256_hex;

/// The variable in which a hook notes, for shells within this one and for its next run, what
/// start-up files had exported: the hash of each value, with `-` while it is unset. With `+`, the
/// hash of what the hook itself has exported for a project.
pub const HOOK_MARKER: &str = "GOROAM_HOOK";

fn notes(env: &Environment) -> impl Iterator<Item = (&str, &str)> {
    let words = env.get(HOOK_MARKER).unwrap_or_default().split(' ');
    words.filter_map(|word| word.split_once('='))
}

/// Returns the marker's notes of start-up files: names and hashes.
pub fn hook_notes(env: &Environment) -> impl Iterator<Item = (&str, &str)> {
    notes(env).filter(|(_, hash)| !hash.starts_with('+'))
}

/// Returns the marker's notes of a project: names and hashes.
pub fn project_notes(env: &Environment) -> impl Iterator<Item = (&str, &str)> {
    notes(env).filter_map(|(name, hash)| Some((name, hash.strip_prefix('+')?)))
}

/// Returns the environment without what a hook has exported for a project: the user has not exported
/// it, and it may belong to the project of another directory.
pub fn user_env(env: Environment) -> Environment {
    let is_there = |(name, hash): &(&str, &str)| {
        env.get(name)
            .is_some_and(|value| export_hash(value) == *hash)
    };
    let found = project_notes(&env).filter(is_there);
    let found: BTreeSet<String> = found.map(|(name, _)| name.to_owned()).collect();
    if found.is_empty() {
        return env;
    }
    let all = env.all().filter(|(name, _)| !found.contains(*name));
    all.collect()
}

/// Enough to tell values from one another; the value may contain a password.
pub fn export_hash(value: &str) -> String {
    let hash = sha256_hex(value.as_bytes());
    hash.chars().take(16).collect()
}

/// Returns the variables that a hook has unset in this shell.
pub fn hooked(env: &Environment) -> BTreeSet<String> {
    let notes = hook_notes(env).filter(|(_, hash)| hash.starts_with('-'));
    notes.map(|(name, _)| name.to_owned()).collect()
}
