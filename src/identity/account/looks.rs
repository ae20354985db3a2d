//! Accounts that could be taken for others: lookalike addresses and names, mixed scripts.
//!
//! Nobody is refused for it: people share names, and languages share letters. Whoever administers
//! accounts is shown it.

use super::{Account, AccountId};
use crate::db::schema::account;
use crate::db::{Conn, DbError, on};
use crate::domain::text::{isolated, look, mixes_scripts, visible};
use diesel::prelude::*;
use std::collections::BTreeMap;

/// At most so many accounts that look like one of those shown are compared.
const MOST_ALIKE: i64 = 500;

/// Why an account could be taken for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Its address looks like this other one.
    Address(String),
    /// Its name looks like that of the account with this address, and is written differently.
    Name(String),
    /// Its name or address mixes scripts.
    Scripts,
}

impl std::fmt::Display for Doubt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(other) => write!(f, "The address looks like {}.", isolated(&visible(other))),
            Self::Name(other) => {
                write!(f, "The name looks like that of {}, and is written differently.", isolated(&visible(other)))
            }
            Self::Scripts => f.write_str("The name or the address mixes letters of different scripts."),
        }
    }
}

/// What there is to doubt about each of these accounts; one without doubts is absent.
pub fn doubts(conn: &mut Conn, accounts: &[Account]) -> Result<BTreeMap<AccountId, Vec<Doubt>>, DbError> {
    let looks: Vec<(String, String)> = accounts.iter().map(|account| (look(&account.email), look(&account.name))).collect();
    let others: Vec<(i64, String, String)> = on!(conn, |c| {
        let addresses = account::email_look.eq_any(looks.iter().map(|(address, _)| address));
        let alike = account::table.filter(addresses.or(account::name_look.eq_any(looks.iter().map(|(_, name)| name))));
        alike.select((account::id, account::email, account::name)).order(account::id).limit(MOST_ALIKE).load(c)
    })?;
    let mut found: BTreeMap<AccountId, Vec<Doubt>> = BTreeMap::new();
    for (one, (address, name)) in accounts.iter().zip(&looks) {
        let mut doubts = Vec::new();
        if mixes_scripts(&one.email) || mixes_scripts(&one.name) {
            doubts.push(Doubt::Scripts);
        }
        for (_, email, called) in others.iter().filter(|(id, ..)| *id != one.id.0) {
            if look(email) == *address {
                doubts.push(Doubt::Address(email.clone()));
            } else if look(called) == *name && *called != one.name {
                doubts.push(Doubt::Name(email.clone()));
            }
        }
        if !doubts.is_empty() {
            found.insert(one.id, doubts);
        }
    }
    Ok(found)
}
