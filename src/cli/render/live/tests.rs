//! The screen in all sizes.

use super::{Size, View, live};
use crate::cli::render::fixtures::{at, office, page, plain};
use crate::cli::render::glyphs::{ASCII, Glyphs, UNICODE, columns_of};
use crate::model::status::{Shadow, Status, Switch, TargetStatus};

fn at_work() -> Status {
    let mut status = office();
    status.targets[0].history = vec![Some(12.0), Some(9.0), None, Some(140.0), Some(12.0)];
    status.targets[1].history = vec![Some(700.0), None, None];
    status.policy = "/home/me/.config/goroam/goroam.toml".to_owned();
    let switch = |clock, from: &str, to: &str, ms, why: &str| Switch {
        at: at(clock),
        from: Some(from.to_owned()),
        to: to.to_owned(),
        why: Some(why.to_owned()),
        ms,
    };
    status.switches = vec![
        switch("08:01:00", "public", "offline", None, "nothing answers"),
        switch(
            "09:12:00",
            "offline",
            "office",
            Some(38.2),
            "corp proven by its key",
        ),
    ];
    status.shadowed.push(Shadow {
        name: "GOPROXY".to_owned(),
        value: "direct".to_owned(),
        written: None,
    });
    status
}

fn shown(status: &Status, columns: usize, rows: usize, glyphs: &Glyphs) -> Vec<String> {
    let page = page();
    let view = View {
        status,
        away: None,
        size: Size { columns, rows },
        page: &page,
        glyphs,
    };
    live(&view).iter().map(|line| plain(line)).collect()
}

