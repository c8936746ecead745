use super::{
    Logs, RunKeyFacts, ServiceRequest, ServiceStep, Site, TRAY, command, describe, logs,
    program_of, steps,
};
use super::{PathBuf, ServiceError};
use crate::environment::Environment;
use crate::paths::Paths;

/// A folder with both programs, and whose site it is.
fn site() -> (tempfile::TempDir, Site) {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("goroam.exe");
    for name in ["goroam.exe", TRAY] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    let site = Site {
        program,
        home: folder.path().to_owned(),
        env: Environment::default(),
        paths: Paths {
            policy: folder.path().join("a policy.toml"),
            policy_named: false,
            state: folder.path().join("data"),
            data: folder.path().join("data"),
            runtime: folder.path().join("data/run"),
        },
    };
    (folder, site)
}

fn names(steps: &[ServiceStep]) -> Vec<String> {
    let last = |key: &str| key.rsplit('\\').take(2).collect::<Vec<_>>().join(" of ");
    let name = |step: &ServiceStep| match step {
        ServiceStep::SetValue { key, .. } => format!("set {}", last(key)),
        ServiceStep::RemoveValue { key, .. } => format!("remove {}", last(key)),
        ServiceStep::EndAgent => "end".to_owned(),
        ServiceStep::Spawn { .. } => "spawn".to_owned(),
        ServiceStep::Tell { text } => text.clone(),
        ServiceStep::Write { .. }
        | ServiceStep::Remove { .. }
        | ServiceStep::RemoveEmpty { .. }
        | ServiceStep::Insist { .. }
        | ServiceStep::Run { .. } => {
            format!("{step:?}")
        }
    };
    steps.iter().map(name).collect()
}

#[test]
fn each_wish_has_its_steps() {
    let (_folder, site) = site();
    let facts = |answers| RunKeyFacts {
        answers,
        ..RunKeyFacts::default()
    };
    let cases: [(ServiceRequest, bool, &[&str]); 7] = [
        (
            ServiceRequest::Install,
            true,
            &[
                "set Run of CurrentVersion",
                "remove Run of StartupApproved",
                "end",
                "spawn",
            ],
        ),
        (
            ServiceRequest::Uninstall,
            true,
            &[
                "remove Run of CurrentVersion",
                "remove Run of StartupApproved",
                "end",
            ],
        ),
        (ServiceRequest::Start, false, &["spawn"]),
        (ServiceRequest::Start, true, &["an agent runs already"]),
        (ServiceRequest::Stop, true, &["end"]),
        (ServiceRequest::Stop, false, &["no agent runs"]),
        (ServiceRequest::Restart, false, &["end", "spawn"]),
    ];
    for (wish, answers, want) in cases {
        let steps = steps(wish, &site, &facts(answers)).unwrap();
        assert_eq!(names(&steps), want, "{wish:?}");
    }
}

#[test]
fn the_line_is_quoted_and_hands_a_named_policy_on() {
    let (folder, mut site) = site();
    let here = folder.path().display();
    let tray = folder.path().join(TRAY).display().to_string();
    assert_eq!(command(&site).unwrap(), format!("\"{tray}\""));
    site.paths.policy_named = true;
    let policy = site.paths.policy.display().to_string();
    assert_eq!(
        command(&site).unwrap(),
        format!("\"{tray}\" --config \"{policy}\"")
    );
    site.paths.policy = PathBuf::from("C:\\policies\\");
    assert!(command(&site).unwrap().ends_with("\"C:\\policies\\\\\""));
    // Windows would start nothing, and say nothing.
    site.paths.policy = folder.path().join("x".repeat(260));
    let refused = command(&site).unwrap_err();
    assert!(matches!(refused, ServiceError::Refused { .. }), "{refused}");
    std::fs::remove_file(&tray).unwrap();
    let missing = command(&site).unwrap_err().to_string();
    assert!(
        missing.contains(&format!("goroam-tray.exe is not in {here}")),
        "{missing}"
    );
}

#[test]
fn the_state_says_what_would_keep_it_from_starting() {
    let (folder, site) = site();
    let own = command(&site).unwrap();
    let of = |command: Option<&str>, approved: Option<&[u8]>| {
        let facts = RunKeyFacts {
            command: command.map(str::to_owned),
            approved: approved.map(<[u8]>::to_vec),
            answers: true,
        };
        describe(&site, &facts)
    };
    let none = of(None, None);
    assert_eq!(
        (none.enabled, none.installed, none.troubles.len()),
        (false, None, 0)
    );
    // Task Manager writes 02 for on and 03 for off, with the time behind it.
    let well = of(Some(&own), Some(&[2, 0, 0, 0]));
    assert_eq!(
        (well.enabled, well.troubles.len()),
        (true, 0),
        "{:?}",
        well.troubles
    );
    assert_eq!(well.program, Some(folder.path().join(TRAY)));
    let named = of(Some(&format!("{own} --config \"C:\\a.toml\"")), None);
    assert_eq!(named.troubles, [""; 0], "installed with --config");
    let off = of(Some(&own), Some(&[3, 0, 0, 0, 9, 9]));
    assert!(
        !off.enabled && off.troubles[0].contains("Task Manager"),
        "{:?}",
        off.troubles
    );
    let gone = of(Some("\"C:\\gone\\goroam-tray.exe\""), None);
    assert!(
        gone.troubles[0].contains("is not there"),
        "{:?}",
        gone.troubles
    );
    let other = folder.path().join("other.exe");
    std::fs::write(&other, "").unwrap();
    let other = of(Some(&other.display().to_string()), None);
    assert!(
        other.troubles[0].contains("would start"),
        "{:?}",
        other.troubles
    );
}

#[test]
fn the_log_is_shown_once_there_is_one_and_its_name_is_quoted() {
    let (_folder, mut site) = site();
    let wanted = Logs {
        lines: 20,
        follow: true,
    };
    assert!(logs(&site, &wanted).is_err());
    site.paths.state = site.home.join("d'Arc");
    std::fs::create_dir(&site.paths.state).unwrap();
    std::fs::write(site.paths.log(), "").unwrap();
    let Ok(ServiceStep::Run { args, .. }) = logs(&site, &wanted) else {
        panic!("no command");
    };
    let script = args.last().unwrap().to_string_lossy();
    assert!(script.contains("d''Arc"), "{script}");
    assert!(script.ends_with("-Tail 20 -Wait"), "{script}");
}

#[test]
fn the_program_of_a_line_is_found() {
    for (line, program) in [
        ("\"C:\\a b\\x.exe\" --config \"y\"", Some("C:\\a b\\x.exe")),
        ("C:\\a\\x.exe --config y", Some("C:\\a\\x.exe")),
        ("", None),
        ("\"\"", None),
    ] {
        assert_eq!(program_of(line), program.map(PathBuf::from), "{line}");
    }
}
