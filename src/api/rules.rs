//! The CEL rules of the kinds that span several fields, with what to do in
//! each message.
//!
//! Rules on one field alone stand with the field. Only what one object suffices
//! to tell can be a rule; what needs a second object is a condition (`plan`).

use serde_json::{Value, json};

/// The three things a pod computes with, as their fields are spelled.
const COMPUTE: [&str; 3] = ["cpu", "memory", "ephemeralStorage"];

/// Where a rule on an object's own name is reported.
const NAME: &str = ".metadata.name";

/// One rule, reported at `field` below the place where the rule stands.
fn rule(rule: &str, message: &str, field: &str) -> Value {
    let mut value = json!({"rule": rule, "message": message});
    if !field.is_empty() {
        value["fieldPath"] = json!(field);
    }
    value
}

/// Whether every step of the path exists. Optional access would read better,
/// and the API server would price it as if nothing were bounded.
fn given(from: &str, path: &str) -> String {
    let mut place = from.to_owned();
    let steps = path.split('.').map(|step| {
        place = format!("{place}.{step}");
        format!("has({place})")
    });
    format!("({})", steps.collect::<Vec<_>>().join(" && "))
}

/// Whether the amount is a quantity: any other text has a message of its own.
pub(crate) fn sound(amount: &str) -> String {
    format!("isQuantity({amount}) && !{amount}.startsWith('-')")
}

/// `requests.cpu` to `limits.ephemeralStorage`, and `storage`.
fn amounts() -> Vec<String> {
    let mut paths: Vec<String> =
        ["requests", "limits"].iter().flat_map(|side| COMPUTE.map(|name| format!("{side}.{name}"))).collect();
    paths.push("storage".to_owned());
    paths
}

/// The name of a team.
pub(crate) fn team_name() -> Vec<Value> {
    vec![
        rule(
            "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
            "the name of a team is part of its namespaces' names: use lower-case letters, digits and single hyphens",
            NAME,
        ),
        rule(
            "size(self.metadata.name) >= 3 && size(self.metadata.name) <= 20",
            "the name of a team has 3 to 20 characters: choose a longer or shorter one",
            NAME,
        ),
        rule(
            "!self.metadata.name.contains('--')",
            "'--' separates the parts of a namespace's name: use single hyphens in the name of a team",
            NAME,
        ),
        rule(
            "!(self.metadata.name in ['backbone', 'shared', 'live', 'strata', 'kube', 'openshift']) && !self.metadata.name.startsWith('kube-') && !self.metadata.name.startsWith('openshift-')",
            "'backbone', 'shared', 'live', 'strata', 'kube', 'openshift' and names that begin with 'kube-' or \
             'openshift-' are reserved: choose another name for the team",
            NAME,
        ),
    ]
}

/// A team neither borrows from itself nor offers to itself.
pub(crate) fn team_apart() -> Vec<Value> {
    vec![
        rule(
            "!has(self.spec.projects) || self.spec.projects.all(p, !has(p.uses) || p.uses.all(u, u.team != self.metadata.name))",
            "`uses` names the team itself: its projects have the team's own Shared layer already, so remove the entry",
            ".spec.projects",
        ),
        rule(
            "!has(self.spec.shared) || !has(self.spec.shared.offers) || self.spec.shared.offers.all(o, !(self.metadata.name in o.to))",
            "`offers` names the team itself: its projects have the team's own Shared layer already, so remove the team from `to`",
            ".spec.shared.offers",
        ),
    ]
}

/// Names by which teams refer to Blueprints and Engines.
pub(crate) fn short_name(kind: &str) -> Vec<Value> {
    vec![rule(
        "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$')",
        &format!("the name of {kind} has at most 63 characters: lower-case letters, digits and hyphens, no dots"),
        NAME,
    )]
}

