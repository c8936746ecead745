//! Stepping back behind everything else on the machine.

/// Lowers this process's priority, and that of all it starts. What cannot be lowered stays.
#[cfg(unix)]
pub fn step_back() {
    // SAFETY: setpriority takes three numbers and touches no memory of ours. PRIO_PROCESS with 0
    // is this process.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, 15);
    }
    #[cfg(target_os = "linux")]
    {
        // linux/ioprio.h: IOPRIO_WHO_PROCESS, and class 3 (idle) in the upper bits: reads and
        // writes when nobody else does. Schedulers without classes pass it over.
        const WHO_PROCESS: libc::c_int = 1;
        const IDLE: libc::c_int = 3 << 13;
        // SAFETY: ioprio_set takes three numbers and touches no memory of ours.
        unsafe {
            libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, IDLE);
        }
    }
}

/// Whoever starts it there says so (`IDLE_PRIORITY_CLASS`).
#[cfg(not(unix))]
pub fn step_back() {}
