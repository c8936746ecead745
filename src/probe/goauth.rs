//! GOAUTH: its value, and its commands. Each command runs within a time limit and never prompts a
//! person; its output is bounded and is written to no message and no log. The output is parsed as
//! go parses it (`cmd/go/internal/auth/{auth,userauth,gitauth}.go`).

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{HeaderName, HeaderValue};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use crate::environment::{Environment, is_same_name};
use crate::model::{GoRelease, GoUrl};

/// No command prints more blocks or headers than this.
const MOST: usize = 256;

/// The headers of one prefix. They cannot be printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Headers(pub(super) Vec<(HeaderName, HeaderValue)>);

impl Headers {
    /// Makes the header for a user's name and password.
    pub(super) fn basic(user: &[u8], password: &[u8]) -> Option<Headers> {
        let pair = [user, b":", password].concat();
        let value = format!("Basic {}", STANDARD.encode(pair));
        let mut headers = Headers::default();
        headers.add("Authorization", &value)?;
        Some(headers)
    }

    /// `None`: it is not a valid header.
    fn add(&mut self, name: &str, value: &str) -> Option<()> {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let mut value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
        value.set_sensitive(true);
        self.0.push((name, value));
        Some(())
    }

    /// Returns the headers, without those that `net/http` always sets itself
    /// (`reqWriteExcludeHeader`).
    pub(super) fn sent(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        const OWN: [&str; 7] = [
            "host",
            "user-agent",
            "content-length",
            "transfer-encoding",
            "trailer",
            "connection",
            "accept-encoding",
        ];
        let all = self.0.iter().map(|(name, value)| (name, value));
        all.filter(|(name, _)| !OWN.contains(&name.as_str()))
    }
}

/// Headers by prefix: `host[:port][/path]`.
pub(super) type HandedHeaders = Vec<(String, Headers)>;

/// Where credentials come from.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Method {
    Netrc,
    /// `git credential fill` in this directory.
    Git(PathBuf),
    /// The words of a command; empty if they cannot be split.
    Command(Vec<String>),
}

impl Method {
    /// Runs it. `None`: it has no valid output.
    pub(super) async fn ask(
        &self,
        env: &Environment,
        url: Option<&str>,
        input: &str,
        release: GoRelease,
    ) -> Option<HandedHeaders> {
        let output = match (self, url) {
            (Method::Netrc, _) | (Method::Git(_), None) => return None,
            (Method::Git(folder), Some(url)) => {
                let words = ["git", "credential", "fill"].map(str::to_owned);
                run(env, &words, Some(folder), format!("url={url}\n").as_bytes()).await
            }
            (Method::Command(words), url) => {
                let url = url.filter(|_| !words.is_empty()).map(str::to_owned);
                let words: Vec<String> = words.iter().cloned().chain(url).collect();
                run(env, &words, None, input.as_bytes()).await
            }
        };
        // The command's error output is not shown: it may contain credentials.
        if let Err(error) = &output {
            tracing::debug!(kind = %error.kind(), "a command of GOAUTH gives no credentials");
        }
        let output = String::from_utf8(output.ok()?).ok()?;
        match (self, url) {
            (Method::Git(_), Some(url)) => parse_git(&output, url, release).map(|one| vec![one]),
            _ => parse(&output, release),
        }
    }
}

/// Returns why every go command that uses https fails with this GOAUTH (go 1.24 and later).
pub fn trouble(goauth: &str) -> Option<&'static str> {
    methods(goauth).err()
}

/// Returns the methods of GOAUTH in order; none if it is `off`. An error: go fails with it.
pub(super) fn methods(goauth: &str) -> Result<Vec<Method>, &'static str> {
    let commands: Vec<&str> = goauth.split(';').collect();
    let mut methods = Vec::new();
    for command in &commands {
        let fields: Vec<&str> = command.split_whitespace().collect();
        methods.push(match fields.as_slice() {
            [] => return Err("has an empty command"),
            ["off", ..] if commands.len() > 1 => {
                return Err("has `off` beside other commands");
            }
            ["off", ..] => return Ok(Vec::new()),
            ["netrc", ..] => Method::Netrc,
            ["git", folder] if Path::new(folder).is_absolute() && Path::new(folder).is_dir() => {
                Method::Git(PathBuf::from(folder))
            }
            ["git", ..] => return Err("names `git` without the absolute path of a folder"),
            _ => Method::Command(words(command)),
        });
    }
    Ok(methods)
}

/// `quoted.Split`: blanks between words, quotes around a whole word. Returns nothing if a quote is
/// not closed: go runs nothing then.
fn words(command: &str) -> Vec<String> {
    let blanks = [' ', '\t', '\n', '\r'];
    let mut words = Vec::new();
    let mut rest = command.trim_start_matches(blanks);
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '"' | '\'' => match rest[1..].split_once(first) {
                Some(parts) => parts,
                None => return Vec::new(),
            },
            _ => rest.split_at(rest.find(blanks).unwrap_or(rest.len())),
        };
        words.push(word.to_owned());
        rest = after.trim_start_matches(blanks);
    }
    words
}

