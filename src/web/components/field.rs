//! Form fields: label, control, hint and error.

use crate::base::error::Error;
use crate::web::components::draft::Draft;
use crate::web::components::icon::Icon;
use leptos::prelude::*;

/// Hint of a field, and other secondary text; nothing where it is empty.
pub const HINT: &str = "block text-sm text-faint empty:hidden";
/// Text input or select of a form.
pub const CONTROL: &str =
    "h-11 w-full rounded-lg border border-edge bg-surface px-3.5 text-base text-ink aria-invalid:border-danger";
/// What depends on the choice above it.
pub const INDENTED: &str = "flex flex-col gap-1.5 pl-7";
/// Dashed line under a text that has more to tell.
pub const DASHED: &str = "underline decoration-control decoration-dashed decoration-1 underline-offset-[3px]";

/// A refused form's error, as a signal.
pub type Refusal = Signal<Option<Error>>;

/// Where a field stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldPlace {
    #[default]
    Form,
    /// In a card, which has less room.
    Card,
    /// Below the choice that it depends on.
    Indented,
    /// In a row of filters.
    Filters,
}

/// Label, control, hint and error of a field.
#[component]
pub fn Field(
    /// Id of the control. Hint and error have the ids `{id}-hint` and `{id}-error`; the error is that of the problem whose
    /// [`field`](crate::base::error::Problem::field) is the id.
    #[prop(into)]
    id: String,
    #[prop(into)] label: String,
    #[prop(optional, into)] hint: String,
    #[prop(optional)] refusal: Option<Refusal>,
    /// Says that the field may stay empty.
    #[prop(optional)]
    optional: bool,
    /// Several controls under one legend.
    #[prop(optional)]
    group: bool,
    #[prop(optional)] place: FieldPlace,
    #[prop(optional, into)] hidden: Option<Signal<bool>>,
    children: Children,
) -> AnyView {
    let described = described_by(&id, !hint.is_empty(), refusal.is_some());
    let hint = (!hint.is_empty()).then(|| view! { <p class=HINT id=format!("{id}-hint")>{hint}</p> });
    let error = refusal.map(|refusal| view! { <FieldError field=id.clone() refusal /> });
    if group {
        return view! {
            <fieldset class="mb-6 flex min-w-0 flex-col gap-1" aria-describedby=described>
                <legend class="text-sm">{label}</legend>
                {hint}
                {children()}
                {error}
            </fieldset>
        }
        .into_any();
    }
    let class = match place {
        FieldPlace::Form => "mb-6 flex flex-col gap-1.5",
        FieldPlace::Card => "mb-4 flex flex-col gap-1.5",
        FieldPlace::Indented => INDENTED,
        FieldPlace::Filters => "flex min-w-0 flex-col gap-1 text-soft max-sm:w-full",
    };
    let size = if place == FieldPlace::Filters { "text-[13px]" } else { "text-sm" };
    let line = if optional { DASHED } else { "" };
    let note = optional.then(|| view! { <span class="text-faint">" (optional)"</span> });
    view! {
        <div class=class hidden=move || hidden.is_some_and(|hidden| hidden.get())>
            <label class=format!("{size} {line}") for=id>{label}{note}</label>
            {children()}
            {hint}
            {error}
        </div>
    }
    .into_any()
}

/// Ids of the texts that describe a control; `None` where there are none.
pub fn described_by(id: &str, has_hint: bool, has_error: bool) -> Option<String> {
    match (has_hint, has_error) {
        (true, true) => Some(format!("{id}-hint {id}-error")),
        (true, false) => Some(format!("{id}-hint")),
        (false, true) => Some(format!("{id}-error")),
        (false, false) => None,
    }
}

/// Field with a text input. Length limits are the server's: the browser would cut off silently.
#[component]
pub fn TextField(
    name: &'static str,
    #[prop(into)] label: String,
    refusal: Refusal,
    #[prop(optional, into)] hint: String,
    #[prop(optional, into)] value: String,
    /// Type of the `<input>` element.
    #[prop(default = "text")]
    kind: &'static str,
    #[prop(optional)] autocomplete: &'static str,
    #[prop(optional)] autofocus: bool,
    #[prop(default = true)] required: bool,
) -> impl IntoView {
    let wrong = move || refusal.with(|error| error.as_ref().is_some_and(|e| e.about(name).is_some()));
    let initial = Draft::current().value(name, &value);
    let described = described_by(name, !hint.is_empty(), true);
    let node = NodeRef::<leptos::html::Input>::new();
    if autofocus {
        focus_when_shown(node);
    }
    view! {
        <Field id=name label hint refusal>
            <input
                node_ref=node
                class=CONTROL
                id=name
                name=name
                type=kind
                value=initial
                autocomplete=autocomplete
                autofocus=autofocus
                required=required
                aria-invalid=move || wrong().to_string()
                aria-describedby=described
            />
        </Field>
    }
}

