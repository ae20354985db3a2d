//! The model as the server runs it: immutable, every name resolved, every expression typed.

use crate::domain::{ByName, Kind, Member, Name, Number, QName, Value};
use crate::expr::{Aggregate, Template, Typed};
use indexmap::IndexSet;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A place in a model file, for findings and explanations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Path below the app's folder.
    pub file: Arc<str>,
    /// Line, from 1; 0 for the whole file.
    pub line: u64,
    /// Column, from 1.
    pub column: u64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// What is demanded before start; never what is enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Runs with gaps, in demo mode on loopback only, under a banner that counts them.
    Prototype,
    /// Complete security in domain model, microflows and pages.
    Production,
}

/// A whole app.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its short name.
    pub name: Name,
    /// Its title.
    pub title: String,
    /// The security level.
    pub level: Level,
    /// The language of the texts in the files.
    pub language: String,
    /// Translations: language → source text → text.
    pub texts: BTreeMap<String, BTreeMap<String, String>>,
    /// Digest of all model files: two models with the same one are the same.
    pub fingerprint: String,
    /// Modules and their roles (with documentation lines).
    pub modules: ByName<Name, Module>,
    /// User roles.
    pub user_roles: ByName<Name, UserRole>,
    /// Denies that no grant beats.
    pub guardrails: Vec<Guardrail>,
    /// Who may use which part of the administration.
    pub administration: Administration,
    /// How visitors become users.
    pub registration: Option<Registration>,
    /// Menus and start pages.
    pub navigation: Vec<Navigation>,
    /// Users of demo mode.
    pub demo_users: Vec<DemoUser>,
    /// Enumerations.
    pub enumerations: ByName<QName, Enumeration>,
    /// Entities, `system.User` among them.
    pub entities: ByName<QName, Arc<Entity>>,
    /// Pages.
    pub pages: ByName<QName, Arc<Page>>,
    /// Microflows.
    pub microflows: ByName<QName, Arc<Microflow>>,
    /// Constants that are not secret.
    pub constants: ByName<QName, (Kind, Value)>,
    /// Names of environment variables that hold secret constants.
    pub secrets: ByName<QName, String>,
    /// Scheduled events.
    pub schedule: Vec<ScheduledEvent>,
    /// Public snapshots.
    pub snapshots: ByName<QName, Snapshot>,
}

/// A module.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// Its roles, with their documentation lines.
    pub roles: ByName<Name, String>,
}

/// A user role: a set of module roles.
#[derive(Clone, Debug, Default)]
pub struct UserRole {
    /// Documentation line.
    pub doc: String,
    /// The role of visitors.
    pub anonymous: bool,
    /// The module roles it consists of.
    pub module_roles: BTreeSet<QName>,
    /// The user roles that its holders may assign (never to themselves).
    pub may_assign: BTreeSet<Name>,
}

/// What a guardrail denies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Deny {
    /// Reading a member.
    Read(Member),
    /// Writing a member.
    Write(Member),
    /// Creating objects.
    Create(QName),
    /// Deleting objects.
    Delete(QName),
    /// Opening a page.
    Open(QName),
    /// Running a microflow.
    Run(QName),
}

/// A deny that no grant beats.
#[derive(Clone, Debug)]
pub struct Guardrail {
    /// What is denied.
    pub denies: Vec<Deny>,
    /// To holders of any of these user roles, whatever else they hold.
    pub user_roles: BTreeSet<Name>,
    /// Why.
    pub doc: String,
    /// Where it is written.
    pub place: Place,
}

/// User roles per part of the administration.
#[derive(Clone, Debug, Default)]
pub struct Administration {
    /// Users and role assignment.
    pub users: BTreeSet<Name>,
    /// The effective rights matrix.
    pub matrix: BTreeSet<Name>,
    /// The record of what happened.
    pub audit: BTreeSet<Name>,
    /// The live log and its levels.
    pub log: BTreeSet<Name>,
    /// The overlay of reasons on every page.
    pub explain: BTreeSet<Name>,
}

/// How visitors become users.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The role a registered person gets.
    pub user_role: Name,
    /// How long the mailed link is good, in seconds.
    pub expires_seconds: i64,
    /// The flow that runs with the new account, as a job.
    pub after: Option<QName>,
}

/// Menu and start page of some user roles.
#[derive(Clone, Debug)]
pub struct Navigation {
    /// For these.
    pub user_roles: BTreeSet<Name>,
    /// Their start page.
    pub home: Option<QName>,
    /// Their menu.
    pub menu: Vec<MenuItem>,
}

/// One entry of a menu.
#[derive(Clone, Debug)]
pub struct MenuItem {
    /// Caption.
    pub title: String,
    /// Icon name.
    pub icon: Option<String>,
    /// The page it opens, or nothing when it is a group.
    pub page: Option<QName>,
    /// Entries of the group.
    pub items: Vec<MenuItem>,
}

