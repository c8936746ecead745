//! Eight builders behind two relays, while two of three proxies fail in another way every few
//! seconds. One relay is killed at random moments; the other lives to the end, so that its
//! descriptors and its memory can be compared.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::scene::{self, Listener, Relay, Scene, User};
use super::stats;
use crate::run::Result;

/// Builders of each relay.
const BUILDERS: usize = 4;
/// A build that takes longer hangs.
const HANGS: Duration = Duration::from_secs(120);
/// Between two samples of a relay's memory.
const SAMPLE: Duration = Duration::from_secs(2);
/// Failures that are shown.
const SHOWN: usize = 5;
/// What the memory may grow by: an allocator that had many files at once keeps some pages.
const MOST_GROWTH: f64 = 2048.0;
/// The same for descriptors: connections that are open at one moment and not at another.
const MOST_MORE_OPEN: f64 = 4.0;

/// What a proxy does for a few seconds.
const FAULTS: [&str; 21] = [
    "ok",
    "refuse",
    "drop",
    "hang",
    "slow:5",
    "slow:1",
    "stall",
    "reset",
    "close",
    "500",
    "502",
    "503",
    "429:1",
    "404",
    "trunczip",
    "halfzip",
    "portal302",
    "portal200",
    "dead302",
    "badjson",
    "drip:100",
];
/// Wrong content bans a proxy until the network changes, which it does not here: only for a proxy
/// whose relay is killed, and so forgets.
const WRONG: [&str; 2] = ["badzip", "badmod"];

/// Numbers that look random.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end).unwrap_or(1)).unwrap_or(0)
    }

    fn seconds(&mut self, from: usize, to: usize) -> Duration {
        Duration::from_millis(
            u64::try_from(from * 1000 + self.below((to - from) * 1000)).unwrap_or(0),
        )
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all.get(self.below(all.len())).copied().unwrap_or("ok")
    }
}

/// A relay with three proxies; the last one always works.
struct Rig {
    hops: [Listener; 3],
    user: User,
    relay: Mutex<Relay>,
    url: String,
    is_killed: bool,
    kills: Mutex<Vec<(Instant, Instant)>>,
}

#[derive(Default)]
struct Tally {
    builds: usize,
    slowest: Duration,
    failed_by_a_kill: usize,
    failed_again: usize,
    failed: Vec<String>,
    wrong: BTreeSet<String>,
}

#[derive(Default)]
struct Samples {
    descriptors: Vec<f64>,
    resident: Vec<f64>,
}

struct Soak<'a> {
    goroam: &'a Path,
    scene: Scene,
    rigs: [Rig; 2],
    is_over: AtomicBool,
    tally: Mutex<Tally>,
    right: Mutex<BTreeMap<PathBuf, Vec<u8>>>,
}

