//! `goroam init` where nobody can be asked: flags say it all.

use crate::cli::{self, Run, User};
use crate::company::server::{dead_port, status};
use crate::company::{self, Company};

/// `goroam init …` on a machine whose system trusts this authority and no other.
fn init(user: &User, trusted: &str, words: &str) -> Run {
    let command = user.goroam(&format!("init {words}"));
    trusting(command, trusted)
}

fn trusting(command: Run, trusted: &str) -> Run {
    command
        .env("SSL_CERT_FILE", trusted)
        .env("SSL_CERT_DIR", "/nonexistent")
        // Nothing is asked outside of this machine.
        .env("HTTPS_PROXY", "http://127.0.0.1:9")
}

fn written(user: &User) -> String {
    std::fs::read_to_string(user.policy()).unwrap()
}

#[track_caller]
fn has_no_finding(user: &User) {
    let report = user.goroam("check --json").exits(0).json();
    assert_eq!(report["findings"], serde_json::json!([]), "{report:#}");
}

#[test]
fn a_proxy_that_is_trusted_is_asked_and_its_key_is_pinned() {
    let (user, company) = (User::new(), Company::new());
    let url = company.url();
    init(&user, &company.ca(), &format!("--proxy {url}/"))
        .exits(0)
        .says("✓ it is a module proxy: golang.org/x/text@v0.3.0, hash right")
        .says(&format!("✓ its key is {}", company.pin()))
        .says(&user.policy().display().to_string());
    let text = written(&user);
    for line in [
        format!("goproxy = \"{url}\"\n"),
        format!("pin = [\"{}\"]\n", company.pin()),
        format!("GOPROXY = \"{url}\"\n"),
        "private = true\n".to_owned(),
    ] {
        assert!(text.contains(&line), "no {line} in {text}");
    }
    assert!(!text.contains("\nca = "), "{text}");
    has_no_finding(&user);
    let probe = trusting(user.goroam("probe company --json"), &company.ca());
    let probe = probe.exits(0).json();
    assert_eq!(probe["targets"][0]["verdict"], "up", "{probe:#}");
    assert_eq!(probe["targets"][0]["proof"], "pinned", "{probe:#}");
}

#[test]
fn a_ca_file_of_its_own_is_named_by_its_whole_path() {
    let (user, company) = (User::new(), Company::new());
    user.write("corp.pem", std::fs::read(company.ca()).unwrap());
    let words = format!("--proxy {} --ca corp.pem", company.url());
    init(&user, &company.other_ca(), &words).exits(0);
    let text = written(&user);
    let ca = user.path("corp.pem");
    assert!(
        text.contains(&format!("ca = \"{}\"\n", ca.display())),
        "{text}"
    );
    assert!(text.contains(company.pin()), "{text}");
    let probe = trusting(user.goroam("probe company --json"), &company.other_ca());
    assert_eq!(probe.exits(0).json()["targets"][0]["verdict"], "up");
}

