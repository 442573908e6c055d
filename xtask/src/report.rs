//! What the demo prints at the end: the teams, their namespaces by layer, who may
//! do what, and the objects of their members. All of it is read back from the cluster, none from the examples:
//! rights from the bindings and the cluster roles that they name.

use std::collections::{BTreeMap, BTreeSet};

use harness::Cluster;
use serde_json::Value;
use strata::cli::table::indented;

use crate::error::Error;
use crate::kubectl::get;
use crate::rights::{self, Binding};

/// The layers, in the order in which they stand on each other.
const LAYERS: [&str; 4] = ["Backbone", "Shared", "Workspace", "Live"];

/// The work objects shown with their reasons.
const WORK: [(&str, &str); 4] = [
    ("WORKBENCHES", "workbenches"),
    ("PIPELINES", "pipelines"),
    ("RUNS", "runs"),
    ("MODELS IN PRODUCTION", "modelservices"),
];

/// How many projects a cell names before the rest is a number.
const PROJECTS_NAMED: usize = 3;

/// One namespace of a team.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    name: String,
    team: String,
    layer: String,
    project: String,
    level: String,
}

/// The whole report.
pub async fn report(cluster: &Cluster, teams: &[String]) -> Result<String, Error> {
    let names = ["get".to_owned(), "aiteams".to_owned()].into_iter().chain(teams.iter().cloned());
    let shown = cluster.kubectl(names).await?;
    let mut out = section("TEAMS", &shown).trim_start().to_owned();

    let places = places(&get(cluster, &["namespaces", "--selector=strata-operator.dev/team"]).await?);
    out.push_str("\nNAMESPACES BY LAYER\n");
    out.push_str(&namespaces(&places, teams));

    let bindings = get(cluster, &["rolebindings", "--all-namespaces", "--selector=strata-operator.dev/team"]).await?;
    let bindings = rights::bindings(&bindings);
    out.push_str("\nWHO MAY DO WHAT\n");
    for team in teams {
        out.push_str(&people(team, &places, &bindings));
    }
    let bound: BTreeSet<&str> = bindings.iter().map(|binding| binding.role.as_str()).collect();
    let roles = get(cluster, &["clusterroles"]).await?;
    out.push_str("  What they mean (from the cluster roles):\n");
    out.push_str(&rights::meanings(&roles, &bound));
    for (heading, kind) in WORK {
        let shown = cluster.kubectl(["get", kind, "--all-namespaces", "--output=wide"]).await?;
        out.push_str(&section(heading, &shown));
    }
    let shown = cluster.kubectl(["get", "ai", "--all-namespaces"]).await?;
    out.push_str(&section("kubectl get ai --all-namespaces", &shown));
    Ok(out)
}

/// The output of kubectl, indented under a heading.
fn section(heading: &str, shown: &str) -> String {
    let lines = shown.trim_end().lines().map(|line| if line.is_empty() { line.into() } else { format!("  {line}") });
    format!("\n{heading}\n{}\n", lines.collect::<Vec<String>>().join("\n"))
}

fn places(list: &Value) -> Vec<Place> {
    let label = |object: &Value, key: &str| object["metadata"]["labels"][key].as_str().unwrap_or_default().to_owned();
    let mut places: Vec<Place> = list["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|object| Place {
            name: object["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
            team: label(object, "strata-operator.dev/team"),
            layer: label(object, "strata-operator.dev/layer"),
            project: label(object, "strata-operator.dev/project"),
            level: label(object, "pod-security.kubernetes.io/enforce"),
        })
        .collect();
    let rank = |place: &Place| LAYERS.iter().position(|layer| *layer == place.layer).unwrap_or(LAYERS.len());
    places.sort_by_key(|place| (rank(place), place.team.clone(), place.project.clone()));
    places
}

fn namespaces(places: &[Place], teams: &[String]) -> String {
    let rows: Vec<_> = places
        .iter()
        .filter(|place| teams.contains(&place.team))
        .map(|place| {
            vec![
                place.layer.clone(),
                place.team.clone(),
                place.project.clone(),
                place.name.clone(),
                place.level.clone(),
            ]
        })
        .collect();
    indented(&["LAYER", "TEAM", "PROJECT", "NAMESPACE", "POD SECURITY"], &rows)
}

