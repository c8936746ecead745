//! How the service is, and what was done to it.

use std::path::Path;

use serde::Serialize;

use super::page::Page;
use super::style::{BOLD, DIM, GOOD, ODD, paint};
use super::text::{Sheet, clean, pad};
use crate::service::ServiceState;

/// The first column's width: "program" and "login" fit.
const NAME_COLUMNS: usize = 7;

/// How the service is, for a person and, with all its fields beside one another, for scripts.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct ServiceView<'a> {
    /// What the service manager says.
    #[serde(flatten)]
    pub(in crate::cli) state: &'a ServiceState,
    /// Does an agent answer on the socket? It need not be the service's.
    pub(in crate::cli) answers: bool,
    /// The version of the agent that answers.
    pub(in crate::cli) agent_version: Option<String>,
    /// The version of this program.
    pub(in crate::cli) version: &'static str,
    /// Does it go on after the last logout? Null: not so here, or not known.
    pub(in crate::cli) lingers: Option<bool>,
}

/// A step that was carried out.
pub(in crate::cli) fn service_step(done: &str, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    sheet.entry("  ", 2, &clean(done), 4);
    sheet.finish()
}

/// How it is.
pub(in crate::cli) fn service(view: &ServiceView<'_>, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    let state = view.state;
    let Some(installed) = &state.installed else {
        sheet.line(&format!(
            "{} {}",
            paint(DIM, "○"),
            paint(BOLD, "not installed")
        ));
        if state.troubles.is_empty() {
            let way = "`goroam service install` has it start at every login";
            sheet.entry("  ", 2, way, 2);
        }
        for trouble in &state.troubles {
            sheet.entry(&format!("{} ", paint(ODD, "!")), 2, &clean(trouble), 2);
        }
        if view.answers {
            sheet.entry(
                "  ",
                2,
                "an agent that somebody else has started answers",
                2,
            );
        }
        return sheet.finish();
    };
    let symbol = match state.pid {
        Some(_) => paint(GOOD, "●"),
        None => paint(DIM, "○"),
    };
    sheet.line(&format!(
        "{symbol} {} · {}",
        paint(BOLD, &clean(&state.word)),
        clean(&state.kind)
    ));
    let login = match (state.enabled, view.lingers) {
        (false, _) => "not started",
        (true, Some(true)) => "started, at boot even (linger); stays after logout",
        (true, Some(false)) => "started; ends with the last logout",
        (true, None) => "started",
    };
    let program = state.program.as_deref().map(Path::display);
    let agent = match (&view.agent_version, view.answers) {
        (Some(version), _) => format!("answers, version {}", clean(version)),
        (None, true) => "answers, an older version".to_owned(),
        (None, false) => "does not answer".to_owned(),
    };
    let rows = [
        ("login", Some(login.to_owned())),
        ("agent", Some(agent)),
        ("process", state.pid.map(|pid| pid.to_string())),
        (
            "program",
            program.map(|program| clean(&program.to_string())),
        ),
        ("unit", Some(clean(installed))),
    ];
    for (name, value) in rows {
        let Some(value) = value else { continue };
        let lead = format!("  {} ", paint(DIM, &pad(name, NAME_COLUMNS)));
        sheet.entry(&lead, NAME_COLUMNS + 3, &value, NAME_COLUMNS + 3);
    }
    for trouble in troubles(view) {
        sheet.entry(&format!("{} ", paint(ODD, "!")), 2, &trouble, 2);
    }
    sheet.finish()
}

fn troubles(view: &ServiceView<'_>) -> Vec<String> {
    let mut troubles: Vec<String> = view.state.troubles.iter().map(|line| clean(line)).collect();
    if view.answers && view.state.pid.is_none() {
        troubles.push(
            "the agent that answers is not the service's; goroam service install takes over"
                .to_owned(),
        );
    }
    if !view.answers && view.state.pid.is_some() {
        troubles.push("it runs but does not answer; see: goroam service logs".to_owned());
    }
    if let Some(version) = &view.agent_version
        && version != view.version
    {
        troubles.push(format!(
            "the agent is {}, this is {}; goroam service restart",
            clean(version),
            view.version
        ));
    }
    troubles
}

#[cfg(test)]
mod tests {
    use super::{ServiceView, service};
    use crate::cli::render::fixtures::page;
    use crate::service::ServiceState;

    fn state() -> ServiceState {
        ServiceState {
            kind: "systemd user unit goroam.service".to_owned(),
            installed: Some("/usr/lib/systemd/user/goroam.service".to_owned()),
            enabled: true,
            pid: Some(4711),
            program: Some("/usr/bin/goroam".into()),
            word: "active (running)".to_owned(),
            troubles: Vec::new(),
        }
    }

    fn view(state: &ServiceState) -> ServiceView<'_> {
        ServiceView {
            state,
            answers: true,
            agent_version: Some("0.1.0".to_owned()),
            version: "0.1.0",
            lingers: Some(false),
        }
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_service_that_is_well_reads_in_six_lines() {
        let text = plain(&service(&view(&state()), &page()));
        let expected = "\
● active (running) · systemd user unit goroam.service
  login   started; ends with the last logout
  agent   answers, version 0.1.0
  process 4711
  program /usr/bin/goroam
  unit    /usr/lib/systemd/user/goroam.service
";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_is_wrong_is_told_with_the_way_out() {
        let mut state = state();
        state.pid = None;
        state.troubles.push("it has failed\u{1b}[2J".to_owned());
        let mut view = view(&state);
        view.version = "0.2.0";
        let text = plain(&service(&view, &page()));
        assert!(text.contains("! it has failed\u{fffd}[2J\n"), "{text}");
        assert!(text.contains("not the service's"), "{text}");
        assert!(text.contains("the agent is 0.1.0, this is 0.2.0; goroam service restart"));
        state.installed = None;
        let view = ServiceView {
            answers: false,
            ..self::view(&state)
        };
        let text = plain(&service(&view, &page()));
        assert_eq!(text, "○ not installed\n! it has failed\u{fffd}[2J\n");
        let nothing = ServiceState::default();
        let view = ServiceView {
            answers: false,
            ..self::view(&nothing)
        };
        let text = plain(&service(&view, &page()));
        assert!(text.contains("`goroam service install` has it"), "{text}");
    }
}
