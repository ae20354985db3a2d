//! The contract between behaviour (flows, pages) and data (workspace, store).

use super::denied::{Denied, Disagreement};
use super::explain::{Inspected, Inspection};
use super::permit::{Change, Create, Delete, Load, Permit, View};
use super::released::Released;
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use crate::expr::{EvalError, Node, Root, Typed};
use crate::model::{Model, Path};
use std::collections::BTreeMap;

/// One value as the reader may have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Shown.
    Shown(Value),
    /// The reader may not see it: never confused with empty.
    Withheld,
}

impl Cell {
    /// The value, if it is shown.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::Shown(value) => Some(value),
            Self::Withheld => None,
        }
    }
}

/// A constraint that the *model* wrote; it stands inside the reader's table.
#[derive(Clone, Debug)]
pub struct Inside {
    /// The condition over `this`, `user` and variables.
    pub condition: Typed,
    /// Values of the variables.
    pub variables: BTreeMap<Name, Value>,
}

impl Inside {
    /// The condition that `this` is one of these objects.
    pub fn one_of(entity: &QName, ids: &[ObjectId]) -> Self {
        let make = |node, kind| Box::new(Typed { node, kind, span: Default::default() });
        let name = Name::new("1");
        let this = make(Node::Root(Root::This), Kind::Object(entity.clone()));
        let list = make(Node::Root(Root::Variable(name.clone())), Kind::List(entity.clone()));
        let condition = Typed { node: Node::InList(this, list), kind: Kind::Boolean, span: Default::default() };
        Self { condition, variables: [(name, Value::List(ids.to_vec()))].into() }
    }
}

/// How a client's filter compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterOp {
    /// Equals.
    Equal,
    /// At least.
    From,
    /// At most.
    To,
    /// Text contains, letters A–Z regardless of case.
    Contains,
    /// Is empty.
    Empty,
}

/// A filter that the *client* sent; it stands outside the reader's table.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The member, along to-one associations.
    pub path: Path,
    /// How.
    pub op: FilterOp,
    /// With what.
    pub value: Value,
}

/// An order: path, and whether descending. Empty values come last either way.
pub type Order = (Path, bool);

/// A question for rows.
#[derive(Clone, Debug)]
pub struct Query {
    /// The entity.
    pub entity: QName,
    /// The members wanted, along to-one associations; cells come in this order.
    pub paths: Vec<Path>,
    /// Only this object.
    pub object: Option<ObjectId>,
    /// Only those along a to-many association (own or inverse name) of an object.
    pub along: Option<(QName, ObjectId, Name)>,
    /// The model's constraint.
    pub inside: Option<Inside>,
    /// The client's filters; all must hold.
    pub filters: Vec<Filter>,
    /// The client's search text: contained in any of these.
    pub search: Option<(String, Vec<Path>)>,
    /// Order; the key is always the last tie-break.
    pub sort: Vec<Order>,
    /// At most so many rows.
    pub limit: u32,
    /// After so many.
    pub offset: u32,
    /// Count all matches, at most this many.
    pub total: Option<u32>,
}

impl Query {
    /// All objects of an entity, with these members.
    pub fn of(entity: &QName, paths: Vec<Path>) -> Self {
        Self {
            entity: entity.clone(),
            paths,
            object: None,
            along: None,
            inside: None,
            filters: Vec::new(),
            search: None,
            sort: Vec::new(),
            limit: 100,
            offset: 0,
            total: None,
        }
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which object.
    pub id: ObjectId,
    /// Its version, for lost-update protection.
    pub version: i64,
    /// Its cells, in the order of the query's paths.
    pub cells: Vec<Cell>,
}

/// How many match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    /// So many,
    pub count: u32,
    /// or more.
    pub capped: bool,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Rows {
    /// The rows.
    pub rows: Vec<Row>,
    /// Whether more follow.
    pub more: bool,
    /// How many match in all, if asked.
    pub total: Option<Total>,
}

/// An object inside a microflow: every member that the authority may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedObject {
    /// Its entity.
    pub entity: QName,
    /// Which object.
    pub id: ObjectId,
    /// Its version.
    pub version: i64,
    /// Member → value; a member that is missing is withheld too.
    pub members: BTreeMap<Name, Cell>,
}

/// Object → for each rule about its entity, by number, whether it holds for the object.
pub type Holding = BTreeMap<ObjectId, Vec<bool>>;

