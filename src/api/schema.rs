//! Schema fragments that several kinds share.
//!
//! Lists of names and maps of labels recur in every kind; their bounds stand
//! here once, because the API server prices CEL rules by them.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::addresses::METADATA;
use super::image;
use super::text::{HIDDEN_SPACES, hidden_but_spaces, hidden_in_lines, hidden_pattern};

/// The most people or groups that one entry may name.
pub const SUBJECTS: usize = 64;

/// A label or annotation key of Kubernetes.
const KEY: &str = "^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$";
/// Keys that belong to Kubernetes, Strata or the GitOps tools.
const FOREIGN_KEY: &str = "^([^/]*[.])?(kubernetes[.]io|k8s[.]io|strata-operator[.]dev|argoproj[.]io|fluxcd[.]io)/";

/// The value of a label of Kubernetes.
const VALUE: &str = "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$";
/// Keys that a site may not set on namespaces.
const RESERVED_KEY: &str = "^([^/]*[.])?(kubernetes[.]io|k8s[.]io|strata-operator[.]dev)/";
/// The name of an engine.
const ENGINE: &str = "^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$";

/// That a text hides nothing: columns of kubectl show it as it is.
pub(crate) fn visible() -> String {
    format!("!self.matches('{}')", hidden_pattern())
}
/// The message for a text that does.
pub(crate) const HIDDEN: &str = "the text has an invisible character (a line break, a tab, one without width or that \
                                 turns the direction): type it again";

/// That no parameter of an address opens anything, nor hides its name.
pub(crate) const WITHOUT_CREDENTIALS: &str = "!self.lowerAscii().matches('[?&;#]([^=&;#]*(password|passwd|pwd|passphrase|secret|token|signature|credential|credentials|key|auth|%[^=&;#]*)|([^=&;#]*[_.-])?pass|sig)=')";
/// The message for one that does.
pub(crate) const CREDENTIALS: &str = "an address holds no password, token or signature: put credentials into a Secret";

/// The message for a setting for pods that holds one.
const OPEN_SETTING: &str = "every member reads these settings in the ConfigMap `connections`, so they hold no user, \
                            password, token or key: have the proxy or the index admit the namespaces by their \
                            addresses, or have pods take the credentials from a Secret";

/// The address of a repository. Over ssh a user is no secret.
pub(crate) fn repository(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 2048,
        "x-kubernetes-validations": [
            {"rule": "self.matches('^(https|oci)://[^\\\\s[:cntrl:]@/]+(/[^\\\\s[:cntrl:]]*)?$') || self.matches('^ssh://([^\\\\s[:cntrl:]@/:%]+@)?[^\\\\s[:cntrl:]@/]+(/[^\\\\s[:cntrl:]]*)?$')",
             "message": "a repository is written https://, ssh:// or oci://, without a password or token (over ssh \
                         with the user: ssh://git@git.example.com/a/b): put credentials into a Secret"},
            {"rule": "!self.matches('^[a-z]+://') || (self.matches('^[a-z]+://([^\\\\s@/:]+(:[^\\\\s@/]*)?@)?([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?|[\\\\[][0-9A-Fa-f:.]+[\\\\]])(:[0-9]{1,5})?(/[^?#\\\\\\\\]*)?$') && !self.substring(self.indexOf('://') + 3).matches('//|/([.]|%2[eE]){1,2}(/|$)|%2[fF]'))",
             "message": "a repository is a host, a port of digits where it needs one, and a path without '..', '//', '?' or '#': https://git.example.com/ai/fraud"},
            {"rule": visible(), "message": HIDDEN}
        ]
    })
}

/// One line of text for people.
pub(crate) fn line(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "maxLength": 253,
        "x-kubernetes-validations": [{"rule": visible(), "message": HIDDEN}]
    })
}

/// How long an execution may be under way. A Job counts in nanoseconds, and takes more
/// than this for a time that has passed.
pub(crate) fn active_deadline(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int64", "minimum": 1, "maximum": i32::MAX})
}

/// How long something stays once it ended.
pub(crate) fn ttl(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int64", "minimum": 0, "maximum": i32::MAX})
}

/// A list of user or group names: none empty, none of Kubernetes' own.
pub(crate) fn subjects(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": SUBJECTS,
        "x-kubernetes-list-type": "set",
        "items": {
            "type": "string", "minLength": 1, "maxLength": 253,
            "x-kubernetes-validations": [
                {"rule": "!self.startsWith('system:')",
                 "message": "system:* subjects belong to Kubernetes itself: name people or groups of your identity provider"},
                {"rule": "self.trim() == self && self != '*'",
                 "message": "name one person or group as the identity provider spells it: no spaces around it, no '*'"},
                {"rule": format!("!self.matches('{}')", hidden_but_spaces()), "message": HIDDEN},
                {"rule": format!("!self.matches('{HIDDEN_SPACES}')"), "message": HIDDEN}
            ]
        }
    })
}

