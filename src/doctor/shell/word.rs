//! Words of bash, zsh and sh: quotes, expansions.

use super::cursor::Cursor;
use super::tree::{Piece, Word, is_name};

/// `${A:-${B:-…}}` deeper than this is nobody's start-up file.
const DEEPEST: usize = 16;

/// The word that begins here; `None` where none does. Stops before blanks and operators.
pub(super) fn word(cursor: &mut Cursor) -> Option<Word> {
    let mut word = Word::default();
    let began = cursor.mark();
    let mut bare = Some(0);
    while let Some(c) = cursor.peek() {
        match c {
            ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | ')' => break,
            // `<(command)`, `>(command)`: a file's name, made up when it runs.
            '<' | '>' => {
                if cursor.mark() != began || cursor.peek_at(1) != Some('(') {
                    break;
                }
                cursor.next();
                cursor.next();
                cursor.skip_balanced('(', ')');
                word.pieces.push(Piece::Unknown);
                bare = freeze(&mut word, bare);
            }
            '(' => {
                // `name()` is for the caller; else an array's words or zsh's qualifiers of a
                // pattern: `A=(…)`, `*.zsh(N)`.
                let array = matches!(word.pieces.last(), Some(Piece::Text(t)) if t.ends_with('='));
                let pattern = word.pieces.iter().any(|p| matches!(p, Piece::Glob(_)));
                if !array && !pattern {
                    break;
                }
                cursor.next();
                cursor.skip_balanced('(', ')');
                if array {
                    word.pieces.push(Piece::Unknown);
                }
                bare = freeze(&mut word, bare);
            }
            '\\' => {
                cursor.next();
                match cursor.next() {
                    Some('\n') => {}
                    Some(c) => {
                        bare = freeze(&mut word, bare);
                        word.push(c);
                    }
                    None => break,
                }
            }
            '\'' => {
                cursor.next();
                bare = freeze(&mut word, bare);
                single(cursor, &mut word);
            }
            '"' => {
                cursor.next();
                bare = freeze(&mut word, bare);
                double(cursor, &mut word, 0);
            }
            '$' if cursor.peek_at(1) == Some('\'') => {
                cursor.eat("$'");
                bare = freeze(&mut word, bare);
                ansi(cursor, &mut word);
            }
            '$' if cursor.peek_at(1) == Some('"') => {
                cursor.eat("$\"");
                bare = freeze(&mut word, bare);
                double(cursor, &mut word, 0);
            }
            '$' | '`' => {
                bare = freeze(&mut word, bare);
                let piece = expansion(cursor, 0);
                add(&mut word, piece);
            }
            '*' | '?' => {
                bare = freeze(&mut word, bare);
                word.pieces.push(Piece::Glob(c));
                cursor.next();
            }
            '~' if tilde(&word, cursor) => {
                cursor.next();
                bare = freeze(&mut word, bare);
                word.pieces.push(Piece::Variable {
                    name: "HOME".to_owned(),
                    otherwise: None,
                    assigns: false,
                });
            }
            c => {
                word.push(c);
                bare = bare.map(|n| n + 1);
                cursor.next();
            }
        }
        if let Some(n) = bare {
            word.bare = n;
        }
    }
    (cursor.mark() != began).then_some(word)
}

/// From the first quote or expansion on nothing counts as bare.
fn freeze(word: &mut Word, bare: Option<usize>) -> Option<usize> {
    if let Some(n) = bare {
        word.bare = n;
    }
    // An empty quoted word is a word.
    if word.pieces.is_empty() {
        word.pieces.push(Piece::Text(String::new()));
    }
    None
}

/// `~` alone or before a slash, at the beginning or after an assignment's `=`.
fn tilde(word: &Word, cursor: &Cursor) -> bool {
    let before = match word.pieces.as_slice() {
        [] => true,
        [Piece::Text(text)] => text.ends_with('=') && text.len() == word.bare,
        _ => false,
    };
    let after = cursor.peek_at(1);
    before && after.is_none_or(|c| matches!(c, '/' | ' ' | '\t' | '\n' | ';' | ')'))
}

fn add(word: &mut Word, piece: Piece) {
    match piece {
        Piece::Text(text) => text.chars().for_each(|c| word.push(c)),
        piece @ (Piece::Glob(_) | Piece::Variable { .. } | Piece::Unknown) => {
            word.pieces.push(piece);
        }
    }
}

fn single(cursor: &mut Cursor, word: &mut Word) {
    while let Some(c) = cursor.next() {
        if c == '\'' {
            return;
        }
        word.push(c);
    }
}

