//! The dataset of a name in a namespace, and the settings and mounts of a pod.
//!
//! A namespace's own goes before that of Shared. What Shared says reaches no Secret
//! and no volume that the namespace did not give away itself: in a Workspace by a
//! Secret of a name made for it, in Live by listing the component as it was looked at.

use super::{Lookup, WorkFacts, invalid};
use crate::api::status::READY;
use crate::api::work::Dataset;
use crate::api::work::dataset::{AccessMode, UsedBy};
use crate::api::{Issue, Layer, Reason};
use crate::engine::work::MountedInputs;

/// Who uses a dataset.
#[derive(Clone, Copy, Debug)]
pub enum User<'a> {
    /// A person, in their workbench.
    Person,
    /// A component, with the digest of its content.
    Component {
        /// Its name.
        name: &'a str,
        /// The digest of its content.
        digest: &'a str,
        /// The pin that a model in production made when it first named its monitor.
        pinned: Option<&'a UsedBy>,
    },
}

/// A dataset as a namespace knows it.
pub struct Found {
    /// The dataset; where one of the namespace stands for one of Shared, with the address of that.
    pub dataset: Dataset,
    /// Whether it is of the namespace itself.
    pub own: bool,
}

/// The name of the Secret by which a Workspace gives credentials for a dataset of Shared.
#[must_use]
pub fn consent(dataset: &str) -> String {
    format!("dataset-{dataset}")
}

/// Whether the dataset stands for the one of its name in Shared.
#[must_use]
pub const fn stands_for_shared(dataset: &Dataset) -> bool {
    dataset.spec.uri.is_none() && dataset.spec.volume.is_none()
}

/// Resolves the name in this namespace.
pub fn find(name: &str, facts: &WorkFacts<'_>) -> Lookup<Found> {
    let shared = || facts.neighbours.dataset(&facts.shared(), name);
    let Some(own) = facts.neighbours.dataset(&facts.namespace.name, name)? else {
        return Ok(shared()?.map(|dataset| Found { dataset, own: false }));
    };
    let dataset = if stands_for_shared(&own) { addressed(own, name, facts)? } else { own };
    Ok(Some(Found { dataset, own: true }))
}

/// One that stands for a dataset of Shared, with the address and the splits of that.
pub fn addressed(mut own: Dataset, name: &str, facts: &WorkFacts<'_>) -> Result<Dataset, Issue> {
    let (here, shared) = (&facts.namespace.name, facts.shared());
    let of_shared = if *here == shared { None } else { facts.neighbours.dataset(&shared, name)? };
    let Some((uri, of_shared)) = of_shared.and_then(|found| Some((found.spec.uri.clone()?, found))) else {
        return Err(invalid(format!(
            "dataset {here}/{name} has neither `uri` nor `volume`, and {shared} has no dataset {name} with a `uri` to \
             stand for"
        )));
    };
    own.spec.uri = Some(uri);
    own.spec.splits = of_shared.spec.splits;
    Ok(own)
}

/// The datasets that something names, as its pod is given them.
pub fn given(
    field: &str,
    names: &[String],
    user: User<'_>,
    facts: &WorkFacts<'_>,
) -> Result<Vec<MountedInputs>, Issue> {
    let given = named(field, names, user, facts)?;
    names
        .iter()
        .try_for_each(|name| find(name, facts)?.map_or(Ok(()), |found| mountable(&found.dataset, name, facts)))?;
    Ok(given)
}

/// The named datasets, even if their volumes cannot be mounted now.
pub fn named(
    field: &str,
    names: &[String],
    user: User<'_>,
    facts: &WorkFacts<'_>,
) -> Result<Vec<MountedInputs>, Issue> {
    let resolved = names.iter().map(|name| {
        let found = find(name, facts)?.ok_or_else(|| {
            let places = format!("neither {} nor {}", facts.namespace.name, facts.shared());
            invalid(format!("{field} names dataset '{name}', which exists in {places}. Create it first"))
        })?;
        one(field, name, &found, user, facts)
    });
    resolved.collect()
}

/// The owner of a dataset's volume, from the status of the dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owned<'a> {
    /// The volume belongs to the dataset, or the dataset has none.
    Yes,
    /// The status does not show the volume yet.
    Unknown,
    /// The claim of that name belongs to another owner; with the message of the dataset.
    Anothers(&'a str),
}

