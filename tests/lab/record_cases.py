"""The cases of record-errors, and what `goroam exec` must take each one for.

The class was set from what is wrong, by the table that `goroam exec` is built to, before anybody looked what goroam says. `unless`: where
go itself stops earlier, or its words hide the cause, by those words (the first that fit)."""
from dataclasses import dataclass, field

ERRORS, TOML = "github.com/pkg/errors", "github.com/BurntSushi/toml"
NEED = f"require (\n\t{TOML} v1.2.0\n\t{ERRORS} v0.9.1\n)\n"
MAIN = f'package main\n\nimport (\n\t_ "{TOML}"\n\t_ "{ERRORS}"\n)\n\nfunc main() {{}}\n'
TEST = 'package main\n\nimport (\n\t"net"\n\t"testing"\n)\n\nfunc TestNet(t *testing.T) {\n\tif _, err := net.Dial("tcp", "127.0.0.1:1"); err != nil {\n\t\tt.Error(err)\n\t}\n}\n'
LOUD = ('package main\n\nimport (\n\t"fmt"\n\t"os"\n)\n\nfunc main() {\n\tfmt.Fprintln(os.Stderr, `Get "http://127.0.0.1:1/x/@v/list": dial tcp 127.0.0.1:1: connect: connection refused`)\n'
        '\tfmt.Fprintln(os.Stderr, "zip: not a valid zip file\\nSECURITY ERROR\\nverifying the download: checksum mismatch")\n\tos.Exit(3)\n}\n')
PROJECTS = {
    # The module of the older recordings: two requirements, a test, a generator.
    "w": {"go.mod": "module example.test/w\n\ngo 1.18\n\n" + NEED, "w.go": MAIN, "w_test.go": TEST.split("func")[0].replace('\t"net"\n', "") + "func TestNothing(t *testing.T) {}\n",
          "gen/g.go": f"package gen\n\n//go:generate go run {TOML}/cmd/toml-test-decoder\n", "Makefile": "all:\n\tgo build ./...\ntwo:\n\tgo vet ./...\n"},
    "nosum": {"go.mod": "module example.test/w\n\ngo 1.18\n\n" + NEED, "w.go": MAIN},
    "new": {"go.mod": "module example.test/w\n\ngo 1.18\n", "w.go": MAIN},
    "work": {"go.work": "go 1.18\n\nuse ./a\n\nuse ./b\n", "a/go.mod": "module example.test/a\n\ngo 1.18\n\n" + NEED, "a/a.go": MAIN, "b/go.mod": f"module example.test/b\n\ngo 1.18\n\nrequire {ERRORS} v0.9.1\n",
             "b/b.go": f'package b\n\nimport _ "{ERRORS}"\n'},
    "tool": {"go.mod": "module example.test/w\n\ngo 1.99.0\n", "w.go": "package main\n\nfunc main() {}\n"},
    "named": {"go.mod": "module example.test/w\n\ngo 1.21\n\ntoolchain go1.98.1\n", "w.go": "package main\n\nfunc main() {}\n"},
    "code": {"go.mod": "module example.test/i\n\ngo 1.18\n", "bad/x.go": "package bad\n\nfunc f() { return 1 }\n\nvar x int = \"connection refused\"\n", "t/t_test.go": TEST.replace("main", "t"), "run/main.go": LOUD,
             "pan/main.go": 'package main\n\nfunc main() { panic("SECURITY ERROR: x509: certificate") }\n', "vet/x.go": 'package vet\n\nimport "fmt"\n\nfunc f() { fmt.Printf("%d", "Get \\"http://h/m/@v/v1.info\\": EOF") }\n',
             "gen/g.go": "package gen\n\n//go:generate sh -c \"echo 'dial tcp: lookup proxy.golang.org: no such host' >&2; exit 7\"\n", "cyc/a/a.go": 'package a\n\nimport _ "example.test/i/cyc/b"\n', "cyc/b/b.go": 'package b\n\nimport _ "example.test/i/cyc/a"\n',
             "imp/i.go": 'package imp\n\nimport (\n\t_ "nosuchstd/pkg"\n\t_ "example.test/i/none"\n)\n', "embed/e.go": 'package embed\n\nimport _ "embed"\n\n//go:embed none.txt\nvar s string\n',
             "Makefile": "all:\n\tgo build ./bad\nnet:\n\tcurl -sS http://127.0.0.1:1/\nsh:\n\tsh -c 'go vet ./vet && go build ./...'\n", "tags/t.go": "//go:build never\n\npackage tags\n"},
    "broken": {"go.mod": "module example.test/w\n\ngo 1.18\n\nrequire github.com/pkg/errors\n\nnonsense\n", "w.go": MAIN},
    "replaced": {"go.mod": "module example.test/w\n\ngo 1.18\n\n" + NEED + f"\nreplace {ERRORS} => ../nowhere\n", "w.go": MAIN},
    "vendored": {"go.mod": "module example.test/w\n\ngo 1.18\n\n" + NEED, "w.go": MAIN, "vendor/modules.txt": "# github.com/pkg/errors v0.8.0\n## explicit\ngithub.com/pkg/errors\n"},
}
WITH_SUMS = ["w"]

