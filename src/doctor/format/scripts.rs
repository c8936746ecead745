//! Languages of editors and of other shells, line by line: PowerShell, Nushell, Vim, Lua,
//! Emacs Lisp. Only what a line says by itself; within a block it is a "may".

use std::collections::BTreeSet;

use super::setting::{Book, Setting, literal};

/// A profile of PowerShell.
pub(crate) fn powershell(text: &str, names: &BTreeSet<String>) -> Vec<Setting> {
    let mut book = Book::new(names);
    let text = without_blocks(text, "<#", "#>");
    let mut depth = 0;
    for (number, line) in text.lines().enumerate() {
        let line = without_comment(line, "#");
        let certain = depth == 0 && !line.trim_start().starts_with("if");
        let lower = line.to_ascii_lowercase();
        for name in names {
            let folded = name.to_ascii_lowercase();
            for form in [format!("$env:{folded}"), format!("${{env:{folded}}}")] {
                if let Some(rest) = after(&lower, &line, &form)
                    && let Some(value) = assigned(rest)
                {
                    if value.trim_start().starts_with("$null") {
                        book.unset(name, certain)
                    } else {
                        book.set(name, literal(value), number + 1, certain)
                    }
                }
            }
            let quoted = [format!("\"{folded}\","), format!("'{folded}',")];
            if lower.contains("setenvironmentvariable(") {
                for form in &quoted {
                    let at = lower.replace(' ', "").contains(form.as_str());
                    if at && let Some((_, value)) = line.split_once(',') {
                        let value = value.trim_start();
                        if value.starts_with("$null") {
                            book.unset(name, certain)
                        } else {
                            book.set(name, literal(value), number + 1, certain)
                        }
                    }
                }
            }
            for form in [format!("env:{folded} "), format!("env:\\{folded} ")] {
                if (lower.contains("set-item ") || lower.contains("set-content "))
                    && lower.contains(&form)
                {
                    let value = after(&lower, &line, &form).unwrap_or_default();
                    let value = value.trim_start().trim_start_matches("-Value").trim_start();
                    book.set(name, word(value), number + 1, certain);
                }
            }
            let removes = lower.contains("remove-item ") || lower.trim_start().starts_with("rm ");
            if removes
                && (lower.contains(&format!("env:{folded}"))
                    || lower.contains(&format!("env:\\{folded}")))
            {
                book.unset(name, certain);
            }
        }
        depth = deeper(depth, &line);
    }
    book.finish()
}

/// `config.nu`, `env.nu`.
pub(crate) fn nushell(text: &str, names: &BTreeSet<String>) -> Vec<Setting> {
    let mut book = Book::new(names);
    let mut depth = 0;
    let mut loading = false;
    for (number, line) in text.lines().enumerate() {
        let line = without_comment(line, "#");
        let trimmed = line.trim_start();
        loading |= trimmed.contains("load-env");
        let certain = depth == 0 || (loading && depth <= 1);
        for name in names {
            if let Some(rest) = trimmed.strip_prefix(&format!("$env.{name}"))
                && let Some(value) = assigned(rest)
            {
                book.set(name, word(value), number + 1, certain);
            }
            if loading {
                for form in [format!("{name}:"), format!("\"{name}\":")] {
                    if let Some(at) = find_word(&line, &form) {
                        let value = line.get(at + form.len()..).unwrap_or_default();
                        book.set(name, word(value), number + 1, certain);
                    }
                }
            }
            if trimmed.starts_with("hide-env") && trimmed.split_whitespace().any(|w| w == name) {
                book.unset(name, certain);
            }
        }
        depth = deeper(depth, &line);
        loading &= depth > 0;
    }
    book.finish()
}

