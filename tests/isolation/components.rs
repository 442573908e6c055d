//! Failures of a team's services, reported in the team's status, and how each
//! comes back without anybody touching a pod.

use serde_json::json;

use crate::stage::Stage;

/// MLflow of team red: too little memory, a full volume, an image that is not there.
pub async fn of_red(stage: &Stage) {
    let parameters = async |parameters: serde_json::Value| {
        stage
            .patch("default", "aiteam/red", &json!({"spec": {"shared": {"experiments": {"parameters": parameters}}}}))
            .await;
    };
    parameters(json!({"resources": {"memory": "64Mi", "memoryLimit": "150Mi"}})).await;
    let words = ["OOMKilled", "its limit of 150Mi"];
    stage.component_tells("too little memory", "red", "Experiments", "PodFailing", &words).await;
    parameters(json!({"resources": null})).await;
    stage.until_ready("default", "aiteam/red").await;

    a_full_volume(stage).await;

    parameters(json!({"image": "ghcr.io/nobody/nothing:1"})).await;
    let words = ["image registry.invalid/ghcr.io/nobody/nothing:1 cannot be pulled"];
    stage.component_tells("an image that is not there", "red", "Experiments", "PodFailing", &words).await;
    parameters(json!({"image": null})).await;
    stage.until_ready("default", "aiteam/red").await;
}

/// What is recorded is still read, and there is room again as soon as something is deleted.
async fn a_full_volume(stage: &Stage) {
    const FILL: &str = "
try:
    with open('/data/large', 'wb', buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))
except OSError as error:
    print(error)
";
    let filled = stage.inside("red--shared", "deployment/mlflow", &["python3", "-c", FILL]).await;
    assert!(filled.contains("No space left on device"), "{filled}");
    let words = ["the volume is full", "raise storage"];
    stage.component_tells("a full volume", "red", "Experiments", "PodFailing", &words).await;
    let read = "http://mlflow.red--shared.svc:5000/api/2.0/mlflow/registered-models/get?name=score";
    let model = stage.probe("red--one", "probe", &["ask", read]).await;
    assert!(model.contains("\"name\": \"score\""), "{model}");
    stage.inside("red--shared", "deployment/mlflow", &["rm", "/data/large"]).await;
    stage.until_ready("default", "aiteam/red").await;
}

/// Of team blue: MLflow without its Secret, then with a wrong one, then with the right
/// one; and an engine whose pods ask for more than Pod Security allows.
pub async fn of_blue(stage: &Stage) {
    let by_secret = json!({"parameters": {"database": "Secret"}, "credentials": {"secret": "mlflow"}});
    let shared = json!({"experiments": by_secret, "models": by_secret});
    stage.patch("default", "aiteam/blue", &json!({"spec": {"shared": shared}})).await;
    let words = ["Secret mlflow is missing in namespace blue--shared"];
    stage.component_tells("a Secret that is not there", "blue", "Experiments", "SecretMissing", &words).await;
    stage.apply(&secret("nonsense://nowhere")).await;
    let words = ["container mlflow ended with exit code 1", "kubectl logs"];
    stage.component_tells("a crash loop", "blue", "Experiments", "PodFailing", &words).await;
    stage.apply(&secret("sqlite:////data/mlflow.db")).await;
    stage.until_ready("default", "aiteam/blue").await;

    stage.apply(include_str!("greedy.yaml")).await;
    let asks =
        |host: bool| json!({"spec": {"shared": {"training": {"engine": "greedy", "parameters": {"host": host}}}}});
    stage.patch("default", "aiteam/blue", &asks(true)).await;
    // It is not even written: what a pod template asks for is known before.
    let words = ["hostNetwork: Pod Security does not allow the node's own namespaces"];
    stage.component_tells("more than Pod Security allows", "blue", "Training", "EngineInvalid", &words).await;
    stage.patch("default", "aiteam/blue", &asks(false)).await;
    stage.until_ready("default", "aiteam/blue").await;
}

/// Where the server records.
fn secret(uri: &str) -> String {
    let data = json!({"MLFLOW_BACKEND_STORE_URI": uri});
    let metadata = json!({"name": "mlflow", "namespace": "blue--shared"});
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}).to_string()
}

/// A node that does not answer is reported by what runs on it, and all is well when it
/// comes back.
pub async fn a_node_that_goes_away(stage: &Stage) {
    let words = ["node node-1", "does not respond"];
    stage.node.stop_kubelet().await.expect("kubelet ends");
    tokio::join!(
        stage.component_tells("a node that goes away", "red", "Experiments", "NodeLost", &words),
        stage.component_tells("a node that goes away", "red", "FeatureStore", "NodeLost", &words),
        stage.object_tells("a node that goes away", "red--one--live", "modelservice/score", "NodeLost", &words),
        stage.object_tells("a node that goes away", "red--one", "workbench/second", "NodeLost", &words),
    );
    stage.node.start_kubelet().await.expect("kubelet starts");
    for (namespace, object) in [
        ("default", "aiteam/red"),
        ("default", "aiteam/blue"),
        ("red--one--live", "modelservice/score"),
        ("red--one", "workbench/second"),
    ] {
        stage.until_ready(namespace, object).await;
    }
}
