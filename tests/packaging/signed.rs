//! The signatures of a release, made by `packaging/sign` with new keys: minisign verifies the
//! checksums, and apt itself installs from the repository.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::dist::{dist, has, only, root, said};
use crate::support::skip;

/// A signed release, the public keys, and the repository.
struct Signed {
    temp: tempfile::TempDir,
}

impl Signed {
    fn new(dist: &Path) -> Signed {
        let temp = tempfile::tempdir().unwrap();
        let signed = Signed { temp };
        let (release, keys) = (signed.path("release"), signed.path("keys"));
        std::fs::create_dir(&release).unwrap();
        std::fs::create_dir(&keys).unwrap();
        let deb = only(dist, "goroam_", "_amd64.deb");
        for file in [deb, dist.join("SHA256SUMS")] {
            std::fs::copy(&file, release.join(file.file_name().unwrap())).unwrap();
        }
        let mut minisign = Command::new("minisign");
        minisign
            .args(["-G", "-W", "-s"])
            .arg(signed.path("minisign.key"));
        said(minisign.arg("-p").arg(keys.join("minisign.pub")));
        signed.gpg("quick-generate-key 'Test <test@example.org>' ed25519 sign never");
        let export = "armor --export-secret-keys";
        std::fs::write(signed.path("apt.key"), signed.gpg(export)).unwrap();
        std::fs::write(keys.join("apt.asc"), signed.gpg("armor --export")).unwrap();
        signed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    /// Runs `gpg --ARGUMENTS` with a key ring of this test. The agent is ended in the end.
    fn gpg(&self, arguments: &str) -> String {
        let home = self.path("gnupg");
        let script = format!(
            "mkdir -p -m 700 '{home}'; trap 'gpgconf --homedir {home} --kill all' EXIT
             gpg --homedir '{home}' --batch --quiet --passphrase '' --{arguments}",
            home = home.display()
        );
        said(Command::new("sh").args(["-ec", &script]))
    }

    fn sign(&self) -> Command {
        let mut sign = Command::new(root().join("packaging/sign"));
        sign.arg(self.path("release"));
        sign.arg(self.path("minisign.key"))
            .arg(self.path("apt.key"));
        sign.arg(self.path("keys"));
        sign
    }

    fn verify(&self) -> bool {
        let mut minisign = Command::new("minisign");
        minisign.current_dir(self.path("release"));
        minisign.args(["-V", "-q", "-m", "SHA256SUMS", "-p"]);
        let done = minisign.arg(self.path("keys/minisign.pub")).output();
        done.unwrap().status.success()
    }
}

fn tools() -> Result<PathBuf, String> {
    let missing = ["minisign", "apt-ftparchive", "gpg"]
        .into_iter()
        .find(|name| !has(name));
    match missing {
        Some(name) => Err(format!("there is no {name} on this machine")),
        None => dist(),
    }
}

#[test]
fn minisign_verifies_the_checksums_and_notices_a_change() {
    let signed = match tools() {
        Ok(dist) => Signed::new(&dist),
        Err(why) => skip!("{why}"),
    };
    said(&mut signed.sign());
    assert!(signed.verify());
    let sums = signed.path("release/SHA256SUMS");
    let text = std::fs::read_to_string(&sums).unwrap();
    std::fs::write(&sums, text.replacen('0', "1", 1)).unwrap();
    assert!(!signed.verify());
    // Users could not verify a release that another key has signed.
    let mut minisign = Command::new("minisign");
    minisign
        .args(["-G", "-f", "-W", "-s"])
        .arg(signed.path("minisign.key"));
    said(minisign.arg("-p").arg(signed.path("other.pub")));
    let done = signed.sign().output().unwrap();
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert!(!done.status.success(), "{stderr}");
    assert!(stderr.contains("minisign.pub does not verify"), "{stderr}");
}

#[test]
fn apt_installs_from_the_signed_repository_and_refuses_another_one() {
    let lab = std::env::var_os("LAB").map_or("/var/tmp/goroam-lab".into(), PathBuf::from);
    let tar = lab.join("fresh.tar");
    let signed = match tools() {
        Ok(_) if !tar.exists() => skip!("the lab has no {}", tar.display()),
        Ok(dist) => Signed::new(&dist),
        Err(why) => skip!("{why}"),
    };
    said(&mut signed.sign());
    let system = signed.path("system");
    std::fs::create_dir(&system).unwrap();
    let mut unpack = Command::new("tar");
    unpack.args(["--numeric-owner", "-xpf"]).arg(&tar).arg("-C");
    said(unpack.arg(&system).arg("--exclude=./usr/share/doc"));
    let mut unpack = Command::new("tar");
    unpack
        .arg("-xzf")
        .arg(signed.path("release/goroam-apt.tar.gz"));
    said(unpack.arg("-C").arg(system.join("srv")));
    // What docs/install.md says, but for the address.
    let sources = system.join("etc/apt/sources.list.d");
    for entry in std::fs::read_dir(&sources).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    std::fs::write(system.join("etc/apt/sources.list"), "").unwrap();
    let manual = std::fs::read_to_string(root().join("docs/install.md")).unwrap();
    let (_, rest) = manual.split_once("```debsources\n").unwrap();
    let stanza = rest.split("```").next().unwrap();
    let address = concat!(env!("CARGO_PKG_HOMEPAGE"), "apt");
    assert!(stanza.contains(address), "{stanza}");
    let stanza = stanza.replace(address, "file:///srv/apt");
    std::fs::write(sources.join("goroam.sources"), stanza).unwrap();
    let keyring = system.join("etc/apt/keyrings/goroam.asc");
    std::fs::create_dir_all(keyring.parent().unwrap()).unwrap();
    std::fs::copy(system.join("srv/apt/goroam.asc"), &keyring).unwrap();

    let inside = |line: &str| {
        let mut chroot = Command::new("chroot");
        chroot.arg(&system).args(["sh", "-ec", line]);
        chroot
            .env("DEBIAN_FRONTEND", "noninteractive")
            .output()
            .unwrap()
    };
    let told = |done: &std::process::Output| {
        String::from_utf8_lossy(&[&done.stdout[..], &done.stderr[..]].concat()).into_owned()
    };
    let script = "apt-get -q update --error-on=any; apt-get -qy install goroam; goroam --version";
    let done = inside(script);
    assert!(done.status.success(), "{}", told(&done));
    let version = format!("goroam {}\n", env!("CARGO_PKG_VERSION"));
    assert!(told(&done).contains(&version), "{}", told(&done));

    // A package that is not the signed one.
    inside("apt-get -qy purge goroam");
    let deb = only(&system.join("srv/apt/pool/main"), "goroam_", ".deb");
    let mut bytes = std::fs::read(&deb).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&deb, bytes).unwrap();
    let done = inside("apt-get clean; apt-get -qy install goroam");
    assert!(
        !done.status.success() && told(&done).contains("Hash Sum mismatch"),
        "{}",
        told(&done)
    );
    // An index that is not the signed one, and a key that has signed nothing.
    let release = system.join("srv/apt/dists/stable/InRelease");
    let text = std::fs::read_to_string(&release).unwrap();
    std::fs::write(&release, text.replace("Suite: stable", "Suite: other")).unwrap();
    let done = inside("rm -rf /var/lib/apt/lists/*; apt-get -q update --error-on=any");
    assert!(
        !done.status.success() && told(&done).contains("BADSIG"),
        "{}",
        told(&done)
    );
    std::fs::write(&release, text).unwrap();
    let other = Signed::new(&dist().unwrap());
    std::fs::copy(other.path("keys/apt.asc"), &keyring).unwrap();
    let done = inside("rm -rf /var/lib/apt/lists/*; apt-get -q update --error-on=any");
    assert!(
        !done.status.success() && told(&done).contains("NO_PUBKEY"),
        "{}",
        told(&done)
    );
}
