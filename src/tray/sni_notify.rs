//! Notifications on a Linux desktop (org.freedesktop.Notifications).

use std::collections::HashMap;

use zbus::Connection;
use zbus::zvariant::{StructureBuilder, Value};

use super::face::{Icon, News};
use super::icon::rgba;
use super::sni_item::without_markup;

const SERVER: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
/// The picture beside the text, in pixels.
const PICTURE: u8 = 48;

/// Tells the user. `replaces`: what it takes the place of if that is still on the screen, 0 for
/// nothing; the number of what is shown now.
///
/// # Errors
/// When there is no notification server, or it refuses.
pub(super) async fn notify(bus: &Connection, news: &News, replaces: u32) -> zbus::Result<u32> {
    let ask = |method| bus.call_method(Some(SERVER), PATH, Some(SERVER), method, &());
    let capabilities: Vec<String> = ask("GetCapabilities").await?.body().deserialize()?;
    let text = if capabilities.iter().any(|can| can == "body-markup") {
        without_markup(&news.text)
    } else {
        news.text.clone()
    };
    let no_actions: &[&str] = &[];
    // As long as the server thinks right.
    let expires = -1_i32;
    let body = (
        "goroam",
        replaces,
        "",
        news.title.as_str(),
        text.as_str(),
        no_actions,
        hints(news)?,
        expires,
    );
    let reply = bus
        .call_method(Some(SERVER), PATH, Some(SERVER), "Notify", &body)
        .await?;
    reply.body().deserialize()
}

fn hints(news: &News) -> zbus::Result<HashMap<&'static str, Value<'static>>> {
    let icon = if news.trouble {
        Icon::Attention
    } else {
        Icon::Good
    };
    let side = i32::from(PICTURE);
    let picture = StructureBuilder::new()
        .add_field(side)
        .add_field(side)
        .add_field(side * 4)
        .add_field(true)
        .add_field(8_i32)
        .add_field(4_i32)
        .add_field(rgba(icon, u32::from(PICTURE)))
        .build()?;
    // Normal, even for trouble: what is critical stays on the screen until it is clicked away.
    let normal = 1_u8;
    Ok(HashMap::from([
        ("urgency", Value::from(normal)),
        ("desktop-entry", Value::from("goroam-tray")),
        ("image-data", Value::from(picture)),
    ]))
}
