//! The item in the menu bar and its menu, by AppKit. All of it is the main thread's.

use std::cell::RefCell;

use objc2::rc::Retained;
use objc2::runtime::ProtocolObject;
use objc2::{MainThreadMarker, MainThreadOnly as _, sel};
use objc2_app_kit::{
    NSAlert, NSApplication, NSApplicationActivationPolicy, NSControlStateValueOff,
    NSControlStateValueOn, NSImage, NSMenu, NSMenuItem, NSStatusBar, NSStatusItem,
    NSVariableStatusItemLength,
};
use objc2_foundation::{NSString, ns_string};
use tokio::sync::mpsc::UnboundedSender;

use super::control::Event;
use super::face::{Face, Icon, Item};
use super::macos_target::Target;

thread_local! {
    /// Only on the main thread there is one.
    static BAR: RefCell<Option<Bar>> = const { RefCell::new(None) };
}

struct Bar {
    item: Retained<NSStatusItem>,
    menu: Retained<NSMenu>,
    /// Menu items and menus do not keep their targets.
    target: Retained<Target>,
}

/// Puts an item into the menu bar; it is empty until [`draw`].
pub(super) fn put_up(main: MainThreadMarker, events: UnboundedSender<Event>) {
    // No icon in the Dock, and no menus of its own.
    let app = NSApplication::sharedApplication(main);
    app.setActivationPolicy(NSApplicationActivationPolicy::Accessory);
    let target = Target::new(main, events);
    let menu = NSMenu::new(main);
    // Otherwise AppKit asks the target of each item.
    menu.setAutoenablesItems(false);
    menu.setDelegate(Some(ProtocolObject::from_ref(&*target)));
    let item = NSStatusBar::systemStatusBar().statusItemWithLength(NSVariableStatusItemLength);
    item.setMenu(Some(&menu));
    BAR.set(Some(Bar { item, menu, target }));
}

/// Until [`take_down`].
pub(super) fn run(main: MainThreadMarker) {
    NSApplication::sharedApplication(main).run();
}

/// Draws this in the place of what was drawn before.
pub(super) fn draw(face: &Face) {
    let Some(main) = MainThreadMarker::new() else {
        return;
    };
    BAR.with_borrow(|bar| {
        if let Some(bar) = bar {
            bar.draw(main, face);
        }
    });
}

/// Shows a text until the user has read it.
pub(super) fn tell(title: &str, text: &str) {
    let Some(main) = MainThreadMarker::new() else {
        return;
    };
    // Behind the other programs' windows nobody would see it.
    let app = NSApplication::sharedApplication(main);
    #[expect(deprecated, reason = "what took its place came with macOS 14")]
    app.activateIgnoringOtherApps(true);
    let alert = NSAlert::new(main);
    alert.setMessageText(&NSString::from_str(title));
    alert.setInformativeText(&NSString::from_str(text));
    alert.runModal();
}

/// Ends the program.
pub(super) fn take_down() {
    let Some(main) = MainThreadMarker::new() else {
        return;
    };
    if let Some(bar) = BAR.take() {
        NSStatusBar::systemStatusBar().removeStatusItem(&bar.item);
    }
    NSApplication::sharedApplication(main).terminate(None);
}

impl Bar {
    fn draw(&self, main: MainThreadMarker, face: &Face) {
        if let Some(button) = self.item.button(main) {
            let (symbol, words) = symbol(face.icon);
            let image = NSImage::imageWithSystemSymbolName_accessibilityDescription(
                &NSString::from_str(symbol),
                Some(&NSString::from_str(words)),
            );
            // A symbol is a template: black or white as the menu bar is.
            match image {
                Some(image) => button.setImage(Some(&image)),
                None => button.setTitle(ns_string!("go")),
            }
            button.setToolTip(Some(&NSString::from_str(&face.tooltip)));
        }
        self.target.forget();
        self.menu.removeAllItems();
        self.fill(main, &self.menu, &face.menu);
    }

    fn fill(&self, main: MainThreadMarker, menu: &NSMenu, items: &[Item]) {
        for item in items {
            menu.addItem(&self.item(main, item));
        }
    }

    fn item(&self, main: MainThreadMarker, item: &Item) -> Retained<NSMenuItem> {
        match item {
            Item::Separator => NSMenuItem::separatorItem(main),
            Item::Text(text) => {
                let item = plain(main, text);
                item.setEnabled(false);
                item
            }
            Item::Choice {
                label,
                action,
                checked,
                enabled,
            } => {
                let item = plain(main, label);
                item.setTag(self.target.tag(action));
                // SAFETY: the target has this method, with a menu item as its argument, and
                // lives as long as the menu.
                unsafe {
                    item.setTarget(Some(&self.target));
                    item.setAction(Some(sel!(chosen:)));
                }
                tick(&item, *checked);
                item.setEnabled(*enabled);
                item
            }
            Item::Submenu {
                label,
                checked,
                items,
            } => {
                let item = plain(main, label);
                let menu = NSMenu::new(main);
                menu.setAutoenablesItems(false);
                self.fill(main, &menu, items);
                item.setSubmenu(Some(&menu));
                tick(&item, *checked);
                item
            }
        }
    }
}

fn plain(main: MainThreadMarker, label: &str) -> Retained<NSMenuItem> {
    let item = NSMenuItem::alloc(main);
    // SAFETY: without an action there is nothing that could be called wrongly.
    unsafe {
        NSMenuItem::initWithTitle_action_keyEquivalent(
            item,
            &NSString::from_str(label),
            None,
            ns_string!(""),
        )
    }
}

fn tick(item: &NSMenuItem, checked: bool) {
    item.setState(if checked {
        NSControlStateValueOn
    } else {
        NSControlStateValueOff
    });
}

/// A symbol of SF Symbols 1, which macOS 11 has, and what VoiceOver says.
fn symbol(icon: Icon) -> (&'static str, &'static str) {
    match icon {
        Icon::Good => ("checkmark.circle", "goroam: all is well"),
        Icon::Offline => ("wifi.slash", "goroam: offline"),
        Icon::Attention => ("exclamationmark.triangle", "goroam: look at this"),
        Icon::Paused => ("pause.circle", "goroam: paused"),
        Icon::Stopped => ("xmark.circle", "goroam: no agent"),
    }
}
