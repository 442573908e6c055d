//! The changes of Workbenches: `desiredState` instead of `running`, and annotations with a
//! time instead of `start`.

use serde_json::{Value, json};

use super::draft::Draft;

/// Migrates a Workbench.
pub fn migrate(draft: &mut Draft) {
    if let Some(running) = draft.get("/spec/running").and_then(Value::as_bool) {
        // `Running` is not written: it is the default, and a change to it would start a server that ended idle.
        if running {
            draft.change("spec.running removed: a server runs by default".to_owned(), |draft| {
                draft.remove("/spec/running")
            });
        } else {
            draft.change("spec.running is now spec.desiredState: Stopped".to_owned(), |draft| {
                draft.set("/spec/running", &json!("Stopped"))?;
                draft.rename("/spec/running", "desiredState")
            });
        }
    }
    if draft.has("/spec/start") {
        let change = "spec.start removed: write the annotation strata-operator.dev/started-at with a time to start \
                      the server, and keep it out of Git";
        draft.change(change.to_owned(), |draft| draft.remove("/spec/start"));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::of_file;

    fn workbench(spec: &str) -> String {
        format!("apiVersion: strata-operator.dev/v1alpha1\nkind: Workbench\nmetadata: {{name: ana}}\nspec:\n{spec}")
    }

    #[test]
    fn running_is_a_state_and_start_goes() {
        let before = "  owner: ana\n  running: false  # on leave\n  start: tuesday\n  image: scipy\n";
        let migrated = of_file(Path::new("a.yaml"), &workbench(before));
        let after = "  owner: ana\n  desiredState: Stopped  # on leave\n  image: scipy\n";
        assert_eq!(migrated.text, workbench(after));
        assert_eq!(migrated.changes.len(), 2, "{:?}", migrated.changes);
        assert!(migrated.changes[0].ends_with("spec.running is now spec.desiredState: Stopped"));
        assert!(!of_file(Path::new("a.yaml"), &migrated.text).changed());
        let up = of_file(Path::new("a.yaml"), &workbench("  owner: ana\n  running: true\n"));
        assert_eq!(up.text, workbench("  owner: ana\n"));
    }
}
