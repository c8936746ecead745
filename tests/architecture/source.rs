//! Rust text as tokens with lines, and the paths that it names. Enough of the grammar to see
//! who imports whom; comments, strings and character literals are blank here.

/// One identifier, number or punctuation mark; `::` is one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
    /// Inside an item that only tests are built with (or in a file that only tests use).
    pub(crate) test: bool,
    /// The inline `mod NAME {` blocks around it.
    pub(crate) inside: Vec<String>,
}

/// A path as it was written, with the groups of a `use` taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
    pub(crate) test: bool,
    pub(crate) inside: Vec<String>,
    /// Came from a `use`; and from a `pub use`.
    pub(crate) is_use: bool,
    pub(crate) is_pub: bool,
    /// The name it has here: the last segment, or what stands after `as`.
    pub(crate) alias: String,
}

/// The tokens of `text`.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut out = raw_tokens(text);
    mark_inline_modules(&mut out);
    mark_tests(&mut out);
    out
}

/// Every path of two segments or more, and every single name that a `use` names.
pub(crate) fn paths(tokens: &[Token]) -> Vec<Named> {
    let mut out = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        if tokens[i].text == "use" {
            let is_pub = i > 0 && matches!(tokens[i - 1].text.as_str(), "pub" | ")");
            let from = out.len();
            i = tree(tokens, i + 1, &mut Vec::new(), &mut out);
            for named in &mut out[from..] {
                (named.is_use, named.is_pub) = (true, is_pub);
            }
        } else if tokens[i].text == "pub" && at(tokens, i + 1) == "(" {
            // `pub(in crate::room)` says who may see it, and needs nothing.
            while i < tokens.len() && at(tokens, i) != ")" {
                i += 1;
            }
        } else if is_ident(&tokens[i].text) && at(tokens, i + 1) == "::" {
            let (start, mut segments) = (i, vec![tokens[i].text.clone()]);
            while at(tokens, i + 1) == "::" && is_ident(at(tokens, i + 2)) {
                i += 2;
                segments.push(tokens[i].text.clone());
            }
            out.push(named(&tokens[start], segments));
            i += 1;
        } else {
            i += 1;
        }
    }
    out
}

/// Names of the modules that are declared with `mod NAME;` under `#[cfg(test)]`.
pub(crate) fn test_modules(tokens: &[Token]) -> Vec<String> {
    tokens
        .windows(3)
        .filter(|w| w[0].test && w[0].text == "mod" && w[2].text == ";")
        .map(|w| w[1].text.clone())
        .collect()
}

fn tree(tokens: &[Token], mut i: usize, prefix: &mut Vec<String>, out: &mut Vec<Named>) -> usize {
    let depth = prefix.len();
    if at(tokens, i) == "::" {
        i += 1;
    }
    loop {
        match at(tokens, i) {
            "{" => {
                i += 1;
                while i < tokens.len() && at(tokens, i) != "}" {
                    i = tree(tokens, i, prefix, out);
                    if at(tokens, i) == "," {
                        i += 1;
                    }
                }
                i += 1;
                break;
            }
            name if is_ident(name) || name == "*" => {
                prefix.push(name.to_owned());
                if at(tokens, i + 1) == "::" {
                    i += 2;
                    continue;
                }
                let mut segments = prefix.clone();
                if segments.len() > 1 && name == "self" {
                    segments.pop();
                }
                let mut one = named(&tokens[i], segments);
                i += 1;
                if at(tokens, i) == "as" {
                    one.alias = at(tokens, i + 1).to_owned();
                    i += 2;
                }
                out.push(one);
                break;
            }
            // Not a tree that this reader knows: one step on, so that it always ends.
            _ => {
                i += 1;
                break;
            }
        }
    }
    prefix.truncate(depth);
    i
}

fn named(first: &Token, segments: Vec<String>) -> Named {
    Named {
        alias: segments.last().cloned().unwrap_or_default(),
        segments,
        line: first.line,
        test: first.test,
        inside: first.inside.clone(),
        is_use: false,
        is_pub: false,
    }
}

fn at(tokens: &[Token], i: usize) -> &str {
    tokens.get(i).map_or("", |token| token.text.as_str())
}

