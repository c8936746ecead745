//! The LaunchAgent's file: the shipped file with this machine's paths filled in. It is made from
//! the shipped file, so the two cannot differ.

use crate::service::site::Site;
use crate::service::step::ServiceError;
use std::path::{Path, PathBuf};

/// The file in the repository's `launchd` directory.
pub(super) const SHIPPED: &str = include_str!("../../../launchd/dev.goroam.agent.plist");

const SHIPPED_TRAY: &str = include_str!("../../../launchd/dev.goroam.tray.plist");

const TRAY: &str = "<string>/usr/local/bin/goroam-tray</string>";
const PROGRAM: &str = "<string>/usr/local/bin/goroam</string>";
const LAST_ARGUMENT: &str = "<string>agent</string>";
const SESSION: &str = "<string>Aqua</string>";
const LOG: &str = "<string>/dev/null</string>";

/// Where launchd looks for the file at login.
pub(super) fn path(home: &Path) -> PathBuf {
    home.join("Library/LaunchAgents")
        .join(format!("{LABEL}.plist"))
}

/// The log file of the service, in the directory that Console.app shows as "Log Reports".
pub(super) fn log(home: &Path) -> PathBuf {
    home.join("Library/Logs/goroam.log")
}

/// Builds the file for this machine.
///
/// # Errors
/// When a property list cannot hold a path: it is not Unicode, or has a control character.
pub(super) fn text(site: &Site, session: Session) -> Result<String, ServiceError> {
    let policy = site.paths.policy_named.then_some(&*site.paths.policy);
    let arguments = LAST_ARGUMENT.to_owned() + &config_arguments(policy)?;
    Ok(fill(
        SHIPPED,
        &[
            (PROGRAM, string(&site.program)?),
            (LAST_ARGUMENT, arguments),
            // The variants' names are launchd's own words.
            (SESSION, format!("<string>{session:?}</string>")),
            (LOG, string(&log(&site.home))?),
        ],
    ))
}

/// The path and the text of the file that starts the menu bar item at login.
///
/// # Errors
/// As for [`text`].
pub fn tray(
    home: &Path,
    program: &Path,
    config: Option<&Path>,
) -> Result<(PathBuf, String), ServiceError> {
    let arguments = string(program)? + &config_arguments(config)?;
    let path = home.join("Library/LaunchAgents/dev.goroam.tray.plist");
    Ok((path, fill(SHIPPED_TRAY, &[(TRAY, arguments)])))
}

fn config_arguments(config: Option<&Path>) -> Result<String, ServiceError> {
    let Some(config) = config else {
        return Ok(String::new());
    };
    let config = string(config)?;
    Ok(format!("\n    <string>--config</string>\n    {config}"))
}

/// Fills in the values. Inserted text is not searched again: a path may contain anything.
fn fill(shipped: &str, parts: &[(&str, String)]) -> String {
    let mut rest = shipped;
    let mut text = String::with_capacity(shipped.len() + 512);
    for (place, here) in parts {
        let (before, after) = rest.split_once(place).unwrap_or((rest, ""));
        text.push_str(before);
        text.push_str(here);
        rest = after;
    }
    text.push_str(rest);
    text
}

/// The program that an installed file starts; `None` if goroam did not write the file.
pub(super) fn program(text: &str) -> Option<PathBuf> {
    let (_, after) = text.split_once("<key>ProgramArguments</key>")?;
    let (_, after) = after.split_once("<string>")?;
    let (escaped, _) = after.split_once("</string>")?;
    Some(PathBuf::from(unescape(escaped)))
}

fn string(path: &Path) -> Result<String, ServiceError> {
    let refuse = |what: &str| {
        let path = path.display();
        let why = format!("{path} {what}, which launchd cannot be told; move it to a plainer path");
        ServiceError::Refused(why)
    };
    let text = path.to_str().ok_or_else(|| refuse("is not Unicode"))?;
    if text.chars().any(char::is_control) {
        return Err(refuse("has a control character in it"));
    }
    let escaped = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    Ok(format!("<string>{escaped}</string>"))
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

/// launchd's name of the service.
pub(super) const LABEL: &str = "dev.goroam.agent";

/// The session that a service runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Session {
    /// `gui/UID`: exists while the user is logged in at the screen.
    Aqua,
    /// `user/UID`: exists after any login, also by ssh.
    Background,
}