/// `parseUserAuth`: blocks of URLs, an empty line, headers, an empty line. `None`: the output has
/// another form, and all of it is ignored.
fn parse(output: &str, release: GoRelease) -> Option<HandedHeaders> {
    let mut handed = HandedHeaders::new();
    let mut rest = output;
    let mut budget = MOST;
    while !rest.is_empty() {
        let mut line = || {
            budget = budget.checked_sub(1)?;
            let (line, after) = rest.split_once('\n')?;
            rest = after;
            Some(line)
        };
        let mut prefixes = Vec::new();
        loop {
            match line()? {
                "" => break,
                url => prefixes.push(GoUrl::parse_request(url, release).ok()?.text()),
            }
        }
        let mut headers = Headers::default();
        loop {
            let text = line()?;
            if text.is_empty() {
                break;
            }
            let (name, value) = text.split_once(": ")?;
            headers.add(name, value.trim())?;
        }
        for prefix in prefixes {
            let bare = prefix.strip_prefix("https://").unwrap_or(&prefix);
            handed.push((bare.to_owned(), headers.clone()));
        }
    }
    Some(handed)
}

/// `parseGitAuth`; also checks that git's answer is for the URL that was asked.
fn parse_git(output: &str, url: &str, release: GoRelease) -> Option<(String, Headers)> {
    let [mut protocol, mut host, mut path, mut user, mut password] = [""; 5];
    let mut whole = None;
    for line in output.split('\n') {
        let Some((key, value)) = line.trim().split_once('=') else {
            continue;
        };
        match key {
            "protocol" => protocol = value,
            "host" => host = value,
            "path" => path = value,
            "username" => user = value,
            "password" => password = value,
            "url" => {
                if let Ok(read) = GoUrl::parse_request(value, release) {
                    whole = Some(read.text());
                }
            }
            _ => {}
        }
    }
    let prefix = match whole {
        Some(whole) => whole,
        None if protocol.is_empty() && host.is_empty() => return None,
        None if path.is_empty() || path.starts_with('/') => format!("{protocol}://{host}{path}"),
        None => format!("{protocol}://{host}/{path}"),
    };
    if prefix.is_empty() || !url.starts_with(&prefix) {
        return None;
    }
    Some((
        prefix,
        Headers::basic(user.as_bytes(), password.as_bytes())?,
    ))
}

/// A command that takes longer waits for a person, or hangs on the network that is being probed.
const LIMIT: Duration = Duration::from_secs(10);
/// How many bytes of output are used; a command that prints more is ended.
const MOST_OUTPUT: u64 = 64 * 1024;

/// Returns the output, if the command succeeded. Its standard error is dropped, unless it counts as
/// output (`cmd.CombinedOutput`), as it does for git, which runs in a directory.
async fn run(
    env: &Environment,
    words: &[String],
    folder: Option<&Path>,
    input: &[u8],
) -> io::Result<Vec<u8>> {
    let Some((program, args)) = words.split_first() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .envs(surroundings(env))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(folder.map_or_else(Stdio::null, |_| Stdio::piped()))
        .kill_on_drop(true);
    if let Some(folder) = folder {
        command.current_dir(folder);
    }
    #[cfg(unix)]
    command.process_group(0);
    #[cfg(windows)]
    command.creation_flags(windows_sys::Win32::System::Threading::CREATE_NO_WINDOW);
    let mut running = Running(command.spawn()?);
    tokio::time::timeout(LIMIT, running.output(input)).await?
}

/// The variables that go sets for its children, and those that keep git from asking a person: an
/// agent has none.
fn surroundings(env: &Environment) -> Vec<(&str, &str)> {
    let quiet = [
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GCM_INTERACTIVE", "never"),
        // Empty: neither SSH_ASKPASS nor core.askPass opens a window.
        ("GIT_ASKPASS", ""),
    ];
    let unset = quiet
        .into_iter()
        .filter(|(name, _)| !env.iter().any(|(own, _)| is_same_name(own, name)));
    env.iter().chain(unset).collect()
}

/// A child that is killed, with all that it has started, when this is dropped.
struct Running(Child);

impl Running {
    async fn output(&mut self, input: &[u8]) -> io::Result<Vec<u8>> {
        let child = &mut self.0;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let write = async {
            if let Some(mut stdin) = stdin {
                // A command that does not read its input may end first.
                let _ = stdin.write_all(input).await;
            }
        };
        let ((), out, err) = tokio::join!(write, read(stdout), read(stderr));
        let output = [out?, err?].concat();
        if !child.wait().await?.success() {
            return Err(io::Error::other("it fails"));
        }
        Ok(output)
    }
}