/// A user that exists only in demo mode.
#[derive(Clone, Debug)]
pub struct DemoUser {
    /// Short key, also for seed files (`demo:<key>`).
    pub key: Name,
    /// Full name.
    pub name: String,
    /// Address.
    pub email: String,
    /// User roles.
    pub user_roles: BTreeSet<Name>,
}

/// Colour meaning of a badge or message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tone {
    /// No meaning.
    #[default]
    Neutral,
    /// Worth knowing.
    Info,
    /// Went well.
    Success,
    /// Needs attention.
    Warning,
    /// Went wrong.
    Danger,
}

impl Tone {
    /// The word used in templates.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Neutral => "neutral",
            Self::Info => "info",
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Danger => "danger",
        }
    }
}

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

/// A scheduled event.
#[derive(Clone, Debug)]
pub struct ScheduledEvent {
    /// Name.
    pub name: QName,
    /// When.
    pub timing: Timing,
    /// What.
    pub microflow: QName,
    /// Also once at start.
    pub at_start: bool,
}

/// When a scheduled event runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// Every so many seconds.
    Every(u64),
    /// Daily at this minute of the day, UTC.
    Daily(u32),
}

/// A public snapshot.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Name.
    pub name: QName,
    /// The non-persistable entity of its objects.
    pub entity: QName,
    /// Who may read it.
    pub roles: BTreeSet<QName>,
}

/// A path of members from an object: all but the last are to-one associations.
pub type Path = Vec<Name>;

/// A page.
#[derive(Clone, Debug)]
pub struct Page {
    /// Name.
    pub name: QName,
    /// Title.
    pub title: Template,
    /// With menu, or plain.
    pub layout: Layout,
    /// Module roles that may open it.
    pub roles: BTreeSet<QName>,
    /// Parameters: name → entity.
    pub parameters: ByName<Name, QName>,
    /// Widgets.
    pub content: Vec<Widget>,
    /// Where it is declared.
    pub place: Place,
}

/// The frame of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// With the menu.
    #[default]
    App,
    /// Without.
    Plain,
}

/// A widget of a page; ids are unique within the page and stable for one model.
#[derive(Clone, Debug)]
pub struct Widget {
    /// `w1`, `w2`, … in document order.
    pub id: String,
    /// Shown only when this holds.
    pub visible: Option<Typed>,
    /// What it is.
    pub kind: WidgetKind,
    /// Where it is declared.
    pub place: Place,
}

/// What a widget is.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each widget and its keys are documented in docs/MODEL.md")]
pub enum WidgetKind {
    Container { title: Option<Template>, card: bool, content: Vec<Widget> },
    Columns(Vec<(u8, Vec<Widget>)>),
    Tabs(Vec<(String, Vec<Widget>)>),
    Snippet { name: QName, content: Vec<Widget> },
    Heading { text: Template, level: u8 },
    Text { value: Template, style: TextStyle },
    Badge { value: Typed },
    Alert { text: Template, tone: Tone },
    DataView(DataView),
    DataGrid(DataGrid),
    ListView(ListView),
    Input(Input),
    Reference(Reference),
    Stat(Stat),
    Button(Button),
}

/// How a text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TextStyle {
    /// As it is.
    #[default]
    Plain,
    /// Less prominent.
    Muted,
    /// An introduction.
    Lead,
}

/// Shows one object; inside, `this` is it.
#[derive(Clone, Debug)]
pub struct DataView {
    /// Which object.
    pub source: ViewSource,
    /// Its entity.
    pub entity: QName,
    /// No input in it can be edited.
    pub read_only: bool,
    /// Widgets.
    pub content: Vec<Widget>,
}

/// Where a data view's object comes from.
#[derive(Clone, Debug)]
pub enum ViewSource {
    /// A page parameter.
    Parameter(Name),
    /// A fresh object, stored when saved, with these first values.
    New(Vec<(Name, Typed)>),
    /// The object along a to-one association of the surrounding one.
    Association(Name),
}

/// Where a list comes from.
#[derive(Clone, Debug)]
pub struct ListSource {
    /// What kind of source.
    pub from: ListFrom,
    /// The entity of its objects.
    pub entity: QName,
    /// Constraint by the model, over `this` (an object of the list), parameters and `user`.
    pub condition: Option<Typed>,
    /// Order: path, descending.
    pub sort: Vec<(Path, bool)>,
}

/// The kinds of list sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListFrom {
    /// All objects of the entity (that the reader may see).
    Entity,
    /// Those along a to-many association (own or inverse name) of the surrounding object.
    Association(Name),
    /// A public snapshot.
    Snapshot(QName),
}

