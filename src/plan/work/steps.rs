//! The steps of a pipeline as they run: components found, connected, given their
//! values and put in order. Each failure names both sides.

use std::collections::BTreeMap;

use super::values::{doubled, expanded, references};
use super::{WorkFacts, component, data, graph, invalid, node, pod};
use crate::api::Issue;
use crate::api::text::bounded;
use crate::api::work::pipeline::{From, PipelineSpec, Step};
use crate::api::work::run::{RunState, StepStatus};
use crate::api::work::{Component, Parameter};
use crate::engine::work::{MountedInputs, SizedInputs, StepInputs, VariableInputs};

/// The longest text of a command that is recorded for one step, all words together.
const RECORDED: usize = 8192;
/// The text that remains when no more words are recorded.
const LEAST: usize = 16;

/// Steps, ready to be run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resolved {
    /// In the order of execution.
    pub steps: Vec<StepInputs>,
    /// Where the pod of all of them may run.
    pub sized: SizedInputs,
    /// The datasets of all of them, each once.
    pub datasets: Vec<MountedInputs>,
    /// The limit of the files that are handed on: the most that the pod may write.
    pub files: String,
    /// Two steps that could run side by side.
    pub side_by_side: Option<(String, String)>,
}

/// A step with all that it names.
struct Found<'a> {
    step: &'a Step,
    namespace: String,
    component: Component,
    image: String,
    sized: SizedInputs,
    datasets: Vec<MountedInputs>,
}

/// The steps of the pipeline with these values for its parameters.
pub fn resolve(
    pipeline: &PipelineSpec,
    values: &BTreeMap<String, String>,
    facts: &WorkFacts<'_>,
) -> Result<Resolved, Issue> {
    let found = pipeline.steps.iter().map(|step| find(step, facts)).collect::<Result<Vec<_>, _>>()?;
    let before = edges(pipeline)?;
    let order = graph::order(&before).map_err(|circle| {
        let names: Vec<&str> = circle.iter().map(|step| pipeline.steps[*step].name()).collect();
        invalid(format!(
            "the steps {} depend on each other in a circle. Remove one `after` or `inputs`",
            names.join(", ")
        ))
    })?;
    let name = |step: usize| pipeline.steps[step].name().to_owned();
    let mut resolved = Resolved {
        side_by_side: graph::side_by_side(&order, &before).map(|(first, second)| (name(first), name(second))),
        sized: node::united(found.iter().map(|found| (found.step.name(), &found.component.spec.size, &found.sized)))?,
        files: node::files(found.iter().map(|found| &found.sized)),
        ..Resolved::default()
    };
    for position in order {
        let one = &found[position];
        resolved.steps.push(step(one, &found, pipeline, values)?);
        for dataset in &one.datasets {
            if !resolved.datasets.iter().any(|known| known.name == dataset.name) {
                resolved.datasets.push(dataset.clone());
            }
        }
    }
    Ok(resolved)
}

/// The component of a step, where the step says that it is, and all it names.
fn find<'a>(step: &'a Step, facts: &WorkFacts<'_>) -> Result<Found<'a>, Issue> {
    let (here, shared) = (facts.namespace.name.clone(), facts.shared());
    let (name, wanted) = (step.name(), &step.component);
    if step.from == From::Workspace && facts.is_live() {
        return Err(invalid(format!(
            "step {name} takes component {wanted} from a Workspace, but pipelines in Live use components of {shared} \
             only. Create it there, and remove `from`"
        )));
    }
    let (namespace, other, instead) = match step.from {
        From::Shared => (shared, (!facts.is_live()).then_some(here), "set `from: Workspace` to use it"),
        From::Workspace => (here, Some(shared), "remove `from` to use it"),
    };
    let Some(component) = facts.neighbours.component(&namespace, wanted)? else {
        let elsewhere = other.filter(|other| matches!(facts.neighbours.component(other, wanted), Ok(Some(_))));
        let hint = elsewhere.map_or_else(
            || {
                let known = facts.neighbours.components(&namespace);
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                format!("available: {}", pod::listed(&known))
            },
            |other| format!("{other} has one: {instead}"),
        );
        return Err(invalid(format!("step {name} names component {wanted}, which {namespace} does not have; {hint}")));
    };
    let whose = format!(" of component {namespace}/{wanted}");
    component::words(&component.spec, &whose)?;
    let image = pod::image(&format!("spec.image{whose}"), &component.spec.image, facts)?;
    let digest = component::digest(&component.spec, &image, facts);
    let user = data::User::Component { name: wanted, digest: &digest, pinned: None };
    Ok(Found {
        image,
        sized: pod::sized(&format!("spec.size{whose}"), &component.spec.size, facts)?,
        datasets: data::given(&format!("spec.datasets{whose}"), &component.spec.datasets, user, facts)?,
        step,
        namespace,
        component,
    })
}

/// The predecessors of each step, by position.
fn edges(pipeline: &PipelineSpec) -> Result<Vec<Vec<usize>>, Issue> {
    let of = |step: &Step| {
        let named = step.inputs.iter().map(|input| &input.step).chain(&step.after);
        let positions = named.map(|wanted| {
            let found = pipeline.steps.iter().position(|other| other.name() == wanted);
            found.ok_or_else(|| {
                let known: Vec<&str> = pipeline.steps.iter().map(Step::name).collect();
                invalid(format!(
                    "step {} has `after` '{wanted}', which is no step. Available: {}",
                    step.name(),
                    known.join(", ")
                ))
            })
        });
        positions.collect::<Result<Vec<_>, _>>()
    };
    pipeline.steps.iter().map(of).collect()
}

