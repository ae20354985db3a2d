//! Who asks, as far as the edge can tell, and who that proves to be.

use super::{App, Live, Refusal};
use crate::access::{Authority, Grants, Part};
use crate::config::Level;
use crate::crypto::FormSecret;
use crate::db::Conn;
use crate::domain::{Name, ObjectId};
use crate::identity::{Actor, Caller, Session, SessionId, VisitorId};
use crate::model::Model;
use crate::store::{self, SyncError};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// What the edge knows about a request. Nothing in it is proved yet.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The session token of the cookie.
    pub session: Option<String>,
    /// The visitor cookie.
    pub visitor: Option<String>,
    /// The client's address.
    pub address: IpAddr,
    /// What the browser calls itself.
    pub agent: String,
    /// The request's id, in every log line and audit record.
    pub request_id: String,
    /// The language to speak.
    pub language: String,
    /// Path and query, for what comes after signing in.
    pub target: String,
    /// Reasons are wanted on every page.
    pub xray: bool,
}

/// Somebody who proved who they are (a visitor: that the cookie is one of ours).
pub struct Asker {
    /// The caller.
    pub caller: Caller,
    /// The grants of the caller's roles, as they are now.
    pub grants: Arc<Grants>,
    /// What every form must carry.
    pub csrf: FormSecret,
    /// What sealed things are bound to: the session, or the visitor.
    pub binding: String,
    /// The visitor cookie to set, if it is new.
    pub new_visitor: Option<String>,
    /// Whether reasons on every page are for them.
    pub explains: bool,
}

impl Asker {
    /// A visitor; asks nothing of the database.
    pub fn visitor(app: &App, live: &Live, ask: &Ask) -> Self {
        let known = ask.visitor.as_deref().and_then(|cookie| app.identity.prove_visitor(cookie));
        let (id, new_visitor) = match known {
            Some(id) => (id, None),
            None => {
                let (id, cookie) = app.identity.welcome_visitor();
                (id, Some(cookie))
            }
        };
        Self {
            csrf: app.identity.visitor_csrf(id),
            binding: binding_of(id),
            caller: Caller::Visitor(id),
            grants: live.visitor_grants(),
            new_visitor,
            // Visitors have no user role that could be named; in demo mode there is nothing to keep from them.
            explains: app.demo.is_some(),
        }
    }

    /// A signed-in person.
    pub fn user(app: &App, live: &Live, session: Session) -> Self {
        let grants = live.grants_of(session.user.user_roles());
        Self {
            csrf: session.csrf,
            binding: binding_of_user(session.user.session()),
            explains: app.demo.is_some() || grants.administer(Part::Explain).is_ok(),
            grants,
            caller: Caller::User(session.user),
            new_visitor: None,
        }
    }

    /// The account, if one was proved.
    pub fn account(&self) -> Option<ObjectId> {
        match &self.caller {
            Caller::User(user) => Some(ObjectId(user.id().0)),
            _ => None,
        }
    }
    /// The caller's user roles as they were proved, not as grants were made of them.
    pub(super) fn user_roles(&self, model: &Model) -> BTreeSet<Name> {
        match &self.caller {
            Caller::User(user) => user.user_roles().clone(),
            _ => model.anonymous_role().cloned().into_iter().collect(),
        }
    }
    /// How the caller is named in the trail.
    pub fn actor<'a>(&self, ask: &'a Ask) -> Actor<'a> {
        match &self.caller {
            Caller::User(user) => Actor::user(user, Some(&ask.request_id)),
            _ => Actor::visitor(ask.address, Some(&ask.request_id)),
        }
    }
    /// Name and address of a signed-in person; empty for a visitor.
    pub fn name_and_email(&self) -> (&str, &str) {
        match &self.caller {
            Caller::User(user) => (user.name(), user.email()),
            _ => ("", ""),
        }
    }

    /// Refuses a form that this caller's own page did not make (ASVS 3.5.1).
    // SECURITY: compared in constant time; `a_form_without_the_sessions_token_does_nothing`.
    pub fn check_csrf(&self, token: &str) -> Result<(), Refusal> {
        if self.csrf.is_in(token) && self.new_visitor.is_none() {
            return Ok(());
        }
        Err(Refusal::Forged("the form's token is not this session's"))
    }
}

