//! `goroam fleet sign`

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::args::Sign;
use super::shared::{Verified, beside, complain, exit_of, location, place, read};
use crate::agent::random_id;
use crate::cli::{Context, Failure};
use crate::gomod::sum::sha256_hex;
use crate::policy::file::header;
use crate::policy::fleet::{
    MOST_BODY, MOST_SIGNATURE, PolicyHeader, Refusal, check_draft, content_hash, set_keys, signer,
};
use crate::state::file::{replace, replace_readable};

/// A policy is to be signed again before this long, even if nothing changes.
const USUAL: Duration = Duration::from_secs(42 * 86_400);
/// A date that is nearer than this is replaced.
const NEAR: Duration = Duration::from_secs(7 * 86_400);

/// Numbers, checks and signs a policy.
pub(super) fn run(context: &Context, args: &Sign) -> Result<u8, Failure> {
    let file = &args.file;
    let draft = read(file, MOST_BODY)?;
    let draft = String::from_utf8(draft)
        .map_err(|_| Failure::usage(format_args!("{} is not UTF-8", file.display())))?;
    let before = header(&draft);
    if before.id.is_none() {
        return Err(Failure::usage(format_args!(
            "{} has no name: write [policy], and id = \"…\" below it",
            file.display()
        )));
    }
    let text = numbered(&draft, &before, args, context.page.now)?;
    complain(context, file, &text);
    check(context, args, &text, "")?;
    let stamped = header(&text);
    let version = stamped.version.unwrap_or_default();
    let copy = kept(file, version);
    if copy.symlink_metadata().is_ok() {
        let (name, copy) = (file.display(), copy.display());
        let message = format!(
            "{name} was not signed: {copy} is there, so version {version} was signed before, and \
             machines refuse another policy of that version; write a higher version into {name}"
        );
        return Err(Failure::usage(message));
    }
    let signature = signed(args, &stamped, &text)?;
    check(
        context,
        args,
        &text,
        &signer(&signature).unwrap_or_default(),
    )?;
    // Machines outside of the next roll-out stay with these bytes.
    for path in [copy, file.clone()] {
        put(&beside(&path), signature.as_bytes())?;
        put(&path, text.as_bytes())?;
    }
    Verified::of(file, stamped, &signature).show(context, args.format.json, "signed")
}

/// Returns the text with the next version, its dates, and its roll-out.
fn numbered(
    draft: &str,
    before: &PolicyHeader,
    args: &Sign,
    now: Timestamp,
) -> Result<String, Failure> {
    let file = &args.file;
    let failed = |why: String| Failure::usage(format_args!("{}: {why}", file.display()));
    let last = before.version.unwrap_or(0);
    let text_of_last = read(&kept(file, last), MOST_BODY).ok();
    let text_of_last = text_of_last.and_then(|bytes| String::from_utf8(bytes).ok());
    let later = |span: Duration| {
        let span = SignedDuration::try_from(span).unwrap_or_default();
        now.checked_add(span).unwrap_or(now)
    };
    let stays = before.expires.filter(|expires| *expires > later(NEAR));
    let expires = match (args.expires, stays) {
        (Some(span), _) => later(span),
        (None, Some(expires)) => expires,
        (None, None) => later(USUAL),
    };
    let Some(next) = i64::try_from(last)
        .ok()
        .and_then(|last| last.checked_add(1))
    else {
        return Err(failed(format!(
            "no version is higher than {last}, so machines could take no later one"
        )));
    };
    let values = [
        ("version", next.to_string()),
        ("issued", in_seconds(now)),
        ("expires", in_seconds(expires)),
    ];
    let mut text = set_keys(draft, "policy", &values).map_err(failed)?;
    let percent = args
        .percent
        .or(before.rollout.as_ref().map(|rollout| rollout.percent));
    let Some(percent) = percent else {
        return Ok(text);
    };
    if before.rollout.is_none() && !text.contains("[policy.rollout]") {
        let at = end_of_policy(&text);
        text.insert_str(at, "\n[policy.rollout]\n");
    }
    let mut values = vec![("percent", percent.to_string())];
    // Of the same content more and more machines have to be chosen; of other content, others.
    let is_new = text_of_last.as_deref().map(content_hash) != Some(content_hash(draft));
    let rollout = before.rollout.as_ref();
    if is_new || rollout.is_none_or(|rollout| rollout.salt.is_empty()) {
        values.push(("salt", format!("{:?}", salt())));
        if let Some(last_text) = &text_of_last {
            let sha256 = sha256_hex(last_text.as_bytes());
            let previous = format!("{{ version = {last}, sha256 = {sha256:?} }}");
            values.push(("previous", previous));
        } else if percent < 100 {
            return Err(failed(format!(
                "a share of the machines needs a version to stay with, and {} is missing",
                kept(file, last).display()
            )));
        }
    }
    set_keys(&text, "policy.rollout", &values).map_err(failed)
}

