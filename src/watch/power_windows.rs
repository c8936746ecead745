//! Windows tells when it is awake again; else a wake would be seen at the next event only.

use std::ffi::c_void;
use std::io;

use tokio::sync::Notify;
use windows_sys::Win32::Foundation::ERROR_SUCCESS;
use windows_sys::Win32::System::Power::{
    DEVICE_NOTIFY_SUBSCRIBE_PARAMETERS, HPOWERNOTIFY, PowerRegisterSuspendResumeNotification,
    PowerUnregisterSuspendResumeNotification,
};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    DEVICE_NOTIFY_CALLBACK, PBT_APMRESUMEAUTOMATIC, PBT_APMRESUMESUSPEND,
};

use super::event::Hint;
use super::source::Source;

/// Of the whole process and never freed: nothing says that Windows waits for a callback that
/// runs when the registration is taken back.
static AWAKE: Notify = Notify::const_new();

/// The system's word that it is awake again. By a callback: a console program has no window
/// for messages.
pub(super) struct Resumes {
    /// An `HPOWERNOTIFY`.
    registration: HPOWERNOTIFY,
}

impl Source for Resumes {
    const NAME: &'static str = "power events";

    fn open() -> io::Result<Resumes> {
        let mut recipient = DEVICE_NOTIFY_SUBSCRIBE_PARAMETERS {
            Callback: Some(on_power),
            Context: std::ptr::null_mut(),
        };
        let mut registration: *mut c_void = std::ptr::null_mut();
        // SAFETY: both places outlive the call, which copies the recipient; the callback has
        // the type that is asked for and reads no context.
        let done = unsafe {
            PowerRegisterSuspendResumeNotification(
                DEVICE_NOTIFY_CALLBACK,
                (&raw mut recipient).cast(),
                &raw mut registration,
            )
        };
        if done != ERROR_SUCCESS {
            return Err(io::Error::from_raw_os_error(done.cast_signed()));
        }
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
        // SAFETY: the handle came from a registration and is taken back once.
        unsafe { PowerUnregisterSuspendResumeNotification(self.registration) };
    }
}

/// Every wake comes as "automatic", and again as "resume" once somebody is at the machine.
unsafe extern "system" fn on_power(_: *const c_void, event: u32, _: *const c_void) -> u32 {
    if matches!(event, PBT_APMRESUMEAUTOMATIC | PBT_APMRESUMESUSPEND) {
        // Keeps a permit if nobody waits just now.
        AWAKE.notify_one();
    }
    ERROR_SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

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
