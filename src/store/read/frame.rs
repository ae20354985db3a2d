//! The FROM of a question: the reader's table, joined with those its paths lead to.

use super::not_there;
use crate::access::{ObjectError, Rights};
use crate::db::sql::Sql;
use crate::domain::{Kind, Name, QName, Value};
use crate::expr::Typed;
use crate::model::Path;
use crate::store::Store;
use crate::store::error::{fault, lowering};
use crate::store::lower::Condition;
use crate::store::statements::{Compiled, Footing, ROW, Readable, Source, Statements};
use crate::store::tables::Hop;
use indexmap::IndexSet;
use std::sync::Arc;

/// Derived tables in reach of a question; the first is that of the entity asked for.
pub(super) struct Frame<'a> {
    pub statements: &'a Statements,
    pub footing: Footing,
    pub rights: &'a Rights,
    pub sources: Arc<Vec<Joined>>,
}

/// One reader's table with the members that are needed of it.
#[derive(Clone)]
pub(super) struct Joined {
    pub compiled: Arc<Compiled>,
    alias: Name,
    members: IndexSet<Name>,
    /// The source and member that lead here.
    pub from: Option<(usize, Name, Via)>,
    /// The column of its key in the answer, and how each member is had from it.
    pub key_at: usize,
    pub had: Vec<Had>,
}

/// How a member is had from a row of the answer.
#[derive(Clone)]
pub(super) struct Had {
    pub shown: Shown,
    pub value: ValueAt,
}

/// Whether it is shown.
#[derive(Clone, Copy)]
pub(super) enum Shown {
    Always,
    Never,
    /// As this column says.
    Flag(usize),
}

/// Where its value is.
#[derive(Clone)]
pub(super) enum ValueAt {
    Column(usize),
    Link,
    Memory(Arc<Typed>),
}

/// How a source is joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Via {
    /// By the value of the member.
    Own,
    /// By this member of the joined entity, which points back.
    Back(Name),
}

/// Where a path ends.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// At this member of this source.
    Member(usize, usize),
    /// Beyond what the reader may see: after this source, and after this reference of it.
    Beyond(usize, Option<usize>),
}

impl<'a> Frame<'a> {
    pub(super) fn new(store: &Store<'a>, rights: &'a Rights, entity: &QName) -> Result<Self, ObjectError> {
        let root = Joined::new(Self::root(store, rights, entity)?, "o".into(), None);
        Ok(Self::over(store, rights, Arc::new(vec![root])))
    }

    /// The same question over sources that were put together before.
    pub(super) fn over(store: &Store<'a>, rights: &'a Rights, sources: Arc<Vec<Joined>>) -> Self {
        Self { statements: store.statements, footing: store.footing, rights, sources }
    }

    /// The rules about the entity asked for.
    pub(super) fn root(store: &Store<'_>, rights: &Rights, entity: &QName) -> Result<Arc<Compiled>, ObjectError> {
        let compiled = store.statements.compiled_on(rights, entity, store.footing).map_err(lowering)?;
        compiled.ok_or_else(|| not_there(rights, entity, "*"))
    }

    fn source(&self, at: usize) -> Result<&Joined, ObjectError> {
        self.sources.get(at).ok_or_else(|| fault("a source is missing"))
    }
    fn source_mut(&mut self, at: usize) -> Result<&mut Joined, ObjectError> {
        Arc::make_mut(&mut self.sources).get_mut(at).ok_or_else(|| fault("a source is missing"))
    }