FEW = ("go build ./...", "go mod download", f"go get {ERRORS}@latest")
MORE = FEW + ("go test ./...", "go vet ./...", "go list -deps ./...", "go list -m -u all", f"go list -m -versions {ERRORS}", "go mod tidy", "go mod vendor", f"go mod download -json {ERRORS}@v0.9.1",
              "go get -u ./...", f"go install {TOML}/cmd/tomlv@v1.2.0", f"go run {TOML}/cmd/tomlv@latest", "go generate ./gen", "go build -json ./...", "go test -json ./...", "make", "go mod graph", "bash -o pipefail -c 'go build -x ./... 2>&1 >/dev/null | cat >&2'")
DIRECT = (f"go get {ERRORS}@v0.9.1", f"go mod download -json {ERRORS}@v0.9.1", "go get github.com/x/y/z@latest", "go mod tidy", "go build ./...")
HOST = ("go get localhost.localdomain/x/y@latest", "go install localhost.localdomain/x/y@v1.0.0", "go list -m localhost.localdomain/x@latest")
TOOLCHAIN = ("go build ./...", "go version")
RESOLVER = "127.0.0.53"
BASE = "http://127.0.0.1:9100"


@dataclass
class Case:
    name: str
    wanted: str
    proxy: str
    commands: tuple = FEW
    project: str = "w"
    env: dict = field(default_factory=dict)
    unless: tuple = ()
    resolver: str = RESOLVER
    direct: str = "404"
    connect: str = "403"


CASES = []
# What go says of the code or the command line, whatever the network does.
OWN = (("but does not contain package", "code"), ("flag provided but not defined", "code"), ("updates to go.mod needed", "code"), ("missing go.sum entry", "code"), ("--- FAIL", "code"), ("invalid go version", "code"), ("unknown directive: toolchain", "code"), ("no required module provides package", "code"))
# A body that is not the one of go.sum: only a second look tells a login page from an attack. Where go.sum does not know it, and go reads it, it is what it is.
OTHER = (("checksum mismatch", "mismatch"), ("zip: not a valid zip file", "corrupt"), ("missing module line", "corrupt"))


def case(name, wanted, proxy, commands=FEW, unless=(), **more):
    if more.get("project") == "nosum":
        more["env"] = {"GOFLAGS": "-mod=mod -modcacherw", **more.get("env", {})}
    CASES.append(Case(name, wanted, proxy, commands, unless=tuple(unless) + OWN, **more))


def mode(name):
    return f"{BASE}/_m/{name}"


