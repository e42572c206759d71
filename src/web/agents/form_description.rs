//! A form as the server describes it.

use serde::{Deserialize, Serialize};

/// A form: what is said above its fields, the fields, and the text of its button.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FormDescription {
    pub explanation: String,
    pub fields: Vec<FieldDescription>,
    pub submit: String,
}

/// A field of a form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldDescription {
    pub name: String,
    pub label: String,
    pub hint: String,
    pub value: String,
    pub kind: FieldKind,
}

/// The control of a field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FieldKind {
    Line,
    Lines,
    /// Checked if the value is `true`.
    Checkbox,
    /// Values and their texts.
    Choice(Vec<(String, String)>),
}
