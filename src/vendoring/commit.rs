//! Commits just the pinned paths, whatever else is staged.

use super::error::Error;
use super::git::{pieces, with};
use super::present::{Change, OwnIndex, changes, told};
use super::repo::Repo;

/// What git has in its folder while something is under way that the next commit would end.
const UNDER_WAY: [(&str, &str); 5] = [
    ("MERGE_HEAD", "merge"),
    ("CHERRY_PICK_HEAD", "cherry-pick"),
    ("REVERT_HEAD", "revert"),
    ("rebase-merge", "rebase"),
    ("rebase-apply", "rebase"),
];

/// Commits these paths as they are in the work tree (`tree` has them), on top of HEAD. Hooks run
/// and keys sign as git is told to. The user's index has them too then; the rest of it stays.
///
/// # Errors
/// When something is under way in the repository, something staged would be lost, a hook says
/// no, or one of them changed what was committed.
pub(super) fn commit(
    repo: &Repo,
    paths: &[String],
    tree: &str,
    staged: &[Change],
    message: &str,
) -> Result<String, Error> {
    if let Some((_, what)) = UNDER_WAY
        .iter()
        .find(|(file, _)| repo.git_dir.join(file).exists())
    {
        return Err(Error::Refused(format!(
            "a {what} is under way here, and a commit would end it; finish it or give it up first"
        )));
    }
    // git commits from an index of goroam's, and would find the user's locked only afterwards.
    let lock = repo.git_dir.join("index.lock");
    if lock.exists() {
        return Err(Error::Refused(format!(
            "another git is at work here, or was killed: {} is there; when no git runs, remove it and try again",
            lock.display()
        )));
    }
    // A version that is only in the index, neither in HEAD nor in the file, would be gone.
    let differing = with(&["diff-files", "-z", "--name-only", "--"], paths);
    let differing = pieces(&repo.git.run(&differing)?);
    let lost: Vec<Change> = staged
        .iter()
        .filter(|change| change.letter != 'D' && differing.contains(&change.path))
        .cloned()
        .collect();
    if !lost.is_empty() {
        return Err(Error::Refused(format!(
            "not committed: what is staged is neither in the last commit nor in the files:{}\n`git add` the files or `git restore --staged` them first",
            told(&lost)
        )));
    }
    let index = OwnIndex::new(repo)?;
    let head = repo.commit("HEAD")?;
    if let Some(head) = &head {
        index.read(head)?;
    }
    index.take(repo, paths)?;
    let git = index.git().for_hooks();
    git.feed(
        &["commit", "-q", "-F", "-", "--cleanup=whitespace"],
        message.as_bytes().to_vec(),
    )?;
    let made = repo
        .commit("HEAD")?
        .filter(|made| Some(made) != head.as_ref());
    let made = made.ok_or_else(|| Error::Git("git commit made no commit".to_owned()))?;
    // The user's index still has the old ones, as if their undoing had been staged.
    let known = paths.iter().filter(|path| {
        super::present::exists(&repo.top.join(path)) || staged.iter().any(|s| s.path == **path)
    });
    let known: Vec<String> = known.cloned().collect();
    let reset = with(&["reset", "-q", &made, "--"], &known);
    repo.git.run(&reset)?;
    let other = changes(repo, &made, tree, paths)?;
    if !other.is_empty() {
        return Err(Error::Failed(format!(
            "a hook changed what was committed as {made}, so it was not tagged:{}",
            told(&other)
        )));
    }
    Ok(made)
}
