//! Choosing several of many, after the ARIA combobox pattern. Before hydration, and without JavaScript, it is a folding list
//! of labelled checkboxes.

use crate::web::components::button::IconButton;
use crate::web::components::field::ChoiceInput;
use crate::web::components::icon::Icon;
use crate::web::components::{lower_case, use_hydrated};
use leptos::html;
use leptos::prelude::*;

/// Most options shown at once: typing narrows them down.
const SHOWN: usize = 100;
/// Most choices shown as chips. The others are counted.
const CHIPS: usize = 50;
const BOX: &str = "relative flex min-h-12 flex-wrap items-center gap-1.5 rounded-lg border border-edge bg-surface py-1.5 pr-20 pl-3 \
                   focus-within:outline-2 focus-within:-outline-offset-1 focus-within:outline-focus";
const LISTBOX: &str = "absolute inset-x-0 top-full z-10 mt-1 max-h-64 overflow-y-auto rounded-lg border border-edge bg-surface p-1 shadow-raised";
const OPTION: &str = "flex cursor-pointer items-center gap-2 rounded-md px-2 py-2 wrap-anywhere hover:bg-hover";

/// Something that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Sent with the form.
    pub value: String,
    /// Shown.
    pub label: String,
}

/// Combobox with chips. What is chosen is sent with the form around it, as `name`.
#[component]
pub fn MultiSelect(
    /// Unique on the page.
    #[prop(into)]
    id: String,
    /// The form field's name; an array's, such as `agents[]`.
    name: &'static str,
    #[prop(into)] label: String,
    #[prop(optional, into)] placeholder: String,
    choices: Vec<Choice>,
    chosen: RwSignal<Vec<String>>,
    /// Called after each change made by hand.
    #[prop(optional, into)]
    on_change: Option<Callback<()>>,
    #[prop(optional)] disabled: bool,
) -> impl IntoView {
    let hydrated = use_hydrated();
    let choices = StoredValue::new(choices);
    let id = StoredValue::new(id);
    let label = StoredValue::new(label);
    let placeholder = StoredValue::new(placeholder);
    move || {
        if hydrated.get() {
            view! { <Combobox id name label placeholder choices chosen on_change disabled /> }.into_any()
        } else {
            view! { <Checkboxes name label choices chosen on_change disabled /> }.into_any()
        }
    }
}

#[component]
fn Checkboxes(
    name: &'static str,
    label: StoredValue<String>,
    choices: StoredValue<Vec<Choice>>,
    chosen: RwSignal<Vec<String>>,
    on_change: Option<Callback<()>>,
    disabled: bool,
) -> impl IntoView {
    let summary = move || match chosen.read().len() {
        0 => "None chosen".to_owned(),
        n => format!("{n} chosen"),
    };
    let boxes = choices.get_value().into_iter().map(|choice| {
        let checked = chosen.with_untracked(|c| c.contains(&choice.value));
        let value = choice.value.clone();
        view! {
            <ChoiceInput
                kind="checkbox"
                name
                value=choice.value
                label=choice.label
                checked
                disabled
                on_change=move |on| {
                    toggle(chosen, &value, on);
                    if let Some(told) = on_change {
                        told.run(());
                    }
                }
            />
        }
    });
    view! {
        <details class="rounded-lg border border-edge">
            <summary class="px-3.5 py-2.5">{label.get_value()} ": " {summary}</summary>
            <div class="flex max-h-64 flex-col overflow-y-auto px-3.5 pb-2">{boxes.collect_view()}</div>
        </details>
    }
}

