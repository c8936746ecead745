//! Formats the status: the profile, the network, the variables, the targets, and the notes.

use std::collections::BTreeSet;

use anstyle::Style;

use super::page::Page;
use super::style::{BAD, BOLD, DIM, GOOD, Mark, ODD, paint};
use super::text::{Sheet, clean, pad, width};
use crate::model::status::{
    AgentState, FleetStatus, NetworkStatus, RelayStatus, Status, TargetStatus,
};
use crate::model::text::duration;
use crate::model::{Portal, Verdict, plural};

/// The first column's width in the block of variables: "network" and most names fit.
const NAME_COLUMNS: usize = 9;

/// Formats the whole status.
pub(in crate::cli) fn status(status: &Status, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    head(&mut sheet, status, page);
    let variables = variables(status);
    let columns = variables.iter().map(|variable| width(&variable.name));
    let columns = columns.fold(NAME_COLUMNS, usize::max);
    let rows = [
        ("network", Some(network(&status.network))),
        ("why", status.why.as_deref().map(clean)),
        ("from", status.from.as_deref().map(clean)),
        ("relay", status.relay.as_ref().map(relay)),
        ("mirror", ready(status, page)),
        (
            "fleet",
            status.fleet.as_ref().map(|fleet| self::fleet(fleet, page)),
        ),
        ("telemetry", telemetry(status, page)),
    ];
    for (name, text) in rows {
        if let Some(text) = text {
            sheet.row(name, columns, &text);
        }
    }
    for variable in &variables {
        print_variable(&mut sheet, variable, columns);
    }
    if !status.targets.is_empty() {
        sheet.gap();
        targets(&mut sheet, &status.targets);
    }
    let notes = notes(status);
    if !notes.is_empty() {
        sheet.gap();
    }
    for note in notes {
        sheet.marked(Mark::Odd, &note);
    }
    sheet.finish()
}

/// Formats the profile for a prompt: `office`, `office*` if it was chosen by hand, `office!` if
/// something is wrong. Empty before the first turn.
pub(in crate::cli) fn segment(status: &Status) -> String {
    let Some(profile) = &status.profile else {
        return String::new();
    };
    let is_wrong = !status.troubles.is_empty()
        || !status.shadowed.is_empty()
        || Portal::among(&status.targets, status.tier).is_some();
    let marks = [(status.pinned.is_some(), "*"), (is_wrong, "!")];
    let marks = marks
        .into_iter()
        .filter(|(is_so, _)| *is_so)
        .map(|(_, mark)| mark);
    let profile = if status.paused {
        "paused".to_owned()
    } else {
        clean(profile)
    };
    profile + &marks.collect::<String>()
}

/// Formats the agent's relay: "open: 48 requests, 3 after a fail-over".
fn relay(relay: &RelayStatus) -> String {
    let Some(form) = &relay.form else {
        return "not used: the chain names no proxy".to_owned();
    };
    let mut text = format!("{}: {}", clean(form), plural(relay.requests, "request"));
    if relay.fail_overs > 0 {
        text.push_str(&format!(", {} after a fail-over", relay.fail_overs));
    }
    if relay.incidents > 0 {
        let files = plural(relay.incidents, "file");
        text.push_str(&format!(", {files} with wrong content"));
    }
    if relay.stale > 0 {
        let lists = plural(relay.stale, "list");
        text.push_str(&format!(", {lists} of versions that may be old"));
    }
    if relay.kept > 0 {
        let versions = plural(relay.kept, "version");
        text.push_str(&format!(", {versions} kept in the mirror"));
    }
    if let Some(why) = &relay.not_kept {
        text.push_str(&format!("; nothing more is kept: {}", clean(why)));
    }
    text
}

/// Formats the policy of the fleet: "example-corp version 42, fetched 2 h ago".
pub(in crate::cli) fn fleet(fleet: &FleetStatus, page: &Page) -> String {
    let (Some(id), Some(version)) = (&fleet.id, fleet.version) else {
        return "no policy was fetched yet".to_owned();
    };
    let mut text = format!("{} version {version}", clean(id));
    if let Some(applied) = fleet.applied.filter(|applied| *applied != version) {
        text.push_str(&format!(
            "; this machine stays with version {applied} for now"
        ));
    }
    if let Some(at) = fleet.fetched_at {
        text.push_str(&format!(", fetched {} ago", page.ago(at)));
    }
    text
}

