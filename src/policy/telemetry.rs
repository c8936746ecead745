//! `[telemetry]` and `[metrics]`: who may watch goroam's health.

use std::fmt;
use std::path::PathBuf;

use url::Url;

/// `[telemetry]`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct TelemetrySettings {
    /// The base URL of an OpenTelemetry collector; `None`: nothing is sent.
    pub otlp: Option<Url>,
    /// What each request to it has: name and value, which may be a secret.
    pub headers: Vec<(String, String)>,
    /// Whether the names of hosts may be sent.
    pub hosts: bool,
}

/// The values of headers are secrets: only the names are shown.
impl fmt::Debug for TelemetrySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.headers.iter().map(|(name, _)| name);
        f.debug_struct("TelemetrySettings")
            .field("otlp", &self.otlp.as_ref().map(Url::host_str))
            .field("headers", &names.collect::<Vec<_>>())
            .field("hosts", &self.hosts)
            .finish()
    }
}

/// `[metrics]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MetricsSettings {
    /// The file that gets the metrics in Prometheus' text format after each turn.
    pub textfile: Option<PathBuf>,
}
