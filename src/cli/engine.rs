//! `strata engine`: the faults of the files of engines, and the rights that
//! such a file asks for.
//!
//! From documents to text. Nothing here talks to a cluster or prints; that the
//! rights are applied is the platform's decision, the operator creates none.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::api::engine::{Engine, EngineSpec, RightsRule};
use crate::api::{Capability, GROUP, Layer, Level};
use crate::cli::manifest::{Document, Manifests, yaml};
use crate::engine::expression::{Bound, Expression, Variables, with_stack};
use crate::engine::inputs::{OBJECTS, variables};
use crate::engine::parameters::Parameters;
use crate::engine::template::{Template, compile_rule};
use crate::engine::tree::Tree;
use crate::engine::{CompiledEngine, Fault};

/// Put before the name of a level, this is the label by which the ClusterRole of
/// that level collects rights.
const AGGREGATE: &str = "rbac.strata-operator.dev/aggregate-to";

/// The result of a check of files of engines.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The text for standard output.
    pub text: String,
    /// The warnings.
    pub warnings: Vec<String>,
    /// The problems, one sentence each, with the file and the path in it.
    pub problems: Vec<String>,
}

/// Whether the engines of these documents are sound.
#[must_use]
pub fn check(documents: &[Document]) -> Answer {
    let (mut answer, engines) = engines(documents);
    for (document, name, engine) in engines {
        let faults = faults(&name, &engine.spec);
        if faults.is_empty() {
            answer.text.push_str(&document.place());
            answer.text.push_str(" is sound\n");
        }
        answer.problems.extend(faults.iter().map(|fault| format!("{}: spec.{fault}", document.place())));
    }
    answer
}

/// The ClusterRoles of the rights that the engines of these documents ask for.
#[must_use]
pub fn roles(documents: &[Document]) -> Answer {
    let (mut answer, engines) = engines(documents);
    for (document, name, engine) in engines {
        let roles = cluster_roles(&name, &engine.spec);
        if roles.is_empty() {
            answer.warnings.push(format!("{} asks for no rights: there is nothing to apply", document.place()));
        }
        if !engine.spec.rights.work.is_empty() {
            let place = document.place();
            answer.warnings.push(format!("{place}: spec.rights.work has no effect yet: no role gets these rights"));
        }
        for role in roles {
            answer.text.push_str("---\n");
            answer.text.push_str(&yaml(&role));
        }
    }
    if !answer.problems.is_empty() {
        answer.text.clear();
    }
    answer
}

/// The engines that the API server would accept, each with its place in the files; the
/// others are reported as problems.
fn engines(documents: &[Document]) -> (Answer, Vec<(&Document, String, Engine)>) {
    let mut answer = Answer::default();
    let ours = |document: &&Document| {
        let group = document.text("/apiVersion").and_then(|version| version.split_once('/')).map(|(group, _)| group);
        group == Some(GROUP) && document.text("/kind") == Some("Engine")
    };
    let (found, others): (Vec<&Document>, Vec<&Document>) = documents.iter().partition(ours);
    let passed_over = |document: &&Document| format!("{} is skipped: only Engines are read here", document.place());
    answer.warnings.extend(others.iter().map(passed_over));
    if found.is_empty() {
        answer.problems.push("the files have no Engine".to_owned());
    }
    let together: Vec<Document> = found.iter().map(|document| (*document).clone()).collect();
    if let Err(errors) = Manifests::of(&together) {
        answer.problems.extend(errors.iter().map(ToString::to_string));
    }
    let read = |document| Some((document, Manifests::of(std::slice::from_ref(document)).ok()?));
    let read = found.into_iter().filter_map(read);
    let engines = read.flat_map(|(document, manifests)| {
        manifests.engines.into_iter().map(move |(name, engine)| (document, name, engine))
    });
    (answer, engines.collect())
}

/// Everything that keeps the engine from being compiled. Compiling ends at the
/// first fault; whoever writes a file wants to hear of all of them.
fn faults(name: &str, spec: &EngineSpec) -> Vec<Fault> {
    let mut faults = with_stack(|| parts(spec)).unwrap_or_else(|error| vec![Fault::at("objects", error.to_string())]);
    if let Err(error) = CompiledEngine::compile(name, &spec.clone().into()) {
        let whole = Fault::at(error.path, error.message);
        if !faults.contains(&whole) {
            faults.push(whole);
        }
    }
    faults
}

