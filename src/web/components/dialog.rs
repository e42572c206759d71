//! Sheets and questions: native `<dialog>` elements, each with an address of its own. Without JavaScript they are
//! plain parts of the page; once it is awake they are modal, keep focus inside, and give it back.

use crate::web::components::icon::Icon;
use leptos::html;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use send_wrapper::SendWrapper;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

/// How a dialog looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialogKind {
    /// From the right, for forms.
    Sheet,
    /// In the middle, for what must be answered.
    Question,
}

/// A dialog that is open as long as it is on the page.
#[component]
pub fn Dialog(
    #[prop(into)] title: String,
    /// Where closing it leads.
    #[prop(into)]
    close_href: String,
    kind: DialogKind,
    /// Asked before it closes; `false` keeps it open.
    #[prop(optional, into)]
    may_close: Option<Callback<(), bool>>,
    children: Children,
) -> impl IntoView {
    let node = NodeRef::<html::Dialog>::new();
    keep_focus(node);

    let navigate = use_navigate();
    let href = StoredValue::new(close_href.clone());
    let close = Callback::new(move |()| {
        if may_close.is_none_or(|ask| ask.run(())) {
            navigate(&href.get_value(), NavigateOptions { scroll: false, ..Default::default() });
        }
    });
    let class = match kind {
        DialogKind::Sheet => "dialog sheet",
        DialogKind::Question => "dialog question",
    };
    view! {
        <dialog
            node_ref=node
            class=class
            open=true
            aria-labelledby="dialog-title"
            on:cancel=move |event: leptos::ev::Event| {
                event.prevent_default();
                close.run(());
            }
            on:keydown=move |event: leptos::ev::KeyboardEvent| {
                if event.key() == "Escape" {
                    event.prevent_default();
                    close.run(());
                }
            }
        >
            <header class="dialog-header">
                <h2 id="dialog-title">{title}</h2>
                <a
                    class="icon-button"
                    href=close_href
                    aria-label="Close"
                    on:click=move |event| {
                        event.prevent_default();
                        event.stop_propagation();
                        close.run(());
                    }
                >
                    <Icon name="close" />
                </a>
            </header>
            {children()}
        </dialog>
    }
}

/// Makes the dialog modal, and gives focus back to what had it when the dialog goes.
fn keep_focus(node: NodeRef<html::Dialog>) {
    // An effect runs in the browser only.
    Effect::new(move |_| {
        let Some(dialog) = node.get() else { return };
        let active = document().active_element().and_then(|e| e.dyn_into::<HtmlElement>().ok());
        let opener = active.filter(|e| e.tag_name() != "BODY" && !dialog.contains(Some(e))).map(SendWrapper::new);
        dialog.close();
        // Fails only where it is modal already.
        let _ = dialog.show_modal();
        on_cleanup(move || {
            // After the page without the dialog is there.
            request_animation_frame(move || give_focus_back(opener.as_deref()));
        });
    });
}

fn give_focus_back(opener: Option<&HtmlElement>) {
    let heading = || document().query_selector("h1").ok().flatten().and_then(|h| h.dyn_into::<HtmlElement>().ok());
    let target = opener.filter(|e| e.is_connected()).cloned().or_else(heading);
    if let Some(target) = target {
        // Only what is focusable takes it; the rest is no loss.
        let _ = target.focus();
    }
}