/// The explicit shares never exceed the budget. Sums are made in floating point
/// with a little room, so that `100m` three times fits into `300m`; the plan
/// compares exactly.
pub(crate) fn shares_within_budget() -> Vec<Value> {
    let mut rules: Vec<Value> = amounts().iter().map(|path| share_rule(path)).collect();
    rules.push(rule(
        &format!(
            "!has(self.budget) || ({} && {} && (!has(self.projects) || self.projects.all(p, {} && {})))",
            devices_known("self", "backbone.share"),
            devices_known("self", "shared.share"),
            devices_known("p", "share.workspace"),
            devices_known("p", "share.live"),
        ),
        "a share names a device that the budget does not have: add it to budget.devices or remove it from the share",
        ".budget",
    ));
    rules.push(rule(
        &format!(
            "!{} || self.budget.devices.all(d, {} + {} + (has(self.projects) && size(self.projects) > 0 ? self.projects.map(p, {} + {}).sum() : 0) <= self.budget.devices[d])",
            given("self", "budget.devices"),
            devices_counted("self", "backbone.share"),
            devices_counted("self", "shared.share"),
            devices_counted("p", "share.workspace"),
            devices_counted("p", "share.live"),
        ),
        "the shares of a device exceed the budget: raise it in budget.devices, or lower it in backbone.share, shared.share or a project's share",
        ".budget.devices",
    ));
    rules
}

/// Whether the share's devices all stand in the budget.
fn devices_known(from: &str, share: &str) -> String {
    let path = format!("{share}.devices");
    format!("(!{} || (has(self.budget.devices) && {from}.{path}.all(d, d in self.budget.devices)))", given(from, &path))
}

/// How many of device `d` the share takes.
fn devices_counted(from: &str, share: &str) -> String {
    let path = format!("{share}.devices");
    format!("({} && d in {from}.{path} ? {from}.{path}[d] : 0)", given(from, &path))
}

fn share_rule(path: &str) -> Value {
    let amount = |from: &str, place: &str| {
        let path = format!("{place}.{path}");
        let amount = format!("{from}.{path}");
        format!("({} && {} ? quantity({amount}).asApproximateFloat() : 0.0)", given(from, &path), sound(&amount))
    };
    let text = format!(
        "!{} || !({}) || {} + {} + (has(self.projects) && size(self.projects) > 0 ? self.projects.map(p, {} + {}).sum() : 0.0) <= {} * 1.000000001",
        given("self", &format!("budget.{path}")),
        sound(&format!("self.budget.{path}")),
        amount("self", "backbone.share"),
        amount("self", "shared.share"),
        amount("p", "share.workspace"),
        amount("p", "share.live"),
        amount("self", "budget"),
    );
    let message = format!(
        "the shares of {path} exceed the budget: raise budget.{path}, or lower it in backbone.share, shared.share or a project's share"
    );
    rule(&text, &message, &format!(".budget.{path}"))
}

/// Nothing requests more than it may use.
pub(crate) fn requests_within_limits() -> Vec<Value> {
    COMPUTE
        .iter()
        .map(|name| {
            rule(
                &format!(
                    "!{} || !{} || !({}) || !({}) || quantity(self.requests.{name}).compareTo(quantity(self.limits.{name})) <= 0",
                    given("self", &format!("requests.{name}")),
                    given("self", &format!("limits.{name}")),
                    sound(&format!("self.requests.{name}")),
                    sound(&format!("self.limits.{name}")),
                ),
                &format!("requests.{name} is more than limits.{name}: lower the request or raise the limit"),
                &format!(".requests.{name}"),
            )
        })
        .collect()
}