# A proxy's answers, for all files and for one kind of them.
for number, wanted in {"400": "client", "401": "auth", "402": "client", "403": "auth", "404": "not-found", "405": "client", "406": "client", "407": "auth", "408": "client", "409": "client", "410": "not-found",
                       "418": "client", "422": "client", "425": "client", "429": "busy", "431": "client", "451": "client", "500": "server", "501": "server", "502": "server", "503": "busy", "504": "server",
                       "505": "server", "507": "server", "508": "server", "511": "portal", "520": "server", "522": "server", "525": "server", "530": "server", "204": "corrupt", "206": "corrupt", "304": "corrupt"}.items():
    case(number, wanted, mode(number), MORE if number in ("403", "503") else FEW)
for kind in ("zip", "mod", "info-latest", "list"):
    for number, wanted in {"401": "auth", "403": "auth", "404": "not-found", "410": "not-found", "429": "busy", "451": "client", "500": "server", "503": "busy", "html404": "not-found", "html403": "auth", "reset": "reset", "close": "reset"}.items():
        case(f"{kind}+{number}", wanted, mode(f"{kind}+{number}"), FEW)
for number, wanted in {"html404": "not-found", "html403": "auth", "html503": "busy", "html500": "server", "html200": "portal", "429:7": "busy", "503:2": "busy"}.items():
    case(number, wanted, mode(number), unless=OTHER)
case("portal200", "portal", mode("portal200"), MORE, OTHER)
case("portal-nosum", "portal", mode("portal200"), project="nosum", unless=OTHER)
case("portal-page", "portal", mode("to:page"), unless=OTHER)
# The page that it leads to has a name that nobody knows, or a server that is not there.
case("portal302", "dns", mode("to:login"))
case("portal-refused", "refused", mode("to:refused"))
case("portal-tls", "tls", mode("to:tls"))
case("redirloop", "portal", mode("to:loop"))
case("redirnowhere", "corrupt", mode("to:nothing"), unless=(("302 Found", "portal"),))
case("tls-to-plain", "portal", "https://127.0.0.1:9443/_m/to:page")
for name in ("zip+html", "mod+html", "zip+junk", "mod+junk", "zip+empty", "info-latest+badjson", "info-latest+empty", "info-latest+words", "zip+words", "mod+words", "mod+empty", "info-latest+badver", "info-latest+noversion", "zip+short"):
    kind = name.split("+")[1]
    wanted = {"html": "corrupt", "empty": "corrupt"}.get(kind, "corrupt")
    case(name, wanted, mode(name), unless=(("checksum mismatch", "mismatch"), ("no matching versions", "not-found")))
    if kind not in ("badjson", "badver", "noversion"):
        case(name + "-nosum", wanted, mode(name), project="nosum", unless=(("checksum mismatch", "mismatch"),))
case("info+html", "portal", mode("info-latest+html"), unless=(("no matching versions", "not-found"),))
case("list+html", "portal", mode("list+html"), (f"go list -m -versions {ERRORS}", f"go get {ERRORS}@v0", "go list -m -u all"), unless=(("no matching versions", "not-found"),))
case("othername", "mismatch", mode("mod+othername"), unless=(("module declares its path as", "code"),))
case("othername-nosum", "mismatch", mode("mod+othername"), project="nosum", unless=(("module declares its path as", "code"),), env={"GOSUMDB": "off"})
for name in ("cut", "half", "gzipbad", "chunkbad", "chunkcut", "badlength", "twolengths", "badheader", "zip+cut", "zip+half", "zip+gzipped"):
    case(name, "corrupt", mode(name), MORE if name in ("cut", "half") else FEW, OTHER)
