//! What a reader can use: fields and buttons.

use super::MarkRef;
use crate::page::show::CellView;
use crate::page::told::Told;
use serde::Serialize;

/// An offered value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What is shown.
    pub label: String,
    /// Whether it is the present one.
    pub selected: bool,
}

/// What a reader can do with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldState {
    /// Change it.
    Editable,
    /// Read it.
    Readonly,
    /// Neither.
    Withheld,
}

/// An input or a selector.
#[derive(Debug, Serialize)]
pub struct InputNode {
    /// Widget id.
    pub id: String,
    /// Field name.
    pub name: String,
    /// Form id.
    pub form: String,
    /// Label.
    pub label: String,
    /// Help.
    pub help: Option<String>,
    /// Placeholder.
    pub placeholder: Option<String>,
    /// Must have a value.
    pub required: bool,
    /// What is wrong with it.
    pub error: Option<String>,
    /// Control.
    pub control: &'static str,
    /// What the reader can do.
    pub state: FieldState,
    /// Text in the field.
    pub value: Option<Told<String>>,
    /// The value to read.
    pub cell: Told<CellView>,
    /// Most characters.
    pub max_length: Option<u32>,
    /// Least value.
    pub min: Option<String>,
    /// Greatest value.
    pub max: Option<String>,
    /// Step of a number.
    pub step: Option<String>,
    /// Lines.
    pub rows: Option<u32>,
    /// Offered values.
    pub options: Option<Told<Vec<Choice>>>,
    /// More could be offered.
    pub truncated: bool,
    /// Somebody changed it while the reader typed: what stands in the field is the reader's, and `cell` is what it is now.
    pub conflict: bool,
}

/// A button.
#[derive(Debug, Serialize)]
pub struct ButtonNode {
    /// Id in the document.
    pub id: String,
    /// Caption.
    pub caption: Told<String>,
    /// `primary`, `secondary`, `danger` or `link`.
    pub style: &'static str,
    /// Icon.
    pub icon: Option<String>,
    /// Question asked before.
    pub confirm: Option<Told<String>>,
    /// What it opens, when it is a link.
    pub href: Option<Told<String>>,
    /// The form it sends.
    pub form: Option<String>,
    /// What is sent as `_do`.
    pub value: Option<String>,
    /// Sends without looking at the fields.
    pub novalidate: bool,
    /// Mark of the overlay of reasons.
    pub mark: Option<MarkRef>,
}

#[cfg(test)]
impl InputNode {
    /// A field that shows a cell.
    pub(crate) fn for_test(state: FieldState, label: &str, help: Option<&str>, cell: CellView) -> Self {
        Self {
            id: "w1".into(),
            name: "w1".into(),
            form: "f1".into(),
            label: label.into(),
            help: help.map(str::to_owned),
            placeholder: None,
            required: false,
            error: None,
            control: "text",
            state,
            value: None,
            cell: Told::fixed(cell),
            max_length: None,
            min: None,
            max: None,
            step: None,
            rows: None,
            options: None,
            truncated: false,
            conflict: false,
        }
    }
}