    /// Follows a path, joining what it needs. What the reader may not see at all is refused, unless
    /// it lies along an association and is only to be shown: then the place stays shut.
    pub(super) fn locate(&mut self, path: &Path, to_show: bool) -> Result<End, ObjectError> {
        let (mut at, last) = (0, path.len().saturating_sub(1));
        for (depth, name) in path.iter().enumerate() {
            let entity = self.source(at)?.compiled.table.entity.clone();
            let known = entity.has_member(name) || entity.inverses.contains_key(name);
            let there = self.source(at)?.compiled.readable.contains_key(name);
            let back = depth < last && !there && entity.inverses.contains_key(name);
            if !there && !back {
                let shut = to_show && known && depth > 0;
                return if shut { Ok(End::Beyond(at, None)) } else { Err(not_there(self.rights, &entity.name, name)) };
            }
            if depth == last {
                return Ok(End::Member(at, self.source_mut(at)?.member(name)));
            }
            match self.join(at, name)? {
                Some(next) => at = next,
                None if to_show => {
                    let reference = there.then(|| self.source_mut(at).map(|source| source.member(name))).transpose()?;
                    return Ok(End::Beyond(at, reference));
                }
                None => return Err(not_there(self.rights, &entity.name, name)),
            }
        }
        Err(not_there(self.rights, &self.source(0)?.compiled.table.entity.name.clone(), ""))
    }

    fn join(&mut self, at: usize, name: &Name) -> Result<Option<usize>, ObjectError> {
        let known = self.sources.iter().position(|s| s.from.as_ref().is_some_and(|(of, by, _)| *of == at && by == name));
        if known.is_some() {
            return Ok(known);
        }
        let entity = self.source(at)?.compiled.table.entity.name.clone();
        let (via, target) = match self.statements.tables.hop(&entity, name) {
            Some((Hop::Column(_), target)) => (Via::Own, target),
            Some((Hop::Back { many: false, .. }, owner)) => {
                let entity = self.source(at)?.compiled.table.entity.clone();
                let Some(inverse) = entity.inverses.get(name) else { return Ok(None) };
                (Via::Back(inverse.association.clone()), owner)
            }
            _ => return Err(not_there(self.rights, &entity, name)),
        };
        let Some(compiled) = self.statements.compiled_on(self.rights, &target, self.footing).map_err(lowering)? else {
            return Ok(None);
        };
        if compiled.readable.is_empty() {
            return Ok(None);
        }
        let mut joined = Joined::new(compiled, format!("j{}", self.sources.len()).into(), Some((at, name.clone(), via.clone())));
        match &via {
            Via::Own => drop(self.source_mut(at)?.member(name)),
            Via::Back(association) if joined.compiled.readable.contains_key(association) => drop(joined.member(association)),
            Via::Back(_) => return Ok(None),
        }
        Arc::make_mut(&mut self.sources).push(joined);
        Ok(Some(self.sources.len() - 1))
    }

    /// The member at an end.
    pub(super) fn readable(&self, source: usize, member: usize) -> Result<(&Name, &Readable), ObjectError> {
        let joined = self.source(source)?;
        let name = joined.members.get_index(member).ok_or_else(|| fault("a member is missing"))?;
        joined.compiled.readable.get(name).map(|readable| (name, readable)).ok_or_else(|| fault("a member is missing"))
    }

    /// `alias.mN`
    pub(super) fn column(&self, source: usize, member: usize) -> Result<Sql, ObjectError> {
        let mut out = Sql::new();
        out.ident(&self.source(source)?.alias).raw(".").ident(format!("m{member}"));
        Ok(out)
    }

    /// True where the value of a member is shown to the reader (and so an empty one is really empty).
    pub(super) fn shown(&self, source: usize, member: usize) -> Result<Condition, ObjectError> {
        let joined = self.source(source)?;
        let (_, readable) = self.readable(source, member)?;
        let mut all = Condition::Always;
        if source > 0 {
            let mut there = Sql::new();
            there.ident(&joined.alias).raw(".").ident("id").raw(" IS NOT NULL");
            all = all.and(Condition::When(there));
        }
        Ok(match &readable.shown {
            Condition::When(_) => {
                let mut flag = Sql::new();
                flag.ident(&joined.alias).raw(".").ident(format!("g{member}"));
                all.and(Condition::When(flag))
            }
            known => all.and(known.clone()),
        })
    }

