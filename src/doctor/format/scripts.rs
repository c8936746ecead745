//! Reads languages of editors and of other shells line by line: PowerShell, Nushell, Vim, Lua,
//! Emacs Lisp. Each line is read alone; a setting within a block is marked as uncertain ("may").

use std::collections::BTreeSet;

use super::setting::{Book, Setting, literal};

/// How the value is written after a form.
#[derive(Debug, Clone, Copy)]
enum Style {
    /// `"value"`
    Quoted,
    /// `"value"`, or a word without quotes.
    Word,
    /// The rest of a quoted text.
    Rest,
}

use Style::{Quoted, Rest, Word};

/// The text before a value. `NAME` stands for the variable, a space for any number of spaces, `'`
/// for either quote; upper and lower case are equal.
type Form = (&'static str, Style);

struct Language {
    comment: &'static str,
    /// The delimiters of a comment of several lines.
    comments: Option<(&'static str, &'static str)>,
    /// The first words of lines that open and close blocks; `None`: braces do.
    blocks: Option<(&'static [&'static str], &'static [&'static str])>,
    set: &'static [Form],
    unset: &'static [&'static str],
    /// The texts that open a table of variables.
    tables: &'static [&'static str],
    in_table: &'static [Form],
}

/// Sets nothing; `#` starts a comment.
const PLAIN: Language = Language {
    comment: "#",
    comments: None,
    blocks: None,
    set: &[],
    unset: &[],
    tables: &[],
    in_table: &[],
};

/// Reads a profile of PowerShell.
pub(crate) fn powershell(text: &str, names: &BTreeSet<String>) -> Vec<Setting> {
    let language = Language {
        comments: Some(("<#", "#>")),
        set: &[
            ("$env:NAME =", Quoted),
            ("${env:NAME} =", Quoted),
            ("SetEnvironmentVariable( 'NAME' ,", Quoted),
            ("Set-Item Env:NAME ", Word),
            ("Set-Content Env:NAME ", Word),
        ],
        unset: &["Remove-Item Env:NAME", "rm Env:NAME"],
        ..PLAIN
    };
    // Parameters are given by position or by name.
    let same = [
        ("-Path ", ""),
        ("-Value ", ""),
        ("Env:\\", "Env:"),
        ("env:\\", "env:"),
    ];
    let text = same.iter().fold(text.to_owned(), |text, (one, other)| {
        text.replace(one, other)
    });
    language.read(&text, names)
}

/// Reads `config.nu` and `env.nu`.
pub(crate) fn nushell(text: &str, names: &BTreeSet<String>) -> Vec<Setting> {
    let language = Language {
        set: &[("$env.NAME =", Word)],
        unset: &["hide-env NAME"],
        tables: &["load-env"],
        in_table: &[("NAME:", Word), ("'NAME':", Word)],
        ..PLAIN
    };
    language.read(text, names)
}

/// Reads `.vimrc` and `init.vim`.
pub(crate) fn vim(text: &str, names: &BTreeSet<String>) -> Vec<Setting> {
    let opens: &[&str] = &["if", "function", "function!", "for", "while", "augroup"];
    let language = Language {
        comment: "\"",
        blocks: Some((opens, &["endif", "endfunction", "endfor", "endwhile"])),
        set: &[
            ("let $NAME =", Quoted),
            ("setenv( 'NAME' ,", Quoted),
            ("vim.env.NAME =", Quoted),
        ],
        unset: &["unlet $NAME"],
        ..PLAIN
    };
    language.read(text, names)
}

/// Reads `init.lua` and the files that it requires.
pub(crate) fn lua(text: &str, names: &BTreeSet<String>) -> Vec<Setting> {
    let language = Language {
        comment: "--",
        comments: Some(("--[[", "]]")),
        set: &[
            ("vim.env.NAME =", Quoted),
            ("vim.env['NAME'] =", Quoted),
            ("setenv( 'NAME' ,", Quoted),
        ],
        tables: &["env = {", "env={", "[\"build.env\"] = {"],
        in_table: &[("NAME =", Quoted), ("['NAME'] =", Quoted)],
        ..PLAIN
    };
    language.read(text, names)
}

/// Reads `init.el`, and `(("GOPROXY=…" …)`, as `doom env` writes it.
pub(crate) fn elisp(text: &str, names: &BTreeSet<String>) -> Vec<Setting> {
    let language = Language {
        comment: ";",
        set: &[
            ("(setenv 'NAME' ", Quoted),
            // lsp-go-env: '((GOPROXY . "off"))
            ("(NAME . ", Quoted),
            ("('NAME' . ", Quoted),
            ("'NAME=", Rest),
        ],
        ..PLAIN
    };
    language.read(text, names)
}