/// A list of at most 32 names, each once.
pub(crate) fn names(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "maxItems": 32, "x-kubernetes-list-type": "set",
        "items": {"type": "string", "minLength": 1, "maxLength": 63, "pattern": "^[a-zA-Z0-9]([-a-zA-Z0-9_.]*[a-zA-Z0-9])?$"}
    })
}

/// The name of one object of the cluster.
pub(crate) fn object_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "minLength": 1, "maxLength": 253, "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"})
}

/// A list of at most 16 names that objects of Kubernetes may have.
pub(crate) fn object_names(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "maxItems": 16, "x-kubernetes-list-type": "set",
        "items": {"type": "string", "minLength": 1, "maxLength": 253, "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"}
    })
}

/// A list of at most 32 namespace names.
pub(crate) fn namespaces(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "maxItems": 32, "x-kubernetes-list-type": "set",
        "items": {"type": "string", "minLength": 1, "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"}
    })
}

/// The teams that an offer is made to.
pub(crate) fn teams(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "minItems": 1, "maxItems": 64, "x-kubernetes-list-type": "set",
        "items": {"type": "string", "minLength": 1, "maxLength": 20, "pattern": "^([a-z0-9]([-a-z0-9]*[a-z0-9])?|[*])$"},
        "x-kubernetes-validations": [{
            "rule": "!('*' in self) || size(self) == 1",
            "message": "'*' includes every team: remove the other names, or '*'"
        }]
    })
}

/// Labels: at most 32, keys without a prefix of Kubernetes' own or of Strata's.
pub(crate) fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": 32,
        "additionalProperties": {"type": "string", "maxLength": 63, "pattern": "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"},
        "x-kubernetes-validations": key_rules()
    })
}

/// Keys of labels: at most 32, under the same rules as the labels themselves.
pub(crate) fn label_keys(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "maxItems": 32, "x-kubernetes-list-type": "set",
        "items": {"type": "string", "minLength": 1, "maxLength": 317},
        "x-kubernetes-validations": key_rules()
    })
}

fn key_rules() -> Value {
    json!([
        {"rule": format!("self.all(key, key.matches('{KEY}'))"),
         "message": "a key is a label key of Kubernetes: an optional DNS prefix and a slash, then at most 63 letters, digits, '-', '_' or '.'"},
        {"rule": format!("self.all(key, !key.matches('{FOREIGN_KEY}'))"),
         "message": "label keys of Kubernetes, Strata, Argo CD and Flux are reserved: choose a key of your own"}
    ])
}

/// Annotations: at most 32, none of Strata's own.
pub(crate) fn annotations(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": 32,
        "additionalProperties": {"type": "string", "maxLength": 1024},
        "x-kubernetes-validations": [
            {"rule": format!("self.all(key, key.matches('{KEY}'))"),
             "message": "a key is an annotation key of Kubernetes: an optional DNS prefix and a slash, then at most 63 letters, digits, '-', '_' or '.'"},
            {"rule": "self.all(key, !key.matches('^([^/]*[.])?strata-operator[.]dev/'))",
             "message": "annotations of strata-operator.dev are reserved for Strata: choose another key"}
        ]
    })
}

/// At most 32 strings by key: labels of nodes, amounts by resource.
pub(crate) fn strings(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": 32,
        "additionalProperties": {"type": "string", "maxLength": 1024}
    })
}

/// At most 32 parts in percent, by resource.
pub(crate) fn percentages(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": 32,
        "additionalProperties": {"type": "integer", "format": "int32", "minimum": 0, "maximum": 101}
    })
}

/// At most 100 names that may be used.
pub(crate) fn offered(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "maxItems": 100, "x-kubernetes-list-type": "atomic",
        "items": {"type": "string", "maxLength": 63}
    })
}

/// Settings by the name of an environment variable.
pub(crate) fn environment(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": 32,
        "additionalProperties": {
            "type": "string", "maxLength": 1024,
            "x-kubernetes-validations": [
                {"rule": "!self.matches('(^|[/ ,;=])[^/ ,;=@:]*:[^/ ,;=@]*@|://[^/?#@ ]*@') || self.matches('^(wasbs?|abfss?|ssh)://[^/?#@:% ]+@[^@ ]+$')", "message": OPEN_SETTING},
                {"rule": "!self.matches('(?i)[?&;#].*(\\\\bpass|passw(or)?d|phrase|pwd|secret|token|sig(nature)?|credentials?|key|auth)=')", "message": OPEN_SETTING},
                {"rule": "!self.matches('(?i)[?&;#][^=&;#]*(%[^=&;#]*|_pass)=')", "message": OPEN_SETTING},
                {"rule": format!("!self.matches('{}')", hidden_in_lines()), "message": HIDDEN}
            ]
        },
        "x-kubernetes-validations": [{
            "rule": "self.all(key, key.matches('^[A-Za-z_][A-Za-z0-9_]{0,62}$'))",
            "message": "a setting is named like an environment variable: HTTPS_PROXY"
        }, {
            "rule": "!self.exists(key, key.upperAscii().matches('(^|_)(PASSWORD|PASSWD|PASSPHRASE|PASS|PWD|TOKEN|(ACCESS|API|AUTH|PRIVATE|SECRET)_?KEY)$'))",
            "message": OPEN_SETTING
        }]
    })
}