fn step(
    found: &Found<'_>,
    all: &[Found<'_>],
    pipeline: &PipelineSpec,
    values: &BTreeMap<String, String>,
) -> Result<StepInputs, Issue> {
    let words = |words: &[String]| (!words.is_empty()).then(|| words.to_vec());
    let (step, spec) = (found.step, &found.component.spec);
    let mut env = arguments(found, pipeline, values)?;
    env.extend(inputs(found, all)?);
    let output = |name: &str| variable(name, &path(step.name(), name));
    env.extend(spec.outputs.iter().map(|file| output(&file.name)));
    Ok(StepInputs {
        name: step.name().to_owned(),
        image: found.image.clone(),
        command: words(&spec.command),
        args: words(&spec.args),
        env,
        resources: found.sized.resources.clone(),
        datasets: found.datasets.clone(),
    })
}

/// A value for each parameter of the component.
fn arguments(
    found: &Found<'_>,
    pipeline: &PipelineSpec,
    values: &BTreeMap<String, String>,
) -> Result<Vec<VariableInputs>, Issue> {
    let (name, wanted) = (found.step.name(), &found.step.component);
    let declared = &found.component.spec.parameters;
    let is_known = |name: &str| declared.iter().any(|known| known.name == name);
    if let Some(unknown) = quoted(found.step.arguments.keys().filter(|name| !is_known(name))) {
        return Err(invalid(format!(
            "step {name} has {unknown}, which component {}/{wanted} does not declare. Available: {}",
            found.namespace,
            parameters(declared)
        )));
    }
    let value = |parameter: &Parameter| {
        let Some(argument) = found.step.arguments.get(&parameter.name) else {
            let default = parameter.default.as_ref().ok_or_else(|| {
                invalid(format!(
                    "component {}/{wanted} needs a value for '{}', which has no default, and step {name} has none. Set \
                     it under `arguments`",
                    found.namespace, parameter.name
                ))
            });
            return Ok(variable(&parameter.name, default?));
        };
        if let Some(unknown) = references(argument).into_iter().find(|key| !values.contains_key(*key)) {
            return Err(invalid(format!(
                "argument '{}' of step {name} refers to $({unknown}), which is no parameter of the pipeline. \
                 Available: {}. Declare it, or write $$({unknown}) for the literal text",
                parameter.name,
                parameters(&pipeline.parameters)
            )));
        }
        Ok(variable(&parameter.name, &expanded(argument, |key| values.get(key).map(String::as_str))))
    };
    declared.iter().map(value).collect()
}

/// The path of each file that the component reads.
fn inputs(found: &Found<'_>, all: &[Found<'_>]) -> Result<Vec<VariableInputs>, Issue> {
    let (name, wanted) = (found.step.name(), &found.step.component);
    let declared: Vec<&str> = found.component.spec.inputs.iter().map(|file| file.name.as_str()).collect();
    let connected = &found.step.inputs;
    if let Some(unknown) = connected.iter().find(|input| !declared.contains(&input.name.as_str())) {
        return Err(invalid(format!(
            "step {name} connects input '{}', which component {}/{wanted} does not read. Available: {}",
            unknown.name,
            found.namespace,
            pod::listed(&declared)
        )));
    }
    let path_of = |file: &&str| {
        let Some(input) = connected.iter().find(|input| input.name == **file) else {
            return Err(invalid(format!(
                "component {}/{wanted} reads input '{file}', which step {name} does not connect. Set `inputs: [{{name: \
                 {file}, step: ..., output: ...}}]`",
                found.namespace
            )));
        };
        let producer = all.iter().find(|other| other.step.name() == input.step);
        let outputs = producer.map(|other| &other.component.spec.outputs).into_iter().flatten();
        let outputs: Vec<&str> = outputs.map(|file| file.name.as_str()).collect();
        if !outputs.contains(&input.output.as_str()) {
            return Err(invalid(format!(
                "step {name} reads output '{}' of step {}, which does not write it. Available: {}",
                input.output,
                input.step,
                pod::listed(&outputs)
            )));
        }
        Ok(variable(file, &path(&input.step, &input.output)))
    };
    declared.iter().map(path_of).collect()
}

fn path(step: &str, output: &str) -> String {
    format!("/run/files/{step}/{output}")
}

fn variable(name: &str, value: &str) -> VariableInputs {
    VariableInputs { name: name.to_owned(), value: doubled(value) }
}

/// The names of parameters for a message.
#[must_use]
pub fn parameters(declared: &[Parameter]) -> String {
    pod::listed(&declared.iter().map(|parameter| parameter.name.as_str()).collect::<Vec<_>>())
}

/// Names for a message, each in quotes; empty without names.
pub fn quoted<'a>(names: impl Iterator<Item = &'a String>) -> Option<String> {
    let names: Vec<String> = names.map(|name| format!("'{name}'")).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// A step as the status of a run records it: image, and command with the values
/// in their places.
#[must_use]
pub fn recorded(step: &StepInputs) -> StepStatus {
    let env: BTreeMap<&str, String> =
        step.env.iter().map(|variable| (variable.name.as_str(), expanded(&variable.value, |_| None))).collect();
    let words = step.command.iter().chain(&step.args).flatten();
    let mut left = RECORDED;
    let mut command = Vec::new();
    for word in words {
        let word = expanded(word, |name| env.get(name).map(String::as_str));
        let word = bounded(word, left.min(4096));
        left = left.saturating_sub(word.len());
        command.push(word);
        if left < LEAST {
            break;
        }
    }
    StepStatus {
        name: step.name.clone(),
        image: step.image.clone(),
        command,
        state: RunState::Pending,
        ..StepStatus::default()
    }
}

#[cfg(test)]
#[path = "steps_tests.rs"]
mod tests;
