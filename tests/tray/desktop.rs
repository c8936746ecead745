//! A desktop for a tray: a real D-Bus daemon of its own, a host for tray icons and a
//! notification server that write down what they are told.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use zbus::Connection;
use zbus::zvariant::{OwnedValue, Value};

/// Longer than anything in here may take, for a machine that is busy with other things.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A session bus without service folders: the machine's desktop could start a host for tray
/// icons or a notification server of its own as soon as somebody calls its name.
const CONFIG: &str = r#"<!DOCTYPE busconfig PUBLIC
 "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>LISTEN</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

/// A session bus of its own; it ends with this.
pub(crate) struct Bus {
    daemon: Child,
    pub(crate) address: String,
}

impl Bus {
    /// `None`, with a line that says so, where there is no dbus-daemon.
    pub(crate) fn start(folder: &Path) -> Option<Bus> {
        let config = folder.join("bus.conf");
        let listen = format!("unix:path={}", folder.join("bus").display());
        std::fs::write(&config, CONFIG.replace("LISTEN", &listen)).unwrap();
        let daemon = Command::new("dbus-daemon")
            .args(["--nofork", "--nopidfile", "--print-address=1"])
            .arg(format!("--config-file={}", config.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut daemon = match daemon {
            Ok(daemon) => daemon,
            Err(error) => {
                println!("skipped: dbus-daemon cannot be run: {error}");
                return None;
            }
        };
        let mut address = String::new();
        let mut said = BufReader::new(daemon.stdout.take().unwrap());
        said.read_line(&mut address).unwrap();
        let address = address.trim().to_owned();
        assert!(address.starts_with("unix:"), "{address:?}");
        Some(Bus { daemon, address })
    }

    pub(crate) fn end(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// The next thing that was told, within the deadline.
pub(crate) async fn next<T>(from: &mut UnboundedReceiver<T>, what: &str) -> T {
    let next = tokio::time::timeout(DEADLINE, from.recv()).await;
    next.unwrap_or_else(|_| panic!("not in time: {what}"))
        .unwrap_or_else(|| panic!("ended: {what}"))
}

/// A host for tray icons; it goes away when it is dropped.
pub(crate) struct Host {
    bus: Connection,
    items: UnboundedReceiver<String>,
}

struct Watcher(UnboundedSender<String>);

#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    fn register_status_notifier_item(&self, service: String) {
        self.0.send(service).unwrap();
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }
}

impl Host {
    pub(crate) async fn start(bus: &Bus) -> Host {
        let (told, items) = unbounded_channel();
        let bus = zbus::connection::Builder::address(bus.address.as_str())
            .unwrap()
            .serve_at("/StatusNotifierWatcher", Watcher(told))
            .unwrap()
            .name("org.kde.StatusNotifierWatcher")
            .unwrap()
            .build()
            .await
            .unwrap();
        Host { bus, items }
    }

    /// The next item that comes.
    pub(crate) async fn item(&mut self) -> Item {
        let service = next(&mut self.items, "an item").await;
        Item {
            bus: self.bus.clone(),
            service,
        }
    }
}

/// Width, height, ARGB.
type Pixmap = (i32, i32, Vec<u8>);
/// Id, properties, lines.
type Layout = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

/// A tray icon, as a host sees it.
pub(crate) struct Item {
    bus: Connection,
    pub(crate) service: String,
}

/// A line of its menu.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) id: i32,
    pub(crate) label: String,
    pub(crate) enabled: bool,
    pub(crate) ticked: Option<bool>,
    pub(crate) lines: Vec<Line>,
}

impl Item {
    pub(crate) async fn property<T>(&self, name: &str) -> T
    where
        T: TryFrom<OwnedValue>,
        T::Error: std::fmt::Debug,
    {
        let value: OwnedValue = self
            .call(
                "/StatusNotifierItem",
                "org.freedesktop.DBus.Properties",
                "Get",
                &("org.kde.StatusNotifierItem", name),
            )
            .await
            .body()
            .deserialize()
            .unwrap();
        value.try_into().unwrap()
    }

    /// Title and text of the tooltip.
    pub(crate) async fn tooltip(&self) -> (String, String) {
        let tip: (String, Vec<Pixmap>, String, String) = self.property("ToolTip").await;
        (tip.2, tip.3)
    }

    /// The pixels, by size: what a host draws.
    pub(crate) async fn pixels(&self) -> HashMap<i32, Vec<u8>> {
        let icons: Vec<Pixmap> = self.property("IconPixmap").await;
        let by_size = icons.into_iter().map(|(width, height, data)| {
            assert_eq!(width, height);
            (width, data)
        });
        by_size.collect()
    }

