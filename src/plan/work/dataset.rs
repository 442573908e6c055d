//! `Dataset`: settings for those who may use it, and a volume where it has one.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Detail, ResolvedSpec, WorkFacts, data, invalid};
use crate::api::work::Dataset;
use crate::api::work::dataset::{AccessMode, Volume};
use crate::api::{Issue, Layer};
use crate::engine::work::{DatasetInputs, VolumeInputs, WorkInputs};
use crate::plan::settings::{KEPT, LARGEST, LeftOut, Settings, Side, bytes};
use crate::plan::{NamespacePlan, volume};

/// The longest setting.
pub const VALUE: usize = 1024;

/// The word for a dataset that another one hides in a namespace.
pub const SHADOWED: &str = "shadowed in";

/// The first words of a dataset's message while only its settings are awaited.
pub const SETTLING: &str = "the settings are being written";

/// How the settings of a dataset reach those who may use it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// A namespace where they are not yet.
    pub awaited: Option<String>,
    /// Namespaces that have no room for them.
    pub too_large: Vec<String>,
    /// Namespaces where their own dataset goes first, with its name.
    pub shadowed: Vec<(String, String)>,
}

/// The resolved spec of a dataset.
pub fn draft(dataset: &Dataset, facts: &WorkFacts<'_>) -> Result<ResolvedSpec, Issue> {
    let name = dataset.metadata.name.clone().unwrap_or_default();
    let here = &facts.namespace.name;
    place(dataset, &name, facts)?;
    let of_shared =
        data::stands_for_shared(dataset).then(|| data::addressed(dataset.clone(), &name, facts)).transpose()?;
    let addressed = of_shared.as_ref().unwrap_or(dataset);
    let connections = connections(addressed, here, &name);
    whole(&connections)?;
    apart(addressed, &name, &connections, facts)?;
    fits(&name, &connections, facts)?;
    let volume = dataset.spec.volume.as_ref().map(|volume| inputs(volume, &claim(&name), facts)).transpose()?;
    let detail = Detail::Dataset {
        reach: reach(&name, &connections, facts),
        connections,
        claim: volume.as_ref().map(|_| claim(&name)),
    };
    let work = WorkInputs { dataset: Some(DatasetInputs { name, volume }), ..WorkInputs::default() };
    Ok(ResolvedSpec { work, write: true, detail, ..ResolvedSpec::default() })
}

/// A setting that is cut would be another address.
fn whole(settings: &BTreeMap<String, String>) -> Result<(), Issue> {
    let Some((name, value)) = settings.iter().find(|(_, value)| value.len() > VALUE) else { return Ok(()) };
    Err(invalid(format!(
        "the setting {name} has {} bytes, more than the maximum {VALUE}. Shorten the address, or the path of the split",
        value.len()
    )))
}

/// The namespaces that find the settings: its own, and of Shared all that may use it.
fn places<'a>(facts: &'a WorkFacts<'_>) -> impl Iterator<Item = &'a NamespacePlan> {
    let of_shared = facts.namespace.layer == Layer::Shared;
    let all = facts.plan.namespaces.iter().filter(move |_| of_shared);
    let all = all.filter(|place| matches!(place.layer, Layer::Workspace | Layer::Live) && !place.retained);
    all.chain(Some(facts.namespace).filter(move |_| !of_shared))
}

/// Refuses new settings for which a namespace has no room: datasets that have settings there
/// keep them. A dataset of Shared is refused only if no namespace has room for it: a full
/// namespace takes the settings from no other one.
fn fits(name: &str, settings: &BTreeMap<String, String>, facts: &WorkFacts<'_>) -> Result<(), Issue> {
    let here = &facts.namespace.name;
    let (side, me) = (side(facts), (here.clone(), name.to_owned()));
    let is_full = |known: &Settings| {
        let before = known.values.iter().filter(|(key, _)| settings.contains_key(*key));
        let before: usize = before.map(|(key, value)| key.len() + value.len()).sum();
        // A planned dataset stays, and is judged by the settings that the team left out.
        let grows = settings.iter().any(|(key, value)| known.values.get(key) != Some(value));
        let shadowed = matches!(known.left_out.get(&me), Some(LeftOut::Shadowed(_)));
        let others = known.taken(side).saturating_sub(before);
        grows && !shadowed && others + bytes(settings) > known.room(side)
    };
    let places: Vec<&NamespacePlan> = places(facts).collect();
    if places.is_empty() || !places.iter().all(|place| is_full(&place.datasets)) {
        return Ok(());
    }
    let names: Vec<String> = places.iter().map(|place| place.name.clone()).collect();
    Err(too_large(bytes(settings), &names, side, false))
}

/// The side of this namespace's datasets in the namespaces that use them.
fn side(facts: &WorkFacts<'_>) -> Side {
    if facts.namespace.layer == Layer::Shared { Side::Shared } else { Side::Own }
}