/// Runs it, and prints what happened; an error if there was a wrong byte, a build that failed
/// without a kill, or growth.
pub fn soak(goroam: &Path, minutes: u64) -> Result {
    let hops = |rig: usize| -> Result<[Listener; 3]> {
        Ok([
            Listener::new(format!("a{rig}"), None)?,
            Listener::new(format!("b{rig}"), Some("public"))?,
            Listener::new(format!("c{rig}"), None)?,
        ])
    };
    let hops = [hops(0)?, hops(1)?];
    let scene = Scene::start(&hops.iter().flatten().collect::<Vec<_>>())?;
    let [killed, steady] = hops;
    let rigs = [
        Rig::start(goroam, &scene, killed, true)?,
        Rig::start(goroam, &scene, steady, false)?,
    ];
    let soak = Soak {
        goroam,
        scene,
        rigs,
        is_over: AtomicBool::new(false),
        tally: Mutex::default(),
        right: Mutex::default(),
    };
    // Differs from run to run.
    let seed = u64::from(std::process::id()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    eprintln!("soak: {minutes} min, {} builders", 2 * BUILDERS);
    let (samples, ended) = soak.run(Duration::from_secs(60 * minutes), seed);
    soak.report(minutes, &samples);
    ended?;
    soak.judge(&samples)
}

impl Rig {
    fn start(goroam: &Path, scene: &Scene, hops: [Listener; 3], is_killed: bool) -> Result<Rig> {
        let user = scene.user()?;
        let urls = hops.each_ref().map(Listener::url);
        user.knows(&urls)?;
        let relay = user.relay(goroam, &urls.join(","), "--stall 3s")?;
        Ok(Rig {
            url: relay.url.clone(),
            relay: Mutex::new(relay),
            hops,
            user,
            is_killed,
            kills: Mutex::default(),
        })
    }

    /// Kills the relay and starts it again.
    fn kill(&self, goroam: &Path, after: Duration) -> Result {
        let chain = self.hops.each_ref().map(Listener::url).join(",");
        let mut relay = lock(&self.relay);
        let begin = Instant::now();
        let listen = format!("--stall 3s --listen {}", relay.address());
        relay.kill();
        std::thread::park_timeout(after);
        *relay = self.user.relay(goroam, &chain, &listen)?;
        if relay.url != self.url {
            return Err(format!("{} after a kill, not {}", relay.url, self.url));
        }
        lock(&self.kills).push((begin, Instant::now()));
        Ok(())
    }

    /// Was the relay killed meanwhile?
    fn was_killed(&self, from: Instant) -> bool {
        // Not between the kill and the new start.
        drop(lock(&self.relay));
        lock(&self.kills).iter().any(|(_, end)| *end >= from)
    }
}

impl Soak<'_> {
    /// All threads, until the time is over or one fails.
    fn run(&self, time: Duration, seed: u64) -> (Samples, Result) {
        let end = Instant::now() + time;
        let all = Mutex::new(Ok(()));
        let until = |ended: Result| {
            if ended.is_err() {
                self.is_over.store(true, Ordering::SeqCst);
                *lock(&all) = ended;
            }
        };
        let mut samples = Samples::default();
        std::thread::scope(|scope| {
            for (number, rig) in (0..).zip(&self.rigs) {
                let until = &until;
                scope.spawn(move || until(self.faults(rig, Chance(seed ^ (1 + number)))));
                if rig.is_killed {
                    scope.spawn(move || until(self.kills(rig, Chance(seed ^ 7))));
                }
                for builder in 0..BUILDERS {
                    let builds = builder % 2 == 0;
                    scope.spawn(move || until(self.builds(rig, builds)));
                }
            }
            while !self.is_over() && Instant::now() < end {
                std::thread::park_timeout(SAMPLE);
                let [_, steady] = &self.rigs;
                let relay = lock(&steady.relay);
                if let (Ok(open), Ok(resident)) = (relay.descriptors(), relay.status("VmRSS:")) {
                    samples.descriptors.push(open as f64);
                    samples.resident.push(resident as f64);
                }
            }
            self.is_over.store(true, Ordering::SeqCst);
        });
        (
            samples,
            all.into_inner().unwrap_or_else(PoisonError::into_inner),
        )
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    fn pause(&self, time: Duration) {
        let end = Instant::now() + time;
        while !self.is_over() && Instant::now() < end {
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// Every few seconds one of the first two proxies does something else.
    fn faults(&self, rig: &Rig, mut chance: Chance) -> Result {
        let [first, second, _] = &rig.hops;
        while !self.is_over() {
            let hop = if chance.below(2) == 0 { first } else { second };
            let is_wrong = rig.is_killed && chance.below(8) == 0;
            let mode = chance.one_of(if is_wrong { &WRONG } else { &FAULTS });
            let cert = hop.cert.map(|good| match chance.below(5) {
                0 => "expired",
                1 => "wronghost",
                _ => good,
            });
            self.scene.set(hop, mode, cert)?;
            self.pause(chance.seconds(1, 4));
        }
        Ok(())
    }

    fn kills(&self, rig: &Rig, mut chance: Chance) -> Result {
        loop {
            self.pause(chance.seconds(10, 40));
            if self.is_over() {
                return Ok(());
            }
            rig.kill(self.goroam, chance.seconds(0, 2))?;
        }
    }

    /// Builds again and again with an empty module cache.
    fn builds(&self, rig: &Rig, has_go_sum: bool) -> Result {
        let user = self.scene.user()?;
        let go_sum = user.project().join("go.sum");
        let (mut sums, mut is_second_try) = (None, false);
        while !self.is_over() {
            user.start_afresh()?;
            if let Some(sums) = sums.as_ref().filter(|_| has_go_sum) {
                std::fs::write(&go_sum, sums).map_err(|err| err.to_string())?;
            }
            let begin = Instant::now();
            let mut said = String::new();
            let mut is_right = true;
            for words in ["build -o built .", "mod download", "mod verify"] {
                let ran = user.go(&rig.url, words, HANGS)?;
                is_right = ran.is_right();
                said = format!("go {words}: {:.1?}: {}", ran.took, ran.said);
                if !is_right {
                    break;
                }
            }
            let mut wrong = match user.cache().join("cache/download").exists() {
                true => scene::wrong_files(&user.cache(), &mut lock(&self.right))?,
                false => Vec::new(),
            };
            let has = std::fs::read_to_string(&go_sum).unwrap_or_default();
            if is_right && *sums.get_or_insert_with(|| has.clone()) != has {
                wrong.push("go.sum".to_owned());
            }
            if said.contains("SECURITY ERROR") || said.contains("checksum mismatch") {
                wrong.push(said.clone());
            }
            // go that is killed as a hanging one is a failure in any case.
            let was_killed = rig.is_killed && rig.was_killed(begin);
            let mut tally = lock(&self.tally);
            tally.wrong.extend(wrong);
            match is_right {
                true => {
                    tally.builds += 1;
                    tally.slowest = tally.slowest.max(begin.elapsed());
                }
                false if was_killed => tally.failed_by_a_kill += 1,
                false => {
                    tally.failed_again += usize::from(is_second_try);
                    eprintln!("soak: {said}");
                    tally.failed.push(said);
                }
            }
            is_second_try = !is_right && was_killed;
            drop(tally);
            self.pause(Duration::from_millis(500));
        }
        Ok(())
    }

    fn report(&self, minutes: u64, samples: &Samples) {
        let tally = lock(&self.tally);
        let [killed, steady] = &self.rigs;
        println!(
            "| {minutes} min, {} builders, two of three proxies fail | |\n| --- | ---: |",
            2 * BUILDERS
        );
        println!(
            "| builds, each with an empty module cache | {} |",
            tally.builds
        );
        println!("| the slowest | {:.1} s |", tally.slowest.as_secs_f64());
        println!("| wrong files | {} |", tally.wrong.len());
        println!(
            "| builds that failed without a kill | {} |",
            tally.failed.len()
        );
        println!(
            "| kills of one of the two relays | {} |",
            lock(&killed.kills).len()
        );
        println!(
            "| builds that failed because of one | {} |",
            tally.failed_by_a_kill
        );
        println!(
            "| of them, failed again at the next try | {} |",
            tally.failed_again
        );
        for (name, all) in [
            ("open descriptors", &samples.descriptors),
            ("VmRSS, kB", &samples.resident),
        ] {
            let (first, last) = thirds(all);
            println!(
                "| the other relay's {name}, medians of the first and the last third | {first:.0}, {last:.0} |"
            );
        }
        let most = lock(&steady.relay).status("VmHWM:").unwrap_or(0);
        println!("| VmHWM | {most} kB |\n");
        for failed in tally.failed.iter().take(SHOWN) {
            println!("{failed}");
        }
    }

    fn judge(&self, samples: &Samples) -> Result {
        let tally = lock(&self.tally);
        let grows = |all: &[f64], most: f64| {
            let (first, last) = thirds(all);
            last > first + most
        };
        let faults = [
            (!tally.wrong.is_empty(), format!("wrong: {:?}", tally.wrong)),
            (
                !tally.failed.is_empty(),
                "builds failed without a kill".to_owned(),
            ),
            (tally.builds == 0, "no build was right".to_owned()),
            (
                grows(&samples.descriptors, MOST_MORE_OPEN),
                "descriptors grow".to_owned(),
            ),
            (
                grows(&samples.resident, MOST_GROWTH),
                "memory grows".to_owned(),
            ),
        ];
        match faults.into_iter().find(|(is_so, _)| *is_so) {
            Some((_, why)) => Err(why),
            None => Ok(()),
        }
    }
}

/// The medians of the first and of the last third.
fn thirds(all: &[f64]) -> (f64, f64) {
    let third = all.len().div_ceil(3);
    let median = |part: Option<&[f64]>| part.and_then(stats::median).unwrap_or(0.0);
    (
        median(all.get(..third)),
        median(all.get(all.len() - third..)),
    )
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::thirds;

    #[test]
    fn the_first_third_is_compared_with_the_last() {
        assert_eq!(thirds(&[1.0, 1.0, 5.0, 9.0, 2.0, 2.0]), (1.0, 2.0));
        assert_eq!(thirds(&[]), (0.0, 0.0));
    }
}