/// Formats how ready the remembered projects are: "offline-ready 98 % (2 projects, 3 modules
/// missing), 12 min ago".
fn ready(status: &Status, page: &Page) -> Option<String> {
    let ready = status.ready.as_ref()?;
    let projects = plural(ready.projects, "project");
    let lacks = match ready.missing {
        0 => String::new(),
        n => format!(", {} missing", plural(n, "module")),
    };
    let trouble = match &ready.trouble {
        Some(why) => format!("; {}", clean(why)),
        None => String::new(),
    };
    let ago = page.ago(ready.at);
    Some(format!(
        "offline-ready {} % ({projects}{lacks}), {ago} ago{trouble}",
        ready.percent
    ))
}

/// Formats how sending to a collector goes: "sent 3 s ago; trace 5b8efff7…", "not sent: connection
/// refused; 2 turns wait".
fn telemetry(status: &Status, page: &Page) -> Option<String> {
    let telemetry = status.telemetry.as_ref()?;
    let mut text = match (&telemetry.failed, telemetry.unsent, telemetry.sent) {
        (Some(why), ..) => format!("not sent: {}", clean(why)),
        // Without an agent the reason is not known any more.
        (None, Some(since), _) => format!("not sent for {}", page.ago(since)),
        (None, None, Some(sent)) => format!("sent {} ago", page.ago(sent)),
        (None, None, None) => "on".to_owned(),
    };
    if telemetry.queued > 0 {
        text.push_str(&format!("; {} wait", plural(telemetry.queued, "turn")));
    }
    if telemetry.dropped > 0 {
        text.push_str(&format!("; {} dropped", plural(telemetry.dropped, "turn")));
    }
    if let Some(trace) = &status.trace {
        text.push_str(&format!("; trace {}", clean(trace)));
    }
    Some(text)
}

/// Formats the status in one line, for a log.
pub(in crate::cli) fn status_line(status: &Status, page: &Page) -> String {
    let mut parts = vec![match &status.profile {
        Some(profile) => clean(profile),
        None => "no profile yet".to_owned(),
    }];
    parts.push(mode(status, page));
    parts.extend(status.why.as_deref().map(clean));
    for verdict in [Verdict::Up, Verdict::Portal, Verdict::Wrong, Verdict::Down] {
        let names: Vec<String> = status
            .targets
            .iter()
            .filter(|target| target.verdict == Some(verdict))
            .map(|target| clean(&target.name))
            .collect();
        if !names.is_empty() {
            parts.push(format!("{verdict}: {}", names.join(", ")));
        }
    }
    parts.extend(notes(status).into_iter().map(|note| format!("! {note}")));
    format!("{}\n", parts.join(" · "))
}

/// Returns the notes for the user, one line each.
pub(in crate::cli) fn notes(status: &Status) -> Vec<String> {
    let portal = Portal::among(&status.targets, status.tier);
    let mut notes: Vec<String> = portal
        .map(|portal| clean(&portal.way_out(status.acting())))
        .into_iter()
        .collect();
    let fleet = status.fleet.as_ref();
    if let Some(warning) = fleet.and_then(|fleet| fleet.warning.as_ref()) {
        notes.push(format!("the fleet's policy: {}", clean(warning)));
    }
    for weakened in &status.weakened {
        notes.push(format!("verification is weakened: {}", clean(weakened)));
    }
    for shadow in &status.shadowed {
        let name = clean(&shadow.name);
        notes.push(format!(
            "{name} is also set in this shell's environment ({}), which wins over `go env -w`. \
             `unset {name}` to let goroam's value count.",
            clean(&shadow.value)
        ));
    }
    for drift in &status.drift {
        let found = match &drift.found {
            Some(found) => format!("another program set it to {}", clean(found)),
            None => "another program removed it".to_owned(),
        };
        let ended = match drift.ended.as_slice() {
            [] => String::new(),
            names => format!(
                " {}, which goroam had set beside it, is as it was before goroam.",
                clean(&names.join(", "))
            ),
        };
        notes.push(format!(
            "{}: {found}; goroam leaves it, at most until the next switch.{ended} `goroam once` sets it again.",
            clean(&drift.name)
        ));
    }
    notes.extend(status.troubles.iter().map(|trouble| clean(trouble)));
    notes
}

