//! Somebody who sends requests to the API server, and objects named as people
//! name them: kind, namespace, name.

use kube::Client;
use kube::core::Request;
use kube::core::params::PostParams;
use serde_json::Value;

/// The kinds that these tests speak of: kind, path, plural.
const KINDS: &[(&str, &str, &str)] = &[
    ("Namespace", "/api/v1", "namespaces"),
    ("ResourceQuota", "/api/v1", "resourcequotas"),
    ("LimitRange", "/api/v1", "limitranges"),
    ("ConfigMap", "/api/v1", "configmaps"),
    ("Secret", "/api/v1", "secrets"),
    ("ServiceAccount", "/api/v1", "serviceaccounts"),
    ("Service", "/api/v1", "services"),
    ("PersistentVolumeClaim", "/api/v1", "persistentvolumeclaims"),
    ("Pod", "/api/v1", "pods"),
    ("Event", "/api/v1", "events"),
    ("Deployment", "/apis/apps/v1", "deployments"),
    ("StatefulSet", "/apis/apps/v1", "statefulsets"),
    ("Job", "/apis/batch/v1", "jobs"),
    ("CronJob", "/apis/batch/v1", "cronjobs"),
    ("PodDisruptionBudget", "/apis/policy/v1", "poddisruptionbudgets"),
    ("HorizontalPodAutoscaler", "/apis/autoscaling/v2", "horizontalpodautoscalers"),
    ("NetworkPolicy", "/apis/networking.k8s.io/v1", "networkpolicies"),
    ("RoleBinding", "/apis/rbac.authorization.k8s.io/v1", "rolebindings"),
    ("Role", "/apis/rbac.authorization.k8s.io/v1", "roles"),
    ("ClusterRole", "/apis/rbac.authorization.k8s.io/v1", "clusterroles"),
    ("ClusterRoleBinding", "/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings"),
    ("CustomResourceDefinition", "/apis/apiextensions.k8s.io/v1", "customresourcedefinitions"),
    ("AITeam", "/apis/strata-operator.dev/v1alpha1", "aiteams"),
    ("Blueprint", "/apis/strata-operator.dev/v1alpha1", "blueprints"),
    ("Engine", "/apis/strata-operator.dev/v1alpha1", "engines"),
    ("Component", "/apis/strata-operator.dev/v1alpha1", "components"),
    ("Dataset", "/apis/strata-operator.dev/v1alpha1", "datasets"),
    ("Workbench", "/apis/strata-operator.dev/v1alpha1", "workbenches"),
    ("Pipeline", "/apis/strata-operator.dev/v1alpha1", "pipelines"),
    ("Run", "/apis/strata-operator.dev/v1alpha1", "runs"),
    ("ModelService", "/apis/strata-operator.dev/v1alpha1", "modelservices"),
];

/// Where the objects of a kind are; in all namespaces if none is named.
pub fn collection(kind: &str, namespace: Option<&str>) -> String {
    let known = KINDS.iter().find(|(known, ..)| *known == kind);
    let (_, path, plural) = known.unwrap_or_else(|| panic!("kind {kind} is not in the table"));
    match namespace {
        Some(namespace) => format!("{path}/namespaces/{namespace}/{plural}"),
        None => format!("{path}/{plural}"),
    }
}

/// Where one object is; an empty namespace for what has none.
pub fn path(kind: &str, namespace: &str, name: &str) -> String {
    format!("{}/{name}", collection(kind, Some(namespace).filter(|namespace| !namespace.is_empty())))
}

/// Where this object is.
pub fn path_of(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metadata = &object["metadata"];
    path(&text(&object["kind"]), &text(&metadata["namespace"]), &text(&metadata["name"]))
}

/// Somebody who sends requests.
#[derive(Clone)]
pub struct Actor {
    client: Client,
}

/// Why something did not come to be.
#[derive(Debug)]
pub struct Refused {
    pub code: u16,
    pub message: String,
}

/// What came of a request.
pub type Answer = Result<Value, Refused>;

impl Actor {
    /// Whoever this client acts as.
    #[track_caller]
    pub fn with<E: std::fmt::Debug>(client: Result<Client, E>) -> Self {
        Self { client: client.expect("a client") }
    }

    /// Reads an object or a list.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "application/json", None).await
    }

    /// Reads an object, if it is there.
    pub async fn find(&self, path: &str) -> Option<Value> {
        match self.get(path).await {
            Ok(object) => Some(object),
            Err(refused) if refused.code == 404 => None,
            Err(refused) => panic!("{path}: {refused:?}"),
        }
    }

    /// The columns of an object, as `kubectl get` shows them.
    pub async fn table(&self, path: &str) -> Value {
        let mut request = Request::new("/").create(&PostParams::default(), Vec::new()).expect("a request");
        *request.method_mut() = "GET".parse().expect("a method");
        *request.uri_mut() = path.parse().expect("a path");
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
        request.headers_mut().insert("accept", table.parse().expect("a media type"));
        let text = self.client.request_text(request).await.expect("a table");
        serde_json::from_str(&text).expect("a table is JSON")
    }

    /// The items of a list.
    pub async fn list(&self, path: &str) -> Vec<Value> {
        let list = self.get(path).await.unwrap_or_else(|refused| panic!("{path}: {refused:?}"));
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// Creates, or calls a subresource.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, "application/json", Some(body)).await
    }

    /// Creates an object where it belongs.
    pub async fn create(&self, object: &Value) -> Answer {
        let path = path_of(object);
        let collection = path.rsplit_once('/').map_or("", |(collection, _)| collection);
        self.post(collection, object).await
    }

    /// Changes a part (a merge patch).
    pub async fn merge(&self, path: &str, body: &Value) -> Answer {
        self.send("PATCH", path, "application/merge-patch+json", Some(body)).await
    }

    /// Changes a part, operation by operation (a JSON patch).
    pub async fn patch(&self, path: &str, operations: &Value) -> Answer {
        self.send("PATCH", path, "application/json-patch+json", Some(operations)).await
    }

    /// Applies an object where it belongs (server-side apply), as a tool of this name.
    pub async fn apply(&self, manager: &str, object: &Value) -> Answer {
        let path = format!("{}?fieldManager={manager}", path_of(object));
        self.send("PATCH", &path, "application/apply-patch+yaml", Some(object)).await
    }

    /// Replaces an object.
    pub async fn put(&self, path: &str, object: &Value) -> Answer {
        self.send("PUT", path, "application/json", Some(object)).await
    }

    /// Deletes one object.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, "application/json", None).await
    }

    async fn send(&self, method: &str, path: &str, content: &'static str, body: Option<&Value>) -> Answer {
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        // The builder is for POST; what differs is put right.
        let mut request = Request::new("/").create(&PostParams::default(), body).expect("a request");
        *request.method_mut() = method.parse().expect("a method");
        *request.uri_mut() = path.parse().expect("a path");
        request.headers_mut().insert("content-type", content.parse().expect("a media type"));
        match self.client.request_text(request).await {
            Ok(text) => Ok(serde_json::from_str(&text).unwrap_or(Value::String(text))),
            Err(kube::Error::Api(status)) => Err(Refused { code: status.code, message: status.message.clone() }),
            Err(error) => Err(Refused { code: 0, message: error.to_string() }),
        }
    }
}
