//! What AppKit calls when something is chosen in the menu, or the menu opens.

use std::cell::RefCell;

use objc2::rc::Retained;
use objc2::runtime::{NSObject, NSObjectProtocol};
use objc2::{DefinedClass as _, MainThreadMarker, MainThreadOnly, define_class, msg_send};
use objc2_app_kit::{NSMenu, NSMenuDelegate, NSMenuItem};
use tokio::sync::mpsc::UnboundedSender;

use super::control::Event;
use super::face::Action;

/// What the target knows.
pub(super) struct Known {
    events: UnboundedSender<Event>,
    /// By the menu items' tags.
    actions: RefCell<Vec<Action>>,
}

define_class!(
    // SAFETY: NSObject asks nothing of those who inherit from it, and `Target` has no `Drop`.
    #[unsafe(super(NSObject))]
    #[thread_kind = MainThreadOnly]
    #[name = "GoroamMenuTarget"]
    #[ivars = Known]
    pub(super) struct Target;

    // SAFETY: it has no requirements.
    unsafe impl NSObjectProtocol for Target {}

    // SAFETY: the method has the signature of the protocol.
    unsafe impl NSMenuDelegate for Target {
        #[unsafe(method(menuWillOpen:))]
        fn menu_will_open(&self, _: &NSMenu) {
            self.tell(Event::Opening);
        }
    }

    impl Target {
        #[unsafe(method(chosen:))]
        fn chosen(&self, item: &NSMenuItem) {
            let at = usize::try_from(item.tag()).ok();
            let actions = self.ivars().actions.borrow();
            if let Some(action) = at.and_then(|at| actions.get(at)) {
                self.tell(Event::Chosen(action.clone()));
            }
        }
    }
);

impl Target {
    /// Tells `events`.
    pub(super) fn new(main: MainThreadMarker, events: UnboundedSender<Event>) -> Retained<Target> {
        let this = Target::alloc(main).set_ivars(Known {
            events,
            actions: RefCell::default(),
        });
        // SAFETY: NSObject's `init` takes nothing and returns the object.
        unsafe { msg_send![super(this), init] }
    }

    /// A menu is made anew.
    pub(super) fn forget(&self) {
        self.ivars().actions.borrow_mut().clear();
    }

    /// The tag of the item that stands for this action.
    pub(super) fn tag(&self, action: &Action) -> isize {
        let mut actions = self.ivars().actions.borrow_mut();
        actions.push(action.clone());
        isize::try_from(actions.len() - 1).unwrap_or(-1)
    }

    fn tell(&self, event: Event) {
        // Nobody listens only while it ends.
        let _ = self.ivars().events.send(event);
    }
}
