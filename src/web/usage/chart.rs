//! The bar chart of requests over time.

use crate::usage::service::RequestTotals;
use leptos::prelude::*;

/// Units of the chart's coordinates. It is stretched to the width of its place.
const HEIGHT: f64 = 100.0;
const BAR_AND_GAP: usize = 10;
const BAR: usize = 8;

/// Bars of accepted requests with the refused ones on top, oldest first.
#[component]
pub fn Chart(
    bars: Vec<RequestTotals>,
    /// The time that the chart shows, in words: `24 hours`.
    span: &'static str,
) -> impl IntoView {
    let (accepted, refused) =
        bars.iter().fold((0, 0), |(accepted, refused), bar| (accepted + bar.accepted, refused + bar.refused));
    if accepted + refused == 0 {
        return view! { <p class="rounded-lg bg-sunken px-4 py-6 text-center text-sm text-faint">{format!("No requests in these {span}.")}</p> }
            .into_any();
    }
    let top = round_up(bars.iter().map(|bar| bar.accepted + bar.refused).max().unwrap_or(0));
    let view_box = format!("0 0 {} {HEIGHT}", bars.len() * BAR_AND_GAP);
    let label = format!("{accepted} accepted and {refused} refused requests");
    let bars = bars.into_iter().enumerate().map(|(at, bar)| {
        let x = at * BAR_AND_GAP + 1;
        [("fill-bar", 0, bar.accepted), ("fill-danger", bar.accepted, bar.refused)].map(|(fill, below, requests)| {
            segment(below, requests, top)
                .map(|(y, height)| view! { <rect class=fill x=x y=y width=BAR height=height /> })
        })
    });
    view! {
        <figure>
            <p class="pb-1 text-[13px] text-faint">{top}</p>
            <svg class="h-40 w-full border-y border-hairline" viewBox=view_box preserveAspectRatio="none" role="img" aria-label=label>
                {bars.collect::<Vec<_>>()}
            </svg>
            <figcaption class="flex justify-between pt-1 text-[13px] text-faint">
                <span>{span}" ago"</span>
                <span>"Now"</span>
            </figcaption>
        </figure>
    }
    .into_any()
}

/// Top edge and height of a segment that stands on another one; `None` without requests. A segment is at least one unit
/// high, so that it is seen.
fn segment(below: u64, requests: u64, top: u64) -> Option<(String, String)> {
    let scaled = |requests: u64| requests as f64 / top as f64 * HEIGHT;
    let height = (requests > 0).then(|| scaled(requests).max(1.0))?;
    let y = (HEIGHT - scaled(below) - height).max(0.0);
    Some((format!("{y:.2}"), format!("{height:.2}")))
}

/// The next of 1, 2, 5, 10, 20, 50, …: the height of a bar is then easy to read.
fn round_up(most: u64) -> u64 {
    let mut power = 1;
    while power * 10 < most {
        power *= 10;
    }
    [1, 2, 5, 10].into_iter().map(|n| n * power).find(|top| *top >= most).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_round_numbers() {
        for (most, top) in [(0, 1), (1, 1), (2, 2), (3, 5), (7, 10), (10, 10), (11, 20), (51, 100), (4_321, 5_000)] {
            assert_eq!(round_up(most), top, "{most}");
        }
    }

    #[test]
    fn segments_stand_on_each_other() {
        let edges = |y: &str, height: &str| Some((y.to_owned(), height.to_owned()));
        assert_eq!(segment(3, 1, 5), edges("20.00", "20.00"));
        assert_eq!(segment(0, 1, 1_000), edges("99.00", "1.00"));
        assert_eq!(segment(5, 0, 5), None);
    }
}
