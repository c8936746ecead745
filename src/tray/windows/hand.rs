//! What the control asks of this system: orders for the window's thread, and the Run key.

use std::path::Path;
use std::rc::Rc;

use futures_util::FutureExt as _;

use super::host::Hosting;
use super::inbox::{Inbox, Order};
use crate::service::{self, ServiceRequest, ServiceStep};
use crate::tray::control::Shown;
use crate::tray::face::{Face, Notification};
use crate::tray::site::Site;

/// The control's hand on the window.
pub(super) struct Hand {
    pub(super) inbox: Inbox,
    pub(super) hosting: Rc<Hosting>,
    /// `None`: it cannot be told which program is to be started at login.
    service: Option<service::Site>,
}

impl Hand {
    pub(super) fn new(site: &Site, inbox: Inbox, hosting: Rc<Hosting>) -> Hand {
        let service = service::Site::find(site.paths.clone(), site.env.clone());
        if let Err(error) = &service {
            tracing::warn!("start at login: {error}");
        }
        Hand {
            inbox,
            hosting,
            service: service.ok(),
        }
    }

    /// Only the registry's part of a plan: nothing is to be started or ended, we run already.
    fn set_login(&self, wanted: bool) -> Result<(), service::ServiceError> {
        let Some(site) = &self.service else {
            return Ok(());
        };
        let wish = if wanted {
            ServiceRequest::Install
        } else {
            ServiceRequest::Uninstall
        };
        let mut steps = service::plan(wish, site)?;
        steps.retain(|step| {
            matches!(
                step,
                ServiceStep::SetValue { .. } | ServiceStep::RemoveValue { .. }
            )
        });
        // Values of the registry are set at once, so there is nothing to wait for.
        match service::carry_out(&steps, site).now_or_never() {
            Some(done) => done.map(drop),
            None => Ok(()),
        }
    }
}

impl Shown for Hand {
    fn show(&mut self, face: &Face) {
        self.inbox.put(Order::Show(face.clone()));
    }

    fn notify(&mut self, news: &Notification) {
        self.inbox.put(Order::Notify(news.clone()));
    }

    fn tell(&mut self, title: &str, text: &str) {
        self.inbox.put(Order::Tell {
            title: title.to_owned(),
            text: text.to_owned(),
        });
    }

    fn open(&mut self, path: &Path) {
        self.inbox.put(Order::Open(path.to_owned()));
    }

    fn start_at_login(&mut self, wanted: bool) -> Option<bool> {
        if let Err(error) = self.set_login(wanted) {
            tracing::warn!("start at login: {error}");
        }
        self.starts_at_login()
    }

    fn starts_at_login(&self) -> Option<bool> {
        let state = service::state(self.service.as_ref()?);
        state.ok().map(|state| state.enabled)
    }

    fn can_start_agent(&self) -> bool {
        self.hosting.waits()
    }

    fn start_agent(&mut self) {
        self.hosting.try_now();
    }

    fn end(&mut self) {
        self.inbox.put(Order::TakeAway);
    }
}
