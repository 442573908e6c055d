//! Fields of the spec without effect because of other fields. They are reported and
//! block nothing.

use super::namespaces::shared_is_on;
use super::{Instance, Problem, Scope, prefixes as names};
use crate::api::team::Resources;
use crate::api::{AITeamSpec, BlueprintSpec, Issue, Prefixes, Reason};

/// One problem for each such field.
#[must_use]
pub fn no_effect(spec: &AITeamSpec, site: &BlueprintSpec, prefixes: &Prefixes, instances: &[Instance]) -> Vec<Problem> {
    let without_effect = cpu_limits(spec, site)
        .into_iter()
        .chain(share_of_nothing(spec))
        .chain(instances.iter().filter_map(storage))
        .chain(instances.iter().filter_map(replicas))
        .chain(doubled(spec, prefixes));
    without_effect.map(|message| Problem::advice(Scope::Team, Reason::Invalid, message)).collect()
}

/// The fields of a Blueprint without effect, one sentence each.
#[must_use]
pub fn of_blueprint(site: &BlueprintSpec) -> Vec<Issue> {
    let budget = site.budget.as_ref();
    let amounts = [
        ("default", budget.and_then(|budget| budget.default.as_ref())),
        ("maximum", budget.and_then(|budget| budget.maximum.as_ref())),
    ];
    let counts_cpu = budget.is_some_and(|budget| budget.cpu_limits);
    let limits = amounts
        .into_iter()
        .filter(|(_, amounts)| !counts_cpu && amounts.is_some_and(|amounts| amounts.limits.contains_key("cpu")));
    let limits = limits.map(|(name, _)| {
        let message = format!(
            "spec.budget.{name}.limits.cpu has no effect: spec.budget.cpuLimits is not true, so cpu limits are not \
             counted. Set it, or remove the limit"
        );
        Issue::new(Reason::Invalid, message)
    });
    let gateway = site.ingress.as_ref().and_then(|ingress| ingress.gateway.as_ref());
    let names = [
        ("name", gateway.is_some_and(|gateway| gateway.name.is_some())),
        ("host", gateway.is_some_and(|gateway| gateway.host.is_some())),
    ];
    let names = names.into_iter().filter(|(_, set)| *set);
    let names = names.map(|(name, _)| {
        let message = format!("spec.ingress.gateway.{name} has no effect yet: routes are not written");
        Issue::new(Reason::NotImplemented, message)
    });
    limits.chain(names).collect()
}

/// The fields of the budget and of its shares that exist, each with its path.
fn amounts(spec: &AITeamSpec) -> impl Iterator<Item = (String, &Resources)> {
    let backbone = spec.backbone.as_ref().and_then(|backbone| backbone.share.as_ref());
    let shared = spec.shared.as_ref().and_then(|shared| shared.share.as_ref());
    let layers =
        [("spec.budget", spec.budget.as_ref()), ("spec.backbone.share", backbone), ("spec.shared.share", shared)];
    let layers = layers.into_iter().filter_map(|(path, amounts)| Some((path.to_owned(), amounts?)));
    let projects = spec.projects.iter().flat_map(|project| {
        let share = |side: &str, amounts| Some((format!("spec.projects[{}].{side}.share", project.name), amounts?));
        let workspace = share("workspace", project.workspace.as_ref().and_then(|side| side.share.as_ref()));
        workspace.into_iter().chain(share("live", project.live.as_ref().and_then(|side| side.share.as_ref())))
    });
    layers.chain(projects)
}

/// Limits of processors, where the Blueprint does not count them.
fn cpu_limits(spec: &AITeamSpec, site: &BlueprintSpec) -> Option<String> {
    if site.budget.as_ref().is_some_and(|budget| budget.cpu_limits) {
        return None;
    }
    let set = amounts(spec).filter(|(_, amounts)| amounts.limits.contains_key("cpu"));
    let set: Vec<String> = set.map(|(path, _)| format!("{path}.limits.cpu")).collect();
    let (have, them) = if set.len() == 1 { ("has", "it") } else { ("have", "them") };
    (!set.is_empty()).then(|| {
        format!(
            "{} {have} no effect: Blueprint {} does not count cpu limits. Remove {them}",
            set.join(", "),
            spec.blueprint
        )
    })
}

