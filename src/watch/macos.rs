//! macOS' own sources of hints: the routing socket, the kernel's calendar messages, and configd's
//! messages. Also reads the resolver's configuration, from the dynamic store of
//! SystemConfiguration: `/etc/resolv.conf` is only a copy of it, for programs that do not use the
//! store.

mod route;

use std::ffi::{CStr, c_char, c_int, c_uint};
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::ptr;

use rustix::event::kqueue::kqueue;
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::{FdFlags, fcntl_setfd};
use system_configuration::core_foundation::array::CFArray;
use system_configuration::core_foundation::base::{CFType, TCFType as _};
use system_configuration::core_foundation::dictionary::CFDictionary;
use system_configuration::core_foundation::propertylist::CFPropertyList;
use system_configuration::core_foundation::string::CFString;
use system_configuration::dynamic_store::SCDynamicStoreBuilder;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::AbortHandle;

use super::resolv_conf::{self, MOST_SERVERS};
use super::source::{Addresses, Hint, HintInbox, HintSource, readable, start};
use crate::model::Resolver;

pub(super) use route::tables;

/// The router is not read on this system.
pub(super) fn link_layer_address(_: u32, _: std::net::IpAddr) -> Option<Vec<u8>> {
    None
}

/// Starts the sources of this system.
pub(super) fn start_sources(inbox: &HintInbox) -> Vec<AbortHandle> {
    vec![
        start::<route::RouteMessages>(inbox),
        start::<Addresses>(inbox),
        start::<Calendar>(inbox),
        start::<Configd>(inbox),
    ]
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

// From libSystem. `libc` marks them as deprecated, in favour of a crate for each; five are few
// enough to declare here.
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

/// Notices that the wall clock was set, or the machine has slept.
///
/// The kernel sends `HOST_NOTIFY_CALENDAR_CHANGE` for both (`clock_set_calendar_microtime` and
/// `clock_wakeup_calendar` in xnu's `osfmk/kern/clock.c`); libdispatch's wall timers are based on
/// it. IOKit's IORegisterForSystemPower would require a thread with a run loop, and a program that
/// is late to agree to a sleep delays it by 30 s.
struct Calendar {
    /// A Mach port has no descriptor; a kqueue that waits for the port has one, and can itself be
    /// waited for (kqueue(2)).
    queue: AsyncFd<OwnedFd>,
    port: Port,
}

impl HintSource for Calendar {
    const NAME: &'static str = "clock and resume";

    fn open() -> io::Result<Calendar> {
        let port = Port::new()?;
        let queue = kqueue()?;
        // A child process gets no copy of a kqueue anyway, but an updated binary that replaces this
        // one does.
        fcntl_setfd(&queue, FdFlags::CLOEXEC)?;
        let mut wanted = no_event();
        wanted.ident = port.name as libc::uintptr_t;
        wanted.filter = libc::EVFILT_MACHPORT;
        wanted.flags = libc::EV_ADD;
        let fd = queue.as_raw_fd();
        // SAFETY: one event goes in, none comes out.
        let done =
            unsafe { libc::kevent(fd, &raw const wanted, 1, ptr::null_mut(), 0, ptr::null()) };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
        port.ask_for_one()?;
        Ok(Calendar {
            queue: readable(queue)?,
            port,
        })
    }

    async fn next(&mut self) -> io::Result<Hint> {
        let port = &self.port;
        let receive = |queue: &OwnedFd| {
            take_event(queue)?;
            port.receive()
        };
        self.queue.async_io(Interest::READABLE, receive).await?;
        // Each request is for one message.
        port.ask_for_one()?;
        Ok(Hint::Wake)
    }
}

/// Takes an event out; `WouldBlock` if there is none. A queue whose event is not taken sends no
/// further events, so asking the port alone is not enough.
fn take_event(queue: &OwnedFd) -> io::Result<()> {
    let mut event = no_event();
    let at_once = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let (to, fd) = (&raw mut event, queue.as_raw_fd());
    // SAFETY: none goes in, at most one comes out; all pointers outlive the call.
    match unsafe { libc::kevent(fd, ptr::null(), 0, to, 1, &raw const at_once) } {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        1.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
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
        // SAFETY: releases the one right that `new` was given.
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
    // SAFETY: it has numbers and a pointer, of which zero and null are valid.
    unsafe { std::mem::zeroed() }
}

/// configd's IPMonitor posts the first when it has given the resolver its new configuration
/// (dnsinfo's `dns_configuration_notify_key()`), and the second (`kNotifySCNetworkChange` in
/// `notify_keys.h`) when it has written `State:/Network/Global/…`, where a survey reads it.
const NAMES: [&CStr; 2] = [
    c"com.apple.system.SystemConfiguration.dns_configuration",
    c"com.apple.system.config.network_change",
];
/// `NOTIFY_REUSE`: uses the existing descriptor.
const REUSE: c_int = 1;
/// `NOTIFY_STATUS_OK`.
const OK: u32 = 0;

// From libSystem, notify(3).
unsafe extern "C" {
    fn notify_register_file_descriptor(
        name: *const c_char,
        descriptor: *mut c_int,
        flags: c_int,
        token: *mut c_int,
    ) -> u32;
    fn notify_cancel(token: c_int) -> u32;
}

/// configd's messages, by notify(3), that the primary network or the resolver's configuration has
/// changed. So goroam notices a change of DNS alone, and also a change whose routing message the
/// kernel dropped (which it does silently).
///
/// SCDynamicStoreSetNotificationKeys is not used, because it requires a thread with a run loop:
/// these are the same changes, sent through a descriptor. Chromium
/// (`net/dns/notify_watcher_mac.cc`) and c-ares wait for the resolver's changes in the same way.
struct Configd {
    /// The pipe into which notifyd writes a token for each message.
    messages: AsyncFd<OwnedFd>,
    /// Kept for its destructor.
    _registrations: Registrations,
}

impl HintSource for Configd {
    const NAME: &'static str = "configd messages";

    fn open() -> io::Result<Configd> {
        let mut descriptor = -1;
        let mut registrations = Registrations(Vec::new());
        for name in NAMES {
            let flags = if descriptor == -1 { 0 } else { REUSE };
            let (name, to, mut token) = (name.as_ptr(), &raw mut descriptor, -1);
            // SAFETY: the name ends with NUL, and the pointers are to numbers that outlive the
            // call; the descriptor is the one of the first call, or an out parameter.
            let status =
                unsafe { notify_register_file_descriptor(name, to, flags, &raw mut token) };
            if status != OK {
                let why = format!("notify_register_file_descriptor: status {status}");
                return Err(io::Error::other(why));
            }
            registrations.0.push(token);
        }
        // SAFETY: it stays open until the last registration is cancelled.
        let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
        fcntl_setfd(descriptor, FdFlags::CLOEXEC)?;
        fcntl_setfl(descriptor, OFlags::NONBLOCK)?;
        Ok(Configd {
            messages: readable(descriptor.try_clone_to_owned()?)?,
            _registrations: registrations,
        })
    }

    async fn next(&mut self) -> io::Result<Hint> {
        // It does not matter whose message it was: each one means "look again".
        let read = |pipe: &OwnedFd| Ok(rustix::io::read(pipe, &mut [0; 256])?);
        match self.messages.async_io(Interest::READABLE, read).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(Hint::Resolver),
        }
    }
}

/// Tokens of notify(3).
struct Registrations(Vec<c_int>);

impl Drop for Registrations {
    fn drop(&mut self) {
        for token in &self.0 {
            // SAFETY: each token was returned once. The last one closes the descriptor.
            let _ = unsafe { notify_cancel(*token) };
        }
    }
}

/// configd rewrites it whenever the store's DNS entry changes.
const RESOLV_CONF: &str = "/var/run/resolv.conf";
const DNS_KEY: &str = "State:/Network/Global/DNS";

/// Returns the current configuration; empty if there is none. Looks up no name.
pub(super) fn resolver() -> Resolver {
    let copy = || resolv_conf::read(Path::new(RESOLV_CONF), MOST_SERVERS);
    from_store().or_else(copy).unwrap_or_default()
}

/// No file is watched: configd itself reports changes.
pub(super) fn resolver_files() -> Vec<PathBuf> {
    Vec::new()
}

fn from_store() -> Option<Resolver> {
    let store = SCDynamicStoreBuilder::new("goroam").build()?;
    let Some(entry) = store.get(DNS_KEY) else {
        return Some(Resolver::default()); // no network: the key is not there
    };
    let entry: CFDictionary = CFPropertyList::downcast_into(entry)?;
    let servers = strings(&entry, "ServerAddresses");
    let mut search = strings(&entry, "SearchDomains");
    if search.is_empty() {
        search = strings(&entry, "DomainName");
    }
    let servers = servers.iter();
    let search = search.iter();
    Some(Resolver {
        servers: servers
            .filter_map(|word| resolv_conf::server(word))
            .collect(),
        search: search
            .filter_map(|word| resolv_conf::domain(word))
            .collect(),
    })
}

/// Returns the strings of an array, or a single string.
fn strings(entry: &CFDictionary, key: &str) -> Vec<String> {
    let key = CFString::new(key);
    let Some(value) = entry.find(key.as_CFTypeRef()) else {
        return Vec::new();
    };
    // SAFETY: the values of a property list are CoreFoundation objects; the dictionary keeps
    // this one alive, and the "get rule" retains it.
    let value = unsafe { CFType::wrap_under_get_rule(*value) };
    if let Some(one) = value.downcast::<CFString>() {
        return vec![one.to_string()];
    }
    let Some(list) = value.downcast::<CFArray>() else {
        return Vec::new();
    };
    let items = list.get_all_values().into_iter();
    // SAFETY: as above; the array keeps its items alive.
    let items = items.map(|item| unsafe { CFType::wrap_under_get_rule(item) });
    items
        .filter_map(|item| Some(item.downcast::<CFString>()?.to_string()))
        .collect()
}
