//! The role table: the rights of each role in each layer, the changes of the
//! organisation's archetype, and those of a Blueprint cell by cell.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::api::BlueprintSpec;
use crate::api::blueprint::Archetype;
use crate::api::roles::{BUILTIN, builtin};
use crate::api::vocabulary::{AddedRight, Layer, Level};

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

/// The roles that there are at this site: the built-in ones, then its own.
#[must_use]
pub fn names(blueprint: &BlueprintSpec) -> Vec<&str> {
    let own = blueprint.roles.iter().map(|role| role.name.as_str()).filter(|name| builtin(name).is_none());
    BUILTIN.iter().map(|role| role.name).chain(own).collect()
}

/// Whether there is a role of this name at this site.
#[must_use]
pub fn is_defined(blueprint: &BlueprintSpec, role: &str) -> bool {
    builtin(role).is_some() || blueprint.roles.iter().any(|entry| entry.name == role)
}

/// The rights of a role in a layer at this site; none for a role that is not defined.
#[must_use]
pub fn rights(blueprint: &BlueprintSpec, role: &str, layer: Layer) -> Rights {
    let (known, entry) = (builtin(role), blueprint.roles.iter().find(|entry| entry.name == role));
    let level = match entry.and_then(|entry| entry.cell(layer)) {
        Some(cell) => cell.level(),
        None => archetype(blueprint.archetype, role, layer).or_else(|| known?.level(layer)),
    };
    let added = |right| {
        let here = entry.is_some_and(|entry| entry.add.iter().any(|one| one.layer == layer && one.right == right));
        // Without a level nothing is left, so that None takes everything away.
        level.is_some() && (here || known.is_some_and(|known| known.has(layer, right)))
    };
    Rights { level, guardrails: added(AddedRight::Guardrails), pipelines: added(AddedRight::Pipelines) }
}

/// The whole table of a site in words, as it is recorded. A word that this program
/// does not know stays what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table(BTreeMap<String, Cells>);

/// The rights of one role, by layer.
type Cells = BTreeMap<String, Vec<String>>;

const GUARDRAILS: &str = AddedRight::Guardrails.name();
const PIPELINES: &str = AddedRight::Pipelines.name();

