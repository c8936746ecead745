//! Finds characters that look like an ASCII character but are different: an input method, a word
//! processor or a chat window inserts them. `，` does not end an entry of GOPROXY: go reads it as a
//! letter of the host.

use std::fmt;

/// A character that looks like another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lookalike {
    /// Its byte offset in the text.
    pub at: usize,
    /// The character.
    pub character: char,
    /// The character that was meant; `None`: none, because it is invisible.
    pub means: Option<char>,
}

/// Returns the first character of the text that looks like a punctuation mark, a space or a letter
/// of ASCII, or that is invisible. Ordinary letters and digits of other scripts are not reported,
/// because hosts may contain them.
pub fn find(text: &str) -> Option<Lookalike> {
    all(text).next()
}

/// Returns all of them, in order.
pub fn all(text: &str) -> impl Iterator<Item = Lookalike> {
    text.char_indices().filter_map(move |(at, character)| {
        if character.is_ascii() || joins_letters(text, at, character) {
            return None;
        }
        let means = meant(character)?;
        Some(Lookalike {
            at,
            character,
            means,
        })
    })
}

/// Returns the first letter of a host that is of another script than its neighbours, but looks like
/// one of theirs: `gіthub.com` with a Cyrillic `і`. A label that is entirely in one script is a
/// legitimate name, unless each of its letters looks like an ASCII letter.
pub fn find_in_host(host: &str) -> Option<Lookalike> {
    let mut start = 0;
    for label in host.split('.') {
        let foreign = |(at, character): (usize, char)| {
            let means = homoglyph(character)?;
            Some(Lookalike {
                at: start + at,
                character,
                means: Some(means),
            })
        };
        let first = label.char_indices().find_map(foreign);
        let letters = || label.chars().filter(|c| c.is_alphabetic());
        let mixed = letters().any(|c| c.is_ascii());
        // Two letters may well be a country: `.рф` has no such letter, `.су` would have only such
        // letters.
        let masked = letters().count() > 2 && letters().all(|c| homoglyph(c).is_some());
        if let Some(first) = first.filter(|_| mixed || masked) {
            return Some(first);
        }
        start += label.len() + 1;
    }
    None
}

/// Returns the lookalikes of a GOPROXY list, or of one URL: marks anywhere in it, and letters in
/// the hosts. The path of a `file://` element may contain any of them, except a mark that was meant
/// to end the element.
pub fn in_list(list: &str) -> Vec<Lookalike> {
    let mut found = Vec::new();
    let mut start = 0;
    for part in list.split([',', '|']) {
        let at = start + (part.len() - part.trim_start().len());
        let element = part.trim();
        start += part.len() + 1;
        let is_file = |scheme: &str| scheme.eq_ignore_ascii_case("file:");
        let is_file = element.get(..5).is_some_and(is_file);
        let mut own: Vec<Lookalike> = all(element)
            .filter(|mark| !is_file || ends_an_element(element, mark))
            .collect();
        if !is_file {
            let (offset, host) = host_of(element);
            own.extend(find_in_host(host).map(|letter| letter.moved(offset)));
        }
        found.extend(own.into_iter().map(|mark| mark.moved(at)));
    }
    found
}

/// Reports whether an element of GOPROXY begins directly after the mark.
fn ends_an_element(element: &str, mark: &Lookalike) -> bool {
    let (at, length) = mark.place();
    let behind = element.get(at + length..).unwrap_or_default();
    let behind = behind.trim_start();
    matches!(mark.means, Some(',' | '|' | ';' | ' '))
        && (behind.contains("://") || matches!(behind, "direct" | "off"))
}

/// Returns the host of a URL, with or without a scheme, and its offset.
fn host_of(url: &str) -> (usize, &str) {
    let start = url.find("://").map_or(0, |at| at + 3);
    let rest = url.get(start..).unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let user = authority.rfind('@').map_or(0, |at| at + 1);
    let host = authority.get(user..).unwrap_or_default();
    (start + user, host.split(':').next().unwrap_or_default())
}

impl Lookalike {
    fn moved(self, by: usize) -> Lookalike {
        Lookalike {
            at: self.at + by,
            ..self
        }
    }

