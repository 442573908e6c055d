//! A team that an operator wrote when manifests had an earlier form, under the present
//! definitions and the present operator: nothing is made again, and nobody loses rights.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::{Path, PathBuf};

use futures::FutureExt;
use harness::wait;
use serde_json::{Value, json};
use strata::cli::migrate::of_file;

use crate::actor::{Actor, path, path_of};
use crate::count::settled;
use crate::stage::{Stage, alone};
use crate::team::Team;

const TEAM: &str = "fraud";
const SITE: &str = "product-embedded";
/// Where a definition has its one version.
const VERSION: &str = "/spec/versions/0";
/// The UID in what is rendered without a cluster.
const NO_UID: &str = "00000000-0000-0000-0000-000000000000";

/// What must stay of an object: its UID, the people it names, and its generation where that
/// rises with each change of a pod.
#[derive(Clone, Debug, PartialEq)]
struct Kept {
    uid: Value,
    subjects: Value,
    generation: Option<Value>,
}

#[tokio::test]
async fn a_team_of_the_earlier_form_is_taken_over_as_it_is() {
    let (_turn, stage) = alone().await;
    let admin = stage.admin().await;
    stage.operator.stop().await.expect("stopped");
    let definitions = loosen(&admin).await;
    // The other tests of this stage need the present definitions, whatever happens here.
    let before = AssertUnwindSafe(written_before(stage, &admin)).catch_unwind().await;
    restore(&admin, &definitions).await;
    let (written, before) = before.unwrap_or_else(|failed| resume_unwind(failed));

    let team = Team::named(stage, TEAM).await;
    let mark = stage.plane.audit().mark();
    stage.operator.resume().await.expect("started again");
    team.until("was observed", |team| team["status"]["observedGeneration"] == team["metadata"]["generation"]).await;
    settled(stage).await;
    assert_eq!(changes(&before, &kept(&admin, &written).await), Vec::<String>::new(), "before files are migrated");

    for (kind, file) in [("Blueprint", "blueprints.yaml"), ("AITeam", "teams.yaml")] {
        migrated(&admin, kind, file).await;
    }
    team.until_ready().await;
    settled(stage).await;
    assert_eq!(changes(&before, &kept(&admin, &written).await), Vec::<String>::new(), "after files were migrated");
    let requests = stage.asked(mark).writes().filter(|request| request.namespace.starts_with("fraud--"));
    let deleted: Vec<_> =
        requests.filter(|request| request.verb == "delete" && request.code < 300).iter().cloned().collect();
    assert_eq!(deleted, []);
}

/// Writes the team as it was, and returns its objects. The team comes first: a policy reads
/// Blueprints in their present form.
async fn written_before(stage: &Stage, admin: &Actor) -> (Vec<Value>, BTreeMap<String, Kept>) {
    let mut uid = Value::Null;
    for (kind, file) in [("AITeam", "teams.yaml"), ("Blueprint", "blueprints.yaml")] {
        let former = object(&manifest(file), kind);
        let stored = wait::until("the former definition is served", 30, async || {
            let stored = admin.create(&former).await.map_err(|refused| refused.message)?;
            if stored["spec"]["budget"] == former["spec"]["budget"] {
                return Ok(stored);
            }
            admin.delete(&path_of(&former)).await.map_err(|refused| refused.message)?;
            Err("a former field was dropped".to_owned())
        });
        let stored = stored.await.unwrap_or_else(|error| panic!("{error}"));
        if kind == "AITeam" {
            uid = stored["metadata"]["uid"].clone();
        }
    }
    let written = write_as_the_operator(stage, uid.as_str().expect("a UID")).await;
    assert!(written.len() > 90, "{}", written.len());
    let before = kept(admin, &written).await;
    (written, before)
}

/// Replaces an object by its migrated form. A policy may still know the Blueprint as it was.
async fn migrated(admin: &Actor, kind: &str, file: &str) {
    let migrated = of_file(Path::new(file), &manifest(file));
    assert!(migrated.changed() && migrated.left.is_empty(), "{:?}", migrated.left);
    let present = object(&migrated.text, kind);
    let at = path_of(&present);
    let replaced = wait::until("the migrated object is taken", 30, async || {
        let stored = admin.get(&at).await.map_err(|refused| refused.message)?;
        let mut whole = present.clone();
        whole["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"].clone();
        admin.put(&at, &whole).await.map_err(|refused| refused.message)
    });
    replaced.await.unwrap_or_else(|error| panic!("{file}: {error}"));
}

