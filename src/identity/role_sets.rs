//! Which combinations of user roles are held, and by whom for example.

use super::account::AccountState;
use crate::db::schema::{account, account_role};
use crate::db::{Conn, DbError, on};
use crate::domain::{Name, ObjectId};
use diesel::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Each set of user roles that an active account holds, with its first holders.
pub fn role_sets(conn: &mut Conn, examples: usize) -> Result<BTreeMap<BTreeSet<Name>, Vec<ObjectId>>, DbError> {
    let rows: Vec<(i64, String)> = on!(conn, |c| {
        let held = account::table.inner_join(account_role::table).filter(account::state.eq(AccountState::Active.as_str()));
        held.select((account::id, account_role::user_role)).order(account::id).load(c)
    })?;
    let mut sets: BTreeMap<BTreeSet<Name>, Vec<ObjectId>> = BTreeMap::new();
    for one in rows.chunk_by(|a, b| a.0 == b.0) {
        let Some((id, _)) = one.first() else { continue };
        let all = sets.entry(one.iter().map(|(_, role)| Name::new(role)).collect()).or_default();
        if all.len() < examples {
            all.push(ObjectId(*id));
        }
    }
    Ok(sets)
}
