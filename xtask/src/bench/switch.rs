//! Measures the time from a network change to the right go env: goroam, a yardstick that probes
//! nothing, and the usual shell script.

use std::path::{Path, PathBuf};

use super::{Bench, stats};
use crate::lab;
use crate::run::{self, Result};

/// One transition of one agent, as `measure-switch --tsv` writes it.
#[derive(Debug, PartialEq)]
struct Row {
    transition: String,
    runs: usize,
    right: usize,
    /// Times in ms after which the go env was right and stayed right, one for each run that reached
    /// this and was not right before.
    stable: Vec<f64>,
    /// The number of writes of the go env file, median.
    writes: f64,
}

/// Enters every network from each side, and turns the VPN on and off.
const DAY: &str =
    "office,home,vpn-on,vpn-off,airplane,office,hotspot,home,hotspot,airplane,home,office,airplane";

/// How often a cycle is measured, and what is known of its networks.
#[derive(Clone, Copy)]
enum Visits {
    /// So often in a row, by one agent.
    All(u64),
    /// The same, and each so long that every silent target is given up.
    Long(u64),
    /// So often, each time by an agent that knows no network.
    First(u64),
}

/// Prints two tables: a day across all networks, and an office whose firewall drops what it does not
/// allow.
pub fn switch(bench: &Bench, runs: u64) -> Result {
    table(
        bench,
        &bench.policy,
        "ms to the right go env",
        DAY,
        Visits::All(runs),
    )?;
    let net = |args: &[&str]| run::output(lab::script("net").args(args));
    net(&["office-mode", "drop"])?;
    let dropped = table(
        bench,
        &bench.policy,
        "the same, in an office that drops every other packet",
        "office,airplane",
        Visits::All(runs),
    );
    net(&["office-mode", "unreachable"])?;
    dropped?;
    println!(
        "floor.sh knows the networks by their name server and probes nothing. It and peer-naive.sh are held to the settings that they themselves know; the hotspot's login page misleads peer-naive.sh. Times below 0: right before the last route was there.\n"
    );
    Ok(())
}

/// Prints two tables: a home where Google's servers are silent and GOPROXY is a `fastest`, and the
/// first visit to such a home.
pub fn silent(bench: &Bench, runs: u64) -> Result {
    let net = |args: &[&str]| run::output(lab::script("net").args(args));
    let fastest = bench.policy.with_file_name("bench-fastest.toml");
    let text = std::fs::read_to_string(&bench.policy).map_err(|err| err.to_string())?;
    let text = text.replace(
        "GOPROXY = \"https://goproxy.cn,direct\"",
        "GOPROXY = { fastest = [\"cn\"], then = \"direct\" }",
    );
    std::fs::write(&fastest, text).map_err(|err| err.to_string())?;
    let silence = |mode: &str| -> Result {
        for server in ["proxy.golang.org", "sum.golang.org"] {
            net(&["fault", "home", server, mode])?;
        }
        Ok(())
    };
    let title = "ms in a home where proxy.golang.org is silent; GOPROXY is a `fastest`";
    let first = "the first visit to a home that drops every packet to proxy.golang.org";
    let silent = silence("hang")
        .and_then(|()| table(bench, &fastest, title, "home,airplane", Visits::Long(runs)))
        .and_then(|()| silence("drop"))
        .and_then(|()| table(bench, &bench.policy, first, "home", Visits::First(runs)));
    // Only so does a listener that dropped packets accept again.
    silence("refuse")?;
    silence("pass")?;
    silent
}

fn table(bench: &Bench, policy: &Path, title: &str, cycle: &str, visits: Visits) -> Result {
    let (Visits::All(runs) | Visits::Long(runs) | Visits::First(runs)) = visits;
    let lab_dir = run::root().join("tests/lab");
    let agents: [(PathBuf, &[&str], &str); 3] = [
        (bench.goroam.clone(), &["agent"], "expect-goroam.json"),
        (lab_dir.join("floor.sh"), &[], "expect-floor.json"),
        (
            lab_dir.join("peer-naive.sh"),
            &["watch"],
            "expect-naive.json",
        ),
    ];
    let mut tables = Vec::new();
    for (program, args, expect) in &agents {
        eprintln!("switch: {}, {runs} rounds of {cycle}", program.display());
        let expect = lab_dir.join(expect);
        let quiet = if matches!(visits, Visits::Long(_)) {
            "9"
        } else {
            "2.5"
        };
        let measure = |runs| measure(policy, program, args, &expect, (cycle, quiet), runs);
        let mut rows = Vec::new();
        match visits {
            Visits::All(runs) | Visits::Long(runs) => rows = measure(runs)?,
            Visits::First(runs) => {
                for _ in 0..runs {
                    bench.forget()?;
                    add(&mut rows, measure(1)?);
                }
            }
        }
        tables.push(rows);
    }
    println!(
        "| {title}, median of {runs} | goroam | floor.sh | peer-naive.sh | goroam ÷ floor | peer ÷ goroam | writes |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for row in &tables[0] {
        let like = |table: &'_ [Row]| {
            table
                .iter()
                .position(|other| other.transition == row.transition)
        };
        let of = |n: usize| {
            like(&tables[n])
                .map(|i| cell(&tables[n][i]))
                .unwrap_or_default()
        };
        let median = |n: usize| like(&tables[n]).and_then(|i| stats::median(&tables[n][i].stable));
        let to_floor = ratio(median(0), median(1));
        let to_peer = ratio(median(2), median(0));
        let name = row.transition.replace("->", " → ");
        println!(
            "| {name} | {} | {} | {} | {to_floor} | {to_peer} | {} |",
            cell(row),
            of(1),
            of(2),
            row.writes
        );
    }
    let all = |n: usize| {
        let times: Vec<f64> = tables[n]
            .iter()
            .flat_map(|row| row.stable.clone())
            .collect();
        stats::median(&times)
    };
    let shown = |ms: Option<f64>| ms.map_or("–".to_owned(), |ms| format!("{ms:.0}"));
    println!(
        "| **all** | {} | {} | {} | {} | {} | |\n",
        shown(all(0)),
        shown(all(1)),
        shown(all(2)),
        ratio(all(0), all(1)),
        ratio(all(2), all(0))
    );
    Ok(())
}

