//! Private module paths must not reach a public proxy: golang/go#37367, #32253.

use super::view::{View, note};
use crate::model::target::DEFAULT_MODULE;
use crate::model::{Hop, HopKind, Patterns, Separator, Target, TargetKind};
use crate::policy::finding::Finding;

pub(super) fn lint(view: &View<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for possible in &view.chains {
        let hops = &possible.chain.hops;
        let private: Vec<Option<&Target>> =
            hops.iter().map(|hop| view.private_target(hop)).collect();
        let is_public = |(hop, private): (&Hop, &Option<&Target>)| {
            matches!(hop.kind, HopKind::Proxy(_)) && private.is_none()
        };
        let last_public = hops.iter().zip(&private).rposition(is_public);
        for (i, (hop, target)) in hops.iter().zip(&private).enumerate() {
            let Some(target) = *target else {
                continue;
            };
            let span = view.span(possible, hop.at);
            let public = last_public.filter(|last| *last > i);
            match hop.then {
                Some(Separator::Pipe) => note(
                    &mut findings,
                    Finding::error(
                        "leak-pipe",
                        format!(
                            "when `{}` fails, go asks what stands behind `|` for your private modules",
                            target.name
                        ),
                        span,
                    )
                    .label("private: nothing may follow it with `|`")
                    .help("write `,`: go then moves on only when the module is not there (404, 410)"),
                ),
                Some(Separator::Comma) if public.is_some() && !is_covered(view, target) => note(
                    &mut findings,
                    Finding::warning(
                        "leak-comma",
                        format!(
                            "what `{}` does not have, the public proxy behind it is asked for by name",
                            target.name
                        ),
                        span,
                    )
                    .label("private, with a public proxy behind it")
                    .help(match module_of(target) {
                        Some(module) => format!("GOPRIVATE = \"{}\" keeps those names here", host_of(module)),
                        None => "name your own hosts in GOPRIVATE".to_owned(),
                    }),
                ),
                Some(Separator::Comma) | None => {}
            }
        }
    }
    // Its names also leak where it is not asked itself: when its users are elsewhere.
    let goes_out = view
        .hops()
        .any(|(_, hop)| matches!(hop.kind, HopKind::Proxy(_) | HopKind::Direct));
    for target in view
        .policy
        .targets
        .values()
        .filter(|one| goes_out && one.private)
    {
        if let Some(finding) = not_covered(view, target) {
            note(&mut findings, finding);
        }
    }
    findings
}

/// Do GONOPROXY, or else GOPRIVATE, keep the target's modules from every proxy?
fn is_covered(view: &View<'_>, target: &Target) -> bool {
    let set = |name| view.value(name).filter(|value| !value.is_empty());
    let Some(list) = set("GONOPROXY").or_else(|| set("GOPRIVATE")) else {
        return false;
    };
    // Which modules the target serves is known only where the policy names one.
    module_of(target).is_none_or(|module| Patterns::parse(list).matches(module))
}

/// GOPRIVATE is there, but not for what the target serves: names go to the checksum database.
fn not_covered(view: &View<'_>, target: &Target) -> Option<Finding> {
    let module = module_of(target)?;
    let covers = |name| {
        view.value(name)
            .is_some_and(|list| Patterns::parse(list).matches(module))
    };
    let private = view.value("GOPRIVATE")?;
    if private.is_empty()
        || covers("GOPRIVATE")
        || covers("GONOSUMDB")
        || view.value("GOSUMDB") == Some("off")
    {
        return None;
    }
    let message = format!(
        "GOPRIVATE does not cover {module}, which `{}` serves",
        target.name
    );
    Some(
        Finding::warning("private-not-covered", message, view.span_of("GOPRIVATE"))
            .label("go would look it up in the public checksum database")
            .help(format!("add {} to GOPRIVATE", host_of(module))),
    )
}

/// The module that the target is asked for, if it is one of its own.
fn module_of(target: &Target) -> Option<&str> {
    match &target.kind {
        TargetKind::GoProxy { module, .. } => {
            Some(module.as_str()).filter(|module| *module != DEFAULT_MODULE.0)
        }
        TargetKind::SumDb { .. }
        | TargetKind::Https { .. }
        | TargetKind::Icmp { .. }
        | TargetKind::Tcp { .. }
        | TargetKind::Listening { .. }
        | TargetKind::Mirror { .. } => None,
    }
}

fn host_of(module: &str) -> &str {
    module.split('/').next().unwrap_or(module)
}
