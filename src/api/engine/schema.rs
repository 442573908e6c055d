//! Schema fragments of `Engine`: bounds that no derive can say, and what one
//! object suffices to refuse.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::{FORBIDDEN_CORE, FORBIDDEN_ENDINGS, FORBIDDEN_GROUPS, TEXT};

/// A JSON schema cannot be given a structural schema, so this is as far as it goes.
pub fn parameters(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": 64,
        "properties": {
            "type": {"type": "string", "enum": ["object"], "description": "Parameters are always an object."},
            "required": {
                "type": "array", "maxItems": 64, "x-kubernetes-list-type": "set",
                "items": {"type": "string", "maxLength": 63},
                "description": "The parameters that a team must give."
            }
        },
        "x-kubernetes-preserve-unknown-fields": true
    })
}

/// Where a service is: texts with `${CEL}`.
pub fn egress_services(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "maxItems": 8, "x-kubernetes-list-type": "atomic",
        "items": {"type": "string", "minLength": 1, "maxLength": TEXT}
    })
}

/// The object of a template: its literal fields, and the kinds that engines may not write.
pub fn template(_: &mut SchemaGenerator) -> Schema {
    let core = FORBIDDEN_CORE.iter().map(|kind| format!("'{kind}'")).collect::<Vec<_>>().join(", ");
    let groups = FORBIDDEN_GROUPS.iter().map(|group| format!("'{group}'")).collect::<Vec<_>>().join(", ");
    let endings = FORBIDDEN_ENDINGS.iter().map(|ending| format!("self.kind.endsWith('{ending}')"));
    let endings = endings.collect::<Vec<_>>().join(" || ");
    json_schema!({
        "type": "object", "required": ["apiVersion", "kind", "metadata"], "maxProperties": 64,
        "properties": {
            "apiVersion": {"type": "string", "minLength": 1, "maxLength": 253, "pattern": "^([a-z0-9][-a-z0-9.]*/)?v[0-9][a-z0-9]*$",
                           "description": "Group and version, literally."},
            "kind": {"type": "string", "minLength": 1, "maxLength": 63, "pattern": "^[A-Z][A-Za-z0-9]*$",
                     "description": "The kind, literally."},
            "metadata": {
                "type": "object", "required": ["name"], "maxProperties": 16,
                "properties": {
                    "name": {"type": "string", "minLength": 1, "maxLength": 1024, "description": "The name: text with ${CEL}."},
                    "namespace": {"type": "string", "maxLength": 63, "description": "Never written here: it is the layer's, or that of `placement`."}
                },
                "description": "Name, labels and annotations. The namespace comes from `placement`.",
                "x-kubernetes-preserve-unknown-fields": true,
                "x-kubernetes-validations": [
                    {"rule": "!has(self.__namespace__)", "message": "the namespace is always that of the layer: set \
                                                                     another one in `placement`"}
                ]
            }
        },
        "x-kubernetes-preserve-unknown-fields": true,
        "x-kubernetes-validations": [
            {"rule": format!("!(self.apiVersion == 'v1' && self.kind in [{core}])"),
             "message": "engines may not write this kind: Secrets, namespaces, quotas and limits are written by Strata \
                         or by people"},
            {"rule": format!("!(self.apiVersion.split('/')[0] in [{groups}]) && !({endings})"),
             "message": "engines may not write this kind: rights, network and mesh policies, admission and API \
                         definitions are reserved"}
        ]
    })
}

/// Settings by the name of an environment variable.
pub fn connections(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": 32,
        "additionalProperties": {"type": "string", "maxLength": TEXT},
        "x-kubernetes-validations": [{
            "rule": "self.all(key, key.matches('^[A-Z][A-Z0-9_]{0,62}$'))",
            "message": "a connection is named like an environment variable: MLFLOW_TRACKING_URI"
        }]
    })
}

/// API versions, newest first.
pub fn versions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "minItems": 1, "maxItems": 8, "x-kubernetes-list-type": "atomic",
        "items": {"type": "string", "minLength": 2, "maxLength": 63, "pattern": "^v[0-9][a-z0-9]*$"}
    })
}

/// API groups of a rule.
pub fn groups(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "minItems": 1, "maxItems": 16, "x-kubernetes-list-type": "set",
        "items": {"type": "string", "maxLength": 253, "pattern": "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$"}
    })
}

/// Resources of a rule.
pub fn resources(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "minItems": 1, "maxItems": 32, "x-kubernetes-list-type": "set",
        "items": {"type": "string", "minLength": 1, "maxLength": 127, "pattern": "^[a-z][a-z0-9]*(/[a-z]+)?$"}
    })
}

/// Names that a rule is limited to.
pub fn resource_names(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "maxItems": 32, "x-kubernetes-list-type": "set",
        "items": {"type": "string", "minLength": 1, "maxLength": 253}
    })
}

/// Verbs of a rule, without those that make more rights of few.
pub fn verbs(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "minItems": 1, "maxItems": 16, "x-kubernetes-list-type": "set",
        "items": {
            "type": "string", "minLength": 1, "maxLength": 63, "pattern": "^[a-z]+$",
            "x-kubernetes-validations": [{
                "rule": "!(self in ['escalate', 'bind', 'impersonate', 'approve', 'sign'])",
                "message": "engines may not grant the verbs escalate, bind, impersonate, approve and sign"
            }]
        }
    })
}

/// Names of runtimes.
pub(crate) fn runtimes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "maxItems": 32, "x-kubernetes-list-type": "set",
        "items": {"type": "string", "minLength": 1, "maxLength": 40, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"}
    })
}
