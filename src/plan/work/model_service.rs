//! `ModelService`: its releases, pinned, and its callers.

use super::release::{self, Decision};
use super::{Callers, Detail, ResolvedSpec, Scale, WorkFacts, component, data, invalid, pod};
use crate::api::work::dataset::{AccessMode, UsedBy};
use crate::api::work::model_service::{Capture, Monitor};
use crate::api::work::{Component, ModelService};
use crate::api::{Issue, Reason};
use crate::engine::work::{
    CaptureInputs, ModelInputs, MonitorInputs, ReleaseInputs, ReplicasInputs, ServiceInputs, SizedInputs, StepInputs,
    VariableInputs, WorkInputs,
};

/// Where a model answers.
const PORT: i32 = 8080;

/// The resolved spec of a model in production.
pub fn draft(service: &ModelService, facts: &WorkFacts<'_>) -> Result<ResolvedSpec, Issue> {
    let spec = &service.spec;
    // A retained object is not written, so its references need not exist.
    let written = !facts.namespace.retained;
    let sized = if written { pod::sized("spec.size", &spec.size, facts)? } else { SizedInputs::default() };
    let callers = Callers { namespaces: callers(service, facts)?, port: PORT };
    let capture = spec.capture.as_ref().filter(|_| written).map(|capture| captured(capture, facts)).transpose()?;
    let monitor = match spec.monitor.as_ref().filter(|_| written) {
        Some(monitor) => monitored(service, monitor, facts)?,
        None => Monitored::default(),
    };
    let decision = decide(service, &sized, facts)?;
    let served = served(service, &decision);
    let work = ServiceInputs {
        name: service.metadata.name.clone().unwrap_or_default(),
        sized: in_production(sized, facts),
        replicas: ReplicasInputs { min: spec.replicas.min, max: spec.replicas.max },
        resolve: decision.resolve,
        // An image captures its own requests, one that still serves too.
        capture: capture.filter(|_| served.image.is_none()),
        monitor: monitor.inputs,
        ..served
    };
    let template = if work.image.is_some() { "image" } else { "server" };
    // With `max`, the autoscaler sets the number.
    let scale = spec
        .replicas
        .max
        .is_none()
        .then(|| Scale { template: template.to_owned(), replicas: i64::from(spec.replicas.min) });
    Ok(ResolvedSpec {
        work: WorkInputs { service: Some(work), ..WorkInputs::default() },
        write: written,
        callers: Some(callers),
        scale,
        detail: Detail::ModelService {
            releases: decision.releases,
            failed: decision.failed,
            releasing: decision.releasing,
            monitored: monitor.pinned,
            withheld: monitor.withheld,
        },
    })
}

/// Services have priority over workbenches and runs, where the site has a class for it.
fn in_production(sized: SizedInputs, facts: &WorkFacts<'_>) -> SizedInputs {
    let classes = facts.plan.site.priority_classes.as_ref();
    match classes.and_then(|classes| classes.production.clone()) {
        Some(class) => SizedInputs { priority_class_name: Some(class), ..sized },
        None => sized,
    }
}

/// Of a project that was taken away, what serves goes on serving and nothing
/// new is released.
fn decide(service: &ModelService, sized: &SizedInputs, facts: &WorkFacts<'_>) -> Result<Decision, Issue> {
    if facts.namespace.retained {
        return Ok(Decision { releases: release::recorded(service, facts), ..Decision::default() });
    }
    Ok(match &service.spec.image {
        Some(image) => release::of_image(service, &pod::image("spec.image", image, facts)?, facts),
        None => release::of_registry(service, sized, facts),
    })
}

/// The release to serve: the first one, whatever the spec asks for next.
fn served(service: &ModelService, decision: &Decision) -> ServiceInputs {
    let asked = &service.spec.model.name;
    let Some(first) = decision.releases.first() else {
        return ServiceInputs {
            runtime: service.spec.runtime.clone(),
            model: ModelInputs { name: asked.clone() },
            ..ServiceInputs::default()
        };
    };
    let image = release::is_image(first).then(|| first.model.clone());
    let name = if image.is_some() { asked.clone() } else { first.model.clone() };
    ServiceInputs {
        runtime: service.spec.runtime.clone().filter(|_| image.is_none()),
        image,
        model: ModelInputs { name },
        release: Some(ReleaseInputs { version: first.version.clone(), digest: first.digest.clone() }),
        ..ServiceInputs::default()
    }
}

