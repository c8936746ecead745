//! Decides which lines of a text go itself wrote, and which are a server's words that go repeats.
//!
//! go repeats most of them in quotes, or indented. The table lists the exceptions, found by
//! experiment with go 1.21, 1.24 and 1.27: in these places a server can write whole lines.
//!
//! | go's words before | the server's | go's words after |
//! |---|---|---|
//! | `proxy returned info for version ` | the `.info`'s Version | ` instead of requested version` |
//! | `module declares its path as: ` | the go.mod's path | `but was required as: ` |
//! | `parsing go.mod: go.mod:N: require ` | the path in a go.mod | `: version "v2.0.0" invalid: ` |
//! | `requires`, and in the next line | the path in a go.mod | `malformed module path "…` |
//! | `internal error: ` | a path with a version | `: unexpected invalid semantic version` |
//! | `x509: certificate is valid for ` | the certificate's names | `, not HOST` |
//! | `reading tree note: …`, `note:` | the tree head | nothing |
//! | `zip for M@V has unexpected file `, `unzip FILE: ` | the name of a file in the zip | nothing |
//! | `# cd DIR; git …` (`-v`) | git's `remote error: ` | nothing |
//!
//! A server can also imitate go's words after its own. So the server's text ends with the last of
//! these words that comes before go's next words before a server's. If go writes no words after,
//! either go or the server may have written all that follows.
use super::form;

/// Who wrote a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WrittenBy {
    /// go, or another program.
    Own,
    /// A server.
    Server,
    /// It cannot be known.
    Unsure,
}

/// A line without colours and without what a wrapper put before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnLine {
    /// All of it.
    pub(super) all: String,
    /// The part that [`WrittenBy::Own`] wrote: all of it, its beginning or nothing.
    pub(super) own: String,
    /// Who wrote the line, or its beginning.
    pub(super) writer: WrittenBy,
}

/// Splits a text into lines.
pub(super) fn lines(text: &str) -> Vec<OwnLine> {
    let mut lines: Vec<OwnLine> = form::cleaned(text)
        .lines()
        .map(|text| {
            let text = form::unwrapped(text).to_owned();
            OwnLine {
                own: text.clone(),
                all: text,
                writer: WrittenBy::Own,
            }
        })
        .collect();
    for (at, begin, end) in quotations(&lines) {
        let (end, writer) = match end {
            Some(end) => (end, WrittenBy::Server),
            None => (lines.len(), WrittenBy::Unsure),
        };
        if let Some(line) = lines.get_mut(at) {
            line.own.truncate(begin);
        }
        for line in lines.iter_mut().take(end + 1).skip(at + 1) {
            line.own.clear();
            line.writer = writer;
        }
    }
    lines
}

/// Returns where a server's words begin (a line, and a byte in it), and the line in which they end.
fn quotations(lines: &[OwnLine]) -> Vec<(usize, usize, Option<usize>)> {
    let openings = openings(lines);
    let each = openings.iter().enumerate().filter_map(|(nth, opening)| {
        let (at, begin) = (opening.line, opening.begin?);
        // Words after that are part of another quotation are not go's.
        let next = openings.get(nth + 1).map_or(lines.len(), |next| next.line);
        let reach = lines.get(at..next).unwrap_or_default();
        let last = opening.ends.as_ref().and_then(|ends| {
            let ends = |line: &OwnLine| ends(&line.all);
            let last = reach.iter().rposition(ends);
            // Another server's line may end as this one must. If a line in between may be go's
            // report of a mismatch, the server's text ends at the first such line: in doubt the
            // report counts.
            let first = reach.iter().position(ends).unwrap_or(0);
            let module = reach.first().and_then(|line| module_of(&line.all));
            let behind = reach.get(first + 1..=last.unwrap_or(reach.len().saturating_sub(1)));
            let mut behind = behind.unwrap_or_default().iter();
            let is_doubtful = behind.any(|line| is_grave(&line.all, module));
            if is_doubtful { Some(first) } else { last }
        });
        if last.is_none() && opening.only_whole {
            return None;
        }
        Some((at, begin, last.map(|last| at + last)))
    });
    each.collect()
}

/// Reports whether the text is a mismatch if go wrote it. A mismatch of a module that go has
/// already given up does not count.
fn is_grave(text: &str, given_up: Option<&str>) -> bool {
    (text.contains("checksum mismatch") || text.contains("checksum missing"))
        && !given_up.is_some_and(|module| text.contains(module))
}

