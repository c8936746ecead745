//! A policy with every sort of target, and what is found in it.

use goroam::policy::PolicyFinding;

pub(crate) use crate::policies::read;

pub(crate) const TARGETS: &str = r#"
version = 1
[target.corp]
goproxy = "https://goproxy.corp.example"
private = true
module = "git.corp.example/team/hello@v1.0.0"
[target.proxy]
goproxy = "https://proxy.golang.org"
[target.sum]
sumdb = "sum.golang.org"
[target.sum-via-cn]
sumdb = "sum.golang.org"
via = "https://goproxy.cn"
[target.plain]
goproxy = "http://10.20.0.2:3000"
[target.web]
https = "http://intranet.corp.example"
[target.gw]
icmp = "10.20.0.1"
[target.ssh]
tcp = "git.corp.example:22"
[target.athens]
listening = "127.0.0.1:3000"
[target.mirror]
mirror = "~/go-mirror"
"#;

/// A policy whose first profile has this condition and these variables.
pub(crate) fn policy(when: &str, env: &str) -> String {
    format!(
        "{TARGETS}[[profile]]\nname = \"first\"\nwhen = {when}\nenv = {{ {env} }}\n\
         [[profile]]\nname = \"last\"\n"
    )
}

/// All findings but those about the many targets that a test does not use.
pub(crate) fn findings(text: &str) -> Vec<PolicyFinding> {
    let mut findings = read(text).findings;
    findings.retain(|finding| finding.code != "unused-target");
    findings
}

pub(crate) fn codes(text: &str) -> Vec<&'static str> {
    findings(text).iter().map(|finding| finding.code).collect()
}

pub(crate) fn place(finding: &PolicyFinding, text: &str) -> String {
    text[finding.primary.as_ref().unwrap().span.clone()].to_owned()
}