fn head(sheet: &mut Sheet, status: &Status, page: &Page) {
    let mode = mode(status, page);
    let symbol = match status.agent {
        AgentState::Running => paint(GOOD, "●"),
        AgentState::Stopped => paint(DIM, "○"),
    };
    let Some(profile) = status.profile.as_deref().map(clean) else {
        let rest = format!("· {mode}; `goroam once` chooses one");
        let lead = format!("{symbol} {} ", paint(BOLD, "no profile yet"));
        return sheet.hanging(&lead, &rest, 2);
    };
    let mut rest = String::new();
    if let Some(since) = status.since {
        rest = format!(" · since {} ({})", page.moment(since), page.ago(since));
    }
    if let Some(ms) = status.switched_ms {
        rest = format!("{rest}, switched in {}", duration(ms));
    }
    let used = 2 + width(&profile) + width(&rest);
    let lead = format!("{symbol} {}{rest}", paint(BOLD, &profile));
    if used + 2 + width(&mode) <= sheet.columns() {
        let space = " ".repeat(sheet.columns() - used - width(&mode));
        sheet.line(&format!("{lead}{space}{mode}"));
    } else {
        sheet.line(&lead);
        sheet.entry("  ", &mode);
    }
}

/// Formats who chooses the profile: the agent, the user, or neither.
pub(in crate::cli) fn mode(status: &Status, page: &Page) -> String {
    let agent = match status.agent {
        AgentState::Running => None,
        AgentState::Stopped => Some("no agent is running"),
    };
    let hand = status.pinned.as_ref().map(|pinned| match pinned.until {
        Some(until) => format!("{} until {}", clean(&pinned.by_hand()), page.moment(until)),
        None => clean(&pinned.by_hand()),
    });
    match (hand, agent) {
        (Some(hand), Some(agent)) => format!("{hand}; {agent}"),
        (Some(hand), None) => hand,
        (None, Some(agent)) => agent.to_owned(),
        (None, None) if status.provisional => "provisional".to_owned(),
        (None, None) => "automatic".to_owned(),
    }
}

pub(in crate::cli) fn network(network: &NetworkStatus) -> String {
    let mut parts = Vec::new();
    for route in &network.default_routes {
        let name = clean(&route.link);
        let link = network.links.iter().find(|link| link.name == route.link);
        let mut kind = link.map(|link| link.kind.clone()).unwrap_or_default();
        if let Some(ssid) = link.and_then(|link| link.ssid.as_deref()) {
            kind = format!("{kind} “{}”", clean(ssid));
        }
        let kind = if kind.is_empty() {
            kind
        } else {
            format!(" ({kind})")
        };
        let via = match &route.gateway {
            Some(gateway) => format!(" via {}", clean(gateway)),
            None => String::new(),
        };
        parts.push(format!("{name}{kind}{via}"));
    }
    if parts.is_empty() {
        parts.push("no default route".to_owned());
    }
    if !network.dns.servers.is_empty() {
        let servers: Vec<String> = network
            .dns
            .servers
            .iter()
            .map(ToString::to_string)
            .collect();
        parts.push(format!("dns {}", servers.join(", ")));
    }
    parts.extend(network.dns.search.iter().map(|domain| clean(domain)));
    parts.join(" · ")
}

/// A managed variable.
#[derive(Debug)]
pub(super) struct Variable {
    pub(super) name: String,
    /// Its value, or that it has none.
    pub(super) value: String,
    /// Its value before goroam, if that differs: "was direct".
    pub(super) was: Option<String>,
}

/// Returns the managed variables by name, ready for a terminal.
pub(super) fn variables(status: &Status) -> Vec<Variable> {
    let names: BTreeSet<&String> = status.applied.keys().chain(status.was.keys()).collect();
    let variable = |name: &String| {
        let now = status.applied.get(name);
        let was = status.was.get(name).filter(|was| was.as_ref() != now);
        Variable {
            name: clean(name),
            value: match now.map(String::as_str) {
                None => "not set".to_owned(),
                Some("") => "(empty)".to_owned(),
                Some(value) => clean(value),
            },
            was: was.map(|was| match was {
                Some(was) => format!("was {}", clean(was)),
                None => "was not set".to_owned(),
            }),
        }
    };
    names.into_iter().map(variable).collect()
}

/// The column of "was …" after the names, if no longer text is before it.
const WAS_COLUMN: usize = 3 + 36;

fn print_variable(sheet: &mut Sheet, variable: &Variable, columns: usize) {
    let line = format!("  {} {}", pad(&variable.name, columns), variable.value);
    let Some(was) = &variable.was else {
        return sheet.line(&line);
    };
    let room = sheet.columns().saturating_sub(width(&line) + width(was));
    let wanted = (columns + WAS_COLUMN).saturating_sub(width(&line)).max(2);
    if room >= 2 {
        let space = " ".repeat(if wanted <= room { wanted } else { 2 });
        sheet.line(&format!("{line}{space}{}", paint(DIM, was)));
    } else {
        sheet.line(&line);
        sheet.styled(&" ".repeat(columns + 3), was, DIM);
    }
}

