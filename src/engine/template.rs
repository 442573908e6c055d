//! The objects of an engine: `forEach`, `when`, `placement`, and the template
//! itself. What may stand in a template is checked when it is compiled, and of
//! what only its expressions tell, when it is rendered.

use serde_json::Value;

use super::expression::{Bound, Expression, Scope, Variables};
use super::inputs::{INDEX, ITEM};
use super::kinds::{self, ObjectKind};
use super::text::has_expression;
use super::tree::Tree;
use super::{Fault, pod_security};
use crate::api::engine::{ObjectTemplate, Placement, PodSecurity};
use crate::api::labels;

/// The most objects that one `forEach` makes.
pub const FOR_EACH: usize = 256;

/// Where an object goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// Into the namespace of the engine's layer.
    #[default]
    Layer,
    /// Nowhere: it is cluster-scoped.
    Cluster,
    /// Into this namespace, outside the team's own.
    Namespace(String),
}

impl From<Option<&Placement>> for Place {
    fn from(placement: Option<&Placement>) -> Self {
        match placement {
            None => Self::Layer,
            Some(Placement { namespace: Some(namespace), .. }) => Self::Namespace(namespace.clone()),
            Some(Placement { namespace: None, .. }) => Self::Cluster,
        }
    }
}

/// An object, ready to be labelled and written.
#[derive(Clone, Debug, PartialEq)]
pub struct RenderedObject {
    /// The id of its template.
    pub id: String,
    /// Its position, if the template has `forEach`.
    pub index: Option<usize>,
    /// The object, with its namespace.
    pub object: Value,
    /// Where it goes.
    pub place: Place,
}

/// A compiled [`ObjectTemplate`].
#[derive(Clone, Debug)]
pub struct Template {
    /// The id.
    pub id: String,
    /// The kind, which is literal.
    pub kind: ObjectKind,
    /// Where its objects go.
    pub place: Place,
    /// Whether it makes a list of objects.
    pub for_each: Option<Expression>,
    when: Option<Expression>,
    tree: Tree,
    level: PodSecurity,
    owned_whole: bool,
}

impl Template {
    /// Compiles and checks the template.
    pub fn compile(source: &ObjectTemplate, level: PodSecurity, variables: &Variables) -> Result<Self, Fault> {
        let within = |fault: Fault| fault.under("template");
        let kind = check(&source.template).map_err(within)?;
        let for_each = compile_rule(source.for_each.as_deref(), variables).map_err(|fault| fault.under("forEach"))?;
        let known = match &for_each {
            Some(list) => variables.with(ITEM, list.bound().each()).with(INDEX, Bound::scalar()),
            None => variables.clone(),
        };
        let template = Self {
            id: source.id.clone(),
            kind,
            place: Place::from(source.placement.as_ref()),
            for_each,
            when: compile_rule(source.when.as_deref(), &known).map_err(|fault| fault.under("when"))?,
            tree: Tree::compile(&source.template, &known).map_err(within)?,
            level,
            owned_whole: source.owned_whole,
        };
        if let Some(name) = source.template["metadata"]["name"].as_str().filter(|name| !has_expression(name))
            && let Some(message) = template.name_refused(name, None)
        {
            return Err(Fault::at("template.metadata.name", message));
        }
        pod_security::check(&source.template, level).map_err(within)?;
        Ok(template)
    }

    /// The most steps that rendering takes, for all items together.
    #[must_use]
    pub fn cost(&self) -> u64 {
        let one = self.when.as_ref().map_or(0, Expression::cost).saturating_add(self.tree.cost());
        match &self.for_each {
            Some(list) => one.saturating_mul(list.bound().size.length).saturating_add(list.cost()),
            None => one,
        }
    }