/// Mirrors by the registry that they stand for.
pub(crate) fn mirrors(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": 32,
        "additionalProperties": {
            "type": "string", "minLength": 1, "maxLength": 512,
            "x-kubernetes-validations": [{
                "rule": format!("self == '' || self.matches('{}')", image::place()),
                "message": "a mirror is a registry, or a folder in one, as a registry takes it: small letters, no scheme, no user, no slash at the end: registry.example.com/quay"
            }]
        },
        "x-kubernetes-validations": [{
            "rule": format!("self.all(key, size(key) <= 259 && key.matches('{}'))", image::host()),
            "message": "a key is a registry's host name in small letters, with a port where it needs one: quay.io"
        }]
    })
}

/// Images by name, each with a tag or a digest.
pub(crate) fn images(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": 64,
        "additionalProperties": {
            "type": "string", "minLength": 1, "maxLength": 512,
            "x-kubernetes-validations": image_rules()
        },
        "x-kubernetes-validations": name_keys("an image")
    })
}

/// Where a team's own images come from.
pub(crate) fn registry(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 512,
        "x-kubernetes-validations": [
            {"rule": "self.endsWith('/')",
             "message": "the folder must end with '/': without it, registry.example.com/ai/fraud would also allow \
                         registry.example.com/ai/fraud-other. Write registry.example.com/ai/${team}/"},
            {"rule": format!("!self.endsWith('/') || self.replace('${{team}}', 'team').matches('{}')", image::folder()),
             "message": "name a folder as a registry takes it, in small letters, without a scheme, a user or '..': registry.example.com/ai/${team}/"}
        ]
    })
}

/// An image of the team's own, with a tag or a digest.
pub(crate) fn image(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 512,
        "x-kubernetes-validations": image_rules()
    })
}

fn image_rules() -> Value {
    json!([{
        "rule": format!("self.matches('{}') && !self.endsWith(':latest')", image::tagged()),
        "message": "name a fixed tag or a digest: registry.example.com/ai/train:1; an image without a tag, or with \
                    `latest`, can change between two pulls"
    }])
}

/// The rule that a map's keys are names which others refer to.
pub(crate) fn name_keys(what: &str) -> Value {
    json!([{
        "rule": "self.all(key, key.matches('^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$'))",
        "message": format!("the name of {what} has at most 40 characters: lower-case letters, digits and hyphens")
    }])
}

/// Numbers of objects by the plural of their kind.
pub(crate) fn counts(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": 6,
        "additionalProperties": {"type": "integer", "format": "int64", "minimum": 0, "maximum": 1_000_000},
        "x-kubernetes-validations": [{
            "rule": "self.all(kind, kind in ['components', 'datasets', 'modelservices', 'pipelines', 'runs', 'workbenches'])",
            "message": "a key is one of the namespaced kinds: components, datasets, modelservices, pipelines, runs or \
                        workbenches"
        }]
    })
}

/// Devices by resource name, and huge pages.
pub(crate) fn device_names(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "maxItems": 32, "x-kubernetes-list-type": "set",
        "items": {
            "type": "string", "minLength": 1, "maxLength": 317,
            "x-kubernetes-validations": [{
                "rule": "self.matches('^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?|hugepages-[0-9A-Za-z]{1,16})$')",
                "message": "a device is named as the node offers it, vendor first: nvidia.com/gpu; huge pages by their size: hugepages-2Mi"
            }]
        }
    })
}

/// Parameters of an engine: their schema is the engine's, so none can stand here.
pub(crate) fn parameters(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": 64,
        "x-kubernetes-preserve-unknown-fields": true
    })
}

/// An object with `${CEL}` in it, without a namespace of its own.
pub(crate) fn template(_: &mut SchemaGenerator) -> Schema {
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
                    "namespace": {"type": "string", "maxLength": 63, "description": "Always the layer's own, so never written here."}
                },
                "description": "Name, labels and annotations.",
                "x-kubernetes-preserve-unknown-fields": true,
                "x-kubernetes-validations": [
                    {"rule": "!has(self.__namespace__)", "message": "an extra goes into every namespace of its layer: remove the namespace"}
                ]
            }
        },
        "x-kubernetes-preserve-unknown-fields": true
    })
}

