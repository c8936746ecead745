//! What a running gopls has of values that have changed, and what `goroam doctor` says of it: with
//! the gopls of a Debian package, which is spoken to as an editor does.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cli::{User, mode};
use crate::go;

/// A machine with two processors may be busy.
const SOON: Duration = Duration::from_secs(120);

/// Returns the path of gopls. If its package cannot be had, prints that the test is skipped.
fn gopls() -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/gopls");
    let output = Command::new(script).output().unwrap();
    if !output.status.success() {
        println!("skipped: {}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    Some(String::from_utf8(output.stdout).unwrap().trim().into())
}

/// An editor with a gopls, as far as this test needs one.
struct Editor {
    gopls: Child,
    input: ChildStdin,
    answers: Receiver<Value>,
    requests: u64,
    version: u64,
    main: PathBuf,
}

impl Editor {
    fn open(user: &User, gopls: &Path, path: &str) -> Editor {
        let project = user.path("x");
        let mut command = user.run(gopls.to_str().unwrap()).arg("serve").command();
        let mut gopls = command
            .env("PATH", path)
            .env("GOTOOLCHAIN", "local")
            .current_dir(&project)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (sender, answers) = channel();
        let output = gopls.stdout.take().unwrap();
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            loop {
                let mut length = 0;
                loop {
                    let mut line = String::new();
                    if output.read_line(&mut line).unwrap_or(0) == 0 {
                        return;
                    }
                    match line.trim().split_once(": ") {
                        Some((_, value)) => length = value.parse().unwrap_or(length),
                        None => break,
                    }
                }
                let mut body = vec![0; length];
                if output.read_exact(&mut body).is_err() {
                    return;
                }
                let _ = sender.send(serde_json::from_slice(&body).unwrap());
            }
        });
        let input = gopls.stdin.take().unwrap();
        let mut editor = Editor {
            gopls,
            input,
            answers,
            requests: 0,
            version: 1,
            main: project.join("main.go"),
        };
        let uri = format!("file://{}", project.display());
        let folders = json!([{"uri": uri, "name": "x"}]);
        let about = json!({"rootUri": uri, "workspaceFolders": folders,
            "capabilities": {"workspace": {"configuration": true}}});
        editor.ask("initialize", &about);
        editor.send(&json!({"method": "initialized", "params": {}}));
        let text = std::fs::read_to_string(&editor.main).unwrap();
        let document = json!({"uri": editor.uri(), "languageId": "go", "version": 1, "text": text});
        let opened = json!({"textDocument": document});
        editor.send(&json!({"method": "textDocument/didOpen", "params": opened}));
        editor
    }

    fn uri(&self) -> String {
        format!("file://{}", self.main.display())
    }

    fn send(&mut self, message: &Value) {
        let mut message = message.clone();
        message["jsonrpc"] = "2.0".into();
        let body = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        self.input.flush().unwrap();
    }

    /// Asks it, and answers what it asks meanwhile.
    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.requests += 1;
        let id = self.requests;
        self.send(&json!({"id": id, "method": method, "params": params}));
        let end = Instant::now() + SOON;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let message = self.answers.recv_timeout(left).unwrap();
            if message.get("method").is_none() && message["id"] == id {
                return message["result"].clone();
            }
            if message.get("method").is_some() && message.get("id").is_some() {
                let items = message["params"]["items"].as_array().map(Vec::len);
                let answer = items.map(|count| vec![Value::Null; count]);
                self.send(&json!({"id": message["id"], "result": answer}));
            }
        }
    }

    /// Types a name of a package that is not imported, and has the imports organized.
    fn organize(&mut self, name: &str) {
        self.version += 1;
        let text = format!("package main\n\nfunc main() {{ {name}.X() }}\n");
        std::fs::write(&self.main, &text).unwrap();
        let document = json!({"uri": self.uri(), "version": self.version});
        let change = json!({"textDocument": document, "contentChanges": [{"text": text}]});
        self.send(&json!({"method": "textDocument/didChange", "params": change}));
        let start = json!({"line": 0, "character": 0});
        let wish = json!({
            "textDocument": {"uri": self.uri()},
            "range": {"start": start, "end": start},
            "context": {"diagnostics": [], "only": ["source.organizeImports"]},
        });
        self.ask("textDocument/codeAction", &wish);
    }

    /// Changes go.mod, as a `git pull` does.
    fn other_go_mod(&mut self) {
        let path = self.main.with_file_name("go.mod");
        std::fs::write(&path, "module example.test/x\n\ngo 1.20\n").unwrap();
        let change = json!({"uri": format!("file://{}", path.display()), "type": 2});
        let changes = json!({"changes": [change]});
        self.send(&json!({"method": "workspace/didChangeWatchedFiles", "params": changes}));
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        drop(self.gopls.kill());
        drop(self.gopls.wait());
    }
}

