//! go's requests of the checksum database.

use super::epoch::Epoch;
use super::rules::hop::HopClass;
use super::rules::reply::Refusal;
use super::rules::request::{ProxyRequest, SumDbFile};
use super::spool::Content;
use super::walk::{DatabaseHops, Reply};
use crate::gomod::ModuleVersion;

/// Answers a request of the checksum database. go asks `supported` once, and never asks another
/// server afterwards: every file must come, or the reason.
pub(super) async fn answer(
    epoch: &Epoch,
    request: &ProxyRequest,
    name: &str,
    rest: &SumDbFile,
    path: &str,
) -> Reply {
    let checksums = epoch.checksums.as_ref();
    let Some(checksums) = checksums.filter(|checksums| checksums.name() == name) else {
        // GOSUMDB of this go is another one: go asks that database itself.
        return Reply::Refused(Refusal::new(404, "this relay does not serve that database"));
    };
    let source = DatabaseHops { epoch };
    let (proven, is_private) = match rest {
        // A go with the relay's variables never asks, and the name must not leave.
        SumDbFile::Lookup(module, _) if epoch.setup.no_sumdb.matches(module) => {
            let why = "GONOSUMDB covers this path: no checksum database is asked about it";
            return Reply::Refused(Refusal::new(403, why));
        }
        SumDbFile::Lookup(module, version) => {
            let is_private = epoch.setup.chain.is_private(module);
            let module = ModuleVersion::new(module.as_str(), version.as_str());
            if is_private {
                (None, true)
            } else {
                (checksums.lookup(&module, &source).await, false)
            }
        }
        SumDbFile::Tile(tile) => (checksums.tile(&format!("tile/{tile}")).await, false),
        SumDbFile::Supported | SumDbFile::Latest => (None, false),
    };
    if let Some(bytes) = proven {
        return Reply::File {
            content: Content::Memory(bytes),
            class: HopClass::Public,
        };
    }
    let reply = source.walk(request, path, is_private).reply().await;
    match reply {
        // go would take 502 for a fault of the relay, and ask the next element of GOPROXY.
        Reply::Refused(refusal) if *rest == SumDbFile::Supported && refusal.status == 502 => {
            Reply::Refused(Refusal {
                status: 403,
                ..refusal
            })
        }
        reply @ (Reply::File { .. } | Reply::Refused(_)) => reply,
    }
}
