//! Windows: the forwarding table, and the three notifications of the IP helper. One of them is
//! not enough: each leaves out what the others report (thombles/netwatcher#14, #24).

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;
use tokio::sync::Notify;
use windows_sys::Win32::Foundation::{HANDLE, NO_ERROR};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    CancelMibChangeNotify2, FreeMibTable, GetIpForwardTable2, MIB_IPFORWARD_ROW2,
    MIB_IPFORWARD_TABLE2, MIB_IPINTERFACE_ROW, MIB_NOTIFICATION_TYPE, MIB_UNICASTIPADDRESS_ROW,
    NotifyIpInterfaceChange, NotifyRouteChange2, NotifyUnicastIpAddressChange,
};
use windows_sys::Win32::Networking::WinSock::{
    AF_INET, AF_INET6, AF_UNSPEC, NlroManual, RouteProtocolLocal, SOCKADDR_INET,
};

use crate::model::{Route, RouteKind, Rule};
use crate::watch::inbox::Hint;
use crate::watch::source::HintSource;
use crate::watch::windows::for_each_adapter;

pub(super) fn tables() -> io::Result<(Vec<Route>, Vec<Rule>)> {
    let mut table: *mut MIB_IPFORWARD_TABLE2 = std::ptr::null_mut();
    // SAFETY: on success the function sets the pointer to a table that is ours to free.
    let done = unsafe { GetIpForwardTable2(AF_UNSPEC, &raw mut table) };
    check(done)?;
    let metrics = interface_metrics();
    // SAFETY: the table holds `NumEntries` rows, one behind the other, from `Table` on; it is
    // neither changed nor freed while `rows` lives.
    let rows = unsafe {
        let count = usize::try_from((*table).NumEntries).unwrap_or_default();
        std::slice::from_raw_parts(
            (&raw const (*table).Table).cast::<MIB_IPFORWARD_ROW2>(),
            count,
        )
    };
    let mut routes: Vec<Route> = rows.iter().filter_map(|row| route(row, &metrics)).collect();
    // SAFETY: the table came from `GetIpForwardTable2`, and nothing refers to it any more.
    unsafe { FreeMibTable(table.cast()) };
    routes.sort();
    routes.dedup();
    Ok((routes, Vec::new()))
}

fn route(row: &MIB_IPFORWARD_ROW2, metrics: &Metrics) -> Option<Route> {
    let destination = address(&row.DestinationPrefix.Prefix)?;
    let destination = IpNet::new(destination, row.DestinationPrefix.PrefixLength).ok()?;
    let next_hop = address(&row.NextHop).filter(|hop| !hop.is_unspecified());
    // The subnet of an own address, the address itself, its broadcast address: the system
    // makes them, on-link, as "local". What a person or a VPN adds on-link is "manual".
    let made_by_system = row.Protocol == RouteProtocolLocal || row.Origin != NlroManual;
    let own = next_hop.is_none() && destination.prefix_len() != 0 && made_by_system;
    if row.Loopback || own || is_local(&destination) {
        return None;
    }
    Some(Route {
        destination: destination.trunc(),
        metric: row
            .Metric
            .saturating_add(interface_metric(row, &destination, metrics)),
        gateway: next_hop,
        link: row.InterfaceIndex,
        table: 0,
        kind: RouteKind::Unicast,
    })
}

/// IPv4 and IPv6, by the interface's number.
type Metrics = BTreeMap<u32, (u32, u32)>;

fn interface_metrics() -> Metrics {
    let mut metrics = Metrics::new();
    for_each_adapter(|adapter| {
        // SAFETY: the union holds a number, or a length and a number, of which any are valid.
        let v4_index = unsafe { adapter.Anonymous1.Anonymous.IfIndex };
        let both = (adapter.Ipv4Metric, adapter.Ipv6Metric);
        // Zero where that family is off.
        for index in [v4_index, adapter.Ipv6IfIndex] {
            metrics.insert(index, both);
        }
    });
    metrics
}

/// Windows chooses by the sum of the route's metric and its interface's.
fn interface_metric(row: &MIB_IPFORWARD_ROW2, destination: &IpNet, metrics: &Metrics) -> u32 {
    let (v4, v6) = metrics
        .get(&row.InterfaceIndex)
        .copied()
        .unwrap_or_default();
    match destination {
        IpNet::V4(_) => v4,
        IpNet::V6(_) => v6,
    }
}

