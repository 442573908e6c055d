//! What the writer does when the API server answers otherwise than hoped: how many
//! requests it makes, and what it leaves alone. The API is a small store behind a
//! `tower` service, not a scripted order of requests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use strata::api::kinds::built_in;
use strata::api::{ObjectKey, Reason, labels};
use strata::cluster::apply::Writer;
use strata::cluster::watch::Watched;
use strata::telemetry::requests::Requests;

/// A store of objects by path, with the answers that come instead of the right ones.
#[derive(Default)]
struct Store {
    objects: BTreeMap<String, Value>,
    /// By the number of the request, from 1: the status code that it gets. 0 is no
    /// answer at all, though the request is carried out.
    faults: BTreeMap<usize, u16>,
    /// By the number of the request: what somebody else makes just before it.
    made: BTreeMap<usize, Value>,
    log: Vec<String>,
}

impl Store {
    fn answer(&mut self, method: &Method, uri: &http::Uri, body: &Value) -> (u16, Value) {
        let (path, forced) = (uri.path(), uri.query().unwrap_or_default().contains("force=true"));
        let name = body["metadata"]["name"].as_str().unwrap_or_default();
        let one = if *method == Method::POST { format!("{path}/{name}") } else { path.to_owned() };
        let known = self.objects.get(&one).cloned();
        match (method.as_str(), known) {
            ("POST", Some(_)) => (409, Value::Null),
            ("GET" | "DELETE", None) => (404, Value::Null),
            ("GET", Some(object)) => (200, object),
            ("DELETE", Some(object)) => {
                if body["preconditions"]["uid"] != object["metadata"]["uid"] {
                    return (409, Value::Null);
                }
                self.objects.remove(&one);
                (200, object)
            }
            ("PUT", Some(object)) if body["metadata"]["resourceVersion"] != object["metadata"]["resourceVersion"] => {
                (409, Value::Null)
            }
            ("PATCH", before) => self.apply(&one, body, before.as_ref(), forced),
            (_, before) => (200, self.write(&one, body, before.as_ref())),
        }
    }

    /// A server-side apply, as far as it can conflict.
    fn apply(&mut self, path: &str, body: &Value, before: Option<&Value>, forced: bool) -> (u16, Value) {
        let other = |before: &Value| before["metadata"]["managedFields"][0]["manager"] == "somebody";
        let uid = &body["metadata"]["uid"];
        let known = before.map_or(&Value::Null, |before| &before["metadata"]["uid"]);
        let takes = |before: &Value| other(before) && before["data"] != body["data"] && !body["data"].is_null();
        if !uid.is_null() && uid != known || !forced && before.is_some_and(takes) {
            return (409, Value::Null);
        }
        let mut object = self.write(path, body, before);
        if let Some(before) = before {
            object["metadata"]["managedFields"] = before["metadata"]["managedFields"].clone();
            self.objects.insert(path.to_owned(), object.clone());
        }
        (200, object)
    }

    fn write(&mut self, path: &str, body: &Value, before: Option<&Value>) -> Value {
        let mut object = body.clone();
        let uid = before.map_or_else(|| json!(format!("uid-{}", self.log.len())), |old| old["metadata"]["uid"].clone());
        object["metadata"]["uid"] = uid;
        object["metadata"]["resourceVersion"] = json!(self.log.len().to_string());
        self.objects.insert(path.to_owned(), object.clone());
        object
    }
}

async fn serve(store: Arc<Mutex<Store>>, request: Request<Body>) -> Result<Response<Body>, std::io::Error> {
    let (parts, body) = request.into_parts();
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let body = serde_json::from_slice(&bytes).unwrap_or_default();
    let (code, object) = {
        let mut store = store.lock().unwrap();
        store.log.push(format!("{} {}", parts.method, parts.uri.path()));
        let request = store.log.len();
        if let Some(object) = store.made.remove(&request) {
            store.objects.insert(PATH.to_owned(), object);
        }
        match store.faults.get(&store.log.len()).copied() {
            Some(0) => {
                store.answer(&parts.method, &parts.uri, &body);
                return Err(std::io::Error::other("the connection was cut"));
            }
            Some(code) => (code, Value::Null),
            None => store.answer(&parts.method, &parts.uri, &body),
        }
    };
    let failed = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code,
        "reason": if code == 404 { "NotFound" } else { "" }, "message": format!("answered with {code}")});
    let text = if code < 300 { object } else { failed };
    let response = Response::builder().status(StatusCode::from_u16(code).unwrap());
    Ok(response.header("content-type", "application/json").body(Body::from(text.to_string().into_bytes())).unwrap())
}

