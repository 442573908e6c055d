//! The Blueprint's extras: objects that every namespace of a layer gets, in the
//! template language of engines and under the same restrictions.

use super::{ExtraObject, NamespacePlan, Problem, Scope, inputs};
use crate::api::blueprint::Extra;
use crate::api::engine::{ObjectTemplate, PodSecurity};
use crate::api::team::AITeam;
use crate::api::{BlueprintSpec, Reason};
use crate::engine::expression::bounds::{TOGETHER, count};
use crate::engine::expression::{Scope as Values, with_stack};
use crate::engine::inputs::variables;
use crate::engine::template::Template;

/// The extras of every namespace, and their problems.
#[must_use]
pub fn extras(
    team: &AITeam,
    blueprint: &BlueprintSpec,
    namespaces: &[NamespacePlan],
) -> (Vec<ExtraObject>, Vec<Problem>) {
    let mut objects = Vec::new();
    let mut problems = Vec::new();
    let asked: Vec<(&Extra, Vec<&NamespacePlan>)> = blueprint
        .extras
        .iter()
        .map(|extra| {
            let of_layer = |place: &&NamespacePlan| place.layer == extra.layer && !place.retained;
            (extra, namespaces.iter().filter(of_layer).collect())
        })
        .filter(|(_, places): &(&Extra, Vec<&NamespacePlan>)| !places.is_empty())
        .collect();
    let mut left = TOGETHER;
    for ((extra, places), template) in asked.iter().zip(compile_all(&asked)) {
        let template = match template.and_then(|template| affordable(template, places.len(), &mut left)) {
            Ok(template) => template,
            Err(message) => {
                problems.push(broken(extra, Scope::Team, &message));
                continue;
            }
        };
        for place in places {
            let inputs = inputs::base(team, blueprint, &place.name, place.layer, place.project.as_deref()).to_value();
            match template.render(&Values::new(&inputs), &inputs) {
                Ok(rendered) => objects.extend(
                    rendered
                        .into_iter()
                        .map(|rendered| ExtraObject { namespace: place.name.clone(), object: rendered.object }),
                ),
                Err(fault) => problems.push(broken(extra, Scope::Namespace(place.name.clone()), &fault.to_string())),
            }
        }
    }
    (objects, problems)
}

/// Takes what the template costs in all its namespaces from what is left for
/// the extras of a team together.
fn affordable(template: Template, places: usize, left: &mut u64) -> Result<Template, String> {
    let cost = template.cost().saturating_mul(count(places));
    match left.checked_sub(cost) {
        Some(rest) => {
            *left = rest;
            Ok(template)
        }
        None => Err(format!(
            "its expressions may take {cost} steps in {places} namespaces; {left} of the {TOGETHER} steps for all \
             extras are left. Simplify the expressions"
        )),
    }
}

/// The templates of all of them, compiled on one stack.
fn compile_all(asked: &[(&Extra, Vec<&NamespacePlan>)]) -> Vec<Result<Template, String>> {
    if asked.is_empty() {
        return Vec::new();
    }
    let compile = |(extra, places): &(&Extra, Vec<&NamespacePlan>)| {
        compile(extra, places.iter().map(|place| place.pod_security).max().unwrap_or_default())
    };
    with_stack(|| asked.iter().map(compile).collect())
        .unwrap_or_else(|error| asked.iter().map(|_| Err(error.to_string())).collect())
}

fn compile(extra: &Extra, level: PodSecurity) -> Result<Template, String> {
    let source = ObjectTemplate {
        id: extra.id.clone(),
        template: extra.template.clone(),
        for_each: None,
        when: None,
        placement: None,
        owned_whole: false,
    };
    Template::compile(&source, level, variables()).map_err(|fault| fault.to_string())
}

fn broken(extra: &Extra, scope: Scope, message: &str) -> Problem {
    Problem::blocking(scope, Reason::BlueprintInvalid, format!("extra '{}' of the Blueprint: {message}", extra.id))
}
