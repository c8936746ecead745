//! macOS' own sources of hints: the kernel's calendar messages, and configd's.

use std::ffi::{CStr, c_char, c_int, c_uint};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd as _, OwnedFd, RawFd};
use std::ptr;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::AbortHandle;

use super::inbox::{Hint, HintInbox};
use super::source::{HintSource, start};

/// Starts the sources that only this system has.
pub(super) fn start_sources(inbox: &HintInbox) -> Vec<AbortHandle> {
    vec![start::<Calendar>(inbox), start::<Configd>(inbox)]
}

/// `mach/host_notify.h`.
const HOST_NOTIFY_CALENDAR_CHANGE: c_int = 0;
/// `mach/port.h`.
const MACH_PORT_RIGHT_RECEIVE: c_uint = 1;
/// `mach/message.h`: MACH_RCV_MSG, MACH_RCV_TIMEOUT.
const RECEIVE_AT_ONCE: c_int = 0x2 | 0x100;
/// `mach/message.h`: MACH_RCV_TIMED_OUT.
const NOTHING_THERE: c_int = 0x1000_4003;
/// A bare header has 24 bytes, the longest trailer 68.
const MESSAGE_WORDS: usize = 16;

// libSystem's. `libc` has them deprecated, in favour of a crate for each; five are not many.
unsafe extern "C" {
    static mach_task_self_: c_uint;
    fn mach_host_self() -> c_uint;
    fn host_request_notification(host: c_uint, kind: c_int, port: c_uint) -> c_int;
    fn mach_port_allocate(task: c_uint, right: c_uint, name: *mut c_uint) -> c_int;
    fn mach_port_mod_refs(task: c_uint, name: c_uint, right: c_uint, delta: c_int) -> c_int;
    fn mach_port_deallocate(task: c_uint, name: c_uint) -> c_int;
    fn mach_msg(
        message: *mut u64,
        option: c_int,
        send_size: c_uint,
        receive_limit: c_uint,
        receive_name: c_uint,
        timeout: c_uint,
        notify: c_uint,
    ) -> c_int;
}

/// The wall clock was set, or the machine has slept.
///
/// The kernel sends `HOST_NOTIFY_CALENDAR_CHANGE` for both (`clock_set_calendar_microtime` and
/// `clock_wakeup_calendar` in xnu's `osfmk/kern/clock.c`); libdispatch's wall timers rest on it.
/// IOKit's IORegisterForSystemPower would take a thread with a run loop, and a program that is
/// late to agree to a sleep holds it up for 30 s.
struct Calendar {
    queue: AsyncFd<Queue>,
}

impl HintSource for Calendar {
    const NAME: &'static str = "clock and resume";

    fn open() -> io::Result<Calendar> {
        let queue = Queue::new()?;
        queue.port.ask_for_one()?;
        // SAFETY: `Queue` owns its descriptor, keeps the same one, and closes it when dropped,
        // which the `AsyncFd` does after it has let go of it.
        let queue = unsafe { AsyncFd::register_with_interest(queue, Interest::READABLE)? };
        Ok(Calendar { queue })
    }

    async fn next(&mut self) -> io::Result<Hint> {
        loop {
            let mut guard = self.queue.readable().await?;
            match guard.try_io(|queue| queue.get_ref().receive()) {
                Err(_would_block) => {}
                Ok(Ok(())) => {
                    // Each request is for one message.
                    self.queue.get_ref().port.ask_for_one()?;
                    return Ok(Hint::Wake);
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(error),
            }
        }
    }
}

/// A Mach port has no descriptor; a kqueue that waits for it has one, and can be waited for in
/// turn (kqueue(2)).
struct Queue {
    queue: OwnedFd,
    port: Port,
}

impl Queue {
    fn new() -> io::Result<Queue> {
        let port = Port::new()?;
        // SAFETY: plain system call; the result is checked below.
        let fd = unsafe { libc::kqueue() };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just opened, and it has no other owner.
        let queue = unsafe { OwnedFd::from_raw_fd(fd) };
        // A child gets no copy of a kqueue anyway, but a program that takes this one's place does.
        // SAFETY: the descriptor is open; the flag is that of fcntl(2).
        if unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let mut wanted = no_event();
        wanted.ident = port.name as libc::uintptr_t;
        wanted.filter = libc::EVFILT_MACHPORT;
        wanted.flags = libc::EV_ADD;
        // SAFETY: one event goes in, none comes out.
        let done =
            unsafe { libc::kevent(fd, &raw const wanted, 1, ptr::null_mut(), 0, ptr::null()) };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Queue { queue, port })
    }

