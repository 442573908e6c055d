//! The change of a Blueprint's `rights`, one entry per cell, into `roles`, one entry per role.

use serde_json::{Value, json};

use super::draft::Draft;
use crate::api::roles::builtin;
use crate::api::vocabulary::{AddedRight, Layer};

/// The entries of a role, in the order in which they are written.
type Entries = Vec<(String, Value)>;

/// Migrates the role table of a Blueprint.
pub fn migrate(draft: &mut Draft) {
    let cells = match draft.get("/spec/rights") {
        None => return,
        Some(Value::Array(cells)) => cells.clone(),
        Some(_) => return draft.leave("spec.rights is not a list of cells. Write them as spec.roles".to_owned()),
    };
    if draft.has("/spec/roles") {
        return draft
            .leave("spec.rights stands beside spec.roles. Add its cells to spec.roles, and remove it".to_owned());
    }
    match entries(&cells) {
        Ok(entries) => draft.change("spec.rights is now spec.roles, with one entry per role".to_owned(), |draft| {
            draft.set_list("/spec/rights", &entries)?;
            draft.rename("/spec/rights", "roles")
        }),
        Err(why) => draft.leave(why),
    }
}

/// The cells by role; the error is the cell that has no equal.
fn entries(cells: &[Value]) -> Result<Vec<Entries>, String> {
    let mut names: Vec<&str> = Vec::new();
    for (index, cell) in cells.iter().enumerate() {
        let role =
            cell["role"].as_str().ok_or_else(|| format!("spec.rights[{index}] names no role. Edit it by hand"))?;
        if !names.contains(&role) {
            names.push(role);
        }
    }
    names.into_iter().map(|role| entry(role, cells)).collect()
}

fn entry(role: &str, cells: &[Value]) -> Result<Entries, String> {
    let mut entry = vec![("name".to_owned(), json!(role))];
    let mut added = Vec::new();
    let of_role = || cells.iter().enumerate().filter(|(_, cell)| cell["role"] == role);
    let known = |cell: &Value| Layer::ALL.iter().find(|layer| cell["layer"] == layer.name()).copied();
    if let Some((index, _)) = of_role().find(|(_, cell)| known(cell).is_none()) {
        return Err(format!("spec.rights[{index}] names no layer. Edit it by hand"));
    }
    for layer in Layer::ALL {
        let Some((index, cell)) = of_role().find(|(_, cell)| known(cell) == Some(*layer)) else { continue };
        let level = cell.get("level").filter(|level| !level.is_null());
        entry.push((layer.kebab().to_owned(), level.cloned().unwrap_or_else(|| json!("None"))));
        for (key, right) in [("guardrails", AddedRight::Guardrails), ("pipelines", AddedRight::Pipelines)] {
            let has = builtin(role).is_some_and(|role| role.has(*layer, right));
            match (&cell[key], has, level) {
                (Value::Bool(false), true, Some(_)) => {
                    return Err(format!(
                        "spec.rights[{index}] takes the right {right} from {role} in {layer}, which a role with a level \
                         there keeps. Set None there, or define another role without the right in spec.roles"
                    ));
                }
                (Value::Bool(true), false, _) => added.push(json!({"layer": layer, "right": right})),
                _ => {}
            }
        }
    }
    if !added.is_empty() {
        entry.push(("add".to_owned(), json!(added)));
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::of_file;

    fn blueprint(spec: &str) -> String {
        format!("apiVersion: strata-operator.dev/v1alpha1\nkind: Blueprint\nmetadata: {{name: b}}\nspec:\n{spec}")
    }

    fn migrated(before: &str) -> String {
        let migrated = of_file(Path::new("a.yaml"), &blueprint(before));
        assert!(migrated.left.is_empty(), "{:?}", migrated.left);
        assert!(!of_file(Path::new("a.yaml"), &migrated.text).changed());
        migrated.text
    }

    #[test]
    fn cells_are_entries_of_their_role() {
        let before = "  rights:  # ours\n  - {role: ProjectManager, layer: Live, level: View, guardrails: true}  # looks\n  \
                      - role: MLResearcher\n    layer: Shared\n    level: Own\n  # nothing\n  - {role: ProjectManager, \
                      layer: Backbone}\n  reclaim: Explicit\n";
        let after = "  roles:  # ours\n  # looks\n  # nothing\n  - {name: ProjectManager, backbone: None, live: View, add: \
                     [{layer: Live, right: Guardrails}]}\n  - {name: MLResearcher, shared: Own}\n  reclaim: Explicit\n";
        assert_eq!(migrated(before), blueprint(after));
        assert_eq!(migrated("  rights: []\n"), blueprint("  roles: []\n"));
        assert_eq!(
            migrated("  rights: [{role: MLEngineer, layer: Live, level: Use, pipelines: true, guardrails: false}]\n"),
            blueprint("  roles: [{name: MLEngineer, live: Use, add: [{layer: Live, right: Pipelines}]}]\n")
        );
        // What a built-in role has stays without being written.
        assert_eq!(
            migrated("  rights: [{role: DataEngineer, layer: Live, level: Own, pipelines: true}]\n"),
            blueprint("  roles: [{name: DataEngineer, live: Own}]\n")
        );
        assert_eq!(
            migrated("  rights: [{role: DataEngineer, layer: Live, pipelines: false}]\n"),
            blueprint("  roles: [{name: DataEngineer, live: None}]\n")
        );
    }

    #[test]
    fn what_has_no_equal_is_left() {
        for (before, why) in [
            (
                "[{role: DataEngineer, layer: Live, level: View, pipelines: false}]",
                "spec.rights[0] takes the right Pipelines from",
            ),
            ("[{layer: Live}]", "spec.rights[0] names no role"),
            ("[{role: MLEngineer, layer: Live}, {role: MLEngineer, layer: Sky}]", "spec.rights[1] names no layer"),
            ("[], roles: []", "beside spec.roles"),
        ] {
            let text =
                format!("apiVersion: strata-operator.dev/v1alpha1\nkind: Blueprint\nspec: {{rights: {before}}}\n");
            let migrated = of_file(Path::new("a.yaml"), &text);
            assert!(migrated.text == text && migrated.left[0].contains(why), "{:?}", migrated.left);
        }
    }
}
