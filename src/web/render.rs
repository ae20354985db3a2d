//! Views → HTML.
//!
//! Templates are part of the program and checked when they are loaded. Every value is escaped by
//! the template engine; the only texts that are not are the HTML of child widgets, made here. A
//! template decides nothing: what stands in a [`View`] was decided before.

use super::assets::Assets;
use super::frame::Own;
use super::spoken::{self, Spoken};
use super::{grid, plain};
use crate::access::explain::Step;
use crate::page::{ColumnNode, FieldState, ItemNode, Legend, MenuEntry, Node, TabNode, View};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tera::{Context, Tera};

/// Translations: language → source text → text.
pub type Texts = BTreeMap<String, BTreeMap<String, String>>;

/// Why nothing was rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A template is broken or was given too little.
    #[error("a template could not be rendered")]
    Template(#[from] tera::Error),
    /// A value could not be given to a template.
    #[error("a value could not be shown")]
    Value(#[from] serde_json::Error),
}

/// Renders; made once per model.
pub struct Renderer {
    plain: Spoken,
    languages: HashMap<String, Spoken>,
}

/// What stands around a page.
#[derive(Debug, Serialize)]
pub struct Shell {
    /// Language of the page.
    pub lang: String,
    /// Title of the app.
    pub app_title: String,
    /// Number used once, of this response's policy.
    pub nonce: String,
    /// The caller, when signed in.
    pub user: Option<ShellUser>,
    /// Their menu.
    pub menu: Vec<MenuEntry>,
    /// Whether some part of the administration is theirs.
    pub admin: bool,
    /// Token against forged requests.
    pub csrf: String,
    /// A standing notice.
    pub banner: Option<Banner>,
    /// Notices shown once.
    pub messages: Vec<Message>,
    /// `auto`, `light` or `dark`.
    pub theme: String,
    /// Path of the request.
    pub path: String,
    /// Id of the request.
    pub request_id: String,
    /// Where the page was opened from: forms carry it, for buttons that close.
    pub back: String,
    /// Whether reasons are shown; nothing where they are not the caller's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xray: Option<bool>,
}

/// The caller, as the frame shows them.
#[derive(Debug, Serialize)]
pub struct ShellUser {
    /// Name.
    pub name: String,
    /// Initials.
    pub initials: String,
    /// Address.
    pub email: String,
    /// User roles.
    pub roles: Vec<String>,
}

/// A standing notice.
#[derive(Clone, Debug, Serialize)]
pub struct Banner {
    /// Tone.
    pub tone: String,
    /// Text.
    pub text: String,
    /// Where it leads.
    pub href: Option<String>,
}

/// A notice shown once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Message {
    /// Tone.
    pub tone: String,
    /// Text.
    pub text: String,
}

impl Renderer {
    /// Loads all templates, for each language that has texts.
    pub fn new(assets: &Arc<Assets>, texts: &Texts) -> Result<Self, RenderError> {
        let files = spoken::files();
        let none = BTreeMap::new();
        let spoken = |(language, texts): (&String, _)| Ok((language.clone(), Spoken::new(&files, assets, texts)?));
        let languages = texts.iter().map(spoken).collect::<Result<_, RenderError>>()?;
        Ok(Self { plain: Spoken::new(&files, assets, &none)?, languages })
    }

    pub(super) fn spoken(&self, language: &str) -> &Spoken {
        self.languages.get(language).unwrap_or(&self.plain)
    }

    fn tera(&self, language: &str) -> &Tera {
        &self.spoken(language).tera
    }

    /// A page of the app.
    pub fn page(&self, shell: &Shell, view: &View) -> Result<String, RenderError> {
        let template = match view.layout {
            crate::model::Layout::App => "layout/app.html",
            crate::model::Layout::Plain => "layout/plain.html",
        };
        let mut body = self.nodes(&shell.lang, &view.nodes)?;
        plain::forms(&view.forms, &shell.csrf, &shell.back, &mut body);
        let title = view.title.peek();
        if view.legend.is_none()
            && let Some(html) = self.framed(template, shell, &Value::Null, &[(Own::Title, title), (Own::Body, &body)])?
        {
            return Ok(html);
        }
        let mut context = context(shell)?;
        context.insert("title", title);
        context.insert("body", &body);
        if let Some(legend) = &view.legend {
            context.insert("legend", &self.legend(&shell.lang, legend)?);
        }
        Ok(self.tera(&shell.lang).render(template, &context)?)
    }

    /// A page of the system: one of `templates/system` or `templates/admin`, with its own values.
    pub fn system(&self, template: &str, title: &str, shell: &Shell, values: &impl Serialize) -> Result<String, RenderError> {
        let mut context = context(shell)?;
        context.insert("title", title);
        context.extend(self::context(values)?);
        Ok(self.tera(&shell.lang).render(template, &context)?)
    }

