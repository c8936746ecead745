//! Documents with their own grammar: JSON with comments, TOML (mise, Helix), JetBrains' XML,
//! property lists.

use std::collections::BTreeSet;

use jsonc_parser::ast::Value;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use toml::de::{DeTable, DeValue};

use super::setting::{Book, Setting};

/// Reads `[env]` of mise, and `environment` and `config.env` of Helix' language servers.
pub(crate) fn toml(text: &str, names: &BTreeSet<String>) -> Vec<Setting> {
    let mut book = Book::new(names);
    // A document with errors is read up to the first one; the parser limits the depth.
    let (document, _) = DeTable::parse_recoverable(text);
    table(document.get_ref(), text, &mut Vec::new(), &mut book);
    book.found
}

fn table(table_: &DeTable<'_>, text: &str, path: &mut Vec<String>, book: &mut Book<'_>) {
    for (key, value) in table_ {
        let (name, value) = (key.get_ref().to_string(), value.get_ref());
        let holder = path.last().map(String::as_str);
        let holds = matches!(holder, Some("env" | "environment" | "build.env"));
        if holds && !matches!(value, DeValue::Boolean(_)) {
            let certain = path.iter().all(|part| part != "tasks");
            let line = line_of(text, key.span().start);
            book.set_in(&path.join("."), &name, string(value), line, certain);
        }
        path.push(name);
        if let DeValue::Table(inner) = value {
            table(inner, text, path, book);
        } else if let DeValue::Array(values) = value {
            for value in values.iter() {
                if let DeValue::Table(inner) = value.get_ref() {
                    table(inner, text, path, book);
                }
            }
        }
        path.pop();
    }
}

/// Returns a literal text; mise's templates (`{{…}}`) are known only when it runs.
fn string(value: &DeValue<'_>) -> Option<String> {
    if let DeValue::Table(inner) = value {
        let (_, value) = inner.iter().find(|(key, _)| key.get_ref() == "value")?;
        return string(value.get_ref());
    }
    let text = value.as_str().filter(|text| !text.contains("{{"));
    text.map(str::to_owned)
}

/// Reads settings of GoLand and IDEA: the environment of Go modules (component `VgoProject`; before
/// 2020 a `<proxy>`), and `<env name= value=>` of run configurations.
pub(crate) fn jetbrains(text: &str, names: &BTreeSet<String>) -> Vec<Setting> {
    let mut book = Book::new(names);
    let mut component = String::new();
    for (line, tag, content) in tags(text) {
        let (kind, rest) = tag.split_once(' ').unwrap_or((tag, ""));
        let pair = |key| attribute(rest, key).zip(attribute(rest, "value"));
        match (component.as_str(), kind) {
            (_, "component") => component = attribute(rest, "name").unwrap_or_default(),
            (_, "/component") => component.clear(),
            ("VgoProject", "proxy") => {
                let value = Some(unescaped(content));
                book.set_in("Go modules", "GOPROXY", value, line, true);
            }
            ("VgoProject", "entry") => {
                if let Some((name, value)) = pair("key") {
                    book.set_in("Go modules", &name, Some(value), line, true);
                }
            }
            ("RunManager", "env") => {
                // Applies only to programs that are run with this configuration.
                if let Some((name, value)) = pair("name") {
                    book.set_in("a run configuration", &name, Some(value), line, false);
                }
            }
            _ => {}
        }
    }
    book.found
}

/// Reads a LaunchAgent that sets a variable for all programs: `launchctl setenv NAME value`, as
/// separate arguments or inside a shell command.
pub(crate) fn launch_agent(text: &str, names: &BTreeSet<String>) -> Vec<Setting> {
    let mut book = Book::new(names);
    let strings = tags(text)
        .into_iter()
        .filter(|(_, tag, _)| *tag == "string");
    let words: Vec<(usize, String)> = strings
        .flat_map(|(line, _, content)| {
            let content = unescaped(content);
            let is_command = content.contains("setenv ");
            let words = content.split(|c: char| is_command && (c.is_whitespace() || c == ';'));
            words
                .map(|word| (line, word.to_owned()))
                .collect::<Vec<_>>()
        })
        .collect();
    for three in words.windows(3) {
        if let [(_, setenv), (line, name), (_, value)] = three
            && setenv == "setenv"
        {
            let value = value.trim_matches(['"', '\'']);
            let known = (!value.contains('$')).then(|| value.to_owned());
            book.set(name, known, *line, true);
        }
    }
    book.found
}