/// `$'…'`: its escapes, the usual ones.
fn ansi(cursor: &mut Cursor, word: &mut Word) {
    while let Some(c) = cursor.next() {
        match c {
            '\'' => return,
            '\\' => match cursor.next() {
                Some('n') => word.push('\n'),
                Some('t') => word.push('\t'),
                Some(c @ ('\\' | '\'' | '"' | '?')) => word.push(c),
                Some(_) | None => word.pieces.push(Piece::Unknown),
            },
            c => word.push(c),
        }
    }
}

/// Within `"…"`, after the opening quote.
pub(super) fn double(cursor: &mut Cursor, word: &mut Word, depth: usize) {
    while let Some(c) = cursor.peek() {
        match c {
            '"' => {
                cursor.next();
                return;
            }
            '\\' => {
                cursor.next();
                match cursor.next() {
                    Some('\n') => {}
                    Some(c @ ('$' | '`' | '"' | '\\')) => word.push(c),
                    Some(c) => {
                        word.push('\\');
                        word.push(c);
                    }
                    None => return,
                }
            }
            '$' | '`' => {
                let piece = expansion(cursor, depth);
                add(word, piece);
            }
            c => {
                word.push(c);
                cursor.next();
            }
        }
    }
}

/// The one command whose output is known: files for several systems ask it.
const UNAME: [&str; 4] = ["$(uname)", "$(uname -s)", "`uname`", "`uname -s`"];
const SYSTEM: &str = if cfg!(target_os = "macos") {
    "Darwin"
} else {
    "Linux"
};

/// `$…` or a command in back quotes.
fn expansion(cursor: &mut Cursor, depth: usize) -> Piece {
    if UNAME.iter().any(|command| cursor.eat(command)) {
        return Piece::Text(SYSTEM.to_owned());
    }
    if cursor.eat("`") {
        while let Some(c) = cursor.next() {
            match c {
                '\\' => {
                    cursor.next();
                }
                '`' => break,
                _ => {}
            }
        }
        return Piece::Unknown;
    }
    cursor.next();
    match cursor.peek() {
        Some('(') => {
            cursor.next();
            cursor.skip_balanced('(', ')');
            Piece::Unknown
        }
        Some('{') => {
            cursor.next();
            braces(cursor, depth)
        }
        Some(c) if c == '_' || c.is_ascii_alphabetic() => {
            let name = name(cursor);
            // zsh: `$a[1]`, `$a:h`. bash leaves these alone; neither stands in start-up files
            // of Go settings.
            Piece::Variable {
                name,
                otherwise: None,
                assigns: false,
            }
        }
        Some('-') => {
            cursor.next();
            Piece::Variable {
                name: "-".to_owned(),
                otherwise: None,
                assigns: false,
            }
        }
        // A function's argument.
        Some(c @ '1'..='9') => {
            cursor.next();
            Piece::Variable {
                name: c.to_string(),
                otherwise: None,
                assigns: false,
            }
        }
        Some('0' | '?' | '#' | '@' | '*' | '!' | '$') => {
            cursor.next();
            Piece::Unknown
        }
        Some(_) | None => Piece::Text("$".to_owned()),
    }
}

fn name(cursor: &mut Cursor) -> String {
    let mut name = String::new();
    while let Some(c) = cursor.peek() {
        if c != '_' && !c.is_ascii_alphanumeric() {
            break;
        }
        name.push(c);
        cursor.next();
    }
    name
}

/// After `${`.
fn braces(cursor: &mut Cursor, depth: usize) -> Piece {
    let name = name(cursor);
    // `${1}`: a function's argument.
    let is_parameter = is_name(&name) || matches!(name.as_bytes(), [b'1'..=b'9']);
    if is_parameter && cursor.eat("}") {
        return Piece::Variable {
            name,
            otherwise: None,
            assigns: false,
        };
    }
    if !is_parameter || depth >= DEEPEST {
        cursor.skip_balanced('{', '}');
        return Piece::Unknown;
    }
    // `:-` and `:=` stand in for an empty value too; go takes empty for unset, so `-` and `=`
    // are the same here.
    for (operator, assigns) in [(":-", false), (":=", true), ("-", false), ("=", true)] {
        if cursor.eat(operator) {
            let mut otherwise = Word::default();
            while let Some(c) = cursor.peek() {
                match c {
                    '}' => {
                        cursor.next();
                        return Piece::Variable {
                            name,
                            otherwise: Some(otherwise),
                            assigns,
                        };
                    }
                    '\'' => {
                        cursor.next();
                        single(cursor, &mut otherwise);
                    }
                    '"' => {
                        cursor.next();
                        double(cursor, &mut otherwise, depth + 1);
                    }
                    '$' | '`' => {
                        let piece = expansion(cursor, depth + 1);
                        add(&mut otherwise, piece);
                    }
                    c => {
                        otherwise.push(c);
                        cursor.next();
                    }
                }
            }
            return Piece::Unknown;
        }
    }
    cursor.skip_balanced('{', '}');
    Piece::Unknown
}