    /// Returns its byte offset in the text, and its length in bytes.
    pub fn place(&self) -> (usize, usize) {
        (self.at, self.character.len_utf8())
    }

    /// Returns advice for the user.
    pub fn help(&self) -> String {
        match self.means {
            None => "take it out".to_owned(),
            Some(' ') => "write the space of the keyboard, or none".to_owned(),
            Some(c) => format!("write `{c}` (U+{:04X})", u32::from(c)),
        }
    }
}

/// "`，` (U+FF0C) is not `,`".
impl fmt::Display for Lookalike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = u32::from(self.character);
        match self.means {
            None => write!(f, "U+{code:04X} in it cannot be seen"),
            Some(' ') => write!(f, "U+{code:04X} looks like a space and is none"),
            Some(c) => write!(f, "`{}` (U+{code:04X}) is not `{c}`", self.character),
        }
    }
}

/// Reports whether the character is a ZERO WIDTH JOINER or NON-JOINER between letters of a script
/// that needs it (RFC 5892, appendix A): hosts may contain those.
fn joins_letters(text: &str, at: usize, c: char) -> bool {
    let foreign = |c: Option<char>| c.is_some_and(|c| !c.is_ascii() && meant(c).is_none());
    matches!(c, '\u{200c}' | '\u{200d}')
        && foreign(text.get(..at).and_then(|before| before.chars().next_back()))
        && foreign(
            text.get(at + c.len_utf8()..)
                .and_then(|behind| behind.chars().next()),
        )
}

/// Each word is an ASCII character and the characters that look like it. The source is Unicode's
/// confusables.txt, limited to punctuation marks.
const MARKS: &str = "\
    ,、﹐﹑､،︐︑⸲⸴꓾ ;\u{37e}؛﹔︔⁏ :﹕︓∶꞉ː׃։︰ꓽ⁚ |│┃∣ǀ￨⏐❘¦￤︱︳丨‖⎪ /⁄∕⧸╱㇓⟋ \\﹨⧵∖⧹ \
    .。｡․﹒۔܁… -‐‑‒–—―−﹘﹣⁃˗─ \"“”„‟«»″〝〞〟「」『』《》 '‘’‚‛′´ʹ‹› *∗⁎⋆✱٭×✳﹡ ?﹖؟ \
    =﹦꞊゠═ ~˜∼〜 @﹫ #﹟ %﹪٪ $﹩ &﹠ +﹢ _﹍﹎﹏‿ [【〔〖 ]】〕〗";

/// Each word is an ASCII letter and the letters of other scripts that look like it.
const LETTERS: &str = "\
    aаɑα bЬь cсϲᴄ dԁ eеҽ gցɡ hһհ iіıιɩ jјϳ kкκ lӏӀ mм nոп oоοօ pрρ qԛգ rг sѕ tт uυս vνѵ wԝω xхχ \
    yуγ zᴢ";

/// Returns the first character of the word of the list that contains `c`.
fn first_of_word(list: &str, c: char) -> Option<char> {
    let mut words = list.split(' ').filter(|word| word.contains(c));
    words.next()?.chars().next()
}

/// Returns the character that `c` is mistaken for: `Some(None)` if it is invisible, `None` if it is
/// not a lookalike.
fn meant(c: char) -> Option<Option<char>> {
    match c {
        // Full width: the same order as in ASCII.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).map(Some),
        '\u{85}' => Some(Some(' ')),
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffd}'
        | '\u{e0000}'..='\u{e0fff}' => Some(None),
        c if c.is_whitespace() => Some(Some(' ')),
        c => first_of_word(MARKS, c).map(Some),
    }
}

