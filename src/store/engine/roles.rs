//! PostgreSQL: what is made for every table, independent of sets.
//!
//! Row-level security shuts every table: it opens to the server's own work, to the holder, who owns generated views and
//! sees what the model knows of a table, and to roles that write through a piece. Each write of anybody but the server
//! meets a trigger, which asks the piece that the writer's role is named after, and refuses where there is none.

use crate::db::sql::Sql;
use crate::db::{EVERY, Roles};
use crate::domain::{Kind, Name, Value};
use crate::store::names;
use crate::store::statements::Statements;
use crate::store::sync::Step;
use crate::store::tables::{OWNER, Place, TARGET, Table};
use std::collections::BTreeSet;

/// Row-level security, the holder's and the writers' access, and the triggers that ask for the writer's piece.
pub(super) fn everywhere(statements: &Statements, roles: &Roles) -> Vec<Step> {
    let mut steps = vec![Step::new("what asks for the piece of whoever writes", vec![look(roles)])];
    let system: BTreeSet<&Name> = statements.tables.all().filter(|table| table.entity.system).map(|table| &table.name).collect();
    for table in statements.tables.names() {
        let mut on = Sql::new();
        on.raw("ALTER TABLE ").ident(&table).raw(" ENABLE ROW LEVEL SECURITY");
        let mut sql = vec![
            on,
            policy("all", &table, " FOR ALL TO ", &roles.system(), " USING (TRUE) WITH CHECK (TRUE)"),
            policy("seen", &table, " FOR SELECT TO ", &roles.holder(), " USING (TRUE)"),
            seen(statements, &table, &roles.holder()),
        ];
        if !system.contains(&table) {
            sql.push(policy("written", &table, " FOR ALL TO ", &roles.writers(), " USING (TRUE) WITH CHECK (TRUE)"));
            sql.push(asking(roles, &table, " BEFORE INSERT OR UPDATE OR DELETE ON "));
            sql.push(asking_after(roles, &table));
        }
        steps.push(Step::new(format!("row-level security on {table}, and what asks for the writer's piece"), sql));
    }
    steps
}

fn policy(verb: &str, table: &Name, to: &'static str, role: &str, rows: &'static str) -> Sql {
    let mut sql = Sql::new();
    sql.raw("CREATE POLICY ").ident(format!("p_{EVERY}_{verb}")).raw(" ON ").ident(table).raw(to).ident(role).raw(rows);
    sql
}

/// The columns that the model knows: of accounts it does not know the password.
fn seen(statements: &Statements, table: &Name, holder: &str) -> Sql {
    let of: Option<&std::sync::Arc<Table>> = statements.tables.all().find(|of| of.name == *table);
    let columns: Vec<Name> = match of {
        Some(of) => [Name::new("id"), Name::new("version")]
            .into_iter()
            .chain(of.members.values().filter_map(|place| match place {
                Place::Column { column, .. } => Some(column.clone()),
                _ => None,
            }))
            .collect(),
        None => vec![Name::new(OWNER), Name::new(TARGET)],
    };
    let mut sql = Sql::new();
    sql.raw("GRANT SELECT (");
    for (at, column) in columns.iter().enumerate() {
        sql.raw(if at == 0 { "" } else { ", " }).ident(column);
    }
    sql.raw(") ON ").ident(table).raw(" TO ").ident(holder);
    sql
}

/// A trigger for everybody but the server's own work.
fn asking(roles: &Roles, table: &Name, moment: &'static str) -> Sql {
    let mut sql = Sql::new();
    sql.raw("CREATE TRIGGER ").ident(names::trigger(EVERY, table, "b")).raw(moment).ident(table);
    sql.raw(" FOR EACH ROW WHEN (current_user <> ").bind(&Value::text(roles.system()), &Kind::Text);
    sql.raw(") EXECUTE FUNCTION ").ident(names::look(EVERY)).raw("()");
    sql
}

/// The same after the row was written, for roles that write through a piece: all others were refused before. What follows
/// from a foreign key is the owner's work when the row is written, and runs its triggers at the end of the statement that
/// it follows from, in the name of the role that ran it; the condition is decided when the row is written.
fn asking_after(roles: &Roles, table: &Name) -> Sql {
    let mut sql = Sql::new();
    sql.raw("CREATE TRIGGER ").ident(names::trigger(EVERY, table, "a")).raw(" AFTER INSERT OR UPDATE ON ").ident(table);
    sql.raw(" FOR EACH ROW WHEN (current_user <> ").bind(&Value::text(roles.system()), &Kind::Text);
    sql.raw(" AND current_user ~ ").bind(&writers(roles), &Kind::Text);
    sql.raw(") EXECUTE FUNCTION ").ident(names::look(EVERY)).raw("()");
    sql
}

/// What the names of roles look like that write through a piece; its id is the part in brackets.
fn writers(roles: &Roles) -> Value {
    Value::text(format!("^{}([0-9a-f]{{16}})_w$", roles.prefix()))
}

/// Asks the piece that the writer's role is named after. The owner of a table, who could take the trigger away, passes:
/// what follows from foreign keys and the changes of a migration are the owner's work.
// SECURITY: a role without a piece writes nothing (`a_role_without_a_piece_writes_nothing_whatever_it_was_granted`).
fn look(roles: &Roles) -> Sql {
    let mut body = Sql::new();
    body.raw("DECLARE piece text := substring(current_user::text from ");
    body.bind(&writers(roles), &Kind::Text);
    body.raw("); moment text := lower(left(TG_WHEN, 1) || left(TG_OP, 1)); BEGIN ");
    body.raw("IF piece IS NULL THEN IF NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = TG_RELID ");
    body.raw("AND pg_get_userbyid(c.relowner) = current_user) THEN RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', ");
    body.raw("MESSAGE = 'portcullis: ' || current_user || ' writes nothing in ' || TG_RELNAME; END IF; ");
    body.raw(
        "ELSIF TG_OP = 'INSERT' THEN EXECUTE format('SELECT %I($1, NULL, $2)', 'g_' || piece || '_look') USING moment, NEW; ",
    );
    body.raw(
        "ELSIF TG_OP = 'DELETE' THEN EXECUTE format('SELECT %I($1, $2, NULL)', 'g_' || piece || '_look') USING moment, OLD; ",
    );
    body.raw("ELSE EXECUTE format('SELECT %I($1, $2, $3)', 'g_' || piece || '_look') USING moment, OLD, NEW; END IF; ");
    body.raw("IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END");
    let mut sql = Sql::new();
    sql.raw("CREATE FUNCTION ").ident(names::look(EVERY)).raw("() RETURNS trigger LANGUAGE plpgsql AS ").quoted(&body);
    sql
}