/// The default budget is one that a team could ask for.
pub(crate) fn default_within_maximum() -> Vec<Value> {
    let both = |path: &str| {
        let default = given("self", &format!("default.{path}"));
        format!("!{default} || !{}", given("self", &format!("maximum.{path}")))
    };
    let mut rules: Vec<Value> = amounts()
        .iter()
        .map(|path| {
            rule(
                &format!(
                    "{} || !({}) || !({}) || quantity(self.default.{path}).compareTo(quantity(self.maximum.{path})) <= 0",
                    both(path),
                    sound(&format!("self.default.{path}")),
                    sound(&format!("self.maximum.{path}")),
                ),
                &format!("default.{path} is more than maximum.{path}, so no team could have it: lower the default or raise the maximum"),
                &format!(".default.{path}"),
            )
        })
        .collect();
    rules.push(rule(
        &format!(
            "{} || self.default.devices.all(d, !(d in self.maximum.devices) || self.default.devices[d] <= self.maximum.devices[d])",
            both("devices")
        ),
        "the default has more of a device than the maximum, so no team could have it: lower the default or raise the maximum",
        ".default.devices",
    ));
    rules
}

/// A team offers what it has, and `*` already means everyone.
pub(crate) fn offers() -> Vec<Value> {
    let has = |capability: &str, field: &str| {
        format!(
            "(o.capability == '{capability}' && has(self.{field}) && (!has(self.{field}.enabled) || self.{field}.enabled))"
        )
    };
    let any = [
        has("Experiments", "experiments"),
        has("Models", "models"),
        has("FeatureStore", "featureStore"),
        has("Pipelines", "pipelines"),
        has("Data", "datasets"),
        has("Training", "training"),
    ]
    .join(" || ");
    vec![rule(
        &format!("!has(self.offers) || self.offers.all(o, {any})"),
        "a team offers what its Shared layer has: add the capability's block beside `offers` (experiments, models, featureStore, pipelines, datasets or training), or remove the offer",
        ".offers",
    )]
}

/// Production settings need a production side.
pub(crate) fn live_share_needs_live() -> Vec<Value> {
    vec![rule(
        "!has(self.share) || !has(self.share.live) || has(self.live)",
        "share.live needs a production side: add `live: {}` to the project, or remove share.live",
        ".share.live",
    )]
}

/// The needs of delivery from a repository.
pub(crate) fn delivery() -> Vec<Value> {
    vec![
        rule(
            "!has(self.engine) || !(self.engine in ['argo-cd', 'flux']) || has(self.repository)",
            "this engine delivers from a repository: name it in `repository`",
            ".repository",
        ),
        rule(
            "!has(self.managesTeam) || !self.managesTeam || has(self.repository)",
            "managesTeam lets a repository change the team: name it in `repository`",
            ".managesTeam",
        ),
    ]
}

/// The values of a cell of the role table.
pub(crate) fn cell() -> Vec<Value> {
    vec![
        rule(
            "!has(self.guardrails) || !self.guardrails || has(self.level)",
            "guardrails adds to a level: name the level, View at least",
            ".guardrails",
        ),
        rule(
            "!has(self.pipelines) || !self.pipelines || (has(self.level) && self.layer in ['Workspace', 'Live'])",
            "pipelines adds to a level, and there are pipelines in Workspace and Live only: name the level, or remove it",
            ".pipelines",
        ),
    ]
}

/// The content that an egress profile needs to open anything.
pub(crate) fn egress() -> Vec<Value> {
    vec![
        rule(
            "has(self.cidrs) || !has(self.ports)",
            "ports alone open nothing: name the blocks of addresses in `cidrs`",
            ".ports",
        ),
        rule(
            "(has(self.cidrs) && size(self.cidrs) > 0) || (has(self.env) && size(self.env) > 0)",
            "the profile is empty: name blocks of addresses in `cidrs`, settings in `env`, or both",
            "",
        ),
    ]
}

/// The values of a toleration, as Kubernetes checks them on pods.
pub(crate) fn toleration() -> Vec<Value> {
    vec![
        rule(
            "!has(self.operator) || self.operator != 'Exists' || !has(self.value) || self.value == ''",
            "a toleration with operator Exists has no value: remove it",
            ".value",
        ),
        rule(
            "(has(self.key) && self.key != '') || (has(self.operator) && self.operator == 'Exists')",
            "a toleration without a key tolerates every taint: say so with operator Exists",
            ".key",
        ),
    ]
}
