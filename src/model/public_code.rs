//! Hosts of public Go code: where a pattern that exempts modules from verification would exempt
//! what everybody builds from. A list can never be complete, so it only judges names that are
//! written out; a pattern that leaves its host open is judged without it.

/// Hosts where the first element of a path is an owner: `github.com/acme` is one owner's code,
/// `github.com` everybody's.
const FORGES: [&str; 38] = [
    "atomgit.com",
    "bitbucket.org",
    "cnb.cool",
    "code.videolan.org",
    "codeberg.org",
    "dev.azure.com",
    "framagit.org",
    "gist.github.com",
    "git.code.sf.net",
    "git.launchpad.net",
    "git.savannah.gnu.org",
    "git.savannah.nongnu.org",
    "git.sr.ht",
    "git.tuxfamily.org",
    "gitcode.com",
    "gitcode.net",
    "gitea.com",
    "gitee.com",
    "github.com",
    "gitlab.com",
    "gitlab.eclipse.org",
    "gitlab.freedesktop.org",
    "gitlab.gnome.org",
    "gitlab.inria.fr",
    "gitlab.torproject.org",
    "hg.code.sf.net",
    "hg.sr.ht",
    "invent.kde.org",
    "jihulab.com",
    "launchpad.net",
    "notabug.org",
    "opendev.org",
    "pagure.io",
    "salsa.debian.org",
    "ssh.dev.azure.com",
    "sr.ht",
    "tangled.org",
    "tangled.sh",
];

/// Hosts of public modules, and domains all of whose hosts are: every path below them is public.
const PUBLIC: [&str; 144] = [
    "9fans.net",
    "ariga.io",
    "arp242.net",
    "atomicgo.dev",
    "bazil.org",
    "berty.tech",
    "blitiri.com.ar",
    "bou.ke",
    "buf.build",
    "c2sp.org",
    "camlistore.org",
    "capnproto.org",
    "cel.dev",
    "charm.land",
    "chiselapp.com",
    "cloud.google.com",
    "code.cloudfoundry.org",
    "code.gitea.io",
    "code.google.com",
    "code.rocketnine.space",
    "cogentcore.org",
    "collectd.org",
    "connectrpc.com",
    "crawshaw.dev",
    "crawshaw.io",
    "cuelabs.dev",
    "cuelang.org",
    "cyphar.com",
    "dagger.io",
    "dario.cat",
    "deps.dev",
    "dmitri.shuralyov.com",
    "eliasnaur.com",
    "emperror.dev",
    "entgo.io",
    "etcd.io",
    "filippo.io",
    "fortio.org",
    "fyne.io",
    "gioui.org",
    "git.apache.org",
    "git.kernel.org",
    "git.openstack.org",
    "git.torproject.org",
    "go-micro.dev",
    "go-simpler.org",
    "go.abhg.dev",
    "go.bug.st",
    "go.chromium.org",
    "go.dedis.ch",
    "go.dev",
    "go.elastic.co",
    "go.einride.tech",
    "go.k6.io",
    "go.jolheiser.com",
    "go.lsp.dev",
    "go.mau.fi",
    "go.mongodb.org",
    "go.mozilla.org",
    "go.nanomsg.org",
    "go.opencensus.io",
    "go.opentelemetry.io",
    "go.pennock.tech",
    "go.senan.xyz",
    "go.skia.org",
    "go.starlark.net",
    "go.step.sm",
    "go.temporal.io",
    "go.uber.org",
    "go.viam.com",
    "go.yaml.in",
    "go4.org",
    "goa.design",
    "gobot.io",
    "gocloud.dev",
    "godoc.org",
    "goji.io",
    "golang.org",
    "golift.io",
    "gomodules.xyz",
    "gonum.org",
    "googlesource.com",
    "gopkg.in",
    "gorgonia.org",
    "gorm.io",
    "gotest.tools",
    "gotest.xyz",
    "gvisor.dev",
    "helm.sh",
    "honnef.co",
    "howett.net",
    "hub.jazz.net",
    "inet.af",
    "istio.io",
    "jaytaylor.com",
    "k8s.io",
    "kcl-lang.io",
    "kernel.org",
    "knative.dev",
    "kubevirt.io",
    "kythe.io",
    "labix.org",
    "layeh.com",
    "libvirt.org",
    "lukechampine.com",
    "maragu.dev",
    "maunium.net",
    "mellium.im",
    "modernc.org",
    "moul.io",
    "mvdan.cc",
    "nhooyr.io",
    "olympos.io",
    "open-match.dev",
    "oras.land",
    "pault.ag",
    "periph.io",
    "perkeep.org",
    "pgregory.net",
    "pkg.go.dev",
    "pluginrpc.com",
    "resenje.org",
    "robpike.io",
    "rsc.io",
    "sigs.k8s.io",
    "software.sslmate.com",
    "sourcegraph.com",
    "src.elv.sh",
    "storj.io",
    "tailscale.com",
    "tekton.dev",
    "tideland.dev",
    "tinygo.org",
    "torproject.org",
    "upper.io",
    "upspin.io",
    "v.io",
    "vitess.io",
    "volcano.sh",
    "xorm.io",
    "zgo.at",
    "zombiezen.com",
    "zotregistry.dev",
    "zx2c4.com",
];

