//! Autoscalers of other owners over the server of a model.

use super::*;
use crate::api::ObjectKey;
use crate::plan::work::autoscaler::Autoscaler;

#[test]
fn an_autoscaler_over_a_server_without_max_is_named() {
    let mut stage = Stage::new();
    let service = service(SEVEN, 2, &[("7", DIGEST, None)]);
    stage.deployed("7", 2, 2, 2);
    let over = |kind: &str, name: &str, made_by: Option<&str>| Autoscaler {
        name: "mine".to_owned(),
        target: ObjectKey::new("", kind, Some("abc--p--live"), name),
        made_by: made_by.map(str::to_owned),
    };
    let reported = |stage: &Stage| ready(&said(stage, &service, Judgement::Ready));
    let message = |written: &str| {
        format!(
            "HorizontalPodAutoscaler mine scales Deployment service-score, but Strata sets its pods to \
             spec.replicas.min: each undoes the other. Write ModelService score of strata-operator.dev/v1alpha1 into \
             scaleTargetRef of {written}. Version 7 is still serving"
        )
    };
    stage.autoscalers = vec![over("Deployment", "service-score", None)];
    assert_eq!(reported(&stage), not("Contested", &message("HorizontalPodAutoscaler mine")));
    stage.autoscalers = vec![over("Deployment", "service-score", Some("ScaledObject s"))];
    assert_eq!(reported(&stage), not("Contested", &message("ScaledObject s")));
    stage.autoscalers = vec![over("ModelService", "score", None)];
    assert_eq!(reported(&stage).1, "Ready");
}

#[test]
fn other_autoscalers_over_the_server_are_named() {
    let mut stage = Stage::new();
    let spec = "{model: {name: fraud, version: '7'}, runtime: mlflow, replicas: {min: 2, max: 4}}";
    let service = service(spec, 1, &[("7", DIGEST, None)]);
    stage.deployed("7", 2, 2, 2);
    let own = ("HorizontalPodAutoscaler".to_owned(), "service-score".to_owned());
    stage.live.insert(own.clone(), json!({}));
    let other = |name: &str, made_by: Option<&str>| Autoscaler {
        name: name.to_owned(),
        target: ObjectKey::new("apps", "Deployment", Some("abc--p--live"), "service-score"),
        made_by: made_by.map(str::to_owned),
    };
    let reported = |stage: &Stage| ready(&said(stage, &service, Judgement::Ready));
    // One of Strata that lost its labels for a moment.
    stage.autoscalers = vec![other("service-score", None)];
    assert_eq!(reported(&stage).1, "Ready");
    let beside = "scales Deployment service-score beside that of Strata: Kubernetes follows none of them, or each undoes \
                  the others. Delete what Strata did not make (kubectl delete";
    let end = "--namespace abc--p--live), and set spec.replicas for another number of pods. Version 7 is still serving";
    stage.autoscalers = vec![other("mine", None)];
    let expected = format!("HorizontalPodAutoscaler mine {beside} horizontalpodautoscaler mine {end}");
    assert_eq!(reported(&stage), not("Contested", &expected));
    stage.autoscalers = vec![other("keda-hpa-s", Some("ScaledObject s"))];
    let expected = format!("HorizontalPodAutoscaler keda-hpa-s (made by ScaledObject s) {beside} scaledobject s {end}");
    assert_eq!(reported(&stage), not("Contested", &expected));
    // What keeps it from serving is said first.
    assert_eq!(ready(&said(&stage, &service, Judgement::failing("PodFailing", "x"))).1, "PodFailing");
    // Without one of Strata, one of somebody else is right, and two are not.
    stage.live.remove(&own);
    assert_eq!(reported(&stage).1, "Ready");
    stage.autoscalers.push(other("mine", None));
    assert_eq!(
        reported(&stage),
        not(
            "Contested",
            "HorizontalPodAutoscalers keda-hpa-s (made by ScaledObject s), mine scale Deployment service-score: \
             Kubernetes follows none of them, or each undoes the others. Delete all but one (kubectl delete scaledobject \
             s --namespace abc--p--live). Version 7 is still serving"
        )
    );
}