case("bodyreset", "reset", mode("bodyreset"))
case("reset", "reset", mode("reset"), MORE)
case("close", "reset", mode("close"))
case("otherzip", "mismatch", mode("zip+other"), MORE)
case("othermod", "mismatch", mode("mod+other"))
# Ports that do not speak HTTP, or not to us.
for name, wanted, proxy in (
        ("refuse", "refused", "http://127.0.0.1:1"), ("refuse6", "refused", "http://[::1]:1"), ("expired", "tls", "https://127.0.0.1:9444"), ("wronghost", "tls", "https://127.0.0.1:9445"), ("selfsigned", "tls", "https://127.0.0.1:9446"),
        ("unknownca", "tls", "https://127.0.0.1:9447"), ("notyet", "tls", "https://127.0.0.1:9448"), ("nosan", "tls", "https://127.0.0.1:9449"), ("nameless", "tls", "https://a.ok.test:9443"), ("alert-handshake", "tls", "https://127.0.0.1:9460"),
        ("alert-internal", "tls", "https://127.0.0.1:9461"), ("alert-name", "tls", "https://127.0.0.1:9462"), ("alert-ca", "tls", "https://127.0.0.1:9463"), ("alert-access", "tls", "https://127.0.0.1:9464"), ("alert-version", "tls", "https://127.0.0.1:9465"),
        ("mtls", "tls", "https://127.0.0.1:9475"), ("garbage", "corrupt", "http://127.0.0.1:9470"), ("tls-garbage", "tls", "https://127.0.0.1:9470"), ("tls-plain", "timeout", "https://127.0.0.1:9100"), ("tls-closed", "reset", "https://127.0.0.1:9471"),
        ("tls-reset", "reset", "https://127.0.0.1:9472"), ("goaway", "reset", "https://127.0.0.1:9473"), ("refused-stream", "reset", "https://127.0.0.1:9474"), ("unreach", "unreachable", "http://10.77.0.1"), ("prohibit", "unreachable", "https://10.78.0.1"),
        ("blackhole-route", "unreachable", "https://10.79.0.1"), ("netunreach", "unreachable", "http://10.90.0.1:8080"), ("netunreach6", "unreachable", "http://[fd00::7]:8080"), ("nxdomain", "dns", "https://a.nx.test"), ("servfail", "dns", "https://a.sf.test"),
        ("dns-refused", "dns", "https://a.ref.test"), ("dns-formerr", "dns", "https://a.fmt.test"), ("dns-empty", "dns", "https://a.empty.test"), ("dns-notimp", "dns", "https://a.ni.test")):
    case(name, wanted, proxy, MORE if name in ("refuse", "nxdomain", "selfsigned") else FEW, (("server gave HTTP response", "tls"),))
case("hostunreach", "unreachable", "http://10.81.0.9", ("go mod download",))
case("dns-silent", "dns", "https://a.silent.test", ("go build ./...", f"go get {ERRORS}@latest"))
case("dns-torn", "dns", "https://a.torn.test", ("go build ./...",))
case("dns-gone", "dns", "https://proxy.golang.org", resolver="10.77.0.53")
case("dns-closed", "dns", "https://proxy.golang.org", resolver="127.0.0.99")
# A peer that speaks TLS, asked in the clear, cuts the connection.
case("http-to-tls", "reset", "http://127.0.0.1:9443", unless=(("HTTP response", "corrupt"),))
case("tls-silent", "timeout", "https://127.0.0.1:9476", ("go mod download",))
# Chains. `|` goes on after everything, `,` after 404 and 410 only.
for name, wanted, proxy in (
        ("404,off", "not-found", f"{mode('404')},off"), ("404|off", "not-found", f"{mode('404')}|off"), ("403,off", "auth", f"{mode('403')},off"), ("403|off", "auth", f"{mode('403')}|off"), ("503|off", "busy", f"{mode('503')}|off"), ("refuse|off", "refused", "http://127.0.0.1:1|off"),
        ("refuse,off", "refused", "http://127.0.0.1:1,off"), ("nxdomain|off", "dns", "https://a.nx.test|off"), ("reset|403", "auth", f"{mode('reset')}|{mode('403')}"), ("403|reset", "reset", f"{mode('403')}|{mode('reset')}"), ("404,503", "busy", f"{mode('404')},{mode('503')}"),
        ("503,404", "busy", f"{mode('503')},{mode('404')}"), ("500|refuse", "refused", f"{mode('500')}|http://127.0.0.1:1"), ("portal200|off", "portal", f"{mode('portal200')}|off"), ("selfsigned|off", "tls", "https://127.0.0.1:9446|off"), ("none,off", "not-found", "file:///tmp/none,off"),
        ("none,404", "not-found", f"file:///tmp/none,{mode('404')}"), ("off", "config", "off"), ("none", "not-found", "file:///tmp/none"), ("plainfile", "config", "file://{lab}/mods.lock"), ("410,410,410", "not-found", f"{mode('410')},{mode('410')},{mode('410')}")):
    case(name, wanted, proxy, MORE if name in ("404,off", "off") else FEW, OTHER)