impl Session {
    pub(super) const ALL: [Session; 2] = [Session::Aqua, Session::Background];

    /// Returns launchctl's domain target.
    pub(super) fn domain(self, uid: u32) -> String {
        match self {
            Session::Aqua => format!("gui/{uid}"),
            Session::Background => format!("user/{uid}"),
        }
    }

    /// Returns launchctl's service target.
    pub(super) fn target(self, uid: u32) -> String {
        format!("{}/{LABEL}", self.domain(uid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::launchd::tests::site;

    fn parsed(text: &str) -> plist::Dictionary {
        let value = plist::Value::from_reader_xml(text.as_bytes()).unwrap();
        value.into_dictionary().unwrap()
    }

    fn strings(dictionary: &plist::Dictionary, key: &str) -> Vec<String> {
        let value = dictionary.get(key).unwrap();
        let list = value.as_array().unwrap().iter();
        list.map(|one| one.as_string().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn the_shipped_file_has_only_keys_that_launchd_knows_with_values_of_their_type() {
        let shipped = parsed(SHIPPED);
        assert_eq!(complaints(&shipped), [""; 0]);
        assert_eq!(shipped.get("Label").unwrap().as_string(), Some(LABEL));
        // launchd does not find a file whose name differs from the label.
        assert!(path(Path::new("/h")).ends_with("dev.goroam.agent.plist"));
    }

    #[test]
    fn each_place_that_is_filled_in_is_there_once_and_in_this_order() {
        let mut last = 0;
        for part in [PROGRAM, LAST_ARGUMENT, SESSION, LOG] {
            assert_eq!(SHIPPED.matches(part).count(), 1, "{part}");
            let at = SHIPPED.find(part).unwrap();
            assert!(at > last, "{part}");
            last = at;
        }
    }

    #[test]
    fn any_path_comes_out_as_it_went_in() {
        for program in [
            "/opt/homebrew/bin/goroam",
            "/Users/dev/Application Support/goroam",
            "/Users/R&D <dev>/\"bin\"/it's/goroam",
            "/Users/Jürgen/バイナリ/goroam",
            "/Users/x/&amp;/&lt;/goroam",
            "/Users/x/<string>agent</string>/<string>Aqua</string>/goroam",
        ] {
            let mut site = site();
            site.program = program.into();
            let text = text(&site, Session::Aqua).unwrap();
            let parsed = parsed(&text);
            assert_eq!(complaints(&parsed), [""; 0], "{program}");
            let words = strings(&parsed, "ProgramArguments");
            assert_eq!(words, [program, "agent"]);
            let log = parsed.get("StandardErrorPath").unwrap().as_string();
            assert_eq!(log, Some("/Users/dev/Library/Logs/goroam.log"));
            assert_eq!(super::program(&text), Some(program.into()));
        }
    }

    #[test]
    fn a_policy_that_was_named_and_the_session_are_handed_on() {
        let mut site = site();
        site.paths.policy = "/Users/dev/R&D policy.toml".into();
        site.paths.policy_named = true;
        let parsed = parsed(&text(&site, Session::Background).unwrap());
        assert_eq!(
            strings(&parsed, "ProgramArguments")[1..],
            ["agent", "--config", "/Users/dev/R&D policy.toml"]
        );
        let session = parsed.get("LimitLoadToSessionType").unwrap();
        assert_eq!(session.as_string(), Some("Background"));
    }

    #[test]
    fn what_is_not_said_by_hand_is_the_shipped_file_to_the_letter() {
        let mut site = site();
        site.program = "/usr/local/bin/goroam".into();
        let here = text(&site, Session::Aqua).unwrap();
        let back = here.replace("/Users/dev/Library/Logs/goroam.log", "/dev/null");
        assert_eq!(back, SHIPPED);
    }

    #[test]
    fn the_menu_bars_file_is_known_to_launchd_too_and_any_path_fits_in_it() {
        assert_eq!(SHIPPED_TRAY.matches(TRAY).count(), 1);
        let (home, program) = (Path::new("/Users/dev"), Path::new("/Users/R&D/goroam-tray"));
        for (config, words) in [
            (None, &["/Users/R&D/goroam-tray"][..]),
            (
                Some("/a <b>.toml"),
                &["/Users/R&D/goroam-tray", "--config", "/a <b>.toml"],
            ),
        ] {
            let (path, text) = tray(home, program, config.map(Path::new)).unwrap();
            let parsed = parsed(&text);
            assert_eq!(complaints(&parsed), [""; 0]);
            assert_eq!(strings(&parsed, "ProgramArguments"), words);
            let label = parsed.get("Label").unwrap().as_string().unwrap();
            assert!(path.ends_with(format!("{label}.plist")), "{path:?}");
        }
    }

    #[test]
    fn a_path_that_no_property_list_can_hold_is_refused() {
        let mut site = site();
        site.program = "/Users/dev/a\u{7}b".into();
        let error = text(&site, Session::Aqua).unwrap_err().to_string();
        assert!(error.contains("control character"), "{error}");
    }

    /// Checks the keys of launchd.plist(5) that are used, and the type of their values. launchd
    /// ignores a misspelt key silently.
    fn complaints(file: &plist::Dictionary) -> Vec<String> {
        type Is = fn(&plist::Value) -> bool;
        let text: Is = |value| value.as_string().is_some_and(|text| !text.is_empty());
        let flag: Is = |value| value.as_boolean().is_some();
        let texts: Is = |value| {
            let list = value.as_array();
            list.is_some_and(|list| {
                !list.is_empty() && list.iter().all(|one| one.as_string().is_some())
            })
        };
        let keep_alive: Is = |value| {
            value.as_dictionary().is_some_and(|keys| {
                let mut keys = keys.iter();
                keys.all(|(key, value)| key == "SuccessfulExit" && value.as_boolean().is_some())
            })
        };
        let process_type: Is = |value| {
            let words = ["Background", "Standard", "Adaptive", "Interactive"];
            value.as_string().is_some_and(|word| words.contains(&word))
        };
        let known: [(&str, Is); 9] = [
            ("Label", text),
            ("ProgramArguments", texts),
            ("LimitLoadToSessionType", text),
            ("RunAtLoad", flag),
            ("KeepAlive", keep_alive),
            ("ThrottleInterval", |value| {
                value.as_unsigned_integer().is_some()
            }),
            ("ProcessType", process_type),
            ("LegacyTimers", flag),
            ("StandardErrorPath", text),
        ];
        let is_wrong = |(key, value): &(&String, &plist::Value)| {
            !known.iter().any(|(name, is)| name == key && is(value))
        };
        let wrong = file.iter().filter(is_wrong).map(|(key, _)| key.clone());
        let missing = ["Label", "ProgramArguments"]
            .into_iter()
            .filter(|key| !file.contains_key(key));
        wrong.chain(missing.map(str::to_owned)).collect()
    }

    #[test]
    fn a_misspelt_key_and_a_value_of_another_type_are_found() {
        for (from, to, complaint) in [
            ("<key>KeepAlive", "<key>Keepalive", "Keepalive"),
            ("<key>SuccessfulExit", "<key>SuccesfulExit", "KeepAlive"),
            ("Standard<", "Fast<", "ProcessType"),
            (
                "<integer>10</integer>",
                "<string>10</string>",
                "ThrottleInterval",
            ),
            ("<key>Label<", "<key>UserName<", "UserName"),
            ("<key>Label<", "<key>Program<", "Label"),
        ] {
            let found = complaints(&parsed(&SHIPPED.replace(from, to)));
            assert!(
                found.contains(&complaint.to_owned()),
                "{from} → {to}: {found:?}"
            );
        }
    }
}