struct Api {
    store: Arc<Mutex<Store>>,
    writer: Writer,
}

impl Api {
    fn new(faults: &[(usize, u16)]) -> Self {
        let store = Arc::new(Mutex::new(Store { faults: faults.iter().copied().collect(), ..Store::default() }));
        let shared = Arc::clone(&store);
        let service = tower::service_fn(move |request| serve(Arc::clone(&shared), request));
        let writer = Writer::new(Client::new(service, "default"), Requests::default(), Duration::from_secs(5));
        Self { store, writer }
    }

    fn holds(self, object: &Value) -> Self {
        self.store.lock().unwrap().objects.insert(PATH.to_owned(), object.clone());
        self
    }

    /// Just before the request of this number somebody makes the object.
    fn made_before(self, request: usize, object: &Value) -> Self {
        self.store.lock().unwrap().made.insert(request, object.clone());
        self
    }

    fn object(&self) -> Value {
        self.store.lock().unwrap().objects.get(PATH).cloned().unwrap_or_default()
    }

    fn verbs(&self) -> Vec<String> {
        let store = self.store.lock().unwrap();
        store.log.iter().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
    }
}

const PATH: &str = "/api/v1/namespaces/a--first/configmaps/settings";

fn kind() -> Watched {
    Watched::from(built_in("", "ConfigMap").unwrap())
}

fn key() -> ObjectKey {
    ObjectKey::new("", "ConfigMap", Some("a--first"), "settings")
}

fn labelled(team: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "a--first",
        "labels": {"strata-operator.dev/team": team}}, "data": data})
}

fn live(team: &str, data: &Value) -> Value {
    let mut object = labelled(team, data);
    object["metadata"]["uid"] = json!("u");
    object["metadata"]["resourceVersion"] = json!("1");
    object["metadata"]["labels"]["foreign"] = json!("stays");
    object
}

#[tokio::test]
async fn a_new_object_costs_one_request() {
    let api = Api::new(&[]);
    api.writer.create(&kind(), &key(), &labelled("a", &json!({"k": "v"}))).await.unwrap();
    assert_eq!(api.verbs(), ["POST"]);
    assert_eq!(api.object()["data"], json!({"k": "v"}));
}

#[tokio::test]
async fn what_somebody_else_made_is_looked_at_and_left_alone() {
    let foreign = live("b", &json!({"theirs": "1"}));
    let api = Api::new(&[]).holds(&foreign);
    let failure = api.writer.create(&kind(), &key(), &labelled("a", &json!({"k": "v"}))).await.unwrap_err();
    assert_eq!(failure.reason, Reason::Conflict);
    assert!(failure.message.contains("belongs to team b"), "{failure}");
    assert_eq!(api.verbs(), ["POST", "GET"]);
    let applied = api.writer.apply_new(&kind(), &key(), &labelled("a", &json!({"k": "v"})), false).await.unwrap_err();
    assert_eq!(applied.reason, Reason::Conflict);
    assert_eq!(api.verbs(), ["POST", "GET", "GET"]);
    assert_eq!(api.object(), foreign);
}

#[tokio::test]
async fn what_is_ours_already_is_put_right_and_foreign_labels_stay() {
    let api = Api::new(&[]).holds(&live("a", &json!({"added": "1"})));
    api.writer.create(&kind(), &key(), &labelled("a", &json!({"k": "v"}))).await.unwrap();
    assert_eq!(api.verbs(), ["POST", "GET", "PUT"]);
    assert_eq!(api.object()["data"], json!({"k": "v"}));
    assert_eq!(api.object()["metadata"]["labels"]["foreign"], "stays");
}

#[tokio::test]
async fn a_lost_answer_is_found_out_by_trying_again() {
    let api = Api::new(&[(1, 0)]);
    let intent = labelled("a", &json!({"k": "v"}));
    let lost = api.writer.create(&kind(), &key(), &intent).await.unwrap_err();
    assert_eq!(lost.reason, Reason::ApiError);
    api.writer.create(&kind(), &key(), &intent).await.unwrap();
    assert_eq!(api.verbs(), ["POST", "POST", "GET", "PUT"]);
    assert_eq!(api.object()["metadata"]["uid"], "uid-1", "it is the object of the first attempt");
}

