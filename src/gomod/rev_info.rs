//! `.info` and `@latest`: the JSON of a version (`modfetch.RevInfo`), decoded as the go command
//! decodes it.
//!
//! encoding/json ignores the case of names, takes the last of several, replaces what is not
//! UTF-8, and does not look into fields that it does not know. serde_json does none of that, so
//! a body that serde_json accepts may stop go, and the other way round.

/// encoding/json gives up below this many arrays and objects.
const MAX_DEPTH: usize = 10_000;

/// A version as a proxy describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RevInfo {
    /// Empty where the body names none.
    pub version: String,
}

/// Why go cannot decode it: `invalid response from proxy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InfoError {
    /// Not JSON at all, or with something behind it.
    #[error("is not JSON")]
    Syntax,
    /// JSON, but not an object.
    #[error("is not a JSON object")]
    Document,
    /// A field holds what go cannot store in it.
    #[error("has a field {field} that is not {wanted}")]
    Field {
        /// The name as go spells it.
        field: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
}

impl RevInfo {
    /// Decodes a body.
    ///
    /// # Errors
    /// Where `json.Unmarshal` into a `RevInfo` fails.
    pub fn decode(body: &[u8]) -> Result<RevInfo, InfoError> {
        let mut reader = Reader { rest: body };
        let mut found = Found::default();
        reader.space();
        match reader.peek() {
            Some(b'{') => reader.object(1, |reader, name| {
                if is_named(name, "Version") {
                    if let Some(version) = reader.text("Version", &mut found.fault)? {
                        found.info.version = version;
                    }
                } else if is_named(name, "Time") {
                    if !reader.time()? {
                        found.fault("Time", "a time as in RFC 3339");
                    }
                } else if is_named(name, "Origin") {
                    reader.origin(&mut found)?;
                } else {
                    reader.skip(1)?;
                }
                Ok(())
            })?,
            _ => {
                let null = reader.rest.starts_with(b"null");
                reader.skip(0)?;
                if !null {
                    found.fault.get_or_insert(InfoError::Document);
                }
            }
        }
        reader.space();
        match (reader.rest, found.fault) {
            ([], None) => Ok(found.info),
            ([], Some(fault)) => Err(fault),
            _ => Err(InfoError::Syntax),
        }
    }
}

/// What stands in the object so far. What go cannot store is remembered: it reads on, and says
/// so only when the rest is JSON as well.
#[derive(Default)]
struct Found {
    info: RevInfo,
    fault: Option<InfoError>,
}

impl Found {
    fn fault(&mut self, field: &'static str, wanted: &'static str) {
        self.fault.get_or_insert(InfoError::Field { field, wanted });
    }
}

/// The fields of `codehost.Origin`, all of them strings.
const ORIGIN: [(&str, &str); 8] = [
    ("VCS", "Origin.VCS"),
    ("URL", "Origin.URL"),
    ("Subdir", "Origin.Subdir"),
    ("Hash", "Origin.Hash"),
    ("TagPrefix", "Origin.TagPrefix"),
    ("TagSum", "Origin.TagSum"),
    ("Ref", "Origin.Ref"),
    ("RepoSum", "Origin.RepoSum"),
];

