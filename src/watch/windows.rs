//! Windows' own sources of hints: network changes, resumes and the resolver's settings.

mod adapter;
mod route;

use std::ffi::c_void;
use std::io;
use std::sync::Arc;

use futures_util::future::select_all;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use windows_sys::Win32::Foundation::{CloseHandle, ERROR_SUCCESS, HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Power::{
    DEVICE_NOTIFY_SUBSCRIBE_PARAMETERS, HPOWERNOTIFY, PowerRegisterSuspendResumeNotification,
    PowerUnregisterSuspendResumeNotification,
};
use windows_sys::Win32::System::Registry::{
    HKEY, HKEY_LOCAL_MACHINE, KEY_NOTIFY, REG_NOTIFY_CHANGE_LAST_SET, REG_NOTIFY_CHANGE_NAME,
    REG_NOTIFY_THREAD_AGNOSTIC, RegCloseKey, RegNotifyChangeKeyValue, RegOpenKeyExW,
};
use windows_sys::Win32::System::Threading::{
    CreateEventW, INFINITE, RegisterWaitForSingleObject, UnregisterWaitEx, WT_EXECUTEDEFAULT,
};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    DEVICE_NOTIFY_CALLBACK, PBT_APMRESUMEAUTOMATIC, PBT_APMRESUMESUSPEND,
};

use super::source::{Addresses, Hint, HintInbox, HintSource, start};

use adapter::check;
pub(super) use adapter::{resolver, resolver_files};
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
        start::<Resumes>(inbox),
        start::<ResolverSettings>(inbox),
    ]
}

/// Belongs to the whole process and is never freed: Windows does not document that it waits for a
/// running callback when the registration is cancelled.
static AWAKE: Notify = Notify::const_new();

/// The system's message that it is awake again; without it, a wake would be noticed only at the
/// next event. It comes by a callback: a console program has no window for messages.
struct Resumes {
    /// An `HPOWERNOTIFY`.
    registration: HPOWERNOTIFY,
}

impl HintSource for Resumes {
    const NAME: &'static str = "power events";

    fn open() -> io::Result<Resumes> {
        let mut recipient = DEVICE_NOTIFY_SUBSCRIBE_PARAMETERS {
            Callback: Some(on_power),
            Context: std::ptr::null_mut(),
        };
        let mut registration: *mut c_void = std::ptr::null_mut();
        // SAFETY: both places outlive the call, which copies the recipient; the callback has the
        // required type and does not read its context.
        let done = unsafe {
            PowerRegisterSuspendResumeNotification(
                DEVICE_NOTIFY_CALLBACK,
                (&raw mut recipient).cast(),
                &raw mut registration,
            )
        };
        check(done)?;
        Ok(Resumes {
            registration: registration as HPOWERNOTIFY,
        })
    }

    async fn next(&mut self) -> io::Result<Hint> {
        AWAKE.notified().await;
        Ok(Hint::Wake)
    }
}

impl Drop for Resumes {
    fn drop(&mut self) {
        // SAFETY: the handle came from a registration and is cancelled once.
        unsafe { PowerUnregisterSuspendResumeNotification(self.registration) };
    }
}

/// Every wake is reported as "automatic", and again as "resume" once a person is at the machine.
unsafe extern "system" fn on_power(_: *const c_void, event: u32, _: *const c_void) -> u32 {
    if matches!(event, PBT_APMRESUMEAUTOMATIC | PBT_APMRESUMESUSPEND) {
        // Keeps a permit if no task is waiting now.
        AWAKE.notify_one();
    }
    ERROR_SUCCESS
}

/// Includes everything below: `Interfaces\{…}` has what DHCP and people set (`NameServer`,
/// `DhcpNameServer`, `Domain`), and this key itself has the search list.
const IPV4: &str = r"SYSTEM\CurrentControlSet\Services\Tcpip\Parameters";
const IPV6: &str = r"SYSTEM\CurrentControlSet\Services\Tcpip6\Parameters";

/// The registry's message that the resolver's settings, which Windows keeps there, may have
/// changed: a DNS server that a person sets changes neither an address nor a route.
struct ResolverSettings {
    keys: Vec<KeyWatch>,
}

impl HintSource for ResolverSettings {
    const NAME: &'static str = "resolver settings";

    fn open() -> io::Result<ResolverSettings> {
        let mut keys = vec![KeyWatch::open(HKEY_LOCAL_MACHINE, IPV4)?];
        match KeyWatch::open(HKEY_LOCAL_MACHINE, IPV6) {
            Ok(key) => keys.push(key),
            // IPv6 was removed from the system, as some people do.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(ResolverSettings { keys })
    }

    async fn next(&mut self) -> io::Result<Hint> {
        let changes = self.keys.iter().map(|key| Box::pin(key.changed()));
        select_all(changes).await.0?;
        Ok(Hint::Resolver)
    }
}

/// Notifies when a key, or anything below it, changes.
struct KeyWatch {
    // Handles, as numbers so that they may be sent to another thread, which Windows allows.
    key: usize,
    event: usize,
    wait: usize,
    /// The callback's context; must live until the wait is cancelled.
    arrived: Arc<Notify>,
}

impl KeyWatch {
    fn open(root: HKEY, path: &str) -> io::Result<KeyWatch> {
        let path: Vec<u16> = path.encode_utf16().chain([0]).collect();
        let mut key: HKEY = std::ptr::null_mut();
        // SAFETY: the path ends with a zero; it and the output variable outlive the call.
        check(unsafe { RegOpenKeyExW(root, path.as_ptr(), 0, KEY_NOTIFY, &raw mut key) })?;
        // From here on `watch` closes what it holds, even if a later step fails.
        let mut watch = KeyWatch {
            key: key as usize,
            event: 0,
            wait: 0,
            arrived: Arc::new(Notify::new()),
        };
        // SAFETY: takes no pointers; the event resets itself when a wait has seen it.
        let event = unsafe { CreateEventW(std::ptr::null(), 0, 0, std::ptr::null()) };
        if event.is_null() {
            return Err(io::Error::last_os_error());
        }
        watch.event = event as usize;
        let mut wait: HANDLE = std::ptr::null_mut();
        let context = Arc::as_ptr(&watch.arrived).cast::<c_void>();
        // SAFETY: the event is closed, and the context released, only after the wait has been
        // cancelled (`drop`). One thread of the system waits for all such events; there is no
        // timer.
        let done = unsafe {
            RegisterWaitForSingleObject(
                &raw mut wait,
                event,
                Some(on_change),
                context,
                INFINITE,
                WT_EXECUTEDEFAULT,
            )
        };
        if done == 0 {
            return Err(io::Error::last_os_error());
        }
        watch.wait = wait as usize;
        watch.arm()?;
        Ok(watch)
    }

