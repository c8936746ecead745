//! The forwarding table, and the three notifications of the IP helper. One notification is not
//! enough: each omits changes that the others report (thombles/netwatcher#14, #24).

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::io;
use std::sync::Arc;

use ipnet::IpNet;
use tokio::sync::Notify;
use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::NetworkManagement::IpHelper::{
    CancelMibChangeNotify2, FreeMibTable, GetIpForwardTable2, MIB_IPFORWARD_ROW2,
    MIB_IPFORWARD_TABLE2, MIB_NOTIFICATION_TYPE, NotifyIpInterfaceChange, NotifyRouteChange2,
    NotifyUnicastIpAddressChange,
};
use windows_sys::Win32::Networking::WinSock::{AF_UNSPEC, NlroManual, RouteProtocolLocal};

use super::adapter::{address, check, for_each_adapter};
use crate::model::{Route, RouteKind, Rule};
use crate::watch::kinds::is_local;
use crate::watch::source::{Hint, HintSource};

/// Returns the routes that carry information, sorted; there are no rules.
pub(in crate::watch) fn tables() -> io::Result<(Vec<Route>, Vec<Rule>)> {
    let mut table: *mut MIB_IPFORWARD_TABLE2 = std::ptr::null_mut();
    // SAFETY: on success the function sets the pointer to a table that the caller must free.
    let done = unsafe { GetIpForwardTable2(AF_UNSPEC, &raw mut table) };
    check(done)?;
    let metrics = interface_metrics();
    // SAFETY: the table has `NumEntries` rows in sequence, starting at `Table`; it is neither
    // changed nor freed while `rows` lives.
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
    // SAFETY: both are whole `SOCKADDR_INET`s.
    let (to, next_hop) = unsafe {
        (
            address(&row.DestinationPrefix.Prefix)?,
            address(&row.NextHop),
        )
    };
    let destination = IpNet::new(to, row.DestinationPrefix.PrefixLength).ok()?;
    let next_hop = next_hop.filter(|hop| !hop.is_unspecified());
    // The system creates the subnet of an own address, the address itself and its broadcast
    // address, on-link, as "local". What a person or a VPN adds on-link is "manual".
    let made_by_system = row.Protocol == RouteProtocolLocal || row.Origin != NlroManual;
    let own = next_hop.is_none() && destination.prefix_len() != 0 && made_by_system;
    if row.Loopback || own || is_local(&destination) {
        return None;
    }
    // Windows chooses by the sum of the route's metric and its interface's.
    let (v4, v6) = metrics
        .get(&row.InterfaceIndex)
        .copied()
        .unwrap_or_default();
    let metric = if destination.addr().is_ipv4() { v4 } else { v6 };
    Some(Route {
        destination: destination.trunc(),
        metric: row.Metric.saturating_add(metric),
        gateway: next_hop,
        link: row.InterfaceIndex,
        table: 0,
        kind: RouteKind::Unicast,
    })
}

/// The metrics for IPv4 and IPv6, by interface number.
type Metrics = BTreeMap<u32, (u32, u32)>;

fn interface_metrics() -> Metrics {
    let mut metrics = Metrics::new();
    for_each_adapter(|adapter| {
        // SAFETY: the union holds a number, or a length and a number, of which any are valid.
        let v4_index = unsafe { adapter.Anonymous1.Anonymous.IfIndex };
        let both = (adapter.Ipv4Metric, adapter.Ipv6Metric);
        // Zero if that family is off.
        for index in [v4_index, adapter.Ipv6IfIndex] {
            metrics.insert(index, both);
        }
    });
    metrics
}

/// The system's notifications about interfaces, addresses and routes.
pub(super) struct RouteMessages {
    arrived: Arc<Notify>,
    /// Kept for its destructor.
    _registrations: Vec<Registration>,
}

impl HintSource for RouteMessages {
    const NAME: &'static str = "route messages";

    fn open() -> io::Result<RouteMessages> {
        let arrived = Arc::new(Notify::new());
        let registrations = vec![
            // SAFETY: the callback has the type that the function requires, and reads its context
            // as the `Notify` that `register` passes.
            register(&arrived, |context, handle| unsafe {
                NotifyRouteChange2(AF_UNSPEC, Some(on_change), context, false, handle)
            })?,
            // SAFETY: as above.
            register(&arrived, |context, handle| unsafe {
                NotifyUnicastIpAddressChange(AF_UNSPEC, Some(on_change), context, false, handle)
            })?,
            // SAFETY: as above.
            register(&arrived, |context, handle| unsafe {
                NotifyIpInterfaceChange(AF_UNSPEC, Some(on_change), context, false, handle)
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
    /// A `HANDLE`, as a number so that it may be sent to another thread, which Windows allows.
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
        // SAFETY: the handle came from a registration and is cancelled once. The function waits for
        // a running callback, so the context is not used afterwards.
        unsafe { CancelMibChangeNotify2(self.handle as HANDLE) };
    }
}

/// # Safety
/// `context` must point to a live `Notify`.
unsafe extern "system" fn on_change<Row>(
    context: *const c_void,
    _row: *const Row,
    _kind: MIB_NOTIFICATION_TYPE,
) {
    // SAFETY: guaranteed by the caller.
    let arrived = unsafe { &*context.cast::<Notify>() };
    // Keeps a permit if no task is waiting now, so nothing is lost between two waits.
    arrived.notify_one();
}