/// Returns where `[policy]` ends if it is the first section behind other lines, or else the end of the
/// text: TOML allows a part of it there, too.
fn end_of_policy(text: &str) -> usize {
    let mut sections = text.match_indices("\n[").map(|(at, _)| at);
    let is_policy = |at: &usize| {
        text.get(*at..)
            .unwrap_or_default()
            .starts_with("\n[policy]")
    };
    let behind = sections.next().filter(is_policy).and(sections.next());
    behind.unwrap_or(text.len())
}

/// Checks the text as each machine will, once this key has signed it.
fn check(context: &Context, args: &Sign, text: &str, key: &str) -> Result<(), Failure> {
    let (absolute, home) = place(context, &args.file);
    let checked = check_draft(
        text,
        key,
        location(&absolute, home.as_deref()),
        args.allow_weaker,
    );
    checked.map_err(|refused| {
        let is_weaker = refused.why == Refusal::Weaker;
        let consent = is_weaker.then_some("; to sign it for those, use --allow-weaker");
        let consent = consent.unwrap_or_default();
        let name = args.file.display();
        let message = format!("{name} was not signed: {}{consent}", refused.reason);
        Failure::said(message, exit_of(refused.why))
    })
}

/// Has minisign sign the text, and returns the signature.
fn signed(args: &Sign, header: &PolicyHeader, text: &str) -> Result<String, Failure> {
    let failed =
        |why: String| Failure::failed(format_args!("cannot sign {}: {why}", args.file.display()));
    let folder = tempfile::tempdir().map_err(|error| failed(error.to_string()))?;
    let name = args.file.file_name().unwrap_or_default();
    let copy = folder.path().join(name);
    replace(&copy, text.as_bytes()).map_err(|error| failed(error.to_string()))?;
    let comment = format!(
        "goroam-policy {} {}",
        header.id.as_deref().unwrap_or_default(),
        header.version.unwrap_or_default()
    );
    let mut tool = Command::new("minisign");
    tool.arg("-S");
    if let Some(key) = &args.secret_key {
        tool.arg("-s").arg(key);
    }
    tool.args(["-t", &comment]).arg("-m").arg(&copy);
    // It may ask for the key's password; its own words are no part of the result.
    let status = tool.stdout(std::io::stderr()).status();
    let status = status.map_err(|error| {
        failed(if error.kind() == ErrorKind::NotFound {
            "there is no `minisign` in PATH; install the package minisign".to_owned()
        } else {
            error.to_string()
        })
    })?;
    if !status.success() {
        return Err(failed(format!(
            "minisign ended with {status}; nothing was changed"
        )));
    }
    let signature = read(&beside(&copy), MOST_SIGNATURE)?;
    String::from_utf8(signature).map_err(|_| failed("its signature is not text".to_owned()))
}

/// Returns the path of a version's copy: `policy-41.toml`.
fn kept(file: &Path, version: u64) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let name = match file.extension() {
        Some(end) => format!("{stem}-{version}.{}", end.to_string_lossy()),
        None => format!("{stem}-{version}"),
    };
    file.with_file_name(name)
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let put = replace_readable(path, bytes);
    put.map(drop)
        .map_err(|error| Failure::failed(format_args!("cannot write {}: {error}", path.display())))
}

fn in_seconds(moment: Timestamp) -> String {
    Timestamp::from_second(moment.as_second())
        .unwrap_or(moment)
        .to_string()
}

/// Returns a text that chooses other machines each time.
fn salt() -> String {
    random_id().get(..12).unwrap_or_default().to_owned()
}
