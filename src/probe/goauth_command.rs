//! A command of GOAUTH: run within a time limit, with bounded output that reaches no message and no
//! log, and without a question to a person; and what it prints, read as go reads it
//! (`cmd/go/internal/auth/{userauth,gitauth}.go`).

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use crate::environment::{Environment, is_same_name};
use crate::model::{GoRelease, GoUrl};

/// More blocks or headers than any command has to say.
const MOST: usize = 256;

/// The headers of one prefix. There is no way to print them.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Headers(pub(super) Vec<(HeaderName, HeaderValue)>);

/// Headers by prefix: `host[:port][/path]`.
pub(super) type HandedHeaders = BTreeMap<String, Headers>;

impl Headers {
    /// A user's name and password.
    pub(super) fn basic(user: &[u8], password: &[u8]) -> Option<Headers> {
        let pair = [user, b":", password].concat();
        let value = format!("Basic {}", STANDARD.encode(pair));
        let mut headers = Headers::default();
        headers.add("Authorization", &value).then_some(headers)
    }

    /// `false`: it is none.
    fn add(&mut self, name: &str, value: &str) -> bool {
        let name = HeaderName::from_bytes(name.as_bytes());
        let (Ok(name), Ok(mut value)) = (name, HeaderValue::from_bytes(value.as_bytes())) else {
            return false;
        };
        value.set_sensitive(true);
        self.0.push((name, value));
        true
    }

    /// The headers, without those that `net/http` sets by itself whatever stands there
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

/// `parseUserAuth`: blocks of URLs, an empty line, headers, an empty line. `None`: it is not of
/// that form, and nothing of it counts.
pub(super) fn parse(output: &str, release: GoRelease) -> Option<HandedHeaders> {
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
            if !headers.add(name, value.trim()) {
                return None;
            }
        }
        for prefix in prefixes {
            let bare = prefix.strip_prefix("https://").unwrap_or(&prefix);
            handed.insert(bare.to_owned(), headers.clone());
        }
    }
    Some(handed)
}

/// `parseGitAuth`, and that git's answer is for the URL that it was asked for.
pub(super) fn parse_git(output: &str, url: &str, release: GoRelease) -> Option<(String, Headers)> {
    let (mut protocol, mut host, mut path) = (String::new(), String::new(), String::new());
    let (mut user, mut password) = ("", "");
    let mut whole = None;
    for line in output.split('\n') {
        let Some((key, value)) = line.trim().split_once('=') else {
            continue;
        };
        match key {
            "protocol" => value.clone_into(&mut protocol),
            "host" => value.clone_into(&mut host),
            "path" => value.clone_into(&mut path),
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
        None => {
            let slash = if path.is_empty() || path.starts_with('/') {
                ""
            } else {
                "/"
            };
            format!("{protocol}://{host}{slash}{path}")
        }
    };
    if prefix.is_empty() || !url.starts_with(&prefix) {
        return None;
    }
    Some((
        prefix,
        Headers::basic(user.as_bytes(), password.as_bytes())?,
    ))
}

/// One that takes longer waits for a person, or hangs on the network that is being asked about.
pub(super) const LIMIT: Duration = Duration::from_secs(10);
/// Bytes of output that are of use; what prints more is ended.
const MOST_OUTPUT: u64 = 64 * 1024;

/// What is run, and how.
#[derive(Clone, Copy)]
pub(super) struct CredentialCommand<'a> {
    /// The command and its arguments.
    pub(super) words: &'a [String],
    /// The folder; `None`: that of this process, as go does.
    pub(super) folder: Option<&'a Path>,
    /// What it reads.
    pub(super) input: &'a str,
    /// Its complaints count as output (`cmd.CombinedOutput`).
    pub(super) combined: bool,
}

/// Its output, if it ended well. Its standard error is thrown away, unless it counts as output.
///
/// # Errors
/// When it cannot be started, fails, says too much or takes too long.
pub(super) async fn run(env: &Environment, errand: CredentialCommand<'_>) -> io::Result<Vec<u8>> {
    let Some((program, args)) = errand.words.split_first() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .envs(surroundings(env))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(if errand.combined {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .kill_on_drop(true);
    if let Some(folder) = errand.folder {
        command.current_dir(folder);
    }
    #[cfg(unix)]
    command.process_group(0);
    #[cfg(windows)]
    command.creation_flags(windows_sys::Win32::System::Threading::CREATE_NO_WINDOW);
    let mut running = Running(command.spawn()?);
    let (input, combined) = (errand.input.as_bytes(), errand.combined);
    match tokio::time::timeout(LIMIT, running.output(input, combined)).await {
        Ok(output) => output,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// What go sets for its children, and what keeps git from asking a person: an agent has none.
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

/// Is killed with all that it has started when it is dropped.
struct Running(Child);

impl Running {
    async fn output(&mut self, input: &[u8], combined: bool) -> io::Result<Vec<u8>> {
        let child = &mut self.0;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let write = async {
            if let Some(mut stdin) = stdin {
                // One that does not read it may end first.
                let _ = stdin.write_all(input).await;
            }
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let read_out = async {
            match stdout {
                Some(pipe) => pipe.take(MOST_OUTPUT + 1).read_to_end(&mut out).await,
                None => Ok(0),
            }
        };
        let read_err = async {
            match stderr {
                Some(pipe) => pipe.take(MOST_OUTPUT + 1).read_to_end(&mut err).await,
                None => Ok(0),
            }
        };
        let ((), read_out, read_err) = tokio::join!(write, read_out, read_err);
        let much = read_out?.max(read_err?);
        if u64::try_from(much).unwrap_or(u64::MAX) > MOST_OUTPUT {
            return Err(io::Error::other("it prints too much"));
        }
        if !child.wait().await?.success() {
            return Err(io::Error::other("it fails"));
        }
        if combined {
            out.extend(err);
        }
        Ok(out)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(pid) = self.0.id().and_then(|pid| i32::try_from(pid).ok()) {
            // SAFETY: kill takes no pointers. The child has not been waited for (`id` is `None`
            // then), so its pid, which is its group's, belongs to no other process.
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
}
