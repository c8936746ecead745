//! GOAUTH against real go commands: whatever it is set to, goroam gets in where go gets in, and
//! the server hears the same passwords from both.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use goroam::environment::Environment;
use goroam::gocmd::GoVersion;
use goroam::model::GoRelease;
use goroam::probe::{GoClient, Prober};

use crate::go;
use crate::server::*;

/// joe:s3cret
const RIGHT: &str = "Basic am9lOnMzY3JldA==";
/// joe:wrong
const WRONG: &str = "Basic am9lOndyb25n";

fn behind_a_login(request: &Seen) -> Reply {
    if request.header("authorization") == Some(RIGHT) || request.header("x-token") == Some("t0p") {
        good_proxy(request)
    } else {
        answer(
            "401 Unauthorized",
            &[("WWW-Authenticate", "Basic realm=x")],
            "",
        )
    }
}

/// A home with commands, a netrc and a git repository in it.
struct Scene {
    dir: tempfile::TempDir,
    ca: PathBuf,
    server: Server,
}

impl Scene {
    async fn new() -> Scene {
        let dir = tempfile::tempdir().unwrap();
        let ca = Authority::new("corp");
        let path = ca.write(dir.path());
        let server = Server::https(&ca.identity(&["localhost"]), behind_a_login).await;
        let scene = Scene {
            dir,
            ca: path,
            server,
        };
        let url = scene.url();
        scene.command(
            "right",
            &format!("printf '{url}\\n\\nAuthorization: {RIGHT}\\n\\n'"),
        );
        scene.command(
            "slash",
            &format!("printf '{url}/\\n\\nAuthorization: {RIGHT}\\n\\n'"),
        );
        scene.command(
            "wrong",
            &format!("printf '{url}\\n\\nAuthorization: {WRONG}\\n\\n'"),
        );
        scene.command("token", &format!("printf '{url}\\n\\nX-Token: t0p\\n\\n'"));
        scene.command("empty", &format!("printf '{url}\\n\\n\\n'"));
        scene.command(
            "other",
            &format!("printf 'https://other.test\\n\\nAuthorization: {RIGHT}\\n\\n'"),
        );
        scene.command(
            "deep",
            &format!("printf '{url}/golang.org/x\\n\\nAuthorization: {RIGHT}\\n\\n'"),
        );
        scene.command(
            "rubbish",
            &format!("printf '{url}\\nAuthorization: {RIGHT}\\n'"),
        );
        scene.command(
            "fails",
            &format!("printf '{url}\\n\\nAuthorization: {RIGHT}\\n\\n'; exit 1"),
        );
        // Only when it is given a URL and the answer that it got.
        scene.command(
            "asked",
            &format!(
                "read -r first; case $1:$first in {url}/*:'HTTP/1.1 401 '*) grep -q '^Www-Authenticate: Basic realm=x' && \
                 printf '{url}\\n\\nAuthorization: {RIGHT}\\n\\n';; esac"
            ),
        );
        scene.command(
            "arg",
            &format!(
                "[ \"$1\" = 'two words' ] && printf '{url}\\n\\nAuthorization: {RIGHT}\\n\\n'"
            ),
        );
        let git = std::process::Command::new("git")
            .args(["init", "-q", "repo"])
            .current_dir(scene.dir.path())
            .status();
        assert!(git.unwrap().success());
        let config = scene.dir.path().join("repo/.git/config");
        let helper = "[credential]\n\thelper = \"!f() { test $1 = get && echo username=joe && echo password=s3cret; }; f\"\n";
        std::fs::write(config, helper).unwrap();
        scene
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.server.port)
    }

    fn command(&self, name: &str, script: &str) {
        let path = self.dir.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn vars(&self, goauth: &str) -> Vec<(String, String)> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let mut vars = vec![
            ("HOME".to_owned(), text(self.dir.path())),
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            ("SSL_CERT_FILE".to_owned(), text(&self.ca)),
            ("SSL_CERT_DIR".to_owned(), "/nowhere".to_owned()),
        ];
        if !goauth.is_empty() {
            vars.push(("GOAUTH".to_owned(), goauth.to_owned()));
        }
        vars
    }

    /// What arrived since so many requests.
    fn arrived(&self, since: usize) -> BTreeSet<String> {
        let seen = self.server.seen();
        let secret = |seen: &Seen| {
            let header = seen.header("authorization").or(seen.header("x-token"));
            header.unwrap_or("nothing").to_owned()
        };
        seen.iter().skip(since).map(secret).collect()
    }

    async fn go(&self, go: &Path, goauth: &str) -> (bool, BTreeSet<String>) {
        let since = self.server.seen().len();
        let out = tokio::process::Command::new(go)
            .args(["list", "-m", "golang.org/x/text@v0.3.0"])
            .env_clear()
            .envs(self.vars(goauth))
            .envs([
                ("GOPROXY", self.url().as_str()),
                ("GOSUMDB", "off"),
                ("GOTOOLCHAIN", "local"),
                ("GOFLAGS", "-modcacherw"),
                ("GOPATH", self.dir.path().join("gopath").to_str().unwrap()),
            ])
            .current_dir(self.dir.path())
            .output()
            .await
            .unwrap();
        let _ = std::fs::remove_dir_all(self.dir.path().join("gopath"));
        (out.status.success(), self.arrived(since))
    }

    async fn goroam(&self, release: GoRelease, goauth: &str) -> (bool, BTreeSet<String>, String) {
        let since = self.server.seen().len();
        let env: Environment = self.vars(goauth).into_iter().collect();
        let manner = GoClient {
            release,
            goauth: None,
        };
        let seen = Prober::like(&env, &manner)
            .probe(&goproxy(self.url()))
            .await;
        (seen.is_up(), self.arrived(since), format!("{seen:?}"))
    }
}

