//! Forms: plain POSTs to server functions, which the page's script sends itself once it is awake. One type serves all
//! of them: for each server function, Leptos' `ServerAction` and `ActionForm` would put another copy of themselves into
//! the browser's download.

use crate::base::error::Error;
use crate::web::components::draft::{self, Draft, Drafts};
use crate::web::components::field::Refusal;
use crate::web::transport::call::{self, ServerCall};
use crate::web::transport::load::Changes;
use leptos::ev::SubmitEvent;
use leptos::html;
use leptos::prelude::*;
use leptos::server::ServerActionError;
use leptos::server_fn::ServerFn;
use leptos::server_fn::error::ServerFnUrlError;
use leptos::task::spawn_local;
use web_sys::{FormData, HtmlFormElement, UrlSearchParams};

/// Sends forms to one server function, and knows what became of the last one.
#[derive(Clone, Copy, Debug)]
pub struct FormAction {
    path: &'static str,
    /// Path of the page that the form is on.
    page: StoredValue<String>,
    changes: Changes,
    drafts: Drafts,
    pending: RwSignal<bool>,
    outcome: RwSignal<Option<Result<(), Error>>>,
}

impl FormAction {
    /// Sends to `S`. A refusal without JavaScript, which the address carries, is its first outcome.
    pub fn of<S>() -> Self
    where
        S: ServerFn<Error = Error>,
    {
        Self::to(S::PATH)
    }

    /// Sends to the server function with this path.
    pub fn to(path: &'static str) -> Self {
        let refused = use_context::<ServerActionError>().filter(|refused| refused.path() == path);
        let outcome = refused.map(|refused| Err(ServerFnUrlError::<Error>::decode_err(refused.err())));
        let (page, drafts) = (draft::page(), Drafts::current());
        drafts.drop_with_form(&page);
        Self {
            path,
            page: StoredValue::new(page),
            changes: Changes::current(),
            drafts,
            pending: RwSignal::new(false),
            outcome: RwSignal::new(outcome),
        }
    }

    /// Whether one is on its way.
    pub fn pending(self) -> bool {
        self.pending.get()
    }

    /// What became of the last one.
    pub fn outcome(self) -> Option<Result<(), Error>> {
        self.outcome.get()
    }

    /// Why the last one was refused, if it was.
    pub fn refusal(self) -> Refusal {
        let outcome = self.outcome;
        Signal::derive(move || outcome.with(|o| o.as_ref().and_then(|o| o.as_ref().err().cloned())))
    }

    /// Sends these fields, unless others are on their way; whether it does.
    pub fn send(self, fields: &[(&str, &str)]) -> bool {
        self.post(|| encoded(fields))
    }

    fn post(self, body: impl FnOnce() -> String) -> bool {
        if self.pending.get_untracked() {
            return false;
        }
        self.pending.set(true);
        let (page, body) = (self.page.get_value(), body());
        spawn_local(async move {
            let answer = call::post(self.path, ServerCall::Form(&body)).await;
            if matches!(answer, Err(Error::SignedOut)) {
                self.drafts.keep(Draft::new(&page, &body));
            }
            if answer.as_ref().is_ok_and(|answer| answer.led_on) {
                self.changes.count();
            }
            // The page may be gone by now, and its signals with it: hence `try`.
            self.pending.try_set(false);
            self.outcome.try_set(Some(answer.map(drop)));
        });
        true
    }
}

/// A form that an action sends; pressing its button twice sends it once.
#[component]
pub fn ActionForm(
    action: FormAction,
    #[prop(default = NodeRef::new())] node_ref: NodeRef<html::Form>,
    children: Children,
) -> impl IntoView {
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        action.post(|| fields_of(&event_target(&event)));
    };
    view! { <form node_ref=node_ref method="post" action=action.path on:submit=submit>{children()}</form> }
}

fn encoded(fields: &[(&str, &str)]) -> String {
    let Ok(parameters) = UrlSearchParams::new() else { return String::new() };
    for (name, value) in fields {
        parameters.append(name, value);
    }
    String::from(parameters.to_string())
}

/// What a form would send.
pub fn fields_of(form: &HtmlFormElement) -> String {
    let fields = FormData::new_with_form(form);
    let encoded = fields.and_then(|fields| UrlSearchParams::new_with_str_sequence_sequence(&fields));
    encoded.map(|encoded| String::from(encoded.to_string())).unwrap_or_default()
}
