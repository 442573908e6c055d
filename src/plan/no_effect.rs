//! Fields of the spec without effect because of other fields. They are reported and
//! block nothing.

use super::{Instance, Problem, Scope};
use crate::api::{AITeamSpec, BlueprintSpec, Prefixes, Reason};

/// One problem for each such field.
#[must_use]
pub fn no_effect(spec: &AITeamSpec, site: &BlueprintSpec, prefixes: &Prefixes, instances: &[Instance]) -> Vec<Problem> {
    let counted = site.budget.as_ref().is_some_and(|budget| budget.cpu_limits);
    let limited = spec.budget.as_ref().and_then(|budget| budget.limits.get("cpu"));
    let cpu = limited.filter(|_| !counted).map(|_| {
        format!(
            "spec.budget.limits.cpu has no effect: Blueprint {} does not count cpu limits. Remove it",
            spec.blueprint
        )
    });
    let without_effect = cpu
        .into_iter()
        .chain(instances.iter().filter_map(storage))
        .chain(instances.iter().filter_map(replicas))
        .chain(doubled(spec, prefixes));
    without_effect.map(|message| Problem::advice(Scope::Team, Reason::Invalid, message)).collect()
}

/// Storage for an engine that makes no volume, as it is asked for.
fn storage(instance: &Instance) -> Option<String> {
    let asked = instance.inputs.storage.as_ref()?;
    let volumes = ["PersistentVolumeClaim", "StatefulSet"];
    let made = instance.objects.iter().any(|made| volumes.iter().any(|kind| made.object["kind"] == *kind));
    (instance.hold.is_none() && !made).then(|| {
        format!(
            "storage {asked} has no effect: engine {} of {} makes no volume with these parameters. Remove it",
            instance.id.engine, instance.id.namespace
        )
    })
}

/// A number of pods that an engine cannot have, as it is asked for: a volume of one pod,
/// for instance.
fn replicas(instance: &Instance) -> Option<String> {
    let asked = instance.inputs.parameters["replicas"].as_i64()?;
    let made = || instance.objects.iter().filter_map(|made| made.object["spec"]["replicas"].as_i64());
    (instance.hold.is_none() && made().all(|made| made != asked)).then_some(())?;
    let most = made().max()?;
    Some(format!(
        "parameters.replicas {asked} has no effect: engine {} of {} has {most} with these parameters. Remove it",
        instance.id.engine, instance.id.namespace
    ))
}

/// People and groups as the API server prints them: the prefix would stand there twice.
fn doubled(spec: &AITeamSpec, prefixes: &Prefixes) -> Vec<String> {
    let members = spec.members.iter().chain(spec.projects.iter().flat_map(|project| &project.members));
    let mut found = Vec::new();
    for member in members {
        let groups = member.groups.iter().map(|name| (name, &prefixes.group));
        let users = member.users.iter().map(|name| (name, &prefixes.user));
        let doubled =
            groups.chain(users).filter(|(name, prefix)| !prefix.is_empty() && name.starts_with(prefix.as_str()));
        found.extend(doubled.map(|(name, prefix)| {
            format!(
                "'{name}' of role {} begins with the prefix {prefix}, which Strata adds itself. Remove the prefix",
                member.role
            )
        }));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::AITeam;
    use crate::engine::Catalogue;
    use crate::plan::{Facts, plan};

    #[test]
    fn what_has_no_effect_is_named() {
        let (catalogue, prefixes) = (Catalogue::builtin(), Prefixes { user: "oidc:".into(), group: "oidc:".into() });
        for (spec, site, message) in [
            (
                "{budget: {limits: {cpu: '16'}}}",
                "{}",
                "spec.budget.limits.cpu has no effect: Blueprint default does not count cpu limits. Remove it",
            ),
            ("{budget: {limits: {cpu: '16'}}}", "{budget: {cpuLimits: true}}", ""),
            ("{shared: {experiments: {storage: 50Gi}}}", "{}", ""),
            (
                "{shared: {experiments: {parameters: {replicas: 3}}}}",
                "{}",
                "parameters.replicas 3 has no effect: engine mlflow of abc--shared has 1 with these parameters. Remove \
                 it",
            ),
            ("{shared: {experiments: {parameters: {replicas: 1}}}}", "{}", ""),
            (
                "{members: [{role: MLEngineer, groups: ['oidc:acme-ml'], users: [ana]}]}",
                "{}",
                "'oidc:acme-ml' of role MLEngineer begins with the prefix oidc:, which Strata adds itself. Remove the \
                 prefix",
            ),
        ] {
            let site: BlueprintSpec = serde_saphyr::from_str(site).unwrap();
            let team = AITeam::new("abc", serde_saphyr::from_str(spec).unwrap());
            let plan = plan(&team, &Facts { prefixes: &prefixes, ..Facts::offline(&site, &catalogue) }).unwrap();
            let without_effect = no_effect(&team.spec, &site, &prefixes, &plan.instances);
            assert_eq!(
                without_effect.into_iter().map(|problem| problem.issue.message).collect::<Vec<_>>().join("; "),
                message,
                "{spec}"
            );
        }
    }

    #[test]
    fn storage_without_a_volume_is_named() {
        let (site, catalogue) = (BlueprintSpec::default(), Catalogue::builtin());
        let spec = "{shared: {experiments: {storage: 50Gi, parameters: {database: Secret, artifactsDestination: 's3://a/b'}}}}";
        let team = AITeam::new("abc", serde_saphyr::from_str(spec).unwrap());
        let mut plan = plan(&team, &Facts::offline(&site, &catalogue)).unwrap();
        for instance in &mut plan.instances {
            instance.objects.retain(|made| made.object["kind"] != "PersistentVolumeClaim");
            instance.hold = None;
        }
        let without_effect = no_effect(&team.spec, &site, &Prefixes::default(), &plan.instances);
        let begin = "storage 50Gi has no effect: engine mlflow of abc--shared makes no volume";
        assert!(without_effect.iter().any(|problem| problem.issue.message.starts_with(begin)), "{without_effect:?}");
    }
}
