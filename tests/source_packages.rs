//! The source packages, built as a build service builds them: in a Debian that has only what the
//! package asks for, without a network. Two builds of everything take ten minutes, so this runs before
//! a release and not with every change: `cargo test --test source_packages`.
#![cfg(target_os = "linux")]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::dist::{dist, only, said, xtask};
use support::skip;

/// Makes the source packages.
fn packages() -> Result<PathBuf, String> {
    let folder = dist()?.join("source");
    if !folder.join("SHA256SUMS").exists() {
        said(&mut xtask(&["--source-packages"], &folder));
    }
    Ok(folder)
}

/// A fresh Debian, in a directory.
struct System {
    root: tempfile::TempDir,
}

impl System {
    fn new(tar: &Path) -> System {
        let root = tempfile::tempdir().unwrap();
        let mut unpack = Command::new("tar");
        unpack
            .args(["--numeric-owner", "-xpf"])
            .arg(tar)
            .arg("-C")
            .arg(root.path());
        said(&mut unpack);
        // Debian 12's Rust is a part of its security updates.
        let sources = std::fs::read_to_string(root.path().join("etc/apt/sources.list")).unwrap();
        let main = sources
            .lines()
            .find(|line| line.starts_with("deb "))
            .unwrap();
        let words = main.split_whitespace().skip(1);
        let mut words = words.skip_while(|word| !word.contains("://"));
        let (url, suite) = (words.next().unwrap(), words.next().unwrap());
        let url = url.trim_end_matches('/');
        let security = format!("deb {url}-security {suite}-security main");
        let both = format!("{sources}\n{security}\n");
        std::fs::write(root.path().join("etc/apt/sources.list"), both).unwrap();
        // Nothing here must survive a crash.
        let quick = root.path().join("etc/dpkg/dpkg.cfg.d/quick");
        std::fs::write(quick, "force-unsafe-io\n").unwrap();
        System { root }
    }

    /// Runs a script in it, with or without a network.
    fn run(&self, network: bool, script: &str) -> Output {
        let mut inside = Command::new("unshare");
        inside.arg("--mount").args((!network).then_some("--net"));
        inside.arg("chroot").arg(self.root.path());
        let script = format!("set -e; mount -t proc proc /proc; {script}");
        inside.args(["/bin/sh", "-c", &script]).env_clear();
        inside
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", "/root");
        inside
            .env("LC_ALL", "C.UTF-8")
            .env("DEBIAN_FRONTEND", "noninteractive");
        inside.output().unwrap()
    }

    #[track_caller]
    fn runs(&self, network: bool, script: &str) -> String {
        let done = self.run(network, script);
        let stdout = String::from_utf8_lossy(&done.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{script}\n{stdout}\n{stderr}");
        stdout
    }
}

#[test]
fn debian_and_rpm_build_the_source_packages_in_a_clean_system_without_a_network() {
    let lab = std::env::var_os("LAB").map_or("/var/tmp/goroam-lab".into(), PathBuf::from);
    let tar = lab.join("fresh.tar");
    let folder = match packages() {
        Ok(_) if !tar.exists() => skip!("the lab has no {}", tar.display()),
        Ok(folder) => folder,
        Err(why) => skip!("{why}"),
    };
    let system = System::new(&tar);
    let build = system.root.path().join("build");
    std::fs::create_dir(&build).unwrap();
    let starts = ["goroam_", "goroam-"];
    for entry in std::fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name();
        if starts
            .iter()
            .any(|start| name.to_string_lossy().starts_with(start))
        {
            std::fs::copy(folder.join(&name), build.join(&name)).unwrap();
        }
    }
    // apt installs what the package asks for, and nothing that it only recommends.
    let needed = "apt-get -q update; cd /build; dpkg-source -x goroam_*.dsc 2>&1 || {
        apt-get -qy install --no-install-recommends dpkg-dev; dpkg-source -x goroam_*.dsc; }
        cd goroam-*/ && apt-get -qy build-dep --no-install-recommends ./
        apt-get -qy install --no-install-recommends rpm";
    system.runs(true, needed);
    // The flags are those of a release, but nothing is optimised, and rpm takes over most of what was
    // compiled for dpkg: the paths and the compiler are the same.
    let debian = "cd /build/goroam-*/; export CARGO_TARGET_DIR=/build/target GOROAM_PROFILE=quick
        dpkg-buildpackage -b -uc -us; dpkg -i ../goroam_*.deb; goroam --version; dpkg -V goroam
        dpkg -L goroam; dpkg -s goroam; rm -rf /build/goroam-*/";
    let told = system.runs(false, debian);
    let version = format!("\ngoroam {}\n", env!("CARGO_PKG_VERSION"));
    assert!(told.contains(&version), "{told}");
    for file in [
        "/usr/share/man/man1/goroam-service.1.gz",
        "/usr/share/man/man5/goroam.toml.5.gz",
        "/usr/share/zsh/vendor-completions/_goroam",
        "/usr/lib/systemd/user/goroam.service",
        "/usr/share/doc/goroam/THIRD-PARTY.txt.gz",
    ] {
        assert!(told.contains(&format!("\n{file}\n")), "{file} in {told}");
    }
    let depends = told
        .lines()
        .find(|line| line.starts_with("Depends: "))
        .unwrap();
    assert!(depends.contains("libc6 (>= 2."), "{depends}");
    // It installs no script that starts something.
    assert!(!build.join("../var/lib/dpkg/info/goroam.postinst").exists());

    // Debian's rpm does not know the packages that are installed, so it cannot look for them.
    let rpm = "cd /build; rpm -i --nodeps goroam-*.src.rpm
        rpmbuild -ba --nodeps --define '_builddir /build' --define 'goroam_target /build/target' \\
            --define 'goroam_profile quick' /root/rpmbuild/SPECS/goroam.spec
        rpm -qpl /root/rpmbuild/RPMS/x86_64/goroam-*.rpm; ls /root/rpmbuild/SRPMS";
    let told = system.runs(false, rpm);
    for file in ["/usr/bin/goroam", "/usr/share/zsh/site-functions/_goroam"] {
        assert!(told.contains(&format!("\n{file}\n")), "{file} in {told}");
    }
    assert!(told.contains(".src.rpm"), "{told}");
    only(
        &system.root.path().join("root/rpmbuild/RPMS/x86_64"),
        "goroam-",
        ".x86_64.rpm",
    );
}