/// Domains in which many have a host of their own: `*.github.io` would take in other people's
/// modules.
const SHARED: [&str; 79] = [
    "aliyuncs.com",
    "amazonaws.com",
    "appspot.com",
    "azure.com",
    "azureedge.net",
    "azurefd.net",
    "azurewebsites.net",
    "bcebos.com",
    "bitbucket.io",
    "blogspot.com",
    "cloudapp.net",
    "cloudflare.net",
    "cloudfront.net",
    "cloudfunctions.net",
    "cloudsmith.io",
    "codeberg.page",
    "ddns.net",
    "deno.dev",
    "digitaloceanspaces.com",
    "duckdns.org",
    "dyndns.org",
    "dynu.net",
    "fastly.net",
    "firebaseapp.com",
    "fly.dev",
    "freeddns.org",
    "fury.io",
    "gitbook.io",
    "gitea.io",
    "gitee.io",
    "github.dev",
    "github.io",
    "githubusercontent.com",
    "gitlab.io",
    "gitpod.io",
    "glitch.me",
    "google.com",
    "googleapis.com",
    "googleusercontent.com",
    "herokuapp.com",
    "hopto.org",
    "jfrog.io",
    "linode.com",
    "myqcloud.com",
    "neocities.org",
    "netlify.app",
    "ngrok-free.app",
    "ngrok.app",
    "ngrok.io",
    "nip.io",
    "no-ip.org",
    "ondigitalocean.app",
    "onrender.com",
    "oraclecloud.com",
    "ovh.net",
    "pages.dev",
    "pkg.dev",
    "railway.app",
    "readthedocs.io",
    "replit.app",
    "replit.dev",
    "run.app",
    "scw.cloud",
    "sf.net",
    "sourceforge.io",
    "sourceforge.net",
    "srht.site",
    "sslip.io",
    "surge.sh",
    "tencentcloudapi.com",
    "trycloudflare.com",
    "uber.org",
    "vercel.app",
    "web.app",
    "windows.net",
    "workers.dev",
    "xip.io",
    "zapto.org",
    "zeabur.app",
];

/// Second labels below which names of two-letter countries are handed out: `co.uk`, `com.au`.
const SECOND: [&str; 14] = [
    "ac", "co", "com", "edu", "gob", "gouv", "gov", "govt", "mil", "ne", "net", "nom", "or", "org",
];