    /// The columns of the answer after key and version, with their kinds.
    pub(super) fn columns(&mut self, kinds: &mut Vec<Kind>) -> Result<Sql, ObjectError> {
        let mut out = Sql::new();
        for (at, source) in Arc::make_mut(&mut self.sources).iter_mut().enumerate() {
            if at > 0 {
                out.raw(", ").ident(&source.alias).raw(".").ident("id");
                source.key_at = kinds.len();
                kinds.push(Kind::Object(source.compiled.table.entity.name.clone()));
            }
            source.had.clear();
            for (n, name) in source.members.iter().enumerate() {
                let readable = source.compiled.readable.get(name).ok_or_else(|| fault("a member is missing"))?;
                let value = match &readable.value {
                    Source::Sql(_) => {
                        out.raw(", ").ident(&source.alias).raw(".").ident(format!("m{n}"));
                        kinds.push(readable.kind.clone());
                        ValueAt::Column(kinds.len() - 1)
                    }
                    Source::Link(_) => ValueAt::Link,
                    Source::Memory(expression) => ValueAt::Memory(expression.clone()),
                };
                let shown = match &readable.shown {
                    Condition::Always => Shown::Always,
                    Condition::Never => Shown::Never,
                    Condition::When(_) => {
                        out.raw(", ").ident(&source.alias).raw(".").ident(format!("g{n}"));
                        kinds.push(Kind::Boolean);
                        Shown::Flag(kinds.len() - 1)
                    }
                };
                source.had.push(Had { shown, value });
            }
        }
        Ok(out)
    }

    /// Everything after FROM: the reader's table (with the model's constraint inside), and the joins.
    pub(super) fn from(&self, inside: &Condition) -> Result<Sql, ObjectError> {
        let mut out = Sql::new();
        for (at, source) in self.sources.iter().enumerate() {
            let rows = source.compiled.visible.clone();
            let Some((of, by, via)) = &source.from else {
                out.append(&source.table(&rows.and(inside.clone()))?);
                continue;
            };
            out.raw(" LEFT JOIN ").append(&source.table(&rows)?).raw(" ON ");
            let parent = self.source(*of)?;
            let mine = match via {
                Via::Own => {
                    out.ident(&source.alias).raw(".").ident("id").raw(" = ");
                    self.column(*of, parent.members.get_index_of(by).unwrap_or(usize::MAX))?
                }
                Via::Back(association) => {
                    out.ident(&parent.alias).raw(".").ident("id").raw(" = ");
                    self.column(at, source.members.get_index_of(association).unwrap_or(usize::MAX))?
                }
            };
            out.append(&mine);
        }
        Ok(out)
    }
}

impl Joined {
    fn new(compiled: Arc<Compiled>, alias: Name, from: Option<(usize, Name, Via)>) -> Self {
        Self { compiled, alias, members: IndexSet::new(), from, key_at: 0, had: Vec::new() }
    }

    fn member(&mut self, name: &Name) -> usize {
        self.members.insert_full(name.clone()).0
    }

    pub(super) fn member_at(&self, name: &Name) -> Option<usize> {
        self.members.get_index_of(name)
    }

    /// `(SELECT … FROM table AS t WHERE rules) AS alias`: exactly what the reader may see.
    fn table(&self, rows: &Condition) -> Result<Sql, ObjectError> {
        let mut out = Sql::new();
        out.raw("(SELECT ").ident(ROW).raw(".").ident("id").raw(" AS ").ident("id");
        out.raw(", ").ident(ROW).raw(".").ident("version").raw(" AS ").ident("version");
        for (n, name) in self.members.iter().enumerate() {
            let readable = self.compiled.readable.get(name).ok_or_else(|| fault("a member is missing"))?;
            if let Source::Sql(value) = &readable.value {
                out.raw(", ");
                match &readable.shown {
                    Condition::Always => out.append(value),
                    Condition::Never => out.bind(&Value::Empty, &readable.kind),
                    Condition::When(rule) => out.raw("CASE WHEN ").append(rule).raw(" THEN ").append(value).raw(" END"),
                };
                out.raw(" AS ").ident(format!("m{n}"));
            }
            if let Condition::When(_) = &readable.shown {
                out.raw(", ").append(&readable.shown.truth()).raw(" AS ").ident(format!("g{n}"));
            }
        }
        out.raw(" FROM ").ident(&self.compiled.from).raw(" AS ").ident(ROW);
        if !matches!(rows, Condition::Always) {
            out.raw(" WHERE ").append(&rows.sql());
        }
        out.raw(") AS ").ident(&self.alias);
        Ok(out)
    }
}