fn binding_of_user(session: &SessionId) -> String {
    format!("user {}", session.as_str())
}

fn unpreparable(error: SyncError) -> Refusal {
    Refusal::Unavailable(error.to_string())
}

/// What messages for the next page of a fresh session are sealed to.
pub fn binding_of_session(token: &str) -> String {
    binding_of_user(&SessionId::new(&crate::crypto::hash_token(token)))
}

fn binding_of(id: VisitorId) -> String {
    format!("visitor {id}")
}

impl App {
    /// The signed-in person behind a request, in the caller's transaction; `None` for a visitor or a session that ended.
    pub(super) fn prove(&self, conn: &mut Conn, live: &Live, ask: &Ask) -> Result<Option<Asker>, Refusal> {
        let Some(token) = ask.session.as_deref() else { return Ok(None) };
        let session = self.identity.prove_session(conn, token)?;
        Ok(session.map(|session| self.proved(live, token, session)))
    }

    /// The same for work on stored objects: whose rights the database must have been told of.
    pub(super) fn prove_prepared(&self, conn: &mut Conn, live: &Live, ask: &Ask) -> Result<Option<Asker>, Refusal> {
        let Some(asker) = self.prove(conn, live, ask)? else { return Ok(None) };
        if live.statements.is_prepared(conn, &asker.grants, self.clock.now()).map_err(unpreparable)? {
            return Ok(Some(asker));
        }
        Err(Refusal::Unprepared(asker.grants))
    }

    /// Does work in a transaction; when it meets rights that the database was not told of, it is told, and the
    /// work is done once more. What is generated is never made inside the transaction that needs it.
    pub(super) fn twice<T, E: From<Refusal>>(
        &self,
        live: &Live,
        unprepared: impl Fn(&E) -> Option<Arc<Grants>>,
        mut work: impl FnMut() -> Result<T, E>,
    ) -> Result<T, E> {
        match work() {
            Err(error) => match unprepared(&error) {
                Some(grants) => {
                    self.prepare(live, &grants)?;
                    work()
                }
                None => Err(error),
            },
            done => done,
        }
    }

    /// Tells the database of these rights.
    pub(super) fn prepare(&self, live: &Live, grants: &Grants) -> Result<(), Refusal> {
        store::prepare(&self.db, &live.statements, grants).map_err(|error| {
            let key = &grants.rights().key;
            let text = format!(
                "the rights {key} cannot be used before the database is told of them ({error}); run `portcullis migrate --apply`"
            );
            self.logs.write("portcullis.database", Level::Critical, &text, None);
            unpreparable(error)
        })
    }

    /// Tells the database of the rights of work that begins without a proof, unless it knows them.
    pub(super) fn prepare_job(&self, live: &Live, grants: &Grants) -> Result<(), Refusal> {
        let known = self.db.read(|conn| Ok::<_, Refusal>(live.statements.is_prepared(conn, grants, self.clock.now())))?;
        if known.map_err(unpreparable)? { Ok(()) } else { self.prepare(live, grants) }
    }

    /// Who asks: a signed-in person if there is a session cookie (one statement), else a visitor (none).
    pub fn asker(&self, live: &Live, ask: &Ask) -> Result<Asker, Refusal> {
        if let Some(token) = ask.session.as_deref()
            && let Some(session) = self.identity.load_session(&self.db, token)?
        {
            return Ok(self.proved(live, token, session));
        }
        Ok(Asker::visitor(self, live, ask))
    }

    fn proved(&self, live: &Live, token: &str, session: Session) -> Asker {
        self.known.note(token, ObjectId(session.user.id().0));
        Asker::user(self, live, session)
    }

    /// Notes something in the log under the request.
    pub(super) fn note(&self, level: Level, node: &str, text: &str, ask: &Ask) {
        self.logs.write(node, level, text, Some(&ask.request_id));
    }
}