/// Who may call while nothing else of the service can be as it is asked: whom the
/// team still names. Taking away never waits; adding does.
#[must_use]
pub fn still_known(service: &ModelService, facts: &WorkFacts<'_>) -> Callers {
    let named = |customer: &&crate::api::team::Customer| service.spec.customers.contains(&customer.name);
    let known = facts.team.spec.customers.iter().filter(named);
    let namespaces: std::collections::BTreeSet<String> =
        known.flat_map(|customer| customer.namespaces.iter().cloned()).collect();
    Callers { namespaces: namespaces.into_iter().collect(), port: PORT }
}

/// The namespaces of the customers that may call.
fn callers(service: &ModelService, facts: &WorkFacts<'_>) -> Result<Vec<String>, Issue> {
    let known = &facts.team.spec.customers;
    let mut namespaces = Vec::new();
    for name in &service.spec.customers {
        let Some(customer) = known.iter().find(|customer| customer.name == *name) else {
            let names: Vec<&str> = known.iter().map(|customer| customer.name.as_str()).collect();
            return Err(invalid(format!(
                "spec.customers names '{name}', which is not in spec.customers of AITeam {} ({}). Add it there, or \
                 remove it here",
                facts.plan.identity.name,
                pod::listed(&names)
            )));
        };
        namespaces.extend(customer.namespaces.iter().cloned());
    }
    namespaces.sort();
    namespaces.dedup();
    Ok(namespaces)
}

/// The refusal of a stored object of the earlier form, whose field the API server dropped.
fn not_set(field: &str, earlier: &str) -> Issue {
    invalid(format!(
        "{field} is not set: it replaced the field {earlier}, which the definition no longer has. Set it, or run `strata \
         migrate` on the manifest and apply it"
    ))
}

/// The volume that requests are written to.
fn captured(capture: &Capture, facts: &WorkFacts<'_>) -> Result<CaptureInputs, Issue> {
    if capture.percent == 0 {
        return Err(not_set("spec.capture.percent", "sample"));
    }
    let (name, here) = (&capture.dataset, &facts.namespace.name);
    let refused = |why: &str| invalid(format!("spec.capture.dataset is '{name}', but {why}"));
    let dataset = facts
        .neighbours
        .dataset(here, name)?
        .ok_or_else(|| refused(&format!("{here} has no dataset of that name. Create it first, with a volume")))?;
    let Some(volume) = &dataset.spec.volume else {
        return Err(refused("that dataset has a `uri`. Choose one with a `volume`"));
    };
    if dataset.spec.read_only || volume.access_mode == AccessMode::ReadOnlyMany {
        return Err(refused("that dataset is read-only. Choose one that is writable"));
    }
    data::mountable(&dataset, name, facts)?;
    let mounted = data::mounted(&dataset, name);
    Ok(CaptureInputs {
        percent: capture.percent,
        retention_days: capture.retention_days,
        path: mounted.path,
        claim: mounted.claim.unwrap_or_default(),
        one_node: volume.access_mode == AccessMode::ReadWriteOnce,
    })
}

/// The monitor of a model.
#[derive(Default)]
struct Monitored {
    /// The monitor for the engine; none if it may not have its datasets.
    inputs: Option<MonitorInputs>,
    /// The component as it was when the service first named it.
    pinned: Option<UsedBy>,
    /// Why it may not have its datasets.
    withheld: Option<Issue>,
}