/// Returns the `example.com/a@v1.0.0` of the statement that a line begins.
fn module_of(text: &str) -> Option<&str> {
    let mut words = text.split(' ');
    let word = words.find(|word| word.contains('@') && word.ends_with(':'))?;
    word.strip_suffix(':')
}

/// Reports whether a line is one in which go's words follow a server's.
type EndOfWords<'a> = Box<dyn Fn(&str) -> bool + 'a>;

/// Where a server's words begin.
#[derive(Default)]
struct Opening<'a> {
    line: usize,
    /// The byte; `None`: somewhere in this line, or after it and indented.
    begin: Option<usize>,
    /// Recognises a line that has go's words after the server's. `None`: go writes no such words.
    ends: Option<EndOfWords<'a>>,
    /// The words are a server's only if go's words after them follow.
    only_whole: bool,
}

impl<'a> Opening<'a> {
    fn at(begin: usize) -> Opening<'a> {
        Opening {
            begin: Some(begin),
            ..Opening::default()
        }
    }

    fn until(begin: usize, ends: impl Fn(&str) -> bool + 'a) -> Opening<'a> {
        Opening {
            ends: Some(Box::new(ends)),
            ..Opening::at(begin)
        }
    }
}

fn openings(lines: &[OwnLine]) -> Vec<Opening<'_>> {
    let mut found = Vec::new();
    // `says`: within one of go's statements. `quotes`: within what go quotes by indenting it.
    let (mut says, mut quotes) = (false, false);
    let mut before = "";
    for (line, OwnLine { all: text, .. }) in lines.iter().enumerate() {
        if !text.starts_with('\t') {
            says = form::lead(text).is_some();
            quotes = false;
        }
        // A server's response, or git's output: `git …: exit status 128:`.
        let indents = text.starts_with("\tserver response:")
            || text.ends_with(':') && text.contains(": exit status ");
        if says && indents && !quotes {
            quotes = true;
            found.push(Opening {
                line,
                ..Opening::default()
            });
        }
        let opening = opening(text, before, says && !quotes);
        found.extend(opening.map(|opening| Opening { line, ..opening }));
        before = text;
    }
    found
}

fn opening<'a>(text: &'a str, before: &str, says: bool) -> Option<Opening<'a>> {
    let is_note = text == "note:" && before.contains(": reading tree note: ");
    if is_note || text == "tree:" && before.contains(": reading tree: ") {
        return Some(Opening::at(text.len()));
    }
    if before.starts_with("# cd ") && text.contains("remote error: ") {
        return Some(Opening::at(0));
    }
    if !says {
        return None;
    }
    // A server has written nothing of the text before `begin`.
    let plain = |begin: &usize| text.get(..*begin).is_some_and(is_plain);
    let in_zip = behind(text, " has unexpected file ").filter(|_| text.contains(": zip for "));
    if let Some(begin) = in_zip.or_else(|| unzipped(text)).filter(plain) {
        return Some(Opening::at(begin));
    }
    if let Some(begin) = behind(text, "proxy returned info for version ").filter(plain) {
        let ends = |line: &str| line.ends_with(" instead of requested version");
        return Some(Opening::until(begin, ends));
    }
    if text.starts_with("\tmodule declares its path as: ") {
        return Some(Opening::until(text.find(": ")? + 2, |line| {
            let text = line.trim_start();
            text.len() < line.len() && text.starts_with("but was required as: ")
        }));
    }
    if let Some(begin) = required(text).filter(plain) {
        return Some(Opening::until(begin, |line| {
            line.contains(": version \"") && line.contains("\" invalid: ")
        }));
    }
    if text.starts_with('\t') && before.ends_with(" requires") && is_plain(text) {
        let path = text.trim_start();
        // go repeats these words in quotes, followed by a line feed.
        let ends = move |line: &str| {
            let quoted = line.split_once(": malformed module path \"");
            let rest = quoted.and_then(|(_, rest)| rest.strip_prefix(path));
            rest.is_some_and(|rest| rest.starts_with("\\n"))
        };
        return Some(Opening {
            only_whole: true,
            ..Opening::until(text.len() - path.len(), ends)
        });
    }
    if text.starts_with("go: internal error: ") {
        let ends = |line: &str| line.ends_with(": unexpected invalid semantic version");
        return Some(Opening::until(text.find("error: ")? + 7, ends));
    }
    let begin = behind(text, "x509: certificate is valid for ")?;
    let authority = of_certificate(text.get(..begin)?)?;
    Some(Opening::until(begin, move |line| {
        line.rsplit_once(", not ").is_some_and(|(_, host)| {
            let rest = authority.strip_prefix(host);
            rest.is_some_and(|port| port.is_empty() || port.starts_with(':'))
        })
    }))
}

