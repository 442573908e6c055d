//! The role table: the rights of each role in each layer, the changes of the
//! organisation's archetype, and those of a Blueprint cell by cell.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::api::BlueprintSpec;
use crate::api::blueprint::Archetype;
use crate::api::vocabulary::{Layer, Level, Role};

/// One cell of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// The level, if the cell has one.
    pub level: Option<Level>,
    /// Whether the guardrails may be read too.
    pub guardrails: bool,
    /// Whether pipelines may be written and runs created too.
    pub pipelines: bool,
}

impl Rights {
    const fn of(level: Option<Level>) -> Self {
        Self { level, guardrails: false, pipelines: false }
    }
}

/// The rights of a role in a layer at this site.
#[must_use]
pub fn rights(blueprint: &BlueprintSpec, role: Role, layer: Layer) -> Rights {
    let mut rights = builtin(role, layer);
    if let Some(level) = archetype(blueprint.archetype, role, layer) {
        rights = Rights::of(Some(level));
    }
    let Some(cell) = blueprint.rights.iter().find(|cell| cell.role == role && cell.layer == layer) else {
        return rights;
    };
    // A cell without a level takes everything; what it says of the two extras
    // counts, and what it leaves out stays as it was.
    let kept = cell.level.is_some();
    Rights {
        level: cell.level,
        guardrails: cell.guardrails.unwrap_or(kept && rights.guardrails),
        pipelines: cell.pipelines.unwrap_or(kept && rights.pipelines),
    }
}

/// The whole table of a site in words, as it is recorded. A word that this program
/// does not know stays what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table(BTreeMap<String, Cells>);

/// The rights of one role, by layer.
type Cells = BTreeMap<String, Vec<String>>;

const GUARDRAILS: &str = "Guardrails";
const PIPELINES: &str = "Pipelines";

impl Table {
    /// The table of this site. Every role is in it, every layer in which it may do
    /// anything.
    #[must_use]
    pub fn of(blueprint: &BlueprintSpec) -> Self {
        let cells = |role: Role| -> Cells {
            let all = Layer::ALL.iter().map(|layer| (layer.name().to_owned(), words(rights(blueprint, role, *layer))));
            all.filter(|(_, words)| !words.is_empty()).collect()
        };
        Self(Role::ALL.iter().map(|role| (role.name().to_owned(), cells(*role))).collect())
    }

    /// The table in these words, whatever they are.
    #[must_use]
    pub fn read(object: &Map<String, Value>) -> Self {
        let row = |cells: &Value| -> Cells {
            let all = cells.as_object().into_iter().flatten();
            all.map(|(layer, cell)| (layer.clone(), read_words(cell))).collect()
        };
        let rows = object.iter().filter(|(_, cells)| cells.is_object());
        Self(rows.map(|(role, cells)| (role.clone(), row(cells))).collect())
    }

    /// The words, by role and layer.
    #[must_use]
    pub const fn words(&self) -> &BTreeMap<String, Cells> {
        &self.0
    }

    /// The rights of a role in a layer; none if they cannot be read.
    #[must_use]
    pub fn rights(&self, role: Role, layer: Layer) -> Option<Rights> {
        let mut rights = Rights::default();
        for word in self.0.get(role.name())?.get(layer.name()).into_iter().flatten() {
            match Level::ALL.iter().find(|level| level.name() == word) {
                Some(level) => rights.level = Some(*level),
                None if word == GUARDRAILS => rights.guardrails = true,
                None if word == PIPELINES => rights.pipelines = true,
                None => return None,
            }
        }
        Some(rights)
    }
}

fn words(rights: Rights) -> Vec<String> {
    let level = rights.level.map(Level::name);
    let more = [rights.guardrails.then_some(GUARDRAILS), rights.pipelines.then_some(PIPELINES)];
    level.into_iter().chain(more.into_iter().flatten()).map(ToOwned::to_owned).collect()
}