fn is_ident(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn raw_tokens(text: &str) -> Vec<Token> {
    let c: Vec<char> = text.chars().collect();
    let get = |i: usize| c.get(i).copied().unwrap_or('\0');
    let (mut out, mut i, mut line) = (Vec::new(), 0, 1);
    while i < c.len() {
        let start = i;
        if c[i] == '/' && get(i + 1) == '/' {
            while i < c.len() && c[i] != '\n' {
                i += 1;
            }
        } else if c[i] == '/' && get(i + 1) == '*' {
            let mut depth = 1;
            i += 2;
            while i < c.len() && depth > 0 {
                match (c[i], get(i + 1)) {
                    ('/', '*') => (depth, i) = (depth + 1, i + 2),
                    ('*', '/') => (depth, i) = (depth - 1, i + 2),
                    _ => i += 1,
                }
            }
        } else if c[i] == '"' {
            i = end_of_string(&c, i);
        } else if c[i] == '\'' {
            // A lifetime has no closing quote two characters on; an escape always is a literal.
            i += match (get(i + 1), get(i + 2)) {
                ('\\', _) => {
                    (3..)
                        .find(|n| get(i + n) == '\'' || i + n >= c.len())
                        .unwrap_or(1)
                        + 1
                }
                (_, '\'') => 3,
                _ => 1,
            };
        } else if c[i].is_alphanumeric() || c[i] == '_' {
            while i < c.len() && (c[i].is_alphanumeric() || c[i] == '_') {
                i += 1;
            }
            let word: String = c[start..i].iter().collect();
            if matches!(word.as_str(), "r" | "br" | "cr") && matches!(get(i), '"' | '#') {
                let hashes = (0..).take_while(|n| get(i + n) == '#').count();
                if get(i + hashes) == '"' {
                    i = end_of_raw_string(&c, i + hashes + 1, hashes);
                } else {
                    i += hashes; // r#name: the name follows as a token of its own
                }
            } else if !(matches!(word.as_str(), "b" | "c") && get(i) == '"') {
                out.push(token(word, line));
            }
        } else if c[i] == ':' && get(i + 1) == ':' {
            i += 2;
            out.push(token("::".to_owned(), line));
        } else {
            i += 1;
            if !c[start].is_whitespace() {
                out.push(token(c[start].to_string(), line));
            }
        }
        line += c[start..i.min(c.len())]
            .iter()
            .filter(|&&x| x == '\n')
            .count();
    }
    out
}

fn end_of_string(c: &[char], open: usize) -> usize {
    let mut i = open + 1;
    while i < c.len() && c[i] != '"' {
        i += if c[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

fn end_of_raw_string(c: &[char], mut i: usize, hashes: usize) -> usize {
    while i < c.len() {
        if c[i] == '"' && (1..=hashes).all(|n| c.get(i + n) == Some(&'#')) {
            return i + 1 + hashes;
        }
        i += 1;
    }
    i
}

fn token(text: String, line: usize) -> Token {
    Token {
        text,
        line,
        test: false,
        inside: Vec::new(),
    }
}

fn mark_inline_modules(tokens: &mut [Token]) {
    let (mut depth, mut open): (usize, Vec<(usize, String)>) = (0, Vec::new());
    for i in 0..tokens.len() {
        match tokens[i].text.as_str() {
            "{" => {
                if i >= 2 && tokens[i - 2].text == "mod" {
                    open.push((depth, tokens[i - 1].text.clone()));
                }
                depth += 1;
            }
            "}" => {
                depth = depth.saturating_sub(1);
                open.retain(|(d, _)| *d < depth);
            }
            _ => {}
        }
        tokens[i].inside = open.iter().map(|(_, name)| name.clone()).collect();
    }
}

/// Does this condition of a `cfg` hold in tests only? And where it ends. `any(windows, test)` holds
/// on Windows, too; `all(test, unix)` in tests only.
fn needs_test(tokens: &[Token], at_word: usize) -> (bool, usize) {
    let word = at(tokens, at_word);
    if at(tokens, at_word + 1) != "(" {
        // `feature = "x"` goes on to the next comma; strings are no tokens here.
        let end = (at_word..tokens.len())
            .find(|&n| matches!(at(tokens, n), "," | ")"))
            .unwrap_or(tokens.len());
        return (word == "test", end);
    }
    let (mut each, mut next) = (Vec::new(), at_word + 2);
    while next < tokens.len() && at(tokens, next) != ")" {
        let (one, end) = needs_test(tokens, next);
        each.push(one);
        next = if at(tokens, end) == "," { end + 1 } else { end };
    }
    let needs = match word {
        "all" => each.contains(&true),
        "any" => !each.is_empty() && !each.contains(&false),
        // `not(…)`, which nobody puts around `not(test)`.
        _ => false,
    };
    (needs, next + 1)
}

fn mark_tests(tokens: &mut [Token]) {
    for i in 0..tokens.len() {
        if tokens[i].text != "#" || at(tokens, i + 1) != "[" || at(tokens, i + 2) != "cfg" {
            continue;
        }
        let close = (i..tokens.len())
            .find(|&n| tokens[n].text == "]")
            .unwrap_or(i);
        if !needs_test(tokens, i + 4).0 {
            continue;
        }
        let (mut depth, mut end) = (0_usize, tokens.len());
        for (n, token) in tokens.iter().enumerate().skip(close + 1) {
            match token.text.as_str() {
                "{" | "(" | "[" => depth += 1,
                ")" | "]" => depth = depth.saturating_sub(1),
                "}" => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        end = n + 1;
                        break;
                    }
                }
                ";" if depth == 0 => {
                    end = n + 1;
                    break;
                }
                _ => {}
            }
        }
        tokens[i..end]
            .iter_mut()
            .for_each(|token| token.test = true);
    }
}
