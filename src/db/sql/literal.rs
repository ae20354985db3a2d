//! Statements as text without bound values: what views, policies and triggers are made of.

use super::bound::Bound;
use super::{Param, Piece, Sql};
use crate::db::Dialect;
use crate::domain::DATETIME_FORMAT;

/// A token that no database can read, in the place of a value that cannot be written.
const UNREADABLE: &str = "]this value cannot be written[";

impl Sql {
    /// The statement as it is written into the schema: values as literals, [`Param`]s as what the
    /// connection says when the object is used.
    pub fn ddl(&self, dialect: Dialect) -> String {
        let mut out = String::new();
        self.pieces.iter().for_each(|piece| write(piece, dialect, &mut out));
        out
    }
}

/// Writes one piece as text.
pub(super) fn write(piece: &Piece, dialect: Dialect, out: &mut String) {
    match piece {
        Piece::Raw(text) => out.push_str(text),
        Piece::Text(text, _) => out.push_str(text),
        Piece::RawBy { sqlite, pg } => out.push_str(if dialect == Dialect::Sqlite { sqlite } else { pg }),
        Piece::Ident(name) => out.push_str(&identifier(name, dialect)),
        Piece::Int(number) => out.push_str(&number.to_string()),
        Piece::Bind(value) => out.push_str(&literal(value, dialect)),
        Piece::Param(param) => out.push_str(context(*param, dialect)),
        Piece::Quoted(body) => out.push_str(&body_text(body, dialect)),
    }
}

/// A name, quoted as Diesel quotes it.
fn identifier(name: &str, dialect: Dialect) -> String {
    match dialect {
        Dialect::Sqlite => format!("`{}`", name.replace('`', "``")),
        Dialect::Postgres => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// What stands for a value of the run in a generated object. PostgreSQL computes a sub-select once per statement.
fn context(param: Param, dialect: Dialect) -> &'static str {
    match (dialect, param) {
        (Dialect::Sqlite, Param::User) => "portcullis_user()",
        (Dialect::Sqlite, Param::Now) => "portcullis_now()",
        (Dialect::Sqlite, Param::Today) => "portcullis_today()",
        (Dialect::Postgres, Param::User) => "(SELECT nullif(current_setting('portcullis.user', true), '')::bigint)",
        (Dialect::Postgres, Param::Now) => "(SELECT nullif(current_setting('portcullis.now', true), '')::timestamp)",
        // A generated object is about no one question.
        (_, Param::Object | Param::Start) => UNREADABLE,
        (Dialect::Postgres, Param::Today) => "(SELECT nullif(current_setting('portcullis.today', true), '')::date)",
    }
}

fn literal(value: &Bound, dialect: Dialect) -> String {
    match dialect {
        Dialect::Sqlite => sqlite(value),
        Dialect::Postgres => postgres(value),
    }
}

fn sqlite(value: &Bound) -> String {
    let written = match value {
        Bound::Text(Some(text)) => return quoted(text),
        Bound::BigInt(number) => number.map(|number| format!("({number})")),
        Bound::Numeric(number) => number.as_ref().map(|(scaled, _)| format!("({scaled})")),
        Bound::Boolean(truth) => truth.map(|truth| i32::from(truth).to_string()),
        Bound::Date(date) => date.map(|date| format!("'{}'", date.format("%F"))),
        Bound::Moment(at) => at.map(|at| format!("'{}'", at.0.format(DATETIME_FORMAT))),
        Bound::Text(None) | Bound::Null => None,
        Bound::Misfit(_) => Some(UNREADABLE.to_owned()),
    };
    written.unwrap_or_else(|| "NULL".to_owned())
}

/// With the type that the same value has when it is bound.
fn postgres(value: &Bound) -> String {
    let typed = |written: Option<String>, of: &str| match written {
        Some(written) => format!("'{written}'::{of}"),
        None => format!("NULL::{of}"),
    };
    match value {
        Bound::Text(Some(text)) => format!("{}::text", escaped(text)),
        Bound::Text(None) => typed(None, "text"),
        Bound::BigInt(number) => typed(number.map(|number| number.to_string()), "bigint"),
        Bound::Numeric(number) => typed(number.as_ref().map(|(_, exact)| exact.to_plain_string()), "numeric"),
        Bound::Boolean(truth) => typed(truth.map(|truth| truth.to_string()), "boolean"),
        Bound::Date(date) => typed(date.map(|date| date.format("%F").to_string()), "date"),
        Bound::Moment(at) => typed(at.map(|at| at.0.format("%F %T%.3f").to_string()), "timestamp"),
        Bound::Null => "NULL".to_owned(),
        Bound::Misfit(_) => UNREADABLE.to_owned(),
    }
}

/// A statement as one text.
pub(super) fn body_text(body: &Sql, dialect: Dialect) -> String {
    let text = body.ddl(dialect);
    match dialect {
        Dialect::Sqlite => quoted(&text),
        Dialect::Postgres => escaped(&text),
    }
}

/// SQLite knows one escape in a text: the quote, doubled. A NUL would end the statement.
fn quoted(text: &str) -> String {
    if text.contains('\0') { UNREADABLE.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

/// The form whose meaning depends on no setting of the server: `E'…'` with the backslash and the quote doubled.
fn escaped(text: &str) -> String {
    if text.contains('\0') {
        return UNREADABLE.to_owned();
    }
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
