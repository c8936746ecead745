//! `goroam probe`

use crate::agent::Session;
use crate::agent::error::EXIT_DONE;
use crate::cli::args::Json;
use crate::cli::render::{BAD, BOLD, GOOD, Mark, ODD, Page, Sheet, clean, duration, paint, width};
use crate::cli::{Context, Failure};
use crate::model::status::{AgentState, TargetStatus};
use crate::model::{Observation, Phase, Portal, Proof, Speed, Verdict};
use crate::policy::sort_by_speed;
use anstyle::Style;
use clap::Args;
use serde::Serialize;

/// `goroam probe`
#[derive(Debug, Clone, Args)]
pub struct Probe {
    /// Targets, mirrors (cn, io, aliyun, google) or URLs [default: all targets]
    #[arg(value_name = "TARGET|URL")]
    pub targets: Vec<String>,
    /// Measure each proxy with a small zip, and sort by the result
    #[arg(long)]
    pub speed: bool,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// The JSON form: what `status` shows of a target, and what only a probe finds.
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
    #[serde(skip_serializing_if = "Option::is_none")]
    caveat: Option<&'a str>,
    speed: Option<Measured>,
}

#[derive(Serialize)]
struct Measured {
    #[serde(flatten)]
    speed: Speed,
    /// Milliseconds that a typical module would take.
    expected_ms: f64,
}

/// Probes the targets and reports the results. A target that is down is a result, not a failure.
pub(in crate::cli) async fn run(context: &Context, args: &Probe) -> Result<u8, Failure> {
    let session = Session::open(context.config.clone(), context.env.clone())?;
    let policy = &session.loaded.policy;
    // A user who names a proxy that the policy does not have compares it with others.
    let is_foreign = |name| !policy.targets.contains_key(name);
    let targets = session.to_probe(&args.targets, args.speed)?;
    let speed = args.speed || args.targets.iter().any(is_foreign);
    let (progress, meter) = context.progress("probing");
    let mut seen = session.probe(&targets, speed, &meter).await;
    drop(progress);
    let locals = targets.iter().filter(|target| target.is_local());
    let locals: Vec<&str> = locals.map(|target| target.name.as_str()).collect();
    if speed {
        sort_by_speed(&mut seen, |name| locals.contains(&name));
    }
    let report = report(&seen, |name| locals.contains(&name));
    let agent = session.agent_state();
    context.show(args.format.json, &report, |_, page| match speed {
        true => speeds(&seen, agent, page),
        false => probe(&seen, agent, page),
    })?;
    Ok(EXIT_DONE)
}

fn report(seen: &[Observation], is_local: impl Fn(&str) -> bool) -> Report<'_> {
    let probed = |seen: &'_ Observation| TargetStatus {
        local: is_local(&seen.target),
        ..TargetStatus::new(&seen.target, Some(seen))
    };
    Report {
        targets: seen
            .iter()
            .map(|seen| Probed {
                status: probed(seen),
                failed: seen.failed,
                proof: seen.proof,
                definite: seen.definite,
                tries: seen.tries,
                caveat: seen.caveat.as_deref(),
                speed: seen.speed.map(|speed| Measured {
                    speed,
                    expected_ms: speed.expected_ms(),
                }),
            })
            .collect(),
    }
}

const HEADINGS: [&str; 6] = ["", "verdict", "dns", "connect", "tls", "first byte"];

/// Formats a row for each target, milliseconds by phase, and what to do about a login page.
pub(in crate::cli) fn probe(seen: &[Observation], agent: AgentState, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    if seen.is_empty() {
        sheet.paragraph("The policy has no targets.");
        return sheet.finish();
    }
    let cells = |seen: &Observation| {
        let ms = &seen.phases;
        let [name, verdict] = [clean(&seen.target), seen.verdict.to_string()];
        let [dns, connect] = [cell(ms.dns), cell(ms.connect)];
        let [tls, first_byte] = [cell(ms.tls), cell(ms.first_byte)];
        [name, verdict, dns, connect, tls, first_byte]
    };
    let rows = std::iter::once(HEADINGS.map(str::to_owned)).chain(seen.iter().map(cells));
    let rows: Vec<[String; 6]> = rows.collect();
    let widths: [usize; 6] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|row| width(&row[column]));
        cells.max().unwrap_or(0)
    });
    // The proof is to the right of the columns that are compared down the page.
    let columns = widths.iter().map(|width| width + 2).sum();
    let room = page.columns.saturating_sub(columns);
    for (at, row) in rows.iter().enumerate() {
        let Some(seen) = at.checked_sub(1).and_then(|at| seen.get(at)) else {
            let heading = lead(row, widths, [Style::new(); 2]);
            sheet.line(&format!("{heading}what it proved"));
            continue;
        };
        let style = style(seen.verdict);
        let mut reason = clean(&seen.reason);
        if let Some(speed) = seen.speed {
            reason += &format!("; {}", rate(speed.bytes_per_second));
        }
        // A URL that is too long for its column starts on a new line.
        let fits = reason.split_whitespace().all(|word| width(word) <= room);
        let hang = if fits { columns } else { 4 };
        sheet.hanging(&lead(row, widths, [BOLD, style]), &reason, hang);
    }
    for hint in hints(seen, agent) {
        sheet.marked(Mark::Odd, &hint);
    }
    sheet.finish()
}