    /// The legend of the overlay of reasons, its trees made into HTML.
    fn legend(&self, language: &str, legend: &Legend) -> Result<serde_json::Value, RenderError> {
        let signs = &self.spoken(language).signs;
        let mut entries = Vec::with_capacity(legend.entries.len());
        for entry in &legend.entries {
            let mut value = serde_json::to_value(entry)?;
            if let Some(fields) = value.as_object_mut() {
                fields.insert("reasons".into(), signs.steps(entry.reasons.peek()).into());
            }
            entries.push(value);
        }
        Ok(serde_json::json!({"entries": entries, "menu": legend.menu, "truncated": legend.truncated}))
    }

    /// A tree of reasons as HTML.
    pub(super) fn steps(&self, language: &str, steps: &[Step]) -> String {
        self.spoken(language).signs.steps(steps)
    }

    /// Widgets, one after the other.
    pub fn nodes(&self, language: &str, nodes: &[Node]) -> Result<String, RenderError> {
        let mut nodes = nodes.iter();
        // Mostly there is one, which is large and need not be copied.
        let mut out = nodes.next().map(|node| self.node(language, node)).transpose()?.unwrap_or_default();
        for node in nodes {
            out.push_str(&self.node(language, node)?);
        }
        Ok(out)
    }

    /// One widget, its children first.
    pub fn node(&self, language: &str, node: &Node) -> Result<String, RenderError> {
        let inside = |children: &[Node]| self.nodes(language, children);
        let context = match node {
            // A field to read is written without the template engine, as cells of grids are: a record has many.
            Node::Input(node) | Node::Reference(node) if node.state != FieldState::Editable => {
                return Ok(self.spoken(language).words.field(node));
            }
            Node::DataView(node) if plain::is_plain(node) => return Ok(plain::data_view(node, &inside(&node.children)?)),
            Node::Button(node) if plain::is_plain_button(node) => return Ok(self.spoken(language).words.button(node)),
            Node::DataGrid(node) => return grid::written(node, self.spoken(language)),
            Node::Container(node) => with_children(node, inside(&node.children)?)?,
            Node::Snippet(children) => with_children(&BTreeMap::<&str, &str>::new(), inside(children)?)?,
            Node::DataView(node) => with_children(node, inside(&node.children)?)?,
            Node::Columns(columns) => parts(&BTreeMap::<&str, &str>::new(), "columns", columns, &inside)?,
            Node::Tabs(node) => parts(node, "tabs", &node.tabs, &inside)?,
            Node::ListView(node) => parts(node, "items", &node.items, &inside)?,
            Node::Heading(node) => context(node)?,
            Node::Text(node) => context(node)?,
            Node::Badge(node) => context(node)?,
            Node::Alert(node) => context(node)?,
            Node::Input(node) | Node::Reference(node) => context(node)?,
            Node::Stat(node) => context(node)?,
            Node::Button(node) => context(node)?,
            Node::Marked(node) => with_children(node, self.node(language, &node.inner)?)?,
            Node::Absent(node) => context(node)?,
        };
        Ok(self.tera(language).render(&format!("widgets/{}.html", node.kind()), &context)?)
    }
}

/// A node with parts that have children.
trait Part: Serialize {
    fn children(&self) -> &[Node];
}
impl Part for ColumnNode {
    fn children(&self) -> &[Node] {
        &self.children
    }
}
impl Part for TabNode {
    fn children(&self) -> &[Node] {
        &self.children
    }
}
impl Part for ItemNode {
    fn children(&self) -> &[Node] {
        &self.children
    }
}

fn parts<P: Part>(
    node: &impl Serialize,
    name: &'static str,
    parts: &[P],
    inside: &impl Fn(&[Node]) -> Result<String, RenderError>,
) -> Result<Context, RenderError> {
    let mut context = context(node)?;
    let mut values = Vec::with_capacity(parts.len());
    for part in parts {
        let mut value = serde_json::to_value(part)?;
        if let Some(fields) = value.as_object_mut() {
            fields.insert("children".into(), inside(part.children())?.into());
        }
        values.push(value);
    }
    context.insert(name, &values);
    Ok(context)
}

fn with_children(node: &impl Serialize, children: String) -> Result<Context, RenderError> {
    let mut context = context(node)?;
    context.insert("children", &children);
    Ok(context)
}

pub(super) fn context(value: &impl Serialize) -> Result<Context, RenderError> {
    Ok(Context::from_serialize(value)?)
}
