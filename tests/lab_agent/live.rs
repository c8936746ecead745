//! `goroam status --watch` on a laptop that is carried from one real network to another.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use crate::support::{Lab, goroam_bin};
use crate::tmux::Terminal;

const SOON: Duration = Duration::from_secs(30);
const CORP: &str = "https://goproxy.corp.test";
const PUBLIC: &str = "https://proxy.golang.org,direct";

/// Columns are as wide as the longest name, which is the policy's.
fn words_of(lines: &[String]) -> String {
    let text = lines.join("\n");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_move_from_the_office_to_home_is_seen_on_the_screen() {
    let Some(lab) = Lab::get() else { return };
    let laptop = lab.laptop().with_policy(&lab.policy());
    lab.travel("office");
    let _agent = laptop.agent();
    laptop.wait_for("GOPROXY", CORP, SOON);
    let home = laptop.home().to_str().unwrap();
    let dir = lab.dir().to_str().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/in-laptop");
    let goroam = goroam_bin();
    let words = [script.as_os_str(), goroam.as_os_str()];
    let words = [&words[..], &["status", "--watch"].map(OsStr::new)].concat();
    let vars = [("LAB_HOME", home), ("LAB", dir), ("LAB_CA", "all")];
    let Some(terminal) = Terminal::running(80, 24, &vars, &words) else {
        return;
    };
    let lines = terminal.shows("● office · since");
    let text = words_of(&lines);
    for told in ["GOPROXY https://goproxy.corp.test", "corp ✓ up"] {
        assert!(text.contains(told), "no {told}:\n{text}");
    }
    lab.travel("home");
    laptop.wait_for("GOPROXY", PUBLIC, SOON);
    let lines = terminal.until("home", |lines| {
        let text = words_of(lines);
        text.starts_with("● public · since") && text.contains("proxy ✓ up")
    });
    let text = words_of(&lines);
    assert!(text.contains(&format!("GOPROXY {PUBLIC}")), "{text}");
    assert!(text.contains("via 192.168.77.1"), "{text}");
    // Perhaps by way of being nowhere, while the cable was in nobody's hands.
    assert!(text.contains("→ public"), "{text}");
    for line in &lines {
        assert!(line.chars().count() <= 80, "{line}");
    }
}