/// Formats a row for each proxy, the best one first, and what to do with that one.
fn speeds(seen: &[Observation], agent: AgentState, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    if seen.is_empty() {
        sheet.paragraph("The policy has no proxies that could be measured.");
        return sheet.finish();
    }
    sheet.line("verdict  first byte        rate  500 kB in  proxy");
    for seen in seen {
        let speed = seen.speed;
        let ms = |of: fn(Speed) -> f64| speed.map_or("–".to_owned(), |speed| duration(of(speed)));
        let rate = speed.map_or("–".to_owned(), |speed| rate(speed.bytes_per_second));
        let (first, whole) = (ms(|speed| speed.first_byte), ms(Speed::expected_ms));
        let verdict = seen.verdict.to_string();
        let blank = " ".repeat(7usize.saturating_sub(width(&verdict)));
        let verdict = paint(style(seen.verdict), &verdict);
        let lead = format!("{verdict}{blank}  {first:>10}  {rate:>10}  {whole:>9}  ");
        let name = clean(&seen.target);
        // The name of one that is up says all; of another one, the reason does.
        let text = match speed {
            Some(_) => name,
            None => format!("{name}: {}", clean(&seen.reason)),
        };
        sheet.hanging(&lead, &text, 4);
    }
    for hint in hints(seen, agent) {
        sheet.marked(Mark::Odd, &hint);
    }
    let best = seen.first().filter(|seen| seen.speed.is_some());
    if let Some(best) = best.filter(|_| seen.len() > 1) {
        sheet.paragraph(&format!(
            "{} is the fastest of those with the right content.",
            clean(&best.target)
        ));
    }
    sheet.finish()
}

/// Formats the columns: words are aligned left and painted, numbers right.
fn lead(row: &[String; 6], widths: [usize; 6], styles: [Style; 2]) -> String {
    let mut lead = String::new();
    for (column, (cell, wide)) in row.iter().zip(widths).enumerate() {
        let blank = " ".repeat(wide - width(cell));
        lead += &match styles.get(column) {
            Some(style) => format!("{}{blank}  ", paint(*style, cell)),
            None => format!("{blank}{cell}  "),
        };
    }
    lead
}

fn style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Up => GOOD,
        Verdict::Portal | Verdict::Wrong => ODD,
        Verdict::Down => BAD,
    }
}

/// Formats milliseconds without their unit, so that a column can be compared.
fn cell(ms: Option<f64>) -> String {
    match ms {
        Some(ms) if ms.is_finite() && ms >= 1.0 => format!("{ms:.0}"),
        Some(ms) if ms.is_finite() => "<1".to_owned(),
        Some(_) | None => "–".to_owned(),
    }
}

/// Formats bytes per second: a mirror is judged by their magnitude.
fn rate(bytes_per_second: f64) -> String {
    match bytes_per_second {
        rate if rate >= 10e6 => format!("{:.0} MB/s", rate / 1e6),
        rate if rate >= 1e6 => format!("{:.1} MB/s", rate / 1e6),
        rate => format!("{:.0} kB/s", rate / 1e3),
    }
}

fn hints(seen: &[Observation], agent: AgentState) -> Vec<String> {
    let targets = seen
        .iter()
        .map(|seen| TargetStatus::new(&seen.target, Some(seen)));
    let mut hints = Vec::new();
    if let Some(portal) = Portal::among(&targets.collect::<Vec<_>>(), None) {
        hints.push(clean(&portal.way_out(agent)));
    }
    if let Some(wrong) = seen.iter().find(|seen| seen.verdict == Verdict::Wrong) {
        hints.push(format!(
            "{} answers, but not with what go would accept: nothing is fetched from it",
            clean(&wrong.target)
        ));
    }
    hints
}

#[cfg(test)]
mod tests {
    use super::report;
    use crate::model::{Observation, Phases, Proof, Speed, Verdict};

