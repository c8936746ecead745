//! A login page in the place of the network: each verb says where to log in, and who looks again.

use crate::cli::User;
use crate::company::Company;
use crate::company::server::redirect;
use crate::go;

#[test]
fn every_verb_names_the_page_of_a_portal_as_the_harmless_text_that_it_is() {
    let Some(go) = go::go(go::VERSIONS[2]) else {
        return;
    };
    let path = format!("{}:/usr/bin:/bin", go.parent().unwrap().display());
    // With what commands a terminal or a shell, and with a secret.
    let page = "http://joe:s3cret@login.test:8080/in`id`;\u{202e}?mac=1&token=s3cret";
    let company = Company::answering(move |_| redirect("302 Found", page));
    let user = User::new();
    let policy = format!(
        "version = 1\n[target.proxy]\ngoproxy = \"{}\"\nca = \"{}\"\n\
         [[profile]]\nname = \"public\"\nwhen = {{ up = \"proxy\" }}\n\
         env = {{ GOPROXY = \"https://a.test\" }}\n\
         [[profile]]\nname = \"offline\"\nenv = {{ GOPROXY = \"off\" }}\n",
        company.url(),
        company.ca(),
    );
    user.write(".config/goroam/goroam.toml", policy);
    let told = "open http://login.test:8080/in%60id%60;%E2%80%AE in a browser and log in; then run `goroam once`";
    for words in ["once", "status", "why", "probe"] {
        let done = user.goroam(words).env("PATH", &path).exits(0);
        let text = done.stdout().replace("\n  ", " ");
        assert!(text.contains(&format!("! {told}\n")), "{words}: {text}");
        assert!(!done.all().contains("s3cret"), "{words}: {text}");
    }
    let why = user.goroam("why --json").exits(0).json();
    assert_eq!(why["way_out"], told);
    let status = user.goroam("status --json").exits(0).json();
    assert_eq!(
        status["targets"][0]["portal_url"],
        "http://login.test:8080/in%60id%60;%E2%80%AE"
    );
    assert_eq!(status["why"], "this network wants a login first");
    let short = user.goroam("status --short").exits(0).stdout();
    assert_eq!(short.trim(), "offline!");
}
