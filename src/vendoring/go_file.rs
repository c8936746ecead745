//! What `go mod vendor` reads of a Go file: its build constraints and its `//go:embed` lines.

use crate::model::pattern::glob_match;

/// The longest constraint that is read; go itself has no such limit.
const MOST: usize = 4096;
/// The deepest parentheses that are read.
const DEEPEST: usize = 64;

/// Could this Go file be built anywhere?
pub(super) fn could_be_built(content: &[u8]) -> bool {
    let Some(header) = header(content) else {
        return false;
    };
    if let Some(line) = header.go_build {
        return expression(line).unwrap_or(false);
    }
    header.plus_build.iter().all(|line| plus_build(line))
}

struct Header<'a> {
    go_build: Option<&'a str>,
    plus_build: Vec<&'a str>,
}

/// `imports.parseFileHeader`: the comments at the top. `None`: two `//go:build` lines.
fn header(content: &[u8]) -> Option<Header<'_>> {
    let mut go_build = None;
    let mut plus: Vec<&str> = Vec::new();
    // Of these, the ones above the last empty line before the code count.
    let mut counted = 0;
    let (mut ended, mut in_comment) = (false, false);
    'lines: for line in content.split(|&b| b == b'\n') {
        let line = line.trim_ascii();
        if line.is_empty() && !ended {
            counted = plus.len();
            continue;
        }
        if !line.starts_with(b"//") {
            ended = true;
        }
        let text = std::str::from_utf8(line).unwrap_or_default();
        if !in_comment && is_directive(text, "//go:build") {
            if go_build.is_some() {
                return None;
            }
            go_build = Some(text);
        }
        if !ended && line.starts_with(b"//") {
            plus.push(text);
        }
        let mut rest = line;
        while !rest.is_empty() {
            if in_comment {
                let Some(end) = rest.windows(2).position(|two| two == b"*/") else {
                    continue 'lines;
                };
                in_comment = false;
                rest = rest.get(end + 2..).unwrap_or_default().trim_ascii();
            } else if rest.starts_with(b"//") {
                continue 'lines;
            } else if rest.starts_with(b"/*") {
                in_comment = true;
                rest = rest.get(2..).unwrap_or_default().trim_ascii();
            } else {
                break 'lines;
            }
        }
    }
    plus.truncate(counted);
    Some(Header {
        go_build,
        plus_build: plus,
    })
}

/// The word alone, or followed by a space (`imports.isGoBuildComment`).
fn is_directive(line: &str, word: &str) -> bool {
    line.strip_prefix(word)
        .is_some_and(|rest| rest.trim_start().len() < rest.len() || rest.is_empty())
}

/// `// +build a,!b c`: one of the words, each an "and" of tags. Any other line counts as true.
fn plus_build(line: &str) -> bool {
    let rest = line.strip_prefix("//").unwrap_or_default().trim_start();
    if !is_directive(rest, "+build") {
        return true;
    }
    let mut words = rest
        .strip_prefix("+build")
        .unwrap_or_default()
        .split_whitespace();
    words.any(|word| {
        word.split(',').all(|tag| match tag.strip_prefix('!') {
            Some(tag) => !tag_holds(tag, false),
            None => tag_holds(tag, true),
        })
    })
}

/// Every tag is both there and not there (`tags["*"]`), only `ignore` is not.
fn tag_holds(tag: &str, prefer: bool) -> bool {
    let is_tag = tag
        .chars()
        .all(|c| c.is_alphanumeric() || c == '_' || c == '.');
    is_tag && !tag.is_empty() && tag != "ignore" && prefer
}

/// `//go:build EXPRESSION` (`go/build/constraint.parseExpr`): does it hold? `None`: go refuses it.
fn expression(line: &str) -> Option<bool> {
    let text = line.strip_prefix("//go:build")?;
    if text.len() > MOST {
        return None;
    }
    let mut parser = Parser { text, depth: 0 };
    let holds = parser.or(true)?;
    parser.text.trim_start().is_empty().then_some(holds)
}

/// Evaluates while it reads. `prefer` is what a tag is taken for: true, below a `!` false.
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

/// What a Go file embeds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Embeds {
    /// The patterns.
    pub(super) patterns: Vec<String>,
    /// Does the file import `embed`? Else the patterns are only comments.
    pub(super) imported: bool,
}

