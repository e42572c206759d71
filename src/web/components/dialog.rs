//! Sheets and questions: native `<dialog>` elements, each with an address of its own. Without JavaScript they are
//! plain parts of the page. With it they are modal, keep focus inside, and give it back.

use crate::web::components::button::{Button, ButtonLink, ButtonLook, IconLink};
use crate::web::components::icon::Icon;
use leptos::ev::MouseEvent;
use leptos::html;
use leptos::prelude::*;
use leptos_meta::Title;
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

impl DialogKind {
    fn classes(self) -> &'static str {
        match self {
            Self::Sheet => {
                "inset-y-0 right-0 left-auto h-dvh max-h-none w-full animate-slide-in overflow-hidden sm:w-[600px]"
            }
            Self::Question => {
                "question inset-x-0 top-[12vh] mx-auto max-h-[80vh] w-[calc(100%-2rem)] animate-fade-in overflow-y-auto rounded-2xl sm:w-[520px]"
            }
        }
    }

    fn header_classes(self) -> &'static str {
        match self {
            Self::Sheet => "border-b border-hairline py-5",
            Self::Question => "pt-5 pb-1",
        }
    }
}

/// A dialog that is open as long as it is on the page. Gives the page its title.
#[component]
pub fn Dialog(
    title: &'static str,
    /// Address that closing it leads to.
    #[prop(into)]
    close_href: String,
    kind: DialogKind,
    /// Called before it closes; `false` keeps it open.
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
    let click = move |event: MouseEvent| {
        event.prevent_default();
        event.stop_propagation();
        close.run(());
    };
    // Before it is modal, or where it never will be, a shadow dims the rest of the page as the backdrop does.
    let class = format!(
        "fixed z-40 m-0 flex max-w-none flex-col border-0 bg-surface p-0 text-ink shadow-raised backdrop:bg-shade \
         not-[:modal]:shadow-[0_0_0_200vmax_var(--shade)] [&>form]:flex [&>form]:min-h-0 [&>form]:flex-1 [&>form]:flex-col {}",
        kind.classes()
    );
    view! {
        <Title text=title.trim_end_matches('?') />
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
            <header class=format!("flex shrink-0 items-center justify-between gap-4 px-6 {}", kind.header_classes())>
                <h2 class="text-xl" id="dialog-title">{title}</h2>
                <IconLink href=close_href label="Close" tip="Close" on_click=click><Icon name="close" /></IconLink>
            </header>
            {children()}
        </dialog>
    }
}

/// The scrolling part of a dialog.
#[component]
pub fn DialogBody(children: Children) -> impl IntoView {
    view! { <div class="dialog-body">{children()}</div> }
}

/// A dialog's buttons.
#[component]
pub fn DialogFooter(children: Children) -> impl IntoView {
    view! {
        <footer class="flex shrink-0 flex-wrap items-center gap-3 border-t border-hairline px-6 py-5 in-[.question]:border-0 in-[.question]:pt-2">
            {children()}
        </footer>
    }
}

/// A dialog's buttons while it asks whether to close it.
#[component]
pub fn CloseQuestion(
    question: &'static str,
    /// Text of the link that closes it.
    leave: &'static str,
    close_href: String,
    asking: RwSignal<bool>,
) -> AnyView {
    // Lets the button take focus from a field, where somebody typed.
    Effect::new(move |_| {
        let active = document().active_element().and_then(|e| e.dyn_into::<HtmlElement>().ok());
        if let Some(active) = active {
            let _ = active.blur();
        }
    });
    view! {
        <p class="w-full font-medium" role="alert">{question}</p>
        <Button look=ButtonLook::Primary focused=true on_click=move |_| asking.set(false)>"Stay"</Button>
        <ButtonLink look=ButtonLook::Danger href=close_href noscroll=true>{leave}</ButtonLink>
    }
    .into_any()
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
        // Fails only for what cannot have focus.
        let _ = target.focus();
    }
}
