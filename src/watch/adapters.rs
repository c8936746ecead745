//! Windows: `GetAdaptersAddresses`, without the addresses, which netdev reads.

use windows_sys::Win32::Foundation::{ERROR_BUFFER_OVERFLOW, NO_ERROR};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    GAA_FLAG_SKIP_ANYCAST, GAA_FLAG_SKIP_FRIENDLY_NAME, GAA_FLAG_SKIP_MULTICAST,
    GAA_FLAG_SKIP_UNICAST, GetAdaptersAddresses, IP_ADAPTER_ADDRESSES_LH,
};
use windows_sys::Win32::Networking::WinSock::AF_UNSPEC;

/// Microsoft's advice for the first try is 15 KB.
const FIRST_SIZE: u32 = 16 * 1024;
const MOST_BYTES: u32 = 4 * 1024 * 1024;

/// Shows every adapter that has IPv4 or IPv6; none if the system will not say.
pub(super) fn for_each_adapter(mut visit: impl FnMut(&IP_ADAPTER_ADDRESSES_LH)) {
    let flags = GAA_FLAG_SKIP_ANYCAST
        | GAA_FLAG_SKIP_FRIENDLY_NAME
        | GAA_FLAG_SKIP_MULTICAST
        | GAA_FLAG_SKIP_UNICAST;
    let mut size = FIRST_SIZE;
    while size <= MOST_BYTES {
        // Of 8-byte numbers, so that the structures in it are aligned.
        let mut memory = vec![0_u64; usize::try_from(size / 8).unwrap_or_default() + 1];
        let first = memory.as_mut_ptr().cast::<IP_ADAPTER_ADDRESSES_LH>();
        // SAFETY: `first` points to at least `size` writable, aligned bytes.
        let done = unsafe {
            GetAdaptersAddresses(
                u32::from(AF_UNSPEC),
                flags,
                std::ptr::null(),
                first,
                &raw mut size,
            )
        };
        match done {
            NO_ERROR => {
                let mut next: *const IP_ADAPTER_ADDRESSES_LH = first;
                // SAFETY: the list lies within `memory`, which outlives the loop, and ends
                // with null.
                while let Some(adapter) = unsafe { next.as_ref() } {
                    visit(adapter);
                    next = adapter.Next;
                }
                return;
            }
            // The system has said how much it needs; another adapter may come meanwhile.
            ERROR_BUFFER_OVERFLOW => size = size.saturating_add(FIRST_SIZE),
            _ => return,
        }
    }
}
