//! One engine, compiled: every expression parsed, every rule of the file
//! checked. What is left to go wrong at run time is an expression that fails on
//! its values, and that is an error with a path.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::egress::Egress;
use super::expression::bounds::TOGETHER;
use super::expression::{Scope, Variables, with_stack};
use super::inputs::{self, OBJECTS};
use super::kinds::ObjectKind;
use super::parameters::Parameters;
use super::readiness::{self, Verdict};
use super::rules::{Rule, compile_rules, first};
use super::template::{Place, RenderedObject, Template};
use super::tree::Tree;
use super::{EngineError, Fault};
use crate::api::engine::EngineSpec;
use crate::api::kinds::built_in;
use crate::api::vocabulary::Capability;

/// A valid engine.
#[derive(Clone, Debug)]
pub struct CompiledEngine {
    name: String,
    spec: Arc<EngineSpec>,
    parameters: Parameters,
    /// The bounds with which the cost of expressions was estimated.
    variables: Variables,
    templates: Vec<Template>,
    ready: Vec<Rule>,
    failing: Vec<Rule>,
    /// The ids that a rule of `ready` speaks of.
    spoken_for: BTreeSet<String>,
    endpoint: Option<Tree>,
    connections: Vec<(String, Tree)>,
    egress: Egress<Tree>,
}

impl CompiledEngine {
    /// Compiles and checks the whole file.
    pub fn compile(name: &str, spec: &Arc<EngineSpec>) -> Result<Self, EngineError> {
        let compiled = with_stack(|| Self::try_compile(name, spec));
        compiled.unwrap_or_else(|error| Err(Fault::at("objects", error.to_string()))).map_err(|fault| fault.of(name))
    }

    fn try_compile(name: &str, spec: &Arc<EngineSpec>) -> Result<Self, Fault> {
        check_form(spec)?;
        let parameters = Parameters::compile(&spec.parameters).map_err(|fault| fault.under("parameters"))?;
        let variables = variables(&parameters);
        let defaults = json!({"parameters": parameters.with_defaults(&Value::Null)});
        if let Some(fault) = variables.exceeded(&defaults, OBJECTS) {
            return Err(fault);
        }
        let mut templates = Vec::with_capacity(spec.objects.len());
        for (index, object) in spec.objects.iter().enumerate() {
            let template = Template::compile(object, spec.pod_security, &variables);
            templates.push(template.map_err(|fault| fault.item(index).under("objects"))?);
        }
        let (ready, failing) = compile_rules(spec, &variables)?;
        let spoken_for = ready
            .iter()
            .flat_map(|rule: &Rule| rule.when.fields_of(OBJECTS))
            .map(str::to_owned)
            .collect::<BTreeSet<_>>();
        check_judgeable(spec, &templates, &spoken_for)?;
        check_cost(&templates, &ready, &failing)?;
        let endpoint = spec.endpoint.as_deref().map(|text| Tree::compile_text(text, &variables)).transpose();
        let endpoint = endpoint.map_err(|fault| fault.under("endpoint"))?;
        let mut connections = Vec::with_capacity(spec.connections.len());
        for (key, text) in &spec.connections {
            let tree = Tree::compile_text(text, &variables);
            connections.push((key.clone(), tree.map_err(|fault| fault.under(key).under("connections"))?));
        }
        let egress = Egress::compile(spec.egress.as_ref(), &variables).map_err(|fault| fault.under("egress"))?;
        check_cost_of_settings(endpoint.as_ref(), &connections, &egress)?;
        Ok(Self {
            name: name.to_owned(),
            spec: Arc::clone(spec),
            parameters,
            variables,
            templates,
            ready,
            failing,
            spoken_for,
            endpoint,
            connections,
            egress,
        })
    }

    /// The engine's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that this was compiled from: what it requires, its ports, its
    /// rights, its Pod Security level.
    #[must_use]
    pub fn spec(&self) -> &EngineSpec {
        &self.spec
    }

    /// The most steps that rendering its objects takes.
    #[cfg(test)]
    #[must_use]
    pub fn cost(&self) -> u64 {
        self.templates.iter().map(Template::cost).fold(0, u64::saturating_add)
    }

    /// Whether the engine provides the capability.
    #[must_use]
    pub fn provides(&self, capability: Capability) -> bool {
        self.spec.capabilities.contains(&capability)
    }

    /// The kinds that the engine writes, and where: what the operator must be
    /// served, may write and watches.
    pub fn kinds(&self) -> impl Iterator<Item = (&ObjectKind, &Place)> {
        self.templates.iter().map(|template| (&template.kind, &template.place))
    }

    /// The faults of a team's parameters: field and rule.
    #[must_use]
    pub fn parameters_valid(&self, parameters: &Value) -> Vec<String> {
        let too_large = || {
            let filled = json!({"parameters": self.parameters.with_defaults(parameters)});
            self.variables.exceeded(&filled, OBJECTS).map(|fault| fault.to_string())
        };
        let errors = self.parameters.errors(parameters);
        if errors.is_empty() { too_large().into_iter().collect() } else { errors }
    }

