//! Ratios beside the published ones.

use super::Outcome;

/// The published ratios are in its table "Ratios": name, figure, and whether a higher or a lower one is better.
const PUBLISHED: &str = include_str!("../../docs/benchmarks.md");
/// Share of a ratio by which it may be worse before it is called so.
const TOLERANCE: f64 = 0.1;

/// Prints a ratio beside the published one, and `WORSE` where it is worse by more than 10 %. The published one may be
/// `not measured`.
pub fn print_ratio(name: &str, ratio: f64) -> Outcome<()> {
    let (published, higher_is_better) =
        published(name).ok_or_else(|| format!("docs/benchmarks.md has no ratio `{name}`"))?;
    let Some(published) = published else {
        println!("  ratio {name}: {ratio:.2}, none published");
        return Ok(());
    };
    let worse = if higher_is_better { published / ratio } else { ratio / published } - 1.0;
    let verdict = if worse > TOLERANCE { format!(": WORSE by {:.0} %", worse * 100.0) } else { String::new() };
    println!("  ratio {name}: {ratio:.2}, published {published:.2}{verdict}");
    Ok(())
}

fn published(name: &str) -> Option<(Option<f64>, bool)> {
    let row = PUBLISHED.lines().find_map(|line| line.strip_prefix("| `")?.strip_prefix(name)?.strip_prefix("` |"))?;
    let mut cells = row.split('|').map(str::trim);
    let figure = match cells.next()? {
        "not measured" => None,
        figure => Some(figure.parse().ok()?),
    };
    Some((figure, cells.next()? == "higher"))
}