#[tokio::test]
async fn a_refusal_is_reported_as_such_and_tried_once() {
    for (code, reason) in [(422, Reason::Refused), (500, Reason::ApiError), (404, Reason::Progressing)] {
        let api = Api::new(&[(1, code)]);
        let failure = api.writer.create(&kind(), &key(), &labelled("a", &json!({}))).await.unwrap_err();
        assert_eq!(failure.reason, reason, "{code}");
        assert_eq!(api.verbs(), ["POST"]);
        assert_eq!(api.object(), Value::Null);
    }
}

#[tokio::test]
async fn a_change_made_in_between_is_not_overwritten() {
    let api = Api::new(&[(2, 409)]).holds(&live("a", &json!({"k": "old"})));
    let failure = api.writer.replace(&kind(), &key(), &labelled("a", &json!({"k": "v"}))).await.unwrap_err();
    assert_eq!(failure.reason, Reason::Progressing, "it passes by itself");
    assert_eq!(api.object()["data"], json!({"k": "old"}));
}

#[tokio::test]
async fn only_the_object_with_the_uid_is_deleted() {
    let api = Api::new(&[]).holds(&live("a", &json!({})));
    assert!(api.writer.delete(&kind(), &key(), "another", None).await.is_err());
    assert_ne!(api.object(), Value::Null);
    api.writer.delete(&kind(), &key(), "u", None).await.unwrap();
    assert_eq!(api.object(), Value::Null);
    api.writer.delete(&kind(), &key(), "u", None).await.expect("what is gone is gone");
}

/// An object that somebody without our label made, and holds.
fn somebodys(data: &Value) -> Value {
    let mut object = live("b", data);
    object["metadata"]["labels"] = json!({"theirs": "1"});
    object["metadata"]["uid"] = json!("another");
    object["metadata"]["managedFields"] = json!([{"manager": "somebody", "operation": "Update"}]);
    object
}

#[tokio::test]
async fn what_was_made_anew_by_somebody_is_not_taken_over() {
    let theirs = somebodys(&json!({"k": "theirs"}));
    let api = Api::new(&[]).holds(&theirs);
    let intent = labelled("a", &json!({"k": "v"}));
    let failure = api.writer.apply(&kind(), &key(), &intent, "u").await.unwrap_err();
    assert_eq!(failure.reason, Reason::Conflict, "{failure}");
    assert_eq!((api.object(), api.verbs()), (theirs, vec!["PATCH".to_owned(), "GET".to_owned()]));
    let api = Api::new(&[]).holds(&live("a", &json!({"k": "old"})));
    api.writer.apply(&kind(), &key(), &intent, "u").await.unwrap();
    assert_eq!((&api.object()["data"]["k"], api.verbs().len()), (&json!("v"), 1));
}

#[tokio::test]
async fn what_was_made_anew_and_is_ours_is_looked_at_again() {
    let mut anew = live("a", &json!({"k": "old"}));
    anew["metadata"]["uid"] = json!("another");
    let api = Api::new(&[]).holds(&anew);
    let failure = api.writer.apply(&kind(), &key(), &labelled("a", &json!({"k": "v"})), "u").await.unwrap_err();
    assert_eq!((failure.reason, api.object()), (Reason::Progressing, anew));
}

#[tokio::test]
async fn what_somebody_makes_in_the_same_moment_stays_theirs() {
    let intent = labelled("a", &json!({"k": "v"}));
    for nobody_elses in [false, true] {
        let theirs = somebodys(&json!({"k": "theirs"}));
        let api = Api::new(&[]).made_before(if nobody_elses { 1 } else { 2 }, &theirs);
        let failure = api.writer.apply_new(&kind(), &key(), &intent, nobody_elses).await.unwrap_err();
        assert_eq!((failure.reason, api.object()), (Reason::Conflict, theirs), "{failure}");
    }
    // Where no field is in the way, ours are taken off again.
    let theirs = somebodys(&json!({"k": "v"}));
    let api = Api::new(&[]).made_before(2, &theirs);
    let failure = api.writer.apply_new(&kind(), &key(), &intent, false).await.unwrap_err();
    assert_eq!((failure.reason, api.verbs()), (Reason::Conflict, ["GET", "PATCH", "PATCH"].map(str::to_owned).into()));
    assert!(api.object()["metadata"]["labels"][labels::TEAM].is_null(), "{}", api.object());
}
