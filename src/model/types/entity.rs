//! The domain model: entities, their members, rules and handlers, and enumerations.

use super::app::{Place, Tone};
use crate::domain::{ByName, Kind, Name, Number, QName, Value};
use crate::expr::Typed;
use std::collections::BTreeSet;
use std::sync::Arc;

/// An enumeration.
#[derive(Clone, Debug)]
pub struct Enumeration {
    /// Its values in order.
    pub values: ByName<Name, EnumerationValue>,
}

/// How an enumeration value is shown.
#[derive(Clone, Debug)]
pub struct EnumerationValue {
    /// Caption.
    pub caption: String,
    /// Tone of its badge.
    pub tone: Tone,
}

/// An entity.
#[derive(Clone, Debug)]
pub struct Entity {
    /// Name.
    pub name: QName,
    /// Documentation.
    pub doc: String,
    /// What one object is called.
    pub label: String,
    /// What several are called.
    pub label_plural: String,
    /// Stored in the database, or in memory only.
    pub persistable: bool,
    /// The built-in users: never written by a model, kept in the account table.
    pub system: bool,
    /// Attributes, server-kept ones among them.
    pub attributes: ByName<Name, Attribute>,
    /// Associations this entity owns.
    pub associations: ByName<Name, Association>,
    /// Names for the other side of associations that point here.
    pub inverses: ByName<Name, Inverse>,
    /// The self-association that spans a tree.
    pub tree: Option<Name>,
    /// The attribute that stands for an object in a selector.
    pub display: Option<Name>,
    /// Unique combinations of members.
    pub unique: Vec<Vec<Name>>,
    /// Ranges that may not overlap.
    pub exclude: Vec<Exclusion>,
    /// Declared indexes.
    pub indexes: Vec<Vec<Name>>,
    /// Validations by expression.
    pub validations: Vec<Validation>,
    /// Event handlers in order.
    pub handlers: Vec<Handler>,
    /// Access rules.
    pub rules: Vec<Arc<AccessRule>>,
    /// Former name.
    pub was: Option<Name>,
    /// Where it is declared.
    pub place: Place,
}

impl Entity {
    /// Whether `name` is an own member (attribute or owned association).
    pub fn has_member(&self, name: &str) -> bool {
        self.attributes.contains_key(name) || self.associations.contains_key(name)
    }
    /// All own members, attributes first, in the order declared.
    pub fn members(&self) -> impl Iterator<Item = &Name> {
        self.attributes.keys().chain(self.associations.keys())
    }
    /// The kind of an own member's value.
    pub fn member_kind(&self, name: &str) -> Option<Kind> {
        if let Some(attribute) = self.attributes.get(name) {
            return Some(attribute.kind());
        }
        self.associations.get(name).map(Association::kind)
    }
    /// The label of an own member.
    pub fn member_label(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(|a| a.label.as_str()).or_else(|| self.associations.get(name).map(|a| a.label.as_str()))
    }
    /// Whether the member is kept by the server (or computed) and so can never be written by a person or a flow.
    pub fn server_kept(&self, name: &str) -> bool {
        let attribute =
            self.attributes.get(name).is_some_and(|a| a.server || a.calculated.is_some() || a.kind == AttributeKind::Autonumber);
        attribute || self.associations.get(name).is_some_and(|a| a.server)
    }
}

/// The type of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeKind {
    /// Text of at most this many characters.
    String(u32),
    /// Text without a limit of its own.
    Text,
    /// A whole number.
    Integer,
    /// An exact decimal.
    Decimal(Number),
    /// True or false.
    Boolean,
    /// A date.
    Date,
    /// A moment in UTC.
    DateTime,
    /// A value of an enumeration.
    Enumeration(QName),
    /// A number given once by the server.
    Autonumber,
}

/// How sensitive a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Classification {
    /// Anyone may know.
    Public,
    /// For people of the organisation.
    #[default]
    Internal,
    /// For those who need it.
    Confidential,
    /// For the fewest.
    Secret,
}

/// An attribute.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Name.
    pub name: Name,
    /// Type.
    pub kind: AttributeKind,
    /// Label.
    pub label: String,
    /// Help text at the field.
    pub help: String,
    /// Must have a value.
    pub required: bool,
    /// Value of a new object, over `user`.
    pub default: Option<Typed>,
    /// Computed, over `this`; never stored.
    pub calculated: Option<Arc<Typed>>,
    /// Least value.
    pub min: Option<Value>,
    /// Greatest value.
    pub max: Option<Value>,
    /// The whole text must match.
    pub pattern: Option<regex::Regex>,
    /// Must look like an e-mail address.
    pub email: bool,
    /// What to say when the pattern does not match.
    pub message: Option<String>,
    /// Former name.
    pub was: Option<Name>,
    /// How sensitive.
    pub classification: Classification,
    /// Kept by the server (`created`, `changed`).
    pub server: bool,
    /// Where it is declared.
    pub place: Place,
}