# Proxies in between.
for status, wanted in {"400": "client", "403": "auth", "404": "client", "407": "auth", "429": "busy", "500": "server", "502": "server", "503": "busy", "504": "server", "511": "portal", "close": "reset", "reset": "reset", "page": "portal"}.items():
    # Its 503 is no word of the module proxy's.
    case(f"connect-{status}", wanted if status != "503" else "server", "https://a.ok.test:9443", connect=status, env={"HTTPS_PROXY": "http://127.0.0.1:9480"})
    if status != "page":
        case(f"through-{status}", wanted if status != "404" else "not-found", "http://a.ok.test:9100", connect=status, env={"HTTP_PROXY": "http://127.0.0.1:9480"})
case("connect-refused", "refused", "https://a.ok.test:9443", env={"HTTPS_PROXY": "http://127.0.0.1:1"})
case("connect-nxdomain", "dns", "https://a.ok.test:9443", env={"HTTPS_PROXY": "http://proxy.nx.test:3128"})
case("connect-tls", "tls", "https://a.ok.test:9443", env={"HTTPS_PROXY": "https://127.0.0.1:9446"})
for code, wanted in {1: "server", 2: "auth", 3: "unreachable", 4: "unreachable", 5: "refused", 6: "unreachable", 7: "client", 8: "client"}.items():
    case(f"socks-{code}", wanted, "https://a.ok.test:9443", env={"HTTPS_PROXY": f"socks5://127.0.0.1:{9480 + code}"})
case("socks-auth", "auth", "https://a.ok.test:9443", env={"HTTPS_PROXY": "socks5://127.0.0.1:9489"})
case("socks-refused", "refused", "https://a.ok.test:9443", env={"HTTPS_PROXY": "socks5://127.0.0.1:1"})
# The checksum database, asked through the proxy, and by itself.
SUMS = ("go mod download", f"go get {ERRORS}@latest", "go build ./...", f"go mod download -json {ERRORS}@v0.9.1")
for kind in ("supported", "lookup", "tile"):
    for what, wanted in {"500": "server", "502": "server", "503": "busy", "403": "auth", "401": "auth", "429": "busy", "404": "not-found", "reset": "reset", "close": "reset", "html": "portal", "portal200": "portal", "empty": "corrupt", "cut": "corrupt", "half": "corrupt", "flip": "mismatch",
                         "to:loop": "portal", "to:refused": "refused", "html403": "auth", "html503": "busy"}.items():
        if kind == "supported" and what in ("flip", "half", "cut", "empty", "html", "portal200") or (kind, what) == ("supported", "404"):
            continue
        case(f"sumdb-{kind}+{what}", wanted, mode(f"{kind}+{what}"), SUMS, (("TileReader returned bad result slice", "corrupt"), ("malformed record data", "portal"), ("malformed note", "corrupt")), project="nosum")
