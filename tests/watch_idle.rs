//! While nothing happens, nothing runs. The only test in its program, so that every thread
//! there is belongs to it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // all of it is test code

#[path = "support/watch_namespace.rs"]
mod watch_namespace;

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use goroam::watch::{WatchPaths, Watcher};
use watch_namespace::{in_namespace, status_number};

/// How often each thread but the calling one has gone to sleep, by its id and name.
fn naps() -> BTreeMap<(String, String), u64> {
    let own = fs::read_link("/proc/thread-self").unwrap();
    let mut naps = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let path = task.unwrap().path();
        let id = path.file_name().unwrap().to_str().unwrap().to_owned();
        let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
        let count = status_number(&path.join("status"), "voluntary_ctxt_switches");
        if let Some(count) = count.filter(|_| !own.ends_with(&id)) {
            naps.insert((id, name.trim().to_owned()), count);
        }
    }
    naps
}

/// Timers of this program that the kernel cancels when the clock is set or the machine resumes.
fn clock_timers() -> usize {
    let flags = "settime flags: 03"; // TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET
    let told = fs::read_dir("/proc/self/fdinfo").unwrap();
    told.filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok())
        .filter(|told| told.contains(flags))
        .count()
}

#[test]
fn an_idle_watcher_has_one_thread_and_never_wakes() {
    in_namespace(|namespace| async move {
        namespace.cable("eth0");
        namespace.ip("addr add 10.1.0.1/16 dev eth0");
        let folder = namespace.folder.path();
        let paths = WatchPaths {
            policy: vec![folder.join("goroam.toml")],
            own: Vec::new(),
            go_env: Some(folder.join("missing/go/env")),
            // In a folder with much coming and going.
            program: Some("/usr/bin/env".into()),
        };
        let before = naps().len();
        let mut watcher = Watcher::start(paths);
        // IPv6 addresses of the new link settle meanwhile.
        let pause = Duration::from_millis(2500);
        while tokio::time::timeout(pause, watcher.next()).await.is_ok() {}
        assert_eq!(watcher.troubles(), [""; 0]);

        let (done, counted) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let mut first = naps();
            // The runtime's thread is on its way to sleep when this one starts.
            loop {
                std::thread::sleep(Duration::from_millis(50));
                let now = naps();
                if now == first {
                    break;
                }
                first = now;
            }
            std::thread::sleep(Duration::from_secs(3));
            done.send((first, naps())).unwrap();
        });
        let (first, last) = tokio::select! {
            hint = watcher.next() => panic!("a hint on an idle machine: {hint:?}"),
            counted = counted => counted.unwrap(),
        };
        // Beside the test's own: the runtime's thread, now seen from outside.
        assert_eq!(last.len(), before + 1, "{last:?}");
        assert_eq!(first, last);

        assert_eq!(clock_timers(), 1, "a resume is told by the kernel");
        drop(watcher);
        tokio::time::timeout(Duration::from_secs(5), async {
            while clock_timers() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("the timer goes with the watcher");
    });
}
