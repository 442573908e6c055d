//! The Blueprint `default` over the life of the chart's release: it is the site's from its
//! creation on. A control plane of its own, because the chart's policies hold for all of it.

use std::path::Path;

use harness::{ControlPlane, Options, repository};
use serde_json::{Value, json};

async fn helm(cluster: &ControlPlane, args: &[&str]) {
    cluster.helm(args).await.unwrap_or_else(|error| panic!("helm {args:?}: {error}"));
}

async fn blueprint(cluster: &ControlPlane) -> Value {
    let found = cluster.kubectl(["get", "blueprints", "default", "-o", "json"]).await.expect("the Blueprint");
    serde_json::from_str(&found).expect("JSON")
}

/// Changes the Blueprint as a site does, and drops what helm wrote on it.
async fn edit(cluster: &ControlPlane) -> Value {
    let patch = json!({
        "metadata": {"annotations": null, "labels": null},
        "spec": {"archetype": "Research", "runs": null, "sizes": [{"name": "ours", "requests": {"cpu": 1}}]},
    });
    cluster
        .kubectl(["patch", "blueprint", "default", "--type=merge", "--patch", &patch.to_string()])
        .await
        .expect("edited");
    let edited = blueprint(cluster).await;
    assert_eq!(edited["spec"]["sizes"], patch["spec"]["sizes"]);
    edited
}

/// The chart as it was when the Blueprint was a part of the release.
fn earlier_chart(folder: &Path) -> String {
    let chart = folder.join("strata");
    copy(&repository().join("charts/strata"), &chart);
    let template = "{{- $blueprint := .Files.Get \"files/blueprint-default.yaml\" | fromYaml }}\n\
                    {{- $_ := set $blueprint.metadata \"annotations\" (dict \"helm.sh/resource-policy\" \"keep\") }}\n\
                    {{ toYaml $blueprint }}\n";
    std::fs::write(chart.join("templates/blueprint.yaml"), template).expect("the template");
    chart.display().to_string()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry").path();
        let target = to.join(entry.file_name().expect("a name"));
        if entry.is_dir() { copy(&entry, &target) } else { std::fs::copy(&entry, &target).map(drop).expect("copied") }
    }
}

#[tokio::test]
async fn helm_never_takes_back_the_blueprint_of_a_site() {
    let cluster = ControlPlane::start(Options::default()).await.expect("a control plane");
    let charts = |name: &str| repository().join("charts").join(name).display().to_string();
    let (strata, place) = (charts("strata"), "--namespace=strata-system");
    helm(&cluster, &["install", "strata-crds", &charts("strata-crds")]).await;
    for apply in ["--server-side=true", "--server-side=false"] {
        helm(&cluster, &["install", "strata", &strata, place, "--create-namespace", apply]).await;
        assert_eq!(blueprint(&cluster).await["spec"]["archetype"], "ProductEmbedded", "{apply}");
        let edited = edit(&cluster).await;
        let stays = async |after: &str| {
            let now = blueprint(&cluster).await;
            let identity = |object: &Value| (object["metadata"]["uid"].clone(), object["spec"].clone());
            assert_eq!(identity(&now), identity(&edited), "{apply}: {after}");
        };
        helm(&cluster, &["upgrade", "strata", &strata, place, "--set=replicas=1"]).await;
        stays("an upgrade").await;
        helm(&cluster, &["upgrade", "strata", &strata, place, "--reset-values"]).await;
        stays("another one").await;
        helm(&cluster, &["rollback", "strata", "1", place]).await;
        stays("a rollback to the release that created it").await;
        helm(&cluster, &["uninstall", "strata", place]).await;
        stays("the end of the release").await;
        helm(&cluster, &["install", "strata", &strata, place, apply]).await;
        stays("another release").await;
        helm(&cluster, &["uninstall", "strata", place]).await;
        cluster.kubectl(["delete", "blueprint", "default"]).await.expect("deleted");
    }
    let earlier = earlier_chart(&cluster.directory().join("earlier"));
    helm(&cluster, &["install", "strata", &earlier, place]).await;
    let patch = r#"{"spec":{"archetype":"Research"}}"#;
    cluster.kubectl(["patch", "blueprint", "default", "--type=merge", "--patch", patch]).await.expect("edited");
    helm(&cluster, &["upgrade", "strata", &strata, place]).await;
    assert_eq!(blueprint(&cluster).await["spec"]["archetype"], "Research");
}
