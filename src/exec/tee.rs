//! One stream of the command: passed through untouched, and a bounded copy kept.
//!
//! A thread of its own, since the reader behind us may be slow (`| less`): what waits for it
//! then is the command, as without goroam, and not the signals.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
#[cfg(unix)]
use std::thread::JoinHandle;

use tokio::sync::watch;

use super::json::Unwrap;
use super::keep::Keep;
use super::out::{Out, pass};
use super::source::Source;
#[cfg(unix)]
use super::source::Stop;

/// As much as a pipe holds; what comes at once leaves at once. In bytes.
const BUFFER: usize = 64 << 10;

/// A stream that is being passed through.
#[derive(Debug)]
pub(super) struct Tee {
    shared: Arc<Shared>,
    ended: watch::Receiver<bool>,
    /// What takes the stream back, for who still writes when we end.
    #[cfg(unix)]
    back: Back,
}

#[cfg(unix)]
#[derive(Debug)]
struct Back {
    stop: Stop,
    out: Out,
    thread: JoinHandle<Source>,
}

#[derive(Debug, Default)]
struct Shared {
    keep: Mutex<Keep>,
    count: AtomicU64,
    /// There is nothing to be read at the moment.
    waits: AtomicBool,
}

impl Tee {
    /// Begins. `unwrap`: it is JSON of go's, and go's words in it are to be kept.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(super) fn start(mut source: Source, out: Out, unwrap: bool) -> io::Result<Tee> {
        let shared = Arc::new(Shared::default());
        let (tell, ended) = watch::channel(false);
        #[cfg(unix)]
        let stop = source.stop();
        let own = shared.clone();
        let copy = move || {
            run(&mut source, out, unwrap, &own);
            tell.send_replace(true);
            source
        };
        let thread = std::thread::Builder::new()
            .name("tee".to_owned())
            .spawn(copy)?;
        #[cfg(not(unix))]
        drop(thread);
        Ok(Tee {
            shared,
            ended,
            #[cfg(unix)]
            back: Back { stop, out, thread },
        })
    }

    /// How many bytes have come.
    pub(super) fn count(&self) -> u64 {
        self.shared.count.load(Ordering::Relaxed)
    }

    /// Has all that was written been passed on?
    pub(super) fn waits(&self) -> bool {
        self.shared.waits.load(Ordering::Acquire)
    }

    /// Nobody holds the other end any more.
    pub(super) async fn ended(&self) {
        // An error means that the thread is gone, which is an end, too.
        drop(self.ended.clone().wait_for(|ended| *ended).await);
    }

    /// What was kept.
    pub(super) fn text(&self) -> String {
        self.kept().text()
    }

    /// May a word of a mismatch be among what could not be kept?
    pub(super) fn lost_mismatch(&self) -> bool {
        self.kept().lost_mismatch()
    }

    /// The last line that is not empty.
    pub(super) fn last_line(&self) -> String {
        self.kept().last_line()
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Keep> {
        self.shared
            .keep
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody still writes into it, and we are about to end: what they write goes on being
    /// passed through, by a process that does nothing else. Without goroam they would have our
    /// standard error itself.
    #[cfg(unix)]
    pub(super) fn leave_behind(mut self) {
        if *self.ended.borrow() {
            return;
        }
        // A writer that is blocked because nobody reads is not waited for.
        if !self.waits() {
            return;
        }
        self.back.stop.stop();
        if let Ok(source) = self.back.thread.join() {
            source.leave_behind(self.back.out);
        }
    }

    /// There is no fork here: whoever still writes finds the pipe closed.
    #[cfg(not(unix))]
    pub(super) fn leave_behind(self) {
        drop(self);
    }
}

fn run(source: &mut Source, out: Out, unwrap: bool, shared: &Shared) {
    let mut buffer = vec![0; BUFFER];
    let mut json = Unwrap::default();
    loop {
        shared.waits.store(true, Ordering::Release);
        let count = match source.read(&mut buffer) {
            // The second is how a terminal says that its other end is closed (EIO).
            Ok(0) | Err(_) => return,
            Ok(count) => count,
        };
        shared.waits.store(false, Ordering::Release);
        let came = buffer.get(..count).unwrap_or_default();
        let mut keep = shared.keep.lock().unwrap_or_else(PoisonError::into_inner);
        if unwrap {
            json.push(came, |words| keep.push(words))
        } else {
            keep.push(came)
        }
        drop(keep);
        shared.count.fetch_add(count as u64, Ordering::Relaxed);
        // Nobody reads what we write: then nobody is to read what the command writes, so that
        // it hears of that as it would without us.
        if pass(out, came).is_err() {
            source.close();
            return;
        }
    }
}
