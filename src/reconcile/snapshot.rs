//! The snapshot from which a team's members' objects are planned: the last plan of the
//! team, or the reason why nothing may be written for it now.
//!
//! The reconcile of the team publishes it for its members' objects, so that hundreds of
//! them do not plan the team hundreds of times. Engines and served kinds are not part of
//! it: each pass reads the present ones, and [`crate::reconcile::triggers`] enqueues it
//! when they change.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::api::vocabulary::Level;
use crate::api::work::WorkKind;
use crate::api::{AITeam, BlueprintSpec, Issue, content};
use crate::cluster::apply::Outcome;
use crate::cluster::cache::packed::Packed;
use crate::cluster::cache::text::Models;
use crate::engine::Inputs;
use crate::objects::record::Record;
use crate::plan::budget::is_device;
use crate::plan::work::engine::candidates;
use crate::plan::{Instance, NamespacePlan, Plan, Right, Share};

/// The facts from which the work objects of a team are planned.
pub struct TeamSnapshot {
    /// The team as it was planned; what it says last stays true while it is held.
    pub planned: Option<Planned>,
    /// Why nothing is written for the team: it is suspended, its Blueprint is missing.
    pub held: Option<Issue>,
    /// The engines that the plan of the team used.
    pub engines: BTreeSet<String>,
    /// Those that its work may come to use.
    pub work_engines: BTreeSet<String>,
    /// The kinds, group first, that it writes and that only a definition brings.
    pub kinds: BTreeSet<(String, String)>,
    content: u64,
    settings: u64,
}

/// The parts that the snapshots of several teams share: of equal ones, all keep the first.
#[derive(Default)]
pub struct Common {
    blueprints: Mutex<Vec<Weak<BlueprintSpec>>>,
    /// The inputs of instances, by the number of their content.
    inputs: Mutex<HashMap<u64, Weak<Inputs>>>,
    /// A sample of texts of teams.
    models: Mutex<Models>,
}

impl Common {
    /// Replaces the Blueprint and the inputs of a snapshot by those of others that are equal.
    pub fn share(&self, snapshot: &mut TeamSnapshot) {
        let Some(planned) = &mut snapshot.planned else { return };
        if let Packed::Whole(team) = &planned.team {
            let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
            planned.team = Packed::new(Arc::clone(team), &mut models, "AITeam");
        }
        self.share_blueprint(&mut planned.plan.site);
        self.share_inputs(&mut planned.plan.instances);
    }

    fn share_blueprint(&self, own: &mut Arc<BlueprintSpec>) {
        let mut blueprints = self.blueprints.lock().unwrap_or_else(PoisonError::into_inner);
        blueprints.retain(|blueprint| blueprint.strong_count() > 0);
        match blueprints.iter().filter_map(Weak::upgrade).find(|blueprint| *blueprint == *own) {
            Some(blueprint) => *own = blueprint,
            None => blueprints.push(Arc::downgrade(own)),
        }
    }

    fn share_inputs(&self, instances: &mut [Instance]) {
        let mut known = self.inputs.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, inputs| inputs.strong_count() > 0);
        for Instance { inputs: own, .. } in instances {
            let number = content::number(&**own);
            match known.get(&number).and_then(Weak::upgrade) {
                Some(inputs) if inputs == *own => *own = inputs,
                Some(_) => {}
                None => {
                    known.insert(number, Arc::downgrade(own));
                }
            }
        }
    }
}

/// A team as it was planned.
pub struct Planned {
    /// The team, without its status.
    team: Packed<AITeam>,
    uid: Option<String>,
    /// Its plan.
    pub plan: Plan,
    /// Namespaces that nothing is written into, and why.
    pub blocked: BTreeMap<String, Issue>,
    /// The parts of the record that are in neither: choices of engines that this program
    /// cannot read, volumes, and kinds of engines; or all of it, for a team of which only
    /// the record is left.
    recorded: Recorded,
}

enum Recorded {
    Partly(Box<Record>),
    Whole(Box<Record>),
}

/// The difference between two snapshots for the work objects of the team.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotChange {
    /// Nothing.
    Nothing,
    /// The settings that datasets give; they let runs begin.
    Settings,
    /// Anything else.
    Everything,
}

impl TeamSnapshot {
    /// The snapshot of a team that was planned and applied.
    #[must_use]
    pub fn planned(team: &AITeam, plan: Plan, outcome: &Outcome) -> Self {
        let places = plan.namespaces.iter();
        let blocked = places.filter_map(|place| Some((place.name.clone(), outcome.blocked(&place.name)?.clone())));
        let recorded = Recorded::Partly(Box::default());
        let team = Arc::new(AITeam { metadata: team.metadata.clone(), spec: team.spec.clone(), status: None });
        let uid = team.metadata.uid.clone();
        let mut planned =
            Planned { team: Packed::Whole(team), uid, blocked: blocked.collect(), plan: for_work(plan), recorded };
        let work = WorkKind::ALL.iter().flat_map(|kind| candidates(&planned.plan, kind.capability()));
        let work_engines = work.map(str::to_owned).collect();
        let (content, settings) = (planned.content(), planned.settings());
        // Whoever asks does so for a workbench; that any of them changed is in the number.
        planned.plan.grants.retain(|grant| matches!(grant.right, Right::Level(level) if level >= Level::Use));
        planned.plan.grants.shrink_to_fit();
        Self { work_engines, content, settings, planned: Some(planned), ..Self::empty() }
    }

