//! Forms that the server describes and one dialog shows: the browser's download has their fields once, and what makes the
//! texts stays out of it.

use crate::base::error::Error;
use crate::web::components::draft::Draft;
use crate::web::components::field::{CONTROL, ChoiceInput, Field, FieldError, SelectFrame};
use crate::web::components::form_dialog::DialogForm;
use crate::web::transport::form::FormAction;
use crate::web::transport::load::Loaded;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// A form: what is said above its fields, the fields, and the text of its button.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FormDescription {
    /// One paragraph per line.
    pub explanation: String,
    pub fields: Vec<FieldDescription>,
    pub submit: String,
    /// Text of the button that closes the dialog; `Cancel` if it is empty.
    pub cancel: String,
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
    /// Sent as it is, and not shown.
    Hidden,
    Line,
    Lines,
    Date,
    /// Checked if the value is `true`.
    Checkbox,
    /// One of these values, which have texts.
    Choice(Vec<(String, String)>),
    /// Any of these values, which have texts. In a fresh form those are checked that the value names, separated by commas.
    Choices(Vec<(String, String)>),
}

#[cfg(feature = "ssr")]
impl FieldDescription {
    /// A text of one line.
    pub fn line(name: &str, label: &str, value: &str) -> Self {
        Self {
            name: name.to_owned(),
            label: label.to_owned(),
            hint: String::new(),
            value: value.to_owned(),
            kind: FieldKind::Line,
        }
    }

    /// A text of several lines.
    pub fn lines(name: &str, label: &str, value: &str) -> Self {
        Self { kind: FieldKind::Lines, ..Self::line(name, label, value) }
    }

    /// A value that is sent as it is.
    pub fn hidden(name: &str, value: &str) -> Self {
        Self { kind: FieldKind::Hidden, ..Self::line(name, "", value) }
    }

    /// A day, such as `2027-02-24`.
    pub fn date(name: &str, label: &str) -> Self {
        Self { kind: FieldKind::Date, ..Self::line(name, label, "") }
    }

    /// One of several values.
    pub fn choice(name: &str, label: &str, options: Vec<(String, String)>, value: &str) -> Self {
        Self { kind: FieldKind::Choice(options), ..Self::line(name, label, value) }
    }

    /// A box to tick, which sends `true`.
    pub fn checkbox(name: &str, label: &str, checked: bool) -> Self {
        Self { kind: FieldKind::Checkbox, ..Self::line(name, label, if checked { "true" } else { "" }) }
    }

    /// Any of several values.
    pub fn choices(name: &str, label: &str, options: Vec<(String, String)>, chosen: &str) -> Self {
        Self { kind: FieldKind::Choices(options), ..Self::line(name, label, chosen) }
    }

    pub fn hint(self, hint: &str) -> Self {
        Self { hint: hint.to_owned(), ..self }
    }
}

/// The form that the server describes, for a dialog. `hidden` fields are sent beside those described. Errors about
/// `others`, which are no fields of their own, are shown below the fields.
pub async fn described_form(
    described: Loaded<FormDescription>,
    sent: FormAction,
    hidden: Vec<(&'static str, String)>,
    others: &'static [&'static str],
) -> Result<DialogForm, Error> {
    let FormDescription { explanation, fields, submit, cancel } = described.await?;
    let paragraphs = explanation.lines().map(|line| view! { <p class="mb-4">{line.to_owned()}</p> }).collect_view();
    let fields = fields.into_iter().map(|field| view! { <DescribedField field sent /> }).collect_view();
    let refusal = sent.refusal();
    let errors = others.iter().map(|field| view! { <FieldError field=*field refusal /> }).collect_view();
    let form = DialogForm::new(sent, hidden, (paragraphs, fields, errors).into_any(), submit);
    Ok(if cancel.is_empty() { form } else { form.cancel(cancel) })
}

/// A field that the server describes.
#[component]
pub fn DescribedField(field: FieldDescription, sent: FormAction) -> AnyView {
    let FieldDescription { name, label, hint, value, kind } = field;
    if kind == FieldKind::Hidden {
        return view! { <input type="hidden" name=name value=value /> }.into_any();
    }
    let draft = Draft::current();
    let id = id_of(&name).to_owned();
    let described = format!("{id}-hint {id}-error");
    let value = match kind {
        FieldKind::Checkbox if !draft.is_empty() => draft.value(&name, ""),
        _ => draft.value(&name, &value),
    };
    let (field_id, refusal) = (id.clone(), sent.refusal());
    let control = match kind {
        FieldKind::Checkbox => {
            let checked = value == "true";
            return view! {
                <div class="mb-6">
                    <ChoiceInput kind="checkbox" name value="true" label hint checked />
                    <FieldError field=id refusal />
                </div>
            }
            .into_any();
        }
        FieldKind::Choices(options) => {
            let fresh = || value.split(',').map(str::to_owned).collect();
            let chosen: Vec<String> = draft.values(&name).unwrap_or_else(fresh);
            let option = move |(value, label): (String, String)| {
                let checked = chosen.contains(&value);
                view! { <ChoiceInput kind="checkbox" name=name.clone() value label checked /> }
            };
            let options = options.into_iter().map(option).collect_view();
            return view! { <Field id=field_id label hint group=true refusal>{options}</Field> }.into_any();
        }
        FieldKind::Line | FieldKind::Date | FieldKind::Hidden => {
            let kind = if kind == FieldKind::Date { "date" } else { "text" };
            view! { <input id=id class=CONTROL name=name type=kind value=value aria-describedby=described /> }.into_any()
        }
        FieldKind::Lines => view! { <textarea id=id class=format!("{CONTROL} min-h-24 py-2") name=name rows="3" aria-describedby=described prop:value=value.clone()>{value.clone()}</textarea> }
            .into_any(),
        FieldKind::Choice(options) => {
            let option = move |(id, text): (String, String)| {
                let selected = id == value;
                view! { <option value=id selected=selected>{text}</option> }
            };
            view! {
                <SelectFrame>
                    <select id=id class=CONTROL name=name>{options.into_iter().map(option).collect_view()}</select>
                </SelectFrame>
            }
            .into_any()
        }
    };
    view! { <Field id=field_id label hint refusal>{control}</Field> }.into_any()
}

/// The id of the control with this name: `owner` for `settings[owner]`.
fn id_of(name: &str) -> &str {
    name.trim_end_matches("[]").rsplit_once('[').map_or(name, |(_, rest)| rest.trim_end_matches(']'))
}
