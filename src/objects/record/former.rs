//! The record as it was written before it had a version: the spec and the
//! Blueprint as the API had them then. Only read, and written anew with the next
//! pass over its team.

use serde_json::{Value, json};

use super::{Record, Site, TeamValues, format};
use crate::api::team::Backbone;
use crate::api::vocabulary::AddedRight;
use crate::api::{AITeamSpec, BlueprintSpec, Prefixes};
use crate::plan::roles::Table;

/// Parses a record; the error is the reason for a refusal.
pub(super) fn read(value: &Value) -> Result<Record, String> {
    if !(value["spec"].is_object() && value["site"].is_object()) {
        return Err("it has neither `version` nor what was written before there was one".to_owned());
    }
    let (spec, identity) = (&value["spec"], &value["site"]["identity"]);
    let texts = |value: &Value| json!(format::texts(value));
    let team = TeamValues::read(&json!({
        "blueprint": value["blueprint"]["name"],
        "labels": texts(&spec["labels"]),
        "customers": spec["customers"],
        "egress": spec["backbone"]["egress"],
    }));
    let renewed = json!({
        "uid": value["uid"], "withdrawn": value["withdrawn"], "namespaces": value["namespaces"],
        "choices": choices(&value["choices"]), "removed": value["removed"],
    });
    let prefix = |key: &str| identity[key].as_str().unwrap_or_default().to_owned();
    // Whoever wrote it left out what was empty.
    let prefixes = Prefixes { user: prefix("userPrefix"), group: prefix("groupPrefix") };
    let site = serde_json::from_value::<BlueprintSpec>(present(value["site"].clone()));
    let of = |site: &BlueprintSpec| {
        let backbone = Some(Backbone { egress: team.egress.clone(), ..Backbone::default() });
        let spec = AITeamSpec { backbone, ..AITeamSpec::default() };
        Site::of(&name(value), &spec, site)
    };
    Ok(Record {
        site: site.as_ref().ok().map(of),
        rights: site.as_ref().ok().and_then(|site| table(site, &value["site"]["rights"])),
        prefixes: Some(prefixes),
        team: team.clone(),
        ..format::read(&renewed)?
    })
}

/// The role table with the cells that the Blueprint changed one by one; none if one of them
/// cannot be read.
fn table(site: &BlueprintSpec, cells: &Value) -> Option<Table> {
    let mut table = Table::of(site);
    for cell in format::list(cells) {
        let (role, layer) = (cell["role"].as_str()?, cell["layer"].as_str()?);
        let level = match &cell["level"] {
            Value::Null => None,
            level => Some(level.as_str()?),
        };
        let mut words: Vec<String> = level.iter().map(|level| (*level).to_owned()).collect();
        for (key, right) in [("guardrails", AddedRight::Guardrails), ("pipelines", AddedRight::Pipelines)] {
            // A cell that said nothing of it left it as it was, unless it took everything.
            let kept = level.is_some() && table.has(role, layer, right.name());
            if cell[key].as_bool().unwrap_or(kept) {
                words.push(right.name().to_owned());
            }
        }
        table.set(role, layer, words);
    }
    Some(table)
}

/// The Blueprint in the present form, as far as the record needs it.
fn present(mut site: Value) -> Value {
    for place in ["default", "maximum"].map(|name| format!("/budget/{name}")) {
        site.pointer_mut(&place).into_iter().for_each(move_devices);
    }
    let sizes = entries(&site["sizes"]).map(|mut size| {
        move_devices(&mut size);
        size
    });
    let of = |list: &Value, key: &str| format::list(list).map(|item| json!({key: item})).collect::<Vec<_>>();
    let egress = entries(&site["egress"]).map(
        |profile| json!({"name": profile["name"], "to": of(&profile["cidrs"], "cidr"), "ports": of(&profile["ports"], "port")}),
    );
    let (sizes, egress): (Vec<_>, Vec<_>) = (sizes.collect(), egress.collect());
    for (key, list) in [("sizes", sizes), ("egress", egress)] {
        if !site[key].is_null() {
            site[key] = json!(list);
        }
    }
    for key in ["engines", "parameters"] {
        site.as_object_mut().and_then(|site| site.remove(key));
    }
    site
}

/// The entries of a map, each with its key as its name.
fn entries(map: &Value) -> impl Iterator<Item = Value> + '_ {
    map.as_object().into_iter().flatten().map(|(name, entry)| {
        let mut entry = if entry.is_object() { entry.clone() } else { json!({}) };
        entry["name"] = json!(name);
        entry
    })
}

/// Moves devices to where they are now: among the requests of a size or a budget.
fn move_devices(place: &mut Value) {
    let Some(list) = place.as_object_mut() else { return };
    let Some(Value::Object(devices)) = list.remove("devices") else { return };
    let requests = list.entry("requests").or_insert_with(|| json!({}));
    requests.as_object_mut().into_iter().for_each(|requests| requests.extend(devices.clone()));
}

/// The team's name, which is how its namespaces begin.
fn name(value: &Value) -> String {
    let first = value["namespaces"].as_object().and_then(|all| all.keys().next().cloned()).unwrap_or_default();
    first.split_once("--").map_or_else(String::new, |(team, _)| team.to_owned())
}

/// The choices as a list, each with its namespace and capability.
fn choices(value: &Value) -> Vec<Value> {
    let namespaces = value.as_object().into_iter().flatten();
    let all = namespaces.flat_map(|(namespace, all)| {
        let all = all.as_object().into_iter().flatten();
        all.map(move |(capability, choice)| {
            let mut choice = choice.clone();
            if let Some(choice) = choice.as_object_mut() {
                choice.insert("namespace".to_owned(), json!(namespace));
                choice.insert("capability".to_owned(), json!(capability));
            }
            choice
        })
    });
    all.collect()
}
