//! The alert rules and the dashboard name metrics that the server has, and Prometheus' own tool finds no fault.

use crate::support::TestApp;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

const ALERTS: &str = include_str!("../../docs/alerts.yml");
const DASHBOARD: &str = include_str!("../../docs/grafana-dashboard.json");

/// The names of our metrics in a text, without the endings of a histogram's series.
fn names(text: &str) -> BTreeSet<&str> {
    let starts = text.match_indices("agent_studio_").map(|(at, _)| &text[at..]);
    let names = starts.map(|rest| rest.split(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap());
    names.map(|name| name.trim_end_matches("_bucket")).collect()
}

#[tokio::test]
async fn alerts_and_dashboard_name_metrics_that_there_are() {
    let test = TestApp::on_sqlite().await;
    let metrics = test.app.metrics.text(test.app.metric_sources()).unwrap();
    let known: BTreeSet<_> =
        metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    for text in [ALERTS, DASHBOARD] {
        let named = names(text);
        assert!(named.len() > 5, "{named:?}");
        assert!(named.is_subset(&known), "{:?}", named.difference(&known));
    }
    serde_json::from_str::<serde_json::Value>(DASHBOARD).unwrap();

    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = promtool.spawn().unwrap();
    promtool.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.trim().is_empty(), "{text}");
}

#[test]
fn the_alert_rules_raise_what_they_should() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/docs");
    for arguments in [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]] {
        let output = Command::new("promtool").args(arguments).current_dir(docs).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}");
    }
}