/// A column of a grid.
#[derive(Clone, Debug)]
pub struct Column {
    /// Heading.
    pub title: String,
    /// Content.
    pub show: ColumnShow,
    /// Numbers to the right.
    pub right: bool,
}

/// What a column shows.
#[derive(Clone, Debug)]
pub enum ColumnShow {
    /// A member along to-one associations; can be sorted by the reader.
    Path(Path),
    /// A text.
    Text(Template),
    /// A badge.
    Badge(Typed),
}

/// A page to open, with objects for its parameters.
#[derive(Clone, Debug)]
pub struct Open {
    /// The page.
    pub page: QName,
    /// Parameter → expression that gives an object.
    pub with: Vec<(Name, Typed)>,
}

/// A data grid.
#[derive(Clone, Debug)]
pub struct DataGrid {
    /// Title.
    pub title: Option<Template>,
    /// Data.
    pub source: ListSource,
    /// Columns.
    pub columns: Vec<Column>,
    /// Members searched by the reader's text.
    pub search: Vec<Path>,
    /// Members the reader may filter by.
    pub filters: Vec<Path>,
    /// Rows a page.
    pub page_size: u32,
    /// Whether a total is counted (capped).
    pub total: bool,
    /// What a row opens.
    pub opens: Option<Open>,
    /// Buttons above.
    pub buttons: Vec<Widget>,
    /// Buttons in each row; inside, `this` is the row's object.
    pub row_buttons: Vec<Widget>,
    /// What to say when there is nothing yet.
    pub empty: Option<String>,
}

/// A list view.
#[derive(Clone, Debug)]
pub struct ListView {
    /// Title.
    pub title: Option<Template>,
    /// Data.
    pub source: ListSource,
    /// Widgets per object.
    pub content: Vec<Widget>,
    /// Objects a page.
    pub page_size: u32,
    /// What to say when there is nothing yet.
    pub empty: Option<String>,
}

/// An input for an attribute of `this`.
#[derive(Clone, Debug)]
pub struct Input {
    /// The attribute.
    pub member: Name,
    /// Label, when not the attribute's.
    pub label: Option<String>,
    /// Help, when not the attribute's.
    pub help: Option<String>,
    /// Placeholder.
    pub placeholder: Option<String>,
    /// Read-only when this holds.
    pub read_only: Option<Typed>,
    /// Lines of a text area.
    pub rows: u32,
}

/// A selector for a to-one association of `this`.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The association.
    pub member: Name,
    /// Its target.
    pub target: QName,
    /// The member of the target that is shown.
    pub show: Name,
    /// Constraint on the offered objects, over `this` (one of them) and `user`.
    pub condition: Option<Typed>,
    /// Label, when not the association's.
    pub label: Option<String>,
    /// Help.
    pub help: Option<String>,
    /// Read-only when this holds.
    pub read_only: Option<Typed>,
}

/// A figure.
#[derive(Clone, Debug)]
pub struct Stat {
    /// Title.
    pub title: String,
    /// Data.
    pub source: ListSource,
    /// `None` counts; else the sum of a member.
    pub sum: Option<Name>,
    /// What a click opens.
    pub opens: Option<Open>,
    /// Icon.
    pub icon: Option<String>,
    /// Tone.
    pub tone: Tone,
}

/// How a button looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ButtonStyle {
    /// The main act.
    Primary,
    /// Another act.
    #[default]
    Secondary,
    /// An act that destroys.
    Danger,
    /// Like a link.
    Link,
}

/// A button.
#[derive(Clone, Debug)]
pub struct Button {
    /// Caption.
    pub caption: Template,
    /// Look.
    pub style: ButtonStyle,
    /// Icon.
    pub icon: Option<String>,
    /// Question asked before.
    pub confirm: Option<Template>,
    /// What it does.
    pub action: Action,
}

/// What a button does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Opens a page.
    Open(Open),
    /// Runs a microflow: parameter → expression.
    Run {
        /// The flow.
        microflow: QName,
        /// Its arguments.
        with: Vec<(Name, Typed)>,
    },
    /// Saves the surrounding data view.
    Save {
        /// Closes the page afterwards.
        close: bool,
        /// What to say.
        message: Option<Template>,
    },
    /// Leaves without saving.
    Cancel,
    /// Deletes the surrounding object.
    Delete,
}

