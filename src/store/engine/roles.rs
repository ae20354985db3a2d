//! PostgreSQL: the roles of a set, what each is granted, and which rows row-level security gives them.
//!
//! Three roles a set. The *reader* sees the set's views and nothing else; users' reads run as it. The
//! *holder* owns the readers' views: what they show of the tables is what the holder is granted of
//! columns, and of rows by row-level security. The *writer* sees keys, versions and the views, and
//! changes the columns it is granted in the rows that policies and triggers admit.

use super::Set;
use super::views::masked_column;
use crate::db::Roles;
use crate::db::sql::Sql;
use crate::domain::{Kind, Name, QName, Value};
use crate::expr::{Node, Root, Typed};
use crate::store::lower::{Condition, Lowered};
use crate::store::statements::{Compiled, Footing, Source, Statements};
use crate::store::sync::Step;
use crate::store::tables::{OWNER, Place, TARGET, Table};
use std::collections::BTreeSet;

/// The mark of what is made for every table, whatever the sets.
pub(super) const EVERY: &str = "0000000000000000";

/// Row-level security on every table, with all rows for the server's own work.
pub(super) fn everywhere(statements: &Statements, roles: &Roles) -> Vec<Step> {
    let mut steps = Vec::new();
    for table in statements.tables.names() {
        let mut on = Sql::new();
        on.raw("ALTER TABLE ").ident(&table).raw(" ENABLE ROW LEVEL SECURITY");
        let mut all = policy(EVERY, "all", &table);
        all.raw(" FOR ALL TO ").ident(roles.system()).raw(" USING (TRUE) WITH CHECK (TRUE)");
        steps.push(Step::new(format!("row-level security on {table}, with all rows for the server's own work"), vec![on, all]));
    }
    steps
}