impl Attribute {
    /// The kind of its values.
    pub fn kind(&self) -> Kind {
        match &self.kind {
            AttributeKind::String(_) | AttributeKind::Text => Kind::Text,
            AttributeKind::Integer | AttributeKind::Autonumber => Kind::INTEGER,
            AttributeKind::Decimal(number) => Kind::Number(*number),
            AttributeKind::Boolean => Kind::Boolean,
            AttributeKind::Date => Kind::Date,
            AttributeKind::DateTime => Kind::DateTime,
            AttributeKind::Enumeration(name) => Kind::Enumeration(name.clone()),
        }
    }
}

/// How many on each side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Multiplicity {
    /// Many owners to one target: a column on the owner.
    ManyToOne,
    /// One to one: a unique column on the owner.
    OneToOne,
    /// Many to many: a table of its own.
    ManyToMany,
}

/// What happens to the owner when the target is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDelete {
    /// The target cannot be deleted.
    Refuse,
    /// The owner is deleted too.
    Cascade,
    /// The owner forgets the target.
    Clear,
}

/// An association, on the side that owns it.
#[derive(Clone, Debug)]
pub struct Association {
    /// Name.
    pub name: Name,
    /// Where it leads.
    pub target: QName,
    /// How many on each side.
    pub multiplicity: Multiplicity,
    /// Must lead somewhere.
    pub required: bool,
    /// When the target goes.
    pub on_delete: OnDelete,
    /// The other side's name for it.
    pub inverse: Option<Name>,
    /// Label.
    pub label: String,
    /// Help text at the field.
    pub help: String,
    /// Value of a new object.
    pub default: Option<Typed>,
    /// Former name.
    pub was: Option<Name>,
    /// Kept by the server (`owner`, `changedBy`).
    pub server: bool,
    /// Where it is declared.
    pub place: Place,
}

impl Association {
    /// The kind of its value.
    pub fn kind(&self) -> Kind {
        match self.multiplicity {
            Multiplicity::ManyToMany => Kind::List(self.target.clone()),
            _ => Kind::Object(self.target.clone()),
        }
    }
}

/// The other side of an association.
#[derive(Clone, Debug)]
pub struct Inverse {
    /// The owning entity.
    pub owner: QName,
    /// The association's name there.
    pub association: Name,
    /// Whether it leads to several owners.
    pub many: bool,
}

/// No two objects that have the same in some members may overlap in a range.
#[derive(Clone, Debug)]
pub struct Exclusion {
    /// Stored attributes and to-one associations; an empty one is the same as none.
    pub same: Vec<Name>,
    /// Where the range begins: a date, or a date and time. Empty: it has no beginning.
    pub from: Name,
    /// Where it ends: a date is the last day, a date and time the first moment after it. Empty: it has no end.
    pub to: Name,
    /// The member the message stands at.
    pub member: Name,
    /// What to say when there is another one; in the model's own words.
    pub message: Option<String>,
}

/// A validation by expression.
#[derive(Clone, Debug)]
pub struct Validation {
    /// The member the message stands at.
    pub member: Option<Name>,
    /// Must hold, over `this`.
    pub rule: Typed,
    /// What to say when it does not.
    pub message: String,
}

/// When a handler runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before, and can refuse.
    Before,
    /// After.
    After,
}

/// Around which deed a handler runs. `Commit` is every write of an object, creating included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A new object.
    Create,
    /// Any write.
    Commit,
    /// A deletion.
    Delete,
}

/// An event handler.
#[derive(Clone, Debug)]
pub struct Handler {
    /// Before or after.
    pub moment: Moment,
    /// Which deed.
    pub deed: Deed,
    /// The flow, with one parameter of the entity.
    pub microflow: QName,
}

/// An access rule.
#[derive(Clone, Debug)]
pub struct AccessRule {
    /// Number of the rule at its entity (or in its elevation), from 1.
    pub number: usize,
    /// Documentation line.
    pub doc: String,
    /// To these module roles; empty in an elevation.
    pub roles: BTreeSet<QName>,
    /// May create.
    pub create: bool,
    /// May delete.
    pub delete: bool,
    /// Members that may be read.
    pub read: BTreeSet<Name>,
    /// Members that may be written.
    pub write: BTreeSet<Name>,
    /// Which rows.
    pub condition: Option<Arc<Typed>>,
    /// The condition as written, for people.
    pub condition_text: Option<Arc<str>>,
    /// Where it is written.
    pub place: Place,
}
