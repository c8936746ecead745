//! The mirror beside golang.org/x/mod's own database server, which grows as modules are looked up.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use goroam::environment::Environment;
use goroam::gomod::ModuleVersion;
use goroam::mirror::sumdb::{Proofs, Route};
use goroam::model::{Chain, SumDb};

use crate::go;
use crate::mirror_go::{Client, Real, mirror, reals, shuffled};

const NAME: &str = "lab.sum.test";

/// x/mod's server, with a log and a key of its own.
struct Running {
    child: Child,
    url: String,
    folder: tempfile::TempDir,
}

impl Running {
    /// Over modules in a folder, to which more may be added while it runs.
    fn start(go: &Path, tree: &Path) -> Running {
        let folder = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/sumdb-src");
        let state = folder.path();
        std::fs::copy(source.join("go.mod"), state.join("go.mod")).unwrap();
        std::fs::create_dir(state.join("modules")).unwrap();
        let program = state.join("sumdb");
        let built = Command::new(go)
            .args(["build", "-mod=mod", "-o"])
            .arg(&program)
            .arg(format!("-modfile={}", state.join("go.mod").display()))
            .arg(".")
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", state)
            .env("GOPATH", state.join("gopath"))
            .env("GOENV", "off")
            .env("GOCACHE", tree.join("../../gocache"))
            .env("GOFLAGS", "-modcacherw")
            .env("GOTOOLCHAIN", "local")
            .env("GOSUMDB", "off")
            .env("GOPROXY", format!("file://{},off", tree.display()))
            .current_dir(source)
            .output()
            .unwrap();
        assert!(
            built.status.success(),
            "{}",
            String::from_utf8_lossy(&built.stderr)
        );
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let child = Command::new(program)
            .arg("-state")
            .arg(state)
            .args(["-listen", &address])
            .arg(format!("{NAME}={}", state.join("modules").display()))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let end = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(&address).is_err() {
            assert!(Instant::now() < end, "no server at {address}");
            std::thread::park_timeout(Duration::from_millis(5));
        }
        Running {
            child,
            url: format!("http://{address}/{NAME}"),
            folder,
        }
    }

    fn key(&self) -> String {
        let file = self.folder.path().join(format!("{NAME}.vkey"));
        std::fs::read_to_string(file).unwrap().trim().to_owned()
    }

    /// Now it will find these.
    fn has(&self, tree: &Path, reals: &[&Real]) {
        for real in reals {
            let (path, version) = real.escaped.split_once('@').unwrap();
            let below: PathBuf = [path, "@v"].iter().collect();
            let to = self.folder.path().join("modules").join(&below);
            std::fs::create_dir_all(&to).unwrap();
            for end in ["mod", "zip"] {
                let name = format!("{version}.{end}");
                std::os::unix::fs::symlink(tree.join(&below).join(&name), to.join(name)).unwrap();
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_real_server_gave_go_verifies_offline_before_and_after_it_has_grown() {
    let Some(newest) = go::go(go::VERSIONS[2]) else {
        return;
    };
    let Some((tree, reals)) = reals(&newest) else {
        return;
    };
    let server = Running::start(&newest, &tree);
    let key = server.key();
    let (_folder, layout) = mirror(&tree);
    let db = SumDb::parse(&format!("{key} {}", server.url)).unwrap();
    let proofs = Proofs::open(&layout, &db).unwrap();
    let all: Vec<&Real> = reals.iter().take(18).collect();
    let mut clients: Vec<Client> = Vec::new();
    let gos: Vec<_> = go::VERSIONS
        .iter()
        .filter_map(|version| go::go(version))
        .collect();
    for (round, upto) in [5, 9, 18].into_iter().enumerate() {
        let there = &all[..upto];
        let new: Vec<&Real> = there
            .iter()
            .copied()
            .skip(proofs_held(&proofs, there))
            .collect();
        server.has(&tree, &new);
        let wanted: Vec<ModuleVersion> = there.iter().map(|real| real.module.clone()).collect();
        let chain = Chain::parse("off").unwrap();
        let env: Environment = [("HOME", "/nonexistent")].into_iter().collect();
        let brought = proofs
            .bring(&Route::by(chain, &env), &wanted)
            .await
            .unwrap();
        assert_eq!(brought.proven.len(), new.len(), "{brought:?}");
        let report = proofs.verify().unwrap();
        assert!(report.faults.is_empty(), "{:#?}", report.faults);
        for client in &clients {
            client
                .with_cache_cleaned()
                .verifies(&layout, &key, &shuffled(there, 3));
            client.verifies(&layout, &key, &shuffled(there, 4));
        }
        let client = Client::new(&gos[round % gos.len()]);
        client.verifies(&layout, &key, &shuffled(there, 5));
        // go has written down the same as the mirror.
        for real in there {
            let sums = proofs.prove(&real.module).unwrap();
            let (zip, go_mod) = (sums.zip.unwrap(), sums.go_mod.unwrap());
            assert!(real.lines.contains(&zip) && real.lines.contains(&go_mod));
        }
        clients.push(client);
    }
}

fn proofs_held(proofs: &Proofs, reals: &[&Real]) -> usize {
    reals
        .iter()
        .filter(|real| proofs.prove(&real.module).is_ok())
        .count()
}
