//! macOS: the dynamic store of SystemConfiguration. `/etc/resolv.conf` is only a copy of it,
//! for programs that know nothing better.

use std::path::{Path, PathBuf};

use system_configuration::core_foundation::array::CFArray;
use system_configuration::core_foundation::base::{CFType, TCFType as _};
use system_configuration::core_foundation::dictionary::CFDictionary;
use system_configuration::core_foundation::propertylist::CFPropertyList;
use system_configuration::core_foundation::string::CFString;
use system_configuration::dynamic_store::SCDynamicStoreBuilder;

use crate::model::Resolver;
use crate::watch::resolv_conf::{self, MOST_SERVERS};

/// configd rewrites it whenever the store's DNS entry changes.
const COPY: &str = "/var/run/resolv.conf";
const KEY: &str = "State:/Network/Global/DNS";

/// The configuration as it is now; empty if there is none. Looks up no name.
pub(in crate::watch) fn resolver() -> Resolver {
    let copy = || resolv_conf::read(Path::new(COPY), MOST_SERVERS);
    from_store().or_else(copy).unwrap_or_default()
}

/// configd itself says when it changes (`macos.rs`).
pub(in crate::watch) fn resolver_files() -> Vec<PathBuf> {
    Vec::new()
}

fn from_store() -> Option<Resolver> {
    let store = SCDynamicStoreBuilder::new("goroam").build()?;
    let Some(entry) = store.get(KEY) else {
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

/// The strings of an array, or the one that stands alone.
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