#[component]
fn Combobox(
    id: StoredValue<String>,
    name: &'static str,
    label: StoredValue<String>,
    placeholder: StoredValue<String>,
    choices: StoredValue<Vec<Choice>>,
    chosen: RwSignal<Vec<String>>,
    on_change: Option<Callback<()>>,
    disabled: bool,
) -> impl IntoView {
    let open = RwSignal::new(false);
    let typed = RwSignal::new(String::new());
    let active = RwSignal::new(0_i32);
    let input = NodeRef::<html::Input>::new();
    let list_id = id.with_value(|id| format!("{id}-list"));
    let option_id = move |at: i32| id.with_value(|id| format!("{id}-option-{at}"));

    let matching = Memo::new(move |_| {
        let wanted = lower_case(&typed.read());
        choices.with_value(|all| {
            let fits = all.iter().filter(|c| lower_case(&c.label).contains(&wanted));
            fits.take(SHOWN).cloned().collect::<Vec<_>>()
        })
    });
    let changed = move || {
        if let Some(told) = on_change {
            told.run(());
        }
    };
    let choose = move |at: i32| {
        let picked = matching.with_untracked(|m| usize::try_from(at).ok().and_then(|at| m.get(at).cloned()));
        if let Some(choice) = picked {
            let had = chosen.with_untracked(|c| c.contains(&choice.value));
            toggle(chosen, &choice.value, !had);
            typed.set(String::new());
            changed();
        }
    };
    let remove = move |value: &str| {
        toggle(chosen, value, false);
        changed();
        focus(input);
    };
    let clear = move |_| {
        chosen.set(Vec::new());
        changed();
        focus(input);
    };
    let step = move |by: i32| {
        let count = matching.with_untracked(|m| m.len() as i32);
        let next = if open.get_untracked() { active.get_untracked() + by } else { 0 };
        open.set(true);
        active.set(next.clamp(0, (count - 1).max(0)));
        scroll_to(&option_id(active.get_untracked()));
    };
    let on_key = move |event: leptos::ev::KeyboardEvent| match event.key().as_str() {
        "ArrowDown" => {
            event.prevent_default();
            step(1);
        }
        "ArrowUp" => {
            event.prevent_default();
            step(-1);
        }
        "Home" if open.get_untracked() => {
            event.prevent_default();
            step(i32::MIN / 2);
        }
        "End" if open.get_untracked() => {
            event.prevent_default();
            step(i32::MAX / 2);
        }
        "Enter" => {
            // Never sends the form around it.
            event.prevent_default();
            if open.get_untracked() {
                choose(active.get_untracked());
            } else {
                open.set(true);
            }
        }
        "Escape" if open.get_untracked() => {
            // Closes the list, not the dialog around it.
            event.prevent_default();
            event.stop_propagation();
            open.set(false);
        }
        "Backspace" if typed.with_untracked(String::is_empty) => {
            let last = chosen.with_untracked(|c| c.last().cloned());
            if let Some(last) = last {
                remove(&last);
            }
        }
        _ => {}
    };
    let label_of =
        move |value: &str| choices.with_value(|all| all.iter().find(|c| c.value == value).map(|c| c.label.clone()));
    let chip = move |value: String| {
        let text = label_of(&value).unwrap_or_else(|| value.clone());
        let remove_label = format!("Remove {text}");
        let sent = value.clone();
        view! {
            <span class="inline-flex max-w-full items-center gap-1 rounded-md bg-sunken py-0.5 pr-0.5 pl-2 wrap-anywhere">
                {text}
                <input type="hidden" name=name value=sent />
                <button
                    type="button"
                    class="inline-flex size-6 shrink-0 items-center justify-center rounded text-soft hover:bg-hover hover:text-ink"
                    aria-label=remove_label
                    disabled=disabled
                    on:click=move |_| remove(&value)
                >
                    <Icon name="close" class="size-3.5" />
                </button>
            </span>
        }
    };
    let chips = move || {
        let mut shown = chosen.get();
        let others = shown.split_off(shown.len().min(CHIPS));
        let more = (!others.is_empty()).then(|| format!("and {} more", others.len()));
        let unseen = others.into_iter().map(|value| view! { <input type="hidden" name=name value=value /> });
        view! { {shown.into_iter().map(chip).collect_view()}{more}{unseen.collect_view()} }
    };
    let option = move |(at, choice): (usize, Choice)| {
        let at = at as i32;
        let selected = chosen.with(|c| c.contains(&choice.value));
        view! {
            <li
                id=option_id(at)
                role="option"
                class=OPTION
                class:bg-hover=move || active.get() == at
                aria-selected=selected.to_string()
                // The press must not take focus from the input.
                on:mousedown=move |event| event.prevent_default()
                on:click=move |_| choose(at)
            >
                <span class="inline-flex size-4 shrink-0">{selected.then(|| view! { <Icon name="check" class="size-4" /> })}</span>
                {choice.label}
            </li>
        }
    };
    let options = move || {
        let shown = matching.get();
        if shown.is_empty() {
            view! { <li class=format!("{OPTION} text-faint") role="presentation">"Nothing matches"</li> }.into_any()
        } else {
            shown.into_iter().enumerate().map(option).collect_view().into_any()
        }
    };
    let active_descendant = move || open.get().then(|| option_id(active.get()));
    let hint = move || if chosen.read().is_empty() { placeholder.get_value() } else { String::new() };
    view! {
        <div class="relative">
            <div class=BOX on:click=move |_| focus(input)>
                {chips}
                <input
                    node_ref=input
                    class="h-8 min-w-28 flex-1 bg-transparent outline-none placeholder:text-faint"
                    id=id.get_value()
                    type="text"
                    role="combobox"
                    autocomplete="off"
                    disabled=disabled
                    aria-label=label.get_value()
                    aria-autocomplete="list"
                    aria-expanded=move || open.get().to_string()
                    aria-controls=list_id.clone()
                    aria-activedescendant=active_descendant
                    placeholder=hint
                    prop:value=typed
                    on:input=move |event| {
                        typed.set(event_target_value(&event));
                        active.set(0);
                        open.set(true);
                    }
                    on:click=move |_| open.set(true)
                    on:blur=move |_| {
                        open.set(false);
                        typed.set(String::new());
                    }
                    on:keydown=on_key
                />
                {move || {
                    (!disabled && !chosen.read().is_empty()).then(|| view! {
                        <span class="absolute top-2 right-10">
                            <IconButton small=true label="Clear all" tip="Clear all" on_click=clear>
                                <Icon name="close" class="size-4" />
                            </IconButton>
                        </span>
                    })
                }}
                <Icon name="chevron-down" class="pointer-events-none absolute top-3.5 right-3 size-4 text-faint" />
            </div>
            <ul id=list_id.clone() class=LISTBOX role="listbox" aria-multiselectable="true" aria-label=label.get_value() hidden=move || !open.get()>
                {options}
            </ul>
        </div>
    }
}

fn toggle(chosen: RwSignal<Vec<String>>, value: &str, on: bool) {
    chosen.update(|values| {
        values.retain(|v| v != value);
        if on {
            values.push(value.to_owned());
        }
    });
}

fn focus(input: NodeRef<html::Input>) {
    if let Some(input) = input.get_untracked() {
        let _ = input.focus();
    }
}

fn scroll_to(id: &str) {
    if let Some(element) = document().get_element_by_id(id) {
        let options = web_sys::ScrollIntoViewOptions::new();
        options.set_block(web_sys::ScrollLogicalPosition::Nearest);
        element.scroll_into_view_with_scroll_into_view_options(&options);
    }
}
