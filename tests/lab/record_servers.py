"""The servers of record-errors: a proxy, a checksum database, hosts of modules, an HTTP and a SOCKS proxy and a name server,
all of which fail as the URL, the port or the case says. Python's stdlib, one thread a connection; loopback only."""
import gzip, importlib.machinery, importlib.util, re, socket, ssl, struct, subprocess, sys, threading, urllib.parse
from pathlib import Path

NOW = {"direct": "404", "connect": "403"}  # what ports 443 and 80, and the HTTP proxy, do in the case that is running
PAGE = b"<!doctype html>\n<html><head><title>Welcome to Free WiFi</title></head><body><form>Accept terms</form></body></html>\n"
FILES = {"zip": r"\.zip$", "mod": r"\.mod$", "info": r"\.info$", "latest": r"/@latest$", "list": r"/@v/list$", "supported": r"/supported$",
         "lookup": r"/lookup/", "tile": r"/tile/", "sdb": r"^/sumdb/", "head": r"/latest$"}
PORTS = {9443: "public", 9444: "expired", 9445: "wronghost", 9446: "selfsigned", 9447: "corp", 9448: "notyet", 9449: "nosan"}
ALERTS = {9460: 40, 9461: 80, 9462: 112, 9463: 48, 9464: 49, 9465: 70}  # RFC 8446, 6.2
faultd = None


def start(lab):
    global faultd
    loader = importlib.machinery.SourceFileLoader("faultd", str(Path(__file__).with_name("faultd")))
    faultd = importlib.util.module_from_spec(importlib.util.spec_from_loader("faultd", loader))
    loader.exec_module(faultd)
    faultd.TREE = lab / "tree/public"
    certificates(lab)
    listen(9100, plain)
    for port, cert in PORTS.items():
        listen(port, tls(lab, cert, plain))
    listen(443, tls(lab, "public", plain, direct=True))
    listen(80, lambda c: plain(c, direct=True))
    for port, alert in ALERTS.items():
        listen(port, lambda c, alert=alert: (c.recv(4096), c.sendall(bytes([21, 3, 3, 0, 2, 2, alert]))))
    listen(9470, lambda c: (c.recv(4096), c.sendall(b"SSH-2.0-lab\r\nwho are you?\r\n")))
    listen(9471, lambda c: None)                       # closed at once
    listen(9472, reset)
    listen(9473, tls(lab, "public", goaway, protocol="h2"))
    listen(9474, tls(lab, "public", refused_stream, protocol="h2"))
    listen(9475, tls(lab, "public", plain, client=True))
    listen(9476, lambda c: (c.recv(4096), c.recv(4096)))  # TLS that is never answered
    listen(9480, connect)
    for code in range(1, 9):
        listen(9480 + code, lambda c, code=code: socks(c, code))
    listen(9489, lambda c: (c.recv(64), c.sendall(b"\5\xff")))
    listen(22, lambda c: (c.recv(64), reset(c)))
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind(("127.0.0.53", 53))
    threading.Thread(target=answer_names, args=(names,), daemon=True).start()


def certificates(lab):
    """What `ca` does not make: one that begins in 2039, one for no name in particular."""
    d = lab / "ca"
    for name, start, san in (("notyet", "20390101000000Z", "IP:127.0.0.1"), ("nosan", "20200101000000Z", None)):
        if (d / f"{name}.crt").exists():
            continue
        script = f"""set -e; w=$(mktemp -d); cd $w; : >index; printf 'extendedKeyUsage=serverAuth\\n{f"subjectAltName={san}" if san else ""}\\n' >ext
        openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=127.0.0.1 -keyout {name}.key -out csr
        printf '[ca]\\ndefault_ca=d\\n[d]\\ndatabase=index\\nnew_certs_dir=.\\nrand_serial=yes\\npolicy=p\\ndefault_md=sha256\\n[p]\\ncommonName=supplied\\n' >cnf
        openssl ca -batch -notext -config cnf -cert {d}/lab.pem -keyfile {d}/lab.key -extfile ext -startdate {start} -enddate 20400101000000Z -in csr -out {name}.crt
        mv {name}.key {name}.crt {d}/; rm -rf $w"""
        subprocess.run(["bash", "-c", script], check=True, capture_output=True)


