//! The name of the Wi-Fi network that a link is in (Linux).

use std::ffi::{c_char, c_ulong, c_void};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

/// `linux/wireless.h`
const SIOCGIWESSID: c_ulong = 0x8b1b;
/// `IW_ESSID_MAX_SIZE`
const LONGEST: usize = 32;

/// `struct iwreq` with its `struct iw_point`.
#[repr(C)]
struct Request {
    name: [c_char; libc::IFNAMSIZ],
    pointer: *mut c_void,
    length: u16,
    flags: u16,
    /// The kernel's union is 16 bytes long on every machine.
    _rest: [u8; 16 - size_of::<*mut c_void>() - 4],
}

/// Asks the driver. `None` if there is no such network, or the driver does not know the old
/// wireless extensions.
pub(super) fn ssid(link: &str) -> Option<String> {
    // SAFETY: plain system call; the result is checked below.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return None;
    }
    // SAFETY: just opened, and it has no other owner.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let mut essid = [0_u8; LONGEST + 2];
    let mut request = Request {
        name: [0; libc::IFNAMSIZ],
        pointer: essid.as_mut_ptr().cast(),
        length: u16::try_from(LONGEST).unwrap_or_default(),
        flags: 0,
        _rest: [0; 16 - size_of::<*mut c_void>() - 4],
    };
    // One byte stays for the NUL at the end.
    let room = request.name.iter_mut().take(libc::IFNAMSIZ - 1);
    for (to, from) in room.zip(link.bytes()) {
        *to = c_char::from_ne_bytes([from]);
    }
    // SAFETY: SIOCGIWESSID takes a `struct iwreq`, whose layout `Request` has, and writes at
    // most `length` bytes (and a NUL, on old kernels) where `pointer` points; `essid` is
    // longer than that and outlives the call.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCGIWESSID as _, &raw mut request) };
    if done != 0 {
        return None;
    }
    let bytes = essid.get(..usize::from(request.length).min(LONGEST))?;
    let name = String::from_utf8_lossy(bytes);
    let name = name.trim_end_matches('\0');
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_has_the_kernels_size() {
        assert_eq!(size_of::<Request>(), 32);
    }

    #[test]
    fn the_loopback_link_is_in_no_wifi_network() {
        assert_eq!(ssid("lo"), None);
        assert_eq!(ssid(&"x".repeat(300)), None);
    }
}
