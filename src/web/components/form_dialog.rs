//! Dialogs with a form.

use crate::base::error::Error;
use crate::web::components::awaited::{PageArea, awaited};
use crate::web::components::button::{Button, ButtonLink, ButtonLook};
use crate::web::components::dialog::{CloseQuestion, Dialog, DialogBody, DialogFooter, DialogKind};
use crate::web::components::draft::Draft;
use crate::web::components::field::FormError;
use crate::web::transport::form::{ActionForm, FormAction, fields_of};
use leptos::html;
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
    let unsaved = Unsaved::new();
    let content = move || {
        let (form, href) = (form(), href.clone());
        async move { Ok(shown(form.await?, href, kind, unsaved)) }
    };
    // A question asks for little, and is closed at once.
    let may_close = Callback::new(move |()| kind == DialogKind::Question || unsaved.may_close());
    view! {
        <Dialog title close_href kind may_close>
            {awaited(PageArea::Dialog, content)}
        </Dialog>
    }
    .into_any()
}

/// Asks before a form is closed with input that was not saved.
#[derive(Clone, Copy)]
struct Unsaved {
    form: NodeRef<html::Form>,
    /// The fields before anything was typed, URL-encoded.
    fresh: StoredValue<Option<String>>,
    asking: RwSignal<bool>,
}

impl Unsaved {
    fn new() -> Self {
        let unsaved = Self { form: NodeRef::new(), fresh: StoredValue::new(None), asking: RwSignal::new(false) };
        Effect::new(move |_| {
            let Some(form) = unsaved.form.get() else { return };
            // Once the form's own effects have set its fields.
            request_animation_frame(move || {
                // What was typed before the visitor had to sign in counts too.
                let fresh = if Draft::current().is_empty() { fields_of(&form) } else { String::new() };
                unsaved.fresh.try_set_value(Some(fresh));
            });
        });
        unsaved
    }

    /// Whether nothing is lost, or the visitor wants to close the dialog for the second time.
    fn may_close(self) -> bool {
        let form = self.form.get_untracked();
        let fields = form.map(|form| fields_of(&form));
        let changed =
            fields.is_some_and(|now| self.fresh.with_value(|fresh| fresh.as_ref().is_some_and(|f| *f != now)));
        let may = !changed || self.asking.get_untracked();
        self.asking.set(!may);
        may
    }
}

fn shown(form: DialogForm, close_href: String, kind: DialogKind, unsaved: Unsaved) -> AnyView {
    let DialogForm { action, hidden, fields, submit, pending, danger, cancel } = form;
    let hidden = hidden.into_iter().map(|(name, value)| view! { <input type="hidden" name=name value=value /> });
    let look = if danger { ButtonLook::Danger } else { ButtonLook::Primary };
    let submit = move || match pending {
        Some(text) if action.pending() => text.to_owned(),
        _ => submit.clone(),
    };
    // A question is answered with its harmless button first in reach.
    let focused = kind == DialogKind::Question;
    let buttons = move || {
        let close_href = close_href.clone();
        if unsaved.asking.get() {
            let question = "What you typed is not saved. Close all the same?";
            return view! { <CloseQuestion question leave="Close without saving" close_href asking=unsaved.asking /> }
                .into_any();
        }
        let (cancel, submit) = (cancel.clone(), submit.clone());
        view! {
            <ButtonLink href=close_href noscroll=true focused>{cancel}</ButtonLink>
            <Button look pending=move || action.pending()>{submit}</Button>
        }
        .into_any()
    };
    view! {
        <ActionForm action node_ref=unsaved.form>
            <DialogBody>
                {hidden.collect_view()}
                {fields}
                <FormError refusal=action.refusal() />
            </DialogBody>
            <DialogFooter>{buttons}</DialogFooter>
        </ActionForm>
    }
    .into_any()
}