def listen(port, serve):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("0.0.0.0", port))
    s.listen(128)

    def one(c):
        try:
            c.settimeout(60)
            serve(c)
        except (OSError, ValueError, IndexError):
            pass
        finally:
            c.close()

    def accept():
        while True:
            c, _ = s.accept()
            threading.Thread(target=one, args=(c,), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()


def tls(lab, cert, serve, direct=False, protocol=None, client=False):
    contexts = {}

    def context(name):
        if name not in contexts:
            made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            made.load_cert_chain(lab / "ca" / f"{name}.crt", lab / "ca" / f"{name}.key")
            if protocol:
                made.set_alpn_protocols([protocol])
            if client:
                made.verify_mode = ssl.CERT_REQUIRED
                made.load_verify_locations(lab / "ca/lab.pem")
            contexts[name] = made  # whole: another thread may take it at once
        return contexts[name]

    def wrapped(c):
        mode = NOW["direct"]
        if direct and mode == "reset":
            return reset(c)
        if direct and mode == "close":
            return None
        own = mode if direct and mode in PORTS.values() else cert
        with context(own).wrap_socket(c, server_side=True) as inner:
            return serve(inner, direct=True) if direct else serve(inner)
    return wrapped


def reset(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()


def goaway(c):
    """HTTP/2: settings, then GOAWAY before any answer (RFC 9113, 6.8)."""
    c.sendall(frame(4, 0, b""))
    c.recv(65536)
    c.sendall(frame(7, 0, struct.pack(">II", 0, 0xb)))
    c.recv(65536)


def refused_stream(c):
    """HTTP/2: each stream is ended with INTERNAL_ERROR."""
    c.sendall(frame(4, 0, b""))
    data = b""
    while more := c.recv(65536):
        data += more
        for number in (1, 3, 5, 7, 9):
            c.sendall(frame(3, number, struct.pack(">I", 2)))


def frame(kind, stream, body):
    return struct.pack(">I", len(body))[1:] + bytes([kind, 0]) + struct.pack(">I", stream) + body


def head(c):
    data = b""
    while b"\r\n\r\n" not in data:
        more = c.recv(65536)
        if not more:
            return ""
        data += more
    return data.decode("latin1")


def connect(c):
    """An HTTP proxy: what it says to CONNECT and to everything else."""
    if head(c):
        mode = NOW["connect"]
        if mode == "reset":
            return reset(c)
        if mode == "close":
            return None
        if mode == "page":
            return respond(c, 200, PAGE, "text/html") if NOW.get("plain") else c.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://login.portal.test/\r\nContent-Length: 0\r\n\r\n")
        respond(c, int(mode), b"lab\n", extra='Proxy-Authenticate: Basic realm="lab"\r\n' if mode == "407" else "")
    return None


def socks(c, code):
    c.recv(64), c.sendall(b"\5\0")
    c.recv(256), c.sendall(bytes([5, code, 0, 1, 0, 0, 0, 0, 0, 0]))


def respond(c, status, body, kind="text/plain; charset=utf-8", extra=""):
    reason = faultd.REASON.get(status, "Lab")
    size = "" if status == 204 else f"Content-Length: {len(body)}\r\n"
    c.sendall(f"HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\n{size}{extra}\r\n".encode() + (b"" if status == 204 else body))


def plain(c, direct=False):
    while text := head(c):
        path = urllib.parse.unquote(text.split()[1])
        found = re.match(r"/_m/([^/]+)(/.*)", path)
        mode, path = (found[1], found[2]) if found else (NOW["direct"], path) if direct else ("ok", path)
        for one in mode.split("&"):
            where, _, what = one.rpartition("+")
            if not where or any(re.search(FILES[name], path.split("?")[0]) for name in where.split("-")):
                mode = what
                break
        else:
            mode = "ok"
        if not answer(c, mode, path):
            return


def answer(c, mode, path):
    """Sends one answer; false: the connection is to be closed."""
    kind, _, arg = mode.partition(":")
    bare = path.split("?")[0]
    if mode in PORTS.values():
        kind = "404"
    if kind == "reset":
        return reset(c)
    if kind == "close":
        return False
    if re.fullmatch(r"\d{3}", kind):
        extra = f"Retry-After: {arg}\r\n" if arg else "WWW-Authenticate: Basic realm=\"lab\"\r\n" if kind == "401" else ""
        respond(c, int(kind), f"lab: {kind}\n".encode(), extra=extra)
    elif re.fullmatch(r"html\d{3}", kind):
        respond(c, int(kind[4:]), PAGE, "text/html")
    elif kind == "portal200":
        respond(c, 200, PAGE, "text/html")
    elif kind == "to":  # a redirect: to:login, to:plain, to:loop, to:refused, to:nodns
        where = {"login": "http://login.portal.test/", "page": "http://127.0.0.1:9100/_m/portal200/x", "loop": f"/_m/to:loop{bare}x", "refused": "http://127.0.0.1:1/",
                 "nodns": "http://login.nx.test/", "tls": "https://127.0.0.1:9446/login", "nothing": ""}[arg]
        respond(c, 302, b"", extra=f"Location: {where}\r\n" if where else "")
    elif kind == "import":  # a host's meta tag: import:VCS=URL
        vcs, _, url = arg.partition("=")
        prefix = bare.strip("/")
        host = "github.com"
        respond(c, 200, f'<html><head><meta name="go-import" content="{host}/{prefix} {vcs} {url.replace("|", "/")}"></head></html>'.encode(), "text/html")
    else:
        return content(c, kind, bare)
    return True


def content(c, kind, path):
    status, body, ctype = faultd.content(path)
    n = len(body)
    lines = {"gzipbad": "Content-Encoding: gzip\r\n", "chunkbad": "Transfer-Encoding: chunked\r\n", "chunkcut": "Transfer-Encoding: chunked\r\n",
             "badlength": "Content-Length: many\r\n", "twolengths": f"Content-Length: {n}\r\nContent-Length: {n + 1}\r\n", "badheader": "no header at all\r\n"}
    if kind in lines and status == 200:
        body = {"gzipbad": b"\x1f\x8b\x08\0garbage", "chunkbad": b"zz\r\n", "chunkcut": b"ffff\r\n" + body[:99]}.get(kind, body)
        c.sendall(f"HTTP/1.1 200 OK\r\n{lines[kind]}\r\n".encode() + body)
        return False
    if kind in ("cut", "bodyreset") and status == 200:
        c.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {n}\r\n\r\n".encode() + body[:n // 2])
        return reset(c) if kind == "bodyreset" else False
    if status == 200:
        body = {"empty": b"", "half": body[:n // 2], "junk": b"\0\1\2" + body[:50], "html": PAGE, "badjson": b'{"Version": "v1.', "words": b"Please log in first.\n",
                "badver": b'{"Version": "v9.9.9"}', "noversion": b'{}', "notes": body.replace(b"go.sum database tree", b"go.sum database three"),
                "flip": bytes(b ^ 1 for b in body), "short": body[:7], "versions": b"no version\n", "gzipped": gzip.compress(body)}.get(kind, body)
        if kind == "other" and path.endswith(".zip"):
            body = other_zip(body, path)
        if kind == "other" and path.endswith(".mod"):
            body += b"\n// another one\n"
        if kind == "othername" and path.endswith(".mod"):
            body = re.sub(rb"module .*", b"module example.com/other", body)
        if kind == "record":  # the lines of another module
            body = re.sub(rb"h1:\w\w", b"h1:AA", body)
    respond(c, status, body, ctype)
    return True


def other_zip(body, path):
    import io, zipfile
    out = io.BytesIO(body)
    with zipfile.ZipFile(out, "a") as z:
        z.writestr(z.namelist()[0].split("@")[0] + "@" + path.split("/")[-1][:-4] + "/evil.go", "package evil\n")
    return out.getvalue()


def answer_names(s):
    """RFC 1035. The name says what becomes of it: a.nx.test, a.sf.test, a.ref.test, a.silent.test, a.empty.test."""
    while True:
        asked, who = s.recvfrom(4096)
        name, at = [], 12
        while asked[at]:
            name.append(asked[at + 1:at + 1 + asked[at]].decode().lower())
            at += 1 + asked[at]
        question = asked[12:at + 5]
        kind = name[-2] if len(name) > 1 and name[-1] == "test" else "ok"
        if kind == "silent":
            continue
        if kind == "torn":
            s.sendto(asked[:14], who)
            continue
        code = {"nx": 3, "sf": 2, "ref": 5, "fmt": 1, "ni": 4, "portal": 3}.get(kind, 0)
        is_a = struct.unpack(">H", asked[at + 1:at + 3])[0] == 1
        has = code == 0 and is_a and kind != "empty"
        s.sendto(asked[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, int(has), 0, 0) + question
                 + (b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes([127, 0, 0, 1]) if has else b""), who)
