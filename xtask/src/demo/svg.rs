//! Draws a terminal's screen as SVG: one screen, or a film of several. Neither needs a script or an
//! embedded font; text stays text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A piece of a row in one style.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    column: usize,
    style: Style,
    text: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Style {
    /// One of the terminal's first eight colours.
    colour: Option<u8>,
    is_bold: bool,
    is_dim: bool,
}

pub type Row = Vec<Run>;

/// A screen of a film, and when it appears.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Seconds since the start.
    pub at: f64,
    /// Stands above the screen.
    pub caption: String,
    pub rows: Vec<Row>,
}

/// The title and description for a reader who does not see the picture.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    pub title: &'a str,
    pub description: &'a str,
}

/// Pixels: a character's width and height, the margin, the screen's top, the bar above it.
const WIDTH: f64 = 8.4;
const HEIGHT: f64 = 18.0;
const MARGIN: f64 = 16.0;
const TOP: f64 = 42.0;
const BAR: f64 = 32.0;
/// Where letters stand in their line.
const BASE: f64 = 13.0;

/// The colours in light and dark, each with a contrast of at least 4.5 to the background.
const STYLE: &str = "\
svg{--b:#fff;--e:#d0d7de;--f:#1f2328;--d:#59636e;--c1:#cf222e;--c2:#1a7f37;--c3:#7d4e00;--c4:#0969da;--c5:#8250df;--c6:#1b7c83}
@media(prefers-color-scheme:dark){svg{--b:#0d1117;--e:#3d444d;--f:#e6edf3;--d:#9198a1;--c1:#ff7b72;--c2:#3fb950;--c3:#d29922;--c4:#58a6ff;--c5:#bc8cff;--c6:#39c5cf}}
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace;fill:var(--f);white-space:pre}
.b{font-weight:700}.d{fill:var(--d)}
.c1{fill:var(--c1)}.c2{fill:var(--c2)}.c3{fill:var(--c3)}.c4{fill:var(--c4)}.c5{fill:var(--c5)}.c6{fill:var(--c6)}
";

/// Returns what a screen shows, row by row, without the empty end.
pub fn rows(screen: &vt100::Screen) -> Vec<Row> {
    let (rows, columns) = screen.size();
    let row = |row| {
        let mut runs: Row = Vec::new();
        let mut gap = usize::MAX;
        for column in 0..columns.get() {
            let Some(cell) = screen.cell(row, column) else {
                break;
            };
            if cell.contents().trim().is_empty() {
                gap = gap.saturating_add(1);
                continue;
            }
            let style = style_of(cell);
            let column = usize::from(column);
            match runs.last_mut().filter(|run| run.style == style && gap < 2) {
                Some(run) => {
                    run.text.push_str(&" ".repeat(gap));
                    run.text.push_str(cell.contents());
                }
                None => runs.push(Run {
                    column,
                    style,
                    text: cell.contents().to_owned(),
                }),
            }
            gap = 0;
        }
        runs
    };
    let mut all: Vec<Row> = (0..rows.get()).map(row).collect();
    while all.last().is_some_and(Vec::is_empty) {
        all.pop();
    }
    all
}

fn style_of(cell: &vt100::Cell) -> Style {
    let colour = match cell.fgcolor() {
        vt100::Color::Idx(index @ 1..=6) => Some(index),
        // The bright ones are the same, more or less.
        vt100::Color::Idx(index @ 9..=14) => Some(index - 8),
        vt100::Color::Default | vt100::Color::Idx(_) | vt100::Color::Rgb(..) => None,
    };
    Style {
        colour,
        is_bold: cell.bold(),
        is_dim: cell.dim(),
    }
}

/// Returns a row's text.
pub fn text(row: &Row) -> String {
    row.iter().fold(String::new(), |mut text, run| {
        let width = text.chars().count();
        text.push_str(&" ".repeat(run.column.saturating_sub(width)));
        text.push_str(&run.text);
        text
    })
}

/// Draws one screen.
pub fn still(about: About<'_>, rows: &[Row], columns: usize) -> String {
    let mut svg = opened(about, columns, rows.len(), "");
    for (number, row) in rows.iter().enumerate() {
        draw(&mut svg, row, MARGIN, TOP + BASE + HEIGHT * to_f64(number));
    }
    svg.push_str("</svg>\n");
    svg
}

/// Draws the frames one after another, again and again. A reader who wants no motion sees the
/// frame at `rest` seconds.
pub fn film(
    about: About<'_>,
    frames: &[Frame],
    seconds: f64,
    columns: usize,
    height: usize,
    rest: f64,
) -> String {
    // Each row, and when it is there: a row that does not change is written once.
    let mut shown: BTreeMap<(usize, &Row), Vec<usize>> = BTreeMap::new();
    let captions: Vec<Row> = frames.iter().map(caption).collect();
    for (number, (frame, caption)) in frames.iter().zip(&captions).enumerate() {
        let rows = frame.rows.iter().zip(1..).map(|(row, line)| (line, row));
        for line in std::iter::once((0, caption)).chain(rows) {
            if !line.1.is_empty() {
                shown.entry(line).or_default().push(number);
            }
        }
    }
    // What is there at the same times is one group.
    let mut groups: BTreeMap<Vec<usize>, Vec<(usize, &Row)>> = BTreeMap::new();
    for (line, times) in shown {
        groups.entry(times).or_default().push(line);
    }
    let mut style = format!(
        "g{{animation:{seconds:.1}s step-end infinite}}\n\
         @media(prefers-reduced-motion:reduce){{g{{animation-delay:-{rest:.1}s;animation-play-state:paused}}}}\n"
    );
    let mut body = String::new();
    for (number, (times, lines)) in groups.iter().enumerate() {
        let is_first = times.first() == Some(&0);
        if times.len() < frames.len() {
            let steps = steps(times, frames, seconds);
            let _ = writeln!(
                style,
                "#g{number}{{animation-name:k{number}}}@keyframes k{number}{{{steps}}}"
            );
        }
        // Where nothing moves, the first frame is there.
        let hidden = if is_first {
            ""
        } else {
            " visibility=\"hidden\""
        };
        let _ = writeln!(body, "<g id=\"g{number}\"{hidden}>");
        for (line, row) in lines {
            let y = match line {
                0 => 21.0,
                line => TOP + BASE + HEIGHT * to_f64(line - 1),
            };
            draw(&mut body, row, MARGIN, y);
        }
        body.push_str("</g>\n");
    }
    let mut svg = opened(about, columns, height, &style);
    svg.push_str(&body);
    svg.push_str("</svg>\n");
    svg
}

fn caption(frame: &Frame) -> Row {
    vec![Run {
        column: 0,
        style: Style {
            is_bold: true,
            ..Style::default()
        },
        text: frame.caption.clone(),
    }]
}

/// Returns the steps of an animation that shows something during these frames.
fn steps(times: &[usize], frames: &[Frame], seconds: f64) -> String {
    let mut steps = String::new();
    let mut was = None;
    for (number, frame) in frames.iter().enumerate() {
        let is = times.binary_search(&number).is_ok();
        if was != Some(is) {
            let percent = 100.0 * frame.at / seconds;
            let word = if is { "visible" } else { "hidden" };
            let _ = write!(steps, "{percent:.2}%{{visibility:{word}}}");
        }
        was = Some(is);
    }
    let word = if was == Some(true) {
        "visible"
    } else {
        "hidden"
    };
    let _ = write!(steps, "to{{visibility:{word}}}");
    steps
}

fn opened(about: About<'_>, columns: usize, rows: usize, style: &str) -> String {
    let width = MARGIN * 2.0 + WIDTH * to_f64(columns);
    let height = TOP + HEIGHT * to_f64(rows) + MARGIN;
    let (title, description) = (escaped(about.title), escaped(about.description));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\" aria-labelledby=\"t d\">\n\
         <title id=\"t\">{title}</title>\n<desc id=\"d\">{description}</desc>\n\
         <style>\n{STYLE}{style}</style>\n\
         <rect x=\".5\" y=\".5\" width=\"{:.0}\" height=\"{:.0}\" rx=\"8\" fill=\"var(--b)\" stroke=\"var(--e)\"/>\n",
        width - 1.0,
        height - 1.0,
    );
    if style.is_empty() {
        for (number, colour) in ["c1", "c3", "c2"].iter().enumerate() {
            let x = MARGIN + 6.0 + 20.0 * to_f64(number);
            let _ = writeln!(
                svg,
                "<circle cx=\"{x}\" cy=\"17\" r=\"5\" class=\"{colour}\" opacity=\".6\"/>"
            );
        }
    } else {
        let _ = writeln!(
            svg,
            "<path d=\"M1 {BAR}H{:.0}\" stroke=\"var(--e)\"/>",
            width - 1.0
        );
    }
    svg
}