    /// The objects that the engine writes, in the order of its file.
    pub fn render(&self, inputs: &Value) -> Result<Vec<RenderedObject>, EngineError> {
        let inputs = self.admitted(inputs)?;
        let scope = Scope::new(&inputs);
        let mut objects = Vec::new();
        for (index, template) in self.templates.iter().enumerate() {
            let rendered = template.render(&scope, &inputs);
            objects.extend(rendered.map_err(|fault| fault.item(index).under("objects").of(&self.name))?);
        }
        if let Some(fault) = twice(&objects) {
            return Err(fault.of(&self.name));
        }
        Ok(objects)
    }

    /// The settings that consumers get.
    pub fn connections(&self, inputs: &Value) -> Result<BTreeMap<String, String>, EngineError> {
        let scope = Scope::new(&self.admitted(inputs)?);
        let mut connections = BTreeMap::new();
        for (key, tree) in &self.connections {
            let text = tree.render_string(&scope);
            if let Some(text) = text.map_err(|fault| fault.under(key).under("connections").of(&self.name))? {
                connections.insert(key.clone(), text);
            }
        }
        Ok(connections)
    }

    /// The way out to the service that the engine stands for.
    pub fn egress(&self, inputs: &Value) -> Result<Egress, EngineError> {
        let scope = Scope::new(&self.admitted(inputs)?);
        self.egress.render(&scope).map_err(|fault| fault.under("egress").of(&self.name))
    }

    /// Where the engine is reached.
    pub fn endpoint(&self, inputs: &Value) -> Result<Option<String>, EngineError> {
        let Some(endpoint) = &self.endpoint else { return Ok(None) };
        endpoint
            .render_string(&Scope::new(&self.admitted(inputs)?))
            .map_err(|fault| fault.under("endpoint").of(&self.name))
    }

    /// What the live objects say, given in `objects` as [`objects_input`] puts
    /// them together. What fails outweighs what is waited for.
    #[must_use]
    pub fn judge(&self, inputs: &Value) -> Verdict {
        let inputs = self.filled(inputs);
        let scope = Scope::new(&inputs);
        match first(&self.failing, true, &scope) {
            Ok(Some(rule)) => return Verdict::failing(rule.reason.clone(), rule.say(&scope)),
            Ok(None) => {}
            Err(beyond) => return beyond,
        }
        let mut waiting = None;
        for template in &self.templates {
            for live in live_objects(template, &inputs[OBJECTS]) {
                match self.judge_object(template, live) {
                    Verdict::Ready => {}
                    failing @ Verdict::Failing { .. } => return failing,
                    verdict @ Verdict::Waiting { .. } => {
                        waiting.get_or_insert(verdict);
                    }
                }
            }
        }
        waiting.unwrap_or_else(|| match first(&self.ready, false, &scope) {
            Ok(Some(rule)) => Verdict::waiting(rule.say(&scope)),
            Ok(None) => Verdict::Ready,
            Err(beyond) => beyond,
        })
    }

    fn judge_object(&self, template: &Template, live: &Value) -> Verdict {
        if live.is_null() {
            return Verdict::waiting(format!("{} ({}) does not exist yet", template.kind.kind, template.id));
        }
        let spoken_for = self.spoken_for.contains(&template.id);
        if spoken_for && live["metadata"]["deletionTimestamp"].is_null() {
            return Verdict::Ready;
        }
        readiness::judge(&template.kind, live)
    }

    /// The inputs with defaults; refused if one of them is larger than the
    /// expressions were counted with, before anything is evaluated.
    fn admitted(&self, inputs: &Value) -> Result<Value, EngineError> {
        let filled = self.filled(inputs);
        match self.variables.exceeded(&filled, OBJECTS) {
            Some(fault) => Err(fault.of(&self.name)),
            None => Ok(filled),
        }
    }

    fn filled(&self, inputs: &Value) -> Value {
        let mut inputs = inputs.clone();
        if let Some(entries) = inputs.as_object_mut() {
            let given = entries.remove("parameters").unwrap_or_default();
            entries.insert("parameters".to_owned(), self.parameters.with_defaults(&given));
        }
        inputs
    }
}

/// The `objects` of a judgement: per id the live object, or null while there is
/// none; for a template with `forEach` the list of them. What an engine does
/// not write for these inputs is not there at all, so rules can ask `has()`.
#[must_use]
pub fn objects_input(rendered: &[RenderedObject], live: impl Fn(&RenderedObject) -> Option<Value>) -> Value {
    let mut objects = Map::new();
    for object in rendered {
        let found = live(object).unwrap_or_default();
        if object.index.is_none() {
            objects.insert(object.id.clone(), found);
        } else if let Value::Array(items) = objects.entry(object.id.clone()).or_insert_with(|| Value::Array(Vec::new()))
        {
            items.push(found);
        }
    }
    Value::Object(objects)
}

fn live_objects<'a>(template: &Template, objects: &'a Value) -> Vec<&'a Value> {
    match objects.get(&template.id) {
        None => Vec::new(),
        Some(Value::Array(items)) if template.for_each.is_some() => items.iter().collect(),
        Some(live) => vec![live],
    }
}