/// Returns for each tag its line, the text between its brackets, and the text up to the next tag.
/// Skips comments.
fn tags(text: &str) -> Vec<(usize, &str, &str)> {
    let mut found = Vec::new();
    // Lines are counted incrementally: a megabyte may hold a hundred thousand tags.
    let (mut line, mut rest) = (1, text);
    while let Some((before, inner)) = rest.split_once('<') {
        line += before.matches('\n').count();
        let end = if inner.starts_with("!--") { "-->" } else { ">" };
        let Some((tag, after)) = inner.split_once(end) else {
            break;
        };
        if end == ">" {
            let content = after.split('<').next().unwrap_or_default();
            found.push((line, tag.trim_end_matches('/').trim_end(), content));
        }
        line += tag.matches('\n').count();
        rest = after;
    }
    found
}

/// Returns the value of `name="…"`.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let mut rest = tag;
    loop {
        let (key, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (value, left) = after.get(1..)?.split_once(quote)?;
        if key.trim() == name {
            return Some(unescaped(value));
        }
        rest = left;
    }
}

fn unescaped(text: &str) -> String {
    let mut text = text.trim().to_owned();
    for (entity, c) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&#10;", " "),
        ("&amp;", "&"),
    ] {
        text = text.replace(entity, c);
    }
    text
}

/// Returns the line of an offset, counted from 1.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or_default();
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

/// Returns the variables in settings that hold an environment: `go.toolsEnvVars`,
/// `gopls.build.env`, `terminal.integrated.env.linux`, Zed's and Sublime's `env`.
pub(crate) fn environments(text: &str, names: &BTreeSet<String>) -> Vec<Setting> {
    let mut book = Book::new(names);
    // The parser limits the depth. A text with errors has no settings.
    let parsed = parse_to_ast(text, &CollectOptions::default(), &ParseOptions::default());
    if let Some(value) = parsed.ok().and_then(|parsed| parsed.value) {
        json(&value, text, &mut Vec::new(), &mut book);
    }
    book.found
}

fn json<'v>(value: &'v Value<'v>, text: &str, path: &mut Vec<&'v str>, book: &mut Book<'_>) {
    for value in value.as_array().iter().flat_map(|array| &array.elements) {
        json(value, text, path, book);
    }
    for member in value
        .as_object()
        .iter()
        .flat_map(|object| &object.properties)
    {
        let name = member.name.as_str();
        let part = |wanted: &str| path.iter().any(|part| part.contains(wanted));
        // An assistant's tool server runs no go for the user. null removes a variable, which is
        // what goroam would recommend.
        if let Value::StringLit(value) = &member.value
            && holds_variables(&path.join("."))
            && !part("mcp")
            && !part("context_servers")
        {
            // Applies only to programs that are started with such a configuration.
            let certain = !part("launch") && !part("tasks");
            // Only the editor knows the values of `${env:HOME}` and `${workspaceFolder}`.
            let known = (!value.value.contains("${")).then(|| value.value.to_string());
            let line = line_of(text, value.start());
            book.set_in(&path.join("."), name, known, line, certain);
        }
        path.push(name);
        json(&member.value, text, path, book);
        path.pop();
    }
}

