//! Which teams are to be upgraded to newer revisions of engines, and which are under way.
//! Pure.

use super::Choices;
use crate::api::AITeamStatus;
use crate::api::team_status::{ComponentState, ComponentStatus};
use crate::engine::Catalogue;

/// Whether the team runs on an older revision of an engine that can be used.
#[must_use]
pub fn outdated(choices: &Choices, catalogue: &Catalogue) -> bool {
    let mut all = choices.0.values().flat_map(|capabilities| capabilities.values());
    all.any(|choice| newest(catalogue, &choice.engine).is_some_and(|newest| newest != choice.revision))
}

/// Whether a component of the team has the newest revision and is not ready: the team is
/// being upgraded, or its upgrade failed.
#[must_use]
pub fn under_way(status: &AITeamStatus, catalogue: &Catalogue) -> bool {
    let is_newest = |component: &ComponentStatus| {
        component.revision.is_some() && component.revision.as_deref() == newest(catalogue, &component.engine)
    };
    // Objects of members are no part of an upgrade of the team.
    let own = status.components.iter().filter(|component| component.object.is_none());
    own.filter(|component| component.state != ComponentState::Ready).any(is_newest)
}

fn newest<'a>(catalogue: &'a Catalogue, engine: &str) -> Option<&'a str> {
    let engine = catalogue.get(engine)?.compiled.as_ref().ok()?;
    Some(engine.spec().revision.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(revision: &str, state: &str, object: Option<&str>) -> AITeamStatus {
        let component = json!({"layer": "Shared", "capability": "Models", "engine": "mlflow", "revision": revision,
            "namespace": "a--shared", "state": state, "reason": "x", "object": object});
        serde_json::from_value(json!({"components": [component]})).unwrap()
    }

    #[test]
    fn a_team_is_under_way_while_its_newest_components_are_not_ready() {
        let catalogue = Catalogue::builtin();
        let newest = newest(&catalogue, "mlflow").unwrap().to_owned();
        assert!(under_way(&status(&newest, "Progressing", None), &catalogue));
        assert!(under_way(&status(&newest, "Failed", None), &catalogue));
        assert!(!under_way(&status(&newest, "Ready", None), &catalogue));
        assert!(!under_way(&status("older", "Progressing", None), &catalogue));
        assert!(!under_way(&status(&newest, "Failed", Some("Workbench ana")), &catalogue));
    }
}