/// Reads the `//go:embed` lines of a Go file. Anything that is not Go embeds nothing.
pub(super) fn embeds(content: &[u8]) -> Embeds {
    let word = b"//go:embed";
    if !content.windows(word.len()).any(|at| at == word) {
        return Embeds::default();
    }
    let mut out = Embeds::default();
    // Only the import declarations stand between the package's name and the code.
    let mut in_imports = true;
    let mut seen_import = false;
    for token in (Scanner { rest: content }) {
        match token {
            Token::Comment(text) => {
                if let Some(patterns) = directive(text) {
                    out.patterns.extend(patterns);
                }
            }
            Token::Word(b"func" | b"var" | b"const" | b"type") => in_imports = false,
            Token::Word(b"import") => seen_import = in_imports,
            Token::Text(b"\"embed\"" | b"`embed`") if in_imports && seen_import => {
                out.imported = true;
            }
            Token::Word(_) | Token::Text(_) | Token::Other => {}
        }
    }
    out
}

/// The arguments of `//go:embed a "b c" `d``. `None`: it is another comment, or no go takes it.
fn directive(comment: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(comment).ok()?;
    let rest = text.strip_prefix("//go:embed")?;
    if !rest.starts_with(char::is_whitespace) {
        return None;
    }
    let mut rest = rest.trim();
    let mut out = Vec::new();
    while !rest.is_empty() {
        let (argument, behind) = match rest.as_bytes().first() {
            Some(b'`') => rest
                .get(1..)?
                .split_once('`')
                .map(|(a, b)| (a.to_owned(), b))?,
            Some(b'"') => quoted(rest.get(1..)?)?,
            _ => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                let (word, behind) = rest.split_at(end);
                (word.to_owned(), behind)
            }
        };
        if !behind.is_empty() && !behind.starts_with(char::is_whitespace) {
            return None;
        }
        out.push(argument);
        rest = behind.trim_start();
    }
    Some(out)
}

/// Up to the closing quote; of Go's escapes those that a path can need.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((out, text.get(at + 1..)?)),
            '\\' => match chars.next()?.1 {
                c @ ('"' | '\\') => out.push(c),
                _ => return None,
            },
            c => out.push(c),
        }
    }
    None
}

/// Does a file (its path relative to the package's folder) come with this pattern? A pattern
/// that names a folder takes what is below it, without hidden files unless it starts with
/// `all:`.
pub(super) fn takes(pattern: &str, file: &str) -> bool {
    let (glob, all) = match pattern.strip_prefix("all:") {
        Some(glob) => (glob, true),
        None => (pattern, false),
    };
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

enum Token<'a> {
    Comment(&'a [u8]),
    Word(&'a [u8]),
    Text(&'a [u8]),
    Other,
}

/// As much of Go's scanner as tells comments from strings.
struct Scanner<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Scanner<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let is_word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_' || *b >= 0x80;
        self.rest = self.rest.trim_ascii_start();
        let first = *self.rest.first()?;
        if self.rest.starts_with(b"//") {
            let line = self.cut(self.rest.iter().position(|&b| b == b'\n'));
            return Some(Token::Comment(line.trim_ascii_end()));
        }
        if self.rest.starts_with(b"/*") {
            let end = self.rest.windows(2).skip(2).position(|two| two == b"*/");
            self.cut(end.map(|end| end + 4));
            return Some(Token::Other);
        }
        match first {
            b'`' => {
                let end = self.rest.iter().skip(1).position(|&b| b == b'`');
                Some(Token::Text(self.cut(end.map(|end| end + 2))))
            }
            b'"' | b'\'' => {
                let mut escaped = true;
                let end = self.rest.iter().position(|&b| {
                    let ends = !escaped && (b == first || b == b'\n');
                    escaped = !escaped && b == b'\\';
                    ends
                });
                Some(Token::Text(self.cut(end.map(|end| end + 1))))
            }
            _ if is_word(&first) => {
                let end = self.rest.iter().position(|b| !is_word(b));
                Some(Token::Word(self.cut(end)))
            }
            _ => {
                self.cut(Some(1));
                Some(Token::Other)
            }
        }
    }
}

impl<'a> Scanner<'a> {
    fn cut(&mut self, end: Option<usize>) -> &'a [u8] {
        let end = end.unwrap_or(self.rest.len()).min(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        token
    }
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
            // Without an empty line below it is a comment of the package.
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
        assert_eq!(read.patterns, ["a.txt", "b c", "d", "all:dir"]);
        assert!(read.imported);
        let other = embeds(b"package a\nimport \"x\"\nvar e = \"embed\"\n//go:embed a\n");
        assert!(!other.imported);
        assert_eq!(embeds(b"package a"), Embeds::default());
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
            for pattern in embeds(text.as_bytes()).patterns {
                takes(&pattern, "a/b");
            }
        }
    }
}
