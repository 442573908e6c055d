//! The parameters of an engine: the team's where set, else the
//! Blueprint's. The defaults of the engine's own schema are filled in later.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Facts, Problem, Scope};
use crate::api::{BlueprintSpec, Issue, Reason};
use crate::engine::CompiledEngine;

/// The values for this engine, over the Blueprint's; within objects field by field.
#[must_use]
pub fn over_the_sites(blueprint: &BlueprintSpec, engine: &str, own: BTreeMap<String, Value>) -> Value {
    let site = blueprint.parameters_of(engine).cloned().unwrap_or_default();
    let mut values = Value::Object(site.into_iter().collect());
    lay_over(&mut values, Value::Object(own.into_iter().collect::<Map<_, _>>()));
    values
}

fn lay_over(below: &mut Value, above: Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (name, value) in above {
                lay_over(below.entry(name).or_insert(Value::Null), value);
            }
        }
        (below, above) => *below = above,
    }
}

/// Why the engine does not take these values, if it does not; `path` is where the
/// team says them, if it does.
#[must_use]
pub fn refused(
    engine: &CompiledEngine,
    values: &Value,
    path: Option<&str>,
    site: (&str, &BlueprintSpec),
) -> Option<Issue> {
    let errors = engine.parameters_valid(values);
    if errors.is_empty() {
        return None;
    }
    let (name, blueprint) = site;
    let of_site = format!("spec.engines.parameters[{}] of Blueprint {name}", engine.name());
    let from = match path {
        None => of_site,
        Some(path) if blueprint.parameters_of(engine.name()).is_some() => format!("{path}, over {of_site}"),
        Some(path) => path.to_owned(),
    };
    Some(Issue::new(Reason::Invalid, format!("{from}: {}", errors.join("; "))))
}

/// Parameters of the Blueprint for engines that do not exist.
#[must_use]
pub fn unknown(name: &str, facts: &Facts<'_>) -> Vec<Problem> {
    let named = facts.blueprint.engine_parameters().iter().map(|entry| &entry.engine);
    named
        .filter(|engine| facts.catalogue.get(engine).is_none())
        .map(|engine| {
            let message = format!(
                "Blueprint {name}: spec.engines.parameters has '{engine}', an engine that does not exist. Fix the \
                 name, or apply the Engine"
            );
            Problem::advice(Scope::Team, Reason::EngineMissing, message)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_teams_values_go_before_those_of_the_site_field_by_field() {
        let blueprint: BlueprintSpec = serde_json::from_value(json!({"engines": {"parameters": [
            {"engine": "mlflow", "values": {"image": "site", "resources": {"cpu": "1", "memory": "1Gi"}, "hosts": ["a"]}}
        ]}}))
        .unwrap();
        let own: BTreeMap<String, Value> =
            serde_json::from_value(json!({"resources": {"memory": "2Gi"}, "hosts": ["b"], "workers": 2})).unwrap();
        let both = json!({
            "image": "site", "resources": {"cpu": "1", "memory": "2Gi"}, "hosts": ["b"], "workers": 2
        });
        assert_eq!(over_the_sites(&blueprint, "mlflow", own.clone()), both);
        let alone = json!({"resources": {"memory": "2Gi"}, "hosts": ["b"], "workers": 2});
        assert_eq!(over_the_sites(&blueprint, "feast", own), alone);
    }
}
