//! Users: finding, inviting, roles, blocking, links, sessions.

use super::{Administrator, closed};
use crate::access::Ground;
use crate::app::{Refusal, registration};
use crate::audit::{self, Record};
use crate::db::Conn;
use crate::domain::Name;
use crate::identity::{self, Account, AccountFilter, AccountId, AccountState, Doubt, NewAccount, SessionInfo};
use crate::store;
use std::collections::BTreeSet;

/// Accounts on one page.
const A_PAGE: i64 = 25;
/// The last page that can be asked for.
const LAST_PAGE: i64 = 100_000;
/// Events shown with an account.
const EVENTS: u32 = 20;

/// An account with the user roles it holds.
pub struct UserLine {
    /// The account.
    pub account: Account,
    /// Its user roles, as far as the model knows them.
    pub roles: Vec<Name>,
    /// Why it could be taken for another account.
    pub doubts: Vec<Doubt>,
}

/// A page of accounts.
pub struct UserList {
    /// The accounts, by name.
    pub users: Vec<UserLine>,
    /// How many fit in all.
    pub total: i64,
    /// The number of this page, from 1.
    pub page: i64,
    /// Accounts before this page.
    pub offset: i64,
    /// Accounts on a full page.
    pub size: i64,
    /// The user roles that may be given to somebody who is invited.
    pub assignable: BTreeSet<Name>,
}

/// A user role beside an account.
pub struct RoleChoice {
    /// Its name.
    pub name: Name,
    /// Its documentation line.
    pub doc: String,
    /// Whether the account holds it.
    pub held: bool,
    /// Whether it is the administrator's to give and to take here.
    pub assignable: bool,
}

/// One account, to be looked after.
pub struct UserPage {
    /// The account.
    pub account: Account,
    /// Whether it is the administrator's own.
    pub own: bool,
    /// Whether it may be blocked, reset and signed out by this administrator.
    pub within_reach: bool,
    /// Every user role that a person can hold.
    pub roles: Vec<RoleChoice>,
    /// Why it could be taken for another account.
    pub doubts: Vec<Doubt>,
    /// Where its owner is signed in.
    pub sessions: Vec<SessionInfo>,
    /// What happened to it lately, latest first. Sentences only: values are for readers of the trail.
    pub events: Vec<Record>,
}

/// A link that has to reach somebody's mailbox.
pub struct MailedLink {
    /// Whose.
    pub account: AccountId,
    /// To which address.
    pub email: String,
    /// The person's name.
    pub name: String,
    /// The text of the link.
    pub token: String,
    /// Why the account could be taken for another.
    pub doubts: Vec<Doubt>,
}

