//! launchd.plist(5) as a table, to hold the shipped file against: a misspelt key is passed over
//! by launchd without a word.

use plist::{Dictionary, Value};

/// The type of a value.
#[derive(Debug, Clone, Copy)]
enum Type {
    Text,
    Flag,
    Number,
    Texts,
    TextOrTexts,
    /// Any strings by name.
    TextsByName,
    Keys(&'static [(&'static str, Type)]),
    FlagOrKeys(&'static [(&'static str, Type)]),
    FlagsByName,
    FlagOrFlagsByName,
    KeysOrMany(&'static [(&'static str, Type)]),
    /// One of these words.
    Word(&'static [&'static str]),
    /// What it may be is another manual's.
    Anything,
    /// Obsolete, or only read where launchd runs as root: not for a LaunchAgent.
    NotHere,
}

use Type::{
    Anything, Flag, FlagOrFlagsByName, FlagOrKeys, FlagsByName, Keys, KeysOrMany, NotHere, Number,
    Text, TextOrTexts, Texts, TextsByName, Word,
};

const LIMITS: &[(&str, Type)] = &[
    ("Core", Number),
    ("CPU", Number),
    ("Data", Number),
    ("FileSize", Number),
    ("MemoryLock", Number),
    ("NumberOfFiles", Number),
    ("NumberOfProcesses", Number),
    ("ResidentSetSize", Number),
    ("Stack", Number),
];

/// launchd.plist(5), in its order.
const KNOWN: &[(&str, Type)] = &[
    ("Label", Text),
    ("Disabled", Flag),
    ("UserName", NotHere),
    ("GroupName", NotHere),
    (
        "inetdCompatibility",
        Keys(&[("Wait", Flag), ("Instances", Number)]),
    ),
    ("LimitLoadToHosts", Texts),
    ("LimitLoadFromHosts", Texts),
    ("LimitLoadToSessionType", TextOrTexts),
    ("LimitLoadToHardware", Anything),
    ("LimitLoadFromHardware", Anything),
    ("Program", Text),
    ("BundleProgram", Text),
    ("ProgramArguments", Texts),
    ("EnableGlobbing", NotHere),
    ("EnableTransactions", Flag),
    ("EnablePressuredExit", Flag),
    ("OnDemand", NotHere),
    ("ServiceIPC", NotHere),
    (
        "KeepAlive",
        FlagOrKeys(&[
            ("SuccessfulExit", Flag),
            ("NetworkState", NotHere),
            ("PathState", FlagsByName),
            ("OtherJobEnabled", FlagsByName),
            ("Crashed", Flag),
            ("AfterInitialDemand", FlagOrFlagsByName),
        ]),
    ),
    ("RunAtLoad", Flag),
    ("RootDirectory", Text),
    ("WorkingDirectory", Text),
    ("EnvironmentVariables", TextsByName),
    ("Umask", Number),
    ("TimeOut", Number),
    ("ExitTimeOut", Number),
    ("ThrottleInterval", Number),
    ("InitGroups", NotHere),
    ("WatchPaths", Texts),
    ("QueueDirectories", Texts),
    ("StartOnMount", Flag),
    ("StartInterval", Number),
    (
        "StartCalendarInterval",
        KeysOrMany(&[
            ("Minute", Number),
            ("Hour", Number),
            ("Day", Number),
            ("Weekday", Number),
            ("Month", Number),
        ]),
    ),
    ("StandardInPath", Text),
    ("StandardOutPath", Text),
    ("StandardErrorPath", Text),
    ("Debug", Flag),
    ("WaitForDebugger", Flag),
    ("SoftResourceLimits", Keys(LIMITS)),
    ("HardResourceLimits", Keys(LIMITS)),
    ("Nice", Number),
    (
        "ProcessType",
        Word(&["Background", "Standard", "Adaptive", "Interactive"]),
    ),
    ("AbandonProcessGroup", Flag),
    ("LowPriorityIO", Flag),
    ("LowPriorityBackgroundIO", Flag),
    ("MaterializeDatalessFiles", Flag),
    ("LaunchOnlyOnce", Flag),
    ("MachServices", Anything),
    ("Sockets", Anything),
    ("LaunchEvents", Anything),
    ("HopefullyExitsLast", NotHere),
    ("HopefullyExitsFirst", NotHere),
    ("SessionCreate", NotHere),
    ("LegacyTimers", Flag),
    ("AssociatedBundleIdentifiers", TextOrTexts),
];