fn targets(sheet: &mut Sheet, targets: &[TargetStatus]) {
    let names = targets.iter().map(|target| width(&clean(&target.name)));
    let columns = names.fold(NAME_COLUMNS, usize::max);
    for target in targets {
        let (symbol, word, style) = verdict(target.verdict);
        let took = match target.ms.total {
            Some(ms) => duration(ms),
            None => String::new(),
        };
        let lead = format!(
            "  {} {}{took:>8}  ",
            pad(&clean(&target.name), columns),
            paint(style, &pad(&format!("{symbol} {word}"), 8)),
        );
        sheet.entry(&lead, &clean(&target.reason));
    }
}

/// Returns a symbol, a word and a style. The style is the least important.
pub(in crate::cli) fn verdict(verdict: Option<Verdict>) -> (&'static str, &'static str, Style) {
    match verdict {
        Some(Verdict::Up) => ("✓", "up", GOOD),
        Some(Verdict::Portal) => ("!", "portal", ODD),
        Some(Verdict::Wrong) => ("!", "wrong", ODD),
        Some(Verdict::Down) => ("✗", "down", BAD),
        None => ("·", "", DIM),
    }
}

#[cfg(test)]
mod tests {
    use super::{status, status_line};
    use crate::cli::render::fixtures::{office, page, plain, too_wide};
    use crate::model::status::{Drift, Pinned, Shadow, Status};

    const OFFICE: &str = "\
● office · since 09:12 (2 h 04 min), switched in 38 ms                 automatic
  network   wlan0 (wifi “corp”) via 10.20.0.1 · dns 10.20.0.53 · corp.example
  why       corp proven by its key
  GOPRIVATE git.corp.example                    was not set
  GOPROXY   https://goproxy.corp.example        was proxy.golang.org,direct
  GOSUMDB   sum.golang.org

  corp      ✓ up       12 ms  TLS pinned, v1.4.0 hash right
  proxy     ✗ down   3000 ms  10.20.0.1 answers “no route” (blocked here)
  sum       ·                 not needed
";

    #[test]
    fn an_office_reads_as_it_should() {
        let text = status(&office(), &page());
        assert_eq!(plain(&text), OFFICE);
        assert_eq!(too_wide(&text), None);
    }

    const TROUBLED: &str = "\
● office · since 09:12 (2 h 04 min), switched in 38 ms       by hand until 14:00
  network   wlan0 (wifi “corp”) via 10.20.0.1 · dns 10.20.0.53 · corp.example
  why       corp proven by its key
  GOPRIVATE git.corp.example                    was not set
  GOPROXY   https://goproxy.corp.example        was proxy.golang.org,direct
  GOSUMDB   sum.golang.org

  corp      ✓ up       12 ms  TLS pinned, v1.4.0 hash right
  proxy     ✗ down   3000 ms  10.20.0.1 answers “no route” (blocked here)
  sum       ·                 not needed

! GOPROXY is also set in this shell's environment (direct), which wins over
  `go env -w`. `unset GOPROXY` to let goroam's value count.
! GOSUMDB: another program set it to off; goroam leaves it, at most until the
  next switch. `goroam once` sets it again.
! no go\u{fffd}[2J command
";

    #[test]
    fn what_somebody_should_look_at_stands_below() {
        let mut value = office();
        value.pinned = Some(Pinned {
            name: "office".to_owned(),
            until: Some("2026-11-22T14:00:00Z".parse().unwrap()),
            ..Pinned::default()
        });
        value.shadowed.push(Shadow {
            name: "GOPROXY".to_owned(),
            value: "direct".to_owned(),
            written: None,
        });
        value.drift.push(Drift {
            name: "GOSUMDB".to_owned(),
            wrote: Some("sum.golang.org".to_owned()),
            found: Some("off".to_owned()),
            ended: Vec::new(),
        });
        value.troubles.push("no go\x1b[2J command".to_owned());
        let text = status(&value, &page());
        assert_eq!(plain(&text), TROUBLED);
        assert_eq!(too_wide(&text), None);
    }

    #[test]
    fn before_the_first_turn_it_says_what_to_do() {
        let text = status(&Status::default(), &page());
        assert_eq!(
            plain(&text),
            "○ no profile yet · no agent is running; `goroam once` chooses one\n  \
             network   no default route\n"
        );
    }

    #[test]
    fn in_a_log_it_is_one_line() {
        let line = status_line(&office(), &page());
        assert_eq!(
            line,
            "office · automatic · corp proven by its key · up: corp · down: proxy\n"
        );
    }
}
