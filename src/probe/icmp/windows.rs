//! `IcmpSendEcho`, which needs no privileges.

use std::ffi::c_void;
use std::net::{IpAddr, Ipv4Addr};
use std::ptr;

use windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;
use windows_sys::Win32::NetworkManagement::IpHelper::{
    ICMP_ECHO_REPLY, IcmpCloseHandle, IcmpCreateFile, IcmpSendEcho,
};

use super::{no_echo, not_here};
use crate::model::Phase;
use crate::probe::attempt::{Deadline, within};
use crate::probe::failure::Failure;

const DATA: [u8; 16] = *b"goroam-goroam-go";
/// The reply, its data, and the 8 bytes that an ICMP error may need.
const REPLY_SIZE: usize = size_of::<ICMP_ECHO_REPLY>() + DATA.len() + 8;

/// Milliseconds to the answer.
pub(super) async fn echo(deadline: Deadline, address: IpAddr) -> Result<f64, Failure> {
    let IpAddr::V4(v4) = address else {
        return Err(not_here(
            "an IPv6 echo cannot be sent on Windows yet".to_owned(),
        ));
    };
    let millis = u32::try_from(deadline.remaining().as_millis()).unwrap_or(u32::MAX);
    let sent = tokio::task::spawn_blocking(move || send(v4, millis));
    let missing = || no_echo(address);
    let (answered, took) = within(deadline, Phase::FirstByte, missing, sent).await?;
    if answered.unwrap_or_default() {
        Ok(took)
    } else {
        Err(Failure::down(Phase::FirstByte, no_echo(address)))
    }
}

fn send(address: Ipv4Addr, millis: u32) -> bool {
    // SAFETY: takes nothing; the handle is closed below.
    let handle = unsafe { IcmpCreateFile() };
    if handle == INVALID_HANDLE_VALUE {
        return false;
    }
    // In words, for the alignment of ICMP_ECHO_REPLY.
    let mut reply = [0_u64; REPLY_SIZE.div_ceil(8)];
    // SAFETY: both buffers outlive the call, which blocks, and their true sizes are given.
    let replies = unsafe {
        IcmpSendEcho(
            handle,
            u32::from_ne_bytes(address.octets()),
            DATA.as_ptr().cast::<c_void>(),
            16,
            ptr::null(),
            reply.as_mut_ptr().cast::<c_void>(),
            u32::try_from(size_of_val(&reply)).unwrap_or_default(),
            millis,
        )
    };
    // SAFETY: with at least one reply, the buffer begins with an ICMP_ECHO_REPLY, aligned.
    let status =
        (replies > 0).then(|| unsafe { (*reply.as_ptr().cast::<ICMP_ECHO_REPLY>()).Status });
    // SAFETY: the handle is ours and is not used again.
    unsafe { IcmpCloseHandle(handle) };
    status == Some(0)
}
