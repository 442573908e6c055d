//! The CEL rules of the namespaced kinds that span several fields, with
//! the action in each message. Checks across two objects are conditions.

use serde_json::{Value, json};

fn rule(rule: &str, message: &str, field: &str) -> Value {
    let mut value = json!({"rule": rule, "message": message});
    if !field.is_empty() {
        value["fieldPath"] = json!(field);
    }
    value
}

/// The bound on the names of objects whose name becomes part of others' names.
pub(crate) fn name(longest: usize, what: &str) -> Vec<Value> {
    vec![rule(
        &format!(
            "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= {longest}"
        ),
        &format!(
            "the name of {what} has at most {longest} characters, lower-case letters, digits and hyphens, because names of other objects are made of it"
        ),
        ".metadata.name",
    )]
}

/// The bound on the name of what is a Service by that name, and part of the
/// names of a release Job (63 characters at most) and of a CronJob (52).
pub(crate) fn service_name() -> Vec<Value> {
    vec![rule(
        "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 36",
        "the name of a ModelService begins with a letter and has at most 36 characters, lower-case letters, digits and hyphens, because it is a Service's name and names of other objects are made of it",
        ".metadata.name",
    )]
}

/// The names of a component's parameters, inputs and outputs.
pub(crate) fn component() -> Vec<Value> {
    vec![
        rule(
            "has(self.owner) == has(oldSelf.owner)",
            "the owner cannot be changed, added or removed: delete the component and create another",
            ".owner",
        ),
        rule(
            "!has(self.parameters) || ((!has(self.inputs) || self.parameters.all(p, self.inputs.all(i, i.name != p.name))) && (!has(self.outputs) || self.parameters.all(p, self.outputs.all(o, o.name != p.name))))",
            "a parameter has the name of an input or output: $(name) would be ambiguous. Rename one",
            ".parameters",
        ),
        rule(
            "!has(self.inputs) || !has(self.outputs) || self.inputs.all(i, self.outputs.all(o, o.name != i.name))",
            "an input has the name of an output: $(name) would be ambiguous. Rename one",
            ".inputs",
        ),
    ]
}

/// Where a dataset's data is.
pub(crate) fn dataset() -> Vec<Value> {
    vec![
        rule(
            "!(has(self.uri) && has(self.volume)) && (has(self.uri) || has(self.volume) || has(self.usedBy))",
            "set either `uri` or `volume`. A dataset in Live with `usedBy` may leave out both: it then stands for the \
             dataset of the same name in Shared",
            "",
        ),
        rule(
            "has(self.uri) || has(self.volume) || !has(self.splits)",
            "a dataset that stands for one in Shared uses the splits of that one: remove `splits`",
            ".splits",
        ),
        rule(
            "has(self.volume) == has(oldSelf.volume)",
            "a dataset cannot change between `uri` and `volume`: create another",
            "",
        ),
        rule(
            "!has(self.volume) || !has(oldSelf.volume) || !isQuantity(self.volume.size) || !isQuantity(oldSelf.volume.size) || self.volume.size.startsWith('-') || quantity(self.volume.size).compareTo(quantity(oldSelf.volume.size)) >= 0",
            "a volume can only grow: set the earlier size, or more",
            ".volume.size",
        ),
        rule(
            "!has(self.volume) || !isQuantity(self.volume.size) || self.volume.size.startsWith('-') || quantity(self.volume.size).compareTo(quantity('1Mi')) >= 0",
            "a volume has at least 1Mi. If the unit is missing, write for example 10Gi",
            ".volume.size",
        ),
        rule(
            "!has(self.volume) || !has(oldSelf.volume) || (has(self.volume.class) == has(oldSelf.volume.class) && (!has(self.volume.class) || self.volume.class == oldSelf.volume.class) && self.volume.accessMode == oldSelf.volume.accessMode)",
            "class and accessMode of a volume cannot change: create another dataset and copy the data",
            ".volume",
        ),
    ]
}

/// A workbench's home.
pub(crate) fn workbench() -> Vec<Value> {
    vec![
        rule(
            "!isQuantity(self.storage) || !isQuantity(oldSelf.storage) || self.storage.startsWith('-') || quantity(self.storage).compareTo(quantity(oldSelf.storage)) >= 0",
            "a home volume can only grow: set the earlier size, or more",
            ".storage",
        ),
        rule(
            "!isQuantity(self.storage) || self.storage.startsWith('-') || quantity(self.storage).compareTo(quantity('1Mi')) >= 0",
            "a home volume has at least 1Mi. If the unit is missing, write for example 10Gi",
            ".storage",
        ),
    ]
}

const STEP: &str = "(has(s.name) ? s.name : s.component)";
const OTHER: &str = "(has(o.name) ? o.name : o.component)";

/// The steps of a pipeline.
pub(crate) fn pipeline() -> Vec<Value> {
    vec![
        rule(
            &format!("self.steps.all(s, self.steps.exists_one(o, {OTHER} == {STEP}))"),
            "two steps have the same name: give one a `name` of its own",
            ".steps",
        ),
        rule(
            &format!(
                "self.steps.all(s, !has(s.after) || s.after.all(a, a != {STEP} && self.steps.exists(o, {OTHER} == a)))"
            ),
            "`after` names a step that does not exist, or the step itself: name an earlier step",
            ".steps",
        ),
        rule(
            &format!(
                "self.steps.all(s, !has(s.inputs) || s.inputs.all(i, i.step != {STEP} && self.steps.exists(o, {OTHER} == i.step)))"
            ),
            "`inputs` names a step that does not exist, or the step itself: name an earlier step",
            ".steps",
        ),
        rule(
            "!has(self.timeZone) || has(self.schedule)",
            "timeZone is that of `schedule`: add one, or remove timeZone",
            ".timeZone",
        ),
        rule(
            "!has(self.suspend) || !self.suspend || has(self.schedule)",
            "suspend pauses `schedule`: add one, or remove suspend",
            ".suspend",
        ),
    ]
}

/// A run never changes.
pub(crate) fn run() -> Vec<Value> {
    vec![rule("self == oldSelf", "the spec of a run cannot change: create another run", "")]
}

/// The serving part.
pub(crate) fn model_service() -> Vec<Value> {
    vec![
        rule(
            "has(self.runtime) != has(self.image)",
            "set either `runtime`, which serves a model of the registry, or `image`, which contains the model",
            "",
        ),
        rule(
            "!has(self.image) || has(self.model.version)",
            "an image contains one version: name it in model.version. An alias needs a runtime",
            ".model",
        ),
        rule(
            "!has(self.capture) || has(self.runtime)",
            "`capture` needs a runtime: with `image`, the image itself captures requests",
            ".capture",
        ),
    ]
}

/// Which version.
pub(crate) fn model() -> Vec<Value> {
    vec![
        rule("has(self.version) != has(self.alias)", "set either `version` or `alias`", ""),
        rule(
            "!has(self.alias) || !self.alias.matches('^(latest|v[0-9]+)$')",
            "`latest` and v<number> are reserved by the registry: use another alias, such as champion, or name a \
             version",
            ".alias",
        ),
    ]
}

/// How many pods.
pub(crate) fn replicas() -> Vec<Value> {
    vec![rule("!has(self.max) || self.max >= self.min", "max is less than min: raise max or lower min", ".max")]
}
