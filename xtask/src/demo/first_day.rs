//! The transcripts of `docs/first-day.md`: a new user with an empty home, from nothing to a project
//! that builds, where go alone does not get there.

use std::fs;

use super::laptop::{Laptop, net};
use super::{Made, masked, svg};
use crate::lab;
use crate::run::{self, Result};

const PAGES: [&str; 2] = ["docs/first-day.md", "docs/zh-CN/first-day.md"];

/// A place, and what the user types there.
struct Day {
    /// Names the transcript in the page.
    name: &'static str,
    /// Words for `tests/lab/net`.
    network: &'static [&'static str],
    /// The folder in the repository with the user's project.
    project: &'static str,
    lines: &'static [&'static str],
}

const DAYS: [Day; 2] = [
    Day {
        name: "office",
        // The firewall answers nothing.
        network: &["office-mode drop", "move office"],
        project: "tests/lab/demo",
        lines: &[
            "goroam init --yes --no-service --apply --proxy https://goproxy.corp.test",
            "cd demo && go build && ./demo",
        ],
    },
    Day {
        name: "china",
        network: &[
            "fault home proxy.golang.org drop",
            "fault home sum.golang.org drop",
            "fault home goproxy.io pass:0.3",
            "fault home mirrors.aliyun.com pass:0.4",
            "move home",
        ],
        project: "tests/lab/demo-public",
        lines: &["goroam once", "cd demo && go build && ./demo"],
    },
];

/// Lives both days; the pages get the new transcripts.
pub fn make(laptop: &mut Laptop) -> Result<Vec<Made>> {
    let mut transcripts = Vec::new();
    for day in &DAYS {
        transcripts.push((day.name, live(laptop, day)?));
    }
    PAGES
        .iter()
        .map(|page| {
            let text = fs::read_to_string(run::root().join(page));
            let mut text = text.map_err(|err| format!("{page}: {err}"))?;
            for (name, transcript) in &transcripts {
                text = replaced(&text, name, transcript).map_err(|why| format!("{page}: {why}"))?;
            }
            Ok(Made {
                name: (*page).to_owned(),
                text,
                words,
            })
        })
        .collect()
}

fn live(laptop: &mut Laptop, day: &Day) -> Result<String> {
    laptop.forget()?;
    for words in day.network {
        net(&words.split(' ').collect::<Vec<_>>())?;
    }
    for name in ["go.mod", "main.go"] {
        let path = run::root().join(day.project).join(name);
        let text = fs::read_to_string(&path);
        let text = text.map_err(|err| format!("{}: {err}", path.display()))?;
        laptop.write(&format!("demo/{name}"), &text)?;
    }
    // Its author has written go.sum, on another machine.
    let tree = lab::dir().join("tree/corp");
    laptop.quietly(&format!(
        "cd demo && GOENV=off GOFLAGS='-mod=mod -modcacherw' GOMODCACHE=~/author GOSUMDB=off \
         GOPROXY=file://{} go mod tidy && rm -rf ~/author ~/.config ~/go",
        tree.display()
    ))?;
    let mut transcript = String::new();
    for line in day.lines {
        let shown = laptop.show(line)?;
        for row in &shown.rows {
            transcript.push_str(&format!("{}\n", svg::text(row)));
        }
        if !shown.succeeded {
            return Err(format!("{}: a command failed:\n{transcript}", day.name));
        }
    }
    // go.sum was complete. What it does not have is verified, too.
    laptop.quietly("cd && go mod download golang.org/x/text@v0.3.0")?;
    Ok(transcript)
}

/// Puts the transcript into the block behind its mark.
fn replaced(page: &str, name: &str, transcript: &str) -> Result<String> {
    let mark = format!("<!-- transcript: {name} -->\n```console\n");
    let (before, rest) = page.split_once(&mark).ok_or("no place for a transcript")?;
    let (_, after) = rest.split_once("```\n").ok_or("a block without an end")?;
    Ok(format!("{before}{mark}{transcript}```\n{after}"))
}

/// Returns the transcripts' words; go downloads in any order.
fn words(page: &str) -> Vec<String> {
    let mut words = Vec::new();
    for block in page.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        let is_download = |line: &&str| line.starts_with("go: downloading");
        let (mut downloads, others): (Vec<&str>, Vec<&str>) = block.lines().partition(is_download);
        downloads.sort_unstable();
        words.extend(masked(&others.join("\n")));
        words.extend(masked(&downloads.join("\n")));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::{DAYS, PAGES, replaced, words};

    #[test]
    fn a_transcript_takes_the_place_of_the_one_before() {
        let page = "a\n<!-- transcript: office -->\n```console\n$ old\n```\nb\n";
        let new = replaced(page, "office", "$ new\n").unwrap();
        assert_eq!(
            new,
            "a\n<!-- transcript: office -->\n```console\n$ new\n```\nb\n"
        );
        assert!(replaced(page, "china", "").is_err());
        assert_ne!(words(page), words(&new));
    }

    #[test]
    fn both_languages_show_the_same_days_of_at_most_three_commands() {
        let [english, chinese] =
            PAGES.map(|page| std::fs::read_to_string(crate::run::root().join(page)).unwrap());
        let blocks = |page: &str| {
            page.split("```")
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect()
        };
        let blocks: [Vec<String>; 2] = [blocks(&english), blocks(&chinese)];
        assert_eq!(blocks[0], blocks[1]);
        for day in DAYS {
            assert!(day.lines.len() <= 3);
            let mark = format!("<!-- transcript: {} -->\n```console\n$ ", day.name);
            assert!(english.contains(&mark), "{mark}");
        }
    }
}