    /// The objects that the template makes of these variables.
    pub fn render(&self, scope: &Scope<'_>, inputs: &Value) -> Result<Vec<RenderedObject>, Fault> {
        let Some(for_each) = &self.for_each else {
            return Ok(self.render_one(scope, inputs, None)?.into_iter().collect());
        };
        let items = match for_each.evaluate(scope) {
            Ok(Value::Array(items)) => items,
            Ok(Value::Null) => Vec::new(),
            Ok(_) => return Err(Fault::at("forEach", "the expression must yield a list")),
            Err(error) => return Err(Fault::at("forEach", error.to_string())),
        };
        if items.len() > FOR_EACH {
            return Err(Fault::at(
                "forEach",
                format!("{} items; one list may make at most {FOR_EACH} objects", items.len()),
            ));
        }
        let mut objects = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let position = Value::from(index);
            let scope = scope.with(&[(ITEM, item), (INDEX, &position)]);
            let object = self.render_one(&scope, inputs, Some(index));
            objects.extend(
                object.map_err(|fault| Fault { message: format!("item {index}: {}", fault.message), ..fault })?,
            );
        }
        Ok(objects)
    }

    fn render_one(
        &self,
        scope: &Scope<'_>,
        inputs: &Value,
        index: Option<usize>,
    ) -> Result<Option<RenderedObject>, Fault> {
        if let Some(when) = &self.when {
            match when.evaluate(scope) {
                Ok(Value::Bool(true)) => {}
                Ok(Value::Bool(false)) => return Ok(None),
                Ok(_) => return Err(Fault::at("when", "the expression must yield true or false")),
                Err(error) => return Err(Fault::at("when", error.to_string())),
            }
        }
        let within = |fault: Fault| fault.under("template");
        let rendered = self.tree.render(scope).map_err(within)?;
        let mut object = rendered.ok_or_else(|| Fault::at("template", "the object is null"))?;
        self.check_rendered(&object, inputs).map_err(within)?;
        let namespace = match &self.place {
            Place::Layer => inputs["namespace"].as_str(),
            Place::Cluster => None,
            Place::Namespace(namespace) => Some(namespace.as_str()),
        };
        if let (Some(namespace), Some(metadata)) = (namespace, object["metadata"].as_object_mut()) {
            metadata.insert("namespace".to_owned(), Value::from(namespace));
        }
        if self.owned_whole {
            // Readers have no other way to identify the object.
            object["metadata"]["annotations"][labels::OWNED_WHOLE] = Value::from("true");
        }
        Ok(Some(RenderedObject { id: self.id.clone(), index, object, place: self.place.clone() }))
    }

    /// The checks that need the rendered object.
    fn check_rendered(&self, object: &Value, inputs: &Value) -> Result<(), Fault> {
        let Some(name) = object["metadata"]["name"].as_str().filter(|name| !name.is_empty()) else {
            return Err(Fault::at("metadata.name", "the name is empty or not text"));
        };
        // `metadata` may be one expression.
        if !object["metadata"]["namespace"].is_null() {
            return Err(Fault::at("metadata.namespace", NAMESPACE));
        }
        let team = inputs["team"]["name"].as_str().unwrap_or_default();
        if let Some(message) = self.name_refused(name, Some(team)) {
            return Err(Fault::at("metadata.name", message));
        }
        pod_security::check(object, self.level)
    }

    fn name_refused(&self, name: &str, team: Option<&str>) -> Option<String> {
        match (&self.place, team) {
            (Place::Layer, _) => kinds::reserved(name),
            (_, Some(team)) => kinds::foreign(name, team),
            (_, None) => {
                Some("a literal name would be the same for every team. Begin the name with ${team.name}".to_owned())
            }
        }
    }
}

const NAMESPACE: &str = "the namespace is always that of the layer: set another one in `placement`";

/// The literal and the required fields.
fn check(template: &Value) -> Result<ObjectKind, Fault> {
    let literal = |key: &str| match template[key].as_str() {
        Some(text) if !text.is_empty() && !has_expression(text) => Ok(text),
        Some(_) => Err(Fault::at(key, "must be literal")),
        None => Err(Fault::at(key, "is missing")),
    };
    let kind = ObjectKind::new(literal("apiVersion")?, literal("kind")?);
    if let Some(message) = kind.forbidden() {
        return Err(Fault::at("kind", message));
    }
    let metadata = &template["metadata"];
    if !metadata["name"].is_string() {
        return Err(Fault::at("metadata.name", "is missing"));
    }
    if !metadata["namespace"].is_null() {
        return Err(Fault::at("metadata.namespace", NAMESPACE));
    }
    for (field, why) in [
        ("ownerReferences", "objects of engines may not have owners"),
        ("finalizers", "objects of engines may not have finalizers, which could block the deletion of the namespace"),
        ("generateName", "an object needs a fixed name: generateName is not allowed"),
    ] {
        if !metadata[field].is_null() {
            return Err(Fault::at(format!("metadata.{field}"), why));
        }
    }
    Ok(kind)
}

/// A rule is plain CEL; `${...}` around the whole of it is allowed.
pub fn compile_rule(source: Option<&str>, variables: &Variables) -> Result<Option<Expression>, Fault> {
    let Some(source) = source else { return Ok(None) };
    let source = source.trim();
    let bare = source.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).unwrap_or(source);
    Expression::compile(bare, variables).map(Some).map_err(|error| Fault::here(error.to_string()))
}
