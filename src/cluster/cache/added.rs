//! The additions of other writers: what a live object has beyond our intent, Kubernetes'
//! defaults and the fields that others may set.
//!
//! Every writer of an object can also write its `managedFields`, so these prove nothing.
//! Pure: it reads one object at a time and no cluster.

use serde_json::{Map, Value};

use super::values::{covers, digest, is_nothing};
use crate::api::kinds::clearing::Clearing;

/// One addition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addition {
    /// Its path as people write it: `spec.template.spec.containers[sidecar]`.
    pub name: String,
    /// Name and value as one number.
    pub mark: u64,
    pointer: Vec<String>,
}

/// The additions to the content of the object.
#[must_use]
pub fn additions(live: &Value, intent: &Value, clearing: &Clearing) -> Vec<Addition> {
    let mut found = Vec::new();
    for (section, value) in content(live) {
        let place = Place::default().field(section);
        of_value(&place, value, &intent[section.as_str()], &Map::new(), clearing, &mut found);
    }
    found
}

/// The object without some of its additions.
#[must_use]
pub fn without<'a>(live: &Value, additions: impl DoubleEndedIterator<Item = &'a Addition>) -> Value {
    let mut object = live.clone();
    // Backwards: what is taken out of a list moves what comes after it.
    for addition in additions.rev() {
        remove(&mut object, &addition.pointer);
    }
    object
}

/// The content of the object without the fields that others may set.
#[must_use]
pub fn guarded(live: &Value, clearing: &Clearing) -> Value {
    let sections = content(live).map(|(section, value)| (section.clone(), without_others(value, section, clearing)));
    Value::Object(sections.collect())
}

/// The first field in which an object is not as it is meant to be.
#[must_use]
pub fn difference(live: &Value, intent: &Value, clearing: Option<&Clearing>) -> Option<String> {
    let added = clearing.and_then(|clearing| additions(live, intent, clearing).into_iter().next());
    added.map(|addition| addition.name).or_else(|| {
        let sections = intent.as_object().into_iter().flatten();
        let mut sections = sections.filter(|(name, _)| !matches!(name.as_str(), "apiVersion" | "kind"));
        sections.find_map(|(name, intent)| changed(&Place::default().field(name), live.get(name), intent))
    })
}

fn changed(place: &Place, live: Option<&Value>, intent: &Value) -> Option<String> {
    let live = live.unwrap_or(&Value::Null);
    match (live, intent) {
        (Value::Object(live), Value::Object(wanted)) => {
            wanted.iter().find_map(|(name, wanted)| changed(&place.field(name), live.get(name), wanted))
        }
        (Value::Array(items), Value::Array(wanted)) => {
            let keys = keys(&place.path);
            if keys.is_empty() {
                return (!covers(live, intent)).then(|| place.name.clone());
            }
            wanted.iter().enumerate().find_map(|(index, want)| {
                let live = items.iter().find(|item| is_same(item, want, keys));
                changed(&place.item(index, &called(want, keys)), live, want)
            })
        }
        _ => (!(covers(live, intent) || is_nothing(live) && is_nothing(intent))).then(|| place.name.clone()),
    }
}

pub(super) fn content(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let sections = object.as_object().into_iter().flatten();
    sections.filter(|(name, _)| !matches!(name.as_str(), "apiVersion" | "kind" | "metadata" | "status"))
}

fn without_others(value: &Value, path: &str, clearing: &Clearing) -> Value {
    if !clearing.holds_others(path) {
        return value.clone();
    }
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter_map(|(name, value)| {
                let path = format!("{path}.{name}");
                let kept = (!clearing.is_others(&path)).then(|| without_others(value, &path, clearing))?;
                (!is_nothing(&kept)).then(|| (name.clone(), kept))
            });
            Value::Object(kept.collect())
        }
        Value::Array(items) => items.iter().map(|item| without_others(item, path, clearing)).collect(),
        scalar => scalar.clone(),
    }
}

/// Where something is: for the tables, for people, and to find it again.
#[derive(Clone, Default)]
struct Place {
    path: String,
    name: String,
    pointer: Vec<String>,
}

impl Place {
    fn field(&self, field: &str) -> Self {
        let join = |before: &str| if before.is_empty() { field.to_owned() } else { format!("{before}.{field}") };
        Self { path: join(&self.path), name: join(&self.name), pointer: self.to(field.to_owned()) }
    }

    fn item(&self, index: usize, called: &str) -> Self {
        let name = format!("{}[{called}]", self.name);
        Self { path: self.path.clone(), name, pointer: self.to(index.to_string()) }
    }