# 404 there is how a proxy says that it is none for this database: go asks it directly, by its name.
case("sumdb-supported+404", "dns", mode("supported+404"), SUMS, project="nosum", env={"GOSUMDB": "{sumdb} https://sum.nx.test"})
case("sumdb-record", "mismatch", mode("lookup+record"), SUMS, project="nosum")
case("sumdb-otherzip", "mismatch", mode("zip+other"), SUMS, project="nosum")
case("sumdb-othermod", "mismatch", mode("mod+other"), SUMS, project="nosum")
case("sumdb-otherkey", "mismatch", BASE, SUMS, project="nosum", env={"GOSUMDB": "lab.sum.test+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"}, unless=(("invalid GOSUMDB", "config"), ("invalid verifier", "config")))
for name, wanted, at in (("refuse", "refused", "http://127.0.0.1:1"), ("nxdomain", "dns", "https://sum.nx.test"), ("selfsigned", "tls", "https://127.0.0.1:9446"), ("expired", "tls", "https://127.0.0.1:9444"), ("502", "server", mode("502")), ("503", "busy", mode("503")), ("404", "not-found", mode("404")),
                         ("portal", "portal", mode("portal200")), ("reset", "reset", mode("reset")), ("unreach", "unreachable", "https://10.77.0.1"), ("403", "auth", mode("403"))):
    case(f"sumdb-url-{name}", wanted, BASE, SUMS, (("malformed note", "corrupt"),), project="nosum", env={"GOSUMDB": "{sumdb} " + at})
for name, value in (("word", "foo"), ("OFF", "OFF"), ("many", "a b c"), ("key", "sum.test+00000000+AAAA"), ("scheme", "{sumdb} ftp://x")):
    case(f"sumdb-set-{name}", "config", BASE, SUMS, project="nosum", env={"GOSUMDB": value})
# Version control: the host fails, git says so.
for what, wanted in {"401": "auth", "403": "auth", "404": "not-found", "410": "not-found", "429": "busy", "500": "server", "502": "server", "503": "busy", "504": "server", "418": "client", "reset": "reset", "close": "reset", "portal200": "corrupt", "to:loop": "portal", "expired": "tls", "selfsigned": "tls", "wronghost": "tls"}.items():
    case(f"git-{what}", wanted, "direct", DIRECT, direct=what, resolver="127.0.0.53", unless=(("no secure protocol found", "unreachable"), ("terminal prompts disabled", "auth"), ("Couldn't connect to server", "refused")))
    case(f"404,direct-{what}", wanted, f"{mode('404')},direct", DIRECT[:1], direct=what, unless=(("terminal prompts disabled", "auth"),))
    case(f"meta-{what}", wanted, "direct", ("go get gopher.ok.test/x/y@latest", "go install gopher.ok.test/x/y@v1.0.0"), direct=what, project="new", env={"GOINSECURE": "gopher.ok.test", "GIT_ALLOW_PROTOCOL": "https"},
         unless=(("no go-import meta tags", "not-found"), ("404 Not Found", "not-found"), ("x509", "tls"), ("stopped after 10 redirects", "portal")))
SSH = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "url.ssh://git@{host}/.insteadOf", "GIT_CONFIG_VALUE_0": "https://github.com/"}
for name, wanted, host in (("refused", "refused", "127.0.0.1:1"), ("reset", "reset", "127.0.0.1:22"), ("nxdomain", "dns", "a.nx.test"), ("unreach", "unreachable", "10.77.0.1")):
    case(f"ssh-{name}", wanted, "direct", DIRECT[:2], env={k: v.replace("{host}", host) for k, v in SSH.items()}, resolver=RESOLVER)
for name, wanted, says in (("key", "auth", "git@github.com: Permission denied (publickey)."), ("hostkey", "tls", "Host key verification failed."), ("timeout", "timeout", "ssh: connect to host github.com port 22: Connection timed out"), ("closed", "reset", "kex_exchange_identification: Connection closed by remote host")):
    case(f"ssh-{name}", wanted, "direct", DIRECT[:1], env={**{k: v.replace("{host}", "github.com") for k, v in SSH.items()}, "GIT_SSH_COMMAND": f"sh -c 'echo \"{says}\" >&2; exit 255'"})
