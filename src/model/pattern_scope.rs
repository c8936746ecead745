//! How much a pattern of GOPRIVATE and its like takes in: one owner's modules, or public code.
//!
//! Decided on what is left: after a pattern that is harmless every public module is still
//! verified. Harmless is a literal host with any path below it, an owner's literal path on a
//! public host for many owners, and `*.` before a domain that one owner has. Everything else
//! leaves open which hosts it takes in, and so takes in more than was looked at.

use super::mask::blot;
use super::pattern::Patterns;
use super::pattern_fault::{NOTHING, fault};
use super::public_code::{is_everybodys, is_forge, is_public};

/// The patterns of a list that take in code which is not one owner's alone, as they may be shown:
/// credentials are hidden before the list is split, since a password may hold a comma.
pub fn public_as_shown(list: &str) -> Vec<String> {
    let hidden = blot(list);
    let mut start = 0;
    let mut found = Vec::new();
    for part in list.split(',') {
        let glob = part.strip_suffix('/').unwrap_or(part);
        if takes_in_public_code(glob) {
            let shown = hidden.get(start..start + glob.len());
            found.extend(shown.map(str::to_owned));
        }
        start += part.len() + 1;
    }
    found
}

impl Patterns {
    /// The patterns that take in code which is not one owner's alone.
    pub fn public(&self) -> impl Iterator<Item = &str> {
        let globs = self.globs().iter().map(String::as_str);
        globs.filter(|glob| takes_in_public_code(glob))
    }

    /// Is there a module path that the list matches?
    pub fn can_match(&self) -> bool {
        let mut globs = self.globs().iter();
        globs.any(|glob| glob != NOTHING && fault(glob).is_none())
    }
}

/// Does a single pattern, without the one slash at its end that go takes off, take in modules of
/// more than one owner?
fn takes_in_public_code(glob: &str) -> bool {
    // What matches no module path takes nothing in.
    if glob.is_empty() || glob == NOTHING || fault(glob).is_some() {
        return false;
    }
    let mut elements = glob.split('/');
    let host = elements.next().unwrap_or_default();
    if is_literal(host) {
        let owner = elements.next().filter(|owner| is_literal(owner));
        return is_public(host) || (is_forge(host) && owner.is_none());
    }
    let Some(domain) = host.strip_prefix("*.") else {
        return true;
    };
    // `*` also matches dots, so all hosts at any depth below the domain are taken in.
    let labels_are_whole = domain.split('.').all(|label| !label.is_empty());
    !is_literal(domain) || !domain.contains('.') || !labels_are_whole || is_everybodys(domain)
}

