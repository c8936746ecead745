//! A store for a fleet's policy: the real nginx, with files of a directory.
#![allow(dead_code, unreachable_pub)]

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::minisign::MinisignKey;

/// nginx on a port of this machine.
pub struct Store {
    folder: tempfile::TempDir,
    nginx: Child,
    port: u16,
    puts: std::cell::Cell<u64>,
}

impl Store {
    /// Starts it. `wrap`: the command line that comes before nginx, to start it elsewhere. `None`:
    /// there is no nginx here.
    pub fn start(wrap: &[String]) -> Option<Store> {
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let root = folder.path().display();
        // A worker of root is another user, which may not read a private directory.
        let user = match is_root() {
            true => "user root;",
            false => "",
        };
        let conf = format!(
            "{user} daemon off; master_process off; pid {root}/pid; error_log {root}/error.log;\n\
             events {{ worker_connections 512; }}\n\
             http {{\n\
               log_format asked '$request_method $uri $status $args $http_if_none_match';\n\
               access_log {root}/access.log asked;\n\
               client_body_temp_path {root}/t1; proxy_temp_path {root}/t2;\n\
               fastcgi_temp_path {root}/t3; uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;\n\
               server {{\n\
                 listen 127.0.0.1:{port};\n\
                 root {root}/www;\n\
                 if (-f {root}/down) {{ return 503; }}\n\
                 error_page 503 @down;\n\
                 location @down {{ add_header Retry-After 7200 always; return 503; }}\n\
                 location = /moved.toml {{ return 302 /policy.toml; }}\n\
                 location = /moved.toml.minisig {{ return 302 /policy.toml.minisig; }}\n\
                 location = /away.toml {{ return 302 http://policy.example/policy.toml; }}\n\
               }}\n\
             }}\n"
        );
        std::fs::create_dir(folder.path().join("www")).unwrap();
        std::fs::write(folder.path().join("nginx.conf"), conf).unwrap();
        let mut words = wrap.iter().cloned();
        let mut command = match words.next() {
            Some(first) => {
                let mut command = Command::new(first);
                command.args(words).arg("nginx");
                command
            }
            None => Command::new("nginx"),
        };
        command.arg("-p").arg(folder.path()).arg("-c");
        command.arg(folder.path().join("nginx.conf")).arg("-e");
        command.arg(folder.path().join("error.log"));
        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
        let nginx = command
            .env("PATH", path)
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let store = Store {
            folder,
            nginx,
            port,
            puts: std::cell::Cell::new(0),
        };
        let end = Instant::now() + Duration::from_secs(10);
        while !store.folder.path().join("pid").exists() {
            assert!(Instant::now() < end, "{}", store.log("error.log"));
            std::thread::park_timeout(Duration::from_millis(2));
        }
        Some(store)
    }

    /// The URL of a file.
    pub fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/{name}", self.port)
    }

    /// A file of the store.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("www").join(name)
    }

    /// Puts a policy and its signature there.
    pub fn put(&self, text: &str, key: &MinisignKey) {
        self.put_file("policy.toml.minisig", &key.sign(text.as_bytes()));
        self.put_file("policy.toml", text);
    }

    /// Puts one file there: whole, under its name at once, as stores do.
    pub fn put_file(&self, name: &str, text: &str) {
        let new = self.folder.path().join("new");
        std::fs::write(&new, text).unwrap();
        // nginx makes the entity tag of size and seconds; two puts in one second must differ.
        let puts = self.puts.get() + 1;
        self.puts.set(puts);
        let at = std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + puts);
        let file = std::fs::File::options().write(true).open(&new).unwrap();
        file.set_modified(at).unwrap();
        std::fs::rename(new, self.file(name)).unwrap();
    }

    /// Answers 503 with `Retry-After`, or serves again.
    pub fn down(&self, is_down: bool) {
        let mark = self.folder.path().join("down");
        match is_down {
            true => std::fs::write(mark, "").unwrap(),
            false => std::fs::remove_file(mark).unwrap(),
        }
    }

    /// What was asked, one line each: method, path, status, query, If-None-Match.
    pub fn asked(&self) -> Vec<String> {
        self.log("access.log").lines().map(str::to_owned).collect()
    }

    fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.nginx.kill();
        let _ = self.nginx.wait();
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}
