//! What names a team, its namespaces, the objects of its members, and what is
//! reconciled. Names only: nothing here says what they stand for.

use std::fmt;

use super::ObjectKey;
use super::labels::RESERVED_PREFIX;
use super::work::WorkKind;

/// One object of a namespaced kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkId {
    /// Its kind.
    pub kind: WorkKind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for WorkId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// The subject of a pass.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Request {
    /// A team by its name, whether its object exists or not.
    Team(String),
    /// A Blueprint by its name.
    Blueprint(String),
    /// An Engine by its name.
    Engine(String),
    /// How many teams are ready.
    Readiness,
    /// The objects that depend on changed work objects of a team.
    Dependents(String),
    /// The ended runs of a team that may be due for deletion.
    Expiry(String),
    /// A work object, whether it exists or not.
    Work(WorkId),
}

/// The team of a namespace of this name.
#[must_use]
pub fn team_of(namespace: &str) -> Option<&str> {
    namespace.split_once("--").map(|(team, _)| team)
}

/// The work objects that an object of this name may have been written for, whatever its
/// labels say. `service-a-monitor` is the monitor of `a`, or the server of `a-monitor`.
#[must_use]
pub fn named_in(key: &ObjectKey) -> Vec<WorkId> {
    let Some(namespace) = key.namespace.as_ref().filter(|_| !key.is_only_read()) else { return Vec::new() };
    let id = |kind: WorkKind, name: &str| WorkId { kind, namespace: namespace.clone(), name: name.to_owned() };
    let name = key.name.strip_prefix(RESERVED_PREFIX).unwrap_or(&key.name);
    let mut found = Vec::new();
    if key.built_in() == "Service" {
        found.push(id(WorkKind::ModelService, &key.name));
    }
    for kind in WorkKind::ALL {
        let Some(rest) = kind.prefix().and_then(|prefix| name.strip_prefix(prefix)) else { continue };
        found.push(id(*kind, rest));
        if *kind == WorkKind::ModelService {
            let of_release = rest.rsplit_once("-release-").map(|(service, _)| service);
            found.extend(rest.strip_suffix("-monitor").or(of_release).map(|service| id(*kind, service)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_what_is_written_names_the_work() {
        let named = |kind: &str, name: &str| {
            let found = named_in(&ObjectKey::new("", kind, Some("a--p"), name)).into_iter();
            found.map(|id| format!("{} {}", id.kind, id.name)).collect::<Vec<_>>().join(", ")
        };
        for (kind, name, work) in [
            ("Deployment", "service-score", "ModelService score"),
            ("Service", "score", "ModelService score"),
            ("CronJob", "service-score-monitor", "ModelService score-monitor, ModelService score"),
            ("Job", "service-score-release-1a2b", "ModelService score-release-1a2b, ModelService score"),
            ("NetworkPolicy", "strata-service-score", "ModelService score"),
            ("StatefulSet", "workbench-ana", "Workbench ana"),
            ("Job", "run-nightly-2", "Run nightly-2"),
            ("CronJob", "pipeline-nightly", "Pipeline nightly"),
            ("PersistentVolumeClaim", "dataset-cards", "Dataset cards"),
            ("Deployment", "mlflow", ""),
            ("Pod", "workbench-ana-0", ""),
        ] {
            assert_eq!(named(kind, name), work, "{kind} {name}");
        }
        assert!(named_in(&ObjectKey::new("", "ClusterRole", None, "service-score")).is_empty());
    }
}
