//! From the plan of one work object to the ordered list of objects.
//!
//! Pure, and it cannot fail, like that of teams.

use serde_json::{Value, json};

use super::components::{Fitting, stage};
use super::{Desired, TemplateId, network};
use crate::api::kinds::JOB_MUTABLE as MUTABLE;
use crate::api::work::WorkKind;
use crate::api::{GROUP, VERSION, labels};
use crate::engine::Place;
use crate::plan::work::WorkPlan;
use crate::plan::{InstanceId, Plan};

/// The objects that make the plan real, whether they are to be written or only judged.
#[must_use]
pub fn desired(team: &Plan, plan: &WorkPlan) -> Vec<Desired> {
    let engine = plan.engine.as_ref().map(|engine| engine.name());
    let site = Fitting {
        plan: team,
        layer: plan.layer,
        project: plan.project.as_deref(),
        engine,
        work: Some((plan.id.kind.label(), &plan.id.name)),
    };
    let component = engine.map(|engine| InstanceId {
        namespace: plan.id.namespace.clone(),
        engine: engine.to_owned(),
        capability: Some(plan.id.kind.capability()),
    });
    let rendered = plan.objects.iter().map(|rendered| {
        let mut object = rendered.object.clone();
        site.fit(&mut object, rendered.place == Place::Layer);
        if plan.id.kind == WorkKind::Run {
            belongs_to_run(&mut object, plan);
        }
        if object["kind"] == "Job" {
            says_how_it_was_created(&mut object);
        }
        Desired {
            component: component.clone(),
            template: Some(TemplateId { id: rendered.id.clone(), index: rendered.index }),
            ..Desired::new(stage(&object), object)
        }
    });
    let mut objects: Vec<Desired> = rendered.collect();
    let place = team.namespace(&plan.id.namespace);
    if let (Some(callers), Some(namespace)) = (&plan.draft.callers, place) {
        objects.push(network::callers(team, namespace, &plan.id.name, callers));
    }
    objects.sort_by(|left, right| (left.stage, &left.key).cmp(&(right.stage, &right.key)));
    objects
}

/// Adds the annotation with the fields of the Job's creation: an existing Job is never written
/// again, so a later plan cannot tell them.
fn says_how_it_was_created(job: &mut Value) {
    let mut spec = job["spec"].clone();
    if let Some(fields) = spec.as_object_mut() {
        fields.retain(|name, value| MUTABLE.contains(&name.as_str()) && !value.is_null());
    }
    job["metadata"]["annotations"][labels::CREATED_AS] = Value::from(spec.to_string());
}

/// What executes a run goes with it, and nothing else does so: a run is over
/// when it is deleted, while what serves and what stores is not.
fn belongs_to_run(object: &mut Value, plan: &WorkPlan) {
    object["metadata"]["ownerReferences"] = json!([{
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": plan.id.kind.name(), "name": plan.id.name, "uid": plan.uid,
        "controller": true, "blockOwnerDeletion": false,
    }]);
}
