//! The parts of a Go file that `go mod vendor` reads: its build constraints and its `//go:embed`
//! lines.

use crate::model::pattern::glob_match;

/// Maximum length of a constraint; go itself has no such limit.
const MOST: usize = 4096;
/// Maximum depth of parentheses.
const DEEPEST: usize = 64;

/// Reports whether this Go file could be built on any system.
pub(super) fn could_be_built(content: &[u8]) -> bool {
    match header(content) {
        None => false,
        Some((Some(line), _)) => expression(line).unwrap_or(false),
        Some((None, lines)) => lines.into_iter().all(plus_build),
    }
}

/// Follows `imports.parseFileHeader`: returns from the comments at the top the `//go:build` line,
/// and those that may be `// +build`. `None`: there are two `//go:build` lines.
fn header(content: &[u8]) -> Option<(Option<&str>, Vec<&str>)> {
    let (mut go_build, mut plus) = (None, Vec::new());
    // Only the `// +build` lines above the last empty line before the code count.
    let (mut counted, mut ended, mut end) = (0, false, 0);
    for (at, token) in tokens(content) {
        let gap = content.get(end..at).unwrap_or_default();
        if !ended && gap.iter().filter(|&&b| b == b'\n').count() > 1 {
            counted = plus.len();
        }
        let is_line = token.starts_with(b"//");
        if !is_line && !token.starts_with(b"/*") {
            break;
        }
        let begins = end == 0 || gap.contains(&b'\n');
        ended |= !is_line || !begins;
        let text = std::str::from_utf8(token).unwrap_or_default();
        if begins && is_directive(text, "//go:build") && go_build.replace(text).is_some() {
            return None;
        }
        if !ended {
            plus.push(text);
        }
        end = at + token.len();
    }
    plus.truncate(counted);
    Some((go_build, plus))
}

/// Reports whether the line is this word alone, or followed by a space
/// (`imports.isGoBuildComment`).
fn is_directive(line: &str, word: &str) -> bool {
    let rest = line.strip_prefix(word);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

/// Evaluates `// +build a,!b c`: one of the words must hold, each of which is an "and" of tags. Any
/// other line counts as true.
fn plus_build(line: &str) -> bool {
    let line = line.strip_prefix("//").unwrap_or_default().trim_start();
    if !is_directive(line, "+build") {
        return true;
    }
    line.split_whitespace().skip(1).any(|word| {
        word.split(',').all(|tag| match tag.strip_prefix('!') {
            Some(tag) => !tag_holds(tag, false),
            None => tag_holds(tag, true),
        })
    })
}

/// Every tag counts both as set and as not set (`tags["*"]`); `ignore` counts as not set.
fn tag_holds(tag: &str, prefer: bool) -> bool {
    let is_tag = tag
        .chars()
        .all(|c| c.is_alphanumeric() || c == '_' || c == '.');
    is_tag && !tag.is_empty() && tag != "ignore" && prefer
}

/// Evaluates `//go:build EXPRESSION` (`go/build/constraint.parseExpr`). `None`: go refuses it.
fn expression(line: &str) -> Option<bool> {
    let text = line.strip_prefix("//go:build")?;
    if text.len() > MOST {
        return None;
    }
    let mut parser = Parser { text, depth: 0 };
    let holds = parser.or(true)?;
    parser.text.trim_start().is_empty().then_some(holds)
}

/// Evaluates while parsing. `prefer` is the assumed value of a tag: true, below a `!` false.
struct Parser<'a> {
    text: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn or(&mut self, prefer: bool) -> Option<bool> {
        let mut left = self.and(prefer)?;
        while self.take("||") {
            left |= self.and(prefer)?;
        }
        Some(left)
    }

    fn and(&mut self, prefer: bool) -> Option<bool> {
        let mut left = self.not(prefer)?;
        while self.take("&&") {
            left &= self.not(prefer)?;
        }
        Some(left)
    }

    fn not(&mut self, prefer: bool) -> Option<bool> {
        if !self.take("!") {
            return self.atom(prefer);
        }
        // go: "double negation not allowed"
        if self.text.trim_start().starts_with('!') {
            return None;
        }
        self.atom(!prefer).map(|holds| !holds)
    }

    fn atom(&mut self, prefer: bool) -> Option<bool> {
        if self.take("(") {
            self.depth += 1;
            if self.depth > DEEPEST {
                return None;
            }
            let inner = self.or(prefer)?;
            self.depth -= 1;
            return self.take(")").then_some(inner);
        }
        let text = self.text.trim_start();
        let end = text
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'))
            .unwrap_or(text.len());
        let (tag, rest) = text.split_at_checked(end)?;
        self.text = rest;
        (!tag.is_empty()).then(|| tag_holds(tag, prefer))
    }

    fn take(&mut self, token: &str) -> bool {
        let rest = self.text.trim_start().strip_prefix(token);
        self.text = rest.unwrap_or(self.text);
        rest.is_some()
    }
}

