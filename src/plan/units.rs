//! Amounts of bytes with a missing unit: `storage: "100"` is a hundred bytes.

use serde_json::Value;

use crate::api::AITeamSpec;
use crate::api::quantity::{Amount, Quantity};
use crate::api::team::Resources;
use crate::engine::{RenderedObject, pods};

/// The resources that are counted in bytes.
const BYTES: [&str; 3] = ["storage", "memory", "ephemeral-storage"];
/// The least that anybody means.
const LEAST: &str = "1Mi";

/// The message for each amount without its unit.
#[must_use]
pub fn missing(spec: &AITeamSpec) -> Vec<String> {
    let of_projects = spec.projects.iter().flat_map(|project| {
        let of = move |place: &str| format!("spec.projects[{}].{place}.share", project.name);
        let workspace = project.workspace.as_ref().and_then(|workspace| workspace.share.as_ref());
        let live = project.live.as_ref().and_then(|live| live.share.as_ref());
        [(of("workspace"), workspace), (of("live"), live)]
    });
    let backbone = spec.backbone.as_ref().and_then(|backbone| backbone.share.as_ref());
    let shared = spec.shared.as_ref();
    let own = [
        ("spec.budget".to_owned(), spec.budget.as_ref()),
        ("spec.backbone.share".to_owned(), backbone),
        ("spec.shared.share".to_owned(), shared.and_then(|shared| shared.share.as_ref())),
    ];
    let amounts = own.into_iter().chain(of_projects).filter_map(|(path, resources)| Some((path, resources?)));
    let of_shares = amounts.flat_map(|(path, resources)| of(&path, resources));
    let blocks = shared.into_iter().flat_map(|shared| shared.blocks());
    let of_blocks = blocks.filter_map(|(capability, block)| {
        Some((format!("spec.shared: storage of {}", capability.name()), block.storage.as_ref()?))
    });
    of_shares.chain(of_blocks).filter_map(|(path, amount)| unit_missing(&path, amount)).collect()
}

fn of<'a>(path: &str, resources: &'a Resources) -> Vec<(String, &'a Quantity)> {
    let sides = [("requests", &resources.requests), ("limits", &resources.limits)];
    let all = sides
        .into_iter()
        .flat_map(|(side, list)| BYTES.iter().filter_map(move |name| Some((side, name, list.get(*name)?))));
    all.map(|(side, name, amount)| (format!("{path}.{side}.{name}"), amount)).collect()
}

fn unit_missing(path: &str, amount: &Quantity) -> Option<String> {
    let (Ok(bytes), Ok(least)) = (amount.amount(), Amount::parse(LEAST)) else { return None };
    let few = bytes > Amount::ZERO && bytes < least;
    let text = amount.text();
    few.then(|| format!("{path} is {text}, which is less than {LEAST}. {}", meant(&text)))
}

/// Advice on an amount of few bytes.
fn meant(amount: &str) -> String {
    let end = amount.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(amount.len());
    match amount.split_at(end) {
        (number, "") => format!("If the unit is missing, write {number}Gi"),
        (number, "m") => format!("The unit m is a thousandth of a byte. Write {number}Mi if that was meant"),
        (number, unit) => format!("If {unit} is not the unit that was meant, write {number}Mi or {number}Gi"),
    }
}

/// The message on the first amount without its unit in the objects of an engine: the size
/// of a volume, or the memory and files of a container. It names the parameter with this value.
#[must_use]
pub fn missing_in(objects: &[RenderedObject], parameters: &Value, path: &str) -> Option<String> {
    objects.iter().find_map(|rendered| {
        let object = &rendered.object;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let of_object = format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]));
        amounts(object).into_iter().find_map(|(what, amount)| {
            let by = parameter(parameters, "", &amount.text());
            let place = by.map_or_else(
                || format!("{path}: the {what} of {of_object}"),
                |parameter| format!("{path}.parameters.{parameter}, the {what} of {of_object},"),
            );
            unit_missing(&place, &amount)
        })
    })
}

/// The amounts of bytes in an object, each with what it is.
fn amounts(object: &Value) -> Vec<(String, Quantity)> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let quantity = |value: &Value| match value {
        Value::String(text) => Some(Quantity::Text(text.clone())),
        Value::Number(number) => Some(Quantity::Text(number.to_string())),
        _ => None,
    };
    let mut claims = list(&object["spec"]["volumeClaimTemplates"]);
    claims.extend((object["kind"] == "PersistentVolumeClaim").then(|| object.clone()));
    let sizes = claims.iter().filter_map(|claim| quantity(&claim["spec"]["resources"]["requests"]["storage"]));
    let mut found: Vec<(String, Quantity)> = sizes.map(|size| ("storage".to_owned(), size)).collect();
    let Some((template, _)) = pods::template(object) else { return found };
    for container in ["initContainers", "containers"].iter().flat_map(|part| list(&template["spec"][*part])) {
        for (side, word) in [("requests", "request"), ("limits", "limit")] {
            for resource in ["memory", "ephemeral-storage"] {
                let amount = quantity(&container["resources"][side][resource]);
                found.extend(amount.map(|amount| (format!("{word} of {resource}"), amount)));
            }
        }
    }
    found
}

/// The one parameter that has this value, by its path; none if there are two.
fn parameter(values: &Value, path: &str, amount: &str) -> Option<String> {
    let mut found = values.as_object()?.iter().filter_map(|(name, value)| {
        let place = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if value.as_str() == Some(amount) { Some(place) } else { parameter(value, &place, amount) }
    });
    found.next().filter(|_| found.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_of_bytes_has_a_unit() {
        for (spec, message) in [
            (
                "{budget: {requests: {storage: 100}}}",
                "spec.budget.requests.storage is 100, which is less than 1Mi. If the unit is missing, write 100Gi",
            ),
            (
                "{budget: {requests: {memory: '64'}}}",
                "spec.budget.requests.memory is 64, which is less than 1Mi. If the unit is missing, write 64Gi",
            ),
            (
                "{projects: [{name: p, live: {share: {limits: {ephemeral-storage: '8'}}}}]}",
                "spec.projects[p].live.share.limits.ephemeral-storage is 8, which is less than 1Mi. If the unit is \
                 missing, write 8Gi",
            ),
            (
                "{shared: {experiments: {storage: '20'}}}",
                "spec.shared: storage of Experiments is 20, which is less than 1Mi. If the unit is missing, write 20Gi",
            ),
            (
                "{budget: {requests: {memory: 100m}}}",
                "spec.budget.requests.memory is 100m, which is less than 1Mi. The unit m is a thousandth of a byte. \
                 Write 100Mi if that was meant",
            ),
            (
                "{budget: {requests: {memory: 16k}}}",
                "spec.budget.requests.memory is 16k, which is less than 1Mi. If k is not the unit that was meant, \
                 write 16Mi or 16Gi",
            ),
            ("{budget: {requests: {storage: 1Mi, memory: 0, cpu: 8}}}", ""),
        ] {
            let spec: AITeamSpec = serde_saphyr::from_str(spec).unwrap();
            assert_eq!(missing(&spec).join("; "), message);
        }
    }
}