/// Returns the ASCII letter that a letter of another script looks like.
fn homoglyph(c: char) -> Option<char> {
    first_of_word(LETTERS, c).filter(|_| !c.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_of_an_input_method_is_shown_with_its_code_and_the_right_one() {
        for (text, at, words, help) in [
            (
                "https://goproxy.cn，direct",
                18,
                "`，` (U+FF0C) is not `,`",
                "write `,` (U+002C)",
            ),
            (
                "https://goproxy.cn、direct",
                18,
                "`、` (U+3001) is not `,`",
                "write `,` (U+002C)",
            ),
            (
                "https://goproxy.cn；direct",
                18,
                "`；` (U+FF1B) is not `;`",
                "write `;` (U+003B)",
            ),
            (
                "a\u{37e}b",
                1,
                "`\u{37e}` (U+037E) is not `;`",
                "write `;` (U+003B)",
            ),
            (
                "https：//a.b",
                5,
                "`：` (U+FF1A) is not `:`",
                "write `:` (U+003A)",
            ),
            ("a｜b", 1, "`｜` (U+FF5C) is not `|`", "write `|` (U+007C)"),
            ("a│b", 1, "`│` (U+2502) is not `|`", "write `|` (U+007C)"),
            ("a．b", 1, "`．` (U+FF0E) is not `.`", "write `.` (U+002E)"),
            ("a。b", 1, "`。` (U+3002) is not `.`", "write `.` (U+002E)"),
            ("a／b", 1, "`／` (U+FF0F) is not `/`", "write `/` (U+002F)"),
            ("a،b", 1, "`،` (U+060C) is not `,`", "write `,` (U+002C)"),
            (
                "–mod=mod",
                0,
                "`–` (U+2013) is not `-`",
                "write `-` (U+002D)",
            ),
            ("“a”", 0, "`“` (U+201C) is not `\"`", "write `\"` (U+0022)"),
            (
                "ｈttps",
                0,
                "`ｈ` (U+FF48) is not `h`",
                "write `h` (U+0068)",
            ),
            (
                "a\u{a0}b",
                1,
                "U+00A0 looks like a space",
                "write the space",
            ),
            (
                "a\u{3000}",
                1,
                "U+3000 looks like a space",
                "write the space",
            ),
            (
                "a\u{200b}b",
                1,
                "U+200B in it cannot be seen",
                "take it out",
            ),
            ("\u{feff}a", 0, "U+FEFF in it cannot be seen", "take it out"),
            (
                "a\u{202e}b",
                1,
                "U+202E in it cannot be seen",
                "take it out",
            ),
        ] {
            let found = find(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(found.at, at, "{text}");
            assert_eq!(text[at..].chars().next(), Some(found.character));
            assert!(found.to_string().starts_with(words), "{found}");
            assert!(found.help().starts_with(help), "{}", found.help());
        }
        assert_eq!(all("a，b；c").count(), 2);
    }

    #[test]
    fn names_of_all_the_world_are_none() {
        for text in [
            "https://proxy.golang.org,direct",
            "bücher.example",
            "例え.テスト",
            "xn--bcher-kva.example",
            "пример.рф",
            "παράδειγμα.gr",
            "paral·lel.cat",
            "スーパー.jp",
            "नमस्ते.भारत",
            "نامه\u{200c}ای.com",
            "straße.de",
            "한국.kr",
            "file:///srv/我的模块",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
        for host in [
            "пример.рф",
            "bücher.example",
            "παράδειγμα.gr",
            "москва.su",
            "github.com",
        ] {
            assert_eq!(find_in_host(host), None, "{host}");
        }
    }

    #[test]
    fn a_letter_of_another_script_within_a_word_is_seen() {
        for (host, c, means) in [
            ("gіthub.com", 'і', 'i'),
            ("proxy.gоlang.org", 'о', 'o'),
            ("goproxy.сn", 'с', 'c'),
            ("аррӏе.com", 'а', 'a'),
            ("gοogle.com", 'ο', 'o'),
        ] {
            let found = find_in_host(host).unwrap_or_else(|| panic!("{host}"));
            assert_eq!((found.character, found.means), (c, Some(means)), "{host}");
            assert_eq!(host[found.at..].chars().next(), Some(c));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic_and_ascii_is_itself(text in "\\PC{0,40}", ascii in "[ -~]{0,40}") {
            for found in all(&text) {
                proptest::prop_assert!(text[found.at..].starts_with(found.character));
            }
            find_in_host(&text);
            proptest::prop_assert_eq!(find(&ascii), None);
            proptest::prop_assert_eq!(find_in_host(&ascii), None);
        }
    }
}
