//! `goroam fleet`: signed by the real minisign, served by the real nginx.

use std::path::Path;

use crate::cli::{Done, User};
use crate::minisign::MinisignKey;
use crate::store::Store;

const DRAFT: &str = "\
version = 1

# The policy of all laptops.
[policy]
id = \"example-corp\"

[[profile]]
name = \"public\" # everywhere
fleet = true

[profile.env]
GOPROXY = \"https://proxy.golang.org,direct\"
";

macro_rules! real {
    ($made:expr) => {
        match $made {
            Some(made) => made,
            None => {
                println!("skipped: there is no minisign or nginx");
                return;
            }
        }
    };
}

/// A user whose own file names the fleet.
fn member(url: &str, keys: &[&MinisignKey]) -> User {
    let user = User::new();
    let keys = Vec::from_iter(keys.iter().map(|key| key.public.as_str()));
    let text =
        format!("version = 1\n\n[fleet]\nurl = {url:?}\nkeys = {keys:?}\nrefresh = \"1s\"\n");
    user.write(".config/goroam/goroam.toml", text);
    user
}

fn signed(user: &User, key: &MinisignKey, more: &str) -> Done {
    user.goroam("fleet sign policy.toml --json --secret-key")
        .arg(key.secret())
        .args(more)
        .exits(0)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_policy_is_numbered_and_signed_and_minisign_verifies_it_too() {
    let key = real!(MinisignKey::new());
    let user = User::new();
    let file = user.write("policy.toml", DRAFT);
    let said = signed(&user, &key, "").json();
    assert_eq!(
        (&said["version"], &said["key"]),
        (&1.into(), &key.id.as_str().into())
    );
    assert!(key.verifies(&file));
    // Comments and order stay.
    let text = read(&file);
    assert!(
        text.contains("# The policy of all laptops.\n[policy]\nversion = 1\n"),
        "{text}"
    );
    assert!(
        text.ends_with(&DRAFT[DRAFT.find("id =").unwrap()..]),
        "{text}"
    );
    let verify = |more: &str| {
        let run = user.goroam("fleet verify policy.toml --key");
        run.arg(&key.public).args(more)
    };
    verify("")
        .exits(0)
        .says("example-corp version 1, verified by key");
    let public = key.secret().with_extension("pub");
    user.goroam("fleet verify policy.toml --key")
        .arg(public)
        .exits(0);
    assert_eq!(signed(&user, &key, "").json()["version"], 2);
    assert_eq!(read(&user.path("policy-1.toml")), text);
    // One byte more, or another key.
    user.write("policy.toml", read(&file) + "#");
    let refused = verify("").exits(4);
    assert!(
        refused.stderr().contains("does not match its bytes"),
        "{}",
        refused.stderr()
    );
    let other = MinisignKey::new().unwrap();
    user.goroam("fleet verify policy-1.toml --key")
        .arg(&other.public)
        .exits(4);
}

#[test]
fn what_is_wrong_is_not_signed_and_the_file_stays() {
    let key = real!(MinisignKey::new());
    let user = User::new();
    let sign = |text: &str, more: &str, exit: i32| {
        let file = user.write("policy.toml", text);
        let run = user.goroam("fleet sign policy.toml --secret-key");
        let done = run.arg(key.secret()).args(more).exits(exit);
        assert!(exit == 0 || read(&file) == text);
        done.stderr()
    };
    let wrong = sign(&DRAFT.replace("GOPROXY", "GOPROXXY"), "", 2);
    assert!(wrong.contains("was not signed"), "{wrong}");
    let weak = "GOSUMDB = \"off\"\n".to_owned();
    let proven = "\n[target.corp]\ngoproxy = \"https://goproxy.corp.example\"\n\n[[profile]]\n\
                  name = \"office\"\nwhen = { up = \"corp\" }\nenv = { GOSUMDB = \"off\" }\n\n[[profile]]";
    let weak = DRAFT.replacen("\n[[profile]]", proven, 1) + &weak;
    let weak = weak.replacen("GOSUMDB = \"off\"\n", "", 1);
    let weaker = sign(&weak, "", 4);
    assert!(weaker.contains("profile office: GOSUMDB=off"), "{weaker}");
    sign(&weak, "--allow-weaker", 0);
    let nameless = sign(&DRAFT.replace("id =", "# id ="), "", 2);
    assert!(nameless.contains("has no name"), "{nameless}");
    // What every machine would refuse is not signed either.
    let again = sign(DRAFT, "", 2);
    assert!(again.contains("policy-1.toml is there"), "{again}");
    let last = DRAFT.replace("id =", "version = 9223372036854775807\nid =");
    let highest = sign(&last, "", 2);
    assert!(
        highest.contains("no version is higher than 9223372036854775807"),
        "{highest}"
    );
    let next = DRAFT.replace("id =", "version = 1\nid =");
    let retires = format!("retire_keys = [{:?}]\nid =", key.id);
    let own = sign(&next.replacen("id =", &retires, 1), "", 2);
    assert!(own.contains("which has signed it"), "{own}");
    let store = format!(
        "{next}\n[fleet]\nurl = \"https://p.example/p.toml\"\nkeys = [{:?}]\n",
        key.public
    );
    let store = sign(&store, "", 2);
    assert!(store.contains("error[fleet-place]"), "{store}");
    let short = sign(&next, "--expires 0s", 2);
    assert!(short.contains("expires before it was issued"), "{short}");
    let alone = sign(&next.replace("fleet = true\n", ""), "", 0);
    assert!(alone.contains("fleet-nowhere"), "{alone}");
    let no_tool = user
        .goroam("fleet sign policy.toml")
        .env("PATH", "/nowhere")
        .exits(1);
    assert!(
        no_tool.stderr().contains("install the package minisign"),
        "{}",
        no_tool.stderr()
    );
}

#[test]
fn a_larger_share_keeps_who_is_in_and_other_content_starts_over() {
    let key = real!(MinisignKey::new());
    let user = User::new();
    let file = user.write("policy.toml", DRAFT);
    signed(&user, &key, "");
    let line = |key: &str| {
        let text = read(&file);
        let line = text.lines().find(|line| line.starts_with(key));
        line.map(str::to_owned)
    };
    assert_eq!(line("salt"), None);
    user.write("policy.toml", read(&file).replace("direct", "off"));
    signed(&user, &key, "--percent 10");
    let (salt, previous) = (line("salt"), line("previous"));
    assert!(
        previous.as_ref().unwrap().contains("version = 1"),
        "{previous:?}"
    );
    signed(&user, &key, "--percent 50");
    assert_eq!((line("salt"), line("previous")), (salt.clone(), previous));
    assert_eq!(line("version = 3"), Some("version = 3".to_owned()));
    user.write("policy.toml", read(&file).replace("off", "direct"));
    signed(&user, &key, "--percent 10");
    assert_ne!(line("salt"), salt);
    assert!(line("previous").unwrap().contains("version = 3"));
}

#[test]
fn an_update_asks_once_more_only_for_what_has_changed() {
    let key = real!(MinisignKey::new());
    let store = real!(Store::start(&[]));
    let user = member(&store.url("policy.toml"), &[&key]);
    user.goroam("fleet status")
        .exits(0)
        .says("no policy was fetched yet");
    let missing = user.goroam("fleet update").exits(1);
    assert!(
        missing.stdout().contains("the store answers 404"),
        "{}",
        missing.stdout()
    );
    let policy = |version: u32, more: &str| {
        let head = format!(
            "id = \"example-corp\"\nversion = {version}\nissued = 2026-01-01T00:00:00Z\n\
             expires = 9000-01-01T00:00:00Z\n{more}"
        );
        DRAFT.replace("id = \"example-corp\"\n", &head)
    };
    store.put(&policy(1, ""), &key);
    user.goroam("fleet update")
        .exits(0)
        .says("new: example-corp version 1");
    user.goroam("fleet update")
        .exits(0)
        .says("up to date: example-corp version 1");
    let asked = store.asked();
    assert!(
        asked
            .last()
            .unwrap()
            .starts_with("GET /policy.toml 304 - \\x22"),
        "{asked:?}"
    );
    // Neither a query nor a number of the machine goes out.
    assert!(
        asked.iter().all(|line| line.split(' ').nth(3) == Some("-")),
        "{asked:?}"
    );
    // Half of a pair: the body is there, the signature is not yet.
    store.put_file("policy.toml", &policy(2, ""));
    let refused = user.goroam("fleet update --json").exits(4).json();
    assert_eq!(refused["code"], "bad-signature");
    assert_eq!(refused["fleet"]["version"], 1);
    store.put(&policy(2, ""), &key);
    user.goroam("fleet update")
        .exits(0)
        .says("new: example-corp version 2");
    store.put(&policy(1, ""), &key);
    let refused = user.goroam("fleet update --json").exits(4).json();
    assert_eq!(refused["code"], "rolled-back");
    let status = user
        .goroam("fleet status")
        .exits(0)
        .says("example-corp version 2");
    assert!(
        status.stdout().contains("rolled back"),
        "{}",
        status.stdout()
    );
    store.down(true);
    let down = user.goroam("fleet update").exits(1).stdout();
    assert!(down.contains("the store answers 503"), "{down}");
    assert!(
        down.contains("still in force: example-corp version 2"),
        "{down}"
    );
    store.down(false);
    // Another key with the same content, then the old key is retired.
    let next = MinisignKey::new().unwrap();
    let user = member(&store.url("moved.toml"), &[&key, &next]);
    store.put(&policy(3, ""), &key);
    user.goroam("fleet update").exits(0).says("version 3");
    let retires = format!("retire_keys = [{:?}]\n", key.id);
    store.put(&policy(4, &retires), &next);
    user.goroam("fleet update").exits(0).says("version 4");
    store.put(&policy(5, ""), &key);
    let refused = user.goroam("fleet update --json").exits(4).json();
    assert_eq!(refused["code"], "retired-key");
}

#[test]
fn a_machine_follows_a_second_store_but_no_redirect_to_plain_http() {
    let key = real!(MinisignKey::new());
    let store = real!(Store::start(&[]));
    let user = member(&store.url("away.toml"), &[&key]);
    let away = user.goroam("fleet update").exits(1).stdout();
    assert!(away.contains("which is not https"), "{away}");
    let text = read(&user.policy());
    let two = format!(
        "[{:?}, {:?}]",
        store.url("away.toml"),
        store.url("policy.toml")
    );
    let text = text.replace(&format!("{:?}", store.url("away.toml")), &two);
    user.write(".config/goroam/goroam.toml", text);
    let policy = DRAFT.replace(
        "[policy]\n",
        "[policy]\nversion = 7\nissued = 2026-01-01T00:00:00Z\nexpires = 9000-01-01T00:00:00Z\n",
    );
    store.put(&policy, &key);
    user.goroam("fleet update").exits(0).says("version 7");
    // A file that another program changed is not read as a policy.
    let held = user.path(".local/state/goroam/fleet.json");
    let changed = read(&held).replace("direct", "off");
    user.write(".local/state/goroam/fleet.json", changed);
    let refused = user.goroam("fleet status").exits(4);
    assert!(
        refused.stderr().contains("does not match its bytes"),
        "{}",
        refused.stderr()
    );
    user.goroam("fleet update").exits(0).says("version 7");
    user.goroam("fleet status").exits(0).says("version 7");

    // Without the record of it, the text in force says which version was seen.
    for damaged in [Some("{"), Some(""), None] {
        match damaged {
            Some(text) => drop(user.write(".local/state/goroam/fleet.json", text)),
            None => std::fs::remove_file(&held).unwrap(),
        }
        store.put(&policy.replace("version = 7", "version = 6"), &key);
        let lost = user.goroam("fleet status").exits(4).stderr();
        assert!(lost.contains("run `goroam fleet update`"), "{lost}");
        let old = user.goroam("fleet update --json").exits(4).json();
        assert_eq!(old["code"], "rolled-back", "{damaged:?}");
        store.put(&policy, &key);
        user.goroam("fleet update").exits(0).says("version 7");
    }
    // Without both it is a new machine.
    std::fs::remove_file(&held).unwrap();
    std::fs::remove_file(held.with_extension("toml")).unwrap();
    user.goroam("fleet status")
        .exits(0)
        .says("no policy was fetched yet");
}

#[test]
fn once_fetches_the_policy_where_the_profile_allows_it() {
    let key = real!(MinisignKey::new());
    let store = real!(Store::start(&[]));
    let Some(go) = crate::go::go(crate::go::VERSIONS[2]) else {
        return;
    };
    let path = format!("{}:/usr/bin:/bin", go.parent().unwrap().display());
    let policy = DRAFT.replace(
        "[policy]\n",
        "[policy]\nversion = 3\nissued = 2026-01-01T00:00:00Z\nexpires = 9000-01-01T00:00:00Z\n",
    );
    store.put(&policy, &key);
    let own = |allows: bool| {
        let user = member(&store.url("policy.toml"), &[&key]);
        let profile = format!("\n[[profile]]\nname = \"mine\"\nfleet = {allows}\n");
        user.write(
            ".config/goroam/goroam.toml",
            read(&user.policy()) + &profile,
        );
        user.goroam("once").env("PATH", &path).exits(0);
        user
    };
    let user = own(false);
    assert_eq!(store.asked(), Vec::<String>::new());
    user.goroam("fleet status")
        .exits(0)
        .says("no policy was fetched yet");
    let user = own(true);
    user.goroam("fleet status").exits(0).says("version 3");
    let metrics = user.goroam("metrics").exits(0);
    let metrics = metrics.says("goroam_fleet_version 3\n");
    metrics.says("goroam_fleet_refused 0\n");
    let journal = read(&user.path(".local/state/goroam/journal.jsonl"));
    assert!(
        journal.contains("the fleet's policy is version 3 now"),
        "{journal}"
    );
}

#[test]
fn without_a_fleet_the_verbs_say_what_to_write() {
    let user = User::new();
    for verb in ["update", "status"] {
        let done = user.goroam(&format!("fleet {verb}")).exits(2);
        assert!(done.stderr().contains("[fleet] url"), "{}", done.stderr());
    }
}