impl Language {
    fn read(&self, text: &str, names: &BTreeSet<String>) -> Vec<Setting> {
        let mut book = Book::new(names);
        let text = match self.comments {
            Some((open, close)) => without_blocks(text, open, close),
            None => text.to_owned(),
        };
        let mut depth = 0_usize;
        // The depth at which a table was opened, and whether its content is certain.
        let mut table: Option<(usize, bool)> = None;
        for (number, line) in text.lines().enumerate() {
            let line = without_comment(line.trim_start(), self.comment);
            let upper = line.to_ascii_uppercase();
            let named = names.iter().filter(|name| upper.contains(name.as_str()));
            let named: Vec<&String> = named.collect();
            let conditions = ["if", "when", "unless"];
            let is_if = |word| line.trim_start_matches('(').starts_with(word);
            let certain = depth == 0 && !conditions.into_iter().any(is_if);
            if let Some(opens) = self.tables.iter().find(|opens| line.contains(**opens)) {
                // The brace opens data, not a block of commands.
                table = table.or(Some((depth, certain || opens.ends_with('{'))));
            }
            let in_table = self.in_table.iter().zip(table.iter().cycle());
            let forms = in_table.map(|(form, (_, certain))| (form, "env", *certain));
            let forms = self.set.iter().map(|form| (form, "", certain)).chain(forms);
            for ((form, style), key, certain) in forms {
                for name in &named {
                    let Some(rest) = behind(line, form, name) else {
                        continue;
                    };
                    let value = match style {
                        // A comparison.
                        _ if rest.starts_with(['=', '~']) => continue,
                        _ if ["nil", "$null", ")"]
                            .iter()
                            .any(|none| rest.starts_with(none)) =>
                        {
                            book.unset(name, certain);
                            continue;
                        }
                        Quoted => literal(rest),
                        Word => word(rest),
                        Rest => literal(&format!("\"{rest}")),
                    };
                    book.set_in(key, name, value, number + 1, certain);
                }
            }
            for form in self.unset {
                for name in named
                    .iter()
                    .filter(|name| behind(line, form, name).is_some())
                {
                    book.unset(name, certain);
                }
            }
            let first = line.split_whitespace().next().unwrap_or_default();
            let (opened, closed) = match self.blocks {
                Some((opens, closes)) => (
                    usize::from(opens.contains(&first)),
                    usize::from(closes.contains(&first)),
                ),
                None => (line.matches('{').count(), line.matches('}').count()),
            };
            depth = (depth + opened).saturating_sub(closed);
            table = table.filter(|(opened, _)| depth > *opened);
        }
        book.found
    }
}

/// Returns the text after a form in a line, without leading spaces.
fn behind<'l>(line: &'l str, form: &str, name: &str) -> Option<&'l str> {
    let form = form.replace("NAME", name);
    let fits = |at: usize| {
        let mut rest = line.get(at..)?;
        for wanted in form.chars() {
            if wanted == ' ' {
                rest = rest.trim_start();
                continue;
            }
            let c = rest.chars().next()?;
            let is_quote = wanted == '\'' && c == '"';
            rest = rest
                .strip_prefix(c)
                .filter(|_| is_quote || c.eq_ignore_ascii_case(&wanted))?;
        }
        Some(rest)
    };
    let is_part = |c: char| c == '_' || c.is_alphanumeric();
    let found = line.char_indices().find_map(|(at, _)| {
        let before = line.get(..at)?.chars().next_back();
        let rest = fits(at)?;
        // `MYGOPROXY` and `GOPROXY_OLD` are other variables.
        let is_longer = form.starts_with(is_part) && before.is_some_and(is_part)
            || form.ends_with(is_part) && rest.starts_with(is_part);
        (!is_longer).then_some(rest)
    });
    found.map(str::trim_start)
}

/// Returns a quoted text, or a word without quotes and references.
fn word(text: &str) -> Option<String> {
    if text.starts_with(['"', '\'']) {
        return literal(text);
    }
    let word = text.split([' ', '\t', ';', ',', '}']).next()?;
    let plain = !word.is_empty() && !word.contains(['$', '(', '{']);
    plain.then(|| word.to_owned())
}

/// Returns a line up to its comment; a comment sign within quotes does not count.
fn without_comment<'l>(line: &'l str, sign: &str) -> &'l str {
    let mut quote = None;
    for (at, c) in line.char_indices() {
        let begins = line.get(at..).is_some_and(|rest| rest.starts_with(sign));
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            // In Vim, `"` starts both a comment and a text.
            None if begins && (at == 0 || sign != "\"") => {
                return line.get(..at).unwrap_or_default();
            }
            None if c == '"' || c == '\'' => quote = Some(c),
            None => {}
        }
    }
    line
}