/// Adds the rows of another run.
fn add(rows: &mut Vec<Row>, more: Vec<Row>) {
    for new in more {
        match rows.iter_mut().find(|row| row.transition == new.transition) {
            Some(row) => {
                row.runs += new.runs;
                row.right += new.right;
                row.stable.extend(new.stable);
                row.writes = row.writes.max(new.writes);
            }
            None => rows.push(new),
        }
    }
}

fn measure(
    policy: &Path,
    program: &Path,
    args: &[&str],
    expect: &Path,
    (cycle, quiet): (&str, &str),
    runs: u64,
) -> Result<Vec<Row>> {
    let out = lab::dir().join("log/bench-switch.tsv");
    let _ = std::fs::remove_file(&out);
    let mut command = lab::script("measure-switch");
    command.args([
        "--runs",
        &runs.to_string(),
        "--window",
        "15",
        "--quiet",
        quiet,
        "--cycle",
        cycle,
        "--expect",
    ]);
    command
        .arg(expect)
        .arg("--tsv")
        .arg(&out)
        .arg(program)
        .args(args);
    command.env("GOROAM_CONFIG", policy);
    // Its exit status tells whether every transition ended right; the table shows this too.
    let said = run::output(&mut command);
    let text = std::fs::read_to_string(&out).map_err(|err| format!("{err}; {said:?}"))?;
    text.lines()
        .map(|line| row(line).ok_or_else(|| format!("not a row: {line}")))
        .collect()
}

/// Returns how many times as long one took; nothing if one was right before the last `ip` call.
fn ratio(one: Option<f64>, other: Option<f64>) -> String {
    match (one, other) {
        (Some(one), Some(other)) if one > 0.0 && other > 0.0 => format!("{:.1} ×", one / other),
        _ => "–".to_owned(),
    }
}

/// Parses `transition  runs  right  stable,stable,…  writes`, separated by tabs.
fn row(line: &str) -> Option<Row> {
    let mut fields = line.split('\t');
    let mut next = || fields.next();
    Some(Row {
        transition: next()?.to_owned(),
        runs: next()?.parse().ok()?,
        right: next()?.parse().ok()?,
        stable: next()?
            .split(',')
            .filter(|ms| !ms.is_empty())
            .map(str::parse)
            .collect::<std::result::Result<_, _>>()
            .ok()?,
        writes: next()?.parse().ok()?,
    })
}

fn cell(row: &Row) -> String {
    let wrong = row.runs - row.right.min(row.runs);
    let time = match stats::median(&row.stable) {
        Some(ms) => format!("{ms:.0}"),
        None if wrong == 0 => "was right".to_owned(),
        None => "never".to_owned(),
    };
    if wrong == 0 {
        time
    } else {
        format!("{time} (wrong in {wrong} of {})", row.runs)
    }
}

#[cfg(test)]
mod tests {
    use super::{add, cell, row};

    #[test]
    fn a_row_says_how_often_it_was_wrong() {
        let good = row("home->office\t3\t3\t31.5,40,38\t1").unwrap();
        assert_eq!((cell(&good).as_str(), good.writes), ("38", 1.0));
        assert_eq!(
            cell(&row("home->office\t3\t2\t31.5,40\t1.5").unwrap()),
            "36 (wrong in 1 of 3)"
        );
        assert_eq!(cell(&row("home->vpn-on\t3\t3\t\t0").unwrap()), "was right");
        assert_eq!(
            cell(&row("home->vpn-on\t3\t0\t\t0").unwrap()),
            "never (wrong in 3 of 3)"
        );
        assert_eq!(row("home->vpn-on\t3"), None);
    }

    #[test]
    fn first_visits_are_added_up() {
        let one = |text: &str| vec![row(text).unwrap()];
        let mut rows = one("airplane->home\t1\t1\t500\t1");
        add(&mut rows, one("airplane->home\t1\t0\t\t2"));
        add(&mut rows, one("airplane->home\t1\t1\t600\t1"));
        assert_eq!(
            (cell(&rows[0]).as_str(), rows[0].writes),
            ("550 (wrong in 1 of 3)", 2.0)
        );
    }
}
