//! Runs one function over a list on several threads. The results have the order of the list.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, available_parallelism, scope};

/// Returns the number of threads that can run at once; 1 if the system does not report it.
pub fn processors() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// Calls `work` with each item, on at most `threads` threads. The caller's thread is one of them;
/// if another one cannot be started, the rest do its part. A panic in `work` continues in the
/// caller.
pub fn map<T: Sync, V: Send>(items: &[T], threads: usize, work: impl Fn(&T) -> V + Sync) -> Vec<V> {
    let next = AtomicUsize::new(0);
    let run = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else {
                return done;
            };
            done.push((at, work(item)));
        }
    };
    let mut done = scope(|scope| {
        let others: Vec<_> = (1..threads.min(items.len()))
            .filter_map(|_| Builder::new().spawn_scoped(scope, run).ok())
            .collect();
        let mut done = run();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, value)| value).collect()
}

#[cfg(test)]
mod tests {
    use super::map;

    #[test]
    fn results_have_the_order_of_the_items_on_any_number_of_threads() {
        let items: Vec<u32> = (0..500).collect();
        let want: Vec<u32> = items.iter().map(|n| n * 2).collect();
        for threads in [0, 1, 2, 7, 1000] {
            assert_eq!(map(&items, threads, |n| n * 2), want, "{threads}");
        }
        assert_eq!(map(&[] as &[u32], 4, |n| *n), [0; 0]);
    }

    #[test]
    fn a_panic_reaches_the_caller() {
        let fails = |n: &u32| assert!(*n != 3, "three");
        let run = std::panic::AssertUnwindSafe(|| map(&[1, 2, 3, 4], 2, fails));
        assert!(std::panic::catch_unwind(run).is_err());
    }
}