for name, host, wanted in (("nxdomain", "a.nx.test", "dns"), ("servfail", "a.sf.test", "dns"), ("refused", "127.0.0.1:1", "refused"), ("unreach", "10.77.0.1", "unreachable"), ("prohibit", "10.78.0.1", "unreachable")):
    env = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.https://{host}/.insteadOf", "GIT_CONFIG_VALUE_0": "https://github.com/"}
    case(f"git-{name}", wanted, "direct", DIRECT[:2], (("Couldn't connect to server", "refused"),), env=env)
case("nogit", "config", "direct", DIRECT[:2], env={"PATH": "{go}"})
case("nohost", "dns", "direct", ("go get no.nx.test/x/y.git@v1.0.0", "go get no.nx.test/x/y@latest", "go install no.nx.test/x/y@v1.0.0"), (("no secure protocol found", "unreachable"),), project="new")
case("404,nohost", "dns", f"{mode('404')},direct", ("go get no.nx.test/x/y.git@v1.0.0", "go get no.nx.test/x/y@latest"), (("no secure protocol found", "unreachable"),), project="new")
case("govcs", "config", "direct", DIRECT[:2], env={"GOVCS": "*:off"})
case("govcs-bad", "config", "direct", DIRECT[:2], env={"GOVCS": "nonsense"})
case("govcs-empty", "config", "direct", DIRECT[:2], env={"GOVCS": "a.test:git,,"})
# Toolchains, which come as modules. Of a 404 and of `off` go says no more than that there is none.
for what, wanted in {"403": "auth", "404": "not-found", "410": "not-found", "429": "busy", "500": "server", "503:2": "busy", "reset": "reset", "close": "reset", "portal200": "corrupt", "html503": "busy"}.items():
    case(f"toolchain-{what}", wanted, mode(what), TOOLCHAIN, project="tool", env={"GOTOOLCHAIN": "auto"})
    case(f"toolchain-set-{what}", wanted, mode(what), TOOLCHAIN, project="code", env={"GOTOOLCHAIN": "go1.99.0"})
for name, wanted, proxy in (("refuse", "refused", "http://127.0.0.1:1"), ("nxdomain", "dns", "https://a.nx.test"), ("tls", "tls", "https://127.0.0.1:9446"), ("off", "not-found", "off"), ("unreach", "unreachable", "http://10.77.0.1")):
    case(f"toolchain-{name}", wanted, proxy, TOOLCHAIN, project="tool", env={"GOTOOLCHAIN": "auto"})
    case(f"toolchain-named-{name}", wanted, proxy, TOOLCHAIN, project="named", env={"GOTOOLCHAIN": "auto"})
case("toolchain-local", "code", BASE, TOOLCHAIN, project="tool")
case("toolchain-path", "code", BASE, TOOLCHAIN, project="tool", env={"GOTOOLCHAIN": "path"})
case("toolchain-bad", "config", BASE, TOOLCHAIN, project="tool", env={"GOTOOLCHAIN": "garbage"})
# Settings that cannot work.
for name, proxy in (("word", "foo"), ("ftp", "ftp://h/x"), ("fileurl", "file://tmp/x"), ("zz", "https://%zz"), ("nohost", "http:/h/x"), ("port", "https://h:99999"), ("bracket", "http://[::1"), ("empty", ","), ("space", " "), ("userinfo", "http://joe:s3cret@127.0.0.1:9100")):
    case(f"proxy-{name}", "config", proxy, FEW, (("lookup h", "dns"), ("connection refused", "refused")))
