//! The address of a company's proxy, as a user types it.

use url::Url;

use crate::model::mask::has_credentials;
use crate::model::{Chain, HopKind, Host};

/// Longer than any address that a person types.
const LONGEST: usize = 1000;

/// Public proxies. As a company's own they would be trusted with private names.
const PUBLIC: [&str; 13] = [
    "athens.azurefd.net",
    "goproxy.bj.bcebos.com",
    "mirrors.tencent.com",
    "proxy.golang.com.cn",
    "proxy.golang.org",
    "sum.golang.org",
    "goproxy.cn",
    "goproxy.io",
    "goproxy.baidu.com",
    "mirrors.aliyun.com",
    "mirrors.cloud.tencent.com",
    "repo.huaweicloud.com",
    "gocenter.io",
];

/// An address that can be probed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// The URL without credentials and without a slash at the end.
    pub(super) url: String,
    pub(super) host: String,
}

impl Address {
    /// Parses an answer; `Ok(None)`: no proxy exists.
    ///
    /// # Errors
    /// The fault of the answer, and what to write instead.
    pub(super) fn read(text: &str) -> Result<Option<Address>, String> {
        let text = text.trim();
        if matches!(
            text.to_ascii_lowercase().as_str(),
            "" | "-" | "no" | "none" | "direct" | "off"
        ) {
            return Ok(None);
        }
        if text.chars().count() > LONGEST {
            return Err(format!("that is longer than {LONGEST} characters"));
        }
        if text.contains(char::is_whitespace) || text.contains(char::is_control) {
            return Err("an address holds no spaces".to_owned());
        }
        if has_credentials(text) || before_path(text).contains('@') {
            return Err(
                "no credentials in the address, please: they would be seen in `go env`. \
                        They belong into ~/.netrc (machine HOST login NAME password WORD), which \
                        go and goroam read"
                    .to_owned(),
            );
        }
        if text.contains([',', '|']) {
            return Err("one address, please; what comes after it is the policy's".to_owned());
        }
        if text.contains(['?', '#', '"', '\\', '$']) {
            return Err("an address of a proxy ends with its path".to_owned());
        }
        let chain = Chain::parse(text).map_err(|error| error.message)?;
        let Some(HopKind::Proxy(url)) = chain.hops.into_iter().next().map(|hop| hop.kind) else {
            return Err("an address begins with https:// (or http://)".to_owned());
        };
        let parsed = Url::parse(&url).map_err(|error| format!("{url}: {error}"))?;
        let host = parsed.host_str().unwrap_or_default().to_owned();
        if host.is_empty() {
            return Err("there is no host in it".to_owned());
        }
        let name = Host::of(&parsed).map(|host| host.to_string());
        if name.is_some_and(|name| PUBLIC.contains(&name.as_str())) {
            return Err(format!(
                "{host} is a public proxy, which goroam's own policy covers. Answer `none` if \
                 your company has no proxy of its own"
            ));
        }
        Ok(Some(Address {
            // As typed, except for the scheme's case and a host without a path.
            url: parsed.as_str().trim_end_matches('/').to_owned(),
            host,
        }))
    }

    /// Parses the same without the credentials that it contains; `None`: this is not an address.
    pub(super) fn without_credentials(text: &str) -> Option<Address> {
        let mut url = Url::parse(text).ok()?;
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
        Address::read(url.as_str()).ok()?
    }
}

fn before_path(text: &str) -> &str {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Address;

    fn url(text: &str) -> Option<String> {
        Address::read(text).unwrap().map(|address| address.url)
    }

    #[test]
    fn what_people_type_is_understood() {
        for text in [
            "https://goproxy.corp.example",
            "  https://goproxy.corp.example/ \r",
            "goproxy.corp.example",
            "HTTPS://GoProxy.corp.example//",
        ] {
            assert_eq!(url(text).as_deref(), Some("https://goproxy.corp.example"));
        }
        assert_eq!(
            url("http://10.0.0.1:8081/repository/go/").as_deref(),
            Some("http://10.0.0.1:8081/repository/go")
        );
        for text in ["", " ", "-", "none", "No", "direct"] {
            assert_eq!(url(text), None);
        }
    }

    #[test]
    fn what_cannot_be_asked_is_refused_in_words() {
        let long = "x".repeat(5000);
        for (text, why) in [
            ("https://joe:s3cret@corp.example", "~/.netrc"),
            ("https://t0ken@corp.example/x", "~/.netrc"),
            ("joe:s3cret@corp.example", "~/.netrc"),
            ("https://a.example,direct", "one address"),
            ("https://a b", "no spaces"),
            ("https://a\x1b[2J", "no spaces"),
            ("https://a.example/?x=1", "ends with its path"),
            ("ftp://a.example", "https"),
            ("file:///srv/mirror", "https://"),
            ("https://", "host"),
            ("nonsense", "scheme"),
            ("https://proxy.golang.org", "public proxy"),
            ("https://Proxy.Golang.Org./", "public proxy"),
            ("https://proxy.golang.com.cn", "public proxy"),
            (&long, "1000"),
        ] {
            let error = Address::read(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
            assert!(
                !error.contains("s3cret") && !error.contains("t0ken"),
                "{error}"
            );
        }
    }

    #[test]
    fn credentials_of_others_are_taken_out() {
        let address = Address::without_credentials("https://joe:s3cret@corp.example:8443/go/");
        assert_eq!(address.unwrap().url, "https://corp.example:8443/go");
        assert_eq!(Address::without_credentials("https://goproxy.cn"), None);
    }
}