impl Set<'_> {
    /// Roles, ownership, grants and policies.
    pub(super) fn grants(&self, statements: &Statements, roles: &Roles) -> Lowered<Vec<Step>> {
        let (reader, writer, holder) = (roles.reader(&self.id), roles.writer(&self.id), roles.holder(&self.id));
        let mut steps = vec![self.made(roles)];
        let mut views = Vec::new();
        for entity in self.inputs.columns.keys() {
            let Some(table) = statements.tables.get(entity) else { continue };
            views.push(select(&self.names.witness(&table.name), &[&reader, &writer, &holder, &roles.system()]));
        }
        for link in &self.inputs.links {
            views.push(select(&self.names.witness(link), &[&reader, &writer, &holder, &roles.system()]));
        }
        steps.push(Step::new(format!("grant what rules of {} compare", self.rights.key), views));
        for compiled in self.readable(statements)? {
            steps.extend(self.reads(statements, roles, &compiled)?);
        }
        steps.extend(self.writers(statements, roles)?);
        Ok(steps)
    }

    /// The roles themselves; the server's own role may take on two of them.
    fn made(&self, roles: &Roles) -> Step {
        let (reader, writer, holder) = (roles.reader(&self.id), roles.writer(&self.id), roles.holder(&self.id));
        let mut sql = Vec::new();
        for role in [&reader, &writer, &holder] {
            let mut one = Sql::new();
            one.raw("DO $role$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = ");
            one.bind(&Value::text(role), &Kind::Text).raw(") THEN CREATE ROLE ").ident(role);
            one.raw(" NOLOGIN NOINHERIT; END IF; EXECUTE format('GRANT USAGE ON SCHEMA %I TO ");
            one.ident(role).raw("', current_schema()); END $role$");
            sql.push(one);
        }
        let mut taken = Sql::new();
        taken.raw("GRANT ").ident(&reader).raw(", ").ident(&writer).raw(" TO ").ident(roles.system());
        let mut handed = Sql::new();
        // Whoever is no superuser hands over views, and takes everything away, only of roles that they may act as.
        handed.raw("DO $role$ BEGIN IF NOT pg_has_role(").bind(&Value::text(&holder), &Kind::Text);
        handed.raw(", 'MEMBER') THEN GRANT ").ident(&reader).raw(", ").ident(&writer).raw(", ").ident(&holder);
        handed.raw(" TO CURRENT_USER; END IF; END $role$");
        sql.extend([taken, handed]);
        Step::new(format!("roles of {}", self.rights.key), sql)
    }

    /// What the holder sees of a table, and that the view is its own.
    fn reads(&self, statements: &Statements, roles: &Roles, compiled: &Compiled) -> Lowered<Vec<Step>> {
        let (table, entity) = (&compiled.table, &compiled.table.entity.name);
        let holder = roles.holder(&self.id);
        let mut sql = vec![grant("SELECT", &self.seen_columns(table, compiled), &table.name, &holder)];
        let cut = self.policed(statements, entity)?;
        let rows = cut.as_ref().map_or(Condition::Never, |cut| cut.visible.clone());
        let mut rule = policy(&self.id, "s", &table.name);
        rule.raw(" FOR SELECT TO ").ident(&holder).raw(" USING (").append(&rows.sql()).raw(")");
        sql.push(rule);
        sql.extend(self.handed_over(roles, &self.names.reader(&table.name)));
        for (member, readable) in &compiled.readable {
            let Source::Link(link) = &readable.value else { continue };
            sql.push(grant("SELECT", &link_columns(), link, &holder));
            let shown = cut.as_ref().and_then(|cut| cut.readable.get(member));
            let owner = shown.map_or(Condition::Never, |readable| rows.clone().and(readable.shown.clone()));
            sql.push(self.linked(link, "s", " FOR SELECT TO ", &holder, " USING (", table, &owner));
            sql.extend(self.handed_over(roles, &self.names.reader(link)));
        }
        Ok(vec![Step::new(format!("grant what {} reads of {entity}", self.rights.key), sql)])
    }

    fn policed(&self, statements: &Statements, entity: &QName) -> Lowered<Option<std::sync::Arc<Compiled>>> {
        statements.compiled_on(self.rights, entity, Footing::Policy)
    }

    /// A policy on links: the row that owns one satisfies a condition.
    #[expect(clippy::too_many_arguments, reason = "the parts of one policy")]
    fn linked(
        &self,
        link: &Name,
        verb: &str,
        to: &'static str,
        role: &str,
        using: &'static str,
        owner: &Table,
        rows: &Condition,
    ) -> Sql {
        let mut sql = policy(&self.id, verb, link);
        sql.raw(to).ident(role).raw(using);
        match rows {
            Condition::When(rule) => {
                sql.raw("EXISTS (SELECT 1 FROM ").ident(&owner.name).raw(" WHERE ").ident(&owner.name).raw(".").ident("id");
                sql.raw(" = ").ident(link).raw(".").ident(OWNER).raw(" AND ").append(rule).raw(")")
            }
            known => sql.append(&known.sql()),
        };
        sql.raw(")");
        sql
    }

    /// The holder owns the view; readers and writers see it.
    fn handed_over(&self, roles: &Roles, view: &Name) -> Vec<Sql> {
        let holder = roles.holder(&self.id);
        let mut own = Sql::new();
        own.raw("DO $role$ BEGIN EXECUTE format('GRANT CREATE ON SCHEMA %I TO ").ident(&holder);
        own.raw("', current_schema()); ALTER VIEW ").ident(view).raw(" OWNER TO ").ident(&holder);
        own.raw("; EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM ").ident(&holder).raw("', current_schema()); END $role$");
        vec![select(view, &[&roles.reader(&self.id), &roles.writer(&self.id)]), own]
    }

    /// The columns that the readers' view of a table is made of.
    fn seen_columns(&self, table: &Table, compiled: &Compiled) -> BTreeSet<Name> {
        let mut columns = self.unmasked(&table.entity.name);
        for member in compiled.readable.keys().filter(|member| masked_column(table, member).is_some()) {
            match table.members.get(member) {
                Some(Place::Column { column, .. }) => drop(columns.insert(column.clone())),
                Some(Place::Calculated { expression, .. }) => own_columns(table, expression, &mut columns),
                _ => {}
            }
        }
        columns.extend([Name::new("id"), Name::new("version")]);
        columns
    }

    /// What the writer may do, column by column and row by row.
    fn writers(&self, statements: &Statements, roles: &Roles) -> Lowered<Vec<Step>> {
        let mut steps = Vec::new();
        let entities: BTreeSet<&QName> = self.rights.entities.keys().collect();
        for entity in entities {
            let Some(table) = statements.tables.get(entity).filter(|table| !table.entity.system) else { continue };
            let Some(compiled) = self.policed(statements, entity)? else { continue };
            let sql = self.writes_of(roles, table, &compiled);
            if !sql.is_empty() {
                steps.push(Step::new(format!("grant what {} writes of {entity}", self.rights.key), sql));
            }
        }
        Ok(steps)
    }

    fn writes_of(&self, roles: &Roles, table: &Table, compiled: &Compiled) -> Vec<Sql> {
        let (writer, name, of) = (roles.writer(&self.id), &table.name, &compiled.rights);
        let (deeds, mut sql) = (Self::deeds(of), Vec::new());
        if !deeds.create && !deeds.change && !deeds.delete {
            return sql;
        }
        let keys = [Name::new("id"), Name::new("version")].into();
        sql.push(grant("SELECT", &keys, name, &writer));
        // A change looks for its row by key. That rows exist is no secret before the writer, who sees nothing else of them.
        let rule = |verb: &str, what: &'static str, condition: &Condition| {
            let mut sql = policy(&self.id, verb, name);
            sql.raw(what).ident(&writer).raw(if verb == "i" { " WITH CHECK (" } else { " USING (" });
            sql.append(&condition.sql()).raw(if verb == "u" { ") WITH CHECK (TRUE)" } else { ")" });
            sql
        };
        sql.push(rule("k", " FOR SELECT TO ", &Condition::Always));
        if deeds.create {
            let columns = table.columns().map(|(_, column, _)| column.clone()).chain([Name::new("version")]).collect();
            sql.push(grant("INSERT", &columns, name, &writer));
            sql.push(rule("i", " FOR INSERT TO ", &Condition::Always));
        }
        if deeds.change {
            sql.push(grant("UPDATE", &Self::changed_columns(of, table), name, &writer));
            let writing = compiled.any(&of.rules_where(|rule| !rule.write.is_empty()));
            sql.push(rule("u", " FOR UPDATE TO ", &writing));
        }
        if deeds.delete {
            let mut all = Sql::new();
            all.raw("GRANT DELETE ON ").ident(name).raw(" TO ").ident(&writer);
            sql.extend([all, rule("d", " FOR DELETE TO ", &compiled.any(&of.rules_where(|rule| rule.delete)))]);
        }
        for (member, place) in &table.members {
            let Place::Link(link) = place else { continue };
            if !of.writable.contains_key(member) {
                continue;
            }
            let link = &link.table;
            let mut all = Sql::new();
            all.raw("GRANT SELECT, INSERT, DELETE ON ").ident(link).raw(" TO ").ident(&writer);
            sql.push(all);
            for (verb, to, using) in [
                ("k", " FOR SELECT TO ", " USING ("),
                ("i", " FOR INSERT TO ", " WITH CHECK ("),
                ("d", " FOR DELETE TO ", " USING ("),
            ] {
                // Which rows: the triggers say, which look at the owner through the witness view.
                sql.push(self.linked(link, verb, to, &writer, using, table, &Condition::Always));
            }
        }
        sql
    }
}

