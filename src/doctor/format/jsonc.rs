//! Editors' settings: JSON with comments and trailing commas, each value with its line.

use std::collections::BTreeSet;

use jsonc_parser::ast::{Object, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::documents::line_of;
use super::setting::{Book, Setting};

/// The variables within settings that hold an environment: `go.toolsEnvVars`, `gopls.build.env`,
/// `terminal.integrated.env.linux`, Zed's and Sublime's `env`.
pub(crate) fn environments(text: &str, names: &BTreeSet<String>) -> Vec<Setting> {
    let mut book = Book::new(names);
    // The parser bounds the depth of what it reads. A text with faults is no settings.
    let parsed = parse_to_ast(text, &CollectOptions::default(), &ParseOptions::default());
    if let Some(value) = parsed.ok().and_then(|parsed| parsed.value) {
        read(&value, text, &mut Vec::new(), &mut book);
    }
    book.finish()
}

/// Does a setting of this name hold variables? Terminals have one for each system.
fn holds_variables(path: &[&str]) -> bool {
    let here = match std::env::consts::OS {
        "macos" => "osx",
        "windows" => "windows",
        _ => "linux",
    };
    let whole = path.join(".");
    let last = whole.rsplit('.').next().unwrap_or_default();
    if whole.contains("terminal.integrated.env.") {
        return last == here;
    }
    matches!(
        last,
        "env" | "environment" | "toolsEnvVars" | "testEnvVars" | "goplsEnv" | "cmd_env"
    )
}

fn read<'v>(value: &'v Value<'v>, text: &str, path: &mut Vec<&'v str>, book: &mut Book<'_>) {
    match value {
        Value::Object(object) => members(object, text, path, book),
        Value::Array(array) => {
            for value in &array.elements {
                read(value, text, path, book);
            }
        }
        // null takes a variable away, and this is what goroam would ask for.
        Value::StringLit(_)
        | Value::NumberLit(_)
        | Value::BooleanLit(_)
        | Value::NullKeyword(_) => {}
    }
}

fn members<'v>(object: &'v Object<'v>, text: &str, path: &mut Vec<&'v str>, book: &mut Book<'_>) {
    for member in &object.properties {
        let name = member.name.as_str();
        // A tool server of an assistant runs no go for its user, nor is it told of here.
        let part = |wanted: &str| path.iter().any(|part| part.contains(wanted));
        if let Value::StringLit(value) = &member.value
            && book.wants(name)
            && holds_variables(path)
            && !part("mcp")
            && !part("context_servers")
        {
            // Only what is started with such a configuration has it.
            let certain = !part("launch") && !part("tasks");
            // `${env:HOME}`, `${workspaceFolder}`: the editor's to know.
            let known = (!value.value.contains("${")).then(|| value.value.to_string());
            let line = line_of(text, value.start());
            book.set_in(&path.join("."), name, known, line, certain);
        }
        path.push(name);
        read(&member.value, text, path, book);
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::environments;

    fn found(text: &str) -> Vec<String> {
        let names: BTreeSet<String> = ["GOPROXY".to_owned(), "GOFLAGS".to_owned()].into();
        let one = |one: super::Setting| {
            let value = one.value.unwrap_or("?".to_owned());
            let may = if one.certain { "" } else { " (may)" };
            format!("{}: {} {}={value}{may}", one.line, one.key, one.name)
        };
        environments(text, &names).into_iter().map(one).collect()
    }

    #[test]
    fn settings_as_people_have_them() {
        let text = r#"// mine
{
  "editor.tabSize": 4, /* "go.toolsEnvVars": { "GOPROXY": "no" }, */
  "[go]": { "editor.formatOnSave": true, },
  "go.toolsEnvVars": {
    // "GOPROXY": "no",
    "GOPROXY": "https:\/\/goproxy.cn,direct", // "GOPROXY": "no"
    "GOFLAGS": "-tags=x",
  },
  "gopls": {
    "build.env": { "GOPROXY": "off" },
    "env": { "GOFLAGS": "${env:GOFLAGS}" },
    "list": ["a", 1, -2.5e3, null, { "env": [] }],
  },
  "terminal.integrated.env.linux": { "GOPROXY": "linux" },
  "terminal.integrated.env.osx": { "GOPROXY": "osx", "GOFLAGS": null },
  "terminal.integrated.env.windows": { "GOPROXY": "windows" },
  "search.exclude": { "GOPROXY": "no" },
}
"#;
        let here = match std::env::consts::OS {
            "macos" => "16: terminal.integrated.env.osx GOPROXY=osx",
            "windows" => "17: terminal.integrated.env.windows GOPROXY=windows",
            _ => "15: terminal.integrated.env.linux GOPROXY=linux",
        };
        assert_eq!(
            found(text),
            [
                "7: go.toolsEnvVars GOPROXY=https://goproxy.cn,direct",
                "8: go.toolsEnvVars GOFLAGS=-tags=x",
                "11: gopls.build.env GOPROXY=off",
                "12: gopls.env GOFLAGS=?",
                here,
            ]
        );
    }

    #[test]
    fn zed_and_sublime_nest_theirs() {
        let zed = r#"{"lsp":{"gopls":{"binary":{"path":"x","env":{"GOPROXY":"off"}}}}, "terminal":{"env":{"GOPROXY":"a"}}}"#;
        assert_eq!(
            found(zed),
            [
                "1: lsp.gopls.binary.env GOPROXY=off",
                "1: terminal.env GOPROXY=a"
            ]
        );
        let others = r#"{"mcp":{"servers":{"x":{"env":{"GOPROXY":"off"}}}}, "context_servers":{"x":{"env":{"GOPROXY":"off"}}}}"#;
        assert_eq!(found(others), [""; 0]);
        let launch = r#"{"launch":{"configurations":[{"env":{"GOPROXY":"off"}}]}}"#;
        assert_eq!(
            found(launch),
            ["1: launch.configurations.env GOPROXY=off (may)"]
        );
        let sublime = r#"{"clients":{"gopls":{"enabled":true,"env":{"GOPROXY":"off",}}}}"#;
        assert_eq!(found(sublime), ["1: clients.gopls.env GOPROXY=off"]);
    }

    #[test]
    fn nothing_breaks_on_what_is_no_json() {
        for text in [
            "",
            "{",
            "[",
            "[,",
            "{\"",
            "{\"a\":",
            "/*",
            "//",
            "\u{feff}{}",
            "{]}",
            "nul",
        ] {
            assert_eq!(found(text), Vec::<String>::new(), "{text}");
        }
        assert!(found(&"[".repeat(100_000)).is_empty());
        assert!(found(&"{\"a\":".repeat(100_000)).is_empty());
    }
}
