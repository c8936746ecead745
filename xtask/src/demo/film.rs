//! One laptop, carried through five networks, with `goroam status --watch` on its screen.

use std::io::{Read as _, Write as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::cast::{Cast, Event, What, terminal};
use super::laptop::{Laptop, net};
use super::pty::{Pty, RawKeys, Size, own_size};
use super::svg::{self, About};
use super::{Made, masked};
use crate::run::Result;

/// A network on the way.
pub struct Stop {
    /// What `tests/lab/net` does.
    pub way: &'static str,
    pub caption: &'static str,
    /// Seconds.
    pub stay: f64,
    /// What goroam's first lines say in the end.
    pub shows: [&'static str; 2],
}

/// The whole way; 40 seconds.
pub const WAY: [Stop; 5] = [
    Stop {
        way: "move office",
        caption: "At the office: the company's proxy answers, everything else is blocked",
        stay: 8.0,
        shows: ["● office · ", "via 10.20.0.1 ·"],
    },
    Stop {
        way: "move home",
        caption: "Carried home: the company's proxy cannot be reached, public ones can",
        stay: 8.0,
        shows: ["● outside · ", "via 192.168.77.1 ·"],
    },
    Stop {
        way: "move hotspot",
        caption: "At a hotspot: a login page answers for every server",
        stay: 8.0,
        shows: ["● offline · ", "via 172.16.88.1 ·"],
    },
    Stop {
        way: "move airplane",
        caption: "In the aeroplane: no network",
        stay: 6.0,
        shows: ["● offline · ", "no default route"],
    },
    Stop {
        way: "move home,vpn-on",
        caption: "Home again, with the VPN to the office",
        stay: 10.0,
        shows: ["● office · ", "via 192.168.77.1 ·"],
    },
];

/// The whole film's length in seconds.
pub fn seconds() -> f64 {
    WAY.iter().map(|stop| stop.stay).sum()
}

impl Stop {
    /// Reports whether this screen is what goroam shows in the end.
    fn is_shown(&self, lines: &[String]) -> bool {
        let [first, network] = self.shows;
        let rest = lines.iter().skip(1);
        lines.first().is_some_and(|line| line.starts_with(first))
            && rest.take(1).any(|line| line.contains(network))
    }
}

/// How long the laptop stays in each network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As `WAY` says.
    Full,
    /// Until goroam shows what it shows in the end.
    Quick,
}

/// A busy machine needs a second for a network.
const SOON: Duration = Duration::from_secs(60);
/// The rest of a screen follows its first lines at once.
const REST: Duration = Duration::from_millis(300);

enum Happens {
    Output(Vec<u8>),
    Arrives(&'static Stop),
    Ends,
}

/// Takes the film in a terminal of this size.
pub fn record(laptop: &mut Laptop, size: Size, pace: Pace) -> Result<Cast> {
    let mut cast = Cast {
        size,
        title: "goroam status --watch on one laptop in five networks".to_owned(),
        events: Vec::new(),
    };
    let mut half = Vec::new();
    play(laptop, size, pace, false, |at, happens| {
        let what = match happens {
            Happens::Output(bytes) => {
                half.extend(bytes);
                What::Output(text_of(&mut half))
            }
            Happens::Arrives(stop) => What::Marker(stop.caption.to_owned()),
            Happens::Ends => return Ok(()),
        };
        // To the millisecond, as it is stored.
        let at = (at * 1000.0).round() / 1000.0;
        cast.events.push(Event { at, what });
        Ok(())
    })?;
    Ok(cast)
}

/// Takes the whole characters out of what a program has written.
fn text_of(bytes: &mut Vec<u8>) -> String {
    let whole = match std::str::from_utf8(bytes) {
        Ok(text) => text.len(),
        Err(error) => error.valid_up_to(),
    };
    let rest = bytes.split_off(whole);
    let text = String::from_utf8_lossy(bytes).into_owned();
    *bytes = rest;
    text
}

/// Shows it in the caller's terminal; q ends it.
pub fn live(laptop: &mut Laptop) -> Result {
    let own = own_size().filter(|size| size.columns >= 60 && size.rows >= 16);
    let own = own.ok_or("the demo needs a terminal with at least 60 columns and 16 rows")?;
    // The last two rows are for what happens to the laptop.
    let size = Size {
        rows: own.rows - 2,
        ..own
    };
    let mut terminal = terminal(size.columns, size.rows);
    let keys = RawKeys::take()?;
    let mut out = std::io::stdout();
    let mut say = |bytes: &str| {
        let said = out.write_all(bytes.as_bytes()).and_then(|()| out.flush());
        said.map_err(|err| err.to_string())
    };
    say("\x1b[?1049h\x1b[2J\x1b[H")?;
    let mut screen = terminal.screen().clone();
    let played = play(laptop, size, Pace::Full, true, |_, happens| match happens {
        Happens::Output(bytes) => {
            terminal.process(bytes);
            let update = terminal.screen().state_diff(&screen);
            screen = terminal.screen().clone();
            say(&update)
        }
        Happens::Arrives(stop) => {
            let caption: String = stop.caption.chars().take(own.columns.into()).collect();
            say(&format!(
                "\x1b7\x1b[{};1H\x1b[0;1m\x1b[2K{caption}\x1b[0m\x1b8",
                own.rows
            ))
        }
        Happens::Ends => Ok(()),
    });
    say("\x1b[0m\x1b[?25h\x1b[?1049l")?;
    drop(keys);
    played
}

fn play(
    laptop: &mut Laptop,
    size: Size,
    pace: Pace,
    reads_keys: bool,
    mut sees: impl FnMut(f64, &Happens) -> Result,
) -> Result {
    laptop.join_company()?;
    // As in life, a login page has no certificate for other names.
    net(&["hotspot-mode", "selfsigned"])?;
    laptop.start_agent()?;
    laptop.wait_for("GOPROXY=https://goproxy.corp.test")?;
    let (sends, events) = channel();
    let watch = laptop.command("exec goroam status --watch");
    let mut pty = Pty::start(watch, size, sends.clone(), Happens::Output)?;
    // The film begins with the first screen.
    let first = events.recv().map_err(|err| err.to_string())?;
    let start = Instant::now();
    sees(0.0, &Happens::Arrives(&WAY[0]))?;
    if reads_keys {
        let sends = sends.clone();
        std::thread::spawn(move || end_by_key(&sends));
    }
    let (watched, is_watched) = channel();
    let carries = std::thread::spawn(move || carry(&sends, &is_watched, pace));
    let mut terminal = terminal(size.columns, size.rows);
    let mut expected = Some(&WAY[0]);
    let mut next = Some(first);
    loop {
        let happens = match next.take().map_or_else(|| events.recv_timeout(SOON), Ok) {
            Ok(Happens::Output(bytes)) if bytes.is_empty() => break,
            Ok(happens) => happens,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                return Err("the screen stands still".to_owned());
            }
        };
        sees(start.elapsed().as_secs_f64(), &happens)?;
        match happens {
            Happens::Output(bytes) => terminal.process(&bytes),
            Happens::Arrives(stop) => expected = Some(stop),
            Happens::Ends => pty.press("q")?,
        }
        let lines: Vec<String> = svg::rows(terminal.screen()).iter().map(svg::text).collect();
        if pace == Pace::Quick && expected.is_some_and(|stop| stop.is_shown(&lines)) {
            expected = None;
            let _ = watched.send(());
        }
    }
    drop(watched);
    carries
        .join()
        .map_err(|_| "the laptop was dropped on the way".to_owned())?
}

/// Carries the laptop from network to network, until the end of the way or of `is_watched`.
fn carry(sends: &Sender<Happens>, is_watched: &Receiver<()>, pace: Pace) -> Result {
    for (number, stop) in WAY.iter().enumerate() {
        let arrived = Instant::now();
        if number > 0 {
            // If it cannot be sent, `is_watched` has ended, too.
            let _ = sends.send(Happens::Arrives(stop));
            for way in stop.way.split(',') {
                net(&way.split(' ').collect::<Vec<_>>())?;
            }
        }
        let stays = match pace {
            Pace::Full => Duration::from_secs_f64(stop.stay).saturating_sub(arrived.elapsed()),
            Pace::Quick => SOON,
        };
        match is_watched.recv_timeout(stays) {
            Ok(()) => std::thread::sleep(REST),
            Err(RecvTimeoutError::Timeout) if pace == Pace::Full => {}
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
    let _ = sends.send(Happens::Ends);
    Ok(())
}

/// Ends the film when the caller presses q, Esc or Ctrl-C.
fn end_by_key(sends: &Sender<Happens>) {
    let mut key = [0; 1];
    while std::io::stdin().read(&mut key).is_ok_and(|count| count > 0) {
        if [b'q', 0x1b, 3].contains(&key[0]) && sends.send(Happens::Ends).is_err() {
            break;
        }
    }
}

/// Of the film in the documentation.
const SIZE: Size = Size {
    columns: 80,
    rows: 24,
};
const CAST: &str = "docs/pictures/demo.cast";
const FILM: &str = "docs/pictures/demo.svg";

/// Takes the film of the documentation.
pub fn make(laptop: &mut Laptop) -> Result<Vec<Made>> {
    let cast = record(laptop, SIZE, Pace::Full)?;
    last_screens(&cast)?;
    let made = |name: &str, text| Made {
        name: name.to_owned(),
        text,
        words: |text| text.lines().map(str::to_owned).collect(),
    };
    Ok(vec![made(FILM, draw(&cast)), made(CAST, cast.to_text())])
}

/// Takes a short film, whose screens at the end of each stay must be those of the documentation.
pub fn check(laptop: &mut Laptop) -> Result<Vec<Made>> {
    let cast = record(laptop, SIZE, Pace::Quick)?;
    Ok(vec![Made {
        name: CAST.to_owned(),
        text: cast.to_text(),
        words: |text| {
            let screens = Cast::parse(text).and_then(|cast| last_screens(&cast));
            screens.unwrap_or_else(|why| vec![why])
        },
    }])
}

/// Draws a recording.
fn draw(cast: &Cast) -> String {
    let captions: Vec<&str> = WAY.iter().map(|stop| stop.caption).collect();
    let description = captions.join(". ");
    let about = About {
        title: &cast.title,
        description: &description,
    };
    let (columns, rows) = (cast.size.columns.into(), cast.size.rows.into());
    let rest = WAY[0].stay + WAY[1].stay / 2.0;
    svg::film(about, &cast.frames(), seconds(), columns, rows, rest)
}

/// Returns the words of the screen at the end of each stay that are the same in each run.
fn last_screens(cast: &Cast) -> Result<Vec<String>> {
    let frames = cast.frames();
    let mut words = Vec::new();
    for stop in &WAY {
        let mut of_stop = frames.iter().filter(|frame| frame.caption == stop.caption);
        let last = of_stop.next_back();
        let last = last.ok_or_else(|| format!("no screen: {}", stop.caption))?;
        let screen: Vec<String> = last.rows.iter().map(svg::text).collect();
        if !stop.is_shown(&screen) {
            let screen = screen.join("\n");
            return Err(format!(
                "not `{}` in the end:\n{screen}",
                stop.shows.join("` and `")
            ));
        }
        words.extend(masked(stop.caption));
        words.extend(masked(stop.shows[0]));
        // Which of the other targets have answered by then is chance.
        let is_sure = |line: &&String| line.starts_with("  network ") || line.starts_with("  GO");
        words.extend(screen.iter().filter(is_sure).flat_map(|line| masked(line)));
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_film_in_the_documentation_is_its_recording() {
        let read = |name: &str| std::fs::read_to_string(crate::run::root().join(name)).unwrap();
        let cast = Cast::parse(&read(CAST)).unwrap();
        assert_eq!(draw(&cast), read(FILM));
        assert!(draw(&cast).len() < 200_000);
        last_screens(&cast).unwrap();
        let end = cast.events.last().unwrap().at;
        assert!((end - seconds()).abs() < 2.0, "{end}");
    }
}
