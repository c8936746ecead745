//! Probes a checksum database, directly or through a proxy: only its signature counts.

use url::Url;

use super::answer::WantedBody;
use super::fault::{ProbeFailure, ProbeOutcome, authority, refusal, wrong};
use super::goproxy::{base_url, below, expect_ok};
use super::session::ProbeSession;
use crate::gomod::sum::{LookupRecord, Note, NoteError, TreeHead, check_key};
use crate::model::target::{DEFAULT_MODULE, DEFAULT_SUM};
use crate::model::{Phase, Proof, SumDb, VerifierKey};

/// A tree head has some 200 bytes, a lookup some 400.
const MAX_NOTE: usize = 64 * 1024;

/// Asks for the tree head. If that is not served (go itself never asks for it, so a proxy may not
/// pass it on), asks for the record of a module whose hash is known.
pub(super) async fn probe(
    session: &mut ProbeSession<'_>,
    db: &SumDb,
    via: Option<&str>,
) -> ProbeOutcome {
    let SumDb::Database { key, url, .. } = db else {
        let reason = "GOSUMDB is off: there is no database to ask";
        return Err(refusal(Phase::Content, reason));
    };
    check_key(key).map_err(|error| judge(&error))?;
    let base = match (via, url) {
        (Some(proxy), _) => through(session, proxy, key).await?,
        (None, Some(url)) => base_url(url)?,
        (None, None) => base_url(&format!("https://{}", key.name))?,
    };
    let latest = session
        .follow(&below(&base, "latest"), WantedBody::Body(MAX_NOTE), true)
        .await?;
    let (tree, how) = if matches!(latest.status.as_u16(), 404 | 410) {
        (
            look_up(session, &base, key).await?,
            ", which holds golang.org/x/text",
        )
    } else {
        expect_ok(session, &latest, "tree head").map_err(|failure| named(failure, key, &base))?;
        let tree = Note::parse(&latest.body)
            .and_then(|note| note.verify(key))
            .and_then(TreeHead::parse)
            .map_err(|error| latest.explain(judge(&error), "a signed tree head"))?;
        (tree, "")
    };
    let proof = session.proof(&base).max(Proof::Signed);
    let reason = format!("tree of {} records, signed by {}{how}", tree.size, key.name);
    Ok((reason, proof))
}

/// Returns `PROXY/sumdb/NAME`, if the proxy reports that it supports it
/// (`modfetch/sumdb.go:initBase`).
async fn through(
    session: &mut ProbeSession<'_>,
    proxy: &str,
    key: &VerifierKey,
) -> Result<Url, ProbeFailure> {
    let base = below(&base_url(proxy)?, &format!("sumdb/{}", key.name));
    // go does not read the body, so this does not either: the next request shows the result.
    let supported = session
        .follow(&below(&base, "supported"), WantedBody::Body(MAX_NOTE), true)
        .await?;
    match supported.status.as_u16() {
        200 => Ok(base),
        404 | 410 => Err(refusal(
            Phase::Content,
            format!(
                "does not pass {} on ({})",
                key.name,
                supported.status_line()
            ),
        )),
        _ => {
            expect_ok(session, &supported, "/supported")
                .map_err(|failure| named(failure, key, &base))?;
            Ok(base)
        }
    }
}

async fn look_up(
    session: &mut ProbeSession<'_>,
    base: &Url,
    key: &VerifierKey,
) -> Result<TreeHead, ProbeFailure> {
    let (module, version) = DEFAULT_MODULE;
    let url = below(base, &format!("lookup/{module}@{version}"));
    let answer = session
        .follow(&url, WantedBody::Body(MAX_NOTE), true)
        .await?;
    expect_ok(
        session,
        &answer,
        &format!("tree head and no {module}@{version}"),
    )
    .map_err(|failure| named(failure, key, base))?;
    let tree = LookupRecord::parse(&answer.body).and_then(|record| {
        let tree = record.tree.verify(key).and_then(TreeHead::parse)?;
        Ok((record, tree))
    });
    let (record, tree) = tree.map_err(|error| answer.explain(judge(&error), "a record"))?;
    if record.holds(&format!("{module} {version}/go.mod {DEFAULT_SUM}")) {
        return Ok(tree);
    }
    Err(wrong(
        Phase::Content,
        format!("its record of {module}@{version} does not have the known hash"),
    ))
}

/// Names the database: it is the one that fails, not a proxy or a mirror on the same host.
fn named(failure: ProbeFailure, key: &VerifierKey, base: &Url) -> ProbeFailure {
    let by = match authority(base) {
        host if host == key.name => String::new(),
        host => format!(" (at {host})"),
    };
    ProbeFailure {
        reason: format!("checksum database {}{by} {}", key.name, failure.reason),
        ..failure
    }
}

fn judge(error: &NoteError) -> ProbeFailure {
    wrong(Phase::Content, error.to_string())
}