/// More of those, of one country each (publicsuffix.org, the ones for companies and people).
const SECOND_OF_ONE: [(&str, &[&str]); 18] = [
    ("au", &["asn", "id"]),
    (
        "br",
        &[
            "adv", "app", "art", "blog", "dev", "eco", "emp", "eng", "ind", "inf", "log", "srv",
            "tec", "tur", "tv", "wiki",
        ],
    ),
    (
        "cn",
        &[
            "ah", "bj", "cq", "fj", "gd", "gs", "gx", "gz", "ha", "hb", "he", "hi", "hk", "hl",
            "hn", "jl", "js", "jx", "ln", "mo", "nm", "nx", "qh", "sc", "sd", "sh", "sn", "sx",
            "tj", "tw", "xj", "xz", "yn", "zj",
        ],
    ),
    ("es", &["nom"]),
    ("hu", &["info", "priv"]),
    ("id", &["biz", "desa", "go", "my", "ponpes", "sch", "web"]),
    ("il", &["idf", "k12", "muni"]),
    ("in", &["firm", "gen", "ind", "nic", "res"]),
    ("jp", &["ad", "ed", "go", "gr", "lg"]),
    ("kr", &["go", "hs", "kg", "ms", "pe", "re", "sc"]),
    (
        "nz",
        &[
            "cri", "geek", "gen", "health", "iwi", "kiwi", "maori", "school",
        ],
    ),
    (
        "pl",
        &["biz", "info", "sklep", "shop", "waw", "warszawa", "art"],
    ),
    ("ru", &["msk", "pp", "spb"]),
    ("th", &["go", "in", "mi"]),
    ("tr", &["bel", "bbs", "gen", "info", "k12", "pol", "web"]),
    ("tw", &["club", "ebiz", "game", "idv"]),
    ("uk", &["ltd", "me", "nhs", "plc", "police", "sch"]),
    ("za", &["alt", "law", "school", "web"]),
];

/// Does a path's first element on this host name its owner?
pub fn is_forge(host: &str) -> bool {
    FORGES.contains(&host)
}

/// Is all code on this host public? Never true of a forge.
pub fn is_public(host: &str) -> bool {
    !is_forge(host) && PUBLIC.iter().any(|public| lies_in(host, public))
}

/// Would every host below this domain be more than one owner's: a public suffix, a hoster, or
/// the domain of public code?
pub fn is_everybodys(domain: &str) -> bool {
    let mut hosts = FORGES.iter().chain(&PUBLIC);
    hosts.any(|host| lies_in(host, domain))
        || PUBLIC.iter().any(|public| lies_in(domain, public))
        || SHARED.contains(&domain)
        || CLOUDS.iter().any(|cloud| lies_in(domain, cloud))
        || is_suffix(domain)
}

/// Is the host one of many that a hoster or a forge lets?
pub fn is_shared(domain: &str) -> bool {
    SHARED.iter().any(|shared| lies_in(domain, shared))
        || FORGES.iter().any(|forge| lies_in(domain, forge))
        || PUBLIC.iter().any(|public| lies_in(domain, public))
}

/// Hosters whose customers' names begin at no fixed depth (`x.s3.eu-west-1.amazonaws.com`).
const CLOUDS: [&str; 8] = [
    "aliyuncs.com",
    "amazonaws.com",
    "azure.com",
    "cloudapp.net",
    "googleapis.com",
    "googleusercontent.com",
    "oraclecloud.com",
    "windows.net",
];

fn lies_in(host: &str, domain: &str) -> bool {
    let before = host.strip_suffix(domain);
    before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// A public suffix of two labels; of one, every name is.
fn is_suffix(domain: &str) -> bool {
    let Some((second, top)) = domain.split_once('.') else {
        return true;
    };
    if top.len() != 2 || top.contains('.') {
        return false;
    }
    let own = SECOND_OF_ONE.iter().find(|(country, _)| *country == top);
    SECOND.contains(&second) || own.is_some_and(|(_, seconds)| seconds.contains(&second))
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
            ("bmw.de", false),
        ] {
            assert_eq!(is_everybodys(domain), many, "{domain}");
        }
    }
}
