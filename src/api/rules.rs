//! The CEL rules of the kinds that span several fields, with what to do in
//! each message.
//!
//! Rules on one field alone stand with the field. Only what one object suffices
//! to tell can be a rule; what needs a second object is a condition (`plan`).

use serde_json::{Value, json};

use super::amounts::{float, has_unit, sound};
use super::roles;
use super::vocabulary::Layer;

/// The three things a pod computes with.
const COMPUTE: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

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
        // A block of a project may be null, for a policy to refuse.
        let null = if step == "live" { format!(" && {place} != null") } else { String::new() };
        format!("has({place}){null}")
    });
    format!("({})", steps.collect::<Vec<_>>().join(" && "))
}

/// `requests.cpu` to `limits.ephemeral-storage`: what budgets name, as side and resource.
fn amounts() -> impl Iterator<Item = (&'static str, &'static str)> {
    let requests = COMPUTE.iter().chain(&["storage"]).map(|name| ("requests", *name));
    requests.chain(COMPUTE.iter().map(|name| ("limits", *name)))
}

/// Whether the resource stands in the list at the path.
fn named(from: &str, path: &str, resource: &str) -> String {
    format!("({} && {resource} in {from}.{path})", given(from, path))
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

/// Where explicit shares are: the object and the place in it.
const SHARES: [(&str, &str); 4] =
    [("self", "backbone.share"), ("self", "shared.share"), ("p", "workspace.share"), ("p", "live.share")];

/// The explicit shares never exceed the budget. Sums are made in floating point
/// with a little room, so that `100m` three times fits into `300m`; the plan
/// compares exactly.
pub(crate) fn shares_within_budget() -> Vec<Value> {
    let mut rules: Vec<Value> = amounts()
        .map(|(side, name)| {
            let budget = named("self", &format!("budget.{side}"), &format!("'{name}'"));
            let message = format!(
                "the shares of {side}.{name} exceed the budget: raise it in budget.{side}, or lower it in backbone.share, \
                 shared.share or the share of a project's workspace or live"
            );
            let within = within(side, &format!("'{name}'"));
            rule(&format!("!{budget} || {within}"), &message, &format!(".budget.{side}"))
        })
        .collect();
    let [backbone, shared, workspace, live] = SHARES.map(|(from, share)| devices_known(from, share));
    rules.push(rule(
        &format!(
            "!has(self.budget) || ({backbone} && {shared} && (!has(self.projects) || self.projects.all(p, {workspace} && {live})))"
        ),
        "a share names a device that the budget does not have: add it to budget.requests or remove it from the share",
        ".budget",
    ));
    rules.push(rule(
        &format!(
            "!{} || self.budget.requests.all(d, !d.contains('/') || {})",
            given("self", "budget.requests"),
            within("requests", "d")
        ),
        "the shares of a device exceed the budget: raise it in budget.requests, or lower it in backbone.share, shared.share or the share of a project's workspace or live",
        ".budget.requests",
    ));
    rules
}

/// Whether the share's devices all stand in the budget.
fn devices_known(from: &str, share: &str) -> String {
    let path = format!("{share}.requests");
    let known =
        format!("{from}.{path}.all(d, !d.contains('/') || (has(self.budget.requests) && d in self.budget.requests))");
    format!("(!{} || {known})", given(from, &path))
}

/// Whether the shares of a resource that the budget names are not more than that.
fn within(side: &str, resource: &str) -> String {
    let [backbone, shared, workspace, live] = SHARES.map(|(from, share)| {
        let path = format!("{share}.{side}");
        let value = format!("{from}.{path}[{resource}]");
        format!("({} && {} ? {} : 0.0)", named(from, &path, resource), sound(&value), float(&value))
    });
    let budget = format!("self.budget.{side}[{resource}]");
    format!(
        "!{} || {backbone} + {shared} + (has(self.projects) && size(self.projects) > 0 ? self.projects.map(p, \
         {workspace} + {live}).sum() : 0.0) <= {} * 1.000000001",
        sound(&budget),
        float(&budget)
    )
}

/// Nothing requests more than it may use.
pub(crate) fn requests_within_limits() -> Vec<Value> {
    COMPUTE
        .iter()
        .map(|name| {
            let resource = format!("'{name}'");
            rule(
                &not_more(("requests", "self.requests"), ("limits", "self.limits"), &resource),
                &format!("requests.{name} is more than limits.{name}: lower the request or raise the limit"),
                ".requests",
            )
        })
        .collect()
}

/// That an amount of the first list is not more than that of the second, where both name
/// it. A list is a path from the object, and the same with the object.
fn not_more(less: (&str, &str), more: (&str, &str), resource: &str) -> String {
    let (lower, higher) = (format!("{}[{resource}]", less.1), format!("{}[{resource}]", more.1));
    format!(
        "!{} || !{} || !{} || !{} || {} <= {} * 1.000000001",
        named("self", less.0, resource),
        named("self", more.0, resource),
        sound(&lower),
        sound(&higher),
        float(&lower),
        float(&higher)
    )
}

/// That the size of a volume has a unit.
pub(crate) fn size_of_volume() -> Vec<Value> {
    vec![rule(&has_unit("self"), "a volume has at least 1Mi. If the unit is missing, write for example 10Gi", "")]
}

/// A device has one number, whatever side names it.
pub(crate) fn size() -> Vec<Value> {
    let mut rules = requests_within_limits();
    rules.push(rule(
        "!has(self.requests) || !has(self.limits) || self.requests.all(d, !d.contains('/') || !(d in self.limits) || self.limits[d] == self.requests[d])",
        "requests and limits of a device are the same in a pod: write the device once, under requests",
        ".limits",
    ));
    rules
}

/// The default budget is one that a team could ask for.
pub(crate) fn default_within_maximum() -> Vec<Value> {
    let lists = |side: &str| (format!("default.{side}"), format!("maximum.{side}"));
    let not_more = |side: &str, resource: &str| {
        let (default, maximum) = lists(side);
        let (own_default, own_maximum) = (format!("self.{default}"), format!("self.{maximum}"));
        not_more((&default, &own_default), (&maximum, &own_maximum), resource)
    };
    let mut rules: Vec<Value> = amounts()
        .map(|(side, name)| {
            let message = format!(
                "default.{side}.{name} is more than maximum.{side}.{name}, so no team could have it: lower the default or raise the maximum"
            );
            rule(&not_more(side, &format!("'{name}'")), &message, &format!(".default.{side}"))
        })
        .collect();
    rules.push(rule(
        &format!(
            "!{} || self.default.requests.all(d, !d.contains('/') || {})",
            given("self", "default.requests"),
            not_more("requests", "d")
        ),
        "the default has more of a device than the maximum, so no team could have it: lower the default or raise the maximum",
        ".default.requests",
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

/// The values of a role of the Blueprint.
pub(crate) fn role() -> Vec<Value> {
    let quoted = |names: Vec<String>| format!("['{}']", names.join("', '"));
    let builtin = || roles::BUILTIN.iter().map(|role| role.name);
    let exact = quoted(builtin().map(str::to_owned).collect());
    let lower = quoted(builtin().map(str::to_ascii_lowercase).collect());
    let with_level = |layer: &Layer| {
        let cell = layer.kebab();
        let having = roles::BUILTIN.iter().filter(|role| role.level(*layer).is_some());
        let having = quoted(having.map(|role| role.name.to_owned()).collect());
        format!("(added.layer != '{layer}' || (has(self.{cell}) ? self.{cell} != 'None' : self.name in {having}))")
    };
    let levels = Layer::ALL.iter().map(with_level).collect::<Vec<_>>().join(" && ");
    let names = builtin().collect::<Vec<_>>().join(", ");
    vec![
        rule(
            &format!("!(self.name.lowerAscii() in {lower}) || self.name in {exact}"),
            &format!(
                "the name differs from a built-in role in capitals alone. Write it as it is built in, or choose another: {names}"
            ),
            ".name",
        ),
        rule(
            &format!("!has(self.add) || self.add.all(added, {levels})"),
            "a right in `add` needs a level in its layer. Set the level of that layer, or remove the right",
            ".add",
        ),
        rule(
            "!has(self.add) || self.add.all(added, added.right != 'Pipelines' || added.layer in ['Workspace', 'Live'])",
            "there are pipelines in Workspace and Live only. Remove the right Pipelines in other layers",
            ".add",
        ),
    ]
}

/// The names of the roles of a Blueprint: the names of bindings have no capitals.
pub(crate) fn role_names() -> Vec<Value> {
    vec![rule(
        "self.all(role, self.exists_one(other, other.name.lowerAscii() == role.name.lowerAscii()))",
        "the names of two roles differ in capitals alone. Rename one of them, or remove it",
        "",
    )]
}

/// The content that an egress profile needs to open anything.
pub(crate) fn egress() -> Vec<Value> {
    vec![
        rule(
            "has(self.to) || !has(self.ports)",
            "ports alone open nothing: name blocks of addresses or namespaces in `to`",
            ".ports",
        ),
        rule(
            "(has(self.to) && size(self.to) > 0) || (has(self.env) && size(self.env) > 0)",
            "the profile is empty: name blocks of addresses or namespaces in `to`, settings in `env`, or both",
            "",
        ),
    ]
}

/// The two kinds of places that a way out may lead to.
pub(crate) fn egress_peer() -> Vec<Value> {
    vec![
        rule(
            "has(self.cidr) != has(self.__namespace__)",
            "a way leads to a block of addresses or to a namespace of this cluster: set either `cidr` or `namespace`",
            "",
        ),
        rule(
            "!has(self.podLabels) || !has(self.cidr) || has(self.__namespace__)",
            "podLabels choose pods of this cluster, not addresses: name their `namespace` instead of `cidr`",
            ".podLabels",
        ),
    ]
}

/// The order of a range of ports.
pub(crate) fn egress_port() -> Vec<Value> {
    vec![rule(
        "!has(self.endPort) || self.endPort >= self.port",
        "the range ends before it begins: raise `endPort`, or lower `port`",
        ".endPort",
    )]
}

/// A pace for what has one.
pub(crate) fn upgrades() -> Vec<Value> {
    vec![rule(
        "!has(self.teamsAtOnce) || (has(self.policy) && self.policy == 'Automatic')",
        "`teamsAtOnce` is for automatic upgrades. Set `policy` to Automatic, or remove it",
        ".teamsAtOnce",
    )]
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
