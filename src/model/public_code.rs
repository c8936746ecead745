//! Hosts of public Go code: where a pattern that exempts modules from verification would exempt
//! modules that everyone builds from.
//!
//! The public suffix list (`public_suffix`) defines which domains have many owners. The lists here
//! hold what it does not. They can never be complete, so they only judge names that are written
//! out; a pattern that leaves its host open is judged without them.
//!
//! A pattern of GOPRIVATE and similar variables is judged by what stays verified: with a harmless
//! pattern every public module is still verified. Three forms are harmless: a literal host with any
//! path below it, an owner's literal path on a public host for many owners, and `*.` before a
//! domain that one owner has. Every other form leaves open which hosts it matches, and so may match
//! hosts that were not checked.

use super::mask::blot;
use super::pattern::{NOTHING, Patterns, matches_nothing};
use super::public_suffix::public_suffix;

/// Hosts where the first element of a path is an owner: `github.com/acme` is the code of one owner,
/// `github.com` that of all.
const FORGES: &str = "\
    0xacab.org atomgit.com bitbucket.org cnb.cool code.forgejo.org code.onedev.io code.qt.io \
    code.swecha.org code.videolan.org codeberg.org dev.azure.com e.coding.net \
    forge.apps.education.fr foss.heptapod.net framagit.org gist.github.com git.blender.org \
    git.code.sf.net git.coop git.disroot.org git.drupalcode.org git.eclipse.org git.frostfs.info \
    git.fsfe.org git.gay git.launchpad.net git.lysator.liu.se git.mills.io git.osgeo.org \
    git.rwth-aachen.de git.savannah.gnu.org git.savannah.nongnu.org git.sr.ht git.tuxfamily.org \
    git.wikimedia.org gitcode.com gitcode.net gitea.com gitee.com gitflic.ru gitgud.io github.com \
    gitlab.alpinelinux.org gitlab.archlinux.org gitlab.cern.ch gitlab.com gitlab.eclipse.org \
    gitlab.freedesktop.org gitlab.gnome.org gitlab.gwdg.de gitlab.haskell.org gitlab.inria.fr \
    gitlab.kitware.com gitlab.nic.cz gitlab.ow2.org gitlab.torproject.org gitlab.wikimedia.org \
    gitlab.xfce.org gitlink.org.cn gitverse.ru heptapod.net hg.code.sf.net hg.sr.ht huggingface.co \
    invent.kde.org jihulab.com lab.nexedi.com launchpad.net notabug.org opendev.org pagure.io \
    repo.or.cz rocketgit.com salsa.debian.org source.puri.sm sr.ht ssh.dev.azure.com tangled.org \
    tangled.sh";

