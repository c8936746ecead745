//! goroam's own files, damaged or from another time.

use crate::bench::{Bench, ENV, POLICY, STATE};

fn change(bench: &Bench, change: impl FnOnce(&mut serde_json::Value)) {
    let name = format!("{STATE}/state.json");
    let mut state = serde_json::from_str(&bench.read(&name)).unwrap();
    change(&mut state);
    bench.user.write(&name, state.to_string());
}

#[test]
fn a_damaged_memory_is_put_aside_and_the_way_back_is_not_lost() {
    let Some(bench) = Bench::new() else { return };
    bench.user.write(ENV, "GOPROXY=https://mine.example\n");
    bench.goroam("once").exits(0);
    bench.goroam("once").exits(0);
    for damage in [
        "",
        "{\"turn\": 3, \"profile\": [",
        "\u{0}\u{0}\u{0}",
        "{\"turn\": -1}",
    ] {
        bench.user.write(&format!("{STATE}/state.json"), damage);
        bench
            .goroam("status")
            .exits(0)
            .complains("state file is corrupt; starting with empty state");
        assert_eq!(bench.read(&format!("{STATE}/state.json.broken")), damage);
        bench.goroam("once").exits(0);
        // How the journal ended was known there alone.
        bench
            .goroam("history --verify")
            .exits(1)
            .complains("state.json, which remembers how the journal ends, was lost");
    }
    bench.goroam("restore").exits(0);
    assert_eq!(bench.read(ENV), "GOPROXY=https://mine.example\n");
}

#[test]
fn a_damaged_baseline_is_told_and_its_copy_is_used() {
    let Some(bench) = Bench::new() else { return };
    bench.goroam("once").exits(0);
    let path = bench.user.path(STATE).join("baseline.json");
    let whole = std::fs::read_to_string(&path).unwrap();
    let damages = ["", "{", "{\"path\":\"x\",\"bytes\":\"!!\",\"values\":{}}"];
    for (damage, value) in damages.into_iter().zip(["direct", "off", "direct"]) {
        bench.policy(&POLICY.replace("\"off\" }", &format!("\"{value}\" }}")));
        std::fs::write(&path, damage).unwrap();
        for verb in ["status", "why"] {
            bench.goroam(verb).exits(0);
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), damage);
        bench
            .goroam("once")
            .exits(0)
            .complains("the copy in state.json is used");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
        assert_eq!(bench.read(ENV), format!("GOPROXY={value}\n"));
    }
    bench.goroam("restore").exits(0);
    assert!(!bench.is_there(ENV));
}

#[test]
fn a_clock_that_jumped_makes_no_nonsense() {
    let Some(bench) = Bench::new() else { return };
    bench.goroam("once").exits(0);
    // Set back since: it cannot have been in force for less than no time.
    change(&bench, |state| {
        state["since"] = "2099-01-01T00:00:00Z".into();
        state["pinned"] = serde_json::json!({"name": "only", "until": "2099-01-01T00:00:00Z"});
    });
    bench
        .goroam("status")
        .exits(0)
        .says("since 2099-01-01 00:00 (0 s)")
        .says("by hand until 2099-01-01");
    bench
        .goroam("once")
        .exits(0)
        .says("only stays  (chosen by hand)");
    bench.goroam("history").exits(0);
    // Set forward: the pin has run out, also in the eyes of whoever only looks.
    change(&bench, |state| {
        state["pinned"]["until"] = "2001-01-01T00:00:00Z".into();
    });
    let status = bench.goroam("status --json").exits(0).json();
    assert_eq!(status["pinned"], serde_json::Value::Null);
    let said = bench.goroam("status").exits(0).stdout();
    assert!(!said.contains("by hand until"), "{said}");
    bench
        .goroam("once")
        .exits(0)
        .says("only stays  (no network)");
    // The ends of time, and of numbers.
    change(&bench, |state| {
        state["since"] = "-009999-01-02T01:59:59Z".into();
        state["pinned"] = serde_json::json!({"name": "gone", "until": "9999-12-30T21:00:00Z"});
        state["turn"] = u64::MAX.into();
        state["switched_ms"] = (-1e300).into();
    });
    let status = bench.goroam("status --json").exits(0).json();
    assert!(
        status["troubles"].to_string().contains(
            "gone is pinned, but the policy has no such profile; `goroam auto` ends that"
        ),
        "{status}"
    );
    for words in ["status", "once", "why", "history", "once --json", "restore"] {
        bench.goroam(words).exits(0);
    }
}

