//! The record as it is written, version 1.
//!
//! ```json
//! {"version": 1, "uid": "...", "withdrawn": false,
//!  "team": {"blueprint": "default", "labels": {}, "customers": [{"name": "x", "namespaces": []}], "egress": []},
//!  "namespaces": {"<name>": "<UID>"},
//!  "volumes": {"<namespace>/<claim>": "<UID>"},
//!  "choices": [{"namespace": "...", "capability": "Models", "engine": "mlflow", "revision": "1", "connections": {},
//!               "ports": [], "podSecurity": "Restricted", "needsApiServer": false,
//!               "ways": [{"profile": "x"}, {"namespace": "x"}]}],
//!  "prefixes": {"user": "oidc:", "group": "oidc:"},
//!  "rights": {"<role>": {"<layer>": ["<level>", "Guardrails", "Pipelines"]}},
//!  "site": {"podSecurityVersion": "v1.36", "registries": [], "egress": [{"name": "x", "blocks": [], "ports": []}],
//!           "ways": [{"name": "x", "to": [{"namespace": "x"}], "ports": [{"port": 1, "protocol": "UDP"}]}],
//!           "dns": {"namespace": "x", "ports": [53]}, "namespaces": {"labels": {}, "annotations": {}, "layers": []},
//!           "metricsNamespace": "x", "gatewayNamespace": "x", "storageClasses": {"home": "x", "shared": "x"}},
//!  "kinds": [{"group": "example.com", "version": "v1", "kind": "Widget"}],
//!  "removed": [{"namespace": "...", "layer": "Live", "project": "x", "podSecurity": "Restricted"}]}
//! ```
//!
//! Read leniently, by older and newer programs alike: a field that is unknown is
//! passed over, one that is missing has its default, and an entry with a word that
//! is unknown costs itself alone. What `version` says never keeps anybody from
//! reading what they know. Only without `uid`, or with a `withdrawn` that is
//! neither true nor false, it says nothing.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Record, Site, TeamValues};
use crate::api::Prefixes;
use crate::api::engine::PodSecurity;
use crate::api::vocabulary::{Capability, Layer};
use crate::plan::roles::Table;
use crate::plan::{Choice, Choices, Retained};

/// The version that is written.
const VERSION: u32 = 1;

/// The record as text, the same for the same record to the byte.
pub(super) fn write(record: &Record) -> String {
    let mut whole = json!({
        "version": VERSION,
        "uid": record.uid,
        "withdrawn": record.withdrawn,
        "team": record.team,
        "namespaces": record.namespaces,
        "choices": choices(record),
        "removed": record.removed.iter().map(removed).collect::<Vec<_>>(),
    });
    if !record.volumes.is_empty() {
        whole["volumes"] = json!(record.volumes);
    }
    if let Some(site) = &record.site {
        whole["site"] = json!(site);
    }
    if !record.kinds.is_empty() {
        whole["kinds"] = json!(record.kinds);
    }
    if let Some(prefixes) = &record.prefixes {
        whole["prefixes"] = json!({"user": prefixes.user, "group": prefixes.group});
    }
    if let Some(rights) = &record.rights {
        whole["rights"] = json!(rights.words());
    }
    // A record has string keys and finite numbers only: it can be written.
    serde_json::to_string_pretty(&whole).unwrap_or_default()
}

/// Whether a newer version wrote it.
pub(super) fn is_newer(value: &Value) -> bool {
    value["version"].as_u64().is_some_and(|version| version > u64::from(VERSION))
}

/// Parses a record; the error is the reason for a refusal.
pub(super) fn read(value: &Value) -> Result<Record, String> {
    let (choices, unread_choices) = read_choices(&value["choices"]);
    Ok(Record {
        uid: value["uid"].as_str().filter(|uid| !uid.is_empty()).ok_or("it has no `uid` of a team")?.to_owned(),
        withdrawn: match &value["withdrawn"] {
            Value::Null => false,
            flag => flag.as_bool().ok_or("`withdrawn` is neither true nor false")?,
        },
        team: TeamValues::read(&value["team"]),
        namespaces: texts(&value["namespaces"]),
        volumes: texts(&value["volumes"]),
        choices,
        unread_choices,
        site: Site::read(&value["site"]),
        rights: value["rights"].as_object().map(Table::read),
        prefixes: prefixes(&value["prefixes"]),
        kinds: readable(&value["kinds"]).into_iter().collect(),
        removed: list(&value["removed"]).filter_map(|entry| read_removed(&entry)).collect(),
    })
}