/// What is wrong with a value, said at its field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// The object; `None` for one that is not stored yet.
    pub object: Option<ObjectId>,
    /// The member; `None` concerns the whole form.
    pub member: Option<Name>,
    /// The plain sentence.
    pub message: String,
}

/// Why data could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// Refused.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Two layers decided differently: refused, and an incident.
    #[error(transparent)]
    Disagreement(#[from] Box<Disagreement>),
    /// The database is not there, or full, or busy: nothing was done; try again.
    #[error("the data is not available right now")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A fault of ours; told as a failure without details.
    #[error("the data could not be read")]
    Fault(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Why data was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Refused, unavailable, or a fault.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// Somebody changed the object meanwhile.
    #[error("the object was changed meanwhile")]
    Stale,
    /// The values are not acceptable.
    #[error("the values are not acceptable")]
    Invalid(Vec<Feedback>),
    /// It is still referred to.
    #[error("the object is still in use")]
    InUse(QName),
}

impl From<Denied> for WriteError {
    fn from(denied: Denied) -> Self {
        Self::Object(ObjectError::Denied(denied))
    }
}

/// Objects, wherever they live. One value of this type is one transaction: whoever made it decides
/// whether its deeds are kept.
pub trait Objects {
    /// Reads for the caller's eyes.
    fn view(&mut self, permit: &Permit<View>, query: &Query) -> Result<Released<Rows>, ObjectError>;
    /// Counts, or sums a member, for the caller's eyes: over exactly the rows and values they may see.
    fn figure(&mut self, permit: &Permit<View>, query: &Query, sum: Option<&Name>) -> Result<Released<Cell>, ObjectError>;
    /// Reads for a microflow.
    fn load(&mut self, permit: &Permit<Load>, query: &Query) -> Result<Vec<LoadedObject>, ObjectError>;
    /// Creates an object with these values (defaults for the rest); checks validations and that
    /// the new row satisfies a rule that grants create and every member written.
    fn create(&mut self, permit: &Permit<Create>, values: &BTreeMap<Name, Value>) -> Result<ObjectId, WriteError>;
    /// Changes members of an object; checks the row before and after. With a version, only that one.
    fn change(
        &mut self,
        permit: &Permit<Change>,
        object: ObjectId,
        version: Option<i64>,
        values: &BTreeMap<Name, Value>,
    ) -> Result<(), WriteError>;
    /// Deletes an object (and what its associations cascade to).
    fn delete(&mut self, permit: &Permit<Delete>, object: ObjectId, version: Option<i64>) -> Result<(), WriteError>;
    /// Keeps others from changing an object, or locking it, until the transaction is over; what is read of it afterwards
    /// is what it is now. The object must be one that the permit may load. An object that is gone is stale. In memory
    /// nobody else is there to wait for.
    fn lock(&mut self, _permit: &Permit<Load>, _object: ObjectId) -> Result<(), WriteError> {
        Ok(())
    }
    /// A member of the *caller's own* account (name, email, active), or where an association leads
    /// from it: who the caller is, told without a right to read system.User. It can be asked about
    /// nobody else; a to-many association gives a list.
    fn identity(&mut self, name: &Name) -> Result<Value, EvalError> {
        Err(EvalError::Withheld(Model::user_entity(), name.clone()))
    }
    /// Why the reader sees what they see of some objects, rule by rule, and how many objects there are besides:
    /// for the overlay of reasons, and told only as far as the reader may know. `None` where nothing is stored.
    fn inspect(&mut self, _permit: &Permit<View>, _asked: &Inspection) -> Result<Option<Released<Inspected>>, ObjectError> {
        Ok(None)
    }
    /// Which of the reader's rules about an entity hold for some of the objects that they see, exactly as a write would
    /// find them: for what a page offers. It decides nothing. `None` where nothing is stored.
    fn holding(&mut self, _permit: &Permit<View>, _objects: &[ObjectId]) -> Result<Option<Released<Holding>>, ObjectError> {
        Ok(None)
    }
    /// What is still wrong with a non-persistable object: required members and validations by
    /// expression. (A persistable one is validated when it is written.)
    fn validate(&mut self, _permit: &Permit<View>, _object: ObjectId) -> Result<Vec<Feedback>, ObjectError> {
        Ok(Vec::new())
    }
}