/// A microflow.
#[derive(Clone, Debug)]
pub struct Microflow {
    /// Name.
    pub name: QName,
    /// Documentation.
    pub doc: String,
    /// Module roles that may run it from a page.
    pub roles: BTreeSet<QName>,
    /// Parameters.
    pub parameters: ByName<Name, Kind>,
    /// Runs under the caller's own rights.
    pub apply_entity_access: bool,
    /// May be run with objects that somebody changed since they were shown.
    pub any_version: bool,
    /// Else: exactly these rights in addition. Entity → rules.
    pub elevation: ByName<QName, Vec<Arc<AccessRule>>>,
    /// What it gives.
    pub returns: Option<Kind>,
    /// Activities.
    pub body: Vec<Activity>,
    /// Where it is declared.
    pub place: Place,
}

/// An activity of a microflow.
#[derive(Clone, Debug)]
pub struct Activity {
    /// What it does.
    pub kind: ActivityKind,
    /// Where it is declared.
    pub place: Place,
}

/// What an activity does.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each activity and its keys are documented in docs/MODEL.md")]
pub enum ActivityKind {
    RetrieveAssociation {
        output: Name,
        from: Name,
        entity: QName,
        member: Name,
        many: bool,
    },
    Retrieve {
        output: Name,
        entity: QName,
        condition: Option<Typed>,
        sort: Vec<(Path, bool)>,
        first: bool,
        limit: Option<u32>,
        offset: u32,
    },
    Create {
        output: Name,
        entity: QName,
        set: Vec<(Name, Typed)>,
    },
    Change {
        object: Name,
        entity: QName,
        set: Vec<(Name, Typed)>,
    },
    Lock {
        object: Name,
        entity: QName,
    },
    Delete {
        object: Name,
        entity: QName,
    },
    Aggregate {
        output: Name,
        list: Name,
        entity: QName,
        function: ListFunction,
        of: Option<Name>,
    },
    Set {
        variable: Name,
        value: Typed,
    },
    Decide {
        condition: Typed,
        then: Vec<Activity>,
        otherwise: Vec<Activity>,
    },
    Loop {
        over: Name,
        element: Name,
        body: Vec<Activity>,
    },
    Call {
        microflow: QName,
        with: Vec<(Name, Typed)>,
        output: Option<Name>,
    },
    ShowPage(Open),
    ClosePage,
    Message {
        text: Template,
        tone: Tone,
    },
    Feedback {
        object: Name,
        member: Name,
        message: Template,
    },
    Log {
        node: String,
        level: LogLevel,
        text: Template,
    },
    SendMail {
        to: Typed,
        subject: Template,
        text: Template,
    },
    Publish {
        snapshot: QName,
        list: Name,
    },
    Register {
        email: Typed,
        name: Typed,
        data: Name,
    },
    End {
        value: Option<Typed>,
    },
    Raise {
        message: Template,
    },
}

/// The function of an aggregate activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListFunction {
    /// As in expressions.
    Plain(Aggregate),
    /// The mean, 8 digits after the point, half to even; empty over nothing.
    Average,
}

/// Mendix's log levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

impl Model {
    /// The entity, if there is one.
    pub fn entity(&self, name: &QName) -> Option<&Arc<Entity>> {
        self.entities.get(name)
    }
    /// The role of visitors.
    pub fn anonymous_role(&self) -> Option<&Name> {
        self.user_roles.iter().find(|(_, role)| role.anonymous).map(|(name, _)| name)
    }
    /// The user roles of administrators: those that may administer users, and of these none that may assign less than
    /// another of them. A system in which nobody who can sign in has one of them cannot be put right from inside.
    pub fn administrators(&self) -> BTreeSet<Name> {
        let gives = |role: &Name| self.user_roles.get(role).map(|found| &found.may_assign);
        let less = |role: &Name, other: &Name| match (gives(role), gives(other)) {
            (Some(mine), Some(theirs)) => mine.len() < theirs.len() && mine.is_subset(theirs),
            _ => false,
        };
        let all = &self.administration.users;
        all.iter().filter(|role| !all.iter().any(|other| less(role, other))).cloned().collect()
    }
    /// The built-in users.
    pub fn user_entity() -> QName {
        QName::new("system", "User")
    }
    /// The text in `language`, or the source text.
    pub fn translate<'a>(&'a self, language: &str, text: &'a str) -> &'a str {
        self.texts.get(language).and_then(|texts| texts.get(text)).map_or(text, String::as_str)
    }
    /// The module roles of some user roles together.
    pub fn module_roles<'a>(&self, user_roles: impl IntoIterator<Item = &'a Name>) -> BTreeSet<QName> {
        let found = user_roles.into_iter().filter_map(|role| self.user_roles.get(role));
        found.flat_map(|role| role.module_roles.iter().cloned()).collect()
    }
    /// Every name in the set that the model has as a user role.
    pub fn known_roles(&self, names: &BTreeSet<Name>) -> IndexSet<Name> {
        names.iter().filter(|name| self.user_roles.contains_key(*name)).cloned().collect()
    }
}
