//! Mailed links: choosing a password.

use super::reply::{Reply, SessionAct};
use super::request::Request;
use super::state::Web;
use crate::app::{LinkRefusal, LinkUse, Shell};
use crate::identity::password::Password;
use crate::identity::{LinkError, Purpose};
use serde_json::json;

/// The purpose in an address.
pub fn purpose(word: &str) -> Option<Purpose> {
    [Purpose::Register, Purpose::Invite, Purpose::Reset, Purpose::Bootstrap].into_iter().find(|purpose| purpose.as_str() == word)
}

impl Web {
    /// `GET /link/<purpose>/<token>`
    pub fn link_page(&self, request: &Request, purpose: Purpose, token: &str) -> Reply {
        let (_, _, shell) = self.as_visitor(request);
        match self.app.open_link(purpose, token) {
            Ok(page) => self.choose_password(request, &shell, 200, purpose, token, &page.email, &page.name, &[]),
            Err(refusal) => self.link_refused(request, &shell, refusal),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one form")]
    fn choose_password(
        &self,
        request: &Request,
        shell: &Shell,
        status: u16,
        purpose: Purpose,
        token: &str,
        email: &str,
        name: &str,
        errors: &[String],
    ) -> Reply {
        let title = match purpose {
            Purpose::Register => "Finish your registration",
            Purpose::Invite => "Welcome",
            Purpose::Reset => "Choose a new password",
            Purpose::Bootstrap => "Set up the first administrator",
        };
        let action = format!("/link/{}", purpose.as_str());
        let values = json!({
            "purpose": purpose.as_str(), "email": email, "name": name, "token": token, "error": null, "errors": errors, "action": action,
        });
        // The link's token stands in it.
        self.system(request, shell, status, "system/choose_password.html", title, &values).not_compressed()
    }

    /// `POST /link/<purpose>`
    pub fn use_link(&self, request: &Request, purpose: Purpose) -> Reply {
        let (_, asker, shell) = self.as_visitor(request);
        if let Err(refusal) = asker.check_csrf(request.field("_csrf")) {
            return self.refused(request, &shell, &refusal);
        }
        let chosen = LinkUse {
            token: request.field("token").to_owned(),
            password: Password::new(request.field("password")),
            repeated: Password::new(request.field("password2")),
            email: request.field("email").to_owned(),
            name: request.field("name").to_owned(),
        };
        match self.app.use_link(&request.ask, purpose, &chosen) {
            Ok(token) => {
                let said = [(crate::model::Tone::Success, "Your password is set and you are signed in.".to_owned())];
                let reply = Reply::redirect("/").session(SessionAct::Begin(token.expose().to_owned()));
                self.flash(&crate::app::binding_of_session(token.expose()), &said, reply)
            }
            Err(LinkRefusal::Password(problems)) => {
                let errors: Vec<String> = problems.iter().map(|problem| crate::app::sentence(&problem.to_string())).collect();
                let (email, name) = match self.app.open_link(purpose, &chosen.token) {
                    Ok(page) if purpose != Purpose::Bootstrap => (page.email, page.name),
                    _ => (chosen.email.clone(), chosen.name.clone()),
                };
                self.choose_password(request, &shell, 422, purpose, &chosen.token, &email, &name, &errors)
            }
            Err(refusal) => self.link_refused(request, &shell, refusal),
        }
    }

    fn link_refused(&self, request: &Request, shell: &Shell, refusal: LinkRefusal) -> Reply {
        let error = match refusal {
            LinkRefusal::Link(LinkError::Db(error)) => return self.link_broken(request, shell, &error.into()),
            LinkRefusal::Other(refusal) => return self.link_broken(request, shell, &refusal),
            // It was recorded where it happened.
            LinkRefusal::Unfinished(_) => return self.unfinished(request, shell),
            LinkRefusal::Password(_) => LinkError::Altered,
            LinkRefusal::Link(error) => error,
        };
        let (title, text, href, caption) = match error {
            LinkError::Expired => {
                ("This link has expired", "Links work for a limited time. Please ask for a new one.", "/", "To the start page")
            }
            LinkError::Used => (
                "This link was used already",
                "Each link works once. If that was you, sign in with the password you chose.",
                "/sign-in",
                "Sign in",
            ),
            LinkError::AlreadyKnown => (
                "You have an account already",
                "There is an account for this address. Sign in, or choose a new password if you have forgotten yours.",
                "/sign-in",
                "Sign in",
            ),
            LinkError::Withdrawn => (
                "This link is no longer valid",
                "The account has changed since the link was made. Please ask for a new one.",
                "/",
                "To the start page",
            ),
            _ => (
                "This link does not work",
                "It is not one of ours, or it was cut off on its way. Please copy the whole link from the mail.",
                "/",
                "To the start page",
            ),
        };
        let values = json!({"text": text, "action_href": href, "action_text": caption});
        self.system(request, shell, 410, "system/link_problem.html", title, &values)
    }

    /// Not the link but something else is in the way: noted, so that an administrator finds it.
    fn link_broken(&self, request: &Request, shell: &Shell, refusal: &crate::app::Refusal) -> Reply {
        let (_, asker, _) = self.as_visitor(request);
        self.app.record_refusal(&request.ask, &asker, refusal);
        self.refused(request, shell, refusal)
    }
}
