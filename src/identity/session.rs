//! Sessions of signed-in people, in the database.
//!
//! The browser holds 256 random bits; the database holds their hash. Whether a session is alive is
//! read anew each time: not ended, not idle too long, not too old, and its account active (ASVS
//! 7.2.1 to 7.4.2). The CSRF token is made from the session's token and stored nowhere.

use super::account::{self, AccountId, AccountState};
use super::caller::User;
use super::sign_in::{PasswordVerified, SignInError};
use super::{Actor, Identity, trail};
use crate::audit::EventKind;
use crate::crypto::{FormSecret, hash_token, random_token};
use crate::db::schema::{account as accounts, account_role, session};
use crate::db::sql::{Params, Sql, fetch};
use crate::db::{Conn, Db, DbError, Dialect, Moment, on};
use crate::domain::{Kind, Name, Value};
use chrono::{NaiveDateTime, TimeDelta};
use diesel::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// How often a session in use is noted as such.
const TOUCH: TimeDelta = TimeDelta::seconds(60);
/// The longest token that is looked at.
const LONGEST_TOKEN: usize = 64;
/// The most that a session's data may take, in bytes of JSON.
const MOST_DATA: usize = 16_384;

/// The secret that a browser keeps.
#[derive(Clone)]
pub struct SessionToken(String);

impl SessionToken {
    /// The text for the cookie.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionToken(..)")
    }
}

/// The name of a session: the hash of its token. It opens nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(String);

impl SessionId {
    /// A name that came back from a page; whether there is such a session is seen when it is used.
    pub fn new(text: &str) -> Self {
        Self(text.chars().take(64).collect())
    }
    /// The text of the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    #[cfg(test)]
    pub(super) fn for_test(id: i64) -> Self {
        Self(format!("test-{id}"))
    }
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub struct Device<'a> {
    /// The peer's address.
    pub address: IpAddr,
    /// What the browser calls itself.
    pub agent: &'a str,
    /// The session token that it came with: that session ends when another begins.
    pub replaces: Option<&'a str>,
}

/// A live session, read at the beginning of a request.
#[derive(Clone, Debug)]
pub struct Session {
    /// Whose it is.
    pub user: User,
    /// Small texts that outlive a request: messages to show once.
    pub data: BTreeMap<String, String>,
    /// What every form of this session carries.
    pub csrf: FormSecret,
    /// When it was last noted as used.
    pub last_seen: NaiveDateTime,
}

/// A session as its owner or an administrator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// Its name.
    pub id: SessionId,
    /// When it began.
    pub started: NaiveDateTime,
    /// When it was last used, to the minute.
    pub last_seen: NaiveDateTime,
    /// From where it began.
    pub address: String,
    /// What the browser called itself.
    pub agent: String,
}

type ProofRow = (i64, String, String, String, Moment, Option<String>);
type InfoRow = (String, Moment, Moment, String, String);

impl Identity {
    /// Begins a session for somebody whose password was verified just now; that uses the proof up.
    pub fn begin_session(&self, db: &Db, proof: PasswordVerified, device: Device<'_>) -> Result<SessionToken, SignInError> {
        db.write(|conn| self.start_session(conn, &proof, device))
    }

    /// The same in a transaction of the caller's, where the proof is made as well.
    pub(super) fn start_session(
        &self,
        conn: &mut Conn,
        proof: &PasswordVerified,
        device: Device<'_>,
    ) -> Result<SessionToken, SignInError> {
        let account = account::find(conn, proof.account())?.filter(|account| account.state == AccountState::Active);
        let id = account.ok_or(SignInError::WrongCredentials)?.id;
        let (now, token) = (self.clock.now(), random_token());
        let agent: String = device.agent.chars().filter(|c| !c.is_control()).take(200).collect();
        on!(&mut *conn, |c| {
            let row = (
                session::id_hash.eq(hash_token(&token)),
                session::account_id.eq(id.0),
                session::data.eq("{}"),
                session::created.eq(Moment(now)),
                session::last_seen.eq(Moment(now)),
                session::expires.eq(Moment(now + span(self.settings.session_absolute))),
                session::address.eq(device.address.to_canonical().to_string()),
                session::agent.eq(&agent),
            );
            diesel::insert_into(session::table).values(row).execute(c)
        })
        .map_err(DbError::from)?;
        account::set_last_seen(conn, id, now)?;
        if let Some(old) = device.replaces.filter(|old| old.len() <= LONGEST_TOKEN) {
            self.end_replaced(conn, &SessionId(hash_token(old)))?;
        }
        self.end_surplus(conn, id, &SessionId::new(&hash_token(&token)))?;
        Ok(SessionToken(token))
    }