/// Returns the patterns of a Go file's `//go:embed` lines, which count only if it imports `embed`.
/// A file that is not Go embeds nothing.
pub(super) fn embeds(content: &[u8]) -> Vec<String> {
    let (mut patterns, mut is_imported) = (Vec::new(), false);
    let word = b"//go:embed";
    if !content.windows(word.len()).any(|at| at == word) {
        return patterns;
    }
    // Between the package's name and the code there are only import declarations.
    let mut in_imports = true;
    for (_, token) in tokens(content) {
        match token {
            b"func" | b"var" | b"const" | b"type" => in_imports = false,
            b"\"embed\"" | b"`embed`" => is_imported |= in_imports,
            comment => patterns.extend(directive(comment).unwrap_or_default()),
        }
    }
    if !is_imported {
        patterns.clear();
    }
    patterns
}

/// Returns the arguments of `//go:embed a "b c" `d``. `None`: it is another comment, or no go
/// accepts it.
fn directive(comment: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(comment).ok()?;
    let rest = text.strip_prefix("//go:embed")?;
    if !rest.starts_with(char::is_whitespace) {
        return None;
    }
    let mut rest = rest.trim();
    let mut out = Vec::new();
    while !rest.is_empty() {
        let (argument, behind) = if let Some(raw) = rest.strip_prefix('`') {
            let (argument, behind) = raw.split_once('`')?;
            (argument.to_owned(), behind)
        } else if rest.starts_with('"') {
            // JSON has those of Go's escapes that a path can need.
            let mut json = serde_json::Deserializer::from_str(rest).into_iter();
            let argument = json.next()?.ok()?;
            (argument, rest.get(json.byte_offset()..)?)
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            (rest.get(..end)?.to_owned(), rest.get(end..)?)
        };
        if !behind.is_empty() && !behind.starts_with(char::is_whitespace) {
            return None;
        }
        out.push(argument);
        rest = behind.trim_start();
    }
    Some(out)
}

/// Reports whether a pattern includes a file (its path relative to the package's directory). A
/// pattern that names a directory includes everything below it, without hidden files unless it
/// starts with `all:`.
pub(super) fn takes(pattern: &str, file: &str) -> bool {
    let glob = pattern.strip_prefix("all:").unwrap_or(pattern);
    let all = glob.len() < pattern.len();
    if glob == "." {
        return false;
    }
    let elements = glob.split('/').count();
    let mut slashes = file.match_indices('/').map(|(at, _)| at);
    let (named, below) = match slashes.nth(elements - 1) {
        Some(end) => (file.get(..end), file.get(end + 1..)),
        None => (Some(file), None),
    };
    if !glob_match(glob, named.unwrap_or_default()).unwrap_or(false) {
        return false;
    }
    below.is_none_or(|below| {
        below.split('/').all(|element| {
            let is_history = [".bzr", ".hg", ".git", ".svn"].contains(&element);
            !is_history && (all || !element.starts_with(['.', '_']))
        })
    })
}

