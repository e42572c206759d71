//! A key's own page, a workspace's usage, and why a call was refused; rendered on the server.

/// Deleted keys that can be restored.
pub mod deleted;
/// A key's own page.
pub mod key_page;
/// Who used something lately, in words.
pub mod recent_use;
/// Why a call was refused.
pub mod refused;
/// The two values of a key that is being rotated.
mod rotation;
/// Data of the pages: totals, bars, tables, explanations.
pub mod summary;
/// The Usage page of a workspace.
pub mod workspace;

use crate::usage::Period;
use crate::usage::service::RequestTotals;
use crate::web::components::chart::{Bar, Chart};
use crate::web::components::page::{ChoiceLink, ChoiceLinks};
use crate::web::components::table::TableView;
use leptos::prelude::*;
use summary::ChartData;

/// Links to the periods that a page can show.
#[component]
pub fn Periods(
    /// Address of the page.
    here: String,
    chosen: Period,
) -> impl IntoView {
    let choice = move |period: Period| {
        let href = format!("{here}?range={}", period.id);
        view! { <ChoiceLink href chosen=Signal::stored(period == chosen) text=period.label /> }
    };
    view! { <ChoiceLinks label="Time">{Period::ALL.map(choice).collect_view()}</ChoiceLinks> }
}

/// Chart of requests over time, with the same numbers as a table.
#[component]
pub fn RequestChart(chart: ChartData, period: Period) -> impl IntoView {
    let bars: Vec<Bar> = chart.bars.iter().map(|sum| Bar { value: sum.accepted, alarm: sum.refused }).collect();
    let sum = RequestTotals::sum(&chart.bars);
    let label = format!("{} accepted and {} refused requests", sum.accepted, sum.refused);
    let span = period.label;
    view! {
        <Chart bars span label empty=format!("No requests in these {span}.") />
        <details>
            <summary class="w-fit py-1 text-sm text-soft underline underline-offset-4">"Show as a table"</summary>
            <TableView table=chart.table caption="Requests over time" />
        </details>
    }
}
