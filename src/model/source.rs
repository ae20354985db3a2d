//! The shapes of the model files, as written: texts with positions, nothing resolved.
//!
//! Strict: an unknown key is an error. The JSON Schema of `portcullis schema` is made from here.

use super::types::{ButtonStyle, Classification, Layout, LogLevel, TextStyle, Tone};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// A value and where it stands.
#[derive(Clone, Debug, Default)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Line from 1.
    pub line: u64,
    /// Column from 1.
    pub column: u64,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = serde_saphyr::Spanned::<T>::deserialize(deserializer)?;
        Ok(Self { line: spanned.referenced.line(), column: spanned.referenced.column(), value: spanned.value })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
    fn inline_schema() -> bool {
        T::inline_schema()
    }
}

/// A mapping in the order written, its keys with their places.
#[derive(Clone, Debug)]
pub struct Map<T>(pub Vec<(At<String>, T)>);

impl<T> Default for Map<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Map<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Map<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut out = Vec::new();
                while let Some(key) = map.next_key::<At<String>>()? {
                    out.push((key, map.next_value()?));
                }
                Ok(Map(out))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Map<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        IndexMap::<String, T>::schema_name()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        IndexMap::<String, T>::json_schema(generator)
    }
    fn inline_schema() -> bool {
        true
    }
}