/// Removes comments of several lines; keeps their line ends.
fn without_blocks(text: &str, open: &str, close: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, inner)) = rest.split_once(open) {
        out.push_str(before);
        let (comment, after) = inner.split_once(close).unwrap_or((inner, ""));
        out.extend(comment.chars().filter(|c| *c == '\n'));
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Setting, elisp, lua, nushell, powershell, vim};

    type Parser = fn(&str, &BTreeSet<String>) -> Vec<Setting>;

    fn check(parser: Parser, table: &[(&str, &str)]) {
        let names: BTreeSet<String> = ["GOPROXY".to_owned()].into();
        for (text, expected) in table {
            let one = |one: &Setting| {
                let value = one.value.as_deref().unwrap_or("?");
                let may = if one.certain { "" } else { " (may)" };
                format!("{value}@{}{may}", one.line)
            };
            let found: Vec<String> = parser(text, &names).iter().map(one).collect();
            assert_eq!(&found.join(", "), expected, "{text}");
        }
    }

    #[test]
    fn powershell_profiles() {
        check(
            powershell,
            &[
                ("$env:GOPROXY = \"off\"", "off@1"),
                ("\n$Env:GoProxy='off'", "off@2"),
                ("${env:GOPROXY} = 'off'", "off@1"),
                (
                    "[Environment]::SetEnvironmentVariable('GOPROXY', 'off', 'User')",
                    "off@1",
                ),
                ("Set-Item Env:GOPROXY off", "off@1"),
                ("Set-Item -Path Env:\\GOPROXY -Value 'off'", "off@1"),
                ("$env:GOPROXY = \"$x\"", "?@1"),
                ("$env:GOPROXY = Get-Proxy", "?@1"),
                ("if ($x) {\n  $env:GOPROXY = 'off'\n}", "off@2 (may)"),
                ("# $env:GOPROXY = 'off'", ""),
                ("<#\n$env:GOPROXY = 'off'\n#>", ""),
                ("$env:GOPROXY_OLD = 'off'", ""),
                ("Write-Host $env:GOPROXY", ""),
                ("$env:GOPROXY='a'\nRemove-Item Env:GOPROXY", ""),
                ("$env:GOPROXY='a'\n$env:GOPROXY=$null", ""),
            ],
        );
    }

    #[test]
    fn nushell_files() {
        check(
            nushell,
            &[
                ("$env.GOPROXY = \"off\"", "off@1"),
                ("$env.GOPROXY = off # x", "off@1"),
                ("load-env { GOPROXY: \"off\" }", "off@1"),
                ("load-env {\n  GOSUMDB: x\n  GOPROXY: 'off'\n}", "off@3"),
                ("$env.GOPROXY = (cat x)", "?@1"),
                ("if $x {\n$env.GOPROXY = \"off\"\n}", "off@2 (may)"),
                ("$env.GOPROXY = a\nhide-env GOPROXY", ""),
                ("# $env.GOPROXY = off", ""),
                ("let x = { GOPROXY: off }", ""),
            ],
        );
    }

    #[test]
    fn vim_and_neovim() {
        check(
            vim,
            &[
                ("let $GOPROXY = 'off'", "off@1"),
                ("let $GOPROXY=\"off\"", "off@1"),
                ("call setenv('GOPROXY', 'off')", "off@1"),
                ("lua vim.env.GOPROXY = 'off'", "off@1"),
                ("if has('x')\n let $GOPROXY = 'off'\nendif", "off@2 (may)"),
                ("\" let $GOPROXY = 'off'", ""),
                ("let g:GOPROXY = 'off'", ""),
                ("echo $GOPROXY", ""),
                ("let $GOPROXY='a'\nunlet $GOPROXY", ""),
            ],
        );
        check(
            lua,
            &[
                ("vim.env.GOPROXY = \"off\"", "off@1"),
                ("vim.fn.setenv('GOPROXY', 'off')", "off@1"),
                (
                    "lspconfig.gopls.setup({\n cmd_env = {\n  GOPROXY = \"off\",\n },\n})",
                    "off@3",
                ),
                ("x = { env = { [\"GOPROXY\"] = 'off' } }", "off@1"),
                ("vim.env.GOPROXY = proxy()", "?@1"),
                ("-- vim.env.GOPROXY = 'off'", ""),
                ("--[[\nvim.env.GOPROXY = 'off'\n]]", ""),
                ("print(vim.env.GOPROXY == 'off')", ""),
                ("local x = { GOPROXY = 'off' }", ""),
                ("vim.env.MYGOPROXY = 'off'", ""),
            ],
        );
    }

    #[test]
    fn emacs() {
        check(
            elisp,
            &[
                ("(setenv \"GOPROXY\" \"off\")", "off@1"),
                ("(when x (setenv \"GOPROXY\" \"off\"))", "off@1 (may)"),
                ("(setq lsp-go-env '((GOPROXY . \"off\")))", "off@1"),
                (
                    "(\"A=b\"\n \"GOPROXY=https://a,direct\"\n \"C=d\")",
                    "https://a,direct@2",
                ),
                ("; (setenv \"GOPROXY\" \"off\")", ""),
                ("(setenv \"GOPROXY\" \"a\")\n(setenv \"GOPROXY\" nil)", ""),
                ("(getenv \"GOPROXY\")", ""),
            ],
        );
    }
}
