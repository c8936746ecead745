//! The face as a StatusNotifierItem: pixels, tooltip and menu in the format of D-Bus.

use std::sync::atomic::{AtomicBool, Ordering};

use ksni::menu::{CheckmarkItem, MenuItem, StandardItem, SubMenu};
use ksni::{OfflineReason, ToolTip};
use tokio::sync::mpsc::UnboundedSender;

use super::control::Event;
use super::face::{Action, Face, Icon, Item};
use super::icon::rgba;

/// The sizes that panels request; a host uses the next larger one.
const SIZES: [u32; 6] = [16, 22, 24, 32, 48, 64];

/// The present item. ksni reads it, and notifies the host of changes.
pub(super) struct SniItem {
    face: Face,
    pixmaps: Vec<ksni::Icon>,
    events: UnboundedSender<Event>,
    without_host: fn(),
    said: AtomicBool,
}

impl SniItem {
    /// Creates an item; `without_host` is called once if no host can show the item.
    pub(super) fn new(face: Face, events: UnboundedSender<Event>, without_host: fn()) -> SniItem {
        SniItem {
            pixmaps: pixmaps(face.icon),
            face,
            events,
            without_host,
            said: AtomicBool::new(false),
        }
    }

    /// Replaces the face.
    pub(super) fn set(&mut self, face: Face) {
        if face.icon != self.face.icon {
            self.pixmaps = pixmaps(face.icon);
        }
        self.face = face;
    }

    /// Reports whether no host could show the item.
    pub(super) fn was_without_host(&self) -> bool {
        self.said.load(Ordering::Relaxed)
    }
}

impl ksni::Tray for SniItem {
    // A click on the icon opens the menu: the tray has no window to open.
    const MENU_ON_ACTIVATE: bool = true;

    fn id(&self) -> String {
        "goroam".to_owned()
    }

    fn title(&self) -> String {
        "goroam".to_owned()
    }

    fn icon_pixmap(&self) -> Vec<ksni::Icon> {
        self.pixmaps.clone()
    }

    fn tool_tip(&self) -> ToolTip {
        let (title, description) = match self.face.tooltip.split_once('\n') {
            Some((title, rest)) => (title, rest),
            None => (self.face.tooltip.as_str(), ""),
        };
        ToolTip {
            title: title.to_owned(),
            description: without_markup(description),
            ..ToolTip::default()
        }
    }

    fn menu(&self) -> Vec<MenuItem<SniItem>> {
        self.face.menu.iter().map(menu_item).collect()
    }

    fn menu_about_to_show(&mut self) {
        self.tell(Event::Opening);
    }

    fn watcher_offline(&self, _: OfflineReason) -> bool {
        if !self.said.swap(true, Ordering::Relaxed) {
            (self.without_host)();
        }
        // Wait for the next host.
        true
    }
}

impl SniItem {
    fn tell(&self, event: Event) {
        // The receiver is missing only while the program ends.
        let _ = self.events.send(event);
    }
}

/// Draws the pixmaps: ARGB in network byte order.
fn pixmaps(icon: Icon) -> Vec<ksni::Icon> {
    let pixmap = |size: u32| {
        let mut data = rgba(icon, size);
        for pixel in data.chunks_exact_mut(4) {
            pixel.rotate_right(1);
        }
        // The sizes are the small ones listed above.
        let side = i32::try_from(size).unwrap_or(i32::MAX);
        ksni::Icon {
            width: side,
            height: side,
            data,
        }
    };
    SIZES.map(pixmap).into()
}

fn menu_item(item: &Item) -> MenuItem<SniItem> {
    match item {
        Item::Separator => MenuItem::Separator,
        Item::Text(text) => StandardItem {
            label: plain(text),
            enabled: false,
            ..StandardItem::default()
        }
        .into(),
        Item::Choice {
            label,
            action,
            checked,
        } => choice(label, action.clone(), *checked),
        Item::Submenu {
            label,
            checked,
            items,
        } => SubMenu {
            // The protocol has ticks only for entries that can be chosen.
            label: plain(&if *checked {
                format!("✓ {label}")
            } else {
                label.clone()
            }),
            submenu: items.iter().map(menu_item).collect(),
            ..SubMenu::default()
        }
        .into(),
    }
}

fn choice(label: &str, action: Action, checked: bool) -> MenuItem<SniItem> {
    let label = plain(label);
    let has_tick = checked || can_be_ticked(&action);
    let activate = Box::new(move |item: &mut SniItem| item.tell(Event::Chosen(action.clone())));
    if has_tick {
        CheckmarkItem {
            label,
            checked,
            activate,
            ..CheckmarkItem::default()
        }
        .into()
    } else {
        StandardItem {
            label,
            activate,
            ..StandardItem::default()
        }
        .into()
    }
}

/// Reports whether the action's entry can have a tick. Room for the tick is kept while it has none.
fn can_be_ticked(action: &Action) -> bool {
    match action {
        Action::Automatic | Action::Pause | Action::StartAtLogin(_) => true,
        Action::Pin { within, .. } => within.is_none(),
        Action::ShowStatus
        | Action::ProbeNow
        | Action::OpenPolicy
        | Action::OpenLog
        | Action::StartAgent
        | Action::Quit => false,
    }
}

/// Doubles underscores: a single one would make the next character an access key.
fn plain(label: &str) -> String {
    label.replace('_', "__")
}

/// Escapes markup: hosts may read the tooltip's second part, and the text of notifications, as
/// HTML.
pub(super) fn without_markup(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
