//! The changes of Blueprints: devices and storage of sizes and budgets are resources
//! like the others, and the role table has an entry per role.

use super::draft::{Draft, below};
use super::roles;
use super::team::resources;

/// Migrates a Blueprint.
pub fn migrate(draft: &mut Draft) {
    roles::migrate(draft);
    for name in draft.keys("/spec/sizes") {
        resources(draft, &below("/spec/sizes", &name));
    }
    for place in ["/spec/budget/default", "/spec/budget/maximum"] {
        resources(draft, place);
    }
}
