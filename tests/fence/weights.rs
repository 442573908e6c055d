//! How large objects of Strata's own kinds are: `templates/admission/weights.yaml`.

use serde_json::{Value, json};

use crate::project::{Project, component, object};
use crate::stage::{WEIGHTS, stage};

const KIB: usize = 1024;

fn annotated(mut object: Value, bytes: usize) -> Value {
    object["metadata"]["annotations"] = json!({"long": "x".repeat(bytes)});
    object
}

#[tokio::test]
async fn an_object_is_bounded_as_a_whole() {
    let stage = stage().await;
    let project = Project::set(stage, "weights").await;
    let actors = [project.person("uma", "use").await, stage.admin().await];
    let all = &project.work("workspace", "components");
    let dry = &format!("{all}?dryRun=All");
    for actor in &actors {
        let mine = component("long", Some("uma"));
        actor.post(dry, annotated(mine.clone(), 30 * KIB)).await.passes();
        let says =
            "bytes with its labels and annotations, more than the maximum 65536. Move long content into an image";
        actor.post(dry, annotated(mine.clone(), 64 * KIB)).await.refused_by(WEIGHTS, says);
        actor.post(dry, annotated(mine.clone(), 250 * KIB)).await.refused_by(WEIGHTS, "Component long has 25");
        // In bytes, not in letters; in keys as in values; in many as in one.
        let mut wide = mine.clone();
        wide["metadata"]["annotations"] = json!({"wide": "\u{1F600}".repeat(17 * KIB)});
        actor.post(dry, wide).await.refused_by(WEIGHTS, says);
        let mut many = mine.clone();
        many["metadata"]["annotations"] = (0..1200).map(|n| (format!("{}{n}", "k".repeat(59)), json!("v"))).collect();
        actor.post(dry, many).await.refused_by(WEIGHTS, says);
        let mut finalized = mine.clone();
        finalized["metadata"]["finalizers"] =
            (0..600).map(|n| format!("{}.example.com/{n}", "f".repeat(110))).collect();
        actor.post(dry, finalized).await.refused_by(WEIGHTS, says);
        let mut owned = mine;
        owned["metadata"]["ownerReferences"] = (0..300)
            .map(|n| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "n".repeat(250), "uid": format!("{n}")}))
            .collect();
        actor.post(dry, owned).await.refused_by(WEIGHTS, says);
    }
    // Bit by bit, by an update, and what was too large before.
    let uma = &actors[0];
    uma.post(all, annotated(component("grows", Some("uma")), 40 * KIB)).await.passes();
    let one = &format!("{all}/grows");
    let more = json!({"metadata": {"annotations": {"more": "x".repeat(40 * KIB)}}});
    uma.patch(one, more).await.refused_by(WEIGHTS, "Component grows has 8");
    uma.patch(one, json!({"metadata": {"annotations": {"long": "short"}}})).await.passes();
    // Each manager writes its fields down once more.
    for n in 0..40 {
        let applied = component("managed", Some("uma"));
        let answer = uma.apply_as(&format!("{all}/managed"), &format!("manager-{n}"), applied).await;
        if n < 10 {
            answer.passes();
        } else {
            answer.refused_by(WEIGHTS, "Component managed has 11 field managers, more than the maximum 10");
        }
    }
}

/// What is in the spec counts as what stands beside it, for each kind.
#[tokio::test]
async fn every_kind_is_weighed() {
    let stage = stage().await;
    let project = Project::set(stage, "weighed").await;
    let admin = stage.admin().await;
    let step = json!({"component": "train"});
    let objects = [
        ("workspace", "datasets", object("Dataset", "long", &json!({"uri": "s3://a/b"}))),
        (
            "workspace",
            "workbenches",
            object("Workbench", "long", &json!({"owner": "ana@example.com", "image": "scipy"})),
        ),
        ("workspace", "pipelines", object("Pipeline", "long", &json!({"steps": [step]}))),
        ("workspace", "runs", object("Run", "long", &json!({"pipeline": "train"}))),
        (
            "live",
            "modelservices",
            object("ModelService", "long", &json!({"model": {"name": "a", "version": "1"}, "runtime": "mlflow"})),
        ),
    ];
    for (layer, plural, object) in objects {
        let dry = &format!("{}?dryRun=All", project.work(layer, plural));
        admin.post(dry, object.clone()).await.passes();
        admin.post(dry, annotated(object, 65 * KIB)).await.refused_by(WEIGHTS, "more than the maximum 65536");
    }
    let engine = |blob: &str| {
        json!({"capabilities": ["Experiments"], "revision": "1", "objects": [{"id": "a", "template": {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"deep": {"er": [[{"x": blob}]]}},
        }}]})
    };
    let wide = [
        ("aiteams", object("AITeam", "weighty", &json!({})), 262_144),
        ("blueprints", object("Blueprint", "weighty", &json!({})), 262_144),
        ("engines", object("Engine", "weighty", &engine(&"x".repeat(300 * KIB))), 524_288),
    ];
    for (plural, object, most) in wide {
        let dry = &format!("/apis/strata-operator.dev/v1alpha1/{plural}?dryRun=All");
        admin.post(dry, object.clone()).await.passes();
        let says = format!("more than the maximum {most}");
        // Kubernetes itself takes no more annotations than 256 KiB.
        admin.post(dry, annotated(object, 256 * KIB - 10)).await.refused_by(WEIGHTS, &says);
    }
}
