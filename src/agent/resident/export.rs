//! Sending of traces and metrics, beside the loop.

use super::Agent;
use crate::agent::health::{Exported, Sending};

impl Agent {
    /// Starts an export if a turn has ended since the last one, and neither a round nor an export is
    /// under way.
    pub(in crate::agent) fn export_if_due(&mut self) {
        if self.work.is_some() || self.sending.is_some() {
            return;
        }
        let status = self.last_published().clone();
        let export = self.session.export(&status);
        self.sending = export.map(|export| Box::pin(export.send()) as Sending);
    }

    /// Waits for the end of the export; forever if there is none. Cancel-safe: it continues.
    pub(in crate::agent) async fn sent(sending: &mut Option<Sending>) -> Exported {
        match sending {
            Some(sending) => sending.as_mut().await,
            None => std::future::pending().await,
        }
    }

    /// Notes the end of the export.
    pub(in crate::agent) fn exported(&mut self, exported: Exported) {
        self.sending = None;
        self.session.exported(exported);
        self.publish_status();
    }
}
