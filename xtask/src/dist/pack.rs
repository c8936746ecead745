//! Makes archives from a tree with tar and zip, with the same result every time.

use std::path::{Path, PathBuf};

use crate::run::{self, Result};

use super::linux::Content;
use super::release::{self, Release};
use super::tree::{self, Tree};

/// Makes `goroam-VERSION-x86_64-linux.tar.gz`, to be extracted below any prefix; `end` is what
/// stands for `x86_64-linux`.
pub fn tar(release: &Release, content: &Content, end: &str) -> Result<PathBuf> {
    let name = format!("goroam-{}-{end}", release.version);
    let work = release.work("tar")?;
    let root = work.join(&name);
    std::fs::create_dir(&root).map_err(|err| format!("{}: {err}", root.display()))?;
    content.portable().write(&root, release.epoch)?;
    let mut tar = release.command("tar");
    tar.current_dir(&work)
        .args([
            "--create",
            "--format=ustar",
            "--sort=name",
            "--numeric-owner",
        ])
        .args(["--owner=0", "--group=0", "--file=release.tar"])
        .arg(format!("--mtime=@{}", release.epoch))
        .arg(&name);
    run::output(&mut tar)?;
    compressed(release, &work.join("release.tar"), &name)
}

/// Makes `goroam-VERSION.tar.gz`: the files of the last commit in git.
pub fn source(release: &Release) -> Result<PathBuf> {
    let name = format!("goroam-{}", release.version);
    let archive = release.work("source")?.join("source.tar");
    let mut git = release.command("git");
    git.current_dir(run::root())
        // The user's own git settings are ignored: they can change line ends and modes.
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .args(["-c", "tar.umask=0022", "archive", "--format=tar"])
        .arg(format!("--prefix={name}/"))
        .arg(format!("--output={}", archive.display()))
        .arg(&release.commit);
    run::output(&mut git)?;
    compressed(release, &archive, &name)
}

/// Makes a zip of this tree, with everything below one directory of that name.
pub fn zip(release: &Release, name: &str, tree: &Tree) -> Result<PathBuf> {
    release::tools(&[("zip", "zip")])?;
    let work = release.work("zip")?;
    let root = work.join(name);
    std::fs::create_dir(&root).map_err(|err| format!("{}: {err}", root.display()))?;
    tree.write(&root, release.epoch)?;
    let file = release.out.join(format!("{name}.zip"));
    let _ = std::fs::remove_file(&file);
    let mut zip = release.command("zip");
    // -X: no owner and no times but the DOS one, which is local time: hence TZ=UTC. -D: no entries
    // for directories.
    zip.current_dir(&work)
        .args(["-9", "-X", "-D", "-q"])
        .arg(&file);
    zip.args(tree.files.keys().map(|path| Path::new(name).join(path)));
    run::output(&mut zip)?;
    Ok(file)
}

/// Unpacks an archive into a directory, which it makes.
pub fn unpack(archive: &Path, folder: &Path) -> Result {
    std::fs::create_dir_all(folder).map_err(|err| format!("{}: {err}", folder.display()))?;
    let mut tar = std::process::Command::new("tar");
    run::output(tar.arg("-xf").arg(archive).arg("-C").arg(folder)).map(drop)
}

fn compressed(release: &Release, archive: &Path, name: &str) -> Result<PathBuf> {
    let bytes = std::fs::read(archive).map_err(|err| format!("{}: {err}", archive.display()))?;
    let file = release.out.join(format!("{name}.tar.gz"));
    release::write(&file, &tree::gzip(&bytes)?)?;
    Ok(file)
}
