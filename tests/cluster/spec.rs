//! The teams that these tests ask for.

use serde_json::{Value, json};

/// A team with everything: three layers, two projects, one of them in production.
pub fn everything() -> Value {
    json!({
        "description": "A team with everything",
        "owns": ["score"],
        "customers": [{"name": "checkout", "namespaces": ["checkout-prod"]}],
        "labels": {"cost-center": "4711"},
        "members": [
            {"role": "MLEngineer", "groups": ["ml"], "users": ["ana@example.com"]},
            {"role": "DataScientist", "users": ["dana@example.com"]},
            {"role": "DataEngineer", "groups": ["data"]},
            {"role": "CloudSecurityEngineer", "groups": ["security"]},
        ],
        "backbone": {"delivery": {"repository": "https://git.example.com/team/ml", "path": "deploy", "branch": "main"}},
        "shared": {"experiments": {"storage": "5Gi"}, "models": {}, "featureStore": {"storage": "5Gi"}},
        "projects": [
            {
                "name": "first", "live": {"share": {"requests": {"cpu": 2, "memory": "8Gi"}}},
                "members": [{"role": "CitizenDataScientist", "users": ["bo@example.com"]}],
            },
            {"name": "second"},
        ],
    })
}

/// One role, one project: a Backbone and a Workspace.
pub fn minimal() -> Value {
    json!({"members": [{"role": "DataScientist", "groups": ["science"]}], "projects": [{"name": "first"}]})
}

/// A team with experiments, and with more besides.
pub fn with_experiments(more: &Value) -> Value {
    let mut spec = minimal();
    spec["shared"] = json!({"experiments": {"storage": "5Gi"}});
    for (field, value) in more.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    spec
}

/// A team whose people work: three of them by name, a project with a production
/// side, and the registry that models come from.
pub fn at_work() -> Value {
    json!({
        "owns": ["score"],
        "customers": [
            {"name": "checkout", "namespaces": ["checkout-prod", "checkout-staging"]},
            {"name": "disputes", "namespaces": ["disputes"]},
        ],
        "members": [
            {"role": "MLEngineer", "users": ["mia@example.com"]},
            {"role": "DataScientist", "users": ["ana@example.com", "bo@example.com"]},
        ],
        "shared": {"models": {"storage": "5Gi"}},
        "projects": [
            {"name": "first", "live": {"share": {"requests": {"cpu": "4", "memory": "16Gi", "storage": "20Gi"}}}},
        ],
    })
}
