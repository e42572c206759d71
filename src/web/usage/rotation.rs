//! The two values of a key that is being rotated: who still calls with the old one.

use crate::api_keys::OldValue;
use crate::base::error::Error;
use crate::base::id::WorkspaceId;
use crate::usage::service::LoggedCall;
use crate::usage::{Outcome, Period, Tally};
use crate::web::components::button::{BUTTON_ROW, ButtonLink};
use crate::web::components::page::Section;
use crate::web::components::table::{Cell, Facts};
use crate::web::services::PageServices;
use crate::web::usage::RequestChart;
use crate::web::usage::summary::{ChartData, KeyUsage, chart};
use leptos::prelude::*;

/// Shows both values of a key with the calls of each and, for admins, who last called with the old one and links to what can
/// be done. `here` is the address of the key's page, for admins.
pub async fn view(
    services: &PageServices,
    workspace: &WorkspaceId,
    usage: &KeyUsage,
    old: &OldValue,
    period: Period,
    here: Option<&str>,
) -> Result<AnyView, Error> {
    let key = &usage.key;
    let mut old_facts = vec![("Value", Cell::Code(old.masked.clone())), ("Works until", Cell::Time(old.until))];
    // Like the log, only admins see who called.
    if here.is_some() {
        let last = services.reports.last_by_old_value(workspace, &key.id, key.value_created_at).await?;
        let last = last.map_or_else(|| Cell::Text("None since the rotation".to_owned()), caller);
        old_facts.push(("Last call", last));
    }
    let new_facts = vec![
        ("Value", Cell::Code(key.masked.clone())),
        ("Made", Cell::Time(key.value_created_at)),
        ("Expires", Cell::Time(key.expires_at)),
    ];
    let (new_chart, old_chart) = charts(usage, period);
    let actions = here.map(|here| {
        let action = |path: &str, label: &'static str| {
            view! { <ButtonLink href=format!("{here}/{path}") noscroll=true>{label}</ButtonLink> }
        };
        let actions = (action("end-old-value", "End the old value"), action("cancel-rotation", "Cancel the rotation"));
        view! { <div class=BUTTON_ROW>{actions}</div> }
    });
    Ok(view! {
        <Section labelled_by="values-heading">
            <h2 id="values-heading">"Two values"</h2>
            <p>
                "Both values work until the old one ends. Replace it wherever it is still in use. In the hour of the rotation, \
                 calls before it are counted with the new value."
            </p>
            <div class="grid gap-6 lg:grid-cols-2 [&>*]:min-w-0">
                <div><h3>"New value"</h3><Facts facts=new_facts /><RequestChart chart=new_chart period /></div>
                <div><h3>"Old value"</h3><Facts facts=old_facts /><RequestChart chart=old_chart period /></div>
            </div>
            {actions}
        </Section>
    }
    .into_any())
}

/// Accepted calls with the new value, and with the old one. Calls before the rotation were made with the old value.
fn charts(usage: &KeyUsage, period: Period) -> (ChartData, ChartData) {
    let accepted = |tally| usage.counts.iter().filter(move |count| count.tally == tally);
    let counted = |hour, requests| (hour, Tally::Calls(Outcome::Accepted), requests);
    let rotated = usage.key.value_created_at.seconds().div_euclid(3_600);
    let by_old = |hour| -> u64 {
        accepted(Tally::OldValue)
            .filter(|count| count.hour == hour && count.hour >= rotated)
            .map(|count| count.requests)
            .sum()
    };
    let all = accepted(Tally::Calls(Outcome::Accepted));
    let (new, old): (Vec<_>, Vec<_>) = all
        .map(|count| {
            let old = if count.hour < rotated { count.requests } else { by_old(count.hour).min(count.requests) };
            (counted(count.hour, count.requests - old), counted(count.hour, old))
        })
        .unzip();
    (chart(new.into_iter(), usage.now, period), chart(old.into_iter(), usage.now, period))
}

/// Who made a call, and when.
fn caller(call: LoggedCall) -> Cell {
    let from = if call.address.is_empty() { String::new() } else { format!(" from {}", call.address) };
    let with = if call.program.is_empty() { String::new() } else { format!(" by {}", call.program) };
    Cell::Several(vec![Cell::Time(call.at), Cell::Text(format!("{from}{with}"))])
}
