//! The front door: how visitors register, and what the mailed links lead to.
//!
//! Up to the opened link nothing asks the database; the answer is the same whether or not the
//! address is known. The password is chosen only after the link proved the mailbox, so nobody can
//! register another's address in advance (S1-17 to S1-21).

use super::meter::{Meter, Verdict};
use super::{App, Ask, Asker, Live, Refusal};
use crate::access::Grants;
use crate::audit::{Event, EventKind};
use crate::clock::Clock;
use crate::config::Level;
use crate::db::Conn;
use crate::domain::{Name, ObjectId, QName, Value};
use crate::flow::{self, Budget, Effects, FlowContext, FlowError, RegistrationRequest};
use crate::identity::password::{ChoiceError, Password, PasswordProblem};
use crate::identity::{
    AccountId, Actor, Device, Founder, Identity, LinkError, Purpose, Registration, SessionToken, SignInError, normal_email,
};
use crate::mail::{Letter, MailError, Mailer};
use crate::store::{Caller, Store};
use crate::workspace::{Exported, Workspace};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Where a visitor hands over a registration. It can seal a link and mail it, and nothing else.
pub(super) struct FrontDoor<'a> {
    identity: &'a Identity,
    mailer: &'a Mailer,
    meter: &'a Meter,
    clock: &'a Clock,
    live: &'a Live,
    address: IpAddr,
    base_url: String,
}

impl FrontDoor<'_> {
    /// Mails a sealed link that carries the registration.
    pub fn register(&self, wish: &RegistrationRequest, data: Option<&Exported>) -> Result<(), Refusal> {
        let model = &self.live.model;
        let registration = model.registration.as_ref().ok_or(Refusal::Gone)?;
        let data = serde_json::to_value(data).map_err(|error| Refusal::Fault(error.to_string()))?;
        let email = normal_email(&wish.email).ok_or_else(|| mail_said(MailError::Unfit("the address is none")))?;
        let asked = Registration { email: email.clone(), name: wish.name.clone(), data };
        let lifetime = Duration::from_secs(u64::try_from(registration.expires_seconds).unwrap_or(3_600));
        let token = self.identity.registration_link(&asked, lifetime).map_err(said)?;
        if self.meter.take(self.address, &self.identity.masked(&email), self.clock.now())? == Verdict::Withhold {
            return Ok(());
        }
        let link = format!("{}/link/register/{token}", self.base_url);
        let letter = Letter::Registration.write(&model.title, &email, &wish.name, &link, &until(self.clock, lifetime));
        self.mailer.send(&letter.map_err(mail_said)?, self.clock.now()).map_err(mail_said)
    }
}

/// The moment a link ends, for a letter.
pub(super) fn until(clock: &Clock, lifetime: Duration) -> String {
    let end = clock.now() + chrono::TimeDelta::from_std(lifetime).unwrap_or_default();
    end.format("%-d %B %Y, %H:%M UTC").to_string()
}

fn mail_said(error: MailError) -> Refusal {
    match error {
        MailError::Unfit(_) | MailError::Refused(_) => {
            Refusal::Said("No mail can be sent to this address. Please check it; what you typed is still here.".into())
        }
        _ => Refusal::Said(
            "The mail could not be sent just now. Nothing was lost: please send the form again in a few minutes.".into(),
        ),
    }
}

/// Why there is no link, in words for a person.
pub(super) fn said(error: LinkError) -> Refusal {
    match error {
        LinkError::Db(error) => error.into(),
        other => Refusal::Said(sentence(&other.to_string())),
    }
}

/// `this is x` → `This is x.`
pub fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

/// A mailed link, opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkPage {
    /// What it is for.
    pub purpose: Purpose,
    /// The address it was mailed to; empty for the first administrator.
    pub email: String,
    /// The person's name.
    pub name: String,
}

/// What is chosen on the page of a link.
pub struct LinkUse {
    /// The link's text.
    pub token: String,
    /// The password, twice.
    pub password: Password,
    /// The second time.
    pub repeated: Password,
    /// Only for the first administrator: the address.
    pub email: String,
    /// Only for the first administrator: the name.
    pub name: String,
}

/// Why a link was not used up.
#[derive(Debug)]
pub enum LinkRefusal {
    /// The link itself is the problem.
    Link(LinkError),
    /// The password is: the form can be sent again.
    Password(Vec<PasswordProblem>),
    /// The app's own flow for a new account failed: nothing was made, and the link stays valid. Why, for operators.
    Unfinished(String),
    /// Something else.
    Other(Refusal),
}

