//! macOS: configd says that the primary network or the resolver's configuration has changed, by
//! notify(3). So a change of DNS alone is noticed, and a routing message that the kernel dropped
//! (it does so without a word) is made up for.
//!
//! Not by SCDynamicStoreSetNotificationKeys, which takes a thread with a run loop: these are the
//! same changes, told through a descriptor. Chromium (`net/dns/notify_watcher_mac.cc`) and
//! c-ares wait for the resolver's so too.

use std::ffi::{CStr, c_char, c_int};
use std::io;
use std::os::fd::{AsRawFd, RawFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::event::Hint;
use super::source::Source;

/// configd's IPMonitor posts the first when it has given the resolver its new configuration
/// (dnsinfo's `dns_configuration_notify_key()`), the second (`kNotifySCNetworkChange` in
/// `notify_keys.h`) when it has written `State:/Network/Global/…`, where a survey reads it.
const NAMES: [&CStr; 2] = [
    c"com.apple.system.SystemConfiguration.dns_configuration",
    c"com.apple.system.config.network_change",
];
/// `NOTIFY_REUSE`: told through a descriptor that there is already.
const REUSE: c_int = 1;
/// `NOTIFY_STATUS_OK`.
const OK: u32 = 0;

// libSystem's, notify(3).
unsafe extern "C" {
    fn notify_register_file_descriptor(
        name: *const c_char,
        descriptor: *mut c_int,
        flags: c_int,
        token: *mut c_int,
    ) -> u32;
    fn notify_cancel(token: c_int) -> u32;
}

/// configd's messages.
pub(super) struct Configd {
    told: AsyncFd<Registration>,
}

impl Source for Configd {
    const NAME: &'static str = "configd messages";

    fn open() -> io::Result<Configd> {
        let registration = Registration::new()?;
        // SAFETY: `Registration` keeps the same open descriptor until it is dropped, which the
        // `AsyncFd` does after it has let go of it.
        let told = unsafe { AsyncFd::register_with_interest(registration, Interest::READABLE)? };
        Ok(Configd { told })
    }

    async fn next(&mut self) -> io::Result<Hint> {
        loop {
            let mut guard = self.told.readable().await?;
            match guard.try_io(|told| take(told.get_ref().descriptor)) {
                Err(_would_block) => {}
                // Both say: look again.
                Ok(Ok(1..)) => return Ok(Hint::Resolver),
                Ok(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(error),
            }
        }
    }
}

/// The pipe into which notifyd writes a token for each message.
struct Registration {
    descriptor: RawFd,
    tokens: Vec<c_int>,
}

impl Registration {
    fn new() -> io::Result<Registration> {
        let mut new = Registration {
            descriptor: -1,
            tokens: Vec::new(),
        };
        for name in NAMES {
            let flags = if new.tokens.is_empty() { 0 } else { REUSE };
            let mut token = -1;
            // SAFETY: the name ends with NUL, and the pointers are to numbers that outlive the
            // call; the descriptor is the one of the first call, or an out parameter.
            let status = unsafe {
                notify_register_file_descriptor(
                    name.as_ptr(),
                    &raw mut new.descriptor,
                    flags,
                    &raw mut token,
                )
            };
            if status != OK {
                let why = format!("notify_register_file_descriptor: status {status}");
                return Err(io::Error::other(why));
            }
            new.tokens.push(token);
        }
        // SAFETY: the descriptor is open; the flags are those of fcntl(2).
        let flags_set = unsafe {
            libc::fcntl(new.descriptor, libc::F_SETFD, libc::FD_CLOEXEC) == 0
                && libc::fcntl(new.descriptor, libc::F_SETFL, libc::O_NONBLOCK) == 0
        };
        if !flags_set {
            return Err(io::Error::last_os_error());
        }
        Ok(new)
    }
}

impl AsRawFd for Registration {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        for token in &self.tokens {
            // SAFETY: each token was handed out once. The last one closes the descriptor.
            let _ = unsafe { notify_cancel(*token) };
        }
    }
}

/// What has been written is all the same: whose message it was.
fn take(descriptor: RawFd) -> io::Result<usize> {
    let mut tokens = [0_u8; 256];
    // SAFETY: the descriptor is open, and the buffer is as long as is said.
    let read = unsafe { libc::read(descriptor, tokens.as_mut_ptr().cast(), tokens.len()) };
    usize::try_from(read).map_err(|_negative| io::Error::last_os_error())
}
