//! Hides credentials in text that a person, a log or the journal will see.

/// The replacement for a secret. go and net/http write `joe:xxxxx@` or `joe:***@`.
const STARS: &str = "***";

/// The characters that end the authority of a URL within running text. `,` and `|` do not, although
/// they end a GOPROXY element: if a password holds one, its second half must not be shown.
const ENDS: [char; 11] = ['/', '?', '#', ' ', '\t', '\n', '\r', '"', '\'', '<', '>'];

/// Hides `user:password@` in every URL within the text, with or without a scheme (go reads
/// `joe:secret@proxy.example` as an https proxy). The user's name stays if a password follows it. A
/// userinfo without a password may be a token and is hidden completely.
pub fn mask(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((start, secret, shown)) = next_secret(rest) {
        let (before, from) = rest.split_at_checked(start).unwrap_or((rest, ""));
        out.push_str(before);
        out.push_str(&shown);
        rest = from.get(secret..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// Does the same with a `*` for every byte, so that byte ranges in the text stay valid: for showing
/// lines of a policy with carets below them.
pub fn blot(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((start, length, _)) = next_secret(rest) {
        let (before, from) = rest.split_at_checked(start).unwrap_or((rest, ""));
        out.push_str(before);
        out.extend(std::iter::repeat_n('*', length));
        rest = from.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// Does the same with a policy, whose headers for a collector are secrets, too: hides every string
/// near the word `headers`, and all of `[telemetry]` but for a plain URL and `hosts`: a secret may be
/// at a misspelled key.
pub fn blot_policy(text: &str) -> String {
    let text = blot(text);
    let mut out = String::with_capacity(text.len());
    let mut is_near = false;
    for line in text.split_inclusive('\n') {
        let start = line.trim_start();
        if start.starts_with('[') {
            is_near = start.contains("telemetry");
        }
        let is_known =
            start.starts_with("otlp") && !line.contains('?') || start.starts_with("hosts");
        let is_header = start.starts_with('[');
        let names_it = line.contains("headers") || (line.contains("telemetry") && !is_header);
        if names_it || (is_near && !is_known && !is_header) {
            blot_strings(line, &mut out);
        } else {
            out.push_str(line);
        }
    }
    out
}

/// Hides what is between quotes. Without a quote all behind the `=` is hidden; without that, too, the
/// line continues a string.
fn blot_strings(line: &str, out: &mut String) {
    let has_quote = line.contains(['"', '\'']);
    let bare = line
        .find('=')
        .filter(|_| !has_quote && !line.contains(['#', '{', '[']));
    let (shown, line) = line.split_at(bare.map_or(0, |at| at + 1));
    out.push_str(shown);
    let continues = bare.is_some() || !has_quote && !line.contains(['=', '#', '[', '}']);
    let mut quote = continues.then_some('"');
    for c in line.chars() {
        match quote {
            Some(end) if c == end => quote = None,
            Some(_) if !matches!(c, '\n' | '\r') => {
                out.extend(std::iter::repeat_n('*', c.len_utf8()));
                continue;
            }
            None if matches!(c, '"' | '\'') => quote = Some(c),
            Some(_) | None => {}
        }
        out.push(c);
    }
}

/// Reports whether the text holds a URL with a user name or a password, or a token.
pub fn has_credentials(text: &str) -> bool {
    next_secret(text).is_some()
}

/// Returns the first secret: its offset, its length in bytes, and the text to show instead of it.
fn next_secret(text: &str) -> Option<(usize, usize, String)> {
    let found = [
        next_userinfo(text),
        next_parameter(text),
        next_token(text),
        next_relay_token(text),
    ];
    // Of two at the same offset the longer one wins: a token may be a user's name.
    let first = |(start, length, _): &(usize, usize, String)| (*start, usize::MAX - *length);
    found.into_iter().flatten().min_by_key(first)
}

/// Names of parameters whose values are secrets, in a URL's query or in the arguments of a command.
const PARAMETERS: [&str; 16] = [
    "access-token",
    "access_token",
    "api-key",
    "api_key",
    "apikey",
    "auth-token",
    "auth_token",
    "client_secret",
    "passwd",
    "password",
    "private-token",
    "private_token",
    "secret",
    "sig",
    "token",
    "x-amz-signature",
];

/// `?token=SECRET`, `&password=SECRET`, `--token=SECRET`.
fn next_parameter(text: &str) -> Option<(usize, usize, String)> {
    for (at, _) in text.match_indices('=') {
        let before = text.get(..at)?;
        let in_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let name = before.rfind(|c| !in_name(c)).map_or(0, |i| {
            i + before
                .get(i..)
                .and_then(|rest| rest.chars().next())
                .map_or(1, char::len_utf8)
        });
        let word = before.get(name..)?;
        let lead = before.get(..name)?.chars().next_back();
        let is_parameter = matches!(lead, Some('?' | '&')) || word.starts_with("--");
        let known = |one: &str| word.trim_start_matches('-').eq_ignore_ascii_case(one);
        if !is_parameter || !PARAMETERS.iter().any(|one| known(one)) {
            continue;
        }
        let value = text.get(at + 1..)?;
        let ends = |c: char| c.is_whitespace() || "&,|;#\"'<>".contains(c);
        let length = value.find(ends).unwrap_or(value.len());
        let hidden = value.get(..length)?;
        if !hidden.trim_matches('*').is_empty() {
            return Some((at + 1, length, STARS.to_owned()));
        }
    }
    None
}

/// The prefixes of tokens of the large forges and registries; twenty or more characters follow.
const TOKENS: [&str; 9] = [
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "gldt-",
    "npm_",
];

/// Finds a token without a userinfo, as in the path of a proxy's URL.
fn next_token(text: &str) -> Option<(usize, usize, String)> {
    let in_token = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let found = TOKENS.iter().filter_map(|token| {
        let places = text.match_indices(token);
        let mut whole = places.filter_map(|(at, _)| {
            let before = text.get(..at)?.chars().next_back();
            let rest = text.get(at..)?;
            let length = rest.find(|c| !in_token(c)).unwrap_or(rest.len());
            let starts = before.is_none_or(|c| !c.is_ascii_alphanumeric());
            (starts && length >= token.len() + 16).then(|| (at, length, STARS.to_owned()))
        });
        whole.next()
    });
    found.min_by_key(|(start, ..)| *start)
}

/// Finds the token of goroam's relay: `http://127.0.0.1:PORT/` and 32 hexadecimal digits.
fn next_relay_token(text: &str) -> Option<(usize, usize, String)> {
    const HOST: &str = "://127.0.0.1:";
    text.match_indices(HOST).find_map(|(at, _)| {
        let port = at + HOST.len();
        let slash = port + text.get(port..)?.find('/')?;
        let digits = text.get(port..slash)?.bytes().all(|b| b.is_ascii_digit());
        let token = text.get(slash + 1..)?;
        let length = token.find(|c: char| !c.is_ascii_hexdigit());
        let length = length.unwrap_or(token.len());
        (digits && length == 32).then(|| (slash + 1, length, STARS.to_owned()))
    })
}

/// Returns the first userinfo: its offset, its length in bytes up to its `@` (not counted), and the
/// text to show instead of it. The text after it begins with `@` and is never read as another
/// userinfo.
fn next_userinfo(text: &str) -> Option<(usize, usize, String)> {
    let mut from = 0;
    loop {
        let scheme = text.get(from..)?.find("://").map(|i| from + i + 3);
        let plain = plain_userinfo(text, from, scheme.unwrap_or(text.len()));
        if plain.is_some() {
            return plain;
        }
        let start = scheme?;
        if let Some(length) = url_userinfo(text.get(start..)?) {
            let userinfo = text.get(start..start + length)?;
            return Some((start, length, hidden(userinfo)));
        }
        from = start;
    }
}

/// Returns the length of the userinfo of a URL whose authority begins here.
fn url_userinfo(rest: &str) -> Option<usize> {
    let authority = rest.split(ENDS).next()?;
    if let Some(at) = authority.rfind('@') {
        return (at > 0).then_some(at);
    }
    // `https://joe:pass/word@host`: go refuses it and prints it, so it must be hidden as well. A
    // port is all digits, and the text after a port may hold an `@` (`/@v/`, `m@v1.2.3`).
    let (_, port) = authority.rsplit_once(']').unwrap_or(("", authority));
    let (_, port) = port.split_once(':')?;
    if port.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // A password may hold a space, a quote or a comma, and a typing error may add another `@`. In
    // doubt, the whole line up to the next URL is hidden.
    let line = rest.split(['\n', '\r']).next()?;
    line.split("://").next()?.rfind(['@', '\u{ff20}'])
}

/// Finds `user:password@` without a scheme, between two offsets.
fn plain_userinfo(text: &str, from: usize, to: usize) -> Option<(usize, usize, String)> {
    let part = text.get(from..to)?;
    let ends = |c: char| ENDS.contains(&c) || matches!(c, ',' | '|' | ';' | '(' | '[' | '{');
    for (first, _) in part.match_indices('@') {
        // Up to the last `@` of the word: a password may hold one.
        let word_end = part
            .get(first..)?
            .find(ends)
            .map_or(part.len(), |n| first + n);
        let at = part.get(..word_end)?.rfind('@')?;
        let before = part.get(..at)?;
        // Each of these characters is one byte long.
        let word = before.rfind(ends).map_or(0, |i| i + 1);
        let word = with_comma(before, word);
        let userinfo = before.get(word..)?;
        // Text that is masked already stays as it is.
        if let Some((user, password)) = userinfo.split_once(':')
            && !user.is_empty()
            && !password.is_empty()
            && password != STARS
        {
            return Some((from + word, userinfo.len(), hidden(userinfo)));
        }
    }
    None
}

/// Returns where the userinfo begins whose last word begins at `word`: `joe:a,b` is a userinfo with
/// a comma in its password, `host:8080,b` is two elements of a list.
fn with_comma(before: &str, word: usize) -> usize {
    let userinfo = before.get(word..).unwrap_or_default();
    let head = before.get(..word).unwrap_or_default();
    if userinfo.contains(':') || !head.ends_with([',', '|']) {
        return word;
    }
    let other = |c: char| ENDS.contains(&c) || matches!(c, ';' | '(' | '[' | '{');
    let line = head.rfind(other).map_or(0, |i| i + 1);
    let list = head.get(line..).unwrap_or_default();
    let mut start = line;
    for element in list.split([',', '|']) {
        if let Some((user, password)) = element.split_once(':')
            && !user.is_empty()
            && !password.bytes().all(|b| b.is_ascii_digit())
        {
            return start;
        }
        start += element.len() + 1;
    }
    word
}

/// Returns the text to show instead of a userinfo. Elements of a GOPROXY list before it, as in
/// `goproxy.io,joe:secret@proxy.example`, stay readable.
fn hidden(userinfo: &str) -> String {
    let Some(last) = userinfo.rfind([',', '|']) else {
        return hidden_one(userinfo);
    };
    let (head, tail) = userinfo
        .split_at_checked(last + 1)
        .unwrap_or((userinfo, ""));
    let elements: Option<String> = head
        .split_inclusive([',', '|'])
        .map(|element| {
            let (element, separator) = element.split_at_checked(element.len() - 1)?;
            Some(shown_element(element)? + separator)
        })
        .collect();
    match elements {
        Some(elements) => elements + &hidden_one(tail),
        // Not a list, but a password that holds a separator.
        None => hidden_one(userinfo),
    }
}

fn hidden_one(userinfo: &str) -> String {
    match userinfo.split_once(':') {
        // GitHub sends a token as `TOKEN:x-oauth-basic@`.
        Some((user, password))
            if !password.is_empty()
                && password != "x-oauth-basic"
                && !user.contains(['@', ',', '|']) =>
        {
            format!("{user}:{STARS}")
        }
        Some(_) | None => STARS.to_owned(),
    }
}

/// Returns `host`, `host:port` or either with a userinfo; `None`: something else.
fn shown_element(element: &str) -> Option<String> {
    let (userinfo, host) = match element.rsplit_once('@') {
        Some((userinfo, host)) => (Some(userinfo), host),
        None => (None, element),
    };
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    let is_name = name.contains('.') || ["", "direct", "off", "localhost"].contains(&name);
    if !is_name || !port.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(match userinfo {
        Some(userinfo) => format!("{}@{host}", hidden_one(userinfo)),
        None => host.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::mask;

    #[test]
    fn a_password_with_a_blank_a_quote_or_another_at_sign_is_hidden() {
        for secret in [
            "s3cr3tZ x",
            "a\"s3cr3tZ",
            "a\ts3cr3tZ",
            "a,s3cr3tZ",
            "a's3cr3tZ",
        ] {
            for at in ["@", "\u{ff20}"] {
                let text = format!("bad proxy URL: http://joe:{secret}{at}127.0.0.1:9 is wrong");
                let shown = mask(&text);
                assert!(!shown.contains("s3cr3tZ"), "{shown}");
                assert!(shown.contains("127.0.0.1:9 is wrong"), "{shown}");
            }
        }
    }

    #[test]
    fn a_comma_in_a_password_ends_nothing_without_a_scheme_either() {
        for (text, want) in [
            ("joe:a,s3cr3tZ@host", "joe:***@host"),
            ("direct,joe:a|b,s3cr3tZ@host/x", "direct,joe:***@host/x"),
            ("host:8080,t0ken@host", "host:8080,t0ken@host"),
            ("m@v1.0.0,n@v1.0.0", "m@v1.0.0,n@v1.0.0"),
        ] {
            assert_eq!(mask(text), want);
        }
    }

    #[test]
    fn a_password_in_a_url_is_hidden_and_the_user_stays() {
        assert_eq!(
            mask("https://joe:s3cret@goproxy.corp/x,direct"),
            "https://joe:***@goproxy.corp/x,direct"
        );
    }

    #[test]
    fn a_token_without_a_password_is_hidden_whole() {
        assert_eq!(mask("https://t0ken@host/x"), "https://***@host/x");
        assert_eq!(mask("https://t0ken:@host"), "https://***@host");
        assert_eq!(mask("https://t0ken:x-oauth-basic@host"), "https://***@host");
    }

    #[test]
    fn every_url_of_a_chain_is_masked() {
        assert_eq!(
            mask("https://a:1x@h1|https://b:2x@h2,http://c@h3:80,direct"),
            "https://a:***@h1|https://b:***@h2,http://***@h3:80,direct"
        );
    }

    #[test]
    fn an_element_without_a_scheme_is_masked_too() {
        assert_eq!(
            mask("GOPROXY=joe:a=b@proxy.corp/x"),
            "GOPROXY=joe:***@proxy.corp/x"
        );
        assert_eq!(
            mask("https://ok.example:443|joe:x1@proxy.corp"),
            "https://ok.example:443|joe:***@proxy.corp"
        );
        assert_eq!(
            mask("https://t0ken@ok.example,joe:x1@proxy.corp"),
            "https://***@ok.example,joe:***@proxy.corp"
        );
        assert_eq!(mask("https://t0ken@h|joe:x1@p"), "https://***@p");
    }

    #[test]
    fn odd_passwords_do_not_show_their_second_half() {
        for text in [
            "https://joe:sec@ret@host/x",
            "https://joe:sec,ret@host/x",
            "https://joe:sec|ret@host/x",
            "https://joe:sec/ret@host/x",
            "https://joe:s:e:c:ret@host/x",
            "HTTPS://joe:sec%40ret@host/x",
            "parse \"https://joe:sec/ret@host\": invalid port",
        ] {
            let masked = mask(text);
            assert!(
                !masked.contains("sec") && !masked.contains("ret"),
                "{masked}"
            );
            assert!(masked.contains("@host"), "{masked}");
        }
    }

    #[test]
    fn tokens_in_queries_paths_and_commands_are_hidden() {
        let token = "ghp_0123456789abcdefABCDEF0123456789abcd";
        for (text, want) in [
            (
                "https://p.example/go?token=s3cret&x=1,direct",
                "https://p.example/go?token=***&x=1,direct",
            ),
            (
                "https://p.example?x=1&Access_Token=s3cret",
                "https://p.example?x=1&Access_Token=***",
            ),
            (
                "https://p.example?password=s3cret#f",
                "https://p.example?password=***#f",
            ),
            (
                "my-helper --token=s3cret; netrc",
                "my-helper --token=***; netrc",
            ),
            (
                "https://p.example?sig=s3cret|https://joe:s3cret@h",
                "https://p.example?sig=***|https://joe:***@h",
            ),
        ] {
            assert_eq!(mask(text), want);
            assert_eq!(mask(want), want);
            assert!(super::has_credentials(text), "{text}");
            let blotted = super::blot(text);
            assert!(
                !blotted.contains("s3cret") && blotted.len() == text.len(),
                "{blotted}"
            );
            assert_eq!(super::blot(&blotted), blotted);
        }
        for text in [
            format!("https://p.example/{token}/go"),
            format!("https://{token}@h"),
            token.to_owned(),
        ] {
            assert!(!mask(&text).contains("0123"), "{}", mask(&text));
        }
        for text in [
            "https://p.example/?go-get=1&tokenizer=x",
            "token=x",
            "-tags=a,b --mod=vendor",
            "https://github.com/ghp_x/y",
            "-ldflags=-X=main.token=x",
        ] {
            assert_eq!(mask(text), text);
        }
    }

    #[test]
    fn what_holds_no_credentials_stays_as_it_is() {
        for text in [
            "",
            "go: example.com/m@v1.1.0: reading https://proxy:8080/example.com/m/@v/v1.1.0.info: 404",
            "https://[::1]:8080/example.com/m@v1.0.0",
            "git@github.com:corp/repo.git",
            "x.go:3:2: example.com/m@v1: bad",
            "https://proxy.golang.org,direct",
            "://@",
            "@",
            "é@ü:://",
        ] {
            assert_eq!(mask(text), text);
        }
    }

    #[test]
    fn masking_twice_changes_nothing_more() {
        for text in [
            "https://joe:s3cret@goproxy.corp/x,joe:x1@h,https://tok@h",
            "joe:a@b@c https://x:y@z@w",
            "https://t0ken@ok.example,joe:x1@proxy.corp|https://t0ken@h|joe:x1@p",
        ] {
            assert_eq!(mask(&mask(text)), mask(text));
        }
    }

    #[test]
    fn the_headers_for_a_collector_are_hidden_in_every_form_of_a_policy() {
        for policy in [
            "[telemetry]\notlp = \"https://c.test\"\nheaders = { authorization = \"Bearer s3cret\" }",
            "[telemetry.headers]\nauthorization = 'Bearer s3cret'\n",
            "[telemetry]\nheaders.authorization = \"s3cret",
            "telemetry = { otlp = \"https://c.test\", headers = { x = \"s3cret\" } }",
            "[telemetry]\nheaders = {\n  x = \"é s3cret\",\n}\n",
            "[telemetry.headers]\nx = \"\"\"\ns3cret\n\"\"\"\n",
            // Mistakes, of which the line is shown.
            "[telemetry]\nheader = { authorization = \"Bearer s3cret\" }\n",
            "[telemetry]\nauthorization = \"Bearer s3cret\"\n",
            "[telemetry]\n\"he\\u0061ders\" = { authorization = \"Bearer s3cret\" }\n",
            "telemetry.header.authorization = \"Bearer s3cret\"\n",
            "[telemetry]\notlp = \"https://c.test/?k=s3cret\"\n",
            "[telemetry.headers]\n  authorization = s3cret\n",
        ] {
            let hidden = super::blot_policy(policy);
            assert!(!hidden.contains("s3cret"), "{hidden}");
            assert_eq!(hidden.len(), policy.len());
            assert_eq!(hidden.lines().count(), policy.lines().count());
        }
        let other =
            "[relay]\nlisten = \"127.0.0.1:1\" # headers\n[target.a]\nhttps = \"https://h.test\"\n";
        assert!(super::blot_policy(other).contains("https://h.test"));
        let own =
            "[telemetry]\notlp = \"https://c.test\"\nhosts = maybe\n[metrics]\ntextfile = \"a\"\n";
        assert_eq!(super::blot_policy(own), own);
    }

    #[test]
    fn a_blot_keeps_every_byte_in_its_place() {
        let text = "goproxy = \"https://jö:s3cret@host/x\" # u:p@h";
        let blotted = super::blot(text);
        assert_eq!(blotted.len(), text.len());
        assert!(!blotted.contains("s3cret"), "{blotted}");
        assert_eq!(blotted.find("@host"), text.find("@host"));
        assert!(super::has_credentials(text));
        assert!(!super::has_credentials(
            "https://host/@v/list git.corp.example/a@v1.0.0"
        ));
    }

    proptest! {
        /// The input comes from strangers: output of go and git, answers of servers.
        #[test]
        fn no_text_makes_it_panic_and_a_blot_is_as_long_as_the_text(
            text in "(://|@|:|/|,|\\||[ab]|s3cret|[0-9]|\\[|\\]|%|\\n| |é|https?|[?&]token=|--|ghp_abcdefghijklmnop){0,24}"
        ) {
            let _ = mask(&text);
            prop_assert_eq!(super::blot(&text).len(), text.len());
            let _ = super::has_credentials(&text);
        }
    }
}