    /// Takes one message out; `WouldBlock` if there is none.
    fn receive(&self) -> io::Result<()> {
        let mut event = no_event();
        let at_once = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // Not only the port is asked: a queue whose event is not taken is silent from then on.
        // SAFETY: none goes in, at most one comes out; all pointers outlive the call.
        let found = unsafe {
            libc::kevent(
                self.queue.as_raw_fd(),
                ptr::null(),
                0,
                &raw mut event,
                1,
                &raw const at_once,
            )
        };
        match found {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            1.. => self.port.receive(),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl AsRawFd for Queue {
    fn as_raw_fd(&self) -> RawFd {
        self.queue.as_raw_fd()
    }
}

/// A port's receive right.
struct Port {
    name: c_uint,
}

impl Port {
    fn new() -> io::Result<Port> {
        let mut name = 0;
        // SAFETY: the pointer is to a number that outlives the call; the task is this one.
        let result =
            unsafe { mach_port_allocate(mach_task_self_, MACH_PORT_RIGHT_RECEIVE, &raw mut name) };
        succeeded("mach_port_allocate", result)?;
        Ok(Port { name })
    }

    fn ask_for_one(&self) -> io::Result<()> {
        // SAFETY: takes nothing; the right that it gives is given back below.
        let host = unsafe { mach_host_self() };
        // SAFETY: the kernel makes its send-once right from our receive right.
        let result =
            unsafe { host_request_notification(host, HOST_NOTIFY_CALENDAR_CHANGE, self.name) };
        // SAFETY: one reference, ours.
        let _ = unsafe { mach_port_deallocate(mach_task_self_, host) };
        succeeded("host_request_notification", result)
    }

    fn receive(&self) -> io::Result<()> {
        let mut message = [0_u64; MESSAGE_WORDS];
        let size = c_uint::try_from(size_of_val(&message)).unwrap_or_default();
        // SAFETY: nothing is sent, and the kernel writes at most `size` bytes.
        let result = unsafe {
            let to = message.as_mut_ptr();
            mach_msg(to, RECEIVE_AT_ONCE, 0, size, self.name, 0, 0)
        };
        if result == NOTHING_THERE {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        succeeded("mach_msg", result)
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        // SAFETY: gives back the one right that `new` was given.
        let _ =
            unsafe { mach_port_mod_refs(mach_task_self_, self.name, MACH_PORT_RIGHT_RECEIVE, -1) };
    }
}

fn succeeded(what: &str, result: c_int) -> io::Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(io::Error::other(format!("{what}: {result:#x}"))),
    }
}

fn no_event() -> libc::kevent {
    libc::kevent {
        ident: 0,
        filter: 0,
        flags: 0,
        fflags: 0,
        data: 0,
        udata: ptr::null_mut(),
    }
}

/// configd's IPMonitor posts the first when it has given the resolver its new configuration
/// (dnsinfo's `dns_configuration_notify_key()`), the second (`kNotifySCNetworkChange` in
/// `notify_keys.h`) when it has written `State:/Network/Global/…`, where a survey reads it.
const NAMES: [&CStr; 2] = [
    c"com.apple.system.SystemConfiguration.dns_configuration",
    c"com.apple.system.config.network_change",
];
/// `NOTIFY_REUSE`: use the descriptor that exists already.
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

/// configd says that the primary network or the resolver's configuration has changed, by
/// notify(3). So a change of DNS alone is noticed, and so is a change whose routing message the
/// kernel dropped (it does so without a word).
///
/// Not by SCDynamicStoreSetNotificationKeys, which takes a thread with a run loop: these are the
/// same changes, sent through a descriptor. Chromium (`net/dns/notify_watcher_mac.cc`) and
/// c-ares wait for the resolver's so too.
struct Configd {
    told: AsyncFd<Registration>,
}

impl HintSource for Configd {
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
