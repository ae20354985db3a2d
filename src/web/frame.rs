//! The frame around a page, kept with blanks in the place of all that is a person's or a request's own.
//!
//! Guarantees: a kept frame is rendered from its key and nothing else, because what is somebody's own is taken out before
//! the template engine sees it; so a frame is the same for everybody. A blank is filled with escaped text,
//! only the body with the HTML that it is. Frames live as long as the templates of one model, and their number is bounded.
//! Deliberately not here: frames with messages or with the overlay of reasons, which are rendered each time.

use super::cells::escape_into;
use super::render::{RenderError, Renderer, Shell, ShellUser, context};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

/// So many frames are kept: beyond that they are forgotten.
const MOST: usize = 300;
/// The first byte of every blank. Blanks are characters for private use.
const MARK: u8 = 0xEE;
const FIRST: char = '\u{E000}';

/// What is somebody's own, in the order of their blanks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Own {
    Nonce,
    Token,
    Name,
    Initials,
    Email,
    Roles,
    Title,
    Reference,
    /// The only one that is HTML already.
    Body,
}

const ALL: [Own; 9] =
    [Own::Nonce, Own::Token, Own::Name, Own::Initials, Own::Email, Own::Roles, Own::Title, Own::Reference, Own::Body];

impl Own {
    /// The character that stands for it.
    pub(super) fn blank(self) -> String {
        char::from_u32(u32::from(FIRST) + self as u32).unwrap_or(FIRST).to_string()
    }

    /// What templates call it, where it is none of the shell's.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Reference => "reference",
            Self::Body => "body",
            _ => "",
        }
    }
}

impl Renderer {
    /// A page in a frame that is kept, with further values that are everybody's, and further texts that are not; nothing
    /// where the frame has to be rendered each time.
    pub(super) fn framed(
        &self,
        template: &str,
        shell: &Shell,
        values: &Value,
        more: &[(Own, &str)],
    ) -> Result<Option<String>, RenderError> {
        if !shell.messages.is_empty() {
            return Ok(None);
        }
        let roles = shell.user.as_ref().map(|user| user.roles.join(", ")).unwrap_or_default();
        let (blank, mut texts) = blanked(shell, &roles);
        texts.extend(more);
        let blanks: BTreeMap<&str, String> = more.iter().map(|(own, _)| (own.name(), own.blank())).collect();
        let spoken = self.spoken(&shell.lang);
        spoken.frames.filled(template, &(blank, values, blanks), &texts, |(blank, values, blanks)| {
            let mut all = context(blank)?;
            if values.is_object() {
                all.extend(context(values)?);
            }
            all.extend(context(blanks)?);
            Ok(spoken.tera.render(template, &all)?)
        })
    }

    /// The page of a refusal: what it says, and the reference that it gives.
    pub fn refusal(&self, title: &str, shell: &Shell, values: &Value, reference: Option<&str>) -> Result<String, RenderError> {
        const TEMPLATE: &str = "system/error.html";
        let mut values = values.clone();
        let more: Vec<(Own, &str)> = reference.into_iter().map(|reference| (Own::Reference, reference)).collect();
        if let Some(values) = values.as_object_mut() {
            values.insert("title".into(), title.into());
            values.insert("reference".into(), Value::Null);
        }
        if let Some(html) = self.framed(TEMPLATE, shell, &values, &more)? {
            return Ok(html);
        }
        if let Some(values) = values.as_object_mut() {
            values.insert("reference".into(), reference.into());
        }
        self.system(TEMPLATE, title, shell, &values)
    }
}

/// The frames of one language.
#[derive(Default)]
pub(super) struct Frames(RwLock<HashMap<String, Arc<Frame>>>);

/// Text, each piece with the blank that follows it.
struct Frame(Vec<(String, Option<Own>)>);