/// Does encoding/json take `name` for this field? Two letters of other alphabets fold to ASCII.
fn is_named(name: &str, field: &str) -> bool {
    let mut field = field.chars();
    let same = name.chars().all(|c| {
        let c = match c {
            '\u{17f}' => 's',
            '\u{212a}' => 'k',
            c => c,
        };
        field.next().is_some_and(|f| f.eq_ignore_ascii_case(&c))
    });
    same && field.next().is_none()
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn next(&mut self) -> Result<u8, InfoError> {
        let (first, rest) = self.rest.split_first().ok_or(InfoError::Syntax)?;
        self.rest = rest;
        Ok(*first)
    }

    fn expect(&mut self, wanted: u8) -> Result<(), InfoError> {
        match self.next()? {
            byte if byte == wanted => Ok(()),
            _ => Err(InfoError::Syntax),
        }
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
    }

    /// An object; `member` reads each value.
    fn object(
        &mut self,
        depth: usize,
        mut member: impl FnMut(&mut Self, &str) -> Result<(), InfoError>,
    ) -> Result<(), InfoError> {
        if depth > MAX_DEPTH {
            return Err(InfoError::Syntax);
        }
        self.expect(b'{')?;
        self.space();
        if self.peek() == Some(b'}') {
            return self.expect(b'}');
        }
        loop {
            self.space();
            let name = unquoted(self.string()?);
            self.space();
            self.expect(b':')?;
            self.space();
            member(self, &name)?;
            self.space();
            match self.next()? {
                b',' => {}
                b'}' => return Ok(()),
                _ => return Err(InfoError::Syntax),
            }
        }
    }

    /// A string field; null leaves it as it was.
    fn text(
        &mut self,
        field: &'static str,
        fault: &mut Option<InfoError>,
    ) -> Result<Option<String>, InfoError> {
        match self.peek() {
            Some(b'"') => Ok(Some(unquoted(self.string()?))),
            Some(b'n') => self.skip(2).map(|()| None),
            _ => {
                let wanted = "a string";
                fault.get_or_insert(InfoError::Field { field, wanted });
                self.skip(2).map(|()| None)
            }
        }
    }

    /// A time (`time.Time.UnmarshalJSON`), which does not know JSON's escapes. Can go store it?
    fn time(&mut self) -> Result<bool, InfoError> {
        match self.peek() {
            Some(b'"') => Ok(is_time(self.string()?)),
            Some(b'n') => self.skip(1).map(|()| true),
            _ => self.skip(1).map(|()| false),
        }
    }

    fn origin(&mut self, found: &mut Found) -> Result<(), InfoError> {
        match self.peek() {
            Some(b'{') => self.object(2, |reader, name| {
                match ORIGIN.iter().find(|(field, _)| is_named(name, field)) {
                    Some((_, field)) => reader.text(field, &mut found.fault).map(drop),
                    None => reader.skip(2),
                }
            }),
            Some(b'n') => self.skip(1),
            _ => {
                found.fault("Origin", "an object");
                self.skip(1)
            }
        }
    }

    /// A string, without its quotes and with its escapes.
    fn string(&mut self) -> Result<&'a [u8], InfoError> {
        self.expect(b'"')?;
        let start = self.rest;
        loop {
            match self.next()? {
                b'"' => {
                    let length = start.len() - self.rest.len() - 1;
                    return Ok(start.get(..length).unwrap_or_default());
                }
                b'\\' => match self.next()? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => {
                        for _ in 0..4 {
                            if !self.next()?.is_ascii_hexdigit() {
                                return Err(InfoError::Syntax);
                            }
                        }
                    }
                    _ => return Err(InfoError::Syntax),
                },
                0..0x20 => return Err(InfoError::Syntax),
                _ => {}
            }
        }
    }

    /// Any value, `depth` arrays and objects deep. Not by recursion: a body may hold thousands.
    fn skip(&mut self, depth: usize) -> Result<(), InfoError> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            // A value…
            self.space();
            match self.peek().ok_or(InfoError::Syntax)? {
                bracket @ (b'{' | b'[') => {
                    self.next()?;
                    // What closes it: two further on in ASCII, both times.
                    let close = bracket + 2;
                    open.push(close);
                    if depth + open.len() > MAX_DEPTH {
                        return Err(InfoError::Syntax);
                    }
                    self.space();
                    if self.peek() != Some(close) {
                        self.name(close)?;
                        continue;
                    }
                }
                b'"' => drop(self.string()?),
                b't' => self.word(b"true")?,
                b'f' => self.word(b"false")?,
                b'n' => self.word(b"null")?,
                _ => self.number()?,
            }
            // …and what closes or follows.
            loop {
                let Some(close) = open.last().copied() else {
                    return Ok(());
                };
                self.space();
                match self.next()? {
                    b',' => {
                        self.space();
                        self.name(close)?;
                        break;
                    }
                    byte if byte == close => drop(open.pop()),
                    _ => return Err(InfoError::Syntax),
                }
            }
        }
    }

    /// The name of an object's next member; in an array there is none.
    fn name(&mut self, close: u8) -> Result<(), InfoError> {
        if close == b'}' {
            self.string()?;
            self.space();
            self.expect(b':')?;
        }
        Ok(())
    }

    fn word(&mut self, word: &[u8]) -> Result<(), InfoError> {
        self.rest = self.rest.strip_prefix(word).ok_or(InfoError::Syntax)?;
        Ok(())
    }

    fn number(&mut self) -> Result<(), InfoError> {
        if self.peek() == Some(b'-') {
            self.next()?;
        }
        match self.next()? {
            b'0' => {}
            b'1'..=b'9' => self.digits(),
            _ => return Err(InfoError::Syntax),
        }
        if self.peek() == Some(b'.') {
            self.next()?;
            self.some_digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.next()?;
            if let Some(b'+' | b'-') = self.peek() {
                self.next()?;
            }
            self.some_digits()?;
        }
        Ok(())
    }

    fn some_digits(&mut self) -> Result<(), InfoError> {
        if !self.next()?.is_ascii_digit() {
            return Err(InfoError::Syntax);
        }
        self.digits();
        Ok(())
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
    }
}

/// The text of a string that has been checked. Halves of a surrogate pair and what is not UTF-8
/// become U+FFFD, as in Go.
fn unquoted(raw: &[u8]) -> String {
    let mut out: Vec<u8> = Vec::with_capacity(raw.len());
    let mut put = |c: char| out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    let mut rest = raw;
    let mut plain: Vec<u8> = Vec::new();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            plain.push(*byte);
            continue;
        }
        String::from_utf8_lossy(&plain).chars().for_each(&mut put);
        plain.clear();
        let Some((escape, after)) = rest.split_first() else {
            break;
        };
        rest = after;
        put(match escape {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = hex(&mut rest);
                let low = rest
                    .strip_prefix(b"\\u")
                    .map(|mut low| (hex(&mut low), low));
                match (high, low) {
                    (0xd800..0xdc00, Some((low @ 0xdc00..0xe000, after))) => {
                        rest = after;
                        let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                        char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
                    }
                    _ => char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER),
                }
            }
            other => char::from(*other),
        });
    }
    String::from_utf8_lossy(&plain).chars().for_each(&mut put);
    String::from_utf8(out).unwrap_or_default()
}

