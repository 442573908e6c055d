//! Rights as the cluster has them: who is bound to what, and what that holds. Only
//! reads role bindings and cluster roles; it knows nothing of teams but the names
//! that the operator gives to its bindings.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use strata::cli::table::indented;

/// How many kinds are named before the rest is a number.
const NAMED: usize = 9;
const READING: [&str; 3] = ["get", "list", "watch"];

/// One role binding of the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    pub namespace: String,
    /// Whom it is for, in the words of the team: `data-scientist`, `deployer`.
    pub part: String,
    /// The cluster role.
    pub role: String,
    pub subjects: Vec<String>,
}

impl Binding {
    /// `use` of `strata:shared:use`, `guardrails` of `strata:guardrails`.
    pub fn level(&self) -> &str {
        self.role.rsplit(':').next().unwrap_or(&self.role)
    }
}

/// The operator's bindings in a list of role bindings.
pub fn bindings(list: &Value) -> Vec<Binding> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    list["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|object| {
            let role = text(&object["roleRef"]["name"]);
            let level = role.rsplit(':').next().unwrap_or_default();
            let name = text(&object["metadata"]["name"]);
            let part = name.strip_prefix("strata-")?;
            let part = part.strip_suffix(&format!("-{level}")).unwrap_or(part).to_owned();
            let subjects = object["subjects"].as_array().into_iter().flatten();
            let subjects =
                subjects.map(|subject| format!("{} {}", text(&subject["kind"]).to_lowercase(), text(&subject["name"])));
            Some(Binding {
                namespace: text(&object["metadata"]["namespace"]),
                part,
                subjects: subjects.collect(),
                role,
            })
        })
        .collect()
}

/// The rights of each bound ClusterRole, in a line.
pub fn meanings(roles: &Value, bound: &BTreeSet<&str>) -> String {
    let mut rows: Vec<Vec<String>> = roles["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|role| Some((role["metadata"]["name"].as_str()?, &role["rules"])))
        .filter(|(name, _)| bound.contains(name))
        .map(|(name, rules)| {
            let held = verbs_by_kind(rules);
            vec![name.to_owned(), named(&held, true), named(&held, false)]
        })
        .collect();
    rows.sort();
    indented(&["CLUSTER ROLE", "READS", "WRITES"], &rows)
}

fn verbs_by_kind(rules: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(Into::into)).collect()
    };
    let mut held: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for rule in rules.as_array().into_iter().flatten() {
        for kind in texts(&rule["resources"]) {
            held.entry(kind).or_default().extend(texts(&rule["verbs"]));
        }
    }
    held
}

/// The kinds that may be read only, as a number; those that may be written, by name.
fn named(held: &BTreeMap<String, BTreeSet<String>>, reads: bool) -> String {
    let reading = |verb: &String| READING.contains(&verb.as_str());
    if reads {
        let count = held.values().filter(|verbs| verbs.iter().any(reading)).count();
        return format!("{count} kinds");
    }
    let kinds: Vec<&str> =
        held.iter().filter(|(_, verbs)| !verbs.iter().all(reading)).map(|(kind, _)| kind.as_str()).collect();
    match kinds.len() {
        0 => "nothing".into(),
        count if count > NAMED => {
            format!("{} and {} more", kinds[..NAMED].join(", "), count - NAMED)
        }
        _ => kinds.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_role_is_named_by_what_it_may_change() {
        let roles = json!({"items": [
            {"metadata": {"name": "strata:shared:use"}, "rules": [
                {"resources": ["pods", "services"], "verbs": ["get", "list"]},
                {"resources": ["pods/portforward"], "verbs": ["create"]},
            ]},
            {"metadata": {"name": "other"}, "rules": []},
        ]});
        let text = meanings(&roles, &BTreeSet::from(["strata:shared:use"]));
        assert!(text.ends_with("strata:shared:use  2 kinds  pods/portforward\n"), "{text}");
        assert!(!text.contains("other"));
    }

    #[test]
    fn the_part_is_what_remains_of_the_name() {
        let binding = |name: &str, role: &str| {
            json!({"items": [{"metadata": {"name": name, "namespace": "n"}, "roleRef": {"name": role},
                "subjects": [{"kind": "ServiceAccount", "name": "deployer"}]}]})
        };
        let found = |name, role| {
            bindings(&binding(name, role)).pop().map(|found| (found.part.clone(), found.level().to_owned()))
        };
        assert_eq!(found("strata-ml-engineer-own", "strata:live:own"), Some(("ml-engineer".into(), "own".into())));
        assert_eq!(found("strata-deployer", "strata:live:contribute"), Some(("deployer".into(), "contribute".into())));
        assert_eq!(
            found("strata-data-engineer-pipelines", "strata:pipelines"),
            Some(("data-engineer".into(), "pipelines".into()))
        );
        assert_eq!(found("mine", "strata:live:own"), None);
    }
}