/// Frame around a `<select>` with the class [`CONTROL`]: draws its arrow.
#[component]
pub fn SelectFrame(children: Children) -> impl IntoView {
    view! {
        <div class="relative [&>select]:appearance-none [&>select]:pr-10">
            {children()}
            <Icon name="chevron-down" class="pointer-events-none absolute top-3 right-3 size-4" />
        </div>
    }
}

/// Checkbox or radio button with its label.
#[component]
pub fn ChoiceInput(
    /// Type of the `<input>` element: `checkbox` or `radio`.
    kind: &'static str,
    #[prop(into)] name: String,
    #[prop(into)] value: String,
    #[prop(into)] label: String,
    #[prop(optional, into)] hint: String,
    /// Sets the label off from what is below it.
    #[prop(optional)]
    strong: bool,
    #[prop(optional)] checked: bool,
    #[prop(optional)] required: bool,
    #[prop(optional)] disabled: bool,
    /// Hides the choice, and keeps it from being sent.
    #[prop(optional, into)]
    withheld: Option<Signal<bool>>,
    #[prop(optional, into)] on_change: Option<Callback<bool>>,
) -> AnyView {
    let withheld = move || withheld.is_some_and(|withheld| withheld.get());
    let change = move |event| {
        if let Some(on_change) = on_change {
            on_change.run(event_target_checked(&event));
        }
    };
    let weight = if strong { "font-medium" } else { "" };
    view! {
        <label class="flex cursor-pointer items-start gap-3 rounded-lg py-1.5" hidden=withheld>
            <input
                class="mt-1 size-4 shrink-0 accent-primary"
                type=kind
                name=name
                value=value
                checked=checked
                required=required
                disabled=move || disabled || withheld()
                on:change=change
            />
            <span class="min-w-0 wrap-anywhere">
                <span class=weight>{label}</span>
                <span class=HINT>{hint}</span>
            </span>
        </label>
    }
    .into_any()
}

/// The error of one field, in the place that `aria-describedby` names.
#[component]
pub fn FieldError(
    /// The field's name in [`Problem::field`](crate::base::error::Problem::field).
    #[prop(into)]
    field: String,
    refusal: Refusal,
) -> impl IntoView {
    let id = format!("{field}-error");
    let message = move || refusal.with(|error| error.as_ref().and_then(|e| e.about(&field)));
    view! { <p class="text-sm font-medium text-danger empty:hidden" id=id aria-live="polite">{message}</p> }
}

/// What is wrong with a form as a whole, above its buttons.
#[component]
pub fn FormError(refusal: Refusal) -> impl IntoView {
    let message = move || {
        refusal.with(|error| match error {
            // Each of these is shown at its field.
            None | Some(Error::Invalid(_)) => None,
            Some(other) => Some(other.to_string()),
        })
    };
    view! {
        <div role="alert">
            {move || message().map(|text| view! { <p class="mb-4 rounded-lg bg-danger-soft px-3.5 py-2.5 text-sm font-medium text-danger">{text}</p> })}
        </div>
    }
}

/// Gives focus to what appears after its page has: the browser heeds `autofocus` only in what is there from the start.
/// Leaves it where somebody types already.
pub fn focus_when_shown<E>(node: NodeRef<E>)
where
    E: leptos::html::ElementType + 'static,
    E::Output: wasm_bindgen::JsCast + AsRef<web_sys::HtmlElement> + Clone + 'static,
{
    Effect::new(move |_| {
        let Some(element) = node.get() else { return };
        // Once it stands in the document; before, it cannot have focus.
        request_animation_frame(move || {
            let active = document().active_element();
            if active.is_none_or(|e| !matches!(e.tag_name().as_str(), "INPUT" | "TEXTAREA")) {
                let element: &web_sys::HtmlElement = element.as_ref();
                let _ = element.focus();
            }
        });
    });
}