case("goflags", "config", BASE, env={"GOFLAGS": "nonsense"})
case("goflags-quote", "config", BASE, env={"GOFLAGS": "'-x"})
case("goauth-nope", "auth", "https://127.0.0.1:9443/_m/401", env={"GOAUTH": "nope"}, unless=(("GOAUTH", "config"),))
case("goauth-git", "auth", "https://127.0.0.1:9443/_m/401", env={"GOAUTH": "git relative"}, unless=(("GOAUTH", "config"),))
case("goauth-empty", "auth", "https://127.0.0.1:9443/_m/401", env={"GOAUTH": "netrc;"}, unless=(("GOAUTH", "config"),))
case("netlimit", "config", BASE, env={"GODEBUG": "cmdgonetlimit=0"})
case("cgi", "config", "http://a.ok.test:9100", env={"REQUEST_METHOD": "GET", "HTTP_PROXY": "http://127.0.0.1:9480"})
case("cache-relative", "config", BASE, env={"GOMODCACHE": "x/y"})
case("cache-file", "config", BASE, env={"GOMODCACHE": "/dev/null"})
case("nohome", "config", BASE, ("go mod download",), env={"HOME": "", "GOPATH": "", "GOCACHE": ""})
# A package or a version that nobody has.
ABSENT = ("go get github.com/pkg/none", f"go get {ERRORS}@v9.9.9", f"go get {ERRORS}@branch", f"go get {ERRORS}/nopkg", f"go install github.com/pkg/none@latest", f"go list -m {ERRORS}@>v1", f"go get {ERRORS}@v0.9.1.2")
case("absent", "not-found", BASE, ABSENT, (("ambiguous semantic version", "code"), ("disallowed version", "code")))
case("absent,off", "not-found", f"{BASE},off", ABSENT, (("ambiguous semantic version", "code"), ("disallowed version", "code")))
for name, wanted, proxy in (("ok", "code", BASE), ("403", "auth", mode("403")), ("404", "not-found", mode("404")), ("503:2", "busy", mode("503:2")), ("refuse", "refused", "http://127.0.0.1:1"), ("nxdomain", "dns", "https://a.nx.test"), ("off", "config", "off"), ("reset", "reset", mode("reset")), ("cut", "corrupt", mode("cut")),
                            ("portal", "portal", mode("portal200")), ("selfsigned", "tls", "https://127.0.0.1:9446")):
    case(f"new-{name}", wanted, proxy, ("go build ./...", "go mod tidy", "go get ./...", "go build -mod=mod ./..."), OTHER, project="new")
    case(f"work-{name}", wanted, proxy, ("go build ./a ./b", "go work sync", "go test ./a/... ./b/...", "go work vendor"), OTHER + (("missing go.sum entry", "code"), ("unknown subcommand", "code"), ("unknown command", "code")), project="work")
# Code, tests, programs, tools and command lines that are wrong, some of which talk of networks.
CODE = ("go build ./bad", "go vet ./vet", "go test ./t", "go test ./t >&2", "go test -json ./t", "go test -json ./bad ./t >&2", "go run ./run", "go run ./pan", "go generate ./gen", "make", "make net", "make sh", "go build ./...", "go build ./cyc/a", "go build ./imp", "go build ./embed", "go build ./tags", "go build -nope",
        "go frobnicate", "go mod nope", "go test -run", "go build nosuch.go", "go run", "go run ./none", "go build -o /nonexistent/x ./run", "go list -m none", "go tool nope", "go get", "go build -mod=vendor ./run", "go vet -vettool=/none ./vet", "kill -TERM $$", "go build -mod=nope ./run", "go work use nope", "go doc nope.nope", "gofmt -l /none",
        "go build -json ./bad", "go test -timeout 1ms ./t", "go env -w GOPROXY=x GOPROXY", "go clean -nope", "go mod edit -nope", "go test -v ./t ./bad ./vet >&2", "go list ./none", "go list -e -f '{{.Nope}}' ./run", "go build -tags 'a b,c' ./bad")
case("code", "code", BASE, CODE, project="code")
case("code-offline", "code", "off", CODE, project="code")
case("broken", "code", BASE, FEW + ("go vet ./...",), project="broken")
case("replaced", "code", BASE, FEW, project="replaced")
case("vendored", "code", BASE, ("go build -mod=vendor ./...", "go vet -mod=vendor ./..."), project="vendored")
case("test-ok-net", "code", BASE, ("go test ./...", "go test -json ./...", "go test -v ./... >&2"), project="code")
