//! The system tables, typed. The app's own tables are not here: they come from the model.

#![allow(missing_docs, reason = "the columns are documented in migrations/")]

use super::moment::MomentType;
use diesel::{allow_tables_to_appear_in_same_query, joinable, table};

table! {
    use diesel::sql_types::*;
    use super::MomentType;
    account (id) {
        id -> BigInt,
        version -> BigInt,
        name -> Text,
        email -> Text,
        state -> Text,
        // Kept by the database: whether the state is `active`. Never insert or set it.
        active -> Bool,
        password_hash -> Nullable<Text>,
        demo -> Bool,
        created -> MomentType,
        changed -> MomentType,
        last_seen -> Nullable<MomentType>,
        // Computed by the program from `email` and `name`; see migration 00012.
        email_key -> Nullable<Text>,
        email_look -> Nullable<Text>,
        name_look -> Nullable<Text>,
    }
}
table! {
    use diesel::sql_types::*;
    use super::MomentType;
    account_role (account_id, user_role) {
        account_id -> BigInt,
        user_role -> Text,
        granted_by -> Nullable<BigInt>,
        granted_at -> MomentType,
    }
}
table! {
    use diesel::sql_types::*;
    use super::MomentType;
    session (id_hash) {
        id_hash -> Text,
        account_id -> Nullable<BigInt>,
        data -> Text,
        created -> MomentType,
        last_seen -> MomentType,
        expires -> MomentType,
        address -> Text,
        agent -> Text,
        ended -> Nullable<MomentType>,
    }
}
table! {
    use diesel::sql_types::*;
    use super::MomentType;
    one_time_link (id_hash) {
        id_hash -> Text,
        purpose -> Text,
        account_id -> Nullable<BigInt>,
        expires -> MomentType,
        used -> Nullable<MomentType>,
        created -> MomentType,
    }
}
table! {
    use diesel::sql_types::*;
    use super::MomentType;
    throttle (bucket) {
        bucket -> Text,
        failures -> Integer,
        window_start -> MomentType,
        locked_until -> Nullable<MomentType>,
        attempts -> Text,
        refusals -> Integer,
    }
}
table! {
    use diesel::sql_types::*;
    use super::MomentType;
    audit_record (node, lane, n) {
        node -> Text,
        lane -> Text,
        n -> BigInt,
        at -> MomentType,
        severity -> Integer,
        event -> Text,
        caller -> Nullable<BigInt>,
        caller_name -> Nullable<Text>,
        object -> Nullable<Text>,
        summary -> Text,
        details -> Text,
        request_id -> Nullable<Text>,
        previous_hash -> Text,
        hash -> Text,
    }
}
table! {
    audit_head (node) {
        node -> Text,
        seq -> BigInt,
        hash -> Text,
        mac -> Text,
    }
}
table! {
    audit_seal (node, seq) {
        node -> Text,
        seq -> BigInt,
        lane -> Text,
        n -> BigInt,
        hash -> Text,
        total -> BigInt,
        previous -> Text,
        mac -> Text,
    }
}
table! {
    setting (key) {
        key -> Text,
        value -> Text,
    }
}
table! {
    use diesel::sql_types::*;
    use super::MomentType;
    schema_state (id) {
        id -> Integer,
        fingerprint -> Text,
        applied -> Text,
        at -> MomentType,
    }
}
table! {
    autonumber (entity_member) {
        entity_member -> Text,
        next -> BigInt,
    }
}

joinable!(account_role -> account (account_id));
joinable!(session -> account (account_id));
joinable!(one_time_link -> account (account_id));
allow_tables_to_appear_in_same_query!(account, account_role, session, one_time_link);
