//! What all handlers share.

use super::admin;
use super::assets::Assets;
use super::render::{Banner, Message, RenderError, Renderer, Shell, ShellUser};
use super::reply::Reply;
use super::request::Request;
use crate::app::{self, App, Live};
use crate::crypto::Keys;
use crate::gate::Gate;
use crate::model::Tone;
use crate::store::SyncError;
use serde::Serialize;
use std::sync::{Arc, RwLock};
use std::time::Duration;

/// Everything that answers need.
pub struct Web {
    /// The use cases.
    pub app: Arc<App>,
    /// The gate's rules.
    pub gate: Gate,
    /// Static files.
    pub assets: Arc<Assets>,
    /// How often a reader of the live log is proved anew.
    pub pulse: Duration,
    renderer: RwLock<Arc<Renderer>>,
}

/// Why a changed model did not take effect.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// Its texts cannot be shown.
    #[error("the pages of the changed model cannot be shown: {0}")]
    Pages(#[from] RenderError),
    /// The database cannot follow it.
    #[error("the database cannot follow the changed model: {0}")]
    Database(#[from] SyncError),
}

const FLASH: &str = "portcullis_flash";
const VISITOR: &str = "portcullis_visitor";
/// A visitor's cookie lives as long as a registration may take.
const VISITOR_LIFETIME: i64 = 24 * 3_600;

impl Web {
    /// Puts the parts together.
    pub fn new(app: Arc<App>, gate: Gate, assets: Arc<Assets>) -> Result<Self, RenderError> {
        let renderer = Renderer::new(&assets, &app.live().model.texts)?;
        Ok(Self { app, gate, assets, pulse: admin::PULSE, renderer: RwLock::new(Arc::new(renderer)) })
    }

    /// Lets another model take effect, with the texts that it has. After an error everything is as it was.
    pub fn adopt(&self, live: Live) -> Result<(), AdoptError> {
        let renderer = Arc::new(Renderer::new(&self.assets, &live.model.texts)?);
        let with = || *self.renderer.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = renderer;
        Ok(self.app.adopt(live, with)?)
    }

    /// The renderer of the model that runs now.
    pub fn renderer(&self) -> Arc<Renderer> {
        self.renderer.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// The frame of a page, with the messages that were waiting for it.
    pub fn shell(&self, request: &Request, shell: &app::Shell) -> Shell {
        let flash = request.flash.as_deref().map(|sealed| open_flash(&self.app.keys, &shell.binding, sealed));
        Shell {
            lang: request.ask.language.clone(),
            app_title: shell.app_title.clone(),
            nonce: request.nonce.clone(),
            user: shell.user.as_ref().map(|who| ShellUser {
                name: who.name.clone(),
                initials: who.initials.clone(),
                email: who.email.clone(),
                roles: who.roles.clone(),
            }),
            menu: shell.menu.clone(),
            admin: !shell.parts.is_empty(),
            csrf: shell.csrf.masked(),
            banner: self.banner(shell),
            messages: flash.unwrap_or_default(),
            theme: request.theme.clone(),
            path: request.path.clone(),
            request_id: request.ask.request_id.clone(),
            back: request.came_from.clone().unwrap_or_default(),
            xray: shell.explains.then_some(request.ask.xray),
        }
    }

    fn banner(&self, shell: &app::Shell) -> Option<Banner> {
        let banner = |tone: &str, text: String, href: Option<&str>| {
            Some(Banner { tone: tone.into(), text, href: href.map(str::to_owned) })
        };
        if let Some(findings) = self.app.rejected() {
            let count = findings.count(crate::model::Severity::Error);
            return banner(
                "danger",
                format!("The changed model has {count} error(s); the last good one is still running."),
                Some("/dev/findings"),
            );
        }
        match (shell.gaps, &self.app.demo) {
            (Some(0), _) => banner("info", "Prototype: complete, but not switched to production.".into(), None),
            (Some(gaps), _) => banner(
                "warning",
                format!("Prototype: {gaps} gap(s) in its security. What has no rule is closed all the same."),
                Some("/dev/findings"),
            ),
            (None, Some(_)) => banner("info", "Demo mode: made-up people and data, on this machine only.".into(), None),
            _ => None,
        }
    }

    /// A page of the system.
    pub fn system(
        &self,
        request: &Request,
        shell: &app::Shell,
        status: u16,
        template: &str,
        title: &str,
        values: &impl Serialize,
    ) -> Reply {
        self.framed(request, shell, status, template, |frame| self.renderer().system(template, title, frame, values))
    }

    /// A page of the system that `render` makes in its frame.
    pub(super) fn framed(
        &self,
        request: &Request,
        shell: &app::Shell,
        status: u16,
        template: &str,
        render: impl FnOnce(&Shell) -> Result<String, RenderError>,
    ) -> Reply {
        match render(&self.shell(request, shell)) {
            Ok(html) => self.with_cookies(request, shell, Reply::html(status, html)),
            Err(error) => {
                let text = format!("{template}: {error}");
                self.app.logs.write("portcullis.web", crate::config::Level::Error, &text, Some(&request.ask.request_id));
                Reply::text(500, "Something went wrong. Nothing was changed.")
            }
        }
    }

    /// Sets a new visitor's cookie, and removes messages that were shown.
    pub fn with_cookies(&self, request: &Request, shell: &app::Shell, mut reply: Reply) -> Reply {
        if let Some(cookie) = &shell.new_visitor {
            reply = reply.cookie(VISITOR, cookie.clone(), Some(VISITOR_LIFETIME));
        }
        if request.flash.is_some() && reply.status != 303 {
            reply = reply.cookie(FLASH, "", Some(0));
        }
        reply
    }

    /// Says something on the next page.
    pub fn flash(&self, binding: &str, messages: &[(Tone, String)], reply: Reply) -> Reply {
        if messages.is_empty() {
            return reply;
        }
        let all: Vec<Message> = messages
            .iter()
            .take(5)
            .map(|(tone, text)| Message { tone: tone.as_str().into(), text: text.chars().take(500).collect() })
            .collect();
        let text = serde_json::to_vec(&all).unwrap_or_default();
        reply.cookie(FLASH, self.app.keys.seal("flash", binding.as_bytes(), &text), Some(60))
    }
}

fn open_flash(keys: &Keys, binding: &str, sealed: &str) -> Vec<Message> {
    let opened = keys.open("flash", binding.as_bytes(), sealed).ok();
    opened.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}