/// The faults of the file's parts, each part checked alone.
fn parts(spec: &EngineSpec) -> Vec<Fault> {
    let mut faults: Vec<Option<Fault>> = Vec::new();
    let parameters = Parameters::compile(&spec.parameters);
    let mut known = variables().clone();
    match parameters {
        Ok(parameters) => known = known.with("parameters", parameters.bound()),
        Err(fault) => faults.push(Some(fault.under("parameters"))),
    }
    for (index, object) in spec.objects.iter().enumerate() {
        let fault = Template::compile(object, spec.pod_security, &known).err();
        faults.push(fault.map(|fault| fault.item(index).under("objects")));
    }
    let ids: BTreeSet<&str> = spec.objects.iter().map(|object| object.id.as_str()).collect();
    let ready = spec.ready.iter().enumerate().map(|(index, rule)| ("ready", index, &rule.when, &rule.message));
    let failing = spec.failing.iter().enumerate().map(|(index, rule)| ("failing", index, &rule.when, &rule.message));
    for (list, index, when, message) in ready.chain(failing) {
        let found = of_rule(when, message, &ids, &known).into_iter();
        faults.extend(found.map(|fault| Some(fault.item(index).under(list))));
    }
    let endpoint = spec.endpoint.as_deref().and_then(|text| Tree::compile_text(text, &known).err());
    faults.push(endpoint.map(|fault| fault.under("endpoint")));
    for (key, text) in &spec.connections {
        let fault = Tree::compile_text(text, &known).err();
        faults.push(fault.map(|fault| fault.under(key).under("connections")));
    }
    faults.into_iter().flatten().collect()
}

fn of_rule(when: &str, message: &str, ids: &BTreeSet<&str>, known: &Variables) -> Vec<Fault> {
    let variables = known.with(OBJECTS, Bound::unknown());
    let unknown = |rule: &Expression| {
        let id = rule.fields_of(OBJECTS).into_iter().find(|id| !ids.contains(id))?;
        Some(Fault::here(format!("no object has the id `{id}`")))
    };
    let when = match compile_rule(Some(when), &variables) {
        Ok(rule) => rule.as_ref().and_then(unknown),
        Err(fault) => Some(fault),
    };
    let message = Tree::compile_text(message, &variables).err();
    when.map(|fault| fault.under("when")).into_iter().chain(message.map(|fault| fault.under("message"))).collect()
}

/// One ClusterRole per layer and level that gets something, and the operator's.
fn cluster_roles(engine: &str, spec: &EngineSpec) -> Vec<Value> {
    let people = &spec.rights.people;
    let levels = [
        (Level::View, &people.view),
        (Level::Use, &people.r#use),
        (Level::Contribute, &people.contribute),
        (Level::Own, &people.own),
    ];
    let layers: BTreeSet<Layer> = spec.capabilities.iter().copied().map(layer).collect();
    let mut roles = Vec::new();
    for layer in layers.into_iter().map(Layer::kebab) {
        for (level, rules) in levels.iter().filter(|(_, rules)| !rules.is_empty()) {
            let level = level.kebab();
            let name = format!("strata:part:{engine}:{layer}:{level}");
            roles.push(cluster_role(&name, &format!("{AGGREGATE}-{layer}-{level}"), rules));
        }
    }
    if !spec.rights.operator.is_empty() {
        let name = format!("strata:part:{engine}:operator");
        roles.push(cluster_role(&name, &format!("{AGGREGATE}-operator"), &spec.rights.operator));
    }
    roles
}

fn cluster_role(name: &str, label: &str, rules: &[RightsRule]) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": {label: "true"}},
        "rules": rules,
    })
}

/// Where the capability is provided, and so where its objects are.
const fn layer(capability: Capability) -> Layer {
    match capability {
        Capability::Delivery | Capability::Secrets | Capability::Queue | Capability::Metrics => Layer::Backbone,
        Capability::Experiments
        | Capability::Models
        | Capability::FeatureStore
        | Capability::Pipelines
        | Capability::Data
        | Capability::Training => Layer::Shared,
        Capability::Notebook => Layer::Workspace,
        Capability::Serving => Layer::Live,
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
