//! The Blueprint's extras: objects that every namespace of a layer gets, in the
//! template language of engines and under the same restrictions.

use super::{ExtraObject, NamespacePlan, Problem, Scope, inputs};
use crate::api::blueprint::Extra;
use crate::api::engine::{ObjectTemplate, PodSecurity};
use crate::api::team::AITeam;
use crate::api::{BlueprintSpec, Reason};
use crate::engine::expression::Scope as Values;
use crate::engine::inputs::variables;
use crate::engine::template::Template;

/// The extras of every namespace, and what is wrong with them.
#[must_use]
pub fn extras(
    team: &AITeam,
    blueprint: &BlueprintSpec,
    namespaces: &[NamespacePlan],
) -> (Vec<ExtraObject>, Vec<Problem>) {
    let mut objects = Vec::new();
    let mut problems = Vec::new();
    for extra in &blueprint.extras {
        let places: Vec<&NamespacePlan> =
            namespaces.iter().filter(|namespace| namespace.layer == extra.layer && !namespace.retained).collect();
        let level = places.iter().map(|place| place.pod_security).max().unwrap_or_default();
        let template = match compile(extra, level) {
            Ok(template) => template,
            Err(message) if !places.is_empty() => {
                problems.push(broken(extra, Scope::Team, &message));
                continue;
            }
            Err(_) => continue,
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

fn compile(extra: &Extra, level: PodSecurity) -> Result<Template, String> {
    let source = ObjectTemplate {
        id: extra.id.clone(),
        template: extra.template.clone(),
        for_each: None,
        when: None,
        placement: None,
    };
    Template::compile(&source, level, variables()).map_err(|fault| fault.to_string())
}

fn broken(extra: &Extra, scope: Scope, message: &str) -> Problem {
    Problem::blocking(scope, Reason::BlueprintInvalid, format!("the Blueprint's extra '{}': {message}", extra.id))
}