    /// With the inputs of the team's plan.
    #[must_use]
    pub fn looked_at(self, engines: BTreeSet<String>, kinds: BTreeSet<(String, String)>) -> Self {
        Self { engines, kinds, ..self }
    }

    /// The snapshot of a team for which nothing may be written now.
    #[must_use]
    pub fn held(failure: &Issue) -> Self {
        Self { held: Some(failure.clone()), content: content::number(&failure.message), ..Self::empty() }
    }

    const fn empty() -> Self {
        Self {
            planned: None,
            held: None,
            engines: BTreeSet::new(),
            work_engines: BTreeSet::new(),
            kinds: BTreeSet::new(),
            content: 0,
            settings: 0,
        }
    }

    /// With the record by which it was planned.
    #[must_use]
    pub fn recorded(mut self, record: Option<&Record>) -> Self {
        if let (Some(planned), Some(record)) = (&mut self.planned, record) {
            planned.recorded = Recorded::Partly(Box::new(Record {
                unread_choices: record.unread_choices.clone(),
                volumes: record.volumes.clone(),
                kinds: record.kinds.clone(),
                ..Record::default()
            }));
        }
        self
    }

    /// With all of the record by which it was planned: the team itself is gone.
    #[must_use]
    pub fn retained(mut self, record: Record) -> Self {
        if let Some(planned) = &mut self.planned {
            planned.recorded = Recorded::Whole(Box::new(record));
        }
        self
    }

    /// The needed parts of this team's record, if it was deleted or damaged since the team
    /// was planned.
    #[must_use]
    pub fn remembered(&self, uid: &str) -> Option<Record> {
        let planned = self.planned.as_ref().filter(|planned| planned.uid.as_deref() == Some(uid))?;
        let Recorded::Partly(recorded) = &planned.recorded else { return None };
        Some(Record {
            uid: uid.to_owned(),
            choices: planned.plan.choices(),
            prefixes: Some(planned.plan.prefixes.clone()),
            ..(**recorded).clone()
        })
    }

    /// The record of a team of which nothing else is left.
    #[must_use]
    pub fn remembered_whole(&self) -> Option<Record> {
        match &self.planned.as_ref()?.recorded {
            Recorded::Whole(record) => Some((**record).clone()),
            Recorded::Partly(_) => None,
        }
    }

    /// The difference from the earlier snapshot, for the work objects of the team.
    #[must_use]
    pub fn moved(&self, before: &Self) -> SnapshotChange {
        if self.content != before.content || self.held.is_some() != before.held.is_some() {
            SnapshotChange::Everything
        } else if self.settings != before.settings {
            SnapshotChange::Settings
        } else {
            SnapshotChange::Nothing
        }
    }
}

impl Planned {
    /// The team, without its status.
    #[must_use]
    pub fn team(&self) -> Arc<AITeam> {
        self.team.read()
    }

    /// A number for everything that work depends on but settings.
    fn content(&self) -> u64 {
        let (plan, team) = (&self.plan, self.team());
        let instances: Vec<_> = plan
            .instances
            .iter()
            .map(|instance| {
                let id = &instance.id;
                (&id.namespace, &id.engine, &instance.capabilities, &instance.inputs.parameters)
            })
            .collect();
        let places = plan.namespaces.iter().map(|place| {
            (&place.name, place.layer, &place.project, &place.labels, place.pod_security, &place.egress, place.retained)
        });
        let of_share = |share: &Share| -> Vec<(String, String)> {
            share.granted.iter().map(|(device, amount)| (device.clone(), amount.canonical())).collect()
        };
        let devices: Vec<_> = plan.budget.iter().map(|share| (&share.namespace, of_share(share))).collect();
        let blocked: Vec<_> = self.blocked.iter().map(|(place, failure)| (place, &failure.message)).collect();
        content::number(&(
            (&team.metadata.uid, &team.spec, &*plan.site, &plan.prefixes, &plan.connections, &plan.customers),
            (instances, places.collect::<Vec<_>>(), &plan.grants, devices, blocked, plan.api_server.is_empty()),
        ))
    }

    /// A number for the settings that datasets give.
    fn settings(&self) -> u64 {
        let settings = self
            .plan
            .namespaces
            .iter()
            .map(|place| (&place.name, &place.datasets.values, place.datasets.left_out.keys().collect::<Vec<_>>()));
        content::number(&settings.collect::<Vec<_>>())
    }
}

