//! Invitations: an account without a password, and the link by which its owner chooses one.

use super::account::{self, Account, AccountId, AccountState};
use super::link::{LinkError, Opened, Purpose};
use super::password::ChosenPassword;
use super::{Actor, Identity, trail};
use crate::audit::EventKind;
use crate::db::Conn;

impl Identity {
    /// The text of the link to mail to somebody who is still invited.
    pub fn invitation_link(&self, conn: &mut Conn, by: &Actor<'_>, id: AccountId) -> Result<String, LinkError> {
        let account = account::find(conn, id)?.filter(|account| account.state == AccountState::Invited);
        let account = account.ok_or(LinkError::Withdrawn)?;
        let token = self.seal_link(Purpose::Invite, account.id.0, self.settings.invitation_lifetime)?;
        self.record(conn, &by.event(EventKind::UserInvited, "an invitation was made").on(trail::object(id)))?;
        Ok(token)
    }

    /// Whose invitation it is, if it can still be accepted.
    pub fn check_invitation(&self, conn: &mut Conn, token: &str) -> Result<Account, LinkError> {
        let link = self.open_link::<i64>(Purpose::Invite, token)?;
        self.check_unused(conn, &link)?;
        invited(conn, &link)
    }

    /// Sets the password and makes the account active, in the caller's transaction.
    pub fn accept_invitation(
        &self,
        conn: &mut Conn,
        by: &Actor<'_>,
        token: &str,
        chosen: &ChosenPassword,
    ) -> Result<AccountId, LinkError> {
        let link = self.open_link::<i64>(Purpose::Invite, token)?;
        self.spend(conn, &link, Some(AccountId(link.payload)))?;
        let id = invited(conn, &link)?.id;
        account::set_access(conn, id, Some(chosen.hash()), AccountState::Active, self.clock.now())?;
        self.record(conn, &by.event(EventKind::LinkUsed, "an invitation was accepted").on(trail::object(id)))?;
        Ok(id)
    }
}

fn invited(conn: &mut Conn, link: &Opened<i64>) -> Result<Account, LinkError> {
    let account = account::find(conn, AccountId(link.payload))?.filter(|account| account.state == AccountState::Invited);
    account.ok_or(LinkError::Withdrawn)
}
