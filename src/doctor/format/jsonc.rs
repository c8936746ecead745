//! Editors' settings: JSON with comments and trailing commas, each value with its line.

use std::collections::BTreeSet;

use super::setting::{Book, Setting};

/// Deeper is no settings file, and the stack is not endless.
const DEEPEST: usize = 64;

/// The variables within settings that hold an environment: `go.toolsEnvVars`, `gopls.build.env`,
/// `terminal.integrated.env.linux`, Zed's and Sublime's `env`.
pub(crate) fn environments(text: &str, names: &BTreeSet<String>) -> Vec<Setting> {
    let mut reader = Reader {
        chars: text.chars().collect(),
        at: 0,
        line: 1,
        path: Vec::new(),
        book: Book::new(names),
    };
    reader.value(0);
    reader.book.finish()
}

/// Does a setting of this name hold variables? Terminals have one for each system.
fn holds_variables(path: &[String]) -> bool {
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

struct Reader<'n> {
    chars: Vec<char>,
    at: usize,
    line: usize,
    path: Vec<String>,
    book: Book<'n>,
}

impl Reader<'_> {
    /// One value; its place in the file is noted if it is a variable's.
    fn value(&mut self, depth: usize) -> bool {
        self.skip();
        let line = self.line;
        match self.peek() {
            Some('{') if depth < DEEPEST => {
                self.next();
                self.members(depth);
            }
            Some('[') if depth < DEEPEST => {
                self.next();
                loop {
                    self.skip();
                    match self.peek() {
                        Some(',') => {
                            self.next();
                        }
                        Some(']') => {
                            self.next();
                            break;
                        }
                        _ => {
                            if !self.value(depth + 1) {
                                return false;
                            }
                        }
                    }
                }
            }
            Some('"') => {
                let Some(text) = self.string() else {
                    return false;
                };
                self.note(&text, line);
            }
            Some(c) if !matches!(c, '{' | '}' | '[' | ']' | ',' | ':') => {
                // true, false, null, a number
                let mut word = String::new();
                while let Some(c) = self.peek() {
                    if matches!(c, ',' | '}' | ']' | ' ' | '\t' | '\r' | '\n' | '/') {
                        break;
                    }
                    word.push(c);
                    self.next();
                }
                if word.is_empty() {
                    return false;
                }
                // null takes a variable away, and this is what goroam would ask for.
            }
            Some(_) | None => return false,
        }
        true
    }

    fn members(&mut self, depth: usize) {
        loop {
            self.skip();
            match self.peek() {
                Some(',') => {
                    self.next();
                }
                Some('"') => {
                    let Some(key) = self.string() else { return };
                    self.skip();
                    if self.peek() != Some(':') {
                        return;
                    }
                    self.next();
                    self.path.push(key);
                    let whole = self.value(depth + 1);
                    self.path.pop();
                    if !whole {
                        return;
                    }
                }
                Some('}') => {
                    self.next();
                    return;
                }
                Some(_) | None => return,
            }
        }
    }

    fn note(&mut self, value: &str, line: usize) {
        let Some((name, holder)) = self.path.split_last() else {
            return;
        };
        if !self.book.wants(name) || !holds_variables(holder) {
            return;
        }
        // A tool server of an assistant runs no go for its user, nor is it told of here.
        let part = |wanted: &str| holder.iter().any(|part| part.contains(wanted));
        if part("mcp") || part("context_servers") {
            return;
        }
        // Only what is started with such a configuration has it.
        let certain = !part("launch") && !part("tasks");
        // `${env:HOME}`, `${workspaceFolder}`: the editor's to know.
        let value = (!value.contains("${")).then(|| value.to_owned());
        let key = holder.join(".");
        let name = name.clone();
        self.book.set_in(&key, &name, value, line, certain);
    }

    fn string(&mut self) -> Option<String> {
        self.next();
        let mut text = String::new();
        loop {
            match self.next()? {
                '"' => return Some(text),
                '\\' => match self.next()? {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    'r' | 'b' | 'f' => text.push(' '),
                    'u' => {
                        let digits: String = (0..4).filter_map(|_| self.next()).collect();
                        let number = u32::from_str_radix(&digits, 16).ok()?;
                        text.push(char::from_u32(number).unwrap_or('\u{fffd}'));
                    }
                    c => text.push(c),
                },
                c => text.push(c),
            }
        }
    }

    /// Blanks and comments.
    fn skip(&mut self) {
        loop {
            match (self.peek(), self.chars.get(self.at + 1)) {
                (Some('/'), Some('/')) => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.next();
                    }
                }
                (Some('/'), Some('*')) => {
                    self.next();
                    self.next();
                    while let Some(c) = self.next() {
                        if c == '*' && self.peek() == Some('/') {
                            self.next();
                            break;
                        }
                    }
                }
                (Some(c), _) if c.is_whitespace() => {
                    self.next();
                }
                _ => return,
            }
        }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        if c == '\n' {
            self.line += 1;
        }
        Some(c)
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