    #[test]
    fn a_script_finds_the_names_that_status_has() {
        let seen = Observation {
            began_ms: None,
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
            speed: Some(Speed {
                first_byte: 30.0,
                bytes_per_second: 1e6,
            }),
        };
        let json = serde_json::to_value(report(&[seen], |name| name == "corp")).unwrap();
        let target = &json["targets"][0];
        assert_eq!(target["name"], "corp");
        assert_eq!(target["up"], false);
        assert_eq!(target["verdict"], "portal");
        assert_eq!(target["ms"]["dns"], 1.5);
        assert_eq!(target["portal_url"], "http://login/");
        assert_eq!(target["speed"]["bytes_per_second"], 1e6);
        assert_eq!(target["speed"]["expected_ms"], 530.0);
    }
}

#[cfg(test)]
mod printed {
    use super::{probe, speeds};
    use crate::cli::render::fixtures::{hotel, page, plain, too_wide};
    use crate::cli::render::{GOOD, paint};
    use crate::model::Speed;
    use crate::model::status::AgentState;
    use crate::policy::sort_by_speed;

    const HOTEL: &str = "       verdict   dns  connect  tls  first byte  what it proved
corp   up          1        2    6           3
    git.corp.example/team/hello@v1.0.0
proxy  portal      1        2    4           2  302 to
                                                http://login.hotel.example/
cn     wrong      <1        3    7           4  200, but HTML where go.mod was
                                                asked
sum    down     3000        –    –           –  no answer from DNS 10.8.0.2 in 3
                                                s
! open http://login.hotel.example/ in a browser and log in; goroam looks again
  by itself
! cn answers, but not with what go would accept: nothing is fetched from it
";

    #[test]
    fn a_hotel_reads_as_it_should() {
        let text = probe(&hotel(), AgentState::Running, &page());
        assert_eq!(plain(&text), HOTEL);
        assert_eq!(too_wide(&text), None);
    }

    #[test]
    fn a_measured_speed_stands_behind_what_was_proven() {
        for (bytes_per_second, shown) in [
            (523_000.0, "523 kB/s"),
            (1_250_000.0, "1.2 MB/s"),
            (88e6, "88 MB/s"),
        ] {
            let mut seen = hotel();
            seen[0].speed = Some(Speed {
                first_byte: 20.0,
                bytes_per_second,
            });
            let text = plain(&probe(&seen, AgentState::Running, &page()));
            assert!(text.contains(&format!("hello@v1.0.0; {shown}\n")), "{text}");
        }
    }

    const SORTED: &str = "\
verdict  first byte        rate  500 kB in  proxy
up            31 ms    4.2 MB/s     150 ms  corp
up            90 ms     61 kB/s    8287 ms
    https://goproxy.corp.example/artifactory/api/go/go-virtual
down              –           –          –  sum: no answer from DNS 10.8.0.2 in
    3 s
portal            –           –          –  proxy: 302 to
    http://login.hotel.example/
wrong             –           –          –  cn: 200, but HTML where go.mod was
    asked
! open http://login.hotel.example/ in a browser and log in; goroam looks again
  by itself
! cn answers, but not with what go would accept: nothing is fetched from it
corp is the fastest of those with the right content.
";

    #[test]
    fn measured_proxies_are_sorted_by_what_counts() {
        let mut seen = hotel();
        let mut slow = seen[0].clone();
        slow.target = "https://goproxy.corp.example/artifactory/api/go/go-virtual".to_owned();
        for (seen, first_byte, bytes_per_second) in
            [(&mut slow, 90.0, 61e3), (&mut seen[0], 31.4, 4.2e6)]
        {
            seen.speed = Some(Speed {
                first_byte,
                bytes_per_second,
            });
        }
        seen.insert(0, slow);
        sort_by_speed(&mut seen, |_| false);
        let text = speeds(&seen, AgentState::Running, &page());
        assert_eq!(plain(&text), SORTED);
        assert_eq!(too_wide(&text), None);
    }

    #[test]
    fn a_target_whose_name_holds_a_verdict_is_painted_right() {
        let mut seen = hotel();
        seen.truncate(1);
        seen[0].target = "group".to_owned();
        let text = probe(&seen, AgentState::Running, &page());
        assert!(text.contains(&format!(" {} ", paint(GOOD, "up"))), "{text}");
    }

    #[test]
    fn what_a_network_says_cannot_command_the_terminal() {
        let mut seen = hotel();
        seen[1].portal_url = Some("http://x/\x1b]0;owned\x07".to_owned());
        seen[1].reason = "302 to \x1b[2J".to_owned();
        let text = plain(&probe(&seen, AgentState::Running, &page()));
        assert!(
            text.contains("http://x/\u{fffd}]0;owned\u{fffd} in"),
            "{text}"
        );
        assert!(!text.contains('\x1b'));
    }
}
