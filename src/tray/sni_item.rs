//! The face as a StatusNotifierItem: pixels, tooltip and menu in the shape that D-Bus wants.

use std::sync::atomic::{AtomicBool, Ordering};

use ksni::menu::{CheckmarkItem, MenuItem, StandardItem, SubMenu};
use ksni::{OfflineReason, ToolTip};
use tokio::sync::mpsc::UnboundedSender;

use super::control::Event;
use super::face::{Action, Face, Icon, Item};
use super::icon::rgba;

/// What panels ask for; a host takes the next larger one.
const SIZES: [u32; 6] = [16, 22, 24, 32, 48, 64];

/// The item as it is now. ksni asks it, and tells the host what has changed.
pub(super) struct SniItem {
    face: Face,
    pixmaps: Vec<ksni::Icon>,
    events: UnboundedSender<Event>,
    without_host: fn(),
    said: AtomicBool,
}

impl SniItem {
    /// An item; `without_host` is called once, when there is nowhere to show it.
    pub(super) fn new(face: Face, events: UnboundedSender<Event>, without_host: fn()) -> SniItem {
        SniItem {
            pixmaps: pixmaps(face.icon),
            face,
            events,
            without_host,
            said: AtomicBool::new(false),
        }
    }

    /// Another face.
    pub(super) fn set(&mut self, face: Face) {
        if face.icon != self.face.icon {
            self.pixmaps = pixmaps(face.icon);
        }
        self.face = face;
    }

    /// Was there nowhere to show it?
    pub(super) fn was_without_host(&self) -> bool {
        self.said.load(Ordering::Relaxed)
    }
}

impl ksni::Tray for SniItem {
    // A click on the icon opens the menu: there is no window that it could open.
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
        // It waits for the next one.
        true
    }
}

impl SniItem {
    fn tell(&self, event: Event) {
        // Nobody listens only while it ends.
        let _ = self.events.send(event);
    }
}

/// ARGB in network byte order.
fn pixmaps(icon: Icon) -> Vec<ksni::Icon> {
    let pixmap = |size: u32| {
        let mut data = rgba(icon, size);
        for pixel in data.chunks_exact_mut(4) {
            pixel.rotate_right(1);
        }
        // The sizes are the small ones above.
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
            enabled,
        } => choice(label, action.clone(), *checked, *enabled),
        Item::Submenu {
            label,
            checked,
            items,
        } => SubMenu {
            // The protocol has ticks for what can be chosen only.
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

fn choice(label: &str, action: Action, checked: bool, enabled: bool) -> MenuItem<SniItem> {
    let label = plain(label);
    let has_tick = checked || can_be_ticked(&action);
    let activate = Box::new(move |item: &mut SniItem| item.tell(Event::Chosen(action.clone())));
    if has_tick {
        CheckmarkItem {
            label,
            enabled,
            checked,
            activate,
            ..CheckmarkItem::default()
        }
        .into()
    } else {
        StandardItem {
            label,
            enabled,
            activate,
            ..StandardItem::default()
        }
        .into()
    }
}

/// Room for the tick is kept while there is none.
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

/// A single underscore would make an access key of the next character.
fn plain(label: &str) -> String {
    label.replace('_', "__")
}

/// The tooltip's second part, and the text of notifications, may be taken for HTML.
pub(super) fn without_markup(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
