//! Through an HTTP or SOCKS proxy to a server behind it, as net/http gets there.

use std::io;
use std::net::IpAddr;

use hyper::header::HeaderValue;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::head::{Head, LIBRARY, MAX_HEAD};
use super::wire::Wire;

/// Why the way is not open.
#[derive(Debug)]
pub(super) enum Closed {
    Io(io::Error),
    /// The proxy has answered with this status.
    Status(u16),
    /// What it has said is of no proxy.
    Strange,
    /// It does not let in who does not know its password.
    Credentials,
    /// SOCKS5 has its own words for it (RFC 1928, 6).
    Socks(&'static str),
}

impl From<io::Error> for Closed {
    fn from(error: io::Error) -> Closed {
        Closed::Io(error)
    }
}

/// `CONNECT host:port`. What follows the answer's head is dropped, as Go drops it: a TLS server
/// does not speak first.
pub(super) async fn connect(
    wire: &mut Wire,
    to: &str,
    authorization: Option<&HeaderValue>,
) -> Result<(), Closed> {
    let mut request =
        format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\nUser-Agent: {LIBRARY}/1.1\r\n")
            .into_bytes();
    if let Some(authorization) = authorization {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(authorization.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    wire.write_all(&request).await?;
    wire.flush().await?;
    let mut head = Vec::new();
    let mut part = [0; 2048];
    loop {
        let count = wire.read(&mut part).await?;
        if count == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let searched = head.len();
        head.extend_from_slice(part.get(..count).unwrap_or_default());
        if !Head::may_begin(&head) {
            return Err(Closed::Strange);
        }
        if let Some(end) = Head::end(&head, searched) {
            head.truncate(end);
            break;
        }
        if head.len() > MAX_HEAD {
            return Err(Closed::Strange);
        }
    }
    match Head::read(&head).map_err(|_| Closed::Strange)?.status {
        200 => Ok(()),
        407 => Err(Closed::Credentials),
        status => Err(Closed::Status(status)),
    }
}

/// SOCKS5 (RFC 1928, 1929). The proxy gets the name and looks it up itself.
pub(super) async fn socks5(
    wire: &mut Wire,
    (host, port): (&str, u16),
    login: Option<(&[u8], &[u8])>,
) -> Result<(), Closed> {
    wire.write_all(match login {
        Some(_) => &[5, 2, 0, 2],
        None => &[5, 1, 0],
    })
    .await?;
    wire.flush().await?;
    let mut chosen = [0; 2];
    wire.read_exact(&mut chosen).await?;
    match (chosen, login) {
        ([5, 0], _) => {}
        ([5, 2], Some((user, password))) => {
            let length = |text: &[u8]| u8::try_from(text.len()).map_err(|_| Closed::Credentials);
            let (user_length, password_length) = (length(user)?, length(password)?);
            let login = [&[1, user_length], user, &[password_length], password].concat();
            wire.write_all(&login).await?;
            wire.flush().await?;
            let mut said = [0; 2];
            wire.read_exact(&mut said).await?;
            if said[1] != 0 {
                return Err(Closed::Credentials);
            }
        }
        ([5, _], _) => return Err(Closed::Credentials),
        _ => return Err(Closed::Strange),
    }
    let mut request = vec![5, 1, 0];
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => {
            request.push(1);
            request.extend_from_slice(&ip.octets());
        }
        Ok(IpAddr::V6(ip)) => {
            request.push(4);
            request.extend_from_slice(&ip.octets());
        }
        Err(_) => {
            let length = u8::try_from(host.len());
            request.extend_from_slice(&[3, length.map_err(|_| Closed::Socks("name too long"))?]);
            request.extend_from_slice(host.as_bytes());
        }
    }
    request.extend_from_slice(&port.to_be_bytes());
    wire.write_all(&request).await?;
    wire.flush().await?;
    let mut said = [0; 4];
    wire.read_exact(&mut said).await?;
    let [5, reply, _, kind] = said else {
        return Err(Closed::Strange);
    };
    if reply != 0 {
        return Err(Closed::Socks(match reply {
            1 => "general SOCKS server failure",
            2 => "connection not allowed by ruleset",
            3 => "network unreachable",
            4 => "host unreachable",
            5 => "connection refused",
            6 => "TTL expired",
            7 => "command not supported",
            8 => "address type not supported",
            _ => "unknown code",
        }));
    }
    let length = match kind {
        1 => 4,
        4 => 16,
        3 => usize::from(wire.read_u8().await?),
        _ => return Err(Closed::Strange),
    };
    let mut bound = vec![0; length + 2];
    wire.read_exact(&mut bound).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answered(bytes: &[u8]) -> Result<(), Closed> {
        let (near, mut far) = tokio::io::duplex(1 << 20);
        far.write_all(bytes).await.unwrap();
        far.shutdown().await.unwrap();
        let mut wire: Wire = Box::new(near);
        connect(&mut wire, "h.test:443", None).await
    }

    #[tokio::test]
    async fn the_proxys_status_is_understood_and_nothing_else_is() {
        let ok = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n";
        assert!(answered(ok).await.is_ok());
        assert!(answered(b"HTTP/1.0 200\n\n").await.is_ok());
        let busy = answered(b"HTTP/1.1 503 No\r\n\r\n").await;
        assert!(matches!(busy, Err(Closed::Status(503))));
        let locked = answered(b"HTTP/1.1 407 No\r\n\r\n").await;
        assert!(matches!(locked, Err(Closed::Credentials)));
        let endless = "X: y\r\n".repeat(20_000);
        for strange in [
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1\r\n\r\n",
            endless.as_str(),
        ] {
            let closed = answered(strange.as_bytes()).await;
            assert!(matches!(closed, Err(Closed::Strange)));
        }
        let cut = answered(b"HTTP/1.1 200 OK\r\n").await;
        assert!(matches!(cut, Err(Closed::Io(_))));
    }
}
