//! The message for a workload that another autoscaler scales too.

use serde_json::Value;

use super::Judged;
use crate::plan::work::autoscaler::Autoscaler;

const KIND: &str = "HorizontalPodAutoscaler";

/// The most that are named.
const NAMED: usize = 3;

/// The message for a workload that more than one autoscaler scales, if there is one.
pub fn contended(judged: &Judged<'_>) -> Option<String> {
    let others: Vec<&Autoscaler> = judged.autoscalers.iter().filter(|other| !is_written(other, judged)).collect();
    others.iter().find_map(|first| {
        let beside: Vec<&Autoscaler> = others.iter().filter(|other| other.target == first.target).copied().collect();
        let has_own = own(judged).any(|own| scales(own, first) && exists(own, judged));
        // Without an autoscaler of its own, Strata sets the pods of the server itself.
        let is_set = judged.plan.draft.scale.is_some() && first.target.kind == "Deployment";
        (has_own || is_set || beside.len() > 1)
            .then(|| if is_set { set_by_strata(first, judged) } else { message(&beside, has_own, judged) })
    })
}

/// The autoscalers that the engine writes.
fn own<'a>(judged: &'a Judged<'_>) -> impl Iterator<Item = &'a Value> {
    judged.plan.objects.iter().map(|made| &made.object).filter(|object| object["kind"] == KIND)
}

/// Whether it is one of the engine, which lost its labels for a moment.
fn is_written(other: &Autoscaler, judged: &Judged<'_>) -> bool {
    own(judged).any(|own| own["metadata"]["name"] == other.name.as_str())
}

fn exists(own: &Value, judged: &Judged<'_>) -> bool {
    own["metadata"]["name"].as_str().is_some_and(|name| (judged.live)(KIND, name).is_some())
}

fn scales(own: &Value, other: &Autoscaler) -> bool {
    let target = &own["spec"]["scaleTargetRef"];
    target["kind"] == other.target.kind.as_str() && target["name"] == other.target.name.as_str()
}

fn set_by_strata(other: &Autoscaler, judged: &Judged<'_>) -> String {
    let own_name = format!("{KIND} {}", other.name);
    let written = other.made_by.as_ref().unwrap_or(&own_name);
    format!(
        "{own_name} scales {} {}, but Strata sets its pods to spec.replicas.min: each undoes the other. Write ModelService \
         {} of strata-operator.dev/v1alpha1 into scaleTargetRef of {written}",
        other.target.kind, other.target.name, judged.plan.id.name,
    )
}

fn message(others: &[&Autoscaler], has_own: bool, judged: &Judged<'_>) -> String {
    let shown = others.iter().take(NAMED).map(|other| match &other.made_by {
        Some(by) => format!("{} (made by {by})", other.name),
        None => other.name.clone(),
    });
    let rest = others.len().saturating_sub(NAMED);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    let names = shown.collect::<Vec<_>>().join(", ") + &more;
    let target = &others[0].target;
    let beside = if has_own { " beside that of Strata" } else { "" };
    let verb = if others.len() > 1 { "s" } else { "" };
    let keep = if has_own { "Delete what Strata did not make" } else { "Delete all but one" };
    let by = others[0].made_by.as_ref();
    let command = by.map_or_else(|| format!("horizontalpodautoscaler {}", others[0].name), |by| by.to_lowercase());
    let replicas = if has_own { ", and set spec.replicas for another number of pods" } else { "" };
    format!(
        "{KIND}{verb} {names} scale{} {} {}{beside}: Kubernetes follows none of them, or each undoes the others. \
         {keep} (kubectl delete {command} --namespace {}){replicas}",
        if others.len() > 1 { "" } else { "s" },
        target.kind,
        target.name,
        judged.plan.id.namespace,
    )
}