/// A value that is no list of words becomes one unknown word.
fn read_words(cell: &Value) -> Vec<String> {
    let texts: Option<Vec<String>> =
        cell.as_array().and_then(|all| all.iter().map(|word| word.as_str().map(str::to_owned)).collect());
    texts.unwrap_or_else(|| vec![cell.to_string()])
}

/// The built-in table: one row per role, one column per layer.
fn builtin(role: Role, layer: Layer) -> Rights {
    use Level::{Contribute, Own, Use, View};
    let row = match role {
        Role::CloudSecurityEngineer => [Some(Own), Some(View), Some(View), Some(View)],
        Role::DevOpsEngineer => [Some(Contribute), Some(Contribute), Some(View), Some(Contribute)],
        Role::MLOpsEngineer => [Some(Own), Some(Own), Some(Contribute), Some(Own)],
        Role::MLEngineer => [Some(View), Some(Own), Some(Own), Some(Contribute)],
        Role::DataEngineer => [Some(View), Some(Contribute), Some(Contribute), Some(View)],
        Role::DataScientist => [None, Some(Use), Some(Contribute), Some(View)],
        Role::CitizenDataScientist => [None, Some(Use), Some(Use), None],
        Role::MLResearcher => [None, Some(Use), Some(Contribute), None],
        Role::FullStackEngineer => [None, Some(Use), Some(Contribute), Some(Contribute)],
        Role::ProjectManager => [Some(View), Some(View), Some(View), Some(View)],
    };
    let level = match layer {
        Layer::Backbone => row[0],
        Layer::Shared => row[1],
        Layer::Workspace => row[2],
        Layer::Live => row[3],
    };
    Rights {
        level,
        guardrails: role == Role::CloudSecurityEngineer && layer == Layer::Shared,
        pipelines: role == Role::DataEngineer && layer == Layer::Live,
    }
}