/// Domains all of whose hosts serve public modules: every path below them is public. Collected by
/// hand from the import paths of widely used modules; add missing ones here.
const PUBLIC: &str = "\
    4d63.com 9fans.net agones.dev agwa.name antrea.io apache.org appscode.dev arcalot.io ariga.io \
    arp242.net atomicgo.dev bazil.org berty.tech blitiri.com.ar bosun.org bou.ke buf.build \
    bytebuilders.dev bytecodealliance.org c2sp.org camlistore.org capnproto.org carvel.dev cdr.dev \
    cel.dev chainguard.dev charm.land charm.sh chiselapp.com cloudeng.io cncf.io \
    code.cloudfoundry.org code.crute.us code.dny.dev code.gitea.io code.pfad.fr \
    code.rocketnine.space code.superseriousbusiness.org cogentcore.org collectd.org connectrpc.com \
    conreality.org containerssh.io cosmossdk.io crawshaw.dev crawshaw.io cuelabs.dev cuelang.org \
    cyphar.com cypherpunks.ru cypherpunks.su dagger.io dario.cat deedles.dev deps.dev \
    dmitri.shuralyov.com eliasnaur.com emperror.dev encore.dev entgo.io ergo.services etcd.io \
    fabrika.bid filippo.io flamingo.me fluxcd.io followtheprocess.codes fortio.org fybrik.io \
    fyne.io gazette.dev gioui.org git.openstack.org gno.land go-micro.dev go-simpler.org \
    go.abhg.dev go.amzn.com go.bug.st go.chromium.org go.coder.com go.dedis.ch go.dev \
    go.einride.tech go.elastic.co go.jetify.com go.jolheiser.com go.keploy.io go.lsp.dev go.mau.fi \
    go.minekube.com go.mongodb.org go.mozilla.org go.nanomsg.org go.pact.im go.pennock.tech \
    go.senan.xyz go.sia.tech go.skia.org go.temporal.io go.thethings.network go.viam.com go.yaml.in \
    go4.org goa.design gobot.io gocloud.dev gocv.io godoc.org goftp.io goji.io golang.design \
    golang.fyi golang.org golang.zabbix.com golift.io gomodules.xyz goms.io gonum.org google.com \
    googlesource.com gophers.dev gopkg.in gopl.io gorgonia.org gorm.io gotest.tools gotest.xyz \
    gvisor.dev h12.io helm.sh honnef.co howett.net hub.jazz.net inet.af infratographer.com istio.io \
    j4k.co jaytaylor.com jetpack.io k14s.io k6.io k8s.io kcl-lang.io kernel.org kmodules.xyz \
    knative.dev kpt.dev kubedb.dev kubeform.dev kubeops.dev kubesphere.io kubestash.dev \
    kubevault.dev kubevirt.io kythe.io labix.org layeh.com lesiw.io libdb.so libvirt.org \
    linka.cloud loov.dev lukechampine.com maragu.dev marwan.io mat.tm maunium.net maze.io \
    mellium.im miniflux.app mleku.dev modernc.org mosn.io moul.io msrl.dev mvdan.cc \
    namespacelabs.dev nhat.io nhooyr.io nikand.dev ntppool.org nullprogram.com olympos.io \
    open-cluster-management.io open-match.dev opencensus.io openpitrix.io openpolicyagent.org \
    opentelemetry.io oras.land orus.io pack.ag pault.ag periph.io perkeep.org pgregory.net \
    pinniped.dev pipelined.dev pkg.deepin.io pkg.re pluginrpc.com podman.io polydawn.net \
    projectcalico.org rafaelmartins.com resenje.org robpike.io roob.re rsc.io schneider.vip \
    sevki.org shanhu.io sigstore.dev sigsum.org software.sslmate.com sourcegraph.com spiffe.io \
    src.elv.sh src.techknowlogick.com starlark.net stathat.com step.sm storj.io suah.dev \
    syncthing.net tailscale.com tawesoft.co.uk tekton.dev tideland.dev tinygo.org tlog.app tmz.dev \
    torproject.org tractor.dev transparency.dev trimmer.io trpc.group uber.org universe.tf \
    unknwon.dev upper.io upspin.io v.io v2ray.com vbom.ml vitess.io volcano.sh voyagermesh.dev \
    wasmcloud.dev weavelab.xyz willnorris.com within.website xi2.org xiaq.me xorm.io xrstf.de \
    yunion.io zappem.net zgo.at zntr.io zombiezen.com zotregistry.dev zotregistry.io zx2c4.com";

/// Hosters whose customers have a name below this one, and which the public suffix list does not
/// hold.
const HOSTERS: &str = "\
    artifactoryonline.com azurecr.io cloud.sap cloudsmith.io fury.io gcr.io gemfury.com gitea.io \
    gitee.io github.dev gitpod.io glitch.me hetzner.cloud jfrog.io lhr.life loca.lt localhost.run \
    neocities.org packagecloud.io pagekite.me pkg.dev railway.app render.com sf.net sourceforge.io \
    sourceforge.net";

/// Hosters whose customers' names begin at no fixed depth (`x.s3.eu-west-1.amazonaws.com`).
const CLOUDS: &str = "\
    aliyuncs.com amazonaws.com amazonaws.com.cn amazoncognito.com appdomain.cloud azure.cn \
    azure.com backblazeb2.com bcebos.com chinacloudapi.cn cloudapp.net ctyun.cn fastly.net \
    googleapis.com googleusercontent.com ibmcloud.com jcloudcs.com ksyuncs.com linode.com \
    localtest.me lvh.me myhuaweicloud.com myqcloud.com ncloudstorage.com nip.io on.aws \
    oraclecloud.com ovh.net qiniucs.com sagemaker.aws scw.cloud sslip.io tencentcloudapi.com \
    tencentcs.com traefik.me usgovcloudapi.net volces.com vultr.com wasabisys.com windows.net \
    xip.io";

/// Reports whether the first element of a path on this host names its owner.
pub fn is_forge(host: &str) -> bool {
    FORGES.split(' ').any(|forge| forge == host)
}

/// Reports whether all code on this host is public, or belongs to more than one owner. Never true
/// of a forge.
pub fn is_public(host: &str) -> bool {
    !is_forge(host) && (lies_in_one_of(host, PUBLIC) || is_suffix(host))
}

