//! `Dataset`: settings for those who may use it, and a volume where it has one.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{DailyFacts, Detail, Draft, invalid};
use crate::api::Layer;
use crate::api::daily::Dataset;
use crate::api::daily::dataset::{AccessMode, Volume};
use crate::api::quantity::Amount;
use crate::engine::work::{DatasetInputs, VolumeInputs, WorkInputs};
use crate::plan::Hold;

/// What a dataset asks for.
pub fn draft(dataset: &Dataset, facts: &DailyFacts<'_>) -> Result<Draft, Hold> {
    let name = dataset.metadata.name.clone().unwrap_or_default();
    let here = &facts.namespace.name;
    place(dataset, &name, facts)?;
    let connections = connections(dataset, here, &name);
    apart(dataset, &name, &connections, facts)?;
    let volume = dataset.spec.volume.as_ref().map(|volume| inputs(volume, &claim(&name), facts)).transpose()?;
    let detail = Detail::Dataset { connections, claim: volume.as_ref().map(|_| claim(&name)) };
    let work = WorkInputs { dataset: Some(DatasetInputs { name, volume }), ..WorkInputs::default() };
    Ok(Draft { work, write: true, detail, ..Draft::default() })
}

fn claim(name: &str) -> String {
    format!("dataset-{name}")
}

/// The settings that pods of this namespace find in `connections`. A volume gives
/// them in its own namespace alone: it cannot be mounted elsewhere.
#[must_use]
pub fn connections(dataset: &Dataset, namespace: &str, name: &str) -> BTreeMap<String, String> {
    let spec = &dataset.spec;
    let (kind, root) = match (&spec.uri, &spec.volume) {
        (Some(uri), _) => ("URI", uri.clone()),
        (None, Some(_)) if dataset.metadata.namespace.as_deref().is_none_or(|own| own == namespace) => {
            ("PATH", format!("/data/{name}"))
        }
        _ => return BTreeMap::new(),
    };
    let split = |(split, path): (&String, &String)| {
        (setting(name, split), format!("{}/{}", root.trim_end_matches('/'), path.trim_start_matches('/')))
    };
    let mut settings: BTreeMap<String, String> = spec.splits.iter().map(split).collect();
    settings.insert(setting(name, kind), root);
    settings
}

fn setting(name: &str, part: &str) -> String {
    format!("DATASET_{}_{}", name.replace('-', "_"), part).to_uppercase()
}

/// A volume cannot be mounted from another namespace, so Shared holds none.
fn place(dataset: &Dataset, name: &str, facts: &DailyFacts<'_>) -> Result<(), Hold> {
    let here = &facts.namespace.name;
    if dataset.spec.volume.is_some() && facts.namespace.layer == Layer::Shared {
        return Err(invalid(format!(
            "a volume is readable in its own namespace alone, and {here} is Shared: give the dataset a `uri`, or create \
             it in the namespace that uses it"
        )));
    }
    if dataset.spec.volume.is_some() && dataset.spec.splits.contains_key("path") {
        return Err(invalid(format!(
            "split 'path' would be the setting {}, which is the volume's own path: rename the split",
            setting(name, "path")
        )));
    }
    let shared = facts.shared();
    if *here != shared && facts.neighbours.dataset(&shared, name)?.is_some() {
        return Err(invalid(format!(
            "{shared} has a dataset {name} too, and that one is what pods here get: give this one another name"
        )));
    }
    Ok(())
}

/// No setting is another dataset's too. Of two datasets that would have the same,
/// the one in Shared keeps it, else the older one: a newcomer takes nothing away.
fn apart(dataset: &Dataset, name: &str, own: &BTreeMap<String, String>, facts: &DailyFacts<'_>) -> Result<(), Hold> {
    let (here, shared) = (&facts.namespace.name, facts.shared());
    let age = |dataset: &Dataset, name: &str| (dataset.metadata.creation_timestamp.clone(), name.to_owned());
    for key in own.keys() {
        for other in namesakes(key).into_iter().filter(|other| other != name) {
            for namespace in [&shared, here] {
                // One that cannot be read says nothing of its settings.
                let Ok(Some(found)) = facts.neighbours.dataset(namespace, &other) else { continue };
                let first = *namespace == shared && *here != shared || age(&found, &other) < age(dataset, name);
                if first && connections(&found, here, &other).contains_key(key) {
                    return Err(invalid(format!(
                        "dataset {namespace}/{other} has the setting {key} already: rename this dataset, or the split of \
                         one of the two"
                    )));
                }
            }
        }
    }
    Ok(())
}

/// The names of the datasets that could have a setting of this one, its own too:
/// whether it gives its settings depends on them.
#[must_use]
pub fn rivals(dataset: &Dataset, name: &str) -> std::collections::BTreeSet<String> {
    let place = dataset.metadata.namespace.clone().unwrap_or_default();
    connections(dataset, &place, name).keys().flat_map(|key| namesakes(key)).chain([name.to_owned()]).collect()
}

/// The names of the datasets that could have this setting.
fn namesakes(key: &str) -> Vec<String> {
    let rest = key.strip_prefix("DATASET_").unwrap_or_default().to_lowercase();
    rest.match_indices('_').map(|(end, _)| rest[..end].replace('_', "-")).collect()
}

/// The volume as it is asked for. What cannot change of one that is there stays.
fn inputs(volume: &Volume, claim: &str, facts: &DailyFacts<'_>) -> Result<VolumeInputs, Hold> {
    let live = (facts.live)("PersistentVolumeClaim", claim).map(|live| live["spec"].clone()).unwrap_or_default();
    let (wanted, mode) = (&volume.size.0, volume.access_mode.name());
    if let Some(size) = live["resources"]["requests"]["storage"].as_str()
        && let (Ok(has), Ok(asked)) = (Amount::parse(size), Amount::parse(wanted))
        && asked < has
    {
        return Err(invalid(format!(
            "spec.volume.size is {wanted}, and volume {claim} is there with {size}: a volume can only grow, so ask for \
             {size} or more"
        )));
    }
    if let Some(has) = live["accessModes"][0].as_str()
        && has != mode
    {
        return Err(invalid(format!(
            "spec.volume.accessMode is {mode}, and volume {claim} is there with {has}, which never changes: ask for \
             {has}, or name the dataset otherwise"
        )));
    }
    let classes = facts.plan.site.storage_classes.clone().unwrap_or_default();
    let of_site = match volume.access_mode {
        AccessMode::ReadWriteOnce => classes.home,
        AccessMode::ReadWriteMany | AccessMode::ReadOnlyMany => classes.shared,
    };
    // The class of a claim never changes, whatever the Blueprint says by now.
    let class = live["storageClassName"].as_str().map(str::to_owned).or_else(|| volume.class.clone()).or(of_site);
    if let (Some(class), Some(asked)) = (&class, &volume.class)
        && class != asked
    {
        return Err(invalid(format!(
            "spec.volume.class is {asked}, and volume {claim} is there with class {class}, which never changes: ask for \
             {class}, or name the dataset otherwise"
        )));
    }
    Ok(VolumeInputs { size: wanted.clone(), class, access_mode: mode.to_owned() })
}

/// Whether the volume of a dataset waits for its first pod: a claim of most
/// classes is bound to a volume when a pod that uses it is scheduled.
#[must_use]
pub fn waits_for_use(claim: &Value) -> bool {
    matches!(claim["status"]["phase"].as_str(), None | Some("Pending"))
}

#[cfg(test)]
#[path = "dataset_tests.rs"]
mod tests;
