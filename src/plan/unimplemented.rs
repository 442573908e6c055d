//! What the spec may say and nothing does yet: understood, told of, and in
//! nobody's way. Nothing of it is granted before its admission rules exist.

use super::{Problem, Scope};
use crate::api::blueprint::Archetype;
use crate::api::team::{Mode, Priority};
use crate::api::{AITeamSpec, BlueprintSpec, Reason};

/// One problem for each such field that is set.
#[must_use]
pub fn not_yet(spec: &AITeamSpec, blueprint: &BlueprintSpec) -> Vec<Problem> {
    let shared = spec.shared.as_ref();
    let delivery = spec.backbone.as_ref().and_then(|backbone| backbone.delivery.as_ref());
    let hands_over = matches!(blueprint.archetype, Archetype::Division | Archetype::MLFirst);
    let fields = [
        (
            spec.mode == Mode::Observe,
            "spec.mode Observe: what would change is not reported yet, and nothing is written",
        ),
        (
            shared.is_some_and(|shared| !shared.offers.is_empty()),
            "spec.shared.offers: no other team reaches what is offered yet",
        ),
        (
            spec.projects.iter().any(|project| !project.uses.is_empty()),
            "spec.projects[].uses: nothing of other teams is reached yet",
        ),
        (
            blueprint.priority_classes.is_none()
                && spec.projects.iter().any(|project| project.priority != Priority::Normal),
            "spec.projects[].priority: the Blueprint names no `priorityClasses`, and no queue orders the projects' jobs yet",
        ),
        (
            hands_over && spec.customers.iter().any(|customer| !customer.groups.is_empty()),
            "spec.customers[].groups: customers' people get no rights in Live yet",
        ),
        (spec.leads.is_some(), "spec.leads: leads may read their team and not yet change it"),
        (
            delivery.is_some_and(|delivery| delivery.manages_team),
            "spec.backbone.delivery.managesTeam: the repository does not change the team yet",
        ),
    ];
    let set = fields.into_iter().filter(|(set, _)| *set);
    set.map(|(_, message)| Problem::advice(Scope::Team, Reason::NotYet, message)).collect()
}