/// What launchd would pass over or misunderstand; empty is good.
pub(super) fn complaints(file: &Dictionary) -> Vec<String> {
    let mut out = Vec::new();
    check(file, KNOWN, "", &mut out);
    for needed in ["Label", "ProgramArguments"] {
        if !file.contains_key(needed) {
            out.push(format!("{needed}: missing"));
        }
    }
    out
}

fn check(file: &Dictionary, known: &[(&str, Type)], within: &str, out: &mut Vec<String>) {
    for (key, value) in file {
        let name = format!("{within}{key}");
        match known.iter().find(|(known, _)| known == key) {
            None => out.push(format!("{name}: not in launchd.plist(5)")),
            Some((_, of)) => check_value(value, *of, &name, out),
        }
    }
}

fn check_value(value: &Value, of: Type, name: &str, out: &mut Vec<String>) {
    let is_text = |value: &Value| value.as_string().is_some_and(|text| !text.is_empty());
    let is_flag = |value: &Value| value.as_boolean().is_some();
    let are_texts = |value: &Value| {
        let list = value.as_array();
        list.is_some_and(|list| !list.is_empty() && list.iter().all(is_text))
    };
    let by_name = |value: &Value, is: &dyn Fn(&Value) -> bool| {
        let named = value.as_dictionary();
        named.is_some_and(|named| named.values().all(is))
    };
    let good = match of {
        Text => is_text(value),
        Flag => is_flag(value),
        Number => value.as_signed_integer().is_some_and(|number| number >= 0),
        Texts => are_texts(value),
        TextOrTexts => is_text(value) || are_texts(value),
        TextsByName => by_name(value, &is_text),
        FlagsByName => by_name(value, &is_flag),
        FlagOrFlagsByName => is_flag(value) || by_name(value, &is_flag),
        Word(words) => value.as_string().is_some_and(|word| words.contains(&word)),
        Anything => true,
        NotHere => false,
        Keys(known) | FlagOrKeys(known) | KeysOrMany(known) => {
            let mut each: Vec<&Dictionary> = value.as_dictionary().into_iter().collect();
            if let (KeysOrMany(_), Some(list)) = (of, value.as_array()) {
                each.extend(list.iter().filter_map(Value::as_dictionary));
            }
            for one in &each {
                check(one, known, &format!("{name}."), out);
            }
            !each.is_empty() || (matches!(of, FlagOrKeys(_)) && is_flag(value))
        }
    };
    if !good {
        out.push(format!("{name}: {value:?} is not {of:?}"));
    }
}

#[test]
fn a_misspelt_key_and_a_value_of_another_type_are_found() {
    let good = super::plist::SHIPPED;
    for (from, to, complaint) in [
        ("<key>KeepAlive", "<key>Keepalive", "Keepalive: not in"),
        (
            "<key>SuccessfulExit",
            "<key>SuccesfulExit",
            "KeepAlive.SuccesfulExit: not in",
        ),
        ("Standard<", "Fast<", "ProcessType: "),
        (
            "<integer>10</integer>",
            "<string>10</string>",
            "ThrottleInterval: ",
        ),
        ("<key>Label<", "<key>UserName<", "UserName: "),
        ("<key>Label<", "<key>Program<", "Label: missing"),
    ] {
        let text = good.replace(from, to);
        let value = Value::from_reader_xml(text.as_bytes()).unwrap();
        let found = complaints(&value.into_dictionary().unwrap());
        let matching = found.iter().filter(|one| one.starts_with(complaint));
        assert_eq!(matching.count(), 1, "{from} → {to}: {found:?}");
    }
}