    /// Ends the session that a browser had before it began another, whosever it was.
    // SECURITY: a session that was planted in a browser, or left in it, does not outlive the next sign-in there (ASVS
    // 7.2.4; `a_new_sign_in_ends_the_old_session_of_that_browser_and_no_other`).
    fn end_replaced(&self, conn: &mut Conn, id: &SessionId) -> Result<(), DbError> {
        let owner: Option<Option<i64>> = on!(&mut *conn, |c| session::table
            .filter(session::id_hash.eq(id.as_str()))
            .filter(session::ended.is_null())
            .select(session::account_id)
            .get_result(c)
            .optional())?;
        if let Some(owner) = owner.flatten() {
            self.end_session(conn, &Actor::system("sign-in"), AccountId(owner), id)?;
        }
        Ok(())
    }

    /// The live session of a token, in a transaction of the caller's. Writes nothing.
    ///
    /// In a write transaction the session and its account stay as they are until it ends.
    // SECURITY: what somebody may do is read here, and a change that rests on it must not be kept after the role was
    // taken, the account blocked or the session ended. An order that makes both right would not be enough: it may put
    // a change that was kept later before the removal. So the rows are locked: whoever takes a role away changes the
    // account and waits, or was first, and then this transaction runs again and finds the role gone
    // (`who_somebody_is_stays_so_until_the_write_that_read_it_is_over`,
    // `a_write_is_never_kept_after_its_role_was_taken`).
    pub fn prove_session(&self, conn: &mut Conn, token: &str) -> Result<Option<Session>, DbError> {
        if token.len() > LONGEST_TOKEN {
            return Ok(None);
        }
        let (id, now) = (hash_token(token), self.clock.now());
        if conn.writes() {
            lock_session(conn, &id, now)?;
        }
        let rows: Vec<ProofRow> = on!(conn, |c| {
            let alive = session::table
                .inner_join(accounts::table.left_join(account_role::table))
                .filter(session::id_hash.eq(&id))
                .filter(session::ended.is_null())
                .filter(session::expires.gt(Moment(now)))
                .filter(session::last_seen.gt(Moment(now - span(self.settings.session_idle))))
                .filter(accounts::state.eq(AccountState::Active.as_str()));
            let columns = (
                accounts::id,
                accounts::name,
                accounts::email,
                session::data,
                session::last_seen,
                account_role::user_role.nullable(),
            );
            alive.select(columns).load(c)
        })?;
        Ok(self.session_of(token, SessionId(id), rows))
    }

    /// The live session of a token; notes at most once a minute that it is in use.
    pub fn load_session(&self, db: &Db, token: &str) -> Result<Option<Session>, DbError> {
        let found = db.read(|conn| self.prove_session(conn, token))?;
        let now = self.clock.now();
        let Some(session) = found.as_ref().filter(|session| now - session.last_seen >= TOUCH) else { return Ok(found) };
        // Single statements about one's own rows; in nobody's way, and nothing is decided by them.
        match db.write_unserialized(|conn| self.touch(conn, &session.user, now)) {
            // A moment without a writer is no reason to refuse a reader; the next request notes it.
            Err(error) if !error.is_passing() => Err(error),
            _ => Ok(found),
        }
    }

    fn session_of(&self, token: &str, id: SessionId, rows: Vec<ProofRow>) -> Option<Session> {
        let roles: BTreeSet<Name> = rows.iter().filter_map(|row| row.5.as_deref().map(Name::from)).collect();
        let (account, name, email, data, last_seen, _) = rows.into_iter().next()?;
        let csrf = FormSecret::new(self.keys.mac("session csrf", token.as_bytes()));
        let data = serde_json::from_str(&data).unwrap_or_default();
        Some(Session { user: User::proved(AccountId(account), name, email, roles, id), data, csrf, last_seen: last_seen.0 })
    }

    fn touch(&self, conn: &mut Conn, user: &User, now: NaiveDateTime) -> Result<(), DbError> {
        on!(&mut *conn, |c| {
            let mine = session::table.filter(session::id_hash.eq(user.session().as_str())).filter(session::ended.is_null());
            diesel::update(mine).set(session::last_seen.eq(Moment(now))).execute(c)
        })?;
        account::set_last_seen(conn, user.id(), now)
    }

    /// Gives the session another token; the old one is dead from here on (ASVS 7.2.4).
    pub fn rotate_session(&self, conn: &mut Conn, user: &User) -> Result<Option<SessionToken>, DbError> {
        let token = random_token();
        let changed = on!(conn, |c| {
            let mine = session::table.filter(session::id_hash.eq(user.session().as_str())).filter(session::ended.is_null());
            diesel::update(mine).set(session::id_hash.eq(hash_token(&token))).execute(c)
        })?;
        Ok((changed == 1).then_some(SessionToken(token)))
    }

    /// Changes the session's small texts; what does not fit is not kept.
    pub fn change_session_data(
        &self,
        conn: &mut Conn,
        id: &SessionId,
        change: impl FnOnce(&mut BTreeMap<String, String>),
    ) -> Result<(), DbError> {
        let kept: Option<String> = on!(&mut *conn, |c| session::table
            .filter(session::id_hash.eq(id.as_str()))
            .select(session::data)
            .get_result(c)
            .optional())?;
        let Some(kept) = kept else { return Ok(()) };
        let mut data: BTreeMap<String, String> = serde_json::from_str(&kept).unwrap_or_default();
        change(&mut data);
        let text = serde_json::to_string(&data).unwrap_or_default();
        if text == kept || text.is_empty() || text.len() > MOST_DATA {
            return Ok(());
        }
        on!(conn, |c| diesel::update(session::table.filter(session::id_hash.eq(id.as_str())))
            .set(session::data.eq(text))
            .execute(c))?;
        Ok(())
    }