impl From<LinkError> for LinkRefusal {
    fn from(error: LinkError) -> Self {
        Self::Link(error)
    }
}
impl From<crate::db::DbError> for LinkRefusal {
    fn from(error: crate::db::DbError) -> Self {
        Self::Other(error.into())
    }
}
impl From<Refusal> for LinkRefusal {
    fn from(refusal: Refusal) -> Self {
        Self::Other(refusal)
    }
}

/// The person was promised an account: a flow that may not do its part is the app's fault, not theirs.
fn unfinished(after: &QName, error: FlowError) -> LinkRefusal {
    match error {
        FlowError::Denied(denied) => LinkRefusal::Unfinished(format!("{after}: {}", denied.summary())),
        FlowError::Nothing(_) | FlowError::Exhausted(_) | FlowError::Overflow | FlowError::Broken(_) => {
            LinkRefusal::Unfinished(format!("{after}: {error}"))
        }
        other => LinkRefusal::Other(other.into()),
    }
}

/// The session begins in the transaction that keeps the password, so either both happen or neither.
fn not_signed_in(error: SignInError) -> LinkRefusal {
    LinkRefusal::Other(match error {
        SignInError::Db(error) => error.into(),
        other => Refusal::Fault(other.to_string()),
    })
}

impl App {
    pub(super) fn front_door<'a>(&'a self, live: &'a Live, ask: &'a Ask) -> FrontDoor<'a> {
        FrontDoor {
            identity: &self.identity,
            mailer: &self.mailer,
            meter: &self.registrations,
            clock: &self.clock,
            live,
            address: ask.address,
            base_url: self.settings.base_url.to_string(),
        }
    }

    /// Looks at a link. The database is asked only now.
    pub fn open_link(&self, purpose: Purpose, token: &str) -> Result<LinkPage, LinkRefusal> {
        let page = |email: &str, name: &str| LinkPage { purpose, email: email.to_owned(), name: name.to_owned() };
        if purpose == Purpose::Register {
            self.identity.open_registration(token)?;
        }
        Ok(self.db.read(|conn| match purpose {
            Purpose::Register => {
                let found = self.identity.check_registration(conn, token)?;
                Ok::<_, LinkError>(page(&found.email, &found.name))
            }
            Purpose::Invite => self.identity.check_invitation(conn, token).map(|account| page(&account.email, &account.name)),
            Purpose::Reset => self.identity.check_reset(conn, token).map(|account| page(&account.email, &account.name)),
            Purpose::Bootstrap => {
                let administrators = self.live().model.administrators();
                self.identity.check_bootstrap(conn, token, &administrators).map(|()| page("", ""))
            }
        })?)
    }

    /// Uses a link up: sets the password, makes the account where there is none, and signs in.
    pub fn use_link(&self, ask: &Ask, purpose: Purpose, chosen: &LinkUse) -> Result<SessionToken, LinkRefusal> {
        let page = self.open_link(purpose, &chosen.token)?;
        let (email, name) = match purpose {
            Purpose::Bootstrap => (chosen.email.clone(), chosen.name.clone()),
            _ => (page.email, page.name),
        };
        if !chosen.password.same_as(&chosen.repeated) {
            return Err(LinkRefusal::Password(vec![PasswordProblem::Differs]));
        }
        let hashed = self.identity.choose_password(&chosen.password, &email, &name).map_err(|error| match error {
            ChoiceError::Problems(problems) => LinkRefusal::Password(problems),
            ChoiceError::Hash(_) => LinkRefusal::Other(Refusal::TooFast(Duration::from_secs(5))),
        })?;
        let by = Actor::visitor(ask.address, Some(&ask.request_id));
        let live = self.live();
        if purpose == Purpose::Register {
            self.prepare_job(&live, &Grants::none(&live.model)).map_err(LinkRefusal::Other)?;
        }
        let device = Device { address: ask.address, agent: &ask.agent, replaces: ask.session.as_deref() };
        let done = self.db.write(|conn| {
            let mut effects = Effects::default();
            let id = match purpose {
                Purpose::Register => {
                    let role = live.model.registration.as_ref().map(|r| r.user_role.clone()).ok_or(LinkError::Withdrawn)?;
                    let asked = self.identity.open_registration(&chosen.token)?;
                    let id = self.identity.complete_registration(conn, &by, &chosen.token, &hashed, &role)?;
                    effects = self.after_registration(conn, &live, ask, id, asked)?;
                    id
                }
                Purpose::Invite => self.identity.accept_invitation(conn, &by, &chosen.token, &hashed)?,
                Purpose::Reset => self.identity.complete_reset(conn, &by, &chosen.token, &hashed)?,
                Purpose::Bootstrap => {
                    let founder = Founder { email: &chosen.email, name: &chosen.name, chosen: &hashed };
                    let administrators = live.model.administrators();
                    self.identity.complete_bootstrap(conn, &by, &chosen.token, founder, &administrators)?
                }
            };
            let begun = self.identity.begin_session_chosen(conn, id, &hashed, device, Some(&ask.request_id));
            let token = begun.map_err(not_signed_in)?;
            Ok::<_, LinkRefusal>((token, effects))
        });
        if let Err(LinkRefusal::Unfinished(why)) = &done {
            self.record_unfinished(ask, why);
        }
        let (token, effects) = done?;
        self.write_log(&effects, Some(&ask.request_id));
        Ok(token)
    }

    /// Records that the app's own flow could not complete a registration. Nothing was kept, and the link stays valid.
    fn record_unfinished(&self, ask: &Ask, why: &str) {
        let live = self.live();
        let asker = Asker::visitor(self, &live, ask);
        let text = format!("a registration could not be completed: {why}");
        self.note(Level::Error, "portcullis.registration", &text, ask);
        let after = live.model.registration.as_ref().and_then(|registration| registration.after.as_ref());
        let event = Event::new(EventKind::FlowFailed, text).on(after.map(ToString::to_string).unwrap_or_default());
        if let Err(error) = self.record(&self.told_by(event, &asker, ask)) {
            self.note(Level::Critical, "portcullis.audit", &format!("a failed registration could not be recorded: {error}"), ask);
        }
    }

    /// The app's own flow for a new account, as a job with exactly the flow's elevation, in the same transaction. What
    /// it wants beyond the data is for after the commit.
    fn after_registration(
        &self,
        conn: &mut Conn,
        live: &Arc<Live>,
        ask: &Ask,
        id: AccountId,
        asked: Registration,
    ) -> Result<Effects, LinkRefusal> {
        let after = live.model.registration.as_ref().and_then(|registration| registration.after.clone());
        let Some(after) = after else { return Ok(Effects::default()) };
        let flow = live.model.microflows.get(&after).cloned().ok_or(Refusal::Gone)?;
        let grants = Grants::none(&live.model);
        let permit = grants.call(&after).map_err(Refusal::from)?;
        let exported: Option<Exported> = serde_json::from_value(asked.data).map_err(|error| Refusal::Fault(error.to_string()))?;
        let workspace = Workspace::new(live.model.clone(), None, grants.roles().clone(), self.clock.now());
        let workspace = Rc::new(RefCell::new(workspace));
        let data = match exported {
            Some(exported) => {
                let imported = workspace.borrow_mut().import(&exported);
                Value::Object(imported.map_err(|error| Refusal::Fault(error.to_string()))?)
            }
            None => Value::Empty,
        };
        let values = [Value::Object(ObjectId(id.0)), data];
        let arguments: BTreeMap<Name, Value> = flow.parameters.keys().cloned().zip(values).collect();
        let asker = Asker::visitor(self, live, ask);
        let recorder = self.recorder(&asker, ask);
        let mut store = Store::new(conn, &live.statements, Caller { user: None, now: self.clock.now() }, &recorder);
        let mut effects = Effects::default();
        let mut objects = super::context::Joined { workspace, store: &mut store };
        let mut context = FlowContext {
            grants: &grants,
            objects: &mut objects,
            account: None,
            language: &ask.language,
            now: self.clock.now(),
            effects: &mut effects,
            budget: Budget::start(&self.clock),
        };
        flow::run_job(&permit, arguments, &mut context).map_err(|error| unfinished(&after, error))?;
        self.enqueue(store.conn(), &effects)?;
        store.finish().map_err(Refusal::from)?;
        for event in super::act::elevated(&effects) {
            let event = self.told_by(event, &asker, ask);
            crate::audit::record(conn, &self.keys, &self.settings.node, &self.clock, &event).map_err(super::act::fault)?;
        }
        Ok(effects)
    }
}
