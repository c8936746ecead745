//! The hash that a file must have, and whether it has it.

use std::time::Duration;

use super::checksum::DatabaseSource;
use super::epoch::Epoch;
use super::rules::hop::{Failure, FailureKind, HopClass};
use super::rules::request::{ModuleFile, ProxyRequest};
use super::spool::Content;
use crate::gomod::ModuleVersion;
use crate::gomod::go_sum::Hashed;
use crate::gomod::sum::hash_go_mod;
use crate::model::Cause;

/// A verification waits this long for the checksum database.
pub(super) const PROOF_LIMIT: Duration = Duration::from_secs(10);

impl Epoch {
    /// Compares a file with the hash that is known of it. A local tree is not compared: go does
    /// that, and no other hop would be right.
    pub(super) async fn verify(
        &self,
        class: HopClass,
        request: &ProxyRequest,
        content: &Content,
        database: &dyn DatabaseSource,
    ) -> Option<Failure> {
        let ProxyRequest::Module { module, file } = request else {
            return None;
        };
        let (version, of) = match file {
            ModuleFile::Mod(version) => (version, Hashed::GoMod),
            ModuleFile::Zip(version) => (version, Hashed::Zip),
            ModuleFile::List | ModuleFile::Latest | ModuleFile::Info(_) => return None,
        };
        if class == HopClass::Local {
            return None;
        }
        let version = ModuleVersion::new(module.as_str(), version.as_str());
        let found = match of {
            Hashed::GoMod => hash_go_mod(&content.bytes()),
            Hashed::Zip => {
                let zip = content.clone();
                let hash = tokio::task::spawn_blocking(move || zip.zip_hash()).await;
                match hash {
                    Ok(Ok(hash)) => hash,
                    Ok(Err(error)) => {
                        let why = format!("sends a damaged zip: {}", error.why);
                        return Some(Failure::new(FailureKind::Fast, why).by(Cause::Corrupt));
                    }
                    Err(_) => {
                        let why = "sends a zip that goroam could not read to its end";
                        return Some(Failure::new(FailureKind::Fast, why));
                    }
                }
            }
        };
        let (expected, by) = self.expected(class, &version, of, database).await?;
        (expected != found).then(|| {
            Failure::new(
                FailureKind::WrongContent,
                format!("sends wrong content: {found}, but {by} has {expected}"),
            )
        })
    }

    /// The hash that a file must have, and who says so.
    async fn expected(
        &self,
        class: HopClass,
        version: &ModuleVersion,
        of: Hashed,
        database: &dyn DatabaseSource,
    ) -> Option<(String, String)> {
        if let Some(hash) = self.go_sum.get(&(version.clone(), of)) {
            return Some((hash.clone(), "go.sum".to_owned()));
        }
        let setup = &self.setup;
        let is_covered =
            setup.chain.is_private(&version.path) || setup.no_sumdb.matches(&version.path);
        if class != HopClass::Public || is_covered {
            return None;
        }
        let checksums = self.checksums.as_ref()?;
        let hash = checksums.hash(version, of, database);
        let hash = tokio::time::timeout(PROOF_LIMIT, hash).await.ok()??;
        Some((hash, checksums.name().to_owned()))
    }
}