impl Administrator<'_> {
    /// The accounts that fit, a page of them (from 1).
    pub fn users(&self, conn: &mut Conn, filter: &AccountFilter, page: i64) -> Result<UserList, Refusal> {
        let mut page = page.clamp(1, LAST_PAGE);
        let mut found = identity::search(conn, filter, A_PAGE, (page - 1) * A_PAGE)?;
        if found.accounts.is_empty() && found.total > 0 {
            // Beyond the end is the end.
            page = (found.total + A_PAGE - 1) / A_PAGE;
            found = identity::search(conn, filter, A_PAGE, (page - 1) * A_PAGE)?;
        }
        let offset = (page - 1) * A_PAGE;
        let ids: Vec<AccountId> = found.accounts.iter().map(|account| account.id).collect();
        let mut roles = identity::roles_of(conn, &ids)?;
        let mut doubts = identity::doubts(conn, &found.accounts)?;
        let users = found.accounts.into_iter().map(|account| {
            let held = roles.remove(&account.id).unwrap_or_default();
            let doubts = doubts.remove(&account.id).unwrap_or_default();
            UserLine { roles: self.live.model.known_roles(&held).into_iter().collect(), account, doubts }
        });
        Ok(UserList { users: users.collect(), total: found.total, page, offset, size: A_PAGE, assignable: self.assignable() })
    }

    /// One account.
    pub fn user(&self, conn: &mut Conn, id: AccountId) -> Result<UserPage, Refusal> {
        let account = identity::find(conn, id)?.ok_or(Refusal::Gone)?;
        let held = identity::roles(conn, id)?;
        let (own, assignable) = (self.is_own(id), self.assignable());
        let roles = self.live.model.user_roles.iter().filter(|(_, role)| !role.anonymous).map(|(name, role)| RoleChoice {
            name: name.clone(),
            doc: role.doc.clone(),
            held: held.contains(name),
            assignable: !own && assignable.contains(name),
        });
        let filter = audit::Filter { object: Some(format!("system.User#{id}")), ..audit::Filter::default() };
        let events = audit::search(conn, &filter, &audit::Page::latest(EVENTS))?.records;
        let sessions = self.app.identity.sessions_of(conn, id)?;
        let within_reach = !own && self.reaches(&held);
        let doubts = doubts_of(conn, &account)?;
        Ok(UserPage { doubts, roles: roles.collect(), account, own, within_reach, sessions, events })
    }

    /// Makes an account for somebody, and the link by which they choose their password.
    pub fn invite(&self, conn: &mut Conn, email: &str, name: &str, roles: &[&str]) -> Result<MailedLink, Refusal> {
        let roles = self.given(roles)?;
        self.usable(conn, &roles)?;
        let new = NewAccount { email, name, roles: &roles };
        let (id, token) = self.app.identity.invite(conn, &self.asker.actor(self.ask), &new).map_err(registration::said)?;
        let account = identity::find(conn, id)?.ok_or(Refusal::Gone)?;
        mailed(conn, account, token)
    }

    /// Makes another link for somebody who has not accepted yet.
    pub fn invite_again(&self, conn: &mut Conn, id: AccountId) -> Result<MailedLink, Refusal> {
        let account = self.somebody_else(conn, id)?;
        if account.state != AccountState::Invited {
            return Err(Refusal::Said("Only somebody who has not chosen a password yet can be invited again.".into()));
        }
        let token = self.app.identity.invitation_link(conn, &self.asker.actor(self.ask), id).map_err(registration::said)?;
        mailed(conn, account, token)
    }

    /// Makes a link by which the owner chooses a new password.
    pub fn reset(&self, conn: &mut Conn, id: AccountId) -> Result<MailedLink, Refusal> {
        let account = self.somebody_else(conn, id)?;
        if account.state != AccountState::Active {
            return Err(Refusal::Said("Only an account in use can get a link for a new password.".into()));
        }
        let token = self.app.identity.reset_link(conn, &self.asker.actor(self.ask), id).map_err(registration::said)?;
        mailed(conn, account, token)
    }

    /// Gives somebody else exactly these roles, of those that are the administrator's to give; the others stay.
    // SECURITY: nobody raises themselves or others: not to oneself, no role that none of the assigner's own roles
    // names, and what the assigner may not give they cannot take either
    // (`roles_beyond_may_assign_are_refused_and_recorded`, `nobody_changes_their_own_roles`).
    pub fn assign(&self, conn: &mut Conn, id: AccountId, version: i64, wanted: &[&str]) -> Result<(), Refusal> {
        if self.is_own(id) {
            return Err(closed(Ground::Delegation, "nobody changes their own roles"));
        }
        let wanted = self.given(wanted)?;
        let assignable = self.assignable();
        let held = identity::roles(conn, id)?;
        let kept = held.iter().filter(|role| !assignable.contains(*role)).cloned();
        let roles: BTreeSet<Name> = kept.chain(wanted).collect();
        // Taking away waits for nothing: what the database was not told of stays shut until it is.
        if !roles.is_subset(&held) {
            self.usable(conn, &roles)?;
        }
        Ok(self.app.identity.replace_roles(
            conn,
            &self.asker.actor(self.ask),
            id,
            version,
            &roles,
            &self.live.model.administrators(),
        )?)
    }

    /// Closes an account and ends its sessions.
    pub fn block(&self, conn: &mut Conn, id: AccountId) -> Result<(), Refusal> {
        self.somebody_else(conn, id)?;
        Ok(self.app.identity.block(conn, &self.asker.actor(self.ask), id, &self.live.model.administrators())?)
    }

    /// Opens an account again.
    pub fn unblock(&self, conn: &mut Conn, id: AccountId) -> Result<(), Refusal> {
        self.somebody_else(conn, id)?;
        Ok(self.app.identity.unblock(conn, &self.asker.actor(self.ask), id)?)
    }

    /// Ends every session of an account; of one's own, all but this one.
    pub fn end_sessions(&self, conn: &mut Conn, id: AccountId) -> Result<usize, Refusal> {
        let by = self.asker.actor(self.ask);
        let own = match &self.asker.caller {
            identity::Caller::User(user) if user.id() == id => Some(user.session()),
            _ => None,
        };
        if own.is_none() {
            self.somebody_else(conn, id)?;
        }
        Ok(self.app.identity.end_sessions(conn, &by, id, own)?)
    }

    /// Holds back a combination of roles that the database was not told of: it is told first, and where that is not
    /// for the server to do, nobody is given these roles.
    fn usable(&self, conn: &mut Conn, roles: &BTreeSet<Name>) -> Result<(), Refusal> {
        let (app, grants) = (self.app, self.live.grants_of(roles));
        let known = self.live.statements.is_prepared(conn, &grants, app.clock.now());
        if known.map_err(|error| Refusal::Unavailable(error.to_string()))? {
            return Ok(());
        }
        if store::can_prepare(&app.db)? {
            return Err(Refusal::Unprepared(grants));
        }
        Err(Refusal::Said(
            "Nobody holds these roles together yet, and the server may not prepare the database for them. \
             The operator can, with the setting database_owner."
                .into(),
        ))
    }

    fn is_own(&self, id: AccountId) -> bool {
        self.asker.account().is_some_and(|own| own.0 == id.0)
    }

    /// Role names of a form, every one of them the administrator's to give.
    fn given(&self, names: &[&str]) -> Result<BTreeSet<Name>, Refusal> {
        let assignable = self.assignable();
        let one = |name: &&str| {
            let role = Name::from(*name);
            if assignable.contains(&role) {
                Ok(role)
            } else {
                Err(closed(Ground::Delegation, "a role that is not theirs to give"))
            }
        };
        names.iter().map(one).collect()
    }

    /// Whether an account with these roles may be blocked, opened, reset and signed out.
    // SECURITY: an account is within reach when each of its roles is the administrator's to give, or one they hold
    // themselves. So peers can stop a stolen account of one of them, while whoever may only hand out small roles
    // can neither lock out those above them nor open again what those closed
    // (`accounts_above_the_administrator_are_out_of_reach`). A reset link needs no stricter rule: it goes to the
    // owner's own mailbox and is never shown.
    fn reaches(&self, held: &BTreeSet<Name>) -> bool {
        let (assignable, own) = (self.assignable(), self.asker.grants.roles());
        self.live.model.known_roles(held).iter().all(|role| assignable.contains(role) || own.contains(role))
    }

    /// An account of somebody else, within reach.
    fn somebody_else(&self, conn: &mut Conn, id: AccountId) -> Result<Account, Refusal> {
        let account = identity::find(conn, id)?.ok_or(Refusal::Gone)?;
        if self.is_own(id) {
            return Err(closed(Ground::Delegation, "nobody administers their own account"));
        }
        if !self.reaches(&identity::roles(conn, id)?) {
            return Err(closed(Ground::Delegation, "the account holds roles beyond the administrator's reach"));
        }
        Ok(account)
    }
}

fn mailed(conn: &mut Conn, account: Account, token: String) -> Result<MailedLink, Refusal> {
    let doubts = doubts_of(conn, &account)?;
    Ok(MailedLink { account: account.id, email: account.email, name: account.name, token, doubts })
}

fn doubts_of(conn: &mut Conn, account: &Account) -> Result<Vec<Doubt>, Refusal> {
    Ok(identity::doubts(conn, std::slice::from_ref(account))?.remove(&account.id).unwrap_or_default())
}