/// The own columns of the row that a calculated member is computed from.
fn own_columns(table: &Table, e: &Typed, columns: &mut BTreeSet<Name>) {
    e.visit(&mut |node| {
        let Node::Member { of, name, calculated, .. } = &node.node else { return };
        if !matches!(of.node, Node::Root(Root::This)) {
            return;
        }
        match (calculated, table.members.get(name)) {
            (Some(inner), _) => own_columns(table, inner, columns),
            (None, Some(Place::Column { column, .. })) => drop(columns.insert(column.clone())),
            _ => {}
        }
    });
}

fn link_columns() -> BTreeSet<Name> {
    [Name::new(OWNER), Name::new(TARGET)].into()
}

/// `CREATE POLICY … ON table`
fn policy(set: &str, verb: &str, table: &Name) -> Sql {
    let mut sql = Sql::new();
    sql.raw("CREATE POLICY ").ident(format!("p_{set}_{verb}")).raw(" ON ").ident(table);
    sql
}

fn grant(verb: &'static str, columns: &BTreeSet<Name>, table: &Name, role: &str) -> Sql {
    let mut sql = Sql::new();
    sql.raw("GRANT ").raw(verb).raw(" (");
    for (at, column) in columns.iter().enumerate() {
        sql.raw(if at == 0 { "" } else { ", " }).ident(column);
    }
    sql.raw(") ON ").ident(table).raw(" TO ").ident(role);
    sql
}

fn select(view: &Name, roles: &[&String]) -> Sql {
    let mut sql = Sql::new();
    sql.raw("GRANT SELECT ON ").ident(view).raw(" TO ");
    for (at, role) in roles.iter().enumerate() {
        sql.raw(if at == 0 { "" } else { ", " }).ident(*role);
    }
    sql
}