    fn to(&self, step: String) -> Vec<String> {
        self.pointer.iter().cloned().chain([step]).collect()
    }

    fn added(&self, value: &Value) -> Addition {
        let mark = digest(&Value::Array(vec![self.name.clone().into(), value.clone()]));
        Addition { name: self.name.clone(), mark, pointer: self.pointer.clone() }
    }
}

fn of_value(
    place: &Place,
    live: &Value,
    intent: &Value,
    beside: &Map<String, Value>,
    clearing: &Clearing,
    found: &mut Vec<Addition>,
) {
    // An empty text is how the API server writes one that nobody set.
    if clearing.is_others(&place.path) || is_nothing(live) || *live == "" {
        return;
    }
    match live {
        Value::Object(fields) => of_fields(place, live, fields, intent, clearing, found),
        Value::Array(items) if !is_nothing(intent) => of_items(place, items, intent, clearing, found),
        _ if !is_nothing(intent) || clearing.is_default(&place.path, live, beside) => {}
        _ => found.push(place.added(live)),
    }
}

fn of_fields(
    place: &Place,
    live: &Value,
    fields: &Map<String, Value>,
    intent: &Value,
    clearing: &Clearing,
    found: &mut Vec<Addition>,
) {
    let mut inside = Vec::new();
    for (name, value) in fields {
        let wanted = intent.get(name).unwrap_or(&Value::Null);
        of_value(&place.field(name), value, wanted, fields, clearing, &mut inside);
    }
    // What is not meant at all goes as one: the rest of it may not stand alone.
    if is_nothing(intent) && !inside.is_empty() && !clearing.holds_others(&place.path) {
        inside = vec![place.added(live)];
    }
    found.append(&mut inside);
}

fn of_items(place: &Place, items: &[Value], intent: &Value, clearing: &Clearing, found: &mut Vec<Addition>) {
    let Some(wanted) = intent.as_array() else { return };
    let keys = keys(&place.path);
    if keys.is_empty() {
        // Such a list is ours as one: applying puts its length right.
        if items.len() == wanted.len() {
            for (index, (live, intent)) in items.iter().zip(wanted).enumerate() {
                of_value(&place.item(index, &index.to_string()), live, intent, &Map::new(), clearing, found);
            }
        }
        return;
    }
    let mut taken = vec![false; wanted.len()];
    for (index, item) in items.iter().enumerate() {
        let place = place.item(index, &called(item, keys));
        let of = wanted.iter().enumerate().position(|(number, want)| !taken[number] && is_same(item, want, keys));
        match of {
            Some(number) => {
                taken[number] = true;
                of_value(&place, item, &wanted[number], &Map::new(), clearing, found);
            }
            None => found.push(place.added(item)),
        }
    }
}

/// The fields that identify the items of a list; none if the list is one value. Source:
/// `x-kubernetes-list-map-keys` in the API's own schema.
pub(super) fn keys(path: &str) -> &'static [&'static str] {
    match path.rsplit('.').next().unwrap_or(path) {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "volumes"
        | "env"
        | "imagePullSecrets"
        | "schedulingGates"
        | "resourceClaims"
        | "claims" => &["name"],
        "volumeMounts" => &["mountPath"],
        "volumeDevices" => &["devicePath"],
        "hostAliases" => &["ip"],
        "topologySpreadConstraints" => &["topologyKey", "whenUnsatisfiable"],
        "ports" if path == "spec.ports" => &["port", "protocol"],
        "ports" => &["containerPort", "protocol"],
        _ => &[],
    }
}

pub(super) fn is_same(live: &Value, intent: &Value, keys: &[&str]) -> bool {
    keys.iter().all(|key| {
        let wanted = &intent[*key];
        live[*key] == *wanted || wanted.is_null() && *key == "protocol" && live[*key] == "TCP"
    })
}

fn called(item: &Value, keys: &[&str]) -> String {
    let texts = keys.iter().map(|key| match &item[*key] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    texts.collect::<Vec<_>>().join("/")
}

fn remove(object: &mut Value, pointer: &[String]) {
    let Some((step, rest)) = pointer.split_first() else { return };
    match object {
        Value::Object(fields) if rest.is_empty() => {
            fields.remove(step);
        }
        Value::Object(fields) => {
            if let Some(inner) = fields.get_mut(step) {
                remove(inner, rest);
            }
        }
        Value::Array(items) => {
            let Some(index) = step.parse().ok().filter(|index| *index < items.len()) else { return };
            if rest.is_empty() {
                items.remove(index);
            } else {
                remove(&mut items[index], rest);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
#[path = "added_tests.rs"]
mod tests;