fn is_literal(text: &str) -> bool {
    !text.is_empty() && !text.contains(['*', '?', '[', ']', '\\'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_has_no_password_also_with_a_comma_in_it() {
        for (list, want) in [
            ("*.com,github.com/", ["*.com", "github.com"].as_slice()),
            ("http://joe:a,*s3cr3t,b@host/x", ["*******"].as_slice()),
            ("git.corp.example/*,none", [].as_slice()),
        ] {
            assert_eq!(public_as_shown(list), want, "{list}");
        }
    }

    #[test]
    fn one_owners_hosts_are_harmless_and_all_else_takes_in_public_code() {
        for (list, public) in [
            // One's own host, with any path.
            ("git.corp.example", false),
            ("git.corp.example/", false),
            ("git.corp.example/team/*", false),
            ("git.corp.example/[a-z]*", false),
            ("10.0.0.1", false),
            ("*.corp.example", false),
            ("*.corp.example/team", false),
            ("*.corp.co.uk", false),
            ("*.acme.com", false),
            ("*.web.de", false),
            // One owner on a host of many.
            ("github.com/acme", false),
            ("github.com/acme/", false),
            ("github.com/acme/*", false),
            ("github.com/acme/[a-m]*/x", false),
            ("gitlab.com/group/sub", false),
            ("git.sr.ht/~me", false),
            ("me.github.io", false),
            ("*.me.github.io", false),
            ("acme.jfrog.io", false),
            ("*.corp.nsw.edu.au", false),
            ("corp.eu.org", false),
            ("*.corp.internal", false),
            // What matches nothing takes nothing in.
            ("", false),
            ("none", false),
            ("[*", false),
            (".com", false),
            ("com", false),
            ("GitHub.com", false),
            ("https://*", false),
            // Everything, or nearly.
            ("*", true),
            ("**", true),
            ("?*", true),
            ("*?", true),
            ("*.*", true),
            ("*/*", true),
            ("*/*/*", true),
            ("[a-z]*", true),
            ("[a-ln-z]*", true),
            ("[^x]*", true),
            ("g*", true),
            ("*b.com", true),
            ("*.com", true),
            ("*.org", true),
            ("*.co.uk", true),
            ("*.com.cn", true),
            ("*.or.jp", true),
            ("*.io/*", true),
            ("*.*.com", true),
            ("*.corp.*", true),
            ("*.corp.[a-z]*", true),
            ("git*.corp.example", true),
            ("[g]ithub.com", true),
            ("git\\hub.com", true),
            ("*.git\\hub.io", true),
            ("?ithub.com/acme", true),
            // Hosts of public code.
            ("github.com", true),
            ("github.com/", true),
            ("github.com/*", true),
            ("github.com/a*", true),
            ("github.com/[a-z]*", true),
            ("github.com/*/x", true),
            ("github.com/?cme", true),
            ("golang.org", true),
            ("golang.org/x", true),
            ("golang.org/x/crypto", true),
            ("google.golang.org", true),
            ("gopkg.in", true),
            ("gopkg.in/yaml.v3", true),
            ("k8s.io", true),
            ("k8s.io/api", true),
            ("sigs.k8s.io", true),
            ("go.googlesource.com", true),
            ("bitbucket.org", true),
            ("gitlab.com", true),
            ("codeberg.org", true),
            ("git.sr.ht", true),
            ("gitee.com", true),
            ("*.golang.org", true),
            ("*.k8s.io", true),
            ("*.uber.org", true),
            ("*.github.io", true),
            ("*.github.com", true),
            ("*.google.com", true),
            ("*.googlesource.com", true),
            ("*.s3.eu-west-1.amazonaws.com", true),
            ("*.sr.ht", true),
            ("github.io", true),
            ("eu.org/x", true),
            ("uk.com", true),
            ("*.k12.ca.us", true),
            ("*.0.0.1", true),
            ("firebase.google.com/go", true),
            ("dubbo.apache.org/dubbo-go/v3", true),
            ("cosmossdk.io/math", true),
            ("trpc.group/trpc-go/trpc-go", true),
            ("mosn.io/layotto", true),
            ("go.pinniped.dev", true),
            ("carvel.dev/ytt", true),
            ("cdr.dev/slog", true),
            ("gitlab.alpinelinux.org", true),
            ("gitlab.alpinelinux.org/me", false),
        ] {
            let found = Patterns::parse(list).public().next().is_some();
            assert_eq!(found, public, "{list}");
        }
    }

    #[test]
    fn one_pattern_of_a_list_is_enough_and_is_named() {
        let list = Patterns::parse("git.corp.example,*.com,none,*.org/");
        assert_eq!(list.public().collect::<Vec<_>>(), ["*.com", "*.org"]);
    }

    /// Modules that most dependency graphs reach, on hosts of every shape.
    const MODULES: [&str; 64] = [
        "bazil.org/fuse",
        "bitbucket.org/creachadair/shell",
        "buf.build/gen/go/bufbuild/protovalidate",
        "cel.dev/expr",
        "cloud.google.com/go/storage",
        "code.gitea.io/sdk/gitea",
        "codeberg.org/gruf/go-cache/v3",
        "connectrpc.com/connect",
        "contrib.go.opencensus.io/exporter/stackdriver",
        "cuelang.org/go",
        "dario.cat/mergo",
        "dmitri.shuralyov.com/gpu/mtl",
        "entgo.io/ent",
        "filippo.io/edwards25519",
        "fyne.io/fyne/v2",
        "gioui.org",
        "git.apache.org/thrift.git",
        "git.sr.ht/~sbinet/gg",
        "gitee.com/openeuler/go-gitee",
        "github.com/BurntSushi/toml",
        "github.com/google/uuid",
        "github.com/spf13/cobra",
        "github.com/stretchr/testify",
        "gitlab.com/gitlab-org/api/client-go",
        "go.elastic.co/apm/v2",
        "go.etcd.io/bbolt",
        "go.mau.fi/util",
        "go.mongodb.org/mongo-driver/v2",
        "go.opencensus.io",
        "go.opentelemetry.io/otel",
        "go.starlark.net",
        "go.step.sm/crypto",
        "go.temporal.io/sdk",
        "go.uber.org/zap",
        "go.yaml.in/yaml/v3",
        "go4.org",
        "gocloud.dev",
        "golang.org/x/crypto",
        "golang.org/x/text",
        "gonum.org/v1/gonum",
        "google.golang.org/grpc",
        "google.golang.org/protobuf",
        "gopkg.in/yaml.v3",
        "gorm.io/gorm",
        "gotest.tools/v3",
        "gvisor.dev/gvisor",
        "helm.sh/helm/v3",
        "honnef.co/go/tools",
        "howett.net/plist",
        "inet.af/netaddr",
        "istio.io/api",
        "k8s.io/api",
        "k8s.io/apimachinery",
        "knative.dev/pkg",
        "lukechampine.com/blake3",
        "modernc.org/sqlite",
        "mvdan.cc/gofumpt",
        "nhooyr.io/websocket",
        "pgregory.net/rapid",
        "rsc.io/quote",
        "sigs.k8s.io/yaml",
        "software.sslmate.com/src/go-pkcs12",
        "storj.io/drpc",
        "tailscale.com",
    ];

    fn globs() -> impl proptest::strategy::Strategy<Value = String> {
        use proptest::prelude::*;
        let piece = prop_oneof![
            proptest::sample::select(MODULES.to_vec()).prop_map(|module| {
                let host = module.split('/').next().unwrap_or_default();
                host.to_owned()
            }),
            proptest::sample::select(MODULES.to_vec()).prop_map(str::to_owned),
            "[a-z]{1,3}".prop_map(|text| text),
            Just("*".to_owned()),
            Just("*.".to_owned()),
            Just("?".to_owned()),
            Just(".".to_owned()),
            Just("/".to_owned()),
            Just("[a-z]".to_owned()),
            Just("[^x]*".to_owned()),
            Just("\\g".to_owned()),
            Just("com".to_owned()),
            Just(".io".to_owned()),
        ];
        proptest::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat())
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(4000))]

        /// After a list that is said to be harmless every public module is still verified, but
        /// for those of an owner whom it names.
        #[test]
        fn a_harmless_list_leaves_every_public_module_verified(
            list in proptest::collection::vec(globs(), 1..4)
        ) {
            let list = Patterns::parse(&list.join(","));
            if list.public().next().is_some() {
                return Ok(());
            }
            for module in MODULES {
                let owner: Vec<&str> = module.split('/').take(2).collect();
                let named = list.globs().iter().any(|glob| {
                    is_forge(owner[0]) && glob.starts_with(&owner.join("/"))
                });
                proptest::prop_assert!(named || !list.matches(module), "{:?} {}", list, module);
            }
        }
    }
}
