//! The menu: rebuilt from the face each time it is opened.

use std::ptr;

use windows_sys::Win32::Foundation::{HWND, POINT};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    AppendMenuW, CreatePopupMenu, DestroyMenu, GetSystemMetrics, HMENU, MF_CHECKED, MF_DISABLED,
    MF_POPUP, MF_SEPARATOR, MF_STRING, PostMessageW, SM_MENUDROPALIGNMENT, SetForegroundWindow,
    TPM_NONOTIFY, TPM_RETURNCMD, TPM_RIGHTALIGN, TPM_RIGHTBUTTON, TrackPopupMenuEx, WM_NULL,
};

use super::text::{label, wide};
use crate::tray::face::{Action, Item};

/// Opens the menu at a place on the screen and waits until the user has chosen an entry or closed
/// it. Messages are handled meanwhile.
pub(super) fn choose(window: HWND, at: POINT, items: &[Item]) -> Option<Action> {
    let menu = Menu::new()?;
    let mut actions = Vec::new();
    menu.fill(items, &mut actions);
    let chosen = menu.track(window, at);
    // Entry n has the number n + 1; 0 means no choice.
    let chosen = usize::try_from(chosen).ok()?.checked_sub(1)?;
    (chosen < actions.len()).then(|| actions.swap_remove(chosen))
}

struct Menu(HMENU);

impl Menu {
    fn new() -> Option<Menu> {
        // SAFETY: the call takes no argument.
        let menu = unsafe { CreatePopupMenu() };
        (!menu.is_null()).then_some(Menu(menu))
    }

    fn fill(&self, items: &[Item], actions: &mut Vec<Action>) {
        for item in items {
            match item {
                Item::Separator => self.append(MF_SEPARATOR, 0, ""),
                // Not grey, because it must be readable.
                Item::Text(text) => self.append(MF_STRING | MF_DISABLED, 0, text),
                Item::Choice {
                    label,
                    action,
                    checked,
                } => {
                    actions.push(action.clone());
                    self.append(MF_STRING | tick(*checked), actions.len(), label);
                }
                Item::Submenu {
                    label,
                    checked,
                    items,
                } => {
                    let Some(inner) = Menu::new() else { continue };
                    inner.fill(items, actions);
                    self.append(MF_POPUP | tick(*checked), inner.0 as usize, label);
                    // The submenu now belongs to the outer menu and is destroyed with it.
                    std::mem::forget(inner);
                }
            }
        }
    }

    fn append(&self, flags: u32, id: usize, text: &str) {
        let text = wide(&label(text));
        // SAFETY: this menu belongs to us, the text ends with a zero and is copied.
        unsafe { AppendMenuW(self.0, flags, id, text.as_ptr()) };
    }

    /// Shows the menu. The menu of a window that is not in front stays open when the user clicks
    /// elsewhere, and the next menu closes at once unless a message came between (documented at
    /// TrackPopupMenu).
    fn track(&self, window: HWND, at: POINT) -> i32 {
        // SAFETY: the menu and the window belong to us; no area is excluded.
        unsafe {
            SetForegroundWindow(window);
            let align = match GetSystemMetrics(SM_MENUDROPALIGNMENT) {
                0 => 0,
                _ => TPM_RIGHTALIGN,
            };
            let flags = TPM_RETURNCMD | TPM_NONOTIFY | TPM_RIGHTBUTTON | align;
            let chosen = TrackPopupMenuEx(self.0, flags, at.x, at.y, window, ptr::null());
            PostMessageW(window, WM_NULL, 0, 0);
            chosen
        }
    }
}

fn tick(checked: bool) -> u32 {
    if checked { MF_CHECKED } else { 0 }
}

impl Drop for Menu {
    fn drop(&mut self) {
        // SAFETY: created above, destroyed once, with its submenus.
        unsafe { DestroyMenu(self.0) };
    }
}
