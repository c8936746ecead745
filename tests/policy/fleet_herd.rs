//! A hundred thousand machines and one store: the agent's own schedule, with a clock that is passed
//! in.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use goroam::policy::fleet::{FetchEnd, FetchSchedule};
use jiff::Timestamp;

const MACHINES: usize = 100_000;
/// What a store must be able to serve, in requests a second.
const MOST: u32 = 400;
const REFRESH: Duration = Duration::from_secs(4 * 3600);
const HOUR: u64 = 3_600_000;
/// The regular recheck, in milliseconds; the agent varies it by a tenth.
const RECHECK: u64 = 600_000;

/// xorshift64*: the same numbers in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Happens {
    /// The network changes, or is checked again.
    Event,
    /// The timer that an event has set.
    Due,
}

/// Moments in milliseconds since the beginning.
struct Herd {
    schedules: Vec<FetchSchedule>,
    armed: Vec<bool>,
    queue: BinaryHeap<Reverse<(u64, usize, Happens)>>,
    random: Random,
    /// Requests in each second.
    requests: Vec<u32>,
    /// When each machine first got an answer behind the outage.
    served: Vec<Option<u64>>,
}

/// A store.
struct Store {
    /// When it is down.
    down: std::ops::Range<u64>,
    /// Whether there is a new version: its signature is another request.
    is_new: bool,
}

fn moment(ms: u64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + ms as i64).unwrap()
}

impl Herd {
    /// `held`: each machine has a policy, which was fetched long ago.
    fn new(held: bool, first_event: impl Fn(&mut Random) -> u64) -> Herd {
        let answered = held.then(|| Timestamp::from_second(1_700_000_000).unwrap());
        let mut random = Random(42);
        let first = |i| Reverse((first_event(&mut random), i, Happens::Event));
        Herd {
            queue: (0..MACHINES).map(first).collect(),
            schedules: vec![FetchSchedule::new(answered); MACHINES],
            armed: vec![false; MACHINES],
            random,
            requests: Vec::new(),
            served: vec![None; MACHINES],
        }
    }

    fn run(&mut self, store: &Store, end: u64) {
        self.requests = vec![0; usize::try_from(end / 1000 + 1).unwrap()];
        while let Some(Reverse((at, i, what))) = self.queue.pop() {
            if at > end {
                break;
            }
            let schedule = &mut self.schedules[i];
            if what == Happens::Event {
                let again = (RECHECK as f64 * (0.9 + 0.2 * self.random.next())) as u64;
                self.queue.push(Reverse((at + again, i, Happens::Event)));
                if self.armed[i] {
                    continue;
                }
                let wait = schedule.after_event(moment(at), REFRESH, self.random.next());
                if let Some(wait) = wait {
                    self.armed[i] = true;
                    let due = at + wait.as_millis() as u64;
                    self.queue.push(Reverse((due, i, Happens::Due)));
                }
                continue;
            }
            self.armed[i] = false;
            let is_down = store.down.contains(&at);
            let asked = 1 + u32::from(store.is_new && !is_down);
            self.requests[usize::try_from(at / 1000).unwrap()] += asked;
            let end = if is_down {
                FetchEnd::Failed { retry_after: None }
            } else {
                self.served[i].get_or_insert(at);
                FetchEnd::Answered
            };
            let again = schedule.ended(moment(at), end, self.random.next());
            assert_eq!(again, None, "only a pair that does not match sets a timer");
        }
    }

    fn peak(&self) -> u32 {
        self.requests.iter().copied().max().unwrap()
    }

    /// The moment at which all but one of a hundred machines have been served.
    fn served(&self) -> u64 {
        let mut served: Vec<u64> = self.served.iter().copied().flatten().collect();
        assert!(served.len() >= MACHINES * 99 / 100, "{}", served.len());
        served.sort_unstable();
        served[MACHINES * 99 / 100 - 1]
    }
}

#[test]
fn a_store_that_was_down_for_an_hour_is_not_overrun_when_it_is_back() {
    // The worst case: there is a new version, and its signature is another request.
    let store = Store {
        down: 0..HOUR,
        is_new: true,
    };
    // Within ten minutes each machine notices that its policy is old.
    let mut herd = Herd::new(true, |random| (random.next() * RECHECK as f64) as u64);
    herd.run(&store, HOUR + HOUR / 2);
    let (peak, behind) = (herd.peak(), (herd.served() - HOUR) / 60_000);
    println!("at most {peak} requests a second; 99 % served {behind} min after it");
    assert!(peak <= MOST, "{peak}");
    assert!(behind <= 20, "{behind}");
}

#[test]
fn machines_whose_network_returns_at_once_do_not_ask_at_once() {
    let store = Store {
        down: 0..0,
        is_new: false,
    };
    let mut herd = Herd::new(true, |random| (random.next() * 2000.0) as u64);
    herd.run(&store, RECHECK);
    println!("at once: at most {} requests a second", herd.peak());
    assert!(herd.peak() <= MOST, "{}", herd.peak());
    // Once each: what was fetched counts as fresh for `refresh`.
    assert_eq!(herd.requests.iter().sum::<u32>(), MACHINES as u32);
}

#[test]
fn a_new_machine_asks_at_once_and_after_a_failure_it_waits_like_all_others() {
    let now = moment(0);
    let mut schedule = FetchSchedule::new(None);
    assert_eq!(
        schedule.after_event(now, REFRESH, 0.9),
        Some(Duration::ZERO)
    );
    let retry_after = None;
    assert_eq!(
        schedule.ended(now, FetchEnd::Failed { retry_after }, 0.0),
        None
    );
    let wait =
        |schedule: &FetchSchedule, random| schedule.after_event(now, REFRESH, random).unwrap();
    assert_eq!(wait(&schedule, 0.0), Duration::from_secs(10));
    assert_eq!(wait(&schedule, 0.5), Duration::from_secs(150));
    for _ in 0..40 {
        schedule.ended(now, FetchEnd::Failed { retry_after }, 0.999_999);
    }
    let longest = wait(&schedule, 0.0).as_secs_f64();
    assert!((899.0..=900.0).contains(&longest), "{longest}");
    let retry_after = Some(Duration::from_secs(7200));
    schedule.ended(now, FetchEnd::Failed { retry_after }, 0.0);
    assert_eq!(wait(&schedule, 0.5), Duration::from_secs(7200));
    schedule.ended(now, FetchEnd::Answered, 0.0);
    assert_eq!(schedule.after_event(now, REFRESH, 0.0), None);
    let later = moment(4 * HOUR);
    assert_eq!(
        schedule.after_event(later, REFRESH, 0.0),
        Some(Duration::ZERO)
    );
    // A clock that was set back does not stop the fetches.
    let earlier = Timestamp::from_second(1_000_000_000).unwrap();
    assert!(schedule.after_event(earlier, REFRESH, 0.0).is_some());
}

#[test]
fn a_pair_that_does_not_match_is_fetched_again_three_times() {
    let now = moment(0);
    let mut schedule = FetchSchedule::new(Some(now));
    let minute = Some(Duration::from_secs(60));
    let mut again = || schedule.ended(now, FetchEnd::Mismatch, 0.5);
    assert_eq!(
        [again(), again(), again(), again()],
        [minute, minute, minute, None]
    );
    // Then the next event asks, somewhere in the five minutes behind it.
    assert_eq!(
        schedule.after_event(now, REFRESH, 0.5),
        Some(Duration::from_secs(150))
    );
}