/// The entries of a list; none where it is no list.
pub(super) fn list(value: &Value) -> impl Iterator<Item = Value> {
    value.as_array().cloned().unwrap_or_default().into_iter()
}

/// The entries of a list that can be read.
pub(super) fn readable<T: DeserializeOwned>(value: &Value) -> Vec<T> {
    list(value).filter_map(|entry| serde_json::from_value(entry).ok()).collect()
}

/// The texts of a map, by their keys.
pub(super) fn texts(value: &Value) -> BTreeMap<String, String> {
    let all = value.as_object().into_iter().flatten();
    all.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// A value by the word that the API has for it.
fn word<T: DeserializeOwned>(value: &Value) -> Option<T> {
    serde_json::from_value(value.clone()).ok()
}

/// Both or nothing: half a prefix would be a guess.
fn prefixes(value: &Value) -> Option<Prefixes> {
    let text = |key: &str| Some(value[key].as_str()?.to_owned());
    Some(Prefixes { user: text("user")?, group: text("group")? })
}

/// One choice as it is written. Its words are words, whoever reads them.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chosen {
    namespace: String,
    capability: String,
    engine: String,
    revision: String,
    #[serde(default)]
    connections: BTreeMap<String, String>,
    #[serde(default)]
    ports: Vec<i32>,
    #[serde(default)]
    pod_security: String,
    #[serde(default)]
    needs_api_server: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ways: Vec<Value>,
}

fn choices(record: &Record) -> Vec<Value> {
    let all = record.choices.0.iter().flat_map(|(namespace, all)| all.iter().map(move |one| (namespace, one)));
    let written = all.map(|(namespace, (capability, choice))| {
        let Choice { engine, revision, connections, ports, pod_security, needs_api_server, ways } = choice.clone();
        json!(Chosen {
            namespace: namespace.clone(),
            capability: capability.name().to_owned(),
            engine,
            revision,
            connections,
            ports,
            pod_security: level(pod_security),
            needs_api_server,
            ways: ways.iter().map(|way| json!(way)).collect(),
        })
    });
    written.chain(record.unread_choices.iter().cloned()).collect()
}

fn read_choices(value: &Value) -> (Choices, Vec<Value>) {
    let (mut choices, mut unread) = (Choices::default(), Vec::new());
    for entry in list(value) {
        let Some((namespace, capability, choice)) = read_choice(&entry) else {
            unread.push(entry);
            continue;
        };
        choices.insert(&namespace, capability, choice);
    }
    (choices, unread)
}

fn read_choice(entry: &Value) -> Option<(String, Capability, Choice)> {
    let chosen: Chosen = serde_json::from_value(entry.clone()).ok()?;
    let Chosen { namespace, capability, engine, revision, connections, ports, pod_security, needs_api_server, ways } =
        chosen;
    // Of levels the strictest is never too open.
    let pod_security = word(&Value::from(pod_security)).unwrap_or_default();
    let ways = ways.into_iter().filter_map(|way| serde_json::from_value(way).ok()).collect();
    let choice = Choice { engine, revision, connections, ports, pod_security, needs_api_server, ways };
    Some((namespace, word(&Value::from(capability))?, choice))
}

fn level(level: PodSecurity) -> String {
    format!("{level:?}")
}

fn removed(retained: &Retained) -> Value {
    let mut entry = Map::new();
    entry.insert("namespace".to_owned(), json!(retained.namespace));
    entry.insert("layer".to_owned(), json!(retained.layer.name()));
    entry.insert("podSecurity".to_owned(), json!(level(retained.pod_security)));
    if let Some(project) = &retained.project {
        entry.insert("project".to_owned(), json!(project));
    }
    entry.into()
}

fn read_removed(entry: &Value) -> Option<Retained> {
    Some(Retained {
        namespace: entry["namespace"].as_str()?.to_owned(),
        layer: word::<Layer>(&entry["layer"])?,
        project: entry["project"].as_str().map(str::to_owned),
        pod_security: word(&entry["podSecurity"]).unwrap_or_default(),
        frozen: false,
        waits: false,
    })
}