/// The issue for settings without room in these namespaces. `elsewhere`: other namespaces have them.
#[must_use]
pub fn too_large(new: usize, places: &[String], side: Side, elsewhere: bool) -> Issue {
    let place = places.first().map_or("", String::as_str);
    let more = match places.len() {
        0 | 1 => String::new(),
        all => format!(" and of {} more", all - 1),
    };
    let (whose, remove) = match side {
        Side::Own => ("the namespace's own", format!("datasets of {place}")),
        Side::Shared => ("Shared's", format!("datasets of Shared or {place}")),
    };
    let rest = if elsewhere { ". Other namespaces have them" } else { "" };
    invalid(format!(
        "`connections` of {place}{more} has no room for the {new} bytes of settings of this dataset: of {LARGEST} bytes \
         {KEPT} are kept for {whose} datasets, and the rest is taken{rest}. Remove splits here, or {remove} without users"
    ))
}

/// How the settings reach those who may use them.
fn reach(name: &str, settings: &BTreeMap<String, String>, facts: &WorkFacts<'_>) -> Reach {
    let (mut reach, me) = (Reach::default(), (facts.namespace.name.clone(), name.to_owned()));
    for place in places(facts) {
        match place.datasets.left_out.get(&me) {
            Some(LeftOut::Shadowed(by)) => reach.shadowed.push((place.name.clone(), by.clone())),
            Some(LeftOut::TooLarge) => reach.too_large.push(place.name.clone()),
            None if settings.iter().any(|(key, value)| place.datasets.values.get(key) != Some(value)) => {
                reach.awaited.get_or_insert_with(|| place.name.clone());
            }
            None => {}
        }
    }
    reach
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

/// A volume cannot be mounted from another namespace, so Shared holds none; only
/// Live lists the components that may use its own datasets.
fn place(dataset: &Dataset, name: &str, facts: &WorkFacts<'_>) -> Result<(), Issue> {
    let here = &facts.namespace.name;
    if dataset.spec.volume.is_some() && facts.namespace.layer == Layer::Shared {
        return Err(invalid(format!(
            "a volume can only be read in its own namespace, and {here} is Shared. Give the dataset a `uri`, or create \
             it in the namespace that uses it"
        )));
    }
    if !dataset.spec.used_by.is_empty() && !facts.is_live() {
        return Err(invalid(format!(
            "`usedBy` is for datasets in Live, and {here} is {}. Remove it",
            facts.namespace.layer.name()
        )));
    }
    if dataset.spec.volume.is_some() && dataset.spec.splits.contains_key("path") {
        return Err(invalid(format!(
            "split 'path' would set {}, which is the path of the volume. Rename the split",
            setting(name, "path")
        )));
    }
    Ok(())
}

/// Of two datasets of one namespace that would have the same setting, the older one
/// keeps it: a newcomer takes nothing away. One of Shared gives way to those of a
/// namespace in that namespace alone, which the plan of the team sees to.
fn apart(dataset: &Dataset, name: &str, own: &BTreeMap<String, String>, facts: &WorkFacts<'_>) -> Result<(), Issue> {
    let here = &facts.namespace.name;
    let age = |dataset: &Dataset, name: &str| (dataset.metadata.creation_timestamp.clone(), name.to_owned());
    for key in own.keys() {
        for other in namesakes(key).into_iter().filter(|other| other != name) {
            // The settings of an unreadable dataset are not known.
            let Ok(Some(found)) = facts.neighbours.dataset(here, &other) else { continue };
            if age(&found, &other) < age(dataset, name) && connections(&found, here, &other).contains_key(key) {
                return Err(invalid(format!(
                    "dataset {here}/{other} already has the setting {key}. Rename this dataset, or the split of one of \
                     the two"
                )));
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

/// The volume of the spec. The fixed properties of an existing volume stay.
fn inputs(volume: &Volume, claim: &str, facts: &WorkFacts<'_>) -> Result<VolumeInputs, Issue> {
    let there = (facts.live)("PersistentVolumeClaim", claim).unwrap_or_default();
    let (live, mode) = (&there["spec"], volume.access_mode.name());
    if let Some(has) = live["accessModes"][0].as_str()
        && has != mode
    {
        return Err(invalid(format!(
            "spec.volume.accessMode is {mode}, but volume {claim} has {has}, which cannot change. Set {has}, or give \
             the dataset another name"
        )));
    }
    let classes = facts.plan.site.storage_classes.clone().unwrap_or_default();
    let of_site = match volume.access_mode {
        AccessMode::ReadWriteOnce => classes.home,
        AccessMode::ReadWriteMany | AccessMode::ReadOnlyMany => classes.shared,
    };
    // The class of a claim never changes, even if the Blueprint's does.
    let class = live["storageClassName"].as_str().map(str::to_owned).or_else(|| volume.class.clone()).or(of_site);
    if let (Some(class), Some(asked)) = (&class, &volume.class)
        && class != asked
    {
        return Err(invalid(format!(
            "spec.volume.class is {asked}, but volume {claim} has class {class}, which cannot change. Set {class}, or \
             give the dataset another name"
        )));
    }
    let size = volume::kept(&volume.size.text(), &there);
    Ok(VolumeInputs { size, class, access_mode: mode.to_owned() })
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