async fn read(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(MOST_OUTPUT + 1).read_to_end(&mut bytes).await?;
    }
    match u64::try_from(bytes.len()) {
        Ok(..=MOST_OUTPUT) => Ok(bytes),
        _ => Err(io::Error::other("it prints too much")),
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(pid) = self.0.id().and_then(|pid| i32::try_from(pid).ok()) {
            // SAFETY: kill takes no pointers. The child has not been waited for (otherwise `id` is
            // `None`), so its pid, which is its group's, belongs to no other process.
            unsafe { libc::kill(-pid, libc::SIGKILL) };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(output: &str) -> Option<Vec<(String, Vec<String>)>> {
        let handed = parse(output, GoRelease::default())?;
        let shown = |headers: &Headers| {
            let all = headers.0.iter();
            all.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or("?")))
                .collect()
        };
        Some(
            handed
                .iter()
                .map(|(prefix, headers)| (prefix.clone(), shown(headers)))
                .collect(),
        )
    }

    #[test]
    fn blocks_are_read_as_go_reads_them() {
        // auth/userauth_test.go
        let one = |prefix: &str, headers: &[&str]| {
            let headers = headers.iter().map(|header| (*header).to_owned()).collect();
            Some(vec![(prefix.to_owned(), headers)])
        };
        assert_eq!(
            read("https://example.com\n\nAuthorization: Basic YWJj\n\n"),
            one("example.com", &["authorization: Basic YWJj"])
        );
        assert_eq!(
            read("https://h.test:8443/a b/\n\nX-Token:  one \nX-Token: two\n\n"),
            one("h.test:8443/a%20b/", &["x-token: one", "x-token: two"])
        );
        assert_eq!(read("https://h.test\n\n\n"), one("h.test", &[]));
        assert_eq!(read(""), Some(Vec::new()));
        let two = "https://a.test\nhttps://b.test\n\nA: 1\n\nhttps://c.test\n\nB: 2\n\n";
        assert_eq!(read(two).unwrap().len(), 3);
        for broken in [
            "https://h.test",
            "https://h.test\n",
            "https://h.test\n\n",
            "https://h.test\n\nAuthorization: x\n",
            "https://h.test\n\nAuthorization: x",
            "https://h.test\n\nAuthorization\n\n",
            "https://h.test\n\nA b: x\n\n",
            "https://h.test\n\nAuthorization: a\u{1}b\n\n",
            "h.test\n\nA: b\n\n",
            "https://h.test\r\n\r\nA: b\r\n\r\n",
            "https://a.test\n\nA: 1\n\nrubbish",
        ] {
            assert_eq!(read(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn gits_answer_counts_for_the_url_that_was_asked() {
        let git = |output: &str| {
            let url = "https://h.test/mod/x";
            parse_git(output, url, GoRelease::default()).map(|(prefix, _)| prefix)
        };
        let good = "protocol=https\nhost=h.test\nusername=bob\npassword=s3cret\n";
        assert_eq!(git(good).as_deref(), Some("https://h.test"));
        assert_eq!(
            git(&format!("{good}path=mod\n")).as_deref(),
            Some("https://h.test/mod")
        );
        assert_eq!(
            git(&format!("{good}url=https://h.test/mod\n")).as_deref(),
            Some("https://h.test/mod")
        );
        assert_eq!(
            git(&format!("{good}url=invalid\n")).as_deref(),
            Some("https://h.test")
        );
        for other in ["", "protocol:https\n", "protocol=https\nhost=other.test\n"] {
            assert_eq!(git(other), None, "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn no_output_makes_it_panic(text in "(https://a|\n|: |A|=|host|\r|\u{0}|é){0,24}") {
            let _ = (parse(&text, GoRelease::default()), parse_git(&text, "https://a", GoRelease::default()));
        }
    }

    // The test uses absolute paths of Unix.
    #[cfg(unix)]
    #[test]
    fn what_go_ends_at_is_known() {
        for (value, why) in [
            ("netrc;", "empty"),
            (";", "empty"),
            ("off;netrc", "off"),
            ("netrc; off", "off"),
            ("git", "absolute"),
            ("git ./x", "absolute"),
            ("git /nowhere-at-all", "absolute"),
            ("git / /", "absolute"),
        ] {
            let error = methods(value).err();
            assert!(error.is_some_and(|error| error.contains(why)), "{value}");
        }
        assert_eq!(methods(" off ").map(|all| all.len()), Ok(0));
        assert_eq!(methods("netrc;git /;/bin/x").map(|all| all.len()), Ok(3));
    }

    #[test]
    fn words_are_taken_apart_as_go_does() {
        // cmd/internal/quoted/quoted_test.go
        for (command, expected) in [
            ("a  b\tc", vec!["a", "b", "c"]),
            (" 'a b' \"c d\"e f'g", vec!["a b", "c d", "e", "f'g"]),
            ("'' x", vec!["", "x"]),
            ("a 'b", vec![]),
        ] {
            assert_eq!(words(command), expected, "{command:?}");
        }
    }
}
