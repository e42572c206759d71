//! Instants: rendered in UTC with the zone named, converted to the viewer's zone after hydration.

use crate::base::time::Timestamp;
use crate::web::components::field::DASHED;
use crate::web::components::use_hydrated;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::JsValue;
use web_sys::HtmlElement;

/// A date and time: `24 Feb 2126 14:42`.
#[component]
pub fn Moment(at: Timestamp) -> impl IntoView {
    let hydrated = use_hydrated();
    view! { <time datetime=at.iso()>{move || if hydrated.get() { local(at) } else { at.short_utc() }}</time> }
}

/// How long ago something was, with the exact time on hover and for screen readers.
#[component]
pub fn Ago(at: Timestamp, now: Timestamp) -> impl IntoView {
    let hydrated = use_hydrated();
    let exact = move || if hydrated.get() { local(at) } else { at.short_utc() };
    view! {
        <time class=DASHED datetime=at.iso() title=exact>
            {at.ago(now)}
            <span class="sr-only">", " {exact}</span>
        </time>
    }
}

/// The date and time in the viewer's zone. Browser only.
pub fn local(at: Timestamp) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let date = js_sys::Date::new(&JsValue::from_f64(at.0 as f64 / 1000.0));
    let month = MONTHS.get(date.get_month() as usize).copied().unwrap_or_default();
    format!(
        "{:02} {} {} {:02}:{:02}",
        date.get_date(),
        month,
        date.get_full_year(),
        date.get_hours(),
        date.get_minutes()
    )
}

/// Converts the times in a fragment to the viewer's zone.
pub fn show_local_times(within: &HtmlElement) {
    let Ok(times) = within.query_selector_all("time[data-at]") else { return };
    for at in 0..times.length() {
        let Some(time) = times.item(at).and_then(|node| node.dyn_into::<HtmlElement>().ok()) else { continue };
        if let Some(at) = time.get_attribute("data-at").and_then(|at| at.parse().ok()) {
            time.set_text_content(Some(&local(Timestamp(at))));
        }
    }
}