/// A file of the earlier form.
fn manifest(file: &str) -> String {
    without_prefixes(&fs::read_to_string(root().join("before").join(file)).expect("a file of the earlier form"))
}

/// Without the prefixes of names, which this control plane does not have.
fn without_prefixes(text: &str) -> String {
    text.replace("oidc:", "")
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/migrate")
}

/// The object of this kind that is the team or its Blueprint.
fn object(text: &str, kind: &str) -> Value {
    let all = text.split("\n---\n").map(|document| serde_saphyr::from_str::<Value>(document).expect("YAML"));
    let is_wanted =
        |object: &Value| object["kind"] == kind && [TEAM, SITE].iter().any(|name| object["metadata"]["name"] == *name);
    all.into_iter().find(is_wanted).unwrap_or_else(|| panic!("no {kind}"))
}

/// Lets any field pass, as the former definitions did with theirs, and returns the present
/// versions of the definitions.
async fn loosen(admin: &Actor) -> Vec<(String, Value)> {
    let mut present = Vec::new();
    for plural in ["aiteams", "blueprints"] {
        let at = path("CustomResourceDefinition", "", &format!("{plural}.strata-operator.dev"));
        let version = admin.get(&at).await.expect("a definition").pointer(VERSION).expect("a version").clone();
        let mut loose = version.clone();
        let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        loose["schema"]["openAPIV3Schema"] = any.clone();
        loose["schema"]["openAPIV3Schema"]["properties"] = json!({"spec": any.clone(), "status": any});
        loose.as_object_mut().expect("a version").remove("selectableFields");
        set(admin, &at, &loose).await;
        present.push((at, version));
    }
    present
}

async fn restore(admin: &Actor, present: &[(String, Value)]) {
    for (at, version) in present {
        set(admin, at, version).await;
    }
    let site = path("Blueprint", "", SITE);
    wait::until("the present definitions are served", 30, async || {
        let odd = json!({"spec": {"odd": true}});
        let answer = admin.merge(&format!("{site}?dryRun=All"), &odd).await.map_err(|refused| refused.message);
        match answer {
            Ok(read) if read["spec"]["odd"] == true => Err("a field that nobody knows is kept".to_owned()),
            _ => Ok(()),
        }
    })
    .await
    .unwrap_or_else(|error| panic!("{error}"));
}

async fn set(admin: &Actor, definition: &str, version: &Value) {
    let change = json!([{"op": "replace", "path": VERSION, "value": version}]);
    admin.patch(definition, &change).await.unwrap_or_else(|refused| panic!("{}", refused.message));
}

/// Writes the former objects with the operator's identity: applied, or whole.
async fn write_as_the_operator(stage: &Stage, uid: &str) -> Vec<Value> {
    let operator = Actor::with(stage.operator.client().await);
    let text = fs::read_to_string(root().join("written/fraud.yaml")).expect("the former objects");
    let text = without_prefixes(&text).replace(NO_UID, uid);
    let mut documents: Vec<(&str, Value)> = text
        .split("\n---\n")
        .skip(1)
        .map(|document| (document, serde_saphyr::from_str::<Value>(document).expect("YAML")))
        .collect();
    documents.sort_by_key(|(_, object)| object["kind"] != "Namespace");
    for (document, object) in &documents {
        let whole = document.lines().next().is_some_and(|comment| comment.contains("Whole"));
        let answer = if whole { operator.create(object).await } else { operator.apply("strata", object).await };
        let taken = answer.as_ref().err().is_none_or(|refused| refused.code == 409);
        assert!(taken, "{}: {answer:?}", path_of(object));
    }
    documents.into_iter().map(|(_, object)| object).collect()
}

async fn kept(admin: &Actor, written: &[Value]) -> BTreeMap<String, Kept> {
    let mut all = BTreeMap::new();
    for object in written {
        let at = path_of(object);
        let live = admin.get(&at).await.unwrap_or(Value::Null);
        let has_pods = ["Deployment", "StatefulSet"].iter().any(|kind| object["kind"] == *kind);
        let generation = has_pods.then(|| live["metadata"]["generation"].clone());
        let subjects = live["subjects"].clone();
        all.insert(at, Kept { uid: live["metadata"]["uid"].clone(), subjects, generation });
    }
    all
}

fn changes(before: &BTreeMap<String, Kept>, after: &BTreeMap<String, Kept>) -> Vec<String> {
    let changed = before.iter().filter(|(at, kept)| after.get(*at) != Some(kept));
    changed.map(|(at, kept)| format!("{at}: {kept:?}, now {:?}", after.get(at))).collect()
}
