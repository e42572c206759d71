//! Bar charts in fragments.

use leptos::prelude::*;

/// Units of the chart's coordinates. It is stretched to the width of its place.
const HEIGHT: f64 = 100.0;
const BAR_AND_GAP: usize = 10;
const BAR: usize = 8;

/// A bar: a number, and another one on top of it in the colour of alarm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bar {
    pub value: u64,
    pub alarm: u64,
}

/// Bars over time, oldest first.
#[component]
pub fn Chart(
    bars: Vec<Bar>,
    /// The time that the chart shows, in words: `24 hours`.
    span: &'static str,
    /// What it shows, for screen readers.
    label: String,
    /// Text in place of a chart without any value.
    empty: String,
) -> impl IntoView {
    let most = bars.iter().map(|bar| bar.value + bar.alarm).max().unwrap_or(0);
    if most == 0 {
        return view! { <p class="rounded-lg bg-sunken px-4 py-6 text-center text-sm text-faint">{empty}</p> }
            .into_any();
    }
    let top = round_up(most);
    let view_box = format!("0 0 {} {HEIGHT}", bars.len() * BAR_AND_GAP);
    let bars = bars.into_iter().enumerate().map(|(at, bar)| {
        let x = at * BAR_AND_GAP + 1;
        [("fill-bar", 0, bar.value), ("fill-danger", bar.value, bar.alarm)].map(|(fill, below, value)| {
            segment(below, value, top).map(|(y, height)| view! { <rect class=fill x=x y=y width=BAR height=height /> })
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

/// Top edge and height of a segment that stands on another one; `None` if it is empty. A segment is at least one unit
/// high, so that it is seen.
fn segment(below: u64, value: u64, top: u64) -> Option<(String, String)> {
    let scaled = |value: u64| value as f64 / top as f64 * HEIGHT;
    let height = (value > 0).then(|| scaled(value).max(1.0))?;
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
