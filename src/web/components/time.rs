//! Instants: rendered in UTC with the zone named, converted to the viewer's zone after hydration.

use crate::base::time::{Timestamp, year_month_day};
use crate::web::components::field::DASHED;
use crate::web::components::use_hydrated;
use js_sys::{Date, Object, Reflect};
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

/// The date and time in the viewer's zone: `24 Feb 2126 14:42`. Browser only.
pub fn local(at: Timestamp) -> String {
    let date = intl(at, &[("day", "2-digit"), ("month", "short"), ("year", "numeric")]);
    format!("{date} {}", intl(at, &[("hour", "2-digit"), ("minute", "2-digit")]))
}

/// The date and time in the viewer's zone, which it names: `Sunday 24 February 2126 at 14:42:00 CET`. Browser only.
pub fn long_local(at: Timestamp) -> String {
    let date = [("weekday", "long"), ("day", "numeric"), ("month", "long"), ("year", "numeric")];
    let time = [("hour", "2-digit"), ("minute", "2-digit"), ("second", "2-digit"), ("timeZoneName", "short")];
    format!("{} at {}", intl(at, &date), intl(at, &time))
}

/// Parts of an instant, as `Intl.DateTimeFormat` writes them in British English, the language of the pages.
fn intl(at: Timestamp, parts: &[(&str, &str)]) -> String {
    let options = Object::new();
    for (part, form) in parts {
        let _ = Reflect::set(&options, &JsValue::from(*part), &JsValue::from(*form));
    }
    let date = Date::new(&JsValue::from_f64(at.0 as f64 / 1000.0));
    String::from(date.to_locale_string("en-GB", &options))
}

/// By how many minutes the browser's clock is ahead of UTC when a date such as `2126-02-24` ends there; empty if the text is
/// not a date. Browser only.
pub fn minutes_ahead_at_end_of(date: &str) -> String {
    let Some((year, month, day)) = year_month_day(date).filter(|(_, month, _)| *month > 0) else {
        return String::new();
    };
    let end = Date::new_with_year_month_day_hr_min_sec(year as u32, i32::from(month) - 1, day.into(), 23, 59, 59);
    let minutes = -end.get_timezone_offset();
    if minutes.is_finite() { (minutes as i32).to_string() } else { String::new() }
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