/// Takes four hex digits off.
fn hex(rest: &mut &[u8]) -> u32 {
    let (digits, after) = rest.split_at(rest.len().min(4));
    *rest = after;
    let digits = str::from_utf8(digits).unwrap_or_default();
    u32::from_str_radix(digits, 16).unwrap_or(0xfffd)
}

/// Can Go read this as a time (`time.Time.UnmarshalJSON`)? It is more lenient than RFC 3339
/// (golang/go#54580): an hour of one digit, a comma before the fraction, an offset of 24:60. `text` stands between the quotes, escapes and all.
fn is_time(text: &[u8]) -> bool {
    rfc3339(text).is_some_and(<[u8]>::is_empty)
}

/// `time.Parse(time.RFC3339, …)`; what is left over, or `None` where it fails.
fn rfc3339(text: &[u8]) -> Option<&[u8]> {
    let (year, text) = number(text, 4)?;
    let (month, text) = number(text.strip_prefix(b"-")?, 2)?;
    let (day, text) = number(text.strip_prefix(b"-")?, 2)?;
    let text = text.strip_prefix(b"T")?;
    let (hour, text) = number(text, 2).or_else(|| number(text, 1))?;
    let (minute, text) = number(text.strip_prefix(b":")?, 2)?;
    let (second, text) = number(text.strip_prefix(b":")?, 2)?;
    let within = (1..=12).contains(&month)
        && (1..=days(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let text = match text {
        [b'.' | b',', digits @ ..] if digits.first().is_some_and(u8::is_ascii_digit) => {
            let end = digits.iter().position(|byte| !byte.is_ascii_digit());
            digits.get(end.unwrap_or(digits.len())..)?
        }
        text => text,
    };
    within.then(|| offset(text))?
}

/// `Z`, or `+07:00`.
fn offset(text: &[u8]) -> Option<&[u8]> {
    if let Some(rest) = text.strip_prefix(b"Z") {
        return Some(rest);
    }
    let [b'+' | b'-', text @ ..] = text else {
        return None;
    };
    let (hours, text) = number(text, 2)?;
    let (minutes, text) = number(text.strip_prefix(b":")?, 2)?;
    (hours <= 24 && minutes <= 60).then_some(text)
}

/// So many digits.
fn number(text: &[u8], digits: usize) -> Option<(u32, &[u8])> {
    let (head, rest) = text.split_at_checked(digits)?;
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u32::from(byte - b'0'));
    let value = head
        .iter()
        .try_fold(0, |sum, byte| Some(sum * 10 + digit(byte)?))?;
    Some((value, rest))
}

fn days(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn version(body: &str) -> Result<String, InfoError> {
        RevInfo::decode(body.as_bytes()).map(|info| info.version)
    }

    // What go says to each of these is in tests/probe_info.rs, which asks real ones.
    #[test]
    fn the_reason_names_the_field() {
        let wrong = |body: &str| version(body).unwrap_err().to_string();
        assert_eq!(wrong("<html>"), "is not JSON");
        assert_eq!(wrong("[]"), "is not a JSON object");
        assert_eq!(
            wrong(r#"{"time":"2024-01-02 03:04:05Z"}"#),
            "has a field Time that is not a time as in RFC 3339"
        );
        assert_eq!(
            wrong(r#"{"Origin":"x"}"#),
            "has a field Origin that is not an object"
        );
        assert_eq!(
            wrong(r#"{"Origin":{"ref":1}}"#),
            "has a field Origin.Ref that is not a string"
        );
    }

    #[test]
    fn escapes_are_resolved() {
        let body = r#"{"Ver\u017fion":"a\u0062\n\ud83d\ude00\ud83dx\/"}"#;
        assert_eq!(version(body).unwrap(), "ab\n\u{1f600}\u{fffd}x/");
        let bytes = b"{\"VERSION\":\"v\xff1\"}";
        assert_eq!(RevInfo::decode(bytes).unwrap().version, "v\u{fffd}1");
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = RevInfo::decode(&body);
        }

        #[test]
        fn what_serde_takes_for_json_is_json(body in "([\\[\\]{},: ]|\"a\"|\"\\\\u00e9\"|1|-0\\.5e3|true|null|01|\"Version\"){0,12}") {
            // Values that are passed over are not read: a number may be beyond what f64 holds.
            let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&body).is_ok();
            let decoded = RevInfo::decode(body.as_bytes());
            prop_assert_eq!(is_json, decoded != Err(InfoError::Syntax), "{}", body);
        }
    }
}