    /// The whole menu.
    pub(crate) async fn menu(&self) -> Vec<Line> {
        let names: &[&str] = &[];
        let reply = self.menu_call("GetLayout", &(0_i32, -1_i32, names)).await;
        let body = reply.body();
        let (_, (id, properties, lines)): (u32, Layout) = body.deserialize().unwrap();
        let root = Value::from((id, properties, lines));
        line(&root).lines
    }

    /// As a host does it when somebody clicks on the line that these labels lead to.
    pub(crate) async fn click(&self, way: &[&str]) {
        self.menu_call("AboutToShow", &(0_i32,)).await;
        let mut lines = self.menu().await;
        let mut id = 0;
        for label in way {
            let names: Vec<String> = lines.iter().map(|line| line.label.clone()).collect();
            let found = lines.into_iter().find(|line| line.label == *label);
            let found = found.unwrap_or_else(|| panic!("no {label:?} in {names:?}"));
            assert!(found.enabled, "{label}");
            (id, lines) = (found.id, found.lines);
        }
        let nothing = Value::from(0_i32);
        self.menu_call("Event", &(id, "clicked", nothing, 0_u32))
            .await;
    }

    async fn menu_call<B>(&self, method: &str, body: &B) -> zbus::Message
    where
        B: serde::Serialize + zbus::zvariant::DynamicType,
    {
        self.call("/MenuBar", "com.canonical.dbusmenu", method, body)
            .await
    }

    async fn call<B>(&self, path: &str, interface: &str, method: &str, body: &B) -> zbus::Message
    where
        B: serde::Serialize + zbus::zvariant::DynamicType,
    {
        let to = Some(self.service.as_str());
        let call = self
            .bus
            .call_method(to, path, Some(interface), method, body);
        tokio::time::timeout(DEADLINE, call).await.unwrap().unwrap()
    }
}

fn line(value: &Value<'_>) -> Line {
    let value = if let Value::Value(inner) = value {
        inner
    } else {
        value
    };
    let Value::Structure(fields) = value else {
        panic!("{value:?}");
    };
    let [Value::I32(id), Value::Dict(properties), Value::Array(lines)] = fields.fields() else {
        panic!("{fields:?}");
    };
    let text = |name: &str| -> Option<String> { properties.get(&name).unwrap() };
    let state: Option<i32> = properties.get(&"toggle-state").unwrap();
    let enabled: Option<bool> = properties.get(&"enabled").unwrap();
    Line {
        id: *id,
        label: text("label").unwrap_or_default(),
        enabled: enabled.unwrap_or(true),
        ticked: text("toggle-type")
            .filter(|kind| !kind.is_empty())
            .map(|_| state == Some(1)),
        lines: lines.iter().map(line).collect(),
    }
}

/// What a notification says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) replaces: u32,
    pub(crate) id: u32,
    pub(crate) urgency: u8,
}

/// A notification server; it goes away when it is dropped.
pub(crate) struct Notifications {
    _bus: Connection,
    pub(crate) told: UnboundedReceiver<Told>,
}

struct Server(UnboundedSender<Told>, u32);

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Server {
    fn get_capabilities(&self) -> Vec<String> {
        vec!["body".to_owned(), "body-markup".to_owned()]
    }

    #[allow(clippy::too_many_arguments, reason = "the protocol has so many")]
    fn notify(
        &mut self,
        app_name: String,
        replaces: u32,
        _icon: String,
        title: String,
        text: String,
        _actions: Vec<String>,
        hints: HashMap<String, OwnedValue>,
        _expires: i32,
    ) -> u32 {
        assert_eq!(app_name, "goroam");
        assert!(hints.contains_key("image-data"), "{:?}", hints.keys());
        self.1 += 1;
        let told = Told {
            title,
            text,
            replaces,
            id: self.1,
            urgency: hints["urgency"].downcast_ref().unwrap(),
        };
        self.0.send(told).unwrap();
        self.1
    }
}

impl Notifications {
    pub(crate) async fn start(bus: &Bus) -> Notifications {
        let (tell, told) = unbounded_channel();
        let bus = zbus::connection::Builder::address(bus.address.as_str())
            .unwrap()
            .serve_at("/org/freedesktop/Notifications", Server(tell, 0))
            .unwrap()
            .name("org.freedesktop.Notifications")
            .unwrap()
            .build()
            .await
            .unwrap();
        Notifications { _bus: bus, told }
    }
}