fn draw(svg: &mut String, row: &Row, x: f64, y: f64) {
    for run in row {
        let mut classes: Vec<String> = Vec::new();
        classes.extend(run.style.is_bold.then(|| "b".to_owned()));
        match run.style.colour {
            Some(colour) => classes.push(format!("c{colour}")),
            None => classes.extend(run.style.is_dim.then(|| "d".to_owned())),
        }
        let class = if classes.is_empty() {
            String::new()
        } else {
            format!(" class=\"{}\"", classes.join(" "))
        };
        let x = x + WIDTH * to_f64(run.column);
        // Whatever font there is, a column is a column.
        let length = WIDTH * to_f64(run.text.chars().count());
        let text = escaped(&run.text);
        let _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{y:.0}\" textLength=\"{length:.1}\"{class}>{text}</text>"
        );
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Returns the lines of a picture that `still` has drawn.
pub fn lines(svg: &str) -> Vec<String> {
    let mut lines: BTreeMap<usize, Row> = BTreeMap::new();
    for text in svg.split("<text ").skip(1) {
        let value = |name: &str| {
            let rest = text.split_once(&format!("{name}=\""))?.1;
            rest.split_once('"')?.0.parse::<f64>().ok()
        };
        let words = text.split_once('>').and_then(|(_, rest)| {
            let words = rest.split_once("</text>")?.0;
            Some(
                words
                    .replace("&lt;", "<")
                    .replace("&gt;", ">")
                    .replace("&amp;", "&"),
            )
        });
        if let (Some(x), Some(y), Some(text)) = (value("x"), value("y"), words) {
            let run = Run {
                column: to_usize((x - MARGIN) / WIDTH),
                style: Style::default(),
                text,
            };
            let line = to_usize((y - TOP - BASE) / HEIGHT);
            lines.entry(line).or_default().push(run);
        }
    }
    let last = lines.keys().next_back().copied().unwrap_or_default();
    (0..=last)
        .map(|line| lines.get(&line).map(text).unwrap_or_default())
        .collect()
}

/// No screen has more rows or columns than a `u32` can count.
fn to_f64(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place in a picture"
)]
fn to_usize(number: f64) -> usize {
    number.round().max(0.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT: About<'_> = About {
        title: "t & t",
        description: "d",
    };

    fn screen(bytes: &str) -> Vec<Row> {
        let mut parser = crate::demo::cast::terminal(20, 4);
        parser.process(bytes.as_bytes());
        rows(parser.screen())
    }

    #[test]
    fn a_picture_has_the_text_and_the_colours_of_the_screen() {
        let rows =
            screen("\x1b[1mname\x1b[0m  <1 ms\r\n\r\n \x1b[32m✓\x1b[0m \x1b[2mup & on\x1b[0m");
        let svg = still(ABOUT, &rows, 20);
        assert!(svg.contains(" class=\"b\">name</text>"), "{svg}");
        assert!(svg.contains(" class=\"c2\">✓</text>"), "{svg}");
        assert!(svg.contains(" class=\"d\">up &amp; on</text>"), "{svg}");
        assert!(svg.contains("<title id=\"t\">t &amp; t</title>"), "{svg}");
        assert_eq!(lines(&svg), ["name  <1 ms", "", " ✓ up & on"]);
    }

    #[test]
    fn a_row_that_stays_is_written_once_and_one_that_changes_has_its_time() {
        let frame = |at: f64, text: &str| Frame {
            at,
            caption: "home".to_owned(),
            rows: screen(text),
        };
        let frames = [frame(0.0, "stays\r\none"), frame(4.0, "stays\r\ntwo")];
        let svg = film(ABOUT, &frames, 10.0, 20, 4, 5.0);
        assert_eq!(svg.matches(">stays</text>").count(), 1, "{svg}");
        let hides = "{0.00%{visibility:visible}40.00%{visibility:hidden}to{visibility:hidden}}";
        assert!(svg.contains(hides), "{svg}");
        let appears = "{0.00%{visibility:hidden}40.00%{visibility:visible}to{visibility:visible}}";
        assert!(svg.contains(appears), "{svg}");
        let still = svg.split("visibility=\"hidden\"").next().unwrap();
        assert!(
            still.contains(">one</text>") && !still.contains(">two</text>"),
            "{svg}"
        );
    }
}