/// What an archetype changes: who answers for data, and for models in
/// production.
const fn archetype(archetype: Archetype, role: Role, layer: Layer) -> Option<Level> {
    match (archetype, role, layer) {
        (Archetype::Research, Role::MLResearcher, Layer::Workspace)
        | (Archetype::ProductEmbedded | Archetype::Division, Role::MLEngineer, Layer::Live)
        | (Archetype::Division | Archetype::MLFirst, Role::DataEngineer, Layer::Shared) => Some(Level::Own),
        (Archetype::ProductEmbedded, Role::MLResearcher | Role::DataScientist, Layer::Live) => Some(Level::Contribute),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::blueprint::Cell;

    fn table(blueprint: &BlueprintSpec) -> String {
        let cell = |role, layer| {
            let rights = rights(blueprint, role, layer);
            let mut text = rights.level.map_or("-".to_owned(), |level| level.to_string());
            text.push_str(if rights.guardrails { "+guardrails" } else { "" });
            text.push_str(if rights.pipelines { "+pipelines" } else { "" });
            text
        };
        let row = |role: &Role| Layer::ALL.iter().map(|layer| cell(*role, *layer)).collect::<Vec<_>>().join(" ");
        Role::ALL.iter().map(|role| format!("{role} {}", row(role))).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_table_is_the_one_of_the_design() {
        let blueprint = BlueprintSpec { archetype: Archetype::AdHoc, ..BlueprintSpec::default() };
        let expected = "CloudSecurityEngineer Own View+guardrails View View\n\
            DevOpsEngineer Contribute Contribute View Contribute\n\
            MLOpsEngineer Own Own Contribute Own\n\
            MLEngineer View Own Own Contribute\n\
            DataEngineer View Contribute Contribute View+pipelines\n\
            DataScientist - Use Contribute View\n\
            CitizenDataScientist - Use Use -\n\
            MLResearcher - Use Contribute -\n\
            FullStackEngineer - Use Contribute Contribute\n\
            ProjectManager View View View View";
        assert_eq!(table(&blueprint), expected);
    }

    #[test]
    fn the_readme_has_the_table() {
        let table = table(&BlueprintSpec { archetype: Archetype::AdHoc, ..BlueprintSpec::default() });
        let row = |line: &str| format!("| {} |", line.replace(' ', " | ").replace('+', " + "));
        let expected: Vec<String> = table.lines().map(row).collect();
        let readme = include_str!("../../README.md");
        let is_role = |line: &&str| Role::ALL.iter().any(|role| line.starts_with(&format!("| {role} |")));
        let (roles, _) = readme.split_once("The organisation's **archetype**").unwrap();
        assert_eq!(roles.lines().filter(is_role).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn archetypes_change_what_the_design_says_and_nothing_else() {
        let base = table(&BlueprintSpec { archetype: Archetype::AdHoc, ..BlueprintSpec::default() });
        let changes = |archetype| {
            let other = table(&BlueprintSpec { archetype, ..BlueprintSpec::default() });
            let changed = |(old, new): (&str, &str)| (old != new).then(|| new.to_owned());
            base.lines().zip(other.lines()).filter_map(changed).collect::<Vec<_>>()
        };
        assert_eq!(changes(Archetype::Research), ["MLResearcher - Use Own -"]);
        assert_eq!(
            changes(Archetype::ProductEmbedded),
            [
                "MLEngineer View Own Own Own",
                "DataScientist - Use Contribute Contribute",
                "MLResearcher - Use Contribute Contribute"
            ]
        );
        assert_eq!(
            changes(Archetype::Division),
            ["MLEngineer View Own Own Own", "DataEngineer View Own Contribute View+pipelines"]
        );
        assert_eq!(changes(Archetype::MLFirst), ["DataEngineer View Own Contribute View+pipelines"]);
    }

    #[test]
    fn a_table_reads_back_and_an_unknown_word_costs_its_cell_alone() {
        let blueprint = BlueprintSpec { archetype: Archetype::Division, ..BlueprintSpec::default() };
        let mut written = serde_json::json!(Table::of(&blueprint).words());
        let read = |value: &Value| Table::read(value.as_object().unwrap());
        for role in Role::ALL {
            for layer in Layer::ALL {
                assert_eq!(read(&written).rights(*role, *layer), Some(rights(&blueprint, *role, *layer)));
            }
        }
        written["MLEngineer"]["Live"] = serde_json::json!(["Own", "Dreams"]);
        written["MLEngineer"]["Shared"] = serde_json::json!({"level": "Own"});
        written["Dreamer"] = serde_json::json!({"Live": ["Own"]});
        written.as_object_mut().unwrap().remove("DataEngineer");
        let table = read(&written);
        let unread = |role, layer| table.rights(role, layer).is_none();
        assert!(unread(Role::MLEngineer, Layer::Live) && unread(Role::MLEngineer, Layer::Shared));
        assert!(unread(Role::DataEngineer, Layer::Backbone), "nobody knows what that role may do");
        assert_eq!(table.rights(Role::MLEngineer, Layer::Workspace), Some(Rights::of(Some(Level::Own))));
        assert_eq!(table.rights(Role::DataScientist, Layer::Backbone), Some(Rights::default()));
    }

    #[test]
    fn a_cell_of_the_blueprint_takes_the_place_of_the_tables() {
        let cell = |level, guardrails| Cell {
            role: Role::CloudSecurityEngineer,
            layer: Layer::Shared,
            level,
            guardrails,
            pipelines: None,
        };
        let with = |cell| {
            let blueprint = BlueprintSpec { rights: vec![cell], ..BlueprintSpec::default() };
            rights(&blueprint, Role::CloudSecurityEngineer, Layer::Shared)
        };
        assert_eq!(with(cell(None, None)), Rights::default());
        assert!(with(cell(Some(Level::Own), None)).guardrails);
        assert!(!with(cell(Some(Level::Own), Some(false))).guardrails);
        assert!(with(cell(None, Some(true))).guardrails);
    }
}
