//! `goroam probe`

use serde::Serialize;

use crate::agent::Session;
use crate::agent::error::EXIT_DONE;
use crate::cli::args::Probe;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render;
use crate::model::status::TargetStatus;
use crate::model::{Observation, Phase, Proof};

/// The JSON form: what `status` tells of a target, and what only a probe knows.
#[derive(Serialize)]
struct Report<'a> {
    targets: Vec<Probed<'a>>,
}

#[derive(Serialize)]
struct Probed<'a> {
    #[serde(flatten)]
    status: TargetStatus,
    failed: Option<Phase>,
    proof: Proof,
    definite: bool,
    tries: u32,
    portal_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caveat: Option<&'a str>,
}

/// Asks the targets and reports. That some are down is an answer, not a failure.
pub(in crate::cli) async fn run(context: &Context, args: &Probe) -> Result<u8, Failure> {
    let session = Session::open(context.config.clone(), context.env.clone())?;
    let seen = session.probe(&args.targets).await?;
    if args.format.json {
        context.out.json(&report(&seen))?;
    } else {
        context.out.text(&render::probe(&seen, &context.page))?;
    }
    Ok(EXIT_DONE)
}

fn report(seen: &[Observation]) -> Report<'_> {
    let probed = |seen: &'_ Observation| TargetStatus::new(&seen.target, Some(seen));
    Report {
        targets: seen
            .iter()
            .map(|seen| Probed {
                status: probed(seen),
                failed: seen.failed,
                proof: seen.proof,
                definite: seen.definite,
                tries: seen.tries,
                portal_url: seen.portal_url.as_deref(),
                caveat: seen.caveat.as_deref(),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::report;
    use crate::model::{Observation, Phases, Proof, Verdict};

    #[test]
    fn a_script_finds_the_names_that_status_has() {
        let seen = Observation {
            target: "corp".to_owned(),
            verdict: Verdict::Portal,
            reason: "302".to_owned(),
            failed: None,
            phases: Phases {
                dns: Some(1.5),
                ..Phases::default()
            },
            proof: Proof::None,
            definite: true,
            tries: 2,
            silent: false,
            portal_url: Some("http://login/".to_owned()),
            caveat: None,
        };
        let json = serde_json::to_value(report(&[seen])).unwrap();
        let target = &json["targets"][0];
        assert_eq!(target["name"], "corp");
        assert_eq!(target["up"], false);
        assert_eq!(target["verdict"], "portal");
        assert_eq!(target["ms"]["dns"], 1.5);
        assert_eq!(target["portal_url"], "http://login/");
    }
}
