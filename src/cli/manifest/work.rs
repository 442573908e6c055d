//! Work objects out of files: checked like the others, and kept as
//! they are written. Their consequences are not known here.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Document, ManifestError, typed};
use crate::api::work::{Component, Dataset, ModelService, Pipeline, Run, WorkKind, Workbench};

/// A work object that the API server would accept.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkManifest {
    /// Its kind.
    pub kind: WorkKind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The object as it is written.
    pub value: Value,
}

impl WorkManifest {
    /// The object as its type.
    pub fn object<K: DeserializeOwned>(&self) -> serde_json::Result<K> {
        serde_json::from_value(self.value.clone())
    }

    /// The object of a document, or all that is wrong with it.
    pub(super) fn read(kind: WorkKind, document: &Document) -> Result<Self, Vec<ManifestError>> {
        let namespace = document.text("/metadata/namespace").unwrap_or_default().to_owned();
        let mut errors = Vec::new();
        if namespace.is_empty() {
            errors.push(ManifestError::NoNamespace { place: document.place() });
        }
        errors.extend(checked(kind, document).err().into_iter().flatten());
        if !errors.is_empty() {
            return Err(errors);
        }
        let name = document.text("/metadata/name").unwrap_or_default().to_owned();
        Ok(Self { kind, namespace, name, value: document.value.clone() })
    }
}

/// That the document is an object of the kind, by its rules and by its type.
fn checked(kind: WorkKind, document: &Document) -> Result<(), Vec<ManifestError>> {
    match kind {
        WorkKind::Component => typed::<Component>(document, kind.name()).map(drop),
        WorkKind::Dataset => typed::<Dataset>(document, kind.name()).map(drop),
        WorkKind::Workbench => typed::<Workbench>(document, kind.name()).map(drop),
        WorkKind::Pipeline => typed::<Pipeline>(document, kind.name()).map(drop),
        WorkKind::Run => typed::<Run>(document, kind.name()).map(drop),
        WorkKind::ModelService => typed::<ModelService>(document, kind.name()).map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Manifests, read};
    use super::*;

    fn manifests(text: &str) -> Result<Manifests, Vec<String>> {
        let documents = read::split("a.yaml", text).unwrap();
        Manifests::of(&documents).map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    fn object(kind: WorkKind, metadata: &str, spec: &str) -> String {
        format!("{{apiVersion: strata-operator.dev/v1alpha1, kind: {kind}, metadata: {metadata}, spec: {spec}}}\n---\n")
    }

    const SPECS: [(WorkKind, &str); 6] = [
        (WorkKind::Component, "{image: scipy}"),
        (WorkKind::Dataset, "{uri: 's3://cards/v7'}"),
        (WorkKind::Workbench, "{owner: ana, image: scipy}"),
        (WorkKind::Pipeline, "{steps: [{component: train}]}"),
        (WorkKind::Run, "{pipeline: nightly}"),
        (WorkKind::ModelService, "{model: {name: score, version: '1'}, runtime: mlflow}"),
    ];

    #[test]
    fn each_kind_is_read_and_kept_as_it_is_written() {
        let text: String =
            SPECS.iter().map(|(kind, spec)| object(*kind, "{name: x, namespace: fraud-score}", spec)).collect();
        let manifests = manifests(&text).unwrap();
        assert!(manifests.skipped.is_empty(), "{:?}", manifests.skipped);
        let kinds: Vec<WorkKind> = manifests.work.iter().map(|work| work.kind).collect();
        assert_eq!(kinds, WorkKind::ALL);
        let workbench = &manifests.work[2];
        assert_eq!((workbench.namespace.as_str(), workbench.name.as_str()), ("fraud-score", "x"));
        assert_eq!(workbench.value["spec"], serde_json::json!({"owner": "ana", "image": "scipy"}));
        let workbench: Workbench = workbench.object().unwrap();
        // Defaults of the API server are filled in while reading.
        assert_eq!((workbench.spec.size.as_str(), workbench.spec.storage.0.as_str()), ("small", "10Gi"));
        assert_eq!(workbench.spec.desired_state, None);
    }

    #[test]
    fn without_a_namespace_nobody_knows_whose_it_is() {
        let errors = manifests(&object(WorkKind::Workbench, "{name: ana}", "{owner: ana}")).unwrap_err();
        assert_eq!(
            errors,
            [
                "a.yaml, document 1 (Workbench ana): metadata.namespace is missing. Set it to the namespace of the \
                 layer, such as fraud--chargeback or fraud--shared",
                "a.yaml, document 1 (Workbench ana) is refused: spec: \"image\" is a required property",
            ]
        );
    }

    #[test]
    fn the_same_name_is_another_object_in_another_namespace() {
        let run = |namespace: &str| {
            object(WorkKind::Run, &format!("{{name: x, namespace: {namespace}}}"), "{pipeline: nightly}")
        };
        assert_eq!(manifests(&(run("a") + &run("b"))).unwrap().work.len(), 2);
        let errors = manifests(&(run("a") + &run("a"))).unwrap_err();
        assert!(errors.len() == 1 && errors[0].contains("is in a.yaml, document 1 (Run x) already"), "{errors:?}");
    }

    #[test]
    fn what_never_changes_is_no_matter_for_a_file() {
        // Transition rules do not apply to new objects.
        let text = object(WorkKind::Dataset, "{name: x, namespace: a}", "{volume: {size: 1Gi}}");
        assert_eq!(manifests(&text).unwrap().work.len(), 1);
    }
}