fn address(socket: &SOCKADDR_INET) -> Option<IpAddr> {
    // SAFETY: every member of the union begins with the family, which says which one it is;
    // the rest is plain numbers, of which any are valid.
    unsafe {
        match socket.si_family {
            AF_INET => {
                let raw = socket.Ipv4.sin_addr.S_un.S_addr;
                Some(IpAddr::from(raw.to_ne_bytes()))
            }
            AF_INET6 => Some(Ipv6Addr::from(socket.Ipv6.sin6_addr.u.Byte).into()),
            _ => None,
        }
    }
}

fn is_local(destination: &IpNet) -> bool {
    match destination {
        IpNet::V4(v4) => {
            let ip = v4.addr();
            ip.is_loopback() || ip.is_multicast() || ip.is_broadcast()
        }
        IpNet::V6(v6) => {
            let ip = v6.addr();
            ip.is_loopback() || ip.is_multicast() || ip.is_unicast_link_local()
        }
    }
}

fn check(done: u32) -> io::Result<()> {
    if done == NO_ERROR {
        return Ok(());
    }
    Err(io::Error::from_raw_os_error(done.cast_signed()))
}

/// The system's notifications about interfaces, addresses and routes.
pub(in crate::watch) struct RouteMessages {
    arrived: Arc<Notify>,
    /// Kept for what it does when it is dropped.
    _registrations: Vec<Registration>,
}

impl HintSource for RouteMessages {
    const NAME: &'static str = "route messages";

    fn open() -> io::Result<RouteMessages> {
        let arrived = Arc::new(Notify::new());
        let registrations = vec![
            // SAFETY: the callback has the type that the function wants, and reads its context
            // as the `Notify` that `register` hands over.
            register(&arrived, |context, handle| unsafe {
                NotifyRouteChange2(AF_UNSPEC, Some(on_route), context, false, handle)
            })?,
            // SAFETY: as above.
            register(&arrived, |context, handle| unsafe {
                NotifyUnicastIpAddressChange(AF_UNSPEC, Some(on_address), context, false, handle)
            })?,
            // SAFETY: as above.
            register(&arrived, |context, handle| unsafe {
                NotifyIpInterfaceChange(AF_UNSPEC, Some(on_interface), context, false, handle)
            })?,
        ];
        Ok(RouteMessages {
            arrived,
            _registrations: registrations,
        })
    }

    async fn next(&mut self) -> io::Result<Hint> {
        self.arrived.notified().await;
        Ok(Hint::Network)
    }
}

/// One notification; ends when it is dropped.
struct Registration {
    /// A `HANDLE`, as a number so that it may go to another thread, which Windows allows.
    handle: usize,
    /// The callback's context; must live until the registration has ended.
    _context: Arc<Notify>,
}

fn register(
    arrived: &Arc<Notify>,
    call: impl FnOnce(*const c_void, *mut HANDLE) -> u32,
) -> io::Result<Registration> {
    let context = Arc::clone(arrived);
    let mut handle: HANDLE = std::ptr::null_mut();
    check(call(Arc::as_ptr(&context).cast(), &raw mut handle))?;
    Ok(Registration {
        handle: handle as usize,
        _context: context,
    })
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: the handle came from a registration and is cancelled once. The function
        // waits for a callback that runs just now, so the context is not used afterwards.
        unsafe { CancelMibChangeNotify2(self.handle as HANDLE) };
    }
}

unsafe extern "system" fn on_route(
    context: *const c_void,
    _row: *const MIB_IPFORWARD_ROW2,
    _kind: MIB_NOTIFICATION_TYPE,
) {
    // SAFETY: the context is the `Notify` of the registration, which is still there.
    unsafe { wake(context) }
}

unsafe extern "system" fn on_address(
    context: *const c_void,
    _row: *const MIB_UNICASTIPADDRESS_ROW,
    _kind: MIB_NOTIFICATION_TYPE,
) {
    // SAFETY: the context is the `Notify` of the registration, which is still there.
    unsafe { wake(context) }
}

unsafe extern "system" fn on_interface(
    context: *const c_void,
    _row: *const MIB_IPINTERFACE_ROW,
    _kind: MIB_NOTIFICATION_TYPE,
) {
    // SAFETY: the context is the `Notify` of the registration, which is still there.
    unsafe { wake(context) }
}

/// # Safety
/// `context` must point to a live `Notify`.
unsafe fn wake(context: *const c_void) {
    // SAFETY: promised by the caller.
    let arrived = unsafe { &*context.cast::<Notify>() };
    // Keeps a permit if no task waits just now, so nothing is lost between two waits.
    arrived.notify_one();
}