/// The plan without what only the team itself is made of: it is kept for each team.
fn for_work(plan: Plan) -> Plan {
    let instances = plan.instances.into_iter();
    let instances = instances.map(|instance| {
        let inputs = Arc::new(instance.inputs.parameters_alone());
        Instance { objects: Vec::new(), inputs, ..instance }
    });
    let namespaces = plan.namespaces.into_iter().map(|place| NamespacePlan {
        pod_security_reason: None,
        devices: Vec::new(),
        priority_classes: Vec::new(),
        counts: BTreeMap::new(),
        ..place
    });
    let budget = plan.budget.into_iter().map(of_devices_alone);
    let (budget, problems, extras) = (budget.collect(), Vec::new(), Vec::new());
    Plan {
        instances: instances.collect(),
        namespaces: namespaces.collect(),
        budget,
        problems,
        extras,
        coverage: Vec::new(),
        readers: Vec::new(),
        ..plan
    }
}

/// The devices that a namespace is granted, with which the devices of a size are compared.
fn of_devices_alone(mut share: Share) -> Share {
    // A map that was emptied keeps its room; a new one takes none.
    let devices = share.granted.iter().filter(|(resource, _)| is_device(resource));
    share.granted = devices.map(|(resource, amount)| (resource.clone(), *amount)).collect();
    share.wanted = BTreeMap::new();
    share
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Catalogue;
    use crate::plan::Facts;

    fn snapshot(name: &str, replicas: u32) -> TeamSnapshot {
        let spec = format!("{{shared: {{experiments: {{parameters: {{replicas: {replicas}}}}}}}}}");
        let team = AITeam::new(name, serde_saphyr::from_str(&spec).unwrap());
        let (site, catalogue) = (BlueprintSpec::default(), Catalogue::builtin());
        let plan = crate::plan::plan(&team, &Facts::offline(&site, &catalogue)).unwrap();
        TeamSnapshot::planned(&team, plan, &Outcome::default())
    }

    fn inputs(snapshot: &TeamSnapshot) -> &Arc<Inputs> {
        &snapshot.planned.as_ref().unwrap().plan.instances[0].inputs
    }

    #[test]
    fn what_the_record_knew_of_volumes_and_kinds_is_remembered() {
        let kind = crate::engine::kinds::ObjectKind::new("example.com/v1", "Job");
        let record = Record {
            volumes: BTreeMap::from([("aaa--shared/mlflow".to_owned(), "one".to_owned())]),
            kinds: BTreeSet::from([kind]),
            ..Record::default()
        };
        let mut snapshot = snapshot("aaa", 1).recorded(Some(&record));
        snapshot.planned.as_mut().unwrap().uid = Some("u".to_owned());
        let remembered = snapshot.remembered("u").unwrap();
        assert_eq!((&remembered.volumes, &remembered.kinds), (&record.volumes, &record.kinds));
        assert_eq!(remembered.uid, "u");
        assert_eq!(snapshot.remembered("another"), None);
    }

    #[test]
    fn nothing_is_kept_that_only_the_team_itself_is_made_of() {
        let team = AITeam::new("aaa", serde_saphyr::from_str("{shared: {experiments: {}}}").unwrap());
        let (site, catalogue) = (BlueprintSpec::default(), Catalogue::builtin());
        let mut plan = crate::plan::plan(&team, &Facts::offline(&site, &catalogue)).unwrap();
        assert!(plan.instances.iter().any(|instance| !instance.objects.is_empty()));
        for place in &mut plan.namespaces {
            place.counts.insert("count/runs.strata-operator.dev".to_owned(), 1);
            place.priority_classes.push("strata-model".to_owned());
        }
        let kept = TeamSnapshot::planned(&team, plan, &Outcome::default()).planned.unwrap().plan;
        assert!(kept.instances.iter().all(|instance| instance.objects.is_empty()));
        assert!(kept.namespaces.iter().all(|place| place.counts.is_empty() && place.priority_classes.is_empty()));
    }

    #[test]
    fn teams_share_equal_inputs_and_blueprints() {
        let common = Common::default();
        let mut snapshots = [snapshot("aaa", 1), snapshot("bbb", 1), snapshot("ccc", 2)];
        for snapshot in &mut snapshots {
            common.share(snapshot);
        }
        let [a, b, c] = &snapshots;
        assert!(Arc::ptr_eq(inputs(a), inputs(b)));
        assert!(!Arc::ptr_eq(inputs(a), inputs(c)));
        assert_eq!(inputs(c).parameters["replicas"], 2);
        for (snapshot, name) in [(a, "aaa"), (b, "bbb")] {
            let planned = snapshot.planned.as_ref().unwrap();
            assert!(matches!(planned.team, Packed::Text(_)));
            assert_eq!(planned.team().metadata.name.as_deref(), Some(name));
        }
        let site = |snapshot: &TeamSnapshot| Arc::as_ptr(&snapshot.planned.as_ref().unwrap().plan.site);
        assert_eq!(site(a), site(c));
        drop(snapshots);
        common.share(&mut snapshot("ddd", 3));
        assert_eq!(common.inputs.lock().unwrap().len(), 1, "those of teams that are gone are forgotten");
    }
}