fn behind(text: &str, words: &str) -> Option<usize> {
    Some(text.find(words)? + words.len())
}

/// Finds where x/mod/zip names a file of the zip, after the name of the zip itself.
fn unzipped(text: &str) -> Option<usize> {
    let zip = behind(text, ": unzip ")?;
    Some(zip + behind(text.get(zip..)?, ".zip: ")?)
}

/// Finds where x/mod/modfile names the module that a line of a go.mod requires.
fn required(text: &str) -> Option<usize> {
    let place = behind(text, ": parsing go.mod: go.mod:")?;
    let (line, rest) = text.get(place..)?.split_once(": ")?;
    let is_line = line
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b':');
    (is_line && rest.starts_with("require ")).then(|| place + line.len() + ": require ".len())
}

/// Reports whether the text has no request and nothing in quotes: a server has written nothing of
/// it.
fn is_plain(text: &str) -> bool {
    !text.contains("://") && !text.contains('"')
}

/// Returns the host and port that were asked, if these words directly follow a request.
fn of_certificate(text: &str) -> Option<&str> {
    let (own, asked) = text.split_once("Get \"")?;
    let (url, error) = asked.split_once("\": ")?;
    // Go 1.19 writes nothing before x509.
    let error = error
        .strip_prefix("tls: failed to verify certificate: ")
        .unwrap_or(error);
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    let host = authority.rsplit('@').next()?;
    (is_plain(own) && error == "x509: certificate is valid for ").then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(text: &str) -> Vec<(String, WrittenBy)> {
        let lines = lines(text).into_iter();
        lines.map(|line| (line.own, line.writer)).collect()
    }

    #[test]
    fn a_servers_words_end_with_the_last_words_of_go_behind_them() {
        let text = "go: a@v1.0.0: proxy returned info for version v1 instead of requested version\n\
                    go: b@v1.0.0: x\n instead of requested version\ngo: c@v1.0.0: EOF\n";
        let lines = own(text);
        assert_eq!(lines[0].0, "go: a@v1.0.0: proxy returned info for version ");
        assert_eq!(lines[1], (String::new(), WrittenBy::Server));
        assert_eq!(lines[2], (String::new(), WrittenBy::Server));
        assert_eq!(lines[3], ("go: c@v1.0.0: EOF".to_owned(), WrittenBy::Own));
    }

    #[test]
    fn what_a_server_writes_opens_no_quotation() {
        for text in [
            "go: a@v1.0.0: reading http://h/x: 502 proxy returned info for version x\ngo: y\n",
            "go: a@v1.0.0: reading http://h/x: 502 Bad\n\tserver response:\n\tmodule declares its path as: x\ngo: y\n",
            "go: a@v1.0.0: git x in y: exit status 128:\n\tmodule declares its path as: x\ngo: y\n",
            "    x_test.go:1: proxy returned info for version x\ngo: y\n",
        ] {
            let last = own(text).pop().unwrap();
            assert_eq!(last, ("go: y".to_owned(), WrittenBy::Own), "{text}");
        }
    }

    #[test]
    fn behind_the_name_of_a_file_in_a_zip_nothing_is_sure() {
        for lead in [
            "go: a@v1.0.0: zip for a@v1.0.0 has unexpected file ",
            "go: a@v1.0.0: unzip /m/cache/download/a/@v/v1.0.0.zip: ",
        ] {
            let lines = own(&format!("{lead}x\ngo: b@v1.0.0: EOF\n"));
            assert_eq!(lines[0].0, lead);
            assert_eq!(lines[1], (String::new(), WrittenBy::Unsure), "{lead}");
        }
    }

    #[test]
    fn behind_a_note_nothing_is_sure() {
        let text = "go: a@v1.0.0: verifying module: a@v1.0.0: reading tree note: malformed note\n\
                    note:\n<html>\ngo: b@v1.0.0: EOF\n";
        let lines = own(text);
        assert_eq!(lines[1].0, "note:");
        assert!(
            lines[2..]
                .iter()
                .all(|(_, writer)| *writer == WrittenBy::Unsure)
        );
    }
}
