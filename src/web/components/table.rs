//! Tables and lists of facts in fragments; on small screens each row of a table becomes a block of its own.

use crate::base::time::Timestamp;
use crate::web::transport::fragment::Html;
use leptos::prelude::*;

/// What stands in one place of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    Text(String),
    /// Something that machines wrote, such as a path.
    Code(String),
    /// An IP address.
    Address(String),
    /// A text that leads somewhere.
    Link(String, String),
    Time(Timestamp),
    /// A text that is good or bad news.
    Mark(String, bool),
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Cell>>,
}

/// Shows a table.
#[component]
pub fn TableView(
    table: Table,
    /// What it is of, for screen readers.
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

/// Shows what is known of one thing, each fact under its name.
#[component]
pub fn Facts(facts: Vec<(&'static str, Cell)>) -> impl IntoView {
    let fact = |(name, cell)| view! { <dt>{name}</dt><dd>{shown(cell)}</dd> };
    view! { <dl class="facts">{facts.into_iter().map(fact).collect_view()}</dl> }
}

fn shown(cell: Cell) -> AnyView {
    match cell {
        Cell::Text(text) => text.into_any(),
        Cell::Code(text) => view! { <code>{text}</code> }.into_any(),
        Cell::Address(text) => view! { <code class="address">{text}</code> }.into_any(),
        Cell::Link(text, href) => view! { <a class="text-link" href=href>{text}</a> }.into_any(),
        Cell::Time(at) => view! { <FragmentTime at /> }.into_any(),
        Cell::Mark(text, good) => {
            view! { <span class="badge" class:good=good class:danger=!good>{text}</span> }.into_any()
        }
    }
}

/// A time in a fragment: in UTC until the browser turns it to the viewer's zone.
#[component]
pub fn FragmentTime(at: Timestamp) -> impl IntoView {
    view! { <time datetime=at.iso() title=at.iso() data-at=at.0>{at.short_utc()}</time> }
}

/// Renders a fragment.
pub fn render(view: impl IntoView) -> Html {
    Html(view.into_view().to_html())
}
