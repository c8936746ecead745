//! Which place is the root, and which are only its echoes.

use super::facts::{Facts, Kind, Sighting};

/// Something that sets a variable, and who has it from there.
#[derive(Debug)]
pub(super) struct Cause<'f> {
    pub(super) root: &'f Sighting,
    /// This shell, the manager, programs that run.
    pub(super) echoes: Vec<&'f Sighting>,
}

impl Cause<'_> {
    /// Where it reaches, in words.
    pub(super) fn reaches(&self) -> Vec<String> {
        let mut all = self.root.reaches.clone();
        for echo in &self.echoes {
            all.push(echo.place.clone());
        }
        all
    }
}

/// Files are the cause of what the manager and this shell have, and all of them the cause of
/// what runs, where the values agree.
pub(super) fn causes(facts: &Facts) -> Vec<Cause<'_>> {
    let rank = |kind: Kind| match kind {
        Kind::Shell | Kind::Login | Kind::Registry | Kind::Folder | Kind::Editor => 0,
        Kind::Manager => 1,
        Kind::Here => 2,
        Kind::Process => 3,
    };
    let mut seen: Vec<&Sighting> = facts.seen.iter().collect();
    // A certain one is a better cause than a possible one.
    seen.sort_by_key(|one| (rank(one.kind), !one.certain, one.foreign));
    let mut causes: Vec<Cause<'_>> = Vec::new();
    for one in seen {
        let is_cause = |cause: &&mut Cause<'_>| {
            let root = cause.root;
            root.name == one.name
                && explains(root, one)
                && (root.value == one.value || (root.value.is_none() && rank(root.kind) == 0))
        };
        match causes.iter_mut().find(is_cause) {
            Some(cause) if rank(one.kind) > 0 => cause.echoes.push(one),
            Some(_) | None => causes.push(Cause {
                root: one,
                echoes: Vec::new(),
            }),
        }
    }
    causes
}

/// May the one have its value from the other?
fn explains(root: &Sighting, echo: &Sighting) -> bool {
    match (root.kind, echo.kind) {
        (_, Kind::Shell | Kind::Login | Kind::Registry | Kind::Folder | Kind::Editor) => false,
        (Kind::Shell | Kind::Login | Kind::Registry, _) => true,
        (Kind::Folder | Kind::Editor, Kind::Manager) => false,
        // Of an editor's variables a shell has those of its terminals.
        (Kind::Editor, Kind::Here) => root.place.contains("terminal"),
        (Kind::Folder | Kind::Editor, _) => true,
        (Kind::Manager, Kind::Here | Kind::Process) => true,
        (Kind::Here, Kind::Process) => true,
        // Several programs with the same old value are one finding.
        (Kind::Process, Kind::Process) => true,
        (Kind::Manager | Kind::Here | Kind::Process, _) => false,
    }
}
