use std::time::Duration;

use super::super::sample::{Sample, Socket, State};
use super::{Judge, Limits, What};

const LIMITS: Limits = Limits {
    connect: Duration::from_secs(3),
    first_byte: Duration::from_secs(8),
    stall: Duration::from_secs(30),
};

/// One socket, and what it does.
fn socket(id: u64, state: State) -> Socket {
    Socket {
        id,
        peer: None,
        state,
    }
}

fn open(sent: u64, received: u64, asked: bool) -> State {
    State::Open {
        sent: Some(sent),
        received: Some(received),
        asked,
    }
}

/// Looks every 250 ms for so many seconds; what `each` makes of the time and an idle sample.
/// What it was stuck in, and the second of it.
fn judged(seconds: u64, each: impl Fn(f64, &mut Sample)) -> Option<(What, u64)> {
    let mut judge = Judge::new(LIMITS);
    for tick in 0..=seconds * 4 {
        let at = Duration::from_millis(tick * 250);
        let mut sample = Sample {
            at,
            output: 0,
            cpu: Duration::from_millis(500),
            busy: false,
            sockets: Some(Vec::new()),
            downloading: false,
        };
        each(at.as_secs_f64(), &mut sample);
        if let Some(stuck) = judge.see(sample) {
            assert!(stuck.silent >= LIMITS.connect);
            return Some((stuck.what, at.as_secs()));
        }
    }
    None
}

/// With one socket that is as this says.
fn with(state: State) -> impl Fn(f64, &mut Sample) {
    move |_, sample| sample.sockets = Some(vec![socket(1, state)])
}

#[test]
fn each_wait_has_its_limit() {
    for (state, stuck) in [
        (State::Connecting, (What::Connection, 3)),
        (State::Resolving, (What::Name, 3)),
        (open(200, 0, true), (What::Answer, 8)),
        // A TLS server that accepts and says nothing.
        (open(0, 0, false), (What::Answer, 8)),
        (open(900, 5000, true), (What::Answer, 8)),
        (open(200, 700, false), (What::Rest, 30)),
    ] {
        assert_eq!(judged(60, with(state)), Some(stuck), "{state:?}");
    }
    let unknown = State::Open {
        sent: None,
        received: None,
        asked: false,
    };
    assert_eq!(judged(60, with(unknown)), Some((What::Rest, 30)));
}

#[test]
fn whatever_moves_keeps_it_alive() {
    type Each = fn(f64, &mut Sample);
    let cases: [(&str, Each); 7] = [
        ("no socket at all", |_, _| {}),
        ("a compiler or a test is at work", |_, sample| {
            sample.busy = true;
            sample.sockets = Some(vec![socket(1, open(1, 0, true))]);
        }),
        ("it prints a dot every two seconds", |at, sample| {
            sample.output = (at / 2.0) as u64;
            sample.sockets = Some(vec![socket(1, State::Connecting)]);
        }),
        ("it computes", |at, sample| {
            sample.cpu += Duration::from_secs_f64(at * 0.1);
            sample.sockets = Some(vec![socket(1, State::Connecting)]);
        }),
        ("a slow modem", |at, sample| {
            let came = (at * 900.0) as u64;
            sample.sockets = Some(vec![socket(1, open(90, came, false))]);
        }),
        ("another connection brings something", |at, sample| {
            let other = open(90, (at * 900.0) as u64, false);
            sample.sockets = Some(vec![socket(1, State::Connecting), socket(2, other)]);
        }),
        ("a request every five seconds", |at, sample| {
            let count = (at / 5.0) as u64;
            sample.sockets = Some(vec![socket(1, open(count * 90, count * 400, false))]);
        }),
    ];
    for (what, each) in cases {
        assert_eq!(judged(120, each), None, "{what}");
    }
}

