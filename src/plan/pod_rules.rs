//! The devices, tolerations and priorities of pods by a Blueprint: its own list, and those of its sizes, budgets and
//! priority classes give them.

use crate::api::BlueprintSpec;
use crate::api::blueprint::{PodRules, PriorityClasses};
use crate::api::team::Resources;

/// What pods may have by this Blueprint: what its sizes and budgets give them, and what
/// it lists beside that. Each once, in order.
#[must_use]
pub fn pod_rules(blueprint: &BlueprintSpec) -> PodRules {
    let mut rules = blueprint.pods.clone().unwrap_or_default();
    for size in &blueprint.sizes {
        rules.devices.extend(size.devices().into_keys());
        let new: Vec<_> = size.tolerations.iter().filter(|one| !rules.tolerations.contains(one)).cloned().collect();
        rules.tolerations.extend(new);
    }
    let budgets = blueprint.budget.iter().flat_map(|rules| rules.default.iter().chain(&rules.maximum));
    rules.devices.extend(budgets.flat_map(Resources::devices).cloned());
    let classes = blueprint.priority_classes.iter().flat_map(PriorityClasses::all);
    rules.priority_classes.extend(classes.cloned());
    for names in [&mut rules.devices, &mut rules.priority_classes] {
        names.sort_unstable();
        names.dedup();
    }
    rules
}