/// What a file can have wrong that its schema would have refused: files that
/// are built in, or are rendered offline, never saw an API server.
fn check_form(spec: &EngineSpec) -> Result<(), Fault> {
    if spec.capabilities.is_empty() {
        return Err(Fault::at("capabilities", "name at least one capability"));
    }
    let mut ids = BTreeSet::new();
    for (index, object) in spec.objects.iter().enumerate() {
        let fault = |path: &str, message: &str| Fault::at(path, message).item(index).under("objects");
        if object.id.is_empty() || !object.id.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(fault("id", "an id is letters and digits, as rules write it: objects.server"));
        }
        if !ids.insert(&object.id) {
            return Err(fault("id", "another object has this id"));
        }
        if let Some(placement) = &object.placement
            && placement.cluster == placement.namespace.is_some()
        {
            return Err(fault("placement", "set either `cluster: true` or one `namespace`"));
        }
        let text = |field: &str| object.template[field].as_str().unwrap_or_default();
        let kind = ObjectKind::new(text("apiVersion"), text("kind"));
        if object.owned_whole && built_in(&kind.group, &kind.kind).is_some() {
            return Err(fault(
                "ownedWhole",
                "this kind is built into Kubernetes and is always managed this way. Remove the field",
            ));
        }
    }
    for key in spec.connections.keys() {
        let upper = key.starts_with(|c: char| c.is_ascii_uppercase());
        if !upper || !key.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_') {
            let fault = Fault::here("a connection is named like an environment variable: MLFLOW_TRACKING_URI");
            return Err(fault.under(key).under("connections"));
        }
    }
    Ok(())
}

fn variables(parameters: &Parameters) -> Variables {
    inputs::variables().with("parameters", parameters.bound())
}

/// The steps of the objects together, and of the rules, are bounded as those of
/// one expression are.
fn check_cost(templates: &[Template], ready: &[Rule], failing: &[Rule]) -> Result<(), Fault> {
    let objects = templates.iter().map(Template::cost).fold(0, u64::saturating_add);
    if objects > TOGETHER {
        let dearest = templates.iter().enumerate().max_by_key(|(_, template)| template.cost());
        let (index, cost) = dearest.map_or((0, 0), |(index, template)| (index, template.cost()));
        let message = format!(
            "the objects may take {objects} steps, and at most {TOGETHER} are allowed. This one takes {cost} of them, \
             for all items of its `forEach` together. Simplify the expressions, or shorten the list"
        );
        return Err(Fault::here(message).item(index).under("objects"));
    }
    let rules = ready.iter().chain(failing).map(Rule::cost).fold(0, u64::saturating_add);
    if rules > TOGETHER {
        let message = format!("the rules may take {rules} steps, and at most {TOGETHER} are allowed. Simplify them");
        return Err(Fault::at("ready", message));
    }
    Ok(())
}

/// The settings for consumers have a common bound, too.
fn check_cost_of_settings(
    endpoint: Option<&Tree>,
    connections: &[(String, Tree)],
    egress: &Egress<Tree>,
) -> Result<(), Fault> {
    let trees = endpoint.into_iter().chain(connections.iter().map(|(_, tree)| tree));
    let trees = trees.chain(&egress.profile).chain(&egress.services);
    let steps = trees.map(Tree::cost).fold(0, u64::saturating_add);
    if steps > TOGETHER {
        let message = format!(
            "the connections, the endpoint and the egress may take {steps} steps, and at most {TOGETHER} are allowed. Simplify them"
        );
        return Err(Fault::at("connections", message));
    }
    Ok(())
}

/// Of a kind that Strata knows nothing of, the file must say when it is ready,
/// and that it needs the kind.
fn check_judgeable(spec: &EngineSpec, templates: &[Template], spoken_for: &BTreeSet<String>) -> Result<(), Fault> {
    for (index, template) in templates.iter().enumerate() {
        if readiness::knows(&template.kind) {
            continue;
        }
        let kind = &template.kind;
        let fault = |message: String| Fault::at("template.kind", message).item(index).under("objects");
        if !spec.requires.iter().any(|required| required.group == kind.group && required.kind == kind.kind) {
            return Err(fault(format!("{} of {} must be named under `requires`", kind.kind, kind.group)));
        }
        if !spoken_for.contains(&template.id) {
            return Err(fault(format!(
                "Strata has no built-in rule for when a {} is ready. Add one under `ready`, with objects.{}",
                kind.kind, template.id
            )));
        }
    }
    Ok(())
}

/// Two templates, or two items of one, that make the same object.
fn twice(objects: &[RenderedObject]) -> Option<Fault> {
    let mut keys = BTreeSet::new();
    objects.iter().find_map(|rendered| {
        let object = &rendered.object;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let metadata = &object["metadata"];
        let key = [&object["apiVersion"], &object["kind"], &metadata["namespace"], &metadata["name"]].map(text);
        let name = key[3].clone();
        let fresh = keys.insert(key);
        (!fresh).then(|| Fault::at("objects", format!("{} makes {name} a second time", rendered.id)))
    })
}

#[cfg(test)]
#[path = "compiled_tests.rs"]
mod tests;