/// A CIDR block, not made of the metadata address of nodes.
pub(crate) fn cidr(_: &mut SchemaGenerator) -> Schema {
    let within = METADATA.iter().map(|block| format!("cidr('{block}').containsCIDR(self)"));
    let metadata = within.collect::<Vec<_>>().join(" || ");
    json_schema!({
        "type": "string", "minLength": 3, "maxLength": 43,
        "x-kubernetes-validations": [
            {"rule": "isCIDR(self)", "message": "a block is written address/bits: 203.0.113.0/24"},
            {"rule": "!isCIDR(self) || cidr(self).masked() == cidr(self)",
             "message": "the address has bits beyond the mask: write the first address of the block, 203.0.113.0/24"},
            {"rule": format!("!isCIDR(self) || !({metadata})"),
             "message": "the metadata service of nodes answers at this address and gives out credentials of the \
                         node: remove the block. A larger block may include the address, and Strata then excludes \
                         it"}
        ]
    })
}

/// A namespace of this cluster that is not a team's.
pub(crate) fn site_namespace(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "maxLength": 63,
        "x-kubernetes-validations": [
            {"rule": "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
             "message": "name one namespace of this cluster: lower-case letters, digits and hyphens"},
            {"rule": "!self.contains('--')",
             "message": "a namespace with `--` in its name is a team's: let that team offer its service under \
                         `shared.offers`, and name a namespace of the site here"}
        ]
    })
}

/// Labels that pods are selected by.
pub(crate) fn pod_labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": 8,
        "additionalProperties": {"type": "string", "maxLength": 63},
        "x-kubernetes-validations": [{
            "rule": format!("self.all(key, key.matches('{KEY}') && self[key].matches('{VALUE}'))"),
            "message": "these are labels of pods, such as {app: minio}: a key with an optional DNS prefix and a slash, and \
                        a value of letters, digits, '-', '_' or '.'"
        }]
    })
}

/// Ports of name servers.
pub(crate) fn dns_ports(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "minItems": 1, "maxItems": 4, "x-kubernetes-list-type": "set", "default": [53],
        "items": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 65535}
    })
}

/// Labels of namespaces of teams that the site needs.
pub(crate) fn site_labels(_: &mut SchemaGenerator) -> Schema {
    let mut rules = site_key_rules();
    rules.push(json!({
        "rule": format!("self.all(key, self[key].matches('{VALUE}'))"),
        "message": "the value of a label has at most 63 letters, digits, '-', '_' or '.', and begins and ends with a \
                    letter or a digit"
    }));
    json_schema!({
        "type": "object", "maxProperties": 32,
        "additionalProperties": {"type": "string", "maxLength": 63},
        "x-kubernetes-validations": rules
    })
}

/// Annotations of namespaces of teams that the site needs.
pub(crate) fn site_annotations(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": 32,
        "additionalProperties": {"type": "string", "maxLength": 1024},
        "x-kubernetes-validations": site_key_rules()
    })
}

fn site_key_rules() -> Vec<Value> {
    vec![
        json!({
            "rule": format!("self.all(key, key.matches('{KEY}'))"),
            "message": "a key has an optional DNS prefix and a slash, then at most 63 letters, digits, '-', '_' or '.'"
        }),
        json!({
            "rule": format!("self.all(key, !key.matches('{RESERVED_KEY}'))"),
            "message": "keys of kubernetes.io, k8s.io and strata-operator.dev belong to Kubernetes and Strata: remove the \
                        key, or write one of your own or of the tool that reads it, such as istio.io/rev"
        }),
    ]
}

/// The name of a size.
pub(crate) fn size_name(_: &mut SchemaGenerator) -> Schema {
    item_name("a size")
}

/// The name of an egress profile.
pub(crate) fn profile_name(_: &mut SchemaGenerator) -> Schema {
    item_name("an egress profile")
}

fn item_name(what: &str) -> Schema {
    json_schema!({
        "type": "string", "maxLength": 40,
        "x-kubernetes-validations": [{
            "rule": "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
            "message": format!("the name of {what} has at most 40 characters: lower-case letters, digits and hyphens")
        }]
    })
}

/// The name of an engine.
pub(crate) fn engine(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "maxLength": 63,
        "x-kubernetes-validations": [{
            "rule": format!("self.matches('{ENGINE}')"),
            "message": "write the name of an engine in lower-case letters, digits, hyphens and dots: mlflow"
        }]
    })
}

/// Engines in order of preference.
pub(crate) fn engines(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "maxItems": 8, "x-kubernetes-list-type": "set",
        "items": engine(generator)
    })
}
