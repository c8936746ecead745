//! Thousands of changes at once: messages may be lost, the end state may not.

use std::process::Command;
use std::time::{Duration, Instant};

use goroam::model::{Change, Snapshot};
use goroam::watch::{Hint, WatchPaths, survey};

use crate::watch_namespace::{Eyes, in_namespace, start_batch};

fn lines(count: u32, line: impl Fn(u32) -> String) -> String {
    (0..count).map(|number| line(number) + "\n").collect()
}

fn address(number: u32) -> String {
    std::net::Ipv4Addr::from(0x0a40_0000 + number).to_string()
}

fn addresses(snapshot: &Snapshot) -> usize {
    let eth0 = snapshot
        .links
        .iter()
        .find(|link| link.name == "eth0")
        .unwrap();
    eth0.global_addresses().count()
}

#[test]
fn a_reader_that_was_stopped_hears_that_messages_were_lost_and_then_sees_all() {
    in_namespace(|namespace| async move {
        namespace.cable("eth0");
        let mut eyes = Eyes::open(WatchPaths::default()).await;
        // Blocks the only thread of the runtime, as SIGSTOP or suspend would.
        namespace.ip(&lines(4000, |number| {
            format!("addr add {}/32 dev eth0", address(number))
        }));
        while eyes.hint(Duration::from_millis(300)).await {}
        assert!(eyes.hints.contains(&Hint::Lost), "{:?}", eyes.hints);
        let now = survey().unwrap();
        assert_eq!(addresses(&now), 4000);
        assert!(Change::between(&eyes.last, &now).len() < 20);
        // And it is not deaf from then on.
        eyes.last = now;
        namespace.ip("addr add 192.0.2.1/24 dev eth0");
        let told = eyes.batch(Duration::from_secs(5)).await.unwrap();
        assert_eq!(told[0].what, "eth0 has 192.0.2.1/24");
    });
}

#[test]
fn five_thousand_changes_in_a_few_seconds_end_in_the_right_picture() {
    in_namespace(|namespace| async move {
        namespace.cable("eth0");
        namespace.ip("addr add 10.1.0.1/16 dev eth0");
        let mut eyes = Eyes::open(WatchPaths::default()).await;
        let commands = [
            lines(1000, |number| {
                format!("addr add {}/32 dev eth0", address(number))
            }),
            lines(1500, |number| {
                format!("route add {}/32 via 10.1.0.2", address(0x1_0000 + number))
            }),
            lines(900, |number| {
                format!("addr del {}/32 dev eth0", address(number))
            }),
            lines(1500, |number| {
                format!(
                    "route replace {}/32 via 10.1.0.3",
                    address(0x1_0000 + number)
                )
            }),
            lines(100, |number| {
                format!("route del {}/32", address(0x1_0000 + number))
            }),
        ];
        let mut child = start_batch(Command::new("ip"), &commands.concat());
        let (mut seen, mut surveys, mut ended) = (eyes.last.clone(), 0, false);
        loop {
            // Only a hint makes it look again.
            if eyes.hint(Duration::from_millis(300)).await {
                // As the agent does: not at each one, and not only when it is quiet at last.
                let soon = tokio::time::Instant::now() + Duration::from_millis(50);
                while tokio::time::timeout_at(soon, eyes.watcher.next())
                    .await
                    .is_ok()
                {}
                seen = survey().unwrap();
                surveys += 1;
            } else if ended {
                break;
            }
            ended = ended || child.try_wait().unwrap().is_some();
        }
        assert!(child.wait().unwrap().success());
        println!("{surveys} surveys for 5000 changes");
        assert!(surveys > 1);
        assert_eq!(addresses(&seen), 101);
        assert_eq!(seen.routes.len(), 1400);
        let gateway = "10.1.0.3".parse().ok();
        assert!(seen.routes.iter().all(|route| route.gateway == gateway));
        assert_eq!(seen, survey().unwrap());
        assert_eq!(eyes.watcher.troubles(), [""; 0]);
    });
}

#[test]
fn a_survey_of_a_crowded_machine_is_quick() {
    in_namespace(|namespace| async move {
        namespace.ip(&lines(50, |number| {
            format!("link add veth{number} type veth peer name far{number} netns PEER")
                .replace("PEER", &namespace.peer_pid().to_string())
        }));
        let links = best_of_five();
        namespace.cable("eth0");
        namespace.ip(&lines(5000, |number| {
            format!("addr add {}/32 dev eth0", address(number))
        }));
        let addresses = best_of_five();
        println!("50 veths: {links:?}; and 5000 addresses: {addresses:?}");
        // About 1 and 10 ms without a debugger's code; the limits only catch what grows with
        // the square of the number.
        assert!(links < Duration::from_millis(100), "{links:?}");
        assert!(addresses < Duration::from_millis(1000), "{addresses:?}");
    });
}

fn best_of_five() -> Duration {
    let once = || {
        let start = Instant::now();
        survey().unwrap();
        start.elapsed()
    };
    (0..5).map(|_| once()).min().unwrap()
}
