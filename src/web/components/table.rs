//! Tables and lists of facts in fragments.

use crate::base::time::Timestamp;
use crate::web::components::badge::{Badge, Tone};
use crate::web::components::fact_list::FactList;
use crate::web::components::page::TEXT_LINK;
use crate::web::transport::fragment::Html;
use leptos::prelude::*;

/// Content of one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    Text(String),
    /// A name, an e-mail address or a number, which is not broken within a word unless it is very long.
    Name(String),
    /// Text in a monospace font, such as a path.
    Code(String),
    /// An id or an IP address, which is not broken.
    Id(String),
    /// Text and address of a link.
    Link(String, String),
    /// Text and address of a link that opens a dialog.
    Action(&'static str, String),
    Time(Timestamp),
    /// Text of a badge, and whether it is good news.
    Mark(String, bool),
    /// The sum of two numbers, with a bar that compares it with `most`; the second part has the colour of alarm.
    Bar {
        value: u64,
        alarm: u64,
        most: u64,
    },
    /// Several, one after the other without a space between them.
    Several(Vec<Cell>),
}

/// Columns by name, and cells in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    pub fn new<const N: usize>(columns: [&str; N], rows: Vec<Vec<Cell>>) -> Self {
        Self { columns: columns.map(str::to_owned).to_vec(), rows }
    }
}

/// A table; its look is in `main.css`.
#[component]
pub fn TableView(
    table: Table,
    /// Name for screen readers.
    #[prop(into)]
    caption: String,
) -> impl IntoView {
    let Table { columns, rows } = table;
    let row = |cells: Vec<Cell>| {
        let cells = cells.into_iter().zip(&columns);
        let cells = cells.map(|(cell, column)| view! { <td data-label=column.clone()>{shown(cell)}</td> });
        view! { <tr>{cells.collect_view()}</tr> }
    };
    let rows = rows.into_iter().map(row).collect_view();
    view! {
        <table class="table">
            <caption class="sr-only">{caption}</caption>
            <thead>
                <tr>{columns.into_iter().map(|column| view! { <th scope="col">{column}</th> }).collect_view()}</tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
}

/// Facts about one thing, each with its name.
#[component]
pub fn Facts(facts: Vec<(&'static str, Cell)>) -> impl IntoView {
    let fact = |(name, cell)| view! { <dt>{name}</dt><dd>{shown(cell)}</dd> };
    view! { <FactList>{facts.into_iter().map(fact).collect_view()}</FactList> }
}

fn shown(cell: Cell) -> AnyView {
    match cell {
        Cell::Text(text) => text.into_any(),
        Cell::Name(text) => view! { <span class="inline-block max-w-60 wrap-break-word">{text}</span> }.into_any(),
        Cell::Code(text) => view! { <code>{text}</code> }.into_any(),
        Cell::Id(text) => view! { <code class="whitespace-nowrap">{text}</code> }.into_any(),
        Cell::Link(text, href) => view! { <a class=TEXT_LINK href=href>{text}</a> }.into_any(),
        Cell::Action(text, href) => {
            view! { <a class=format!("{TEXT_LINK} mr-3 inline-block whitespace-nowrap") href=href data-noscroll="true">{text}</a> }.into_any()
        }
        Cell::Time(at) => view! { <FragmentTime at /> }.into_any(),
        Cell::Bar { value, alarm, most } => view! { <ShareBar value alarm most /> }.into_any(),
        Cell::Several(cells) => view! { <span>{cells.into_iter().map(shown).collect_view()}</span> }.into_any(),
        Cell::Mark(text, good) => {
            let tone = if good { Tone::Good } else { Tone::Danger };
            view! { <Badge tone text /> }.into_any()
        }
    }
}

/// A number, and a bar beside it that compares it with the largest.
#[component]
fn ShareBar(value: u64, alarm: u64, most: u64) -> impl IntoView {
    let width = |part: u64| format!("{:.2}", part as f64 * 100.0 / most.max(1) as f64);
    view! {
        <span class="flex items-center gap-3">
            <span class="min-w-12 tabular-nums md:text-right">{value + alarm}</span>
            <svg class="h-2 w-0 min-w-12 flex-1" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">
                <rect class="fill-bar" width=width(value) height="1" />
                <rect class="fill-danger" x=width(value) width=width(alarm) height="1" />
            </svg>
        </span>
    }
}

/// A time in a fragment: in UTC until the browser converts it to the viewer's zone.
#[component]
pub fn FragmentTime(at: Timestamp) -> impl IntoView {
    view! { <time datetime=at.iso() title=at.iso() data-at=at.0>{at.short_utc()}</time> }
}

/// Renders a fragment.
pub fn render(view: impl IntoView) -> Html {
    Html(view.into_view().to_html())
}
