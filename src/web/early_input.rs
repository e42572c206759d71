//! Input made before the page's script listened. The browser keeps it in the fields, but nobody listened to its events, and
//! hydration sets some fields back to what the server rendered.

use leptos::prelude::document;
use leptos::wasm_bindgen::JsCast;
use leptos::wasm_bindgen::closure::Closure;
use std::cell::RefCell;
use std::rc::Rc;
use web_sys::{Element, Event, EventInit, HtmlInputElement, HtmlSelectElement, HtmlTextAreaElement, NodeList};

const FIELDS: &str = "input:not([type=hidden]), select, textarea";
/// Events of fields that people change.
const EVENTS: [&str; 2] = ["input", "change"];

/// The fields that no longer have what the server rendered.
pub struct EarlyInput {
    fields: Rc<RefCell<Vec<(Element, FieldState)>>>,
    listener: Closure<dyn FnMut(Event)>,
}

struct FieldState {
    value: String,
    checked: bool,
}

impl EarlyInput {
    /// To be called before hydration. Collects what is entered while hydration waits, too.
    pub fn collect() -> Self {
        let found = document().query_selector_all(FIELDS);
        let fields = found.iter().flat_map(elements).filter(changed);
        let fields = fields.filter_map(|field| field_state(&field).map(|state| (field, state))).collect();
        let fields = Rc::new(RefCell::new(fields));
        let listener = Closure::new({
            let fields = fields.clone();
            move |event| note(&mut fields.borrow_mut(), &event)
        });
        for kind in EVENTS {
            let callback = listener.as_ref().unchecked_ref();
            let _ = document().add_event_listener_with_callback_and_bool(kind, callback, true);
        }
        Self { fields, listener }
    }

    /// Fills the fields again and sends their `input` and `change` events. To be called once, when the page's listeners
    /// are attached and before anything else runs.
    pub fn replay(self) {
        for kind in EVENTS {
            let callback = self.listener.as_ref().unchecked_ref();
            let _ = document().remove_event_listener_with_callback_and_bool(kind, callback, true);
        }
        for (field, state) in self.fields.take() {
            set(&field, &state);
            if is_other_radio(&field, &state) {
                continue;
            }
            let init = EventInit::new();
            init.set_bubbles(true);
            for kind in EVENTS {
                if let Ok(event) = Event::new_with_event_init_dict(kind, &init) {
                    let _ = field.dispatch_event(&event);
                }
            }
        }
    }
}

/// Notes the state of the field that an event is about, in place of an earlier one.
fn note(fields: &mut Vec<(Element, FieldState)>, event: &Event) {
    let field = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    let Some(field) = field.filter(|field| field.matches(FIELDS).unwrap_or_default()) else {
        return;
    };
    let Some(state) = field_state(&field) else { return };
    fields.retain(|(known, _)| *known != field);
    fields.push((field, state));
}

fn elements(found: &NodeList) -> impl Iterator<Item = Element> {
    (0..found.length()).filter_map(|at| found.item(at)?.dyn_into().ok())
}

fn changed(field: &Element) -> bool {
    if let Some(input) = field.dyn_ref::<HtmlInputElement>() {
        return input.checked() != input.default_checked() || input.value() != input.default_value();
    }
    if let Some(area) = field.dyn_ref::<HtmlTextAreaElement>() {
        return area.default_value().is_ok_and(|default| area.value() != default);
    }
    let Some(select) = field.dyn_ref::<HtmlSelectElement>() else { return false };
    // Without a selected option the first one is the default.
    let first = || select.query_selector("option").ok().flatten();
    let default = select.query_selector("option[selected]").ok().flatten().or_else(first);
    let chosen = select.query_selector("option:checked").ok().flatten();
    default != chosen
}

/// Whether this is a radio button that is not checked. A browser sends no events to it when another of its group is chosen.
fn is_other_radio(field: &Element, state: &FieldState) -> bool {
    field.dyn_ref::<HtmlInputElement>().is_some_and(|input| input.type_() == "radio" && !state.checked)
}

fn field_state(field: &Element) -> Option<FieldState> {
    if let Some(input) = field.dyn_ref::<HtmlInputElement>() {
        return Some(FieldState { value: input.value(), checked: input.checked() });
    }
    let area = field.dyn_ref::<HtmlTextAreaElement>().map(HtmlTextAreaElement::value);
    let value = area.or_else(|| field.dyn_ref::<HtmlSelectElement>().map(HtmlSelectElement::value));
    value.map(|value| FieldState { value, checked: false })
}

/// Writes only what differs, because writing a value moves the cursor.
fn set(field: &Element, state: &FieldState) {
    if let Some(input) = field.dyn_ref::<HtmlInputElement>() {
        if input.checked() != state.checked {
            input.set_checked(state.checked);
        }
        if input.value() != state.value {
            input.set_value(&state.value);
        }
    } else if let Some(area) = field.dyn_ref::<HtmlTextAreaElement>() {
        if area.value() != state.value {
            area.set_value(&state.value);
        }
    } else if let Some(select) = field.dyn_ref::<HtmlSelectElement>() {
        select.set_value(&state.value);
    }
}