/// Implements the part of Go's scanner that separates comments, strings and words; returns each
/// with its position.
fn tokens(content: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let is_word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_' || *b >= 0x80;
    let mut rest = content;
    std::iter::from_fn(move || {
        rest = rest.trim_ascii_start();
        let find = |skip: usize, end: &[u8]| {
            let mut found = rest.windows(end.len()).skip(skip);
            Some(skip + found.position(|at| at == end)? + end.len())
        };
        let end = match rest {
            [] => return None,
            [b'/', b'/', ..] => find(0, b"\n"),
            [b'/', b'*', ..] => find(2, b"*/"),
            [b'`', ..] => find(1, b"`"),
            [quote @ (b'"' | b'\''), ..] => {
                let mut escaped = true;
                let end = rest.iter().position(|b| {
                    let ends = !escaped && (b == quote || *b == b'\n');
                    escaped = !escaped && *b == b'\\';
                    ends
                });
                end.map(|end| end + 1)
            }
            [first, ..] if is_word(first) => rest.iter().position(|b| !is_word(b)),
            _ => Some(1),
        };
        let (token, behind) = rest.split_at(end.unwrap_or(rest.len()));
        let at = content.len() - rest.len();
        rest = behind;
        Some((at, token.trim_ascii_end()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ignored_files_stay_away() {
        for (content, built) in [
            ("package a\n", true),
            ("//go:build linux\n\npackage a\n", true),
            ("//go:build !linux && (arm || !cgo)\n\npackage a\n", true),
            ("//go:build ignore\n\npackage main\n", false),
            ("//go:build !ignore\n\npackage a\n", true),
            ("//go:build ignore || linux\n\npackage a\n", true),
            ("//go:build ignore && linux\n\npackage a\n", false),
            ("//go:build linux &&\n\npackage a\n", false),
            ("//go:build !!linux\n\npackage a\n", false),
            ("//go:build a\n//go:build b\n\npackage a\n", false),
            ("// +build ignore\n\npackage main\n", false),
            ("// +build ignore linux\n\npackage main\n", true),
            ("// +build linux,ignore\n\npackage main\n", false),
            ("// +build linux\n// +build ignore\n\npackage main\n", false),
            (
                "// Copyright\r\n\r\n//go:build ignore\r\n\r\npackage main\r\n",
                false,
            ),
            // Without an empty line after it, it is a comment of the package.
            ("// +build ignore\npackage main\n", true),
            ("/* x */ //go:build ignore\n\npackage a\n", true),
            ("/*\n//go:build ignore\n*/\n\npackage a\n", true),
            ("package a\n\n//go:build ignore\n", true),
            ("//go:buildignore\n\npackage a\n", true),
            (
                "// +build !windows\n\n//go:build ignore\n\npackage a\n",
                false,
            ),
        ] {
            assert_eq!(could_be_built(content.as_bytes()), built, "{content:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "(//go:build |// \\+build |!|\\(|\\)|&&|\\|\\||ignore|linux|\\*/|/\\*|\\n| ){0,60}") {
            could_be_built(text.as_bytes());
        }

        #[test]
        fn deep_parentheses_are_no_danger(depth in 0usize..3000) {
            let text = format!("//go:build {}a{}\n\npackage a\n", "(".repeat(depth), ")".repeat(depth));
            could_be_built(text.as_bytes());
        }
    }

    #[test]
    fn patterns_are_read_where_go_reads_them() {
        let read = embeds(
            b"// Package a\npackage a\n\nimport (\n\t\"fmt\"\n\t_ \"embed\"\n)\n\n\
              var s = `\n//go:embed raw\n` + \"//go:embed text\" + '\"'\n\
              /*\n//go:embed comment\n*/\n\
              //go:embed a.txt \"b c\" `d`\r\n\t//go:embed all:dir\nvar x embed.FS\n\
              //go:embedded no\n//go:embed \"broken\nfunc f() {}\n",
        );
        assert_eq!(read, ["a.txt", "b c", "d", "all:dir"]);
        let other = embeds(b"package a\nimport \"x\"\nvar e = \"embed\"\n//go:embed a\n");
        assert_eq!(other, [""; 0]);
        assert_eq!(embeds(b"package a"), [""; 0]);
    }

    #[test]
    fn a_pattern_takes_what_go_takes() {
        for (pattern, file, taken) in [
            ("a.txt", "a.txt", true),
            ("a.txt", "b/a.txt", false),
            ("*.txt", "x.txt", true),
            ("dir", "dir/a/b", true),
            ("dir", "dir/.hidden", false),
            ("dir", "dir/_x/b", false),
            ("all:dir", "dir/.hidden", true),
            ("all:dir", "dir/.git/config", false),
            ("dir/*", "dir/.hidden", true),
            ("dir/*", "dir/sub/deep", true),
            ("d?r/*.go", "dir/a.go", true),
            ("dir", "dirx/a", false),
            (".", "a", false),
        ] {
            assert_eq!(takes(pattern, file), taken, "{pattern} {file}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_embed_line_makes_it_panic(text in "(//go:embed |\"|`|'|\\\\|\\n|/\\*|\\*/|import|all:|x| ){0,60}") {
            for pattern in embeds(text.as_bytes()) {
                takes(&pattern, "a/b");
            }
        }
    }
}
