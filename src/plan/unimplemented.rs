//! Fields of the spec that are not built yet. They are reported and
//! block nothing. No right is granted before its admission rules exist.

use super::{Problem, Scope};
use crate::api::blueprint::Archetype;
use crate::api::team::Priority;
use crate::api::{AITeamSpec, BlueprintSpec, Reason};

/// One problem for each such field that is set.
#[must_use]
pub fn unimplemented(spec: &AITeamSpec, blueprint: &BlueprintSpec) -> Vec<Problem> {
    let shared = spec.shared.as_ref();
    let delivery = spec.backbone.as_ref().and_then(|backbone| backbone.delivery.as_ref());
    let hands_over = matches!(blueprint.archetype, Archetype::Division | Archetype::MLFirst);
    let fields = [
        (
            shared.is_some_and(|shared| !shared.offers.is_empty()),
            "spec.shared.offers has no effect yet: sharing between teams is not built",
        ),
        (
            spec.projects.iter().any(|project| !project.uses.is_empty()),
            "spec.projects[].uses has no effect yet: sharing between teams is not built",
        ),
        (
            blueprint.priority_classes.is_none()
                && spec.projects.iter().any(|project| project.priority != Priority::Normal),
            "spec.projects[].priority has no effect: the Blueprint has no `priorityClasses`, and queues are not built \
             yet",
        ),
        (
            hands_over && spec.customers.iter().any(|customer| !customer.groups.is_empty()),
            "spec.customers[].groups has no effect yet: rights of customers in Live are not built",
        ),
        (spec.leads.is_some(), "spec.leads has no effect yet beyond read access to the team"),
        (
            delivery.is_some_and(|delivery| delivery.manages_team),
            "spec.backbone.delivery.managesTeam has no effect yet: changes of the team by a repository are not built",
        ),
    ];
    let set = fields.into_iter().filter(|(set, _)| *set);
    set.map(|(_, message)| Problem::advice(Scope::Team, Reason::NotImplemented, message)).collect()
}
