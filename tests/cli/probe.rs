//! `goroam probe` of proxies that the policy does not have.

use crate::cli::User;

#[test]
fn a_url_is_probed_and_its_password_is_not_shown() {
    let user = User::new();
    for words in [
        "probe https://joe:s3cret@127.0.0.1:1",
        "probe https://joe:s3cret@127.0.0.1:1 --json",
    ] {
        let text = user.goroam(words).exits(0).stdout();
        assert!(text.contains("https://joe:***@127.0.0.1:1"), "{text}");
        assert!(text.contains("down"), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
    let tree = user.path("tree");
    user.write("tree/example.test/m/@v/v1.0.0.zip", "PK\x03\x04");
    let url = format!("probe file://{}", tree.display());
    let text = user.goroam(&url).exits(0).stdout();
    assert!(text.contains("\nup "), "{text}");
}

#[test]
fn what_is_no_proxy_is_refused_with_the_reason() {
    let user = User::new();
    for (words, why) in [
        ("probe ftp://x.example", "must be https, http, file"),
        ("probe https://", "no host"),
        (
            "probe http://joe:s3cret@x.example",
            "refusing to pass credentials",
        ),
        (
            "probe https://a.example,https://b.example",
            "one URL, not a list",
        ),
        ("probe file://host/x", "file://"),
        ("probe direct", "direct is not used: it is not a proxy"),
        ("probe goproxy.cn", "https://goproxy.cn"),
        ("probe aliyum", "did you mean \"aliyun\"?"),
        ("probe sum --speed", "sum is not used: it is sumdb"),
    ] {
        let said = user.goroam(words).exits(2).complains(why).stderr();
        assert!(!said.contains("s3cret"), "{said}");
    }
}
