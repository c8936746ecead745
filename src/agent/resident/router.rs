//! Two networks with equal numbers are two. The router's own address tells them apart; it becomes
//! known with the first probes on a network.

use tracing::info;

use super::Agent;
use crate::agent::command::Cause;
use crate::model::Snapshot;
use crate::watch::router;

impl Agent {
    /// After a round: reads who the router is, if that was not known. Reports whether the network
    /// was taken for another one until now.
    pub(super) fn meet_router(&mut self, snapshot: &mut Snapshot) -> bool {
        if snapshot.router.is_some() {
            return false;
        }
        let memory = &self.session.memory;
        let assumed = memory.network_id(snapshot);
        snapshot.router = router(snapshot);
        self.snapshot.router.clone_from(&snapshot.router);
        assumed != memory.network_id(snapshot) && assumed != snapshot.identity()
    }

    /// The round has used what is known of another network, such as which zips arrive there. Another
    /// round follows at once, which uses nothing of it.
    pub(super) fn prove_again(&mut self) {
        info!("another network with the same addresses: its router is another one");
        let memory = &mut self.session.memory;
        if let Some(network) = memory.network_id(&self.snapshot) {
            memory.zips.remove(&network);
            memory.fastest.remove(&network);
        }
        self.next_round = Some(Cause::Network);
    }
}
