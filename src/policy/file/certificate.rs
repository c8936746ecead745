//! Files of certificates that a policy names: whether they are there is for others to see.

use std::ops::Range;
use std::path::PathBuf;

use crate::policy::finding::Finding;

/// A file of certificates that the policy names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The file.
    pub path: PathBuf,
    /// Where the policy names it: byte offsets.
    pub span: Range<usize>,
}

impl Certificate {
    /// The finding that says why it is of no use here.
    pub fn unusable(&self, why: &str) -> Finding {
        let message = format!("{} {why}", self.path.display());
        Finding::warning("unusable-ca", message, self.span.clone())
            .label("without it the target cannot be up")
            .help("a relative path starts at the policy's folder; put the PEM file there")
    }

    /// The finding that says that go on this machine does not know it.
    pub fn unknown_to_go(&self) -> Finding {
        let message = format!(
            "{} is not among the roots that go trusts on this machine",
            self.path.display()
        );
        Finding::note("ca-unknown-to-go", message, self.span.clone())
            .label("this counts for goroam's probes only")
            .help(
                "go fails with x509 where this CA alone vouches for the server: add it to the \
                 system's trust store (on Debian: update-ca-certificates), or set SSL_CERT_FILE \
                 where go runs",
            )
    }
}
