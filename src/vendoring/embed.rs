//! `//go:embed`: which files of a package go compiles in, and so vendors with it
//! (`go/build.readGoInfo`, `load.resolveEmbed`).

use crate::model::pattern::glob_match;

/// What a Go file embeds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Embeds {
    /// The patterns.
    pub(super) patterns: Vec<String>,
    /// Does the file import `embed`? Else the patterns are only comments.
    pub(super) imported: bool,
}

/// Reads them from a Go file. What is no Go embeds nothing.
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
        fn nothing_makes_it_panic(text in "(//go:embed |\"|`|'|\\\\|\\n|/\\*|\\*/|import|all:|x| ){0,60}") {
            for pattern in embeds(text.as_bytes()).patterns {
                takes(&pattern, "a/b");
            }
        }
    }
}
