//! Renders the charts with helm, and finds things in what comes out. Nothing is
//! judged here.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A chart of this repository.
pub fn chart(name: &str) -> PathBuf {
    harness::repository().join("charts").join(name)
}

/// Runs helm, away from any cluster.
pub async fn helm(arguments: &[&str]) -> Output {
    let mut command = Command::new(harness::programs::helm().await.expect("helm"));
    command.args(arguments).env("KUBECONFIG", "/nonexistent").output().expect("helm starts")
}

/// What the chart `strata` renders to, or what helm said against it.
pub async fn render_with(arguments: &[&str]) -> Result<Vec<Value>, String> {
    let chart = chart("strata").display().to_string();
    let mut all = vec!["template", "strata", &chart];
    if !arguments.contains(&"--namespace") {
        all.extend(["--namespace", "strata-system"]);
    }
    all.extend(arguments);
    let output = helm(&all).await;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(documents(&String::from_utf8_lossy(&output.stdout)))
}

/// What the chart `strata` renders to with its own values.
pub async fn render() -> Vec<Value> {
    render_with(&[]).await.expect("the chart renders")
}

/// The documents of a YAML stream.
pub fn documents(text: &str) -> Vec<Value> {
    text.split("\n---\n")
        .map(|document| serde_saphyr::from_str::<Value>(document).expect("YAML"))
        .filter(Value::is_object)
        .collect()
}

/// All objects of a kind.
pub fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

/// The object of this kind and name.
#[track_caller]
pub fn named<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}"))
}

/// The name of an object.
pub fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// The strings of a list; empty where there is none.
pub fn strings(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// All files below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
