//! `IcmpSendEcho` and `Icmp6SendEcho2`, which need no privileges.

use std::ffi::c_void;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;

use windows_sys::Win32::Foundation::{HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    ICMP_ECHO_REPLY, ICMPV6_ECHO_REPLY_LH, IP_SUCCESS, Icmp6CreateFile, Icmp6SendEcho2,
    IcmpCloseHandle, IcmpCreateFile, IcmpSendEcho,
};
use windows_sys::Win32::Networking::WinSock::{AF_INET6, SOCKADDR_IN6};
use windows_sys::Win32::System::IO::IO_STATUS_BLOCK;

use super::attempt::{Deadline, within};
use super::fault::{ProbeFailure, down, refusal};
use crate::model::Phase;

const DATA: [u8; 16] = *b"goroam-goroam-go";
const DATA_SIZE: u16 = 16;
/// The larger of the two replies, its data, the 8 bytes that an ICMP error may need, and what
/// `Icmp6SendEcho2` needs for itself.
const REPLY_SIZE: usize = size_of::<ICMP_ECHO_REPLY>()
    + size_of::<ICMPV6_ECHO_REPLY_LH>()
    + DATA.len()
    + 8
    + size_of::<IO_STATUS_BLOCK>();

/// Sends an echo request; returns the milliseconds until the answer.
pub(super) async fn echo(deadline: Deadline, address: IpAddr) -> Result<f64, ProbeFailure> {
    let millis = u32::try_from(deadline.remaining().as_millis()).unwrap_or(u32::MAX);
    let sent = tokio::task::spawn_blocking(move || match address {
        IpAddr::V4(v4) => send_v4(v4, millis),
        IpAddr::V6(v6) => send_v6(v6, millis),
    });
    let missing = || format!("no echo from {address}");
    let (answered, took) = within(deadline, Phase::FirstByte, missing, sent).await?;
    match answered.ok().flatten() {
        Some(true) => Ok(took),
        Some(false) => Err(down(Phase::FirstByte, format!("no echo from {address}"))),
        None => {
            let reason = format!("this system does not send an echo to {address}");
            Err(refusal(Phase::Connect, reason))
        }
    }
}

/// Reports whether there was an answer. `None`: nothing could be sent.
fn send_v4(address: Ipv4Addr, millis: u32) -> Option<bool> {
    // SAFETY: takes nothing; `Echo` closes the handle.
    let mut echo = Echo::with(unsafe { IcmpCreateFile() })?;
    // SAFETY: both buffers outlive the call, which blocks, and their true sizes are given.
    let replies = unsafe {
        IcmpSendEcho(
            echo.handle,
            u32::from_ne_bytes(address.octets()),
            DATA.as_ptr().cast::<c_void>(),
            DATA_SIZE,
            ptr::null(),
            echo.reply.as_mut_ptr().cast::<c_void>(),
            echo.size(),
            millis,
        )
    };
    if replies == 0 {
        return Some(false);
    }
    // SAFETY: with at least one reply, the buffer begins with an ICMP_ECHO_REPLY, aligned.
    let status = unsafe { (*echo.reply.as_ptr().cast::<ICMP_ECHO_REPLY>()).Status };
    Some(status == IP_SUCCESS)
}

/// Does the same for IPv6.
fn send_v6(address: Ipv6Addr, millis: u32) -> Option<bool> {
    // SAFETY: takes nothing; `Echo` closes the handle.
    let mut echo = Echo::with(unsafe { Icmp6CreateFile() })?;
    // The unspecified address: the system chooses the source address.
    let from = SOCKADDR_IN6 {
        sin6_family: AF_INET6,
        ..SOCKADDR_IN6::default()
    };
    let mut to = from;
    to.sin6_addr.u.Byte = address.octets();
    // SAFETY: without an event and a routine the call blocks; addresses and buffers outlive
    // it, and the buffers' true sizes are given.
    let replies = unsafe {
        Icmp6SendEcho2(
            echo.handle,
            ptr::null_mut(),
            None,
            ptr::null(),
            &raw const from,
            &raw const to,
            DATA.as_ptr().cast::<c_void>(),
            DATA_SIZE,
            ptr::null(),
            echo.reply.as_mut_ptr().cast::<c_void>(),
            echo.size(),
            millis,
        )
    };
    if replies == 0 {
        return Some(false);
    }
    // SAFETY: with at least one reply, the buffer begins with an ICMPV6_ECHO_REPLY, aligned.
    let status = unsafe { (*echo.reply.as_ptr().cast::<ICMPV6_ECHO_REPLY_LH>()).Status };
    Some(status == IP_SUCCESS)
}

/// A handle to send with, and the buffer for the answer.
struct Echo {
    handle: HANDLE,
    /// Made of 64-bit words, to align the replies.
    reply: [u64; REPLY_SIZE.div_ceil(8)],
}

impl Echo {
    fn with(handle: HANDLE) -> Option<Echo> {
        let reply = [0; REPLY_SIZE.div_ceil(8)];
        // `then_some` would always make an `Echo`, and drop it.
        (handle != INVALID_HANDLE_VALUE).then(|| Echo { handle, reply })
    }

    fn size(&self) -> u32 {
        u32::try_from(size_of_val(&self.reply)).unwrap_or_default()
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // SAFETY: the handle came from Icmp(6)CreateFile and is closed once.
        unsafe { IcmpCloseHandle(self.handle) };
    }
}