/// The owner of the dataset's volume. The dataset has no settings while its claim belongs to
/// another owner, because they lead to that claim.
#[must_use]
pub fn owned(dataset: &Dataset) -> Owned<'_> {
    if dataset.spec.volume.is_none() {
        return Owned::Yes;
    }
    let Some(status) = &dataset.status else { return Owned::Unknown };
    let conflict = |known: &&crate::api::Condition| known.type_ == READY && known.reason == Reason::Conflict.name();
    if let Some(ready) = status.conditions.iter().find(conflict) {
        return Owned::Anothers(&ready.message);
    }
    if status.volume.is_some() || !status.connections.is_empty() { Owned::Yes } else { Owned::Unknown }
}

/// Refuses a claim that the operator did not make for the dataset: no pod mounts it.
pub fn mountable(dataset: &Dataset, name: &str, facts: &WorkFacts<'_>) -> Result<(), Issue> {
    if !facts.neighbours.have_status() {
        return Ok(());
    }
    let here = &facts.namespace.name;
    let (reason, message) = match owned(dataset) {
        Owned::Yes => return Ok(()),
        Owned::Unknown => (
            Reason::Progressing,
            format!("dataset {here}/{name} has no volume yet. If this lasts, see the status of the dataset"),
        ),
        Owned::Anothers(message) => {
            (Reason::Conflict, format!("the volume of dataset {here}/{name} is not mounted: {message}"))
        }
    };
    Err(Issue::new(reason, message))
}

/// The issue of the first of these datasets whose claim belongs to another owner.
#[must_use]
pub fn conflict(names: &[String], facts: &WorkFacts<'_>) -> Option<Issue> {
    let mut found = names.iter().filter_map(|name| Some((find(name, facts).ok()??, name)));
    found.find_map(|(found, name)| {
        mountable(&found.dataset, name, facts).err().filter(|why| why.reason == Reason::Conflict)
    })
}

fn one(field: &str, name: &str, found: &Found, user: User<'_>, facts: &WorkFacts<'_>) -> Result<MountedInputs, Issue> {
    let spec = &found.dataset.spec;
    if !found.own && spec.volume.is_some() {
        return Err(invalid(format!(
            "{field} names dataset '{name}', which is on a volume in {}. A volume can only be read in its own \
             namespace",
            facts.shared()
        )));
    }
    let private = spec.credentials.is_some() || spec.volume.is_some();
    if facts.is_live() && private {
        listed(name, found, user, facts)?;
    }
    let mounted = mounted(&found.dataset, name);
    if found.own || facts.namespace.layer == Layer::Shared {
        return Ok(mounted);
    }
    Ok(MountedInputs { secret: mounted.secret.map(|_| consent(name)), ..mounted })
}

/// In Live the dataset must list the component as it is now.
fn listed(name: &str, found: &Found, user: User<'_>, facts: &WorkFacts<'_>) -> Result<(), Issue> {
    let User::Component { name: component, digest, pinned } = user else { return Ok(()) };
    let known = found.dataset.spec.used_by.iter().find(|used| used.component == component).filter(|_| found.own);
    let is_it = |used: &UsedBy| used.component == component && used.digest == digest;
    if known.is_some_and(is_it) || (found.own && pinned.is_some_and(is_it)) {
        return Ok(());
    }
    let here = &facts.namespace.name;
    let why = match known {
        Some(_) => format!("changed since dataset {here}/{name} listed it. Review it, then"),
        None if found.own => format!("is not listed by dataset {here}/{name}. Review it, then"),
        None => format!(
            "uses dataset {name}, which has credentials. Create a dataset {name} in {here} with credentials of that namespace, then"
        ),
    };
    let message =
        format!("component {component} {why} add {{component: {component}, digest: {digest}}} to its `usedBy`");
    Err(Issue::new(Reason::NotListed, message))
}

/// A dataset of the namespace as a pod uses it.
#[must_use]
pub fn mounted(dataset: &Dataset, name: &str) -> MountedInputs {
    MountedInputs {
        name: name.to_owned(),
        path: format!("/data/{name}"),
        claim: dataset.spec.volume.as_ref().map(|_| format!("dataset-{name}")),
        read_only: dataset.spec.read_only
            || dataset.spec.volume.as_ref().is_some_and(|volume| volume.access_mode == AccessMode::ReadOnlyMany),
        secret: dataset.spec.credentials.as_ref().map(|credentials| credentials.secret.clone()),
    }
}

#[cfg(test)]
#[path = "data_tests.rs"]
mod tests;