/// Reports whether the hosts below this domain have more than one owner: it is a public suffix, a
/// hoster, or a domain of public code.
pub fn is_everybodys(domain: &str) -> bool {
    let mut listed = [FORGES, PUBLIC, HOSTERS, CLOUDS]
        .into_iter()
        .flat_map(|list| list.split(' '));
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    listed.any(|host| lies_in(host, domain))
        || lies_in_one_of(domain, PUBLIC)
        || lies_in_one_of(domain, CLOUDS)
        || is_suffix(domain)
        // The public suffix list has rules such as `*.kawasaki.jp`.
        || is_suffix(&format!("x.{domain}"))
        // The remaining part of an IP address.
        || domain.rsplit('.').next().is_some_and(is_number)
}

/// Reports whether the host is one of many that a hoster or a forge gives to its customers.
pub fn is_shared(domain: &str) -> bool {
    let lists = [FORGES, PUBLIC, HOSTERS, CLOUDS];
    lists.iter().any(|list| lies_in_one_of(domain, list))
        || public_suffix(domain).is_some_and(|suffix| suffix.is_private)
}

/// Reports whether the domain itself is a public suffix, of a registry or of a hoster.
fn is_suffix(domain: &str) -> bool {
    public_suffix(domain).is_some_and(|suffix| suffix.length == domain.len())
}

fn lies_in_one_of(host: &str, list: &str) -> bool {
    list.split(' ').any(|domain| lies_in(host, domain))
}

fn lies_in(host: &str, domain: &str) -> bool {
    let before = host.strip_suffix(domain);
    before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// Returns the patterns of a list that match code of more than one owner, in a form that may be
/// shown: credentials are hidden before the list is split, because a password may hold a comma.
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
    /// Returns the patterns that match code of more than one owner.
    pub fn public(&self) -> impl Iterator<Item = &str> {
        let globs = self.globs().iter().map(String::as_str);
        globs.filter(|glob| takes_in_public_code(glob))
    }
}

/// Reports whether a single pattern matches modules of more than one owner. The pattern is taken
/// without the one slash at its end, which go removes.
fn takes_in_public_code(glob: &str) -> bool {
    // A pattern that matches no module path exempts nothing.
    if glob.is_empty() || glob == NOTHING || matches_nothing(glob) {
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
    // `*` also matches dots, so the pattern matches all hosts at any depth below the domain.
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
    fn public_code_is_known_by_its_host_and_its_domain() {
        for (host, forge, public) in [
            ("github.com", true, false),
            ("git.sr.ht", true, false),
            ("golang.org", false, true),
            ("google.golang.org", false, true),
            ("sigs.k8s.io", false, true),
            ("go.googlesource.com", false, true),
            ("git.corp.example", false, false),
            ("mygolang.org", false, false),
            ("git.github.com", false, false),
        ] {
            assert_eq!((is_forge(host), is_public(host)), (forge, public), "{host}");
        }
    }

    #[test]
    fn a_domain_of_many_owners_is_not_one_owners() {
        for (domain, many) in [
            ("com", true),
            ("co.uk", true),
            ("com.au", true),
            ("or.jp", true),
            ("go.jp", true),
            ("github.io", true),
            ("github.com", true),
            ("k8s.io", true),
            ("google.com", true),
            ("sr.ht", true),
            ("s3.eu-west-1.amazonaws.com", true),
            ("x.golang.org", true),
            ("corp.example", false),
            ("corp.co.uk", false),
            ("me.github.io", false),
            ("acme.jfrog.io", false),
            ("web.de", false),
            ("go.dev", true),
            ("eu.org", true),
            ("nsw.edu.au", true),
            ("tokyo.jp", true),
            ("kawasaki.jp", true),
            ("foo.kawasaki.jp", true),
            ("city.kawasaki.jp", false),
            ("k12.ca.us", true),
            ("uk.com", true),
            ("in.net", true),
            ("ngrok.io", true),
            ("xn--55qx5d.cn", true),
            ("xn--p1ai", true),
            ("s3.us-gov-west-1.amazonaws.com", true),
            ("internal", true),
            ("corp.internal", false),
            ("0.0.1", true),
            ("corp.tokyo.jp", false),
            ("corp.eu.org", false),
            ("me.ngrok.io", false),
            ("bmw.de", false),
        ] {
            assert_eq!(is_everybodys(domain), many, "{domain}");
        }
    }

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
            // A host of one's own, with any path.
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
            // A pattern that matches nothing exempts nothing.
            ("", false),
            ("none", false),
            ("[*", false),
            (".com", false),
            ("com", false),
            ("GitHub.com", false),
            ("https://*", false),
            // All or nearly all modules.
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

        /// With a list that is reported as harmless every public module is still verified, except
        /// those of an owner that the list names.
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