/// What gopls's go commands were: the arguments, then what go makes of GONOPROXY there.
fn calls(user: &User) -> Vec<String> {
    let log = std::fs::read_to_string(user.path("calls")).unwrap_or_default();
    log.lines().map(str::to_owned).collect()
}

/// Waits for a call that is new since `before`.
fn wait_for(user: &User, before: usize, what: &str) -> String {
    let end = Instant::now() + SOON;
    loop {
        let calls = calls(user);
        let found = calls.iter().skip(before).find(|call| call.contains(what));
        if let Some(call) = found {
            return call.clone();
        }
        assert!(Instant::now() < end, "no {what:?} in {calls:#?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_old_gopls_has_old_values_for_its_search_for_imports_only() {
    let (Some(gopls), Some(go)) = (gopls(), go::go(go::VERSIONS[0])) else {
        return;
    };
    let user = User::new();
    user.write("x/go.mod", "module example.test/x\n\ngo 1.19\n");
    user.write("x/main.go", "package main\n\nfunc main() {}\n");
    let policy = "version = 1\n[[profile]]\nname = \"p\"\n\
                  env = { GOPROXY = \"off\", GONOPROXY = \"new.test\" }\n";
    user.write(".config/goroam/goroam.toml", policy);
    let env = user.write(".config/go/env", "GOPROXY=off\nGONOPROXY=old.test\n");
    // Each go command of gopls leaves one line.
    let wrapper = format!(
        "#!/bin/sh\necho \"$* = $({go} env GONOPROXY)\" >>{log}\nexec {go} \"$@\"\n",
        go = go.display(),
        log = user.path("calls").display()
    );
    mode(&user.write("bin/go", wrapper), 0o755);
    let path = format!("{}:/usr/bin:/bin", user.path("bin").display());
    let doctor = || {
        let json = user.goroam("doctor --json").command().output().unwrap();
        let json: Value = serde_json::from_slice(&json.stdout).unwrap();
        let found = json["findings"].as_array().unwrap().clone();
        { found }
            .into_iter()
            .find(|one| one["code"] == "gopls-outdated")
    };

    let mut editor = Editor::open(&user, &gopls, &path);
    editor.organize("first");
    assert!(wait_for(&user, 0, "list -m -e").ends_with(" = old.test"));
    assert_eq!(doctor(), None, "the file is older than gopls");

    std::fs::write(&env, "GOPROXY=off\nGONOPROXY=new.test\n").unwrap();
    // Its start is known to a second only.
    let file = std::fs::File::options().append(true).open(&env).unwrap();
    let written = file.metadata().unwrap().modified().unwrap();
    file.set_modified(written + Duration::from_secs(5)).unwrap();
    let before = calls(&user).len();
    editor.other_go_mod();
    assert!(wait_for(&user, before, "builtin").ends_with(" = new.test"));
    editor.organize("second");
    assert!(wait_for(&user, before, "list -m -e").ends_with(" = old.test"));
    let found = doctor().unwrap();
    let place = format!("gopls (pid {}, started ", editor.gopls.id());
    assert!(
        found["place"].as_str().unwrap().starts_with(&place),
        "{found}"
    );
    assert_eq!(found["severity"], "note");
    let mend = found["mend"].as_str().unwrap();
    assert!(mend.starts_with("restart it: "), "{found}");

    // What it says is to be done is what helps.
    drop(editor);
    assert_eq!(doctor(), None);
    let before = calls(&user).len();
    let mut editor = Editor::open(&user, &gopls, &path);
    editor.organize("third");
    assert!(wait_for(&user, before, "list -m -e").ends_with(" = new.test"));
}