/// Reports whether the setting at this path holds variables. Terminals have one setting for each
/// system.
fn holds_variables(path: &str) -> bool {
    let last = path.rsplit('.').next().unwrap_or_default();
    if path.contains("terminal.integrated.env.") {
        return match std::env::consts::OS {
            "macos" => last == "osx",
            os => last == os,
        };
    }
    matches!(
        last,
        "env" | "environment" | "toolsEnvVars" | "testEnvVars" | "goplsEnv" | "cmd_env"
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Setting, jetbrains, launch_agent, toml};

    fn brief(found: Vec<Setting>) -> Vec<String> {
        let one = |one: Setting| {
            let value = one.value.unwrap_or("?".to_owned());
            let may = if one.certain { "" } else { " (may)" };
            format!("{}: {} {}={value}{may}", one.line, one.key, one.name)
        };
        found.into_iter().map(one).collect()
    }

    fn names() -> BTreeSet<String> {
        ["GOPROXY".to_owned(), "GOFLAGS".to_owned()].into()
    }

    #[test]
    fn mise_and_helix() {
        let mise = "# x\n[env]\nGOPROXY = 'off'\nGOFLAGS = { value = \"-x\", redact = true }\n[tools]\ngo = '1'\n[vars]\nGOPROXY = 'no'\n";
        assert_eq!(
            brief(toml(mise, &names())),
            ["4: env GOFLAGS=-x", "3: env GOPROXY=off"]
        );
        let mise = "[env]\nGOPROXY = false\nGOFLAGS = '{{ x }}'\n";
        assert_eq!(brief(toml(mise, &names())), ["3: env GOFLAGS=?"]);
        let helix = "[language-server.gopls]\ncommand = 'gopls'\nenvironment = { GOPROXY = \"off\" }\n[language-server.gopls.config.env]\nGOFLAGS = '-x'\n";
        let mut found = brief(toml(helix, &names()));
        found.sort();
        assert_eq!(
            found,
            [
                "3: language-server.gopls.environment GOPROXY=off",
                "5: language-server.gopls.config.env GOFLAGS=-x"
            ]
        );
        for text in ["[env", "[env]\nGOPROXY=", "=", "\u{0}"] {
            brief(toml(text, &names()));
        }
    }

    #[test]
    fn goland_keeps_the_environment_of_modules_in_the_workspace() {
        let text = r#"<?xml version="1.0" encoding="UTF-8"?>
<project version="4">
  <component name="RunManager">
    <configuration name="x" type="GoApplicationRunConfiguration">
      <envs><env name="GOFLAGS" value="-x" /></envs>
    </configuration>
  </component>
  <!-- <component name="VgoProject"><entry key="GOPROXY" value="no" /></component> -->
  <component name="VgoProject">
    <environment>
      <map>
        <entry key="GOPROXY" value="https://a?b=1&amp;c=2,direct" />
      </map>
    </environment>
    <settings-migrated>true</settings-migrated>
  </component>
  <component name="Other"><map><entry key="GOPROXY" value="no" /></map></component>
</project>"#;
        assert_eq!(
            brief(jetbrains(text, &names())),
            [
                "5: a run configuration GOFLAGS=-x (may)",
                "12: Go modules GOPROXY=https://a?b=1&c=2,direct"
            ]
        );
        let old = "<component name=\"VgoProject\">\n<proxy>direct</proxy></component>";
        assert_eq!(
            brief(jetbrains(old, &names())),
            ["2: Go modules GOPROXY=direct"]
        );
        for text in [
            "<",
            "<a",
            "<!--",
            "<component name=",
            "<component name='VgoProject'><entry key=\"",
            "<proxy",
        ] {
            assert!(brief(jetbrains(text, &names())).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_file_of_a_hundred_thousand_tags_is_read_at_once() {
        let mut text = "<a/>\n".repeat(200_000);
        text.push_str("<component name='VgoProject'><entry key='GOPROXY' value='off'/>");
        let began = std::time::Instant::now();
        assert_eq!(
            brief(jetbrains(&text, &names())),
            ["200001: Go modules GOPROXY=off"]
        );
        // Counting lines from the start for each tag would take minutes.
        assert!(began.elapsed() < std::time::Duration::from_secs(10));
    }

    #[test]
    fn a_launch_agent_can_set_a_variable_for_everybody() {
        let text = "<plist><dict><array>\n<string>/bin/launchctl</string>\n<string>setenv</string>\n<string>GOPROXY</string>\n<string>off</string></array></dict></plist>";
        assert_eq!(brief(launch_agent(text, &names())), ["4:  GOPROXY=off"]);
        let text = "<string>sh</string><string>-c</string>\n<string>launchctl setenv GOPROXY off; launchctl setenv X y</string>";
        assert_eq!(brief(launch_agent(text, &names())), ["2:  GOPROXY=off"]);
        assert!(brief(launch_agent("<string>setenv</string>", &names())).is_empty());
    }
}

#[cfg(test)]
mod jsonc_tests {
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