/// The share of a Shared namespace that does not exist.
fn share_of_nothing(spec: &AITeamSpec) -> Option<String> {
    spec.shared.as_ref()?.share.as_ref()?;
    (!shared_is_on(spec)).then(|| {
        "spec.shared.share has no effect: without a capability in spec.shared there is no Shared namespace. Remove it, \
         or add a capability"
            .to_owned()
    })
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
    let (nobody, mut found) = (Vec::new(), Vec::new());
    let mut look = |whose: &str, groups: &[String], users: &[String]| {
        let groups = groups.iter().filter_map(|name| names::doubled(whose, name, &prefixes.group));
        let users = users.iter().filter_map(|name| names::doubled(whose, name, &prefixes.user));
        found.extend(groups.chain(users));
    };
    for member in spec.members.iter().chain(spec.projects.iter().flat_map(|project| &project.members)) {
        look(&format!("role {}", member.role), &member.groups, &member.users);
    }
    if let Some(leads) = &spec.leads {
        look("leads", &leads.groups, &leads.users);
    }
    for customer in &spec.customers {
        look(&format!("customer {}", customer.name), &customer.groups, &nobody);
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
            (
                "{shared: {models: {}, share: {limits: {cpu: '1'}}}, projects: [{name: p, workspace: {share: {limits: {cpu: \
                 '1', memory: 1Gi}}}, live: {share: {limits: {cpu: 2}, requests: {cpu: 1}}}}]}",
                "{}",
                "spec.shared.share.limits.cpu, spec.projects[p].workspace.share.limits.cpu, \
                 spec.projects[p].live.share.limits.cpu have no effect: Blueprint default does not count cpu limits. \
                 Remove them",
            ),
            (
                "{backbone: {share: {limits: {cpu: '1'}}}}",
                "{}",
                "spec.backbone.share.limits.cpu has no effect: Blueprint default does not count cpu limits. Remove it",
            ),
            ("{backbone: {share: {limits: {cpu: '1'}}}}", "{budget: {cpuLimits: true}}", ""),
            (
                "{shared: {models: {enabled: false}, share: {requests: {cpu: '1'}}}}",
                "{}",
                "spec.shared.share has no effect: without a capability in spec.shared there is no Shared namespace. \
                 Remove it, or add a capability",
            ),
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
            (
                "{leads: {groups: ['oidc:leads'], users: ['oidc:bo', ana]}}",
                "{}",
                "'oidc:leads' of leads begins with the prefix oidc:, which Strata adds itself. Remove the prefix; \
                 'oidc:bo' of leads begins with the prefix oidc:, which Strata adds itself. Remove the prefix",
            ),
            (
                "{customers: [{name: bank, groups: ['oidc:tellers', 'oidc:']}]}",
                "{}",
                "'oidc:tellers' of customer bank begins with the prefix oidc:, which Strata adds itself. Remove the \
                 prefix",
            ),
            (
                "{projects: [{name: p, members: [{role: MLEngineer, users: ['oidc:ana']}]}]}",
                "{}",
                "'oidc:ana' of role MLEngineer begins with the prefix oidc:, which Strata adds itself. Remove the prefix",
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
    fn what_has_no_effect_in_a_blueprint_is_named() {
        let of = |site: &str| {
            let found = of_blueprint(&serde_saphyr::from_str(site).unwrap());
            found.into_iter().map(|issue| issue.message).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(of("{}"), "");
        assert_eq!(of("{budget: {cpuLimits: true, default: {limits: {cpu: '1'}}}}"), "");
        assert_eq!(of("{ingress: {gateway: {namespace: gateways}}}"), "");
        assert_eq!(
            of("{budget: {default: {limits: {cpu: '1'}}, maximum: {limits: {memory: 1Gi}}}}"),
            "spec.budget.default.limits.cpu has no effect: spec.budget.cpuLimits is not true, so cpu limits are not \
             counted. Set it, or remove the limit"
        );
        let all =
            of("{budget: {maximum: {limits: {cpu: '1'}}}, ingress: {gateway: {namespace: g, name: ai, host: h}}}");
        for field in ["spec.budget.maximum.limits.cpu", "spec.ingress.gateway.name", "spec.ingress.gateway.host"] {
            assert!(all.contains(&format!("{field} has no effect")), "{all}");
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