#[test]
fn a_pin_that_ran_out_while_nobody_ran_ends_with_the_agents_start() {
    let Some(bench) = Bench::new() else { return };
    bench.policy(&POLICY.replace(
        "[[profile]]",
        "[[profile]]\nname = \"other\"\nwhen = { online = true }\nenv = { GOPROXY = \"direct\" }\n[[profile]]",
    ));
    bench.goroam("use other").exits(0);
    assert_eq!(bench.read(ENV), "GOPROXY=direct\n");
    change(&bench, |state| {
        state["pinned"]["until"] = "2001-01-01T00:00:00Z".into();
    });
    let _agent = bench.agent(bench.goroam("agent"), "switched");
    assert_eq!(bench.read(ENV), "GOPROXY=off\n");
}

#[test]
fn what_is_cleared_away_under_a_running_agent_is_kept_again() {
    let Some(bench) = Bench::new() else { return };
    bench.user.write(ENV, "GOPROXY=https://mine.example\n");
    let mut agent = bench.agent(bench.goroam("agent"), "switched");
    // At once, whatever it is writing there.
    let away = bench.user.path("away");
    std::fs::rename(bench.user.path(STATE), away).unwrap();
    bench.policy(&POLICY.replace("\"off\" }", "\"direct\" }"));
    agent.wait_for("read the policy again");
    bench.goroam("once").exits(0);
    assert_eq!(bench.read(ENV), "GOPROXY=direct\n");
    bench.goroam("history").exits(0).says("only");
    bench.goroam("restore").exits(0);
    assert_eq!(bench.read(ENV), "GOPROXY=https://mine.example\n");
}

/// An object that names one key twice is read differently by each reader of JSON.
#[test]
fn no_key_stands_twice_in_what_scripts_read() {
    let Some(bench) = Bench::new() else { return };
    for words in [
        "once --json",
        "once --dry-run --json",
        "status --json",
        "why --json",
        "probe --json",
        "history --json",
        "restore --json",
    ] {
        let said = bench.goroam(words).exits(0).stdout();
        let read: Result<Once, _> = serde_json::from_str(&said);
        assert!(read.is_ok(), "{words}: {:?}\n{said}", read.err());
    }
}

/// Any JSON in which no object has a key twice.
struct Once;

impl<'de> serde::Deserialize<'de> for Once {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Once, D::Error> {
        from.deserialize_any(Once)
    }
}

impl<'de> serde::de::Visitor<'de> for Once {
    type Value = Once;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Once, A::Error> {
        let mut keys = std::collections::BTreeSet::new();
        while let Some((key, Once)) = map.next_entry::<String, Once>()? {
            if let Some(twice) = keys.replace(key) {
                return Err(serde::de::Error::custom(format!("{twice:?} stands twice")));
            }
        }
        Ok(Once)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Once, A::Error> {
        while seq.next_element::<Once>()?.is_some() {}
        Ok(Once)
    }

    fn visit_unit<E>(self) -> Result<Once, E> {
        Ok(Once)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Once, E> {
        Ok(Once)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Once, E> {
        Ok(Once)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Once, E> {
        Ok(Once)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Once, E> {
        Ok(Once)
    }
    fn visit_str<E>(self, _: &str) -> Result<Once, E> {
        Ok(Once)
    }
}