    /// Ends one session of an account; says whether there was one to end.
    pub fn end_session(&self, conn: &mut Conn, by: &Actor<'_>, account: AccountId, id: &SessionId) -> Result<bool, DbError> {
        let now = self.clock.now();
        let ended = on!(&mut *conn, |c| {
            let one = session::table.filter(session::id_hash.eq(id.as_str())).filter(session::account_id.eq(account.0));
            diesel::update(one.filter(session::ended.is_null())).set(session::ended.eq(Moment(now))).execute(c)
        })?;
        if ended > 0 {
            self.record_ended(conn, by, account, ended)?;
        }
        Ok(ended > 0)
    }

    /// Ends the session of somebody who leaves; says whether it was alive.
    pub fn sign_out(&self, conn: &mut Conn, user: &User, request_id: Option<&str>) -> Result<bool, DbError> {
        let now = self.clock.now();
        let ended = on!(&mut *conn, |c| {
            let mine = session::table.filter(session::id_hash.eq(user.session().as_str())).filter(session::ended.is_null());
            diesel::update(mine).set(session::ended.eq(Moment(now))).execute(c)
        })?;
        if ended > 0 {
            let by = Actor::user(user, request_id);
            self.record(conn, &by.event(EventKind::SignedOut, "signed out").on(trail::object(user.id())))?;
        }
        Ok(ended > 0)
    }

    /// Ends every session of an account but `except`; returns how many.
    pub fn end_sessions(
        &self,
        conn: &mut Conn,
        by: &Actor<'_>,
        account: AccountId,
        except: Option<&SessionId>,
    ) -> Result<usize, DbError> {
        let now = self.clock.now();
        let except = except.map_or("", SessionId::as_str);
        let ended = on!(&mut *conn, |c| {
            let others = session::table.filter(session::account_id.eq(account.0)).filter(session::id_hash.ne(except));
            diesel::update(others.filter(session::ended.is_null())).set(session::ended.eq(Moment(now))).execute(c)
        })?;
        if ended > 0 {
            self.record_ended(conn, by, account, ended)?;
        }
        Ok(ended)
    }

    /// The live sessions of an account, the latest used first.
    pub fn sessions_of(&self, conn: &mut Conn, account: AccountId) -> Result<Vec<SessionInfo>, DbError> {
        let now = self.clock.now();
        let rows: Vec<InfoRow> = on!(conn, |c| {
            let alive = session::table
                .filter(session::account_id.eq(account.0))
                .filter(session::ended.is_null())
                .filter(session::expires.gt(Moment(now)))
                .filter(session::last_seen.gt(Moment(now - span(self.settings.session_idle))));
            let columns = (session::id_hash, session::created, session::last_seen, session::address, session::agent);
            alive.select(columns).order((session::last_seen.desc(), session::id_hash)).load(c)
        })?;
        let info = |(id, started, last_seen, address, agent): InfoRow| SessionInfo {
            id: SessionId(id),
            started: started.0,
            last_seen: last_seen.0,
            address,
            agent,
        };
        Ok(rows.into_iter().map(info).collect())
    }

    /// Ends the sessions unused for longest when there are more than an account may have; never the one just begun.
    fn end_surplus(&self, conn: &mut Conn, account: AccountId, begun: &SessionId) -> Result<(), DbError> {
        let others = self.settings.sessions_per_account.max(1) - 1;
        for surplus in self.sessions_of(conn, account)?.iter().filter(|one| one.id != *begun).skip(others) {
            self.end_session(conn, &Actor::system("too many sessions"), account, &surplus.id)?;
        }
        Ok(())
    }
}

/// Keeps others from changing a session and its account until the transaction ends; several may do so at once. SQLite
/// has one writer.
fn lock_session(conn: &mut Conn, id_hash: &str, now: NaiveDateTime) -> Result<(), DbError> {
    if conn.dialect() == Dialect::Sqlite {
        return Ok(());
    }
    let mut sql = Sql::new();
    sql.raw("SELECT a.id FROM session AS s JOIN account AS a ON a.id = s.account_id WHERE s.id_hash = ");
    sql.bind(&Value::text(id_hash), &Kind::Text).raw(" FOR SHARE OF s, a");
    fetch(conn, &sql, &Params::new(None, now, now.date()), &[Kind::INTEGER]).map(drop)
}

/// Forgets sessions that ended thirty days ago; until then they tell which addresses are familiar.
pub(super) fn purge(conn: &mut Conn, now: NaiveDateTime) -> Result<usize, DbError> {
    let old = Moment(now - TimeDelta::days(30));
    Ok(on!(conn, |c| diesel::delete(session::table.filter(session::expires.lt(old))).execute(c))?)
}

fn span(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::days(365))
}
