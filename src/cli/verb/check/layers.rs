//! `goroam check --layers`: which file and line each part of the policy comes from.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cli::render::{Page, Sheet, clean, pad};
use crate::model::mask;
use crate::policy::ProfilePlace;
use crate::policy::file::Parsed;
use crate::policy::layers::{LayerKind, Origin};

/// The JSON form.
#[derive(Debug, Serialize)]
pub(super) struct Layers {
    /// The layers that are used, the highest first.
    files: Vec<LayerFile>,
    /// The keys of `[agent]`, `[fleet]` and the other sections of settings.
    settings: BTreeMap<String, Sourced>,
    targets: Vec<Named>,
    /// In the order in which they are tried.
    profiles: Vec<Rules>,
    projects: Vec<Rules>,
    /// Where each locked variable is locked.
    locked: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
struct LayerFile {
    layer: LayerKind,
    file: String,
}

/// A value as it is written, and where.
#[derive(Debug, Serialize)]
struct Sourced {
    value: String,
    #[serde(flatten)]
    origin: Origin,
}

/// A target.
#[derive(Debug, Serialize)]
struct Named {
    name: String,
    #[serde(flatten)]
    origin: Origin,
}

/// A profile or a project.
#[derive(Debug, Serialize)]
struct Rules {
    name: String,
    #[serde(flatten)]
    origin: Origin,
    env: BTreeMap<String, Sourced>,
}

impl Layers {
    /// Lists the parts of a policy; one with errors has at least its valid parts.
    pub(super) fn of(parsed: &Parsed) -> Layers {
        let (source, places) = (&parsed.source, &parsed.places);
        // Has every byte in its place.
        let hidden = mask::blot_policy(&source.text);
        let sourced = |(name, span): (&String, &std::ops::Range<usize>)| {
            let is_secret = name.starts_with("telemetry.");
            let text = if is_secret { &hidden } else { &source.text };
            let text = text.get(span.clone()).unwrap_or_default();
            let words = Vec::from_iter(text.split_whitespace());
            let value = mask::mask(&words.join(" "));
            let origin = source.origin(span.start)?;
            Some((name.clone(), Sourced { value, origin }))
        };
        let rules = |place: &ProfilePlace| {
            let name = source.text.get(place.name.clone()).unwrap_or_default();
            Some(Rules {
                name: mask::mask(name.trim_matches(['"', '\''])),
                origin: source.origin(place.name.start)?,
                env: place.env.iter().filter_map(sourced).collect(),
            })
        };
        let mut parts = Vec::from_iter(&source.parts);
        parts.sort_by_key(|part| std::cmp::Reverse(part.kind));
        let policy = parsed.policy.as_ref();
        let targets = places.targets.iter();
        let targets = targets.filter_map(|(name, span)| {
            let origin = source.origin(span.start)?;
            let name = mask::mask(name);
            Some(Named { name, origin })
        });
        Layers {
            files: Vec::from_iter(parts.into_iter().map(|part| LayerFile {
                layer: part.kind,
                file: part.name(),
            })),
            settings: places.settings.iter().filter_map(sourced).collect(),
            targets: targets.collect(),
            profiles: places.profiles.iter().filter_map(rules).collect(),
            projects: places.projects.iter().filter_map(rules).collect(),
            locked: policy
                .map(|policy| policy.locked.clone())
                .unwrap_or_default(),
        }
    }

    /// Formats them for people.
    pub(super) fn text(&self, page: &Page) -> String {
        let mut sheet = Sheet::new(page.columns);
        sheet.line("layers, the highest first:");
        for LayerFile { layer, file } in &self.files {
            sheet.line(&format!(
                "  {} {}",
                pad(layer.as_str(), COLUMNS),
                clean(file)
            ));
        }
        let settings = self.settings.iter();
        part(
            &mut sheet,
            "settings",
            settings.map(|(name, one)| row(name, one)),
        );
        let targets = self.targets.iter();
        part(
            &mut sheet,
            "targets",
            targets.map(|one| (&one.origin, one.name.clone())),
        );
        for (heading, all) in [
            (
                "profiles, in the order in which they are tried",
                &self.profiles,
            ),
            ("projects", &self.projects),
        ] {
            let rows = all.iter().flat_map(|rules| {
                let own = std::iter::once((&rules.origin, rules.name.clone()));
                let env = rules.env.iter().map(|(name, one)| row(name, one));
                own.chain(env.map(|(at, text)| (at, format!("  {text}"))))
            });
            part(&mut sheet, heading, rows);
        }
        for (name, place) in &self.locked {
            sheet.line(&format!("{} is locked by {}", clean(name), clean(place)));
        }
        sheet.finish()
    }
}

/// The widest layer and a line number: `built-in:1234`.
const COLUMNS: usize = 13;

fn row<'a>(name: &str, one: &'a Sourced) -> (&'a Origin, String) {
    (&one.origin, format!("{name} = {}", one.value))
}

/// Prints one part below its heading: places in the first column.
fn part<'a>(sheet: &mut Sheet, heading: &str, rows: impl Iterator<Item = (&'a Origin, String)>) {
    for (i, (at, text)) in rows.enumerate() {
        if i == 0 {
            sheet.line(&format!("{heading}:"));
        }
        let place = format!("{}:{}", at.layer.as_str(), at.line);
        let own = text.trim_start();
        let indent = " ".repeat(text.len() - own.len());
        let lead = format!("  {} {indent}", pad(&place, COLUMNS));
        sheet.hanging(&lead, &clean(own), lead.len());
    }
}
