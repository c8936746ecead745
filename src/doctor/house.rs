//! goroam's own house: file, policy, go command, agent, service.

use super::facts::{Facts, House, Service};
use super::finding::{Code, Finding, Severity};
use super::network;
use crate::model::plural;
use crate::model::status::{Drift, Status};

/// What is to be said about it.
pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let house = &facts.house;
    let mut found = Vec::new();
    if let Some(error) = &house.env_file_error {
        found.push(Finding::new(
            Code::NoEnvFile,
            Severity::Error,
            error,
            "mend that; goroam writes nothing until then",
        ));
    }
    if let Some(why) = &house.read_only {
        found.push(Finding::new(
            Code::EnvFileReadOnly,
            Severity::Error,
            format!("{why} may not be written"),
            "make it yours to write, or run goroam as the user whose it is",
        ));
    }
    if let Some(error) = &house.policy_error {
        found.push(
            Finding::new(
                Code::PolicyUnusable,
                Severity::Error,
                error,
                "run `goroam check`",
            )
            .because("Until then the policy of before, or none, is in force."),
        );
    }
    if let Some((count, path)) = &house.policy_warnings {
        let says = format!("{path} has {}", plural(*count, "warning"));
        found.push(Finding::new(
            Code::PolicyWarnings,
            Severity::Note,
            says,
            "run `goroam check`",
        ));
    }
    if let Some(error) = &house.go_error {
        found.push(Finding::new(
            Code::NoGo,
            Severity::Error,
            error,
            "install Go, or name it with `go` in [agent]",
        ));
    }
    if house.go_commands.len() > 1 {
        found.push(several(&house.go_commands));
    }
    if let Some(status) = &house.status {
        found.extend(status.drift.iter().map(drift));
        // What is a finding of its own is not told twice.
        let told = |trouble: &&String| {
            let known = house.env_file_error.as_deref().unwrap_or_default();
            let of_file =
                !known.is_empty() && (known.contains(trouble.as_str()) || trouble.contains(known));
            !of_file && !network::tells(facts, trouble)
        };
        found.extend(status.troubles.iter().filter(told).map(|trouble| {
            Finding::new(
                Code::Trouble,
                Severity::Warning,
                trouble,
                "see `goroam status`",
            )
        }));
    }
    found.extend(agent(house));
    if let Some(service) = &house.service {
        found.extend(of_service(service, house.agent));
    }
    found
}

fn several(commands: &[(String, String)]) -> Finding {
    let all: Vec<String> = commands
        .iter()
        .map(|(path, version)| format!("{path} ({version})"))
        .collect();
    let says = format!("several go commands are on PATH: {}", all.join(", "));
    Finding::new(
        Code::SeveralGo,
        Severity::Note,
        says,
        "nothing, if you know it; else take all but one off PATH",
    )
    .because("They read the same go env file, but older ones know fewer variables.")
}

fn drift(drift: &Drift) -> Finding {
    let or_none = |value: &Option<String>| match value {
        Some(value) => value.clone(),
        None => "no line".to_owned(),
    };
    let says = format!(
        "{} in the go env file was changed by somebody else: {}",
        drift.name,
        or_none(&drift.found)
    );
    let mut finding = Finding::new(
        Code::Drift,
        Severity::Warning,
        says,
        "run `goroam once` to have it set again",
    )
    .because(format!("goroam had written: {}.", or_none(&drift.wrote)));
    finding.name = Some(drift.name.clone());
    finding
}

fn agent(house: &House) -> Vec<Finding> {
    let mut found = Vec::new();
    if !house.agent {
        // A service that should run it says so itself.
        let has_service = house
            .service
            .as_ref()
            .is_some_and(|service| service.installed);
        if !has_service {
            found.push(
                Finding::new(
                    Code::NoAgent,
                    Severity::Note,
                    "no agent is running",
                    "run `goroam service install`, or `goroam agent` in a terminal",
                )
                .because("Nothing follows when the network changes."),
            );
        }
        return found;
    }
    let Some(status) = &house.status else {
        return found;
    };
    if let Some(theirs) = version_of_agent(status, &house.version) {
        found.push(
            Finding::new(
                Code::AgentOutdated,
                Severity::Warning,
                format!("the agent is goroam {theirs}, this is {}", house.version),
                "run `goroam service restart`, or start it again",
            )
            .because("It goes on as it was until it is started again."),
        );
    }
    if status.paused {
        found.push(Finding::new(
            Code::Paused,
            Severity::Note,
            "goroam is paused: it writes nothing",
            "run `goroam auto` to go on",
        ));
    }
    found
}

fn version_of_agent(status: &Status, own: &str) -> Option<String> {
    match &status.version {
        Some(version) if version == own => None,
        Some(version) => Some(version.clone()),
        None => Some("of an older version".to_owned()),
    }
}

fn of_service(service: &Service, agent: bool) -> Vec<Finding> {
    let mut found = Vec::new();
    if !service.installed {
        // An agent that somebody starts in another way needs none.
        if agent {
            found.push(Finding::new(
                Code::ServiceMissing,
                Severity::Note,
                "goroam is not started at login",
                "run `goroam service install`",
            ));
        }
        return found;
    }
    // A trouble says more of why it does not.
    if !service.running && !agent && service.troubles.is_empty() {
        let says = format!("{} is installed, but does not run", service.kind);
        found.push(
            Finding::new(
                Code::ServiceStopped,
                Severity::Warning,
                says,
                "run `goroam service start`; `goroam service logs` tells why it ended",
            )
            .because("Nothing follows when the network changes."),
        );
    }
    found.extend(service.troubles.iter().map(|trouble| {
        Finding::new(
            Code::ServiceTrouble,
            Severity::Warning,
            trouble,
            "see `goroam service status`",
        )
    }));
    found
}