    /// Waits for a change, and requests the next notification before the settings are read, so that
    /// a later change is reported again. Only a key that has changed is requested again: each
    /// pending request costs the kernel memory, and for a key that never changes they would
    /// accumulate.
    async fn changed(&self) -> io::Result<()> {
        self.arrived.notified().await;
        self.arm()
    }

    /// Requests a notification of the next change.
    fn arm(&self) -> io::Result<()> {
        // Otherwise the request would be cancelled when the requesting thread ends.
        let what = REG_NOTIFY_CHANGE_NAME | REG_NOTIFY_CHANGE_LAST_SET | REG_NOTIFY_THREAD_AGNOSTIC;
        // SAFETY: both handles are open while `self` lives.
        check(unsafe {
            RegNotifyChangeKeyValue(self.key as HKEY, 1, what, self.event as HANDLE, 1)
        })
    }
}

impl Drop for KeyWatch {
    fn drop(&mut self) {
        // SAFETY: each was made by `open` (zero: was not) and is released once. With
        // INVALID_HANDLE_VALUE the first call waits for a running callback, so none uses the
        // context afterwards. Closing the key signals the event, so that comes last.
        unsafe {
            if self.wait != 0 {
                UnregisterWaitEx(self.wait as HANDLE, INVALID_HANDLE_VALUE);
            }
            RegCloseKey(self.key as HKEY);
            if self.event != 0 {
                CloseHandle(self.event as HANDLE);
            }
        }
    }
}

unsafe extern "system" fn on_change(context: *mut c_void, _timed_out: bool) {
    // SAFETY: the context is the `Notify` of the watch, which still exists: see `drop`.
    let arrived = unsafe { &*context.cast::<Notify>() };
    // Keeps a permit if no task is waiting now.
    arrived.notify_one();
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use windows_sys::Win32::System::Registry::{
        HKEY_CURRENT_USER, REG_DWORD, RegDeleteTreeW, RegSetKeyValueW,
    };

    use super::*;

    const TOP: &str = r"Software\goroam-test-of-watching";
    const BELOW: &str = r"Software\goroam-test-of-watching\Interfaces\{1}";

    fn wide(text: &str) -> Vec<u16> {
        text.encode_utf16().chain([0]).collect()
    }

    fn set(key: &str, value: u32) {
        let (key, name) = (wide(key), wide("NameServer"));
        // SAFETY: the names end with zeros, the value has four bytes; all outlive the call.
        check(unsafe {
            RegSetKeyValueW(
                HKEY_CURRENT_USER,
                key.as_ptr(),
                name.as_ptr(),
                REG_DWORD,
                (&raw const value).cast(),
                4,
            )
        })
        .unwrap();
    }

    #[tokio::test]
    async fn each_change_below_a_key_is_told_and_silence_stays_silence() {
        set(TOP, 0);
        set(BELOW, 0);
        let key = KeyWatch::open(HKEY_CURRENT_USER, TOP).unwrap();
        let mut settings = ResolverSettings { keys: vec![key] };
        let (soon, late) = (Duration::from_millis(50), Duration::from_secs(20));
        for value in 1..=3 {
            assert!(tokio::time::timeout(soon, settings.next()).await.is_err());
            set(BELOW, value);
            let hint = tokio::time::timeout(late, settings.next()).await;
            assert_eq!(hint.unwrap().unwrap(), Hint::Resolver);
        }
        // The watch is dropped while changes arrive.
        set(BELOW, 4);
        drop(settings);
        set(BELOW, 5);
        let top = wide(TOP);
        // SAFETY: the name ends with a zero and outlives the call.
        check(unsafe { RegDeleteTreeW(HKEY_CURRENT_USER, top.as_ptr()) }).unwrap();
    }

    #[tokio::test]
    async fn the_systems_own_keys_can_be_watched() {
        let settings = ResolverSettings::open().unwrap();
        assert!(!settings.keys.is_empty());
    }

    #[tokio::test]
    async fn a_wake_is_told_and_falling_asleep_is_not() {
        const PBT_APMSUSPEND: u32 = 4;
        let mut resumes = Resumes::open().unwrap();
        let tell = |event| {
            // SAFETY: reads neither of the pointers.
            unsafe { on_power(std::ptr::null(), event, std::ptr::null()) }
        };
        tell(PBT_APMSUSPEND);
        let soon = std::time::Duration::from_millis(20);
        assert!(tokio::time::timeout(soon, resumes.next()).await.is_err());
        tell(PBT_APMRESUMEAUTOMATIC);
        assert_eq!(resumes.next().await.unwrap(), Hint::Wake);
    }
}
