//! Dialogs with a form.

use crate::base::error::Error;
use crate::web::components::awaited::{PageArea, awaited};
use crate::web::components::button::{Button, ButtonLink, ButtonLook};
use crate::web::components::dialog::{Dialog, DialogBody, DialogFooter, DialogKind};
use crate::web::components::field::FormError;
use crate::web::transport::form::{ActionForm, FormAction};
use leptos::prelude::*;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// The form of a dialog.
pub struct DialogForm {
    action: FormAction,
    hidden: Vec<(&'static str, String)>,
    fields: AnyView,
    submit: String,
    pending: Option<&'static str>,
    danger: bool,
    cancel: String,
}

impl DialogForm {
    /// A form with these fields, and hidden ones by name and value.
    pub fn new(
        action: FormAction,
        hidden: Vec<(&'static str, String)>,
        fields: AnyView,
        submit: impl Into<String>,
    ) -> Self {
        let (submit, cancel) = (submit.into(), "Cancel".to_owned());
        Self { action, hidden, fields, submit, pending: None, danger: false, cancel }
    }

    /// Text of the submit button while the form is on its way.
    pub fn pending(self, text: &'static str) -> Self {
        Self { pending: Some(text), ..self }
    }

    /// Colours the submit button as one that deletes or ends something.
    pub fn danger(self) -> Self {
        Self { danger: true, ..self }
    }

    /// Text of the button that closes the dialog, in place of `Cancel`.
    pub fn cancel(self, text: impl Into<String>) -> Self {
        Self { cancel: text.into(), ..self }
    }
}

/// Dialog with a form, which may have to wait for its data.
#[component]
pub fn FormDialog<C, F>(
    title: &'static str,
    /// Address that closing it leads to.
    close_href: String,
    kind: DialogKind,
    form: C,
) -> impl IntoView
where
    C: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = Result<DialogForm, Error>> + Send + 'static,
{
    dialog(title, close_href, kind, Arc::new(move || Box::pin(form())))
}

type BoxedForm = Pin<Box<dyn Future<Output = Result<DialogForm, Error>> + Send>>;

/// The part of [`FormDialog`] that is the same for every form: it is in the browser's download once.
fn dialog(
    title: &'static str,
    close_href: String,
    kind: DialogKind,
    form: Arc<dyn Fn() -> BoxedForm + Send + Sync>,
) -> AnyView {
    let href = close_href.clone();
    let content = move || {
        let (form, href) = (form(), href.clone());
        async move { Ok(shown(form.await?, href, kind)) }
    };
    view! {
        <Dialog title close_href kind>
            {awaited(PageArea::Dialog, content)}
        </Dialog>
    }
    .into_any()
}

fn shown(form: DialogForm, close_href: String, kind: DialogKind) -> AnyView {
    let DialogForm { action, hidden, fields, submit, pending, danger, cancel } = form;
    let hidden = hidden.into_iter().map(|(name, value)| view! { <input type="hidden" name=name value=value /> });
    let look = if danger { ButtonLook::Danger } else { ButtonLook::Primary };
    let submit = move || match pending {
        Some(text) if action.pending() => text.to_owned(),
        _ => submit.clone(),
    };
    // A question is answered with its harmless button first in reach.
    let focused = kind == DialogKind::Question;
    view! {
        <ActionForm action>
            <DialogBody>
                {hidden.collect_view()}
                {fields}
                <FormError refusal=action.refusal() />
            </DialogBody>
            <DialogFooter>
                <ButtonLink href=close_href noscroll=true focused>{cancel}</ButtonLink>
                <Button look pending=move || action.pending()>{submit}</Button>
            </DialogFooter>
        </ActionForm>
    }
    .into_any()
}