#[test]
fn a_ca_that_go_does_not_trust_is_told_wherever_it_matters() {
    let (user, company) = (User::new(), Company::new());
    user.write("corp.pem", std::fs::read(company.ca()).unwrap());
    let words = format!("--proxy {} --ca corp.pem", company.url());
    let here = |words: &str| trusting(user.goroam(words), &company.other_ca());
    let done = init(&user, &company.other_ca(), &words).exits(0);
    done.says("go does not trust its certificate")
        .says("SSL_CERT_FILE");
    // In words and for scripts, by name, before a turn and after one.
    let codes = |done: &cli::Done| -> Vec<String> {
        let json = done.json();
        let all = json["findings"].as_array().unwrap().iter();
        all.map(|one| {
            format!(
                "{} {}",
                one["severity"].as_str().unwrap(),
                one["code"].as_str().unwrap()
            )
        })
        .collect()
    };
    let check = codes(&here("check --json").exits(0));
    assert_eq!(check, ["note ca-unknown-to-go"]);
    let named = |run: Run| codes(&run.exits(1)).contains(&"warning ca-unknown-to-go".to_owned());
    assert!(named(here("doctor --json")));
    let probe = here("probe company --json").exits(0).json();
    let seen = &probe["targets"][0];
    assert_eq!(seen["verdict"], "up", "{probe:#}");
    let caveat = seen["caveat"].as_str().unwrap();
    assert!(
        caveat.contains("update-ca-certificates") && caveat.contains("SSL_CERT_FILE="),
        "{caveat}"
    );
    here("probe company")
        .exits(0)
        .says("right; go does not trust its");

    // Where go trusts it nothing is said.
    let trusted = |words: &str| trusting(user.goroam(words), &company.ca());
    assert_eq!(
        codes(&trusted("check --json").exits(0)),
        Vec::<String>::new()
    );
    let probe = trusted("probe company --json").exits(0).json();
    assert!(probe["targets"][0].get("caveat").is_none(), "{probe:#}");
    let said = trusted("doctor --json").command().output().unwrap();
    assert!(
        !String::from_utf8(said.stdout)
            .unwrap()
            .contains("ca-unknown-to-go")
    );
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_not_pinned() {
    let (user, company) = (User::new(), Company::new());
    init(
        &user,
        &company.other_ca(),
        &format!("--proxy {}", company.url()),
    )
    .exits(0)
    .says("! wrong: certificate of 127.0.0.1")
    .says("--ca");
    assert!(!written(&user).contains("\npin = "));
    has_no_finding(&user);
}

#[test]
fn a_proxy_that_does_not_answer_or_lacks_the_module_is_told_of() {
    let (user, company) = (User::new(), Company::new());
    let url = format!("https://127.0.0.1:{}", dead_port());
    init(&user, &company.ca(), &format!("--proxy {url}"))
        .exits(0)
        .says("! down: connection refused by 127.0.0.1");
    has_no_finding(&user);
    let (user, company) = (User::new(), Company::answering(|_| status("404 Not Found")));
    init(&user, &company.ca(), &format!("--proxy {}", company.url()))
        .exits(0)
        .says("has no golang.org/x/text@v0.3.0")
        .says(company.pin());
    assert!(written(&user).contains("until then it never counts as up"));
    has_no_finding(&user);

    // A page that anybody's server might show proves nothing of a module proxy.
    let page = |_: &company::server::Seen| company::server::ok("text/html", "<html>hello</html>");
    let (user, company) = (User::new(), Company::answering(page));
    init(&user, &company.ca(), &format!("--proxy {}", company.url())).exits(0);
    assert!(!written(&user).contains("\npin = "));
}

#[test]
fn what_cannot_be_right_is_refused_and_nothing_is_written() {
    let user = User::new();
    for (words, why) in [
        (
            "--proxy https://joe:s3cret@goproxy.corp.example",
            "~/.netrc",
        ),
        ("--proxy ftp://goproxy.corp.example", "https"),
        ("--proxy https://proxy.golang.org", "public proxy"),
        ("--proxy https://127.0.0.1:1 --ca gone.pem", "gone.pem"),
        (
            "--proxy https://127.0.0.1:1 --ca empty.pem",
            "no certificate",
        ),
        ("--proxy https://127.0.0.1:1 --private *", "public modules"),
        ("--proxy https://127.0.0.1:1 --private [", "not a pattern"),
        ("--ca corp.pem", "--proxy"),
        ("--private git.corp.example", "--proxy"),
        ("--template default --proxy https://a.example", "--template"),
        ("--service --no-service", "--no-service"),
    ] {
        user.write("empty.pem", "");
        let done = user
            .goroam(&format!("init {words}"))
            .exits(2)
            .complains(why);
        assert!(!done.all().contains("s3cret"), "{}", done.all());
        assert!(!user.policy().exists(), "{words}");
    }
}

#[test]
fn private_modules_are_those_of_the_flag_or_of_go_env() {
    let url = format!("https://127.0.0.1:{}", dead_port());
    let user = User::new();
    let words = format!("--proxy {url} --private git.corp.example,github.com/corp");
    user.goroam(&format!("init {words}")).exits(0);
    let line = "GOPRIVATE = \"git.corp.example,github.com/corp\"\n";
    assert_eq!(written(&user).matches(line).count(), 6);
    has_no_finding(&user);

    let user = User::new();
    user.write(".config/go/env", "GOPRIVATE=*.corp.test\nGOSUMDB=off\n");
    user.goroam(&format!("init --proxy {url}"))
        .exits(0)
        .says("GOSUMDB=off weakens verification and is not taken over");
    assert!(written(&user).contains("GOPRIVATE = \"*.corp.test\"\n"));
    assert!(!written(&user).contains("\"off\""));
    has_no_finding(&user);
}

#[test]
fn that_private_modules_would_be_asked_for_in_public_is_said() {
    let company = Company::new();
    // The proxy's name says nothing here, and what kept their names in is not taken over.
    for (set, words, is_said) in [
        ("GOSUMDB=off\n", "", true),
        ("GOPRIVATE=*.corp.test\n", "", false),
        ("", "--private *.corp.test", false),
    ] {
        let user = User::new();
        user.write(".config/go/env", set);
        let words = format!("--proxy {} --json {words}", company.url());
        let report = init(&user, &company.ca(), &words).exits(0).json();
        let remarks = report["remarks"].to_string();
        let said = remarks.contains("which modules are private is not known");
        assert_eq!(said, is_said, "{set}: {remarks}");
    }
}

#[test]
fn yes_takes_what_go_env_says_without_its_password() {
    let (user, company) = (User::new(), Company::new());
    let url = company.url().replace("https://", "https://joe:s3cret@");
    user.write(".config/go/env", format!("GOPROXY={url},direct\n"));
    let done = init(&user, &company.ca(), "--yes --no-service").exits(0);
    assert!(!done.all().contains("s3cret"), "{}", done.all());
    let text = written(&user);
    assert!(
        text.contains(&format!("goproxy = \"{}\"\n", company.url())),
        "{text}"
    );
    assert!(!text.contains("joe"), "{text}");
    has_no_finding(&user);
    // Without it nothing is taken for granted.
    let user = User::new();
    user.write(".config/go/env", format!("GOPROXY={url},direct\n"));
    init(&user, &company.ca(), "").exits(0);
    let built_in = user.goroam("init --print").exits(0).stdout();
    assert_eq!(written(&user), built_in);
}

#[test]
fn plain_http_is_taken_with_a_warning_that_check_repeats() {
    let user = User::new();
    let url = "http://goproxy.invalid:8081";
    user.goroam(&format!("init --proxy {url} --yes --no-service"))
        .exits(0)
        .says("anyone who controls the network can answer in its place");
    let report = user.goroam("check --json").exits(0).json();
    assert_eq!(report["errors"], 0, "{report:#}");
    assert_eq!(report["findings"][0]["code"], "loosens-accepted");
    // On this very machine nobody is in between.
    let user = User::new();
    user.goroam(&format!("init --proxy http://127.0.0.1:{}", dead_port()))
        .exits(0);
    has_no_finding(&user);
}

#[test]
fn printed_it_is_the_policy_and_nothing_else() {
    let (user, company) = (User::new(), Company::new());
    let words = format!("--print --proxy {}", company.url());
    let done = init(&user, &company.ca(), &words).exits(0);
    assert!(
        done.stdout().starts_with("# goroam.toml"),
        "{}",
        done.stdout()
    );
    assert!(done.stderr().contains("its key is"), "{}", done.stderr());
    assert!(!user.policy().exists());
    user.write("p.toml", done.stdout());
    user.goroam("check p.toml").exits(0);
    // Needs no home, as a template does not.
    user.goroam("init --print").without("HOME").exits(0);
}

#[test]
fn scripts_get_what_was_decided() {
    let (user, company) = (User::new(), Company::new());
    let words = format!("--json --proxy {}", company.url());
    let report = init(&user, &company.ca(), &words).exits(0).json();
    assert_eq!(report["policy"], user.policy().display().to_string());
    assert_eq!(report["written"], true);
    assert_eq!(report["template"], "company");
    assert_eq!(report["proxy"]["url"], company.url());
    assert_eq!(report["proxy"]["pinned"], true);
    assert_eq!(report["proxy"]["observation"]["verdict"], "up");
    assert_eq!(report["service"], serde_json::Value::Null);
    let user = User::new();
    let report = user.goroam("init --json").exits(0).json();
    assert_eq!(report["template"], "default");
    assert_eq!(report["proxy"], serde_json::Value::Null);
}

#[test]
fn a_policy_that_is_there_stays_whatever_is_asked() {
    let (user, company) = (User::new(), Company::new());
    user.write(".config/goroam/goroam.toml", "version = 1\n[[profil]]\n");
    let before = written(&user);
    let words = format!("--proxy {}", company.url());
    init(&user, &company.ca(), &words)
        .exits(1)
        .complains("exists already and is left unchanged");
    user.goroam("init --yes --no-service")
        .exits(0)
        .says("there is a policy already; it is left unchanged")
        .says(&user.policy().display().to_string())
        .says("it cannot be used");
    assert_eq!(written(&user), before);
}

#[test]
fn a_redirect_to_another_host_does_not_pin_that_ones_key() {
    let elsewhere = Company::new();
    let to = elsewhere.url();
    let company = Company::answering(move |seen| {
        let path = seen.line.trim_start_matches("GET ");
        company::server::redirect("302 Found", &format!("{to}{path}"))
    });
    let user = User::new();
    // Trusts both: one after the other in one file.
    let both = [company.ca(), elsewhere.ca()].map(|path| std::fs::read(path).unwrap());
    let both = user.write("both.pem", both.concat());
    let words = format!("--proxy {}", company.url());
    init(&user, both.to_str().unwrap(), &words).exits(0);
    assert!(!written(&user).contains(elsewhere.pin()));
}

#[test]
fn a_policy_is_replaced_by_force_and_kept_under_the_next_free_name() {
    let user = User::new();
    for before in ["version = 1\n# one\n", "version = 1\n# two\n"] {
        user.write("dotfiles/goroam.toml", before);
        let link = user.policy();
        if link.symlink_metadata().is_err() {
            std::fs::create_dir_all(link.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(user.path("dotfiles/goroam.toml"), &link).unwrap();
        }
        user.goroam("init").exits(1).complains("--force");
        assert_eq!(written(&user), before);
        user.goroam("init --force")
            .exits(0)
            .says("the policy before is kept: ");
        assert!(written(&user).contains("[target.proxy]"));
        assert!(link.symlink_metadata().unwrap().is_symlink());
    }
    let kept = |name: &str| std::fs::read_to_string(user.path(name)).unwrap();
    assert_eq!(
        kept(".config/goroam/goroam.toml.bak"),
        "version = 1\n# one\n"
    );
    assert_eq!(
        kept(".config/goroam/goroam.toml.bak2"),
        "version = 1\n# two\n"
    );
    let report = user.goroam("init --force --json").exits(0).json();
    let backup = report["backup"].as_str().unwrap();
    assert!(backup.ends_with("goroam.toml.bak3"), "{report:#}");
    // What is not a file is not replaced, and nothing waits for it.
    std::fs::remove_file(user.policy()).unwrap();
    std::fs::create_dir(user.policy()).unwrap();
    user.goroam("init --force")
        .exits(1)
        .complains("cannot be written");
}

#[cfg(target_os = "linux")]
#[test]
fn a_policy_is_applied_at_once_if_that_is_asked_for() {
    let Some(go) = crate::go::go(crate::go::VERSIONS[2]) else {
        return;
    };
    let path = format!("{}:/usr/bin:/bin", go.parent().unwrap().display());
    let (user, company) = (User::new(), Company::new());
    let words = format!("--proxy {} --apply", company.url());
    init(&user, &company.ca(), &words)
        .env("PATH", &path)
        .exits(0)
        .says("none → office")
        .says("undo: goroam restore");
    let env = std::fs::read_to_string(user.path(".config/go/env")).unwrap();
    assert!(
        env.contains(&format!("GOPROXY={}\n", company.url())),
        "{env}"
    );
    // In JSON it is one document.
    let words = format!("--proxy {} --apply --force --json", company.url());
    let report = init(&user, &company.ca(), &words).env("PATH", &path);
    let report = report.exits(0).json();
    assert_eq!(report["applied"]["profile"], "office", "{report:#}");
    // The policy stays if go is missing, and the exit code says which of the two failed.
    let user = User::new();
    let run = init(&user, &company.ca(), "--apply").env("PATH", "/nowhere");
    let done = run.command().output().unwrap();
    if !std::path::Path::new("/usr/local/go/bin/go").exists() {
        assert_eq!(done.status.code(), Some(3));
    }
    assert!(user.policy().exists());
}

#[test]
fn the_checksum_database_is_asked_as_go_will_ask_it() {
    let signer = crate::signer::Signer::new(1);
    let gosumdb = signer.gosumdb();
    let tree = signer.tree(54);
    let company = Company::answering(move |seen| match seen.line.as_str() {
        "GET /sumdb/sum.test/supported" => company::server::ok("text/plain", ""),
        "GET /sumdb/sum.test/latest" => company::server::ok("text/plain", &tree),
        _ => company::server::good_proxy(seen),
    });
    let user = User::new();
    user.write(".config/go/env", format!("GOSUMDB={gosumdb}\n"));
    user.write("corp.pem", std::fs::read(company.ca()).unwrap());
    let words = format!("--proxy {} --ca corp.pem", company.url());
    init(&user, &company.other_ca(), &words)
        .exits(0)
        .says("✓ sum.test answers through the proxy: tree of 54 records");
    let text = written(&user);
    let target = format!(
        "[target.company-sum]\nsumdb = \"{gosumdb}\"\nvia = \"{}\"\nca = ",
        company.url()
    );
    assert!(text.contains(&target), "{text}");
    let probe = trusting(user.goroam("probe company-sum --json"), &company.other_ca());
    assert_eq!(probe.exits(0).json()["targets"][0]["verdict"], "up");
    let codes = user.goroam("check --json").exits(0).json();
    assert_eq!(codes["errors"], 0, "{codes:#}");

    // Neither the proxy nor the network leads to it.
    let (user, company) = (User::new(), Company::new());
    let words = format!("--proxy {} --json", company.url());
    let report = init(&user, &company.ca(), &words).exits(0).json();
    let remarks = report["remarks"].to_string();
    for told in [
        "the checksum database sum.golang.org does not answer (does not pass sum.golang.org on",
        "public modules that no go.sum lists fail here",
    ] {
        assert!(remarks.contains(told), "{remarks}");
    }
    assert!(!written(&user).contains("company-sum"));
    has_no_finding(&user);
}