impl Table {
    /// The table of this site. Every role is in it, every layer in which it may do
    /// anything.
    #[must_use]
    pub fn of(blueprint: &BlueprintSpec) -> Self {
        let cells = |role: &str| -> Cells {
            let all = Layer::ALL.iter().map(|layer| (layer.name().to_owned(), words(rights(blueprint, role, *layer))));
            all.filter(|(_, words)| !words.is_empty()).collect()
        };
        Self(names(blueprint).into_iter().map(|role| (role.to_owned(), cells(role))).collect())
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

    /// Whether a cell has the word.
    #[must_use]
    pub fn has(&self, role: &str, layer: &str, word: &str) -> bool {
        self.0.get(role).and_then(|cells| cells.get(layer)).is_some_and(|words| words.iter().any(|one| one == word))
    }

    /// Replaces a cell.
    pub fn set(&mut self, role: &str, layer: &str, words: Vec<String>) {
        self.0.entry(role.to_owned()).or_default().insert(layer.to_owned(), words);
    }

    /// The words, by role and layer.
    #[must_use]
    pub const fn words(&self) -> &BTreeMap<String, Cells> {
        &self.0
    }

    /// The rights of a role in a layer; none if they cannot be read. A role that was not
    /// there when the table was written may be there by now: nobody knows what it may do.
    #[must_use]
    pub fn rights(&self, role: &str, layer: Layer) -> Option<Rights> {
        let mut rights = Rights::default();
        for word in self.0.get(role)?.get(layer.name()).into_iter().flatten() {
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

/// What an archetype changes: who answers for data, and for models in
/// production.
fn archetype(archetype: Archetype, role: &str, layer: Layer) -> Option<Level> {
    match (archetype, role, layer) {
        (Archetype::Research, "MLResearcher", Layer::Workspace)
        | (Archetype::ProductEmbedded | Archetype::Division, "MLEngineer", Layer::Live)
        | (Archetype::Division | Archetype::MLFirst, "DataEngineer", Layer::Shared) => Some(Level::Own),
        (Archetype::ProductEmbedded, "MLResearcher" | "DataScientist", Layer::Live) => Some(Level::Contribute),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(blueprint: &BlueprintSpec) -> String {
        let cell = |role: &str, layer| {
            let rights = rights(blueprint, role, layer);
            let mut text = rights.level.map_or("-".to_owned(), |level| level.to_string());
            text.push_str(if rights.guardrails { "+guardrails" } else { "" });
            text.push_str(if rights.pipelines { "+pipelines" } else { "" });
            text
        };
        let row = |role: &str| Layer::ALL.iter().map(|layer| cell(role, *layer)).collect::<Vec<_>>().join(" ");
        names(blueprint).iter().map(|role| format!("{role} {}", row(role))).collect::<Vec<_>>().join("\n")
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
        let is_role = |line: &&str| BUILTIN.iter().any(|role| line.starts_with(&format!("| {} |", role.name)));
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
        let blueprint: BlueprintSpec = serde_saphyr::from_str(ANALYST).unwrap();
        let mut written = serde_json::json!(Table::of(&blueprint).words());
        let read = |value: &Value| Table::read(value.as_object().unwrap());
        for role in names(&blueprint) {
            for layer in Layer::ALL {
                assert_eq!(read(&written).rights(role, *layer), Some(rights(&blueprint, role, *layer)));
            }
        }
        written["MLEngineer"]["Live"] = serde_json::json!(["Own", "Dreams"]);
        written["MLEngineer"]["Shared"] = serde_json::json!({"level": "Own"});
        assert_eq!(written["Analyst"], serde_json::json!({"Shared": ["Use"], "Live": ["View", "Guardrails"]}));
        // Of a newer program, or of a Blueprint that cannot be read any more.
        written["Steward"] = serde_json::json!({"Live": ["Own"]});
        written.as_object_mut().unwrap().remove("DataEngineer");
        let table = read(&written);
        let unread = |role, layer| table.rights(role, layer).is_none();
        assert!(unread("MLEngineer", Layer::Live) && unread("MLEngineer", Layer::Shared));
        assert!(unread("DataEngineer", Layer::Backbone), "nobody knows what that role may do");
        assert_eq!(
            table.rights("MLEngineer", Layer::Workspace),
            Some(rights(&blueprint, "MLEngineer", Layer::Workspace))
        );
        assert_eq!(table.rights("Steward", Layer::Live).unwrap().level, Some(Level::Own));
        assert!(unread("Dreamer", Layer::Live), "it may have been added since");
        assert_eq!(table.rights("DataScientist", Layer::Backbone), Some(Rights::default()));
    }

    const ANALYST: &str = "{archetype: Division, roles: [{name: Analyst, shared: Use, live: View, add: [{layer: Live, right: \
                           Guardrails}]}]}";

    fn row(roles: &str, role: &str) -> String {
        let site: BlueprintSpec = serde_saphyr::from_str(&format!("{{archetype: AdHoc, roles: {roles}}}")).unwrap();
        table(&site).lines().find_map(|line| line.strip_prefix(&format!("{role} "))).unwrap_or_default().to_owned()
    }

    #[test]
    fn an_entry_changes_the_cells_that_it_names() {
        let security = |entry: &str| row(&format!("[{{name: CloudSecurityEngineer{entry}}}]"), "CloudSecurityEngineer");
        for (entry, expected) in [
            ("", "Own View+guardrails View View"),
            (", shared: None", "Own - View View"),
            (", shared: Own", "Own Own+guardrails View View"),
            (", add: [{layer: Shared, right: Guardrails}]", "Own View+guardrails View View"),
            (", backbone: View, add: [{layer: Live, right: Pipelines}]", "View View+guardrails View View+pipelines"),
            // The rules refuse this one; here it gives nothing.
            (", live: None, add: [{layer: Live, right: Pipelines}]", "Own View+guardrails View -"),
        ] {
            assert_eq!(security(entry), expected, "{entry}");
        }
    }

    #[test]
    fn an_entry_wins_over_the_archetype() {
        let site = |roles: &str| serde_saphyr::from_str(&format!("{{archetype: Division, roles: {roles}}}")).unwrap();
        let level = |roles: &str, role, layer| rights(&site(roles), role, layer).level;
        let entry = "[{name: MLEngineer, live: View}]";
        assert_eq!(level(entry, "MLEngineer", Layer::Live), Some(Level::View));
        assert_eq!(level(entry, "MLEngineer", Layer::Shared), Some(Level::Own));
        assert_eq!(level("[{name: MLEngineer, shared: Use}]", "MLEngineer", Layer::Live), Some(Level::Own));
    }

    #[test]
    fn a_role_of_the_site_has_what_its_entry_names() {
        let roles = "[{name: Analyst, shared: Use, workspace: View}, {name: Nobody}]";
        assert_eq!(row(roles, "Analyst"), "- Use View -");
        assert_eq!(row(roles, "Nobody"), "- - - -");
        assert_eq!(row(roles, "Wizard"), "");
        let site = BlueprintSpec::default();
        assert!(is_defined(&site, "MLEngineer") && !is_defined(&site, "Analyst"));
        assert_eq!(rights(&site, "Analyst", Layer::Live), Rights::default());
    }
}
