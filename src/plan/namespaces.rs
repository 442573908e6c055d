//! The namespaces of a team and their names.
//!
//! A team's or project's name holds no `--`, so names cannot collide: `a-b` and
//! `c` make `a-b--c`, `a` and `b-c` make `a--b-c`.

use std::collections::BTreeSet;

use super::settings::{self, Settings};
use super::ways::{services, with_ways};
use super::{Facts, Instance, NamespacePlan, budget};
use crate::api::engine::PodSecurity;
use crate::api::team::{AITeam, Resources};
use crate::api::vocabulary::Layer;
use crate::api::{AITeamSpec, BlueprintSpec};

/// A namespace of a team, by its place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// Its layer.
    pub layer: Layer,
    /// Its project, in a Workspace and in Live.
    pub project: Option<String>,
}

/// The name of a namespace.
#[must_use]
pub fn name(team: &str, layer: Layer, project: Option<&str>) -> String {
    match (layer, project) {
        (Layer::Workspace, Some(project)) => format!("{team}--{project}"),
        (Layer::Live, Some(project)) => format!("{team}--{project}--live"),
        (layer, _) => format!("{team}--{}", layer.kebab()),
    }
}

/// The team's namespaces: Backbone, Shared if a shared capability is on, then
/// project by project, as the spec orders them.
#[must_use]
pub fn places(team: &str, spec: &AITeamSpec) -> Vec<Place> {
    let place = |layer, project: Option<&str>| Place {
        name: name(team, layer, project),
        layer,
        project: project.map(ToOwned::to_owned),
    };
    let mut places = vec![place(Layer::Backbone, None)];
    if shared_is_on(spec) {
        places.push(place(Layer::Shared, None));
    }
    for project in &spec.projects {
        places.push(place(Layer::Workspace, Some(&project.name)));
        if project.live.is_some() {
            places.push(place(Layer::Live, Some(&project.name)));
        }
    }
    places
}

/// Whether the team uses any shared capability.
#[must_use]
pub fn shared_is_on(spec: &AITeamSpec) -> bool {
    spec.shared.as_ref().is_some_and(|shared| shared.blocks().iter().any(|(_, block)| block.wanted()))
}

/// The namespaces of the spec, and those that it left behind.
#[must_use]
pub fn planned(team: &AITeam, facts: &Facts<'_>, places: &[Place], instances: &[Instance]) -> Vec<NamespacePlan> {
    let egress = team.spec.backbone.as_ref().map(|backbone| backbone.egress.clone()).unwrap_or_default();
    let team_name = team.metadata.name.clone().unwrap_or_default();
    let devices: Vec<String> = team.spec.budget.iter().flat_map(Resources::devices).cloned().collect();
    let wanted = places.iter().map(|place| {
        let (pod_security, pod_security_reason) = pod_security(&place.name, instances);
        NamespacePlan {
            name: place.name.clone(),
            layer: place.layer,
            project: place.project.clone(),
            labels: team.spec.labels.clone(),
            pod_security,
            pod_security_reason,
            egress: with_ways(&egress, place.layer, instances),
            services: services(place.layer, instances),
            datasets: settings::of(&place.name, &name(&team_name, Layer::Shared, None), facts.datasets),
            devices: devices.clone(),
            priority_classes: priority_classes(&team.spec, place, facts.blueprint),
            counts: budget::counts(facts.blueprint, place.layer, facts.usage),
            retained: false,
            waits: false,
        }
    });
    let left = facts.retained.iter().filter(|left| places.iter().all(|place| place.name != left.namespace));
    let left = left.map(|left| NamespacePlan {
        name: left.namespace.clone(),
        layer: left.layer,
        project: left.project.clone(),
        labels: team.spec.labels.clone(),
        pod_security: left.pod_security,
        pod_security_reason: None,
        egress: egress.clone(),
        services: Vec::new(),
        datasets: Settings::default(),
        devices: devices.clone(),
        // What its project's priority was nobody knows any more, and its pods are made anew when a node goes.
        priority_classes: crate::plan::pod_rules::pod_rules(facts.blueprint).priority_classes,
        counts: budget::counts(facts.blueprint, left.layer, facts.usage),
        retained: true,
        waits: left.waits,
    });
    wanted.chain(left).collect()
}

/// The classes that the site lists for all, its project's own, and in Live the one of
/// what serves: nobody ranks their pods above those of other projects.
fn priority_classes(spec: &AITeamSpec, place: &Place, blueprint: &BlueprintSpec) -> Vec<String> {
    let project = spec.projects.iter().find(|project| Some(&project.name) == place.project.as_ref());
    let priority = project.map(|project| project.priority).unwrap_or_default();
    let own = blueprint.priority_classes.iter().flat_map(|classes| {
        let production = classes.production.as_ref().filter(|_| place.layer == Layer::Live);
        classes.of(priority).into_iter().chain(production)
    });
    let listed = blueprint.pods.iter().flat_map(|pods| &pods.priority_classes);
    listed.chain(own).cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

/// The strictest level that all engines of the namespace pass, and because of
/// whom it is not `restricted`.
fn pod_security(namespace: &str, instances: &[Instance]) -> (PodSecurity, Option<String>) {
    let here = instances.iter().filter(|instance| instance.id.namespace == namespace);
    let levels = here.filter_map(|instance| {
        let known = instance.choice.as_ref().map(|choice| choice.pod_security);
        Some((known.or_else(|| Some(instance.engine.as_ref()?.spec().pod_security))?, &instance.id.engine))
    });
    let worst = levels.max_by_key(|(level, _)| *level).filter(|(level, _)| *level != PodSecurity::Restricted);
    worst.map_or((PodSecurity::Restricted, None), |(level, engine)| {
        (level, Some(format!("the pods of engine {engine} need Pod Security {}", level.label())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_collide() {
        assert_eq!(name("a-b", Layer::Workspace, Some("c")), "a-b--c");
        assert_eq!(name("a", Layer::Workspace, Some("b-c")), "a--b-c");
        assert_eq!(name("a", Layer::Live, Some("c")), "a--c--live");
        assert_eq!(name("a", Layer::Shared, None), "a--shared");
    }

    #[test]
    fn shared_is_there_when_something_in_it_is() {
        let spec: AITeamSpec =
            serde_saphyr::from_str("{shared: {models: {enabled: false}}, projects: [{name: p, live: {}}]}").unwrap();
        let names: Vec<String> = places("abc", &spec).into_iter().map(|place| place.name).collect();
        assert_eq!(names, ["abc--backbone", "abc--p", "abc--p--live"]);
        let spec: AITeamSpec = serde_saphyr::from_str("{shared: {models: {}}}").unwrap();
        assert_eq!(places("abc", &spec)[1].name, "abc--shared");
    }
}