#[test]
fn a_limit_begins_when_everything_has_become_quiet() {
    // An idle connection, a compiler for a minute, then a request on that connection.
    let story = |at: f64, sample: &mut Sample| {
        sample.busy = at < 60.0;
        let state = if at < 60.0 {
            open(90, 400, false)
        } else {
            open(180, 400, true)
        };
        sample.sockets = Some(vec![socket(1, state)]);
    };
    assert_eq!(judged(120, story), Some((What::Answer, 68)));
    // The wait for a connection is not the wait for an answer.
    let story = |at: f64, sample: &mut Sample| {
        let state = if at < 2.0 {
            State::Connecting
        } else {
            open(90, 0, true)
        };
        sample.sockets = Some(vec![socket(1, state)]);
    };
    assert_eq!(judged(120, story), Some((What::Answer, 10)));
}

#[test]
fn a_resolver_that_asks_again_and_again_has_one_limit() {
    let story = |at: f64, sample: &mut Sample| {
        sample.sockets = Some(vec![socket(at as u64, State::Resolving)]);
    };
    assert_eq!(judged(60, story), Some((What::Name, 3)));
}

/// A name with many addresses, all of them dead: each is given up before the limit.
#[test]
fn dead_addresses_that_are_tried_one_after_another_have_one_limit() {
    let story = |at: f64, sample: &mut Sample| {
        sample.sockets = Some(vec![socket((at / 2.0) as u64, State::Connecting)]);
    };
    assert_eq!(judged(60, story), Some((What::Connection, 3)));
}

#[test]
fn a_trickle_is_no_progress() {
    for bytes_a_second in [0.1, 1.0, 10.0, 200.0] {
        let story = |at: f64, sample: &mut Sample| {
            let came = 1 + (at * bytes_a_second) as u64;
            sample.sockets = Some(vec![socket(1, open(90, came, false))]);
        };
        let stuck = judged(60, story);
        assert_eq!(stuck, Some((What::More, 30)), "{bytes_a_second}");
    }
    // Two at a time do not make one that flows; one that flows is enough.
    let two = |other: f64| {
        judged(60, move |at, sample| {
            let came = |rate: f64| open(90, 1 + (at * rate) as u64, false);
            sample.sockets = Some(vec![socket(1, came(200.0)), socket(2, came(other))]);
        })
    };
    assert_eq!(two(200.0), Some((What::More, 30)));
    assert_eq!(two(900.0), None);
}

#[test]
fn small_answers_of_a_slow_server_are_progress() {
    let story = |at: f64, sample: &mut Sample| {
        let count = (at / 7.0) as u64;
        let asked = at % 7.0 < 6.5;
        sample.sockets = Some(vec![socket(1, open(90 * count + 90, 300 * count, asked))]);
    };
    assert_eq!(judged(300, story), None);
    // Each time on a connection of its own.
    let story = |at: f64, sample: &mut Sample| {
        let count = (at / 7.0) as u64;
        sample.sockets = Some(vec![socket(count, open(90, 0, true))]);
    };
    assert_eq!(judged(300, story), None);
}

#[test]
fn time_in_which_nobody_looked_does_not_count() {
    let mut judge = Judge::new(LIMITS);
    let mut at = Duration::ZERO;
    for pause in [0, 250, 250, 3_600_000, 250, 2000] {
        at += Duration::from_millis(pause);
        let sample = Sample {
            at,
            output: 0,
            cpu: Duration::ZERO,
            busy: false,
            sockets: Some(vec![socket(1, State::Connecting)]),
            downloading: false,
        };
        assert_eq!(judge.see(sample), None, "{at:?}");
    }
}

#[test]
fn where_sockets_are_not_seen_only_a_download_is_judged() {
    let blind = |downloading: bool, busy: bool| {
        judged(60, move |_, sample| {
            sample.sockets = None;
            sample.downloading = downloading;
            sample.busy = busy;
        })
    };
    assert_eq!(blind(true, false), Some((What::Rest, 30)));
    assert_eq!(blind(false, false), None);
    assert_eq!(blind(true, true), None);
}