#[tokio::test]
async fn goroam_gets_in_where_go_gets_in() {
    let scene = Scene::new().await;
    let dir = scene.dir.path().to_str().unwrap().to_owned();
    let netrc = format!(
        "machine localhost:{} login joe password s3cret\n",
        scene.server.port
    );
    let at = |name: &str| format!("{dir}/{name}");
    let settings = [
        ("", ""),
        ("netrc", ""),
        ("netrc", &netrc),
        ("off", &netrc),
        (" off ", &netrc),
        ("netrc;", &netrc),
        ("off;netrc", &netrc),
        (&at("right"), ""),
        (&at("slash"), ""),
        (&at("wrong"), &netrc),
        (&at("token"), ""),
        (&at("other"), ""),
        (&at("deep"), ""),
        (&at("rubbish"), ""),
        (&at("fails"), ""),
        (&at("absent"), ""),
        (&at("asked"), ""),
        (&format!("{} 'two words'", at("arg")), ""),
        (&format!("{} 'two words", at("arg")), ""),
        (&format!("{};netrc", at("fails")), &netrc),
        (&format!("{};{}", at("right"), at("wrong")), ""),
        (&format!("{};{}", at("wrong"), at("right")), ""),
        (&format!("{};netrc", at("empty")), &netrc),
        (&format!("netrc;{}", at("empty")), &netrc),
        (&format!("git {dir}/repo"), ""),
        (&format!("{};git {dir}/repo", at("wrong")), ""),
        ("git repo", ""),
    ];
    let mut differ = String::new();
    for version in go::VERSIONS {
        let Some(path) = go::go(version) else { return };
        let number = GoVersion::parse(&format!("go{version}")).unwrap().number;
        let release = GoRelease { number };
        let mut let_in = 0;
        for (goauth, netrc) in settings {
            std::fs::write(scene.dir.path().join(".netrc"), netrc).unwrap();
            let (theirs, heard) = scene.go(&path, goauth).await;
            let (ours, heard_ours, said) = scene.goroam(release, goauth).await;
            let_in += usize::from(theirs);
            // goroam does not repeat a request with the same credentials.
            let same = heard_ours.is_subset(&heard) && (theirs == ours);
            if !same {
                let goauth = goauth.replace(&dir, "DIR");
                let _ = writeln!(
                    differ,
                    "go {version}, GOAUTH={goauth:?}, netrc {}: go {theirs} {heard:?}, goroam {ours} {heard_ours:?}: {said}",
                    !netrc.is_empty()
                );
            }
            assert!(!said.contains("s3cret") && !said.contains("am9l"), "{said}");
        }
        assert!(let_in > 3, "go {version} got in {let_in} times");
    }
    assert!(differ.is_empty(), "\n{differ}");
}

#[tokio::test]
async fn a_command_runs_once_a_minute_however_often_the_network_changes() {
    let scene = Scene::new().await;
    let count = scene.dir.path().join("count");
    scene.command("counted", &format!("echo x >> '{}'", count.display()));
    let goauth = scene.dir.path().join("counted");
    for _ in 0..5 {
        let (up, _, said) = scene
            .goroam(GoRelease::default(), goauth.to_str().unwrap())
            .await;
        assert!(
            !up && said.contains("no command of GOAUTH has any"),
            "{said}"
        );
    }
    // Once before the first request, once with the URL that was refused.
    assert_eq!(std::fs::read_to_string(&count).unwrap().lines().count(), 2);
}

#[tokio::test]
async fn the_go_env_files_goauth_counts_where_the_environment_has_none() {
    let scene = Scene::new().await;
    let right = scene.dir.path().join("right").to_str().unwrap().to_owned();
    let manner = GoClient {
        release: GoRelease::default(),
        goauth: Some(right.clone()),
    };
    let up = async |goauth: &str| {
        let env: Environment = scene.vars(goauth).into_iter().collect();
        let prober = Prober::like(&env, &manner);
        prober.probe(&goproxy(scene.url())).await.is_up()
    };
    assert!(up("").await);
    assert!(!up("off").await);
}

#[tokio::test]
async fn a_header_of_a_command_goes_to_no_other_host() {
    let ca = Authority::new("corp");
    let identity = ca.identity(&["localhost", "127.0.0.1"]);
    let far = Server::https(&identity, good_proxy).await;
    let port = far.port;
    let near = Server::https(&identity, move |request| {
        let path = request.line.strip_prefix("GET ").unwrap();
        redirect("302 Found", &format!("https://127.0.0.1:{port}{path}"))
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let url = format!("https://localhost:{}", near.port);
    let script = dir.path().join("token");
    std::fs::write(
        &script,
        format!("#!/bin/sh\nprintf '{url}\\n\\nX-Token: t0p\\nAuthorization: {RIGHT}\\n\\n'\n"),
    )
    .unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = ca.write(dir.path());
    let vars = [
        ("HOME", dir.path().to_str().unwrap()),
        ("PATH", "/usr/bin:/bin"),
        ("SSL_CERT_FILE", path.to_str().unwrap()),
        ("GOAUTH", script.to_str().unwrap()),
    ];
    let seen = Prober::new(&vars.into_iter().collect())
        .probe(&goproxy(url))
        .await;
    assert!(seen.is_up(), "{}", seen.reason);
    assert!(
        near.seen()
            .iter()
            .all(|seen| seen.header("x-token") == Some("t0p"))
    );
    for seen in far.seen() {
        assert_eq!(
            (seen.header("x-token"), seen.header("authorization")),
            (None, None)
        );
    }
}
