//! The work of files: what is written for it first, without a cluster.
//! Nobody has looked at one, so nothing runs yet and no model is released.

use serde::de::DeserializeOwned;

use super::{NO_UID, RenderedWork};
use crate::api::AITeam;
use crate::api::identity::{WorkId, team_of};
use crate::api::work::{Component, Dataset, Pipeline, Run, WorkKind};
use crate::cli::manifest::{Manifests, WorkManifest};
use crate::objects::work::desired;
use crate::plan::settings::Given;
use crate::plan::work::{Lookup, Object, ObjectLookup, WorkFacts, data, dataset, plan, unreadable};
use crate::plan::{DatasetSettings, Facts, Plan};

/// The settings of the team's datasets, by namespace.
#[must_use]
pub fn datasets(team: &str, manifests: &Manifests) -> DatasetSettings {
    let mut settings = DatasetSettings::new();
    for written in of_team(team, manifests).filter(|written| written.kind == WorkKind::Dataset) {
        let Ok(read) = written.object::<Dataset>() else { continue };
        // One that stands for one of Shared says the same as that one.
        if data::stands_for_shared(&read) {
            continue;
        }
        let said = dataset::connections(&read, &written.namespace, &written.name);
        let given = Given { name: written.name.clone(), created: None, settings: said };
        settings.entry(written.namespace.clone()).or_default().push(given);
    }
    settings
}

/// What is written for each object of the team's work.
#[must_use]
pub fn work(team: &AITeam, team_plan: &Plan, facts: &Facts<'_>, manifests: &Manifests) -> Vec<RenderedWork> {
    let all =
        of_team(&team_plan.identity.name, manifests).map(|written| one(written, team, team_plan, facts, manifests));
    let mut all: Vec<RenderedWork> = all.collect();
    all.sort_by(|left, right| left.id.cmp(&right.id));
    all
}

/// Work in namespaces that none of the teams has.
#[must_use]
pub fn strangers(manifests: &Manifests) -> Vec<String> {
    let known = |written: &&WorkManifest| {
        let team = team_of(&written.namespace);
        manifests.teams.iter().any(|known| known.metadata.name.as_deref() == team)
    };
    let strangers = manifests.work.iter().filter(|written| !known(written));
    let unassigned = strangers.map(|written| {
        let id = id(written);
        format!("{id} is in no namespace of a team of the files. Add the AITeam with -f")
    });
    unassigned.collect()
}

fn of_team<'a>(team: &'a str, manifests: &'a Manifests) -> impl Iterator<Item = &'a WorkManifest> {
    manifests.work.iter().filter(move |written| team_of(&written.namespace) == Some(team))
}

fn id(written: &WorkManifest) -> WorkId {
    WorkId { kind: written.kind, namespace: written.namespace.clone(), name: written.name.clone() }
}

fn one(
    written: &WorkManifest,
    team: &AITeam,
    team_plan: &Plan,
    facts: &Facts<'_>,
    manifests: &Manifests,
) -> RenderedWork {
    let id = id(written);
    let refused = |held: String| RenderedWork { id: id.clone(), objects: Vec::new(), held: Some(held) };
    let Some(namespace) = team_plan.namespace(&written.namespace) else {
        return refused(format!("the team has no namespace {}", written.namespace));
    };
    let mut value = written.value.clone();
    if value["metadata"]["uid"].is_null() {
        value["metadata"]["uid"] = NO_UID.into();
    }
    let object = match Object::read(written.kind, &value) {
        Ok(object) => object,
        Err(error) => return refused(error),
    };
    let facts = WorkFacts {
        team,
        plan: team_plan,
        namespace,
        catalogue: facts.catalogue,
        served: facts.served,
        neighbours: &InFiles(manifests),
        live: &|_, _| None,
        pods: &[],
        now: &crate::reconcile::report::now(),
    };
    let plan = plan(&id, &object, &facts);
    if let Some(hold) = plan.hold {
        return refused(hold.message);
    }
    let down = plan.draft.scale.as_ref().filter(|scale| scale.replicas == 0).map(|scale| scale.template.clone());
    let due = |template: Option<&str>| down.is_none() || down.as_deref() != template;
    let objects = desired(team_plan, &plan).into_iter();
    let objects =
        objects.filter(|desired| due(desired.template.as_ref().map(|template| template.id.as_str()))).collect();
    RenderedWork { objects: if plan.draft.write { objects } else { Vec::new() }, held: None, id }
}

/// The work objects in the files.
struct InFiles<'a>(&'a Manifests);

impl InFiles<'_> {
    fn read<K: DeserializeOwned>(&self, kind: WorkKind, namespace: &str, name: &str) -> Lookup<K> {
        let all = self.0.work.iter();
        let mut found = all.filter(|known| known.kind == kind && known.namespace == namespace);
        let Some(found) = found.find(|known| known.name == name) else { return Ok(None) };
        found.object().map(Some).map_err(|error| unreadable(&id(found), &error.to_string()))
    }
}

impl ObjectLookup for InFiles<'_> {
    fn component(&self, namespace: &str, name: &str) -> Lookup<Component> {
        self.read(WorkKind::Component, namespace, name)
    }

    fn dataset(&self, namespace: &str, name: &str) -> Lookup<Dataset> {
        self.read(WorkKind::Dataset, namespace, name)
    }

    fn pipeline(&self, namespace: &str, name: &str) -> Lookup<Pipeline> {
        self.read(WorkKind::Pipeline, namespace, name)
    }

    fn components(&self, namespace: &str) -> Vec<String> {
        let all = self.0.work.iter();
        let here = all.filter(|known| known.kind == WorkKind::Component && known.namespace == namespace);
        here.map(|known| known.name.clone()).collect()
    }

    fn ended_after(&self, _: &str, _: &Run, _: usize) -> bool {
        false
    }
}
