//! `strata retained`: the namespaces that withdrawn teams and removed projects
//! left behind, as the cluster has them.
//!
//! Reads Namespaces and nothing else, and writes nothing. What keeps them is
//! [`crate::reconcile::retained`].

use std::path::Path;

use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::api::{Api, ListParams};

use super::table;
use crate::api::labels;
use crate::cluster::client::{ConnectError, connect};

/// How many Namespaces one answer of the API server holds.
const PAGE: u32 = 500;

/// The head of the table.
const HEAD: [&str; 5] = ["TEAM", "NAMESPACE", "LAYER", "PROJECT", "UID"];

/// The cause of a failed list of namespaces.
#[derive(Debug, thiserror::Error)]
pub enum RetainedError {
    /// The cluster cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The API server did not answer as hoped.
    #[error("failed to list the namespaces of teams: {0}")]
    List(kube::Error),
}

/// A namespace that was left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// The team it belonged to.
    pub team: String,
    /// Its name.
    pub namespace: String,
    /// Its layer or project.
    pub layer: String,
    /// The project, in a Workspace and in Live.
    pub project: Option<String>,
    /// The UID of the team's object, which a team names to take its namespaces back
    /// where the Blueprint asks for that.
    pub uid: String,
}

/// The retained namespaces of the cluster of this kubeconfig, as a table.
pub async fn retained(kubeconfig: Option<&Path>) -> Result<Vec<Row>, RetainedError> {
    let api: Api<Namespace> = Api::all(connect(kubeconfig).await?);
    let mut parameters = ListParams::default().labels(labels::TEAM).limit(PAGE);
    let mut found = Vec::new();
    loop {
        let page = api.list(&parameters).await.map_err(RetainedError::List)?;
        let next = page.metadata.continue_.clone().filter(|token| !token.is_empty());
        found.extend(rows(&page.items));
        let Some(next) = next else { break };
        parameters.continue_token = Some(next);
    }
    found.sort();
    Ok(found)
}

/// The rows of those namespaces that were left behind.
#[must_use]
pub fn rows(namespaces: &[Namespace]) -> Vec<Row> {
    namespaces.iter().filter_map(row).collect()
}

fn row(namespace: &Namespace) -> Option<Row> {
    let marked = namespace
        .annotations()
        .get(labels::RETAINED)
        .is_some_and(|value| value == "true" || value == labels::UNTIL_ALLOWED);
    let label = |key: &str| namespace.labels().get(key).cloned();
    marked.then(|| Row {
        team: label(labels::TEAM).unwrap_or_default(),
        namespace: namespace.name_any(),
        layer: label(labels::LAYER).unwrap_or_default(),
        project: label(labels::PROJECT),
        uid: label(labels::TEAM_UID).unwrap_or_default(),
    })
}

/// The rows as a table, with its head.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let cells = rows.iter().map(|row| {
        let project = row.project.as_deref().unwrap_or_default();
        [row.team.as_str(), &row.namespace, &row.layer, project, &row.uid]
            .map(|text| if text.is_empty() { "-" } else { text }.to_owned())
            .to_vec()
    });
    table::table(&HEAD, &cells.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn namespace(name: &str, layer: &str, project: Option<&str>, retained: Option<&str>) -> Namespace {
        let mut metadata = json!({"name": name, "labels": {
            "strata-operator.dev/team": "fraud", "strata-operator.dev/team-uid": "1-2", "strata-operator.dev/layer": layer,
        }});
        if let Some(project) = project {
            metadata["labels"]["strata-operator.dev/project"] = project.into();
        }
        if let Some(retained) = retained {
            metadata["annotations"] = json!({"strata-operator.dev/retained": retained});
        }
        serde_json::from_value(json!({"metadata": metadata})).unwrap()
    }

    #[test]
    fn what_is_marked_is_listed_and_nothing_else() {
        let found = rows(&[
            namespace("fraud--shared", "Shared", None, Some("true")),
            namespace("fraud--backbone", "Backbone", None, None),
            namespace("fraud--pay", "Workspace", Some("pay"), Some("false")),
            namespace("fraud--pay--live", "Live", Some("pay"), Some("true")),
        ]);
        assert_eq!(
            table(&found),
            "TEAM    NAMESPACE          LAYER    PROJECT   UID\n\
             fraud   fraud--shared      Shared   -         1-2\n\
             fraud   fraud--pay--live   Live     pay       1-2\n"
        );
    }

    #[test]
    fn a_namespace_without_labels_still_has_a_line() {
        let bare = json!({"metadata": {"name": "a--b", "annotations": {"strata-operator.dev/retained": "true"}}});
        let found = rows(&[serde_json::from_value(bare).unwrap()]);
        assert_eq!(table(&found).lines().nth(1), Some("-      a--b        -       -         -"));
    }
}
