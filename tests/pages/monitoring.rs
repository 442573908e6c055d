//! The alerts and the dashboard in deploy/monitoring: they use only metrics, labels and values
//! of the operator, and docs/operations.md names each alert.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use strata::api::status::ConditionStatus;
use strata::api::team_status::CONDITIONS;
use strata::telemetry::metrics::{Metrics, Reconcile, Watched};

use super::read;

/// The metrics of an operator after some passes: each with its labels and their values.
fn metrics() -> BTreeMap<String, BTreeSet<String>> {
    let metrics = Metrics::default();
    metrics.teams.set(vec![("fraud".to_owned(), [Some(ConditionStatus::True); CONDITIONS.len()])]);
    metrics.requests.count("create", "ConfigMap", true);
    metrics.reconciles.get_or_create(&Reconcile { kind: "team", result: "fine" }).inc();
    metrics.watch_age.get_or_create(&Watched { kind: "aiteams".to_owned() }).set(1.0);
    let text = metrics.text();
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_once(['{', ' ']).unwrap();
        let labels = rest.split("=\"").filter_map(|part| part.rsplit([',', '{', '"']).next());
        found.entry(name.to_owned()).or_default().extend(labels.map(str::to_owned));
    }
    found
}

/// The expressions of the alerts, by their names.
fn alerts() -> Vec<(String, String)> {
    let rules: Value = serde_saphyr::from_str(&read("deploy/monitoring/rules.yaml")).unwrap();
    let groups = rules["spec"]["groups"].as_array().unwrap();
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
    rules.map(|rule| (text(&rule["alert"]), text(&rule["expr"]))).collect()
}

/// The expressions of the dashboard, by the titles of their panels.
fn panels() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&read("deploy/monitoring/dashboard.json")).unwrap();
    let of = |panel: &Value| {
        let targets = panel["targets"].as_array().unwrap().clone();
        let title = text(&panel["title"]);
        targets.into_iter().map(move |target| (title.clone(), text(&target["expr"])))
    };
    dashboard["panels"].as_array().unwrap().iter().flat_map(of).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The metrics in an expression, each with its selector in braces.
fn asked(expression: &str) -> Vec<(&str, &str)> {
    let word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let starts = expression.match_indices("strata_").map(|(at, _)| &expression[at..]);
    starts
        .map(|rest| {
            let (name, rest) = rest.split_at(rest.find(|letter| !word(letter)).unwrap_or(rest.len()));
            let braces = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
            (name, braces.map_or("", |(inside, _)| inside))
        })
        .collect()
}

#[test]
fn alerts_and_panels_ask_for_metrics_that_are_there() {
    let metrics = metrics();
    let expressions = [alerts(), panels()].concat();
    assert!(expressions.len() > 15, "{expressions:?}");
    for (name, expression) in expressions {
        let asked = asked(&expression);
        assert!(!asked.is_empty(), "{name}: {expression}");
        for (metric, braces) in asked {
            let labels = metrics.get(metric).unwrap_or_else(|| panic!("{name}: no metric is called {metric}"));
            for (label, value) in braces.split(',').filter_map(|part| part.split_once('=')) {
                let value = value.trim_matches(['"', '~']);
                assert!(labels.contains(label), "{name}: {metric} has no label {label}");
                let known = label != "condition" || CONDITIONS.contains(&value);
                assert!(known, "{name}: no condition is called {value}");
            }
        }
    }
}

#[test]
fn the_page_names_each_alert_and_metric() {
    let page = read("docs/operations.md");
    for (alert, _) in alerts() {
        assert!(page.contains(&format!("`{alert}`")), "docs/operations.md does not name {alert}");
    }
    for metric in metrics().keys().filter(|metric| !metric.ends_with("_sum") && !metric.ends_with("_count")) {
        let name = metric.trim_end_matches("_bucket");
        assert!(page.contains(name), "docs/operations.md does not name {name}");
    }
}
