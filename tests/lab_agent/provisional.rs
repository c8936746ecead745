//! A first visit to a network where the targets of an earlier profile are silent: a later one that
//! works is in force soon, and corrected when the answer comes.

use std::time::Duration;

use serde_json::Value;

use crate::support::{Lab, Laptop, wait_until};

const SOON: Duration = Duration::from_secs(30);
const PUBLIC: &str = "https://proxy.golang.org,direct";
const PARTNER: &str = "https://github.com";

/// A proxy inside, at a host that the lab's home has. Its private modules are named everywhere.
const PARTNER_FIRST: &str = "
[target.partner]
goproxy = \"https://github.com\"
private = true
module  = \"github.com/pkg/errors@v0.9.1\"
sum     = \"@SUM github.com/pkg/errors@v0.9.1@\"

[[profile]]
name = \"partner\"
when = { up = \"partner\" }
env  = { GOPROXY = \"https://github.com\", GOPRIVATE = \"github.com/pkg\", GONOPROXY = \"none\" }
";

/// The lab's policy with that profile first. A silent target is waited for, four seconds.
fn policy(lab: &Lab, goprivate: &str) -> String {
    let text = lab.policy();
    let (targets, profiles) = text.split_once("[[profile]]").unwrap();
    let profiles = profiles.replace("GOSUMDB", &format!("{goprivate}GOSUMDB"));
    let probe = "version = 1\n[probe]\nconnect = \"4s\"\nfirst_byte = \"4s\"\ntotal = \"10s\"\n\
                 retries = 0\n";
    let targets = targets.replace("version = 1\n", probe);
    let partner = lab.policy_of(PARTNER_FIRST);
    format!("{targets}{partner}\n[[profile]]{profiles}")
}

/// The profiles of the turns since the laptop came to the office, with what the journal says.
fn turns(laptop: &Laptop<'_>) -> Vec<(String, bool, bool)> {
    let history = laptop.goroam(&["history", "-n", "1000", "--json"]);
    let entries: Vec<Value> = serde_json::from_str(history.ok()).unwrap();
    let turn = |entry: &Value| {
        let decision = &entry["decision"];
        let is_provisional = decision["provisional"] == true;
        let is_written = entry["outcome"]["is"] == "written";
        if is_provisional {
            let ms = entry["ms"]["all"].as_f64().unwrap();
            assert!((500.0..2500.0).contains(&ms), "{ms} ms");
        }
        let profile = decision["profile"].as_str().unwrap_or_default().to_owned();
        (profile, is_provisional, is_written)
    };
    let turns = Vec::from_iter(entries.iter().map(turn));
    let office = turns.iter().rposition(|(name, ..)| name == "office");
    turns[office.unwrap() + 1..].to_vec()
}

fn status(laptop: &Laptop<'_>) -> Value {
    serde_json::from_str(laptop.goroam(&["status", "--json"]).ok()).unwrap()
}

fn wait_for_turn(laptop: &Laptop<'_>, last: (&str, bool, bool)) -> Vec<(String, bool, bool)> {
    let (name, is_provisional, is_written) = last;
    let last = (name.to_owned(), is_provisional, is_written);
    wait_until(&format!("{last:?}"), SOON, || {
        let turns = turns(laptop);
        match turns.last() == Some(&last) {
            true => Ok(turns),
            false => Err(format!("{turns:?}")),
        }
    })
}

#[test]
fn what_works_is_used_while_an_earlier_target_is_silent_and_corrected_by_one_write() {
    let Some(lab) = Lab::get() else { return };
    let policy = policy(&lab, "GOPRIVATE = \"github.com/pkg\", ");
    let laptop = lab.laptop().with_policy(&policy);
    let _agent = laptop.agent();
    lab.travel("office");
    laptop.wait_for("GOPROXY", "https://goproxy.corp.test", SOON);
    // It answers, but late.
    lab.fault("home", "github.com", "slow:2");
    lab.travel("home");
    laptop.wait_for("GOPROXY", PUBLIC, Duration::from_millis(2500));
    // The file comes first, then memory and status.
    let now = wait_until("a provisional status", Duration::from_secs(1), || {
        let now = status(&laptop);
        match now["provisional"] == true {
            true => Ok(now),
            false => Err(format!("{now:#}")),
        }
    });
    let why = now["why"].as_str().unwrap();
    assert!(
        why.starts_with("provisional, while partner is not decided; "),
        "{why}"
    );
    let line = laptop.goroam(&["status"]);
    assert!(line.ok().contains("provisional"), "{}", line.stdout);
    let told = laptop.goroam(&["why"]);
    let told = told.ok().replace('\n', " ");
    assert!(told.contains("public was chosen provisionally"), "{told}");
    assert!(told.contains("partner is not decided yet"), "{told}");

    laptop.wait_for("GOPROXY", PARTNER, SOON);
    let turns = wait_for_turn(&laptop, ("partner", false, true));
    let wanted = [("public", true, true), ("partner", false, true)];
    let wanted = wanted.map(|(name, early, written)| (name.to_owned(), early, written));
    assert_eq!(turns, wanted);
    assert_eq!(status(&laptop)["provisional"], Value::Null);
    let history = laptop.goroam(&["history"]);
    assert!(
        history.ok().contains("office → public (provisional) in "),
        "{}",
        history.stdout
    );
    // Next time it is known.
    lab.travel("office");
    laptop.wait_for("GOPROXY", "https://goproxy.corp.test", SOON);
    lab.travel("home");
    laptop.wait_for("GOPROXY", PARTNER, Duration::from_millis(2500));
    wait_for_turn(&laptop, ("partner", false, false));
}

#[test]
fn a_black_hole_makes_it_final_without_another_write_and_no_private_name_is_shown() {
    let Some(lab) = Lab::get() else { return };
    for (goprivate, is_early) in [("GOPRIVATE = \"github.com/pkg\", ", true), ("", false)] {
        let laptop = lab.laptop().with_policy(&policy(&lab, goprivate));
        let _agent = laptop.agent();
        lab.travel("office");
        laptop.wait_for("GOPROXY", "https://goproxy.corp.test", SOON);
        lab.fault("home", "github.com", "drop");
        lab.travel("home");
        let turns = wait_for_turn(&laptop, ("public", false, !is_early));
        let early = turns.iter().filter(|(_, early, _)| *early).count();
        let writes = turns.iter().filter(|(.., written)| *written).count();
        assert_eq!((early, writes), (usize::from(is_early), 1), "{turns:?}");
        lab.travel("airplane");
    }
}