/// The component is pinned when the service first names it. One that was changed in
/// Shared since then is given what is Live's own when a dataset lists it, and what
/// serves does not wait for that.
fn monitored(service: &ModelService, monitor: &Monitor, facts: &WorkFacts<'_>) -> Result<Monitored, Issue> {
    if monitor.every_minutes == 0 {
        return Err(not_set("spec.monitor.everyMinutes", "every"));
    }
    let (name, shared) = (&monitor.component, facts.shared());
    let refused = |why: String| invalid(format!("spec.monitor.component is '{name}', but {why}"));
    let component = facts.neighbours.component(&shared, name)?.ok_or_else(|| {
        let known = facts.neighbours.components(&shared);
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        refused(format!(
            "{shared} has no such component. Available: {}. Create it there, or choose one of these",
            pod::listed(&known)
        ))
    })?;
    if let Some(input) = component.spec.inputs.first() {
        return Err(refused(format!(
            "that component reads input '{}', which a monitor does not get from any step",
            input.name
        )));
    }
    if let Some(parameter) = component.spec.parameters.iter().find(|parameter| parameter.default.is_none()) {
        return Err(refused(format!("its parameter '{}' has no default. Give it one", parameter.name)));
    }
    let of = |field: &str| format!("{field} of component {name} in {shared}");
    let sized = pod::sized(&of("spec.size"), &component.spec.size, facts)?;
    let image = pod::image(&of("spec.image"), &component.spec.image, facts)?;
    let digest = component::digest(&component.spec, &image, facts);
    let before = service.status.as_ref().and_then(|status| status.monitored.clone());
    let pinned = before
        .filter(|before| before.component == *name)
        .unwrap_or_else(|| UsedBy { component: name.clone(), digest: digest.clone() });
    let user = data::User::Component { name, digest: &digest, pinned: Some(&pinned) };
    let datasets = match data::given(&of("spec.datasets"), &component.spec.datasets, user, facts) {
        Ok(datasets) => datasets,
        Err(hold) if matches!(hold.reason, Reason::NotListed | Reason::Conflict) => {
            return Ok(Monitored { inputs: None, pinned: Some(pinned), withheld: Some(hold) });
        }
        Err(hold) => return Err(hold),
    };
    let spread = service.metadata.name.iter().flat_map(|name| name.bytes()).map(u32::from).sum();
    let inputs = MonitorInputs {
        cron: cron(monitor.every_minutes, spread),
        step: step(name, &component, image, &sized),
        datasets,
        sized,
    };
    Ok(Monitored { inputs: Some(inputs), pinned: Some(pinned), withheld: None })
}

fn step(name: &str, component: &Component, image: String, sized: &SizedInputs) -> StepInputs {
    let spec = &component.spec;
    let words = |words: &Vec<String>| (!words.is_empty()).then(|| words.clone());
    let parameters = spec.parameters.iter().map(|parameter| {
        // Kubernetes expands `$(name)` in values: a doubled `$` is a `$`.
        let value = parameter.default.clone().unwrap_or_default().replace('$', "$$");
        VariableInputs { name: parameter.name.clone(), value }
    });
    let outputs = spec
        .outputs
        .iter()
        .map(|output| VariableInputs { name: output.name.clone(), value: format!("/tmp/{}", output.name) });
    StepInputs {
        name: name.to_owned(),
        image,
        command: words(&spec.command),
        args: words(&spec.args),
        env: parameters.chain(outputs).collect(),
        resources: sized.resources.clone(),
        datasets: Vec::new(),
    }
}

/// The interval as cron spells it, rounded down to one that divides an hour or a day. The
/// spread keeps the monitors of many services from starting in the same minute.
fn cron(minutes: i32, spread: u32) -> String {
    let largest =
        |most: u32, of: u32| (1..=most.clamp(1, of)).rev().find(|interval| of.is_multiple_of(*interval)).unwrap_or(1);
    let (asked, minute) = (u32::try_from(minutes).unwrap_or(1), spread % 60);
    if asked < 60 {
        let interval = largest(asked, 60);
        return format!("{}-59/{interval} * * * *", spread % interval);
    }
    match largest(asked / 60, 24) {
        1 => format!("{minute} * * * *"),
        24 => format!("{minute} 0 * * *"),
        hours => format!("{minute} */{hours} * * *"),
    }
}

#[cfg(test)]
#[path = "model_service_tests.rs"]
mod tests;
