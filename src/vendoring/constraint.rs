//! Does `go mod vendor` leave a Go file out? It keeps what any system and any tag could build
//! (`imports.ShouldBuild` with `imports.AnyTags`); only files that ask for the tag `ignore`,
//! or whose build line is none, stay away.

/// The longest constraint that is looked at; go itself has no such limit, but no one writes it.
const MOST: usize = 4096;
/// The deepest parentheses that are looked at.
const DEEPEST: usize = 64;

/// Could this Go file be built anywhere?
pub(super) fn could_be_built(content: &[u8]) -> bool {
    let Some(header) = header(content) else {
        return false;
    };
    if let Some(line) = header.go_build {
        return expression(line).is_some_and(|expression| expression.holds(true));
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

/// `// +build a,!b c`: one of the words, each an "and" of tags. What is no such line holds.
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

enum Expression<'a> {
    Tag(&'a str),
    Not(Box<Expression<'a>>),
    And(Box<Expression<'a>>, Box<Expression<'a>>),
    Or(Box<Expression<'a>>, Box<Expression<'a>>),
}

impl Expression<'_> {
    fn holds(&self, prefer: bool) -> bool {
        match self {
            Expression::Tag(tag) => tag_holds(tag, prefer),
            Expression::Not(x) => !x.holds(!prefer),
            Expression::And(x, y) => x.holds(prefer) && y.holds(prefer),
            Expression::Or(x, y) => x.holds(prefer) || y.holds(prefer),
        }
    }
}

/// `//go:build EXPRESSION` (`go/build/constraint.parseExpr`).
fn expression(line: &str) -> Option<Expression<'_>> {
    let text = line.strip_prefix("//go:build")?;
    if text.len() > MOST {
        return None;
    }
    let mut parser = Parser { text, depth: 0 };
    let all = parser.or()?;
    parser.text.trim_start().is_empty().then_some(all)
}

struct Parser<'a> {
    text: &'a str,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn or(&mut self) -> Option<Expression<'a>> {
        let mut left = self.and()?;
        while self.take("||") {
            left = Expression::Or(Box::new(left), Box::new(self.and()?));
        }
        Some(left)
    }

    fn and(&mut self) -> Option<Expression<'a>> {
        let mut left = self.not()?;
        while self.take("&&") {
            left = Expression::And(Box::new(left), Box::new(self.not()?));
        }
        Some(left)
    }

    fn not(&mut self) -> Option<Expression<'a>> {
        if self.take("!") {
            // go: "double negation not allowed"
            if self.text.trim_start().starts_with('!') {
                return None;
            }
            return Some(Expression::Not(Box::new(self.atom()?)));
        }
        self.atom()
    }

    fn atom(&mut self) -> Option<Expression<'a>> {
        if self.take("(") {
            self.depth += 1;
            if self.depth > DEEPEST {
                return None;
            }
            let inner = self.or()?;
            self.depth -= 1;
            return self.take(")").then_some(inner);
        }
        let text = self.text.trim_start();
        let end = text
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'))
            .unwrap_or(text.len());
        let (tag, rest) = text.split_at_checked(end)?;
        self.text = rest;
        (!tag.is_empty()).then_some(Expression::Tag(tag))
    }

    fn take(&mut self, token: &str) -> bool {
        let rest = self.text.trim_start().strip_prefix(token);
        self.text = rest.unwrap_or(self.text);
        rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::could_be_built;

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
}