const OFFICE: &str = "\
● office · since 09:12 (2 h 04 min), switched in 38 ms                 automatic
  network   wlan0 (wifi “corp”) via 10.20.0.1 · dns 10.20.0.53 · corp.example
  why       corp proven by its key

  GOPRIVATE git.corp.example                    was not set
  GOPROXY   https://goproxy.corp.example        was proxy.golang.org,direct
  GOSUMDB   sum.golang.org

  last rounds: ▁ under 5 ms … █ from 500 ms, × not up
  corp      ✓ up       12 ms             ▃▂×▆▃  TLS pinned, v1.4.0 hash right
  proxy     ✗ down                         █××  10.20.0.1 answers “no route” (b…
  sum       ·                                   not needed

  09:12  offline → office           38 ms  corp proven by its key
  08:01  public → offline                  nothing answers

! GOPROXY is also set in this shell's environment (direct), which wins over
  `go env -w`. `unset GOPROXY` to let goroam's value count.





  q quits · policy /home/me/.config/goroam/goroam.toml · turn 481";

#[test]
fn an_office_on_the_usual_terminal_reads_as_it_should() {
    let lines = shown(&at_work(), 80, 24, &UNICODE);
    assert_eq!(lines.len(), 24);
    assert_eq!(lines.join("\n"), OFFICE);
}

#[test]
fn it_fits_every_terminal() {
    let mut busy = at_work();
    let one = busy.targets[1].clone();
    busy.targets.extend((0..40).map(|n| TargetStatus {
        name: format!("ein-ziemlich-langer-name-{n}"),
        ..one.clone()
    }));
    for n in 0..30 {
        busy.applied.insert(format!("GO{n}"), "会議室".repeat(20));
        busy.troubles
            .push("somebody should look at this ".repeat(9));
    }
    for status in [&at_work(), &busy, &Status::default()] {
        for rows in [1, 2, 3, 5, 8, 11, 15, 20, 24, 60] {
            for columns in [1, 2, 5, 20, 40, 79, 80, 81, 120, 200, 500] {
                for glyphs in [&UNICODE, &ASCII] {
                    let lines = shown(status, columns, rows, glyphs);
                    assert_eq!(lines.len(), rows, "{columns}x{rows}");
                    for line in &lines {
                        assert!(columns_of(line) <= columns, "{columns}x{rows}: {line}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_matters_less_is_left_out_first_and_it_is_said_how_much() {
    let mut status = at_work();
    let one = status.targets[1].clone();
    for n in 0..9 {
        status.targets.push(TargetStatus {
            name: format!("t{n}"),
            ..one.clone()
        });
    }
    let text = shown(&status, 80, 15, &UNICODE).join("\n");
    for kept in ["office · since", "corp      ✓", "GOPROXY  ", "! GOPROXY"] {
        assert!(text.contains(kept), "{kept}: {text}");
    }
    assert!(text.contains("…7 more"), "{text}");
    assert!(!text.contains("sum       ·"), "nobody asked it: {text}");
    assert!(!text.contains("public → offline"), "{text}");
    let text = shown(&status, 40, 10, &UNICODE).join("\n");
    for kept in [
        "office · 2 h",
        "automatic",
        "corp      ✓",
        "GOPROXY",
        "! GOPROXY",
    ] {
        assert!(text.contains(kept), "{kept}: {text}");
    }
    let text = shown(&status, 40, 2, &UNICODE).join("\n");
    assert!(text.starts_with("● office"), "{text}");
}

#[test]
fn a_long_paragraph_takes_the_lines_that_are_there() {
    let mut status = at_work();
    status.why = Some("one two three four five six seven eight nine ten".to_owned());
    let text = shown(&status, 40, 40, &UNICODE).join("\n");
    assert!(
        text.contains("  why       one two three four five six\n            seven"),
        "{text}"
    );
    let text = shown(&status, 40, 18, &UNICODE).join("\n");
    assert!(
        text.contains("  why       one two three four five six…\n"),
        "{text}"
    );
}

#[test]
fn a_big_terminal_shows_whole_reasons() {
    let text = shown(&at_work(), 120, 40, &UNICODE).join("\n");
    assert!(text.contains("“no route” (blocked here)"), "{text}");
}

#[test]
fn the_newest_round_stands_at_the_right_edge() {
    let lines = shown(&at_work(), 80, 24, &UNICODE);
    let column = |name: &str, mark: char| {
        let line = lines.iter().find(|line| line.starts_with(name)).unwrap();
        line.chars().position(|c| c == mark)
    };
    let corp = lines.iter().find(|line| line.contains("▃▂×▆▃")).unwrap();
    let end = corp.chars().collect::<Vec<_>>();
    let end = end.iter().rposition(|c| *c == '▃').unwrap();
    assert_eq!(column("  proxy", '█').map(|at| at + 2), Some(end));
}

#[test]
fn an_agent_that_is_gone_is_said_before_everything_else() {
    let status = at_work();
    let page = page();
    let view = View {
        status: &status,
        away: Some("the agent has ended at 11:15; this is what it told last"),
        size: Size {
            columns: 80,
            rows: 24,
        },
        page: &page,
        glyphs: &UNICODE,
    };
    let lines: Vec<String> = live(&view).iter().map(|line| plain(line)).collect();
    assert!(lines[0].starts_with("○ office"), "{}", lines[0]);
    assert!(lines[0].ends_with("no agent"), "{}", lines[0]);
    let first = lines.iter().find(|line| line.starts_with('!')).unwrap();
    assert!(first.contains("the agent has ended"), "{first}");
}

#[test]
fn in_ascii_nothing_else_is_sent() {
    let text = shown(&at_work(), 80, 24, &ASCII).join("\n");
    assert!(text.is_ascii(), "{text}");
    assert!(text.contains(":.x+:"), "{text}");
    assert!(text.contains("offline -> office"), "{text}");
}

#[test]
fn what_came_from_outside_cannot_paint_the_screen() {
    let mut status = at_work();
    status.why = Some("\x1b[2Jgone\u{202e}".to_owned());
    status.targets[0].reason = "a\r\nb\x07".to_owned();
    status.policy = "\x1b]0;title\x07".to_owned();
    let text = shown(&status, 80, 24, &UNICODE).join("\n");
    let raw = text.chars().filter(|c| c.is_control() && *c != '\n');
    assert_eq!(raw.count(), 0, "{text:?}");
}