/// One of something, or a list of them.
#[derive(Clone, Debug)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = OneOrMany<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping, or a list of mappings")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(|one| OneOrMany(vec![one]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut out = Vec::new();
                while let Some(one) = list.next_element()? {
                    out.push(one);
                }
                Ok(OneOrMany(out))
            }
        }
        deserializer.deserialize_any(Either(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("OneOrMany_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let (one, many) = (generator.subschema_for::<T>(), generator.subschema_for::<Vec<T>>());
        schemars::json_schema!({"anyOf": [one, many]})
    }
    fn inline_schema() -> bool {
        true
    }
}

/// A text with its place: a name, an expression or a template.
pub type Text = At<String>;

macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident { $($(#[$attr:meta])* $field:ident : $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, rename_all = "camelCase")]
        pub struct $name { $($(#[$attr])* pub $field: $type,)* }
    )*};
}

/// The level as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "as in the model")]
pub enum LevelWord {
    Prototype,
    Production,
}

/// A scalar written as text or number.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Scalar {
    Text(String),
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::Text)
    }
}

impl Scalar {
    /// The text.
    pub fn as_str(&self) -> &str {
        let Self::Text(text) = self;
        text
    }
}

fn yes() -> bool {
    true
}
fn twenty() -> u32 {
    20
}

#[expect(missing_docs, reason = "every key is documented in docs/MODEL.md, and the schema is generated from these shapes")]
mod shapes {
    use super::*;

    shapes! {
        /// `app.yaml`
        App {
            app: Text,
            title: String,
            level: LevelWord,
            language: String,
            #[serde(default)] languages: Vec<String>,
            modules: Vec<Text>,
            user_roles: Map<UserRole>,
            #[serde(default)] guardrails: Vec<Guardrail>,
            #[serde(default)] administration: Administration,
            registration: Option<Registration>,
            #[serde(default)] navigation: Vec<Navigation>,
            #[serde(default)] demo_users: Vec<DemoUser>,
            #[serde(default)] system_access: Map<Vec<AccessRule>>,
        }
        /// A user role.
        UserRole {
            #[serde(default)] anonymous: bool,
            #[serde(default)] module_roles: Vec<Text>,
            #[serde(default)] may_assign: Vec<Text>,
            #[serde(default)] doc: String,
        }
        /// A deny that no grant beats.
        Guardrail {
            deny: DenyWord,
            of: Vec<Text>,
            user_roles: Vec<Text>,
            #[serde(default)] doc: String,
        }
        /// How visitors become users.
        Registration {
            user_role: Text,
            expires: Text,
            after: Option<Text>,
        }
        /// Menu and start page.
        Navigation {
            user_roles: Vec<Text>,
            home: Option<Text>,
            #[serde(default)] menu: Vec<MenuItem>,
        }
        /// One entry of a menu.
        MenuItem {
            title: String,
            icon: Option<Text>,
            page: Option<Text>,
            #[serde(default)] items: Vec<MenuItem>,
        }
        /// A user of demo mode.
        DemoUser {
            key: Text,
            name: String,
            email: Text,
            user_roles: Vec<Text>,
        }
        /// `<module>/module.yaml`
        Module {
            #[serde(default)] roles: Map<String>,
            #[serde(default)] constants: Map<Constant>,
            #[serde(default)] scheduled_events: Map<ScheduledEvent>,
            #[serde(default)] snapshots: Map<Snapshot>,
        }
        /// A constant.
        Constant {
            #[serde(rename = "type")] kind: Text,
            value: Option<Text>,
            secret: Option<Text>,
            #[serde(default)] doc: String,
        }
        /// A scheduled event.
        ScheduledEvent {
            every: Option<Text>,
            daily: Option<Text>,
            run: Text,
            #[serde(default)] at_start: bool,
            #[serde(default)] doc: String,
        }
        /// A public snapshot.
        Snapshot {
            entity: Text,
            roles: Vec<Text>,
            #[serde(default)] doc: String,
        }
        /// `<module>/domain.yaml`
        Domain {
            #[serde(default)] enumerations: Map<Map<Option<EnumerationValue>>>,
            #[serde(default)] entities: Map<Entity>,
        }
        /// How an enumeration value is shown.
        EnumerationValue {
            caption: Option<String>,
            #[serde(default)] tone: Tone,
        }
        /// An entity.
        Entity {
            #[serde(default)] doc: String,
            label: Option<String>,
            label_plural: Option<String>,
            #[serde(default = "yes")] persistable: bool,
            #[serde(default)] store: Vec<Text>,
            #[serde(default)] attributes: Map<Attribute>,
            #[serde(default)] associations: Map<Association>,
            tree: Option<Text>,
            display: Option<Text>,
            #[serde(default)] unique: Vec<Vec<Text>>,
            #[serde(default)] exclude: OneOrMany<Exclusion>,
            #[serde(default)] indexes: Vec<Vec<Text>>,
            /// Named conditions over `this`, used as `name(this)`.
            #[serde(default)] predicates: Map<Text>,
            #[serde(default)] validations: Vec<Validation>,
            #[serde(default)] events: Vec<Handler>,
            #[serde(default)] access: Vec<AccessRule>,
            was: Option<Text>,
        }
        /// An attribute.
        Attribute {
            #[serde(rename = "type")] kind: Text,
            length: Option<At<u32>>,
            precision: Option<At<u32>>,
            scale: Option<At<u32>>,
            of: Option<Text>,
            label: Option<String>,
            help: Option<String>,
            doc: Option<String>,
            #[serde(default)] required: bool,
            default: Option<Text>,
            calculated: Option<Text>,
            min: Option<Text>,
            max: Option<Text>,
            pattern: Option<Text>,
            #[serde(default)] email: bool,
            message: Option<String>,
            was: Option<Text>,
            #[serde(default)] classification: Classification,
        }
        /// An association.
        Association {
            to: Text,
            kind: Option<Text>,
            #[serde(default)] required: bool,
            on_delete: Option<Text>,
            inverse: Option<Text>,
            label: Option<String>,
            help: Option<String>,
            doc: Option<String>,
            default: Option<Text>,
            was: Option<Text>,
        }
        /// Objects whose ranges may not overlap.
        Exclusion {
            #[serde(default)] same: Vec<Text>,
            overlap: Vec<Text>,
            member: Option<Text>,
            message: Option<String>,
        }
        /// A validation by expression.
        Validation {
            member: Option<Text>,
            rule: Text,
            message: String,
        }
        /// An event handler.
        Handler {
            on: Text,
            run: Text,
        }
        /// An access rule.
        AccessRule {
            #[serde(default)] doc: String,
            roles: Vec<Text>,
            #[serde(default)] create: bool,
            #[serde(default)] delete: bool,
            #[serde(default)] read: Vec<Text>,
            #[serde(default)] write: Vec<Text>,
            #[serde(rename = "where")] condition: Option<Text>,
        }
        /// `<module>/pages/<Name>.yaml`
        Page {
            title: Text,
            #[serde(default)] layout: Layout,
            #[serde(default)] doc: String,
            #[serde(default)] roles: Vec<Text>,
            #[serde(default)] parameters: Map<Text>,
            #[serde(default)] content: Vec<At<Widget>>,
        }
        /// `<module>/snippets/<Name>.yaml`
        Snippet {
            entity: Option<Text>,
            #[serde(default)] doc: String,
            #[serde(default)] content: Vec<At<Widget>>,
        }
        Container { title: Option<Text>, style: Option<Text>, visible: Option<Text>, content: Vec<At<Widget>>, }
        ColumnBox { width: Option<At<u8>>, content: Vec<At<Widget>>, }
        Tab { title: String, content: Vec<At<Widget>>, }
        SnippetCall { name: Text, visible: Option<Text>, }
        Heading { text: Text, level: Option<At<u8>>, visible: Option<Text>, }
        TextWidget { value: Text, #[serde(default)] style: TextStyle, visible: Option<Text>, }
        Badge { value: Text, visible: Option<Text>, }
        Alert { text: Text, #[serde(default)] tone: Tone, visible: Option<Text>, }
        DataView { source: At<ViewSource>, #[serde(default)] read_only: bool, visible: Option<Text>, content: Vec<At<Widget>>, }
        ViewSource { parameter: Option<Text>, new: Option<Text>, #[serde(default)] set: Map<Text>, association: Option<Text>, }
        ListSource {
            entity: Option<Text>,
            association: Option<Text>,
            snapshot: Option<Text>,
            #[serde(rename = "where")] condition: Option<Text>,
            #[serde(default)] sort: Vec<Text>,
        }
        Column { show: Option<Text>, text: Option<Text>, badge: Option<Text>, title: Option<String>, align: Option<Text>, }
        Open { page: Text, #[serde(default)] with: Map<Text>, }
        DataGrid {
            title: Option<Text>,
            source: At<ListSource>,
            columns: Vec<At<Column>>,
            #[serde(default)] search: Vec<Text>,
            #[serde(default)] filters: Vec<Text>,
            #[serde(default = "twenty")] page_size: u32,
            #[serde(default = "yes")] total: bool,
            opens: Option<Open>,
            #[serde(default)] buttons: Vec<At<Widget>>,
            #[serde(default)] row_buttons: Vec<At<Widget>>,
            empty: Option<String>,
            visible: Option<Text>,
        }
        ListView {
            title: Option<Text>,
            source: At<ListSource>,
            content: Vec<At<Widget>>,
            #[serde(default = "twenty")] page_size: u32,
            empty: Option<String>,
            visible: Option<Text>,
        }
        Input {
            member: Text,
            label: Option<String>,
            help: Option<String>,
            placeholder: Option<String>,
            read_only: Option<Text>,
            rows: Option<u32>,
            visible: Option<Text>,
        }
        Reference {
            member: Text,
            show: Option<Text>,
            #[serde(rename = "where")] condition: Option<Text>,
            label: Option<String>,
            help: Option<String>,
            read_only: Option<Text>,
            visible: Option<Text>,
        }
        Stat {
            title: String,
            source: At<ListSource>,
            value: Option<StatValue>,
            opens: Option<Open>,
            icon: Option<Text>,
            #[serde(default)] tone: Tone,
            visible: Option<Text>,
        }
        Button {
            caption: Text,
            #[serde(default)] style: ButtonStyle,
            icon: Option<Text>,
            confirm: Option<Text>,
            visible: Option<Text>,
            open: Option<Open>,
            run: Option<Run>,
            save: Option<Save>,
            cancel: Option<Nothing>,
            delete: Option<Nothing>,
        }
        Run { microflow: Text, #[serde(default)] with: Map<Text>, }
        Save { then: Option<Text>, message: Option<Text>, }
        Nothing {}
        /// `<module>/microflows/<Name>.yaml`
        Microflow {
            #[serde(default)] doc: String,
            #[serde(default)] roles: Vec<Text>,
            #[serde(default)] parameters: Map<Text>,
            #[serde(default = "yes")] apply_entity_access: bool,
            #[serde(default)] elevation: Vec<Elevation>,
            any_version: Option<At<bool>>,
            returns: Option<Text>,
            #[serde(rename = "do")] body: Vec<At<Activity>>,
        }
        Elevation {
            entity: Text,
            #[serde(default)] doc: String,
            #[serde(default)] create: bool,
            #[serde(default)] delete: bool,
            #[serde(default)] read: Vec<Text>,
            #[serde(default)] write: Vec<Text>,
            #[serde(rename = "where")] condition: Option<Text>,
        }
        Retrieve {
            #[serde(rename = "as")] output: Text,
            from: Option<Text>,
            association: Option<Text>,
            entity: Option<Text>,
            #[serde(rename = "where")] condition: Option<Text>,
            #[serde(default)] sort: Vec<Text>,
            #[serde(default)] first: bool,
            limit: Option<u32>,
            #[serde(default)] offset: u32,
        }
        Create { #[serde(rename = "as")] output: Text, entity: Text, #[serde(default)] set: Map<Text>, }
        Change { object: Text, #[serde(default)] set: Map<Text>, }
        Delete { object: Text, }
        AggregateList { #[serde(rename = "as")] output: Text, list: Text, function: Text, of: Option<Text>, }
        SetVariable { variable: Text, value: Text, }
        Decide {
            #[serde(rename = "if")] condition: Text,
            #[serde(default)] then: Vec<At<Activity>>,
            #[serde(default, rename = "else")] otherwise: Vec<At<Activity>>,
        }
        Loop { over: Text, #[serde(rename = "as")] element: Text, #[serde(rename = "do")] body: Vec<At<Activity>>, }
        Call { microflow: Text, #[serde(default)] with: Map<Text>, #[serde(rename = "as")] output: Option<Text>, }
        Message { text: Text, #[serde(default)] tone: Tone, }
        FeedbackActivity { object: Text, member: Text, message: Text, }
        Log { node: Text, level: LogLevel, text: Text, }
        SendMail { to: Text, subject: Text, text: Text, }
        Publish { snapshot: Text, list: Text, }
        Register { email: Text, name: Text, data: Text, }
        End { value: Option<Text>, }
        Raise { message: Text, }
    }

    /// User roles per part of the administration.
    #[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields, rename_all = "camelCase", default)]
    pub struct Administration {
        pub users: Vec<Text>,
        pub matrix: Vec<Text>,
        pub audit: Vec<Text>,
        pub log: Vec<Text>,
        pub explain: Vec<Text>,
    }

    /// What a guardrail denies.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    pub enum DenyWord {
        Read,
        Write,
        Create,
        Delete,
        Open,
        Run,
    }

    /// A widget: one key, its name.
    #[derive(Clone, Debug, Deserialize, JsonSchema)]
    #[serde(rename_all = "camelCase")]
    pub enum Widget {
        Container(Container),
        Columns(Vec<ColumnBox>),
        Tabs(Vec<Tab>),
        Snippet(SnippetCall),
        Heading(Heading),
        Text(TextWidget),
        Badge(Badge),
        Alert(Alert),
        DataView(DataView),
        DataGrid(Box<DataGrid>),
        ListView(ListView),
        Input(Input),
        Reference(Reference),
        Stat(Stat),
        Button(Box<Button>),
    }

    /// What a stat shows.
    #[derive(Clone, Debug, Deserialize, JsonSchema)]
    #[serde(rename_all = "camelCase")]
    pub enum StatValue {
        Count,
        Sum(Text),
    }

    /// An activity: one key, its name.
    #[derive(Clone, Debug, Deserialize, JsonSchema)]
    #[serde(rename_all = "camelCase")]
    pub enum Activity {
        Retrieve(Retrieve),
        Create(Create),
        Change(Change),
        Delete(Delete),
        Lock(Text),
        Aggregate(AggregateList),
        Set(SetVariable),
        Decide(Decide),
        Loop(Loop),
        Call(Call),
        ShowPage(Open),
        ClosePage(Nothing),
        Message(Message),
        Feedback(FeedbackActivity),
        Log(Log),
        SendMail(SendMail),
        Publish(Publish),
        Register(Register),
        End(End),
        Raise(Raise),
    }
}
pub use shapes::*;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_kept_for_keys_and_values() {
        let module: Module =
            serde_saphyr::from_str("roles:\n  User: Works here\nsnapshots:\n  Open: {entity: X, roles: [A, B]}\n").unwrap();
        let (key, _) = &module.roles.0[0];
        assert_eq!((key.value.as_str(), key.line, key.column), ("User", 2, 3));
        let (_, snapshot) = &module.snapshots.0[0];
        assert_eq!((snapshot.roles[1].line, snapshot.roles[1].column), (4, 32));
    }

    #[test]
    fn widgets_and_activities_know_their_place() {
        let page: Page = serde_saphyr::from_str(
            "title: X\ncontent:\n  - heading: {text: Hi}\n  - button: {caption: Save, save: {then: close}}\n",
        )
        .unwrap();
        assert_eq!(page.content[1].line, 4);
        let flow: Microflow = serde_saphyr::from_str("do:\n  - closePage: {}\n  - end: {}\n").unwrap();
        assert_eq!((flow.body[1].line, flow.body[1].column), (3, 5));
    }

    #[test]
    fn an_unknown_key_is_an_error_with_a_place() {
        let error = serde_saphyr::from_str::<Module>("roles: {}\nconstnats: {}\n").unwrap_err();
        assert_eq!(error.location().map(|l| l.line()), Some(2), "{error}");
    }
}
