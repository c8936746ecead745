//! From a network change to the right go env: goroam, a yardstick that probes nothing, and the
//! usual shell script.

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
    /// Times in ms at which the go env was right to stay, one for each run that came to it and
    /// was not right before.
    stable: Vec<f64>,
    /// Writes of the go env file, median.
    writes: f64,
}

/// Prints a table over all transitions, and the ratios.
pub fn switch(bench: &Bench, runs: u64) -> Result {
    let lab_dir = run::root().join("tests/lab");
    let agents: [(&str, PathBuf, &[&str], &str); 3] = [
        (
            "goroam",
            bench.goroam.clone(),
            &["agent"],
            "expect-goroam.json",
        ),
        (
            "floor.sh",
            lab_dir.join("floor.sh"),
            &[],
            "expect-floor.json",
        ),
        (
            "peer-naive.sh",
            lab_dir.join("peer-naive.sh"),
            &["watch"],
            "expect-naive.json",
        ),
    ];
    let mut tables = Vec::new();
    for (name, program, args, expect) in &agents {
        eprintln!("switch: {name}, {runs} rounds through the networks");
        tables.push(measure(bench, program, args, expect, runs)?);
    }
    println!(
        "| ms to the right go env, median of {runs} | goroam | floor.sh | peer-naive.sh | peer ÷ goroam | writes |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    for row in &tables[0] {
        let of = |table: &[Row]| {
            table
                .iter()
                .find(|other| other.transition == row.transition)
                .map(cell)
        };
        let ratio = tables[2]
            .iter()
            .find(|other| other.transition == row.transition)
            .and_then(|peer| Some(stats::median(&peer.stable)? / stats::median(&row.stable)?));
        println!(
            "| {} | {} | {} | {} | {} | {} |",
            row.transition.replace("->", " → "),
            cell(row),
            of(&tables[1]).unwrap_or_default(),
            of(&tables[2]).unwrap_or_default(),
            ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.1} ×")),
            row.writes,
        );
    }
    let all = |table: &[Row]| {
        stats::median(
            &table
                .iter()
                .flat_map(|row| row.stable.clone())
                .collect::<Vec<_>>(),
        )
    };
    let show = |value: Option<f64>| value.map_or("–".to_owned(), |ms| format!("{ms:.0}"));
    println!(
        "| **all** | {} | {} | {} | | |\n",
        show(all(&tables[0])),
        show(all(&tables[1])),
        show(all(&tables[2]))
    );
    println!(
        "floor.sh knows the networks by name and probes nothing; its expectation, and the peer's, are their own.\n"
    );
    Ok(())
}

fn measure(
    bench: &Bench,
    program: &Path,
    args: &[&str],
    expect: &str,
    runs: u64,
) -> Result<Vec<Row>> {
    let out = lab::dir().join("log/bench-switch.tsv");
    let _ = std::fs::remove_file(&out);
    let mut command = lab::script("measure-switch");
    command.args(["--runs", &runs.to_string(), "--expect"]);
    command
        .arg(run::root().join("tests/lab").join(expect))
        .arg("--tsv")
        .arg(&out)
        .arg(program)
        .args(args);
    command.env("GOROAM_CONFIG", &bench.policy);
    // Its status says whether every transition got right; the table says so too.
    let said = run::output(&mut command);
    let text = std::fs::read_to_string(&out).map_err(|err| format!("{err}; {said:?}"))?;
    text.lines()
        .map(|line| row(line).ok_or_else(|| format!("not a row: {line}")))
        .collect()
}

/// `transition  runs  right  stable,stable,…  writes`, with tabs.
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
    use super::{cell, row};

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
}
