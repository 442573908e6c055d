//! The objects of engines and the Blueprint's extras, as they are written:
//! labelled as ours, their pods fitted to the site.

use serde_json::{Map, Value};

use super::object::labels;
use super::{Desired, Stage, TemplateId, identity, pods};
use crate::api::labels;
use crate::api::vocabulary::Layer;
use crate::engine::{Place, mirror_images};
use crate::plan::{Instance, Plan};

/// The objects of an instance.
#[must_use]
pub fn objects(plan: &Plan, instance: &Instance) -> Vec<Desired> {
    let site = Fitting {
        plan,
        layer: instance.layer,
        project: instance.project.as_deref(),
        engine: Some(&instance.id.engine),
        work: None,
    };
    let rendered = instance.objects.iter().map(|rendered| {
        let mut object = rendered.object.clone();
        site.fit(&mut object, rendered.place == Place::Layer);
        Desired {
            component: Some(instance.id.clone()),
            template: Some(TemplateId { id: rendered.id.clone(), index: rendered.index }),
            ..Desired::new(stage(&object), object)
        }
    });
    rendered.collect()
}

/// The objects that the Blueprint adds.
#[must_use]
pub fn extras(plan: &Plan) -> Vec<Desired> {
    let placed = plan.extras.iter().filter_map(|extra| Some((extra, plan.namespace(&extra.namespace)?)));
    placed
        .map(|(extra, namespace)| {
            let mut object = extra.object.clone();
            let site = Fitting {
                plan,
                layer: namespace.layer,
                project: namespace.project.as_deref(),
                engine: None,
                work: None,
            };
            site.fit(&mut object, true);
            Desired::new(stage(&object), object)
        })
        .collect()
}

/// When an object of an engine is written.
pub(super) fn stage(object: &Value) -> Stage {
    match object["kind"].as_str() {
        Some("ServiceAccount") => Stage::Identity,
        Some("ConfigMap" | "PersistentVolumeClaim" | "ExternalSecret" | "SecretStore") => Stage::Configuration,
        _ => Stage::Workload,
    }
}

/// The labels and annotations of every object.
pub(super) struct Fitting<'a> {
    pub(super) plan: &'a Plan,
    pub(super) layer: Layer,
    pub(super) project: Option<&'a str>,
    pub(super) engine: Option<&'a str>,
    /// The label that names the work object that this is for.
    pub(super) work: Option<(&'a str, &'a str)>,
}

impl Fitting<'_> {
    pub(super) fn fit(&self, object: &mut Value, in_layer: bool) {
        let mut own = labels(self.plan, self.layer, self.project);
        own.extend(self.engine.map(|engine| (labels::ENGINE.to_owned(), engine.to_owned())));
        own.extend(self.work.map(|(label, name)| (label.to_owned(), name.to_owned())));
        merge(object, &["metadata", "labels"], &own);
        if object["kind"] == "CronJob" {
            // Its Jobs are watched and judged like those that we write.
            merge(object, &["spec", "jobTemplate", "metadata", "labels"], &own);
        }
        if let Some(entries) = object.as_object_mut() {
            entries.remove("status");
        }
        if let Some(template) = crate::engine::pods::template_mut(object) {
            let mut of_pods =
                self.plan.namespaces.first().map(|namespace| namespace.labels.clone()).unwrap_or_default();
            // A pod outlives the team that started it: the team's UID in its labels
            // would restart it when a later team of the name takes it over.
            of_pods.extend(own.into_iter().filter(|(key, _)| key != labels::TEAM_UID));
            merge(template, &["metadata", "labels"], &of_pods);
            pods::fit(&mut template["spec"], &self.plan.site, self.layer);
        }
        if in_layer && object["apiVersion"] == "v1" && object["kind"] == "ServiceAccount" {
            let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
            let annotations = identity::annotations(self.plan, &text("namespace"), &text("name"));
            if !annotations.is_empty() {
                merge(object, &["metadata", "annotations"], &annotations);
            }
        }
        if let Some(registries) = &self.plan.site.registries {
            mirror_images(object, &registries.mirrors);
        }
    }
}

/// Puts the entries into the map at the path, over existing ones.
fn merge<'a>(object: &mut Value, path: &[&str], entries: impl IntoIterator<Item = (&'a String, &'a String)>) {
    let mut place = object;
    for step in path {
        if !place[*step].is_object() {
            place[*step] = Value::Object(Map::new());
        }
        place = &mut place[*step];
    }
    for (key, value) in entries {
        place[key.as_str()] = Value::from(value.clone());
    }
}