/// `.vimrc`, `init.vim`.
pub(crate) fn vim(text: &str, names: &BTreeSet<String>) -> Vec<Setting> {
    let mut book = Book::new(names);
    let mut depth = 0_usize;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start().trim_start_matches(':');
        if line.starts_with('"') {
            continue;
        }
        let certain = depth == 0;
        for name in names {
            for form in [format!("let ${name}"), format!("${name}")] {
                if let Some(rest) = line.strip_prefix(&form)
                    && let Some(value) = assigned(rest)
                {
                    book.set(name, literal(value), number + 1, certain);
                }
            }
            if line.starts_with(&format!("unlet ${name}")) {
                book.unset(name, certain);
            }
            if let Some(value) = setenv_of(line, name) {
                book.set(name, literal(value), number + 1, certain);
            }
            book_lua_line(&mut book, line, name, number + 1, certain);
        }
        let first = line.split_whitespace().next().unwrap_or_default();
        match first {
            "if" | "function" | "function!" | "for" | "while" | "augroup" => depth += 1,
            "endif" | "endfunction" | "endfor" | "endwhile" => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    book.finish()
}

/// `init.lua` and what it requires.
pub(crate) fn lua(text: &str, names: &BTreeSet<String>) -> Vec<Setting> {
    let mut book = Book::new(names);
    let text = without_blocks(text, "--[[", "]]");
    let mut depth = 0;
    // Depth at which a table of variables was opened.
    let mut table: Option<usize> = None;
    for (number, line) in text.lines().enumerate() {
        let line = without_comment(line, "--");
        let trimmed = line.trim_start();
        let certain = !trimmed.starts_with("if ");
        let opens = [
            "env = {",
            "cmd_env = {",
            "env={",
            "cmd_env={",
            "[\"build.env\"] = {",
        ];
        if table.is_none() && opens.iter().any(|form| line.contains(form)) {
            table = Some(depth);
        }
        for name in names {
            book_lua_line(&mut book, trimmed, name, number + 1, certain);
            if let Some(value) = setenv_of(trimmed, name) {
                book.set(name, literal(value), number + 1, certain);
            }
            if table.is_some() {
                for form in [name.clone(), format!("[\"{name}\"]"), format!("['{name}']")] {
                    if let Some(at) = find_word(&line, &form)
                        && let Some(value) =
                            assigned(line.get(at + form.len()..).unwrap_or_default())
                    {
                        book.set_in("env", name, literal(value), number + 1, true);
                    }
                }
            }
        }
        depth = deeper(depth, &line);
        if table.is_some_and(|opened| depth <= opened) {
            table = None;
        }
    }
    book.finish()
}

/// `init.el`; and `(("GOPROXY=…" …)`, as `doom env` writes it.
pub(crate) fn elisp(text: &str, names: &BTreeSet<String>) -> Vec<Setting> {
    let mut book = Book::new(names);
    for (number, line) in text.lines().enumerate() {
        let line = without_comment(line, ";");
        let trimmed = line.trim_start();
        for name in names {
            let certain = trimmed.starts_with("(setenv");
            if let Some(at) = line.find(&format!("(setenv \"{name}\"")) {
                let rest = line
                    .get(at + "(setenv \"\"".len() + name.len()..)
                    .unwrap_or_default();
                let rest = rest.trim_start();
                if rest.starts_with("nil") || rest.starts_with(')') {
                    book.unset(name, certain);
                } else {
                    book.set(name, literal(rest), number + 1, certain);
                }
            }
            // lsp-go-env: '((GOPROXY . "off"))
            for form in [format!("({name} . \""), format!("(\"{name}\" . \"")] {
                if let Some(at) = line.find(&form) {
                    let value = line.get(at + form.len() - 1..).unwrap_or_default();
                    book.set(name, literal(value), number + 1, true);
                }
            }
            let form = format!("\"{name}=");
            if let Some(at) = trimmed
                .strip_prefix('(')
                .unwrap_or(trimmed)
                .strip_prefix(&form)
            {
                let value = literal(&format!("\"{at}"));
                book.set(name, value, number + 1, true);
            }
        }
    }
    book.finish()
}

/// `vim.env.NAME = "x"`
fn book_lua_line(book: &mut Book<'_>, line: &str, name: &str, number: usize, certain: bool) {
    for form in [format!("vim.env.{name}"), format!("vim.env[\"{name}\"]")] {
        if let Some(at) = find_word(line, &form)
            && let Some(value) = assigned(line.get(at + form.len()..).unwrap_or_default())
        {
            if value.trim_start().starts_with("nil") {
                book.unset(name, certain)
            } else {
                book.set(name, literal(value), number, certain)
            }
        }
    }
}

/// What follows the comma in `setenv("NAME", "x")`.
fn setenv_of<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let (_, args) = line.split_once("setenv(")?;
    let (first, value) = args.split_once(',')?;
    (first.trim().trim_matches(['"', '\'']) == name).then(|| value.trim_start())
}

/// What follows a lone `=`.
fn assigned(rest: &str) -> Option<&str> {
    let value = rest.trim_start().strip_prefix('=')?;
    (!value.starts_with(['=', '~'])).then_some(value)
}

/// A quoted text, or a word without quotes and references.
fn word(text: &str) -> Option<String> {
    let text = text.trim_start();
    if text.starts_with(['"', '\'']) {
        return literal(text);
    }
    let word = text.split([' ', '\t', ';', ',', '}']).next()?;
    let plain = !word.is_empty() && !word.contains(['$', '(', '{']);
    plain.then(|| word.to_owned())
}

/// What stands behind `form` in a line whose lower-case form is `lower`.
fn after<'l>(lower: &str, line: &'l str, form: &str) -> Option<&'l str> {
    let at = lower.find(form)?;
    let rest = line.get(at + form.len()..)?;
    // `$env:GOPROXY_OLD` is another one.
    let ends =
        form.ends_with([' ', '}']) || !rest.starts_with(|c: char| c == '_' || c.is_alphanumeric());
    ends.then_some(rest)
}

/// Where a word stands that is not the end of a longer one.
fn find_word(line: &str, word: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = line.get(from..)?.find(word) {
        let at = from + at;
        let before = line.get(..at)?.chars().next_back();
        let after = line.get(at + word.len()..)?.chars().next();
        let part = |c: Option<char>| c.is_some_and(|c| c == '_' || c.is_alphanumeric());
        let ends = !part(after) || word.ends_with([':', ']']);
        if ends && !part(before) {
            return Some(at);
        }
        from = at + word.len();
    }
    None
}

/// The braces that a line leaves open.
fn deeper(depth: usize, line: &str) -> usize {
    let opened = line.matches('{').count();
    let closed = line.matches('}').count();
    (depth + opened).saturating_sub(closed)
}

/// A line up to its comment; a sign within quotes begins none.
fn without_comment(line: &str, sign: &str) -> String {
    let mut quote = None;
    for (at, c) in line.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if line.get(at..).is_some_and(|rest| rest.starts_with(sign)) => {
                return line.get(..at).unwrap_or_default().to_owned();
            }
            None => {}
        }
    }
    line.to_owned()
}

/// Comments over several lines, taken out; their line ends stay.
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