impl Frames {
    /// A page in its frame; `None` when this frame cannot be kept. `render` is given what the key says.
    ///
    /// `texts` are those of [`Own`], by blank, for the blanks that `blanked` has in it.
    pub(super) fn filled<B: Serialize>(
        &self,
        template: &str,
        blanked: &B,
        texts: &[(Own, &str)],
        render: impl FnOnce(&B) -> Result<String, RenderError>,
    ) -> Result<Option<String>, RenderError> {
        let mut key = serde_json::to_string(blanked)?;
        // SECURITY: a character that looks like a blank is in no text that is kept, or what is filled in would stand
        // where it does not belong (`a_text_with_the_sign_of_a_blank_is_never_taken_for_one`).
        if key.bytes().filter(|byte| *byte == MARK).count() != texts.len() {
            return Ok(None);
        }
        key.push_str(template);
        let found = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let frame = match found {
            Some(frame) => frame,
            None => self.keep(key, Frame::of(&render(blanked)?)),
        };
        Ok(Some(frame.filled(texts)))
    }

    fn keep(&self, key: String, frame: Frame) -> Arc<Frame> {
        let frame = Arc::new(frame);
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(key, frame.clone());
        frame
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Frame {
    /// Divides what was rendered at its blanks.
    fn of(html: &str) -> Self {
        let own = |c: char| ALL.into_iter().find(|own| u32::from(c) == u32::from(FIRST) + *own as u32);
        let (mut pieces, mut piece) = (Vec::new(), String::new());
        for c in html.chars() {
            match own(c) {
                Some(own) => pieces.push((std::mem::take(&mut piece), Some(own))),
                None => piece.push(c),
            }
        }
        pieces.push((piece, None));
        Self(pieces)
    }

    fn filled(&self, texts: &[(Own, &str)]) -> String {
        let fixed: usize = self.0.iter().map(|(piece, _)| piece.len()).sum();
        let mut out = String::with_capacity(fixed + texts.iter().map(|(_, text)| text.len()).sum::<usize>() + 1024);
        for (piece, own) in &self.0 {
            out.push_str(piece);
            let text = texts.iter().find(|(known, _)| Some(*known) == *own).map_or("", |(_, text)| text);
            match own {
                Some(Own::Body) => out.push_str(text),
                _ => escape_into(text, &mut out),
            }
        }
        out
    }
}

/// The shell with blanks, and what they stand for.
// SECURITY: every field is named, so that a new one cannot be left out here
// (`a_kept_frame_is_what_the_template_makes_for_each_person_and_request`).
pub(super) fn blanked<'s>(shell: &'s Shell, roles: &'s str) -> (Shell, Vec<(Own, &'s str)>) {
    let Shell { lang, app_title, nonce, user, menu, admin, csrf, banner, messages: _, theme, path, request_id: _, back: _, xray } =
        shell;
    let mut texts = vec![(Own::Nonce, nonce.as_str()), (Own::Token, csrf.as_str())];
    if let Some(ShellUser { name, initials, email, roles: _ }) = user {
        texts.extend([(Own::Name, name.as_str()), (Own::Initials, initials), (Own::Email, email), (Own::Roles, roles)]);
    }
    let blank = Shell {
        lang: lang.clone(),
        app_title: app_title.clone(),
        nonce: Own::Nonce.blank(),
        user: user.as_ref().map(|_| ShellUser {
            name: Own::Name.blank(),
            initials: Own::Initials.blank(),
            email: Own::Email.blank(),
            roles: vec![Own::Roles.blank()],
        }),
        menu: menu.clone(),
        admin: *admin,
        csrf: Own::Token.blank(),
        banner: banner.clone(),
        messages: Vec::new(),
        theme: theme.clone(),
        // The frame looks at no more of it.
        path: match path.as_str() {
            "/sign-in" => "/sign-in",
            path if path.starts_with("/admin") => "/admin",
            _ => "/",
        }
        .to_owned(),
        request_id: String::new(),
        back: String::new(),
        xray: *xray,
    };
    (blank, texts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::MenuEntry;
    use crate::web::assets::Assets;
    use crate::web::render::{Banner, Message};

    fn renderer() -> Renderer {
        Renderer::new(&Arc::new(Assets::load().unwrap()), &BTreeMap::new()).unwrap()
    }

    fn shell(n: usize) -> Shell {
        let own = |what: &str| format!("{what} <{n}> & 'x'");
        let user = ShellUser { name: own("name"), initials: own("i"), email: own("e"), roles: vec![own("r"), own("q")] };
        Shell {
            lang: "en".into(),
            app_title: "App <b>".into(),
            nonce: own("nonce"),
            user: (!n.is_multiple_of(3)).then_some(user),
            menu: vec![MenuEntry {
                title: "People".into(),
                icon: Some("users".into()),
                href: Some("/p/a.B".into()),
                active: n.is_multiple_of(2),
                items: vec![],
            }],
            admin: n % 4 == 1,
            csrf: own("token"),
            banner: n.is_multiple_of(5).then(|| Banner { tone: "info".into(), text: "Demo".into(), href: None }),
            messages: Vec::new(),
            theme: ["auto", "dark"][n % 2].into(),
            path: ["/p/a.B", "/admin/users", "/sign-in", "/sign-in/demo", "/"][n / 2 % 5].into(),
            request_id: own("request"),
            back: own("back"),
            xray: [None, Some(true), Some(false)][n / 3 % 3],
        }
    }

    #[test]
    fn a_kept_frame_is_what_the_template_makes_for_each_person_and_request() {
        let renderer = renderer();
        for template in ["layout/app.html", "layout/plain.html"] {
            for n in (0..60).chain(0..60) {
                let (shell, title, body) = (shell(n), format!("Title <{n}>"), format!("<p>body {n}</p>"));
                let own = [(Own::Title, title.as_str()), (Own::Body, &body)];
                let kept = renderer.framed(template, &shell, &Value::Null, &own).unwrap().expect("it can be kept");
                let mut all = context(&shell).unwrap();
                all.insert("title", &title);
                all.insert("body", &body);
                assert_eq!(kept, renderer.spoken("en").tera.render(template, &all).unwrap(), "{template} {n}");
            }
        }
        assert!(renderer.spoken("en").frames.count() < 120, "shared by those for whom it is the same");
    }

    #[test]
    fn the_page_of_a_refusal_is_that_of_its_template() {
        let renderer = renderer();
        for n in (0..24_usize).chain(0..24) {
            let values = serde_json::json!({"status": 404, "text": "Not <here>", "counted": n.is_multiple_of(2), "actions": [], "illustration": "gone"});
            let reference = (!n.is_multiple_of(3)).then(|| format!("<ref {n}>"));
            let kept = renderer.refusal("Not here", &shell(n), &values, reference.as_deref()).unwrap();
            let mut all = values.clone();
            all["reference"] = reference.clone().into();
            assert_eq!(kept, renderer.system("system/error.html", "Not here", &shell(n), &all).unwrap(), "{n}");
            assert_eq!(kept.contains("&lt;ref"), reference.is_some());
        }
    }

    #[test]
    fn a_text_with_the_sign_of_a_blank_is_never_taken_for_one() {
        let renderer = renderer();
        let token = Own::Token.blank();
        let own = [(Own::Title, "t"), (Own::Body, "b")];
        let in_menu = |mut shell: Shell| {
            shell.menu[0].title.clone_from(&token);
            shell
        };
        let in_title = Shell { app_title: token.clone(), ..shell(1) };
        for shell in [in_menu(shell(1)), in_title, Shell { messages: vec![said(&token)], ..shell(1) }] {
            assert_eq!(renderer.framed("layout/app.html", &shell, &Value::Null, &own).unwrap(), None);
        }
        let hostile = [(Own::Title, token.as_str()), (Own::Body, "b")];
        let html = renderer.framed("layout/app.html", &shell(1), &Value::Null, &hostile).unwrap().unwrap();
        assert!(html.contains(&format!("<h1>{token}</h1>")), "what is filled in is not looked at again");
        for (path, text) in crate::web::spoken::files() {
            assert!(!text.bytes().any(|byte| byte == MARK), "{path} has a character for private use");
        }
    }

    fn said(text: &str) -> Message {
        Message { tone: "info".into(), text: text.into() }
    }

    #[test]
    fn the_number_of_kept_frames_is_bounded() {
        let renderer = renderer();
        for n in 0..1_000 {
            let shell = Shell { app_title: format!("App {n}"), ..shell(1) };
            renderer.framed("layout/plain.html", &shell, &Value::Null, &[(Own::Title, "t"), (Own::Body, "b")]).unwrap();
        }
        assert!(renderer.spoken("en").frames.count() <= MOST);
    }
}