/// One team's people: a row each, a column for each layer.
fn people(team: &str, places: &[Place], bindings: &[Binding]) -> String {
    let places: Vec<&Place> = places.iter().filter(|place| place.team == team).collect();
    let mut rights: BTreeMap<(&str, &str), BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for binding in bindings.iter().filter(|binding| places.iter().any(|place| place.name == binding.namespace)) {
        for subject in &binding.subjects {
            let who = rights.entry((&binding.part, subject)).or_default();
            who.entry(&binding.namespace).or_default().push(binding.level());
        }
    }
    let rows: Vec<_> = rights
        .iter()
        .map(|((part, subject), held)| {
            let cells = LAYERS.iter().map(|layer| cell(layer, &places, held));
            [(*part).to_owned(), (*subject).to_owned()].into_iter().chain(cells).collect()
        })
        .collect();
    let heading: Vec<&str> = ["ROLE", "WHO"].into_iter().chain(LAYERS).collect();
    format!("  {team}\n{}\n", indented(&heading, &rows))
}

/// The rights of a person in a layer: one word if equal in all of it, else by project.
fn cell(layer: &str, places: &[&Place], held: &BTreeMap<&str, Vec<&str>>) -> String {
    let mut projects: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for place in places.iter().filter(|place| place.layer == layer) {
        let levels = held.get(place.name.as_str()).map_or_else(|| "-".into(), |levels| levels.join(" + "));
        projects.entry(levels).or_default().push(&place.project);
    }
    if projects.len() < 2 {
        return projects.into_keys().next().unwrap_or_default();
    }
    let named = projects.iter().filter(|(levels, _)| *levels != "-").map(|(levels, projects)| {
        let more = projects.len().saturating_sub(PROJECTS_NAMED);
        let names = projects[..projects.len() - more].join(", ");
        if more == 0 { format!("{levels} ({names})") } else { format!("{levels} ({names} and {more} more)") }
    });
    named.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn some_places() -> Vec<Place> {
        let namespace = |name: &str, layer: &str, project: &str| {
            json!({"metadata": {"name": name, "labels": {
                "strata-operator.dev/team": "fraud",
                "strata-operator.dev/layer": layer,
                "strata-operator.dev/project": project,
                "pod-security.kubernetes.io/enforce": "restricted",
            }}})
        };
        places(&json!({"items": [
            namespace("fraud--a--live", "Live", "a"),
            namespace("fraud--a", "Workspace", "a"),
            namespace("fraud--backbone", "Backbone", ""),
        ]}))
    }

    #[test]
    fn namespaces_stand_in_the_order_of_the_layers() {
        let text = namespaces(&some_places(), &["fraud".into()]);
        let names: Vec<&str> = text.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(names, ["Backbone", "Workspace", "Live"]);
    }

    #[test]
    fn a_person_has_one_row() {
        let binding = |namespace: &str, name: &str, role: &str| {
            json!({
                "metadata": {"name": name, "namespace": namespace},
                "roleRef": {"name": role},
                "subjects": [{"kind": "Group", "name": "fraud-science"}],
            })
        };
        let bindings = rights::bindings(&json!({"items": [
            binding("fraud--a", "strata-data-scientist-contribute", "strata:workspace:contribute"),
            binding("fraud--a--live", "strata-data-scientist-view", "strata:live:view"),
        ]}));
        let text = people("fraud", &some_places(), &bindings);
        assert_eq!(
            text,
            "  fraud\n  ROLE            WHO                  Backbone  Shared  Workspace   Live\n  \
             data-scientist  group fraud-science  -                 contribute  view\n\n"
        );
    }

    #[test]
    fn projects_are_named_where_rights_differ() {
        let place = |project: &str| Place {
            name: format!("fraud--{project}"),
            team: "fraud".into(),
            layer: "Workspace".into(),
            project: project.into(),
            level: String::new(),
        };
        let places = [place("a"), place("b"), place("c")];
        let places: Vec<&Place> = places.iter().collect();
        let held = BTreeMap::from([("fraud--a", vec!["own"]), ("fraud--c", vec!["own"])]);
        assert_eq!(cell("Workspace", &places, &held), "own (a, c)");
        assert_eq!(cell("Live", &places, &held), "");
    }
}
