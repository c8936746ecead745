//! Headless Chromium, which is asked through its DevTools protocol.
#![allow(dead_code, missing_docs, unreachable_pub)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// What Debian and others call it.
const PROGRAMS: [&str; 4] = [
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
];

/// A busy machine starts it within seconds.
const LIMIT: Duration = Duration::from_secs(60);

/// A browser with one window; it is ended when this is dropped.
pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    session: Value,
    calls: u64,
    /// What it has reported by itself.
    events: Vec<Value>,
    _home: tempfile::TempDir,
}

impl Browser {
    /// Starts it; `None`, and said so, where there is none.
    pub fn start() -> Option<Browser> {
        let has = |program: &&&str| {
            let path = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
        };
        let Some(program) = PROGRAMS.iter().find(has) else {
            println!("skipped: no Chromium (looked for {})", PROGRAMS.join(", "));
            return None;
        };
        let home = tempfile::tempdir().unwrap();
        // Chromium reads commands from descriptor 3 and writes answers to 4. Root has no sandbox.
        let mut child = Command::new("sh")
            .args([
                "-c",
                "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1",
            ])
            .args([
                program,
                "--headless",
                "--no-sandbox",
                "--remote-debugging-pipe",
            ])
            .args([
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
            ])
            .arg(format!("--user-data-dir={}", home.path().display()))
            .env("HOME", home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let (message, from) = channel();
        std::thread::spawn(move || {
            let mut text = Vec::new();
            while out.read_until(0, &mut text).is_ok_and(|read| read > 0) {
                let value = serde_json::from_slice(&text[..text.len() - 1]).unwrap();
                text.clear();
                if message.send(value).is_err() {
                    break;
                }
            }
        });
        let to = child.stdin.take().unwrap();
        let mut browser = Browser {
            child,
            to,
            from,
            session: Value::Null,
            calls: 0,
            events: Vec::new(),
            _home: home,
        };
        let blank = json!({ "url": "about:blank" });
        let target = browser.call("Target.createTarget", &blank)["targetId"].take();
        let attach = json!({ "targetId": target, "flatten": true });
        let attached = browser.call("Target.attachToTarget", &attach)["sessionId"].take();
        browser.session = attached;
        for part in ["Page", "Network", "Accessibility"] {
            browser.call(&format!("{part}.enable"), &json!({}));
        }
        Some(browser)
    }

    /// Calls a method of the protocol.
    pub fn call(&mut self, method: &str, params: &Value) -> Value {
        self.calls += 1;
        let mut call = json!({ "id": self.calls, "method": method, "params": params });
        if !self.session.is_null() {
            call["sessionId"] = self.session.clone();
        }
        let mut text = call.to_string().into_bytes();
        text.push(0);
        self.to.write_all(&text).unwrap();
        loop {
            let mut answer = self.next(method);
            if answer["id"] == self.calls {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].take();
            }
        }
    }

    fn next(&mut self, waiting_for: &str) -> Value {
        let message = self.from.recv_timeout(LIMIT);
        let message = message.unwrap_or_else(|error| panic!("{waiting_for}: {error}"));
        if message["method"].is_string() {
            self.events.push(message.clone());
        }
        message
    }

    /// Loads a page without scripts, in a window of this width, in a light or a dark theme; returns
    /// the requests that were made.
    pub fn open(&mut self, url: &str, width: u32, theme: &str) -> Vec<String> {
        let window =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.call("Emulation.setDeviceMetricsOverride", &window);
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": theme }] });
        self.call("Emulation.setEmulatedMedia", &media);
        self.call(
            "Emulation.setScriptExecutionDisabled",
            &json!({ "value": true }),
        );
        self.events.clear();
        let opened = self.call("Page.navigate", &json!({ "url": url }));
        assert!(opened["errorText"].is_null(), "{url}: {opened}");
        let is_loaded = |event: &Value| event["method"] == "Page.loadEventFired";
        while !self.events.iter().any(is_loaded) {
            self.next("the page");
        }
        let requests = self.events.iter();
        requests
            .filter(|event| event["method"] == "Network.requestWillBeSent")
            .map(|event| {
                event["params"]["request"]["url"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    }

    /// The value of a JavaScript expression, which may be a promise.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let params =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut result = self.call("Runtime.evaluate", &params);
        assert!(result["exceptionDetails"].is_null(), "{result}");
        result["result"]["value"].take()
    }

    /// The whole page as a PNG in base64.
    pub fn screenshot(&mut self) -> String {
        let params = json!({ "captureBeyondViewport": true });
        let shot = self.call("Page.captureScreenshot", &params);
        shot["data"].as_str().unwrap().to_owned()
    }

    /// What assistive programs see: `role "name"` for each node, in order, indented by its depth.
    pub fn accessibility_tree(&mut self) -> String {
        let tree = self.call("Accessibility.getFullAXTree", &json!({}));
        let nodes = tree["nodes"].as_array().unwrap();
        let mut text = String::new();
        describe(nodes, &nodes[0], 0, &mut text);
        text
    }
}

fn describe(nodes: &[Value], node: &Value, depth: usize, text: &mut String) {
    let role = node["role"]["value"].as_str().unwrap_or_default();
    let is_shown = node["ignored"] == false && role != "InlineTextBox";
    if is_shown {
        let name = node["name"]["value"].as_str().unwrap_or_default();
        text.push_str(&format!("{}{role} {name:?}\n", "  ".repeat(depth)));
    }
    for child in node["childIds"].as_array().into_iter().flatten() {
        if let Some(child) = nodes.iter().find(|node| node["nodeId"] == *child) {
            describe(nodes, child, depth + usize::from(is_shown), text);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
