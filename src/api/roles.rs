//! The roles of AI teams: the ten that are built in, and the form of the names of a
//! site's own. A role is data: members name it by a word, and the Blueprint may change
//! what it may do, or add others.

use serde_json::{Value, json};

use super::vocabulary::{AddedRight, Layer, Level};

/// The most roles that a Blueprint may change or add.
pub const ENTRIES: usize = 40;
/// The most roles that there can be.
pub const MOST: usize = ENTRIES + BUILTIN.len();
/// The most roles among the members of one project. The API server prices the rules on names
/// by the number of all names that a team could have, and takes no more.
pub const OF_PROJECT: usize = 10;
/// The most characters of a role's name.
pub const LONGEST: usize = 40;

/// A role that is there without being named in a Blueprint.
#[derive(Debug)]
pub struct BuiltinRole {
    /// Its name.
    pub name: &'static str,
    /// The name as object names spell it.
    kebab: &'static str,
    /// Its levels in Backbone, Shared, Workspace and Live.
    levels: [Option<Level>; 4],
    /// The right that it has beside a level, and where.
    added: Option<(Layer, AddedRight)>,
}

impl BuiltinRole {
    /// The level in a layer.
    #[must_use]
    pub const fn level(&self, layer: Layer) -> Option<Level> {
        self.levels[layer as usize]
    }

    /// Whether it has a right beside its level in a layer.
    #[must_use]
    pub fn has(&self, layer: Layer, right: AddedRight) -> bool {
        self.added == Some((layer, right))
    }
}

const NO: Option<Level> = None;
const VIEW: Option<Level> = Some(Level::View);
const USE: Option<Level> = Some(Level::Use);
const CONTRIBUTE: Option<Level> = Some(Level::Contribute);
const OWN: Option<Level> = Some(Level::Own);

const fn role(
    name: &'static str,
    kebab: &'static str,
    levels: [Option<Level>; 4],
    added: Option<(Layer, AddedRight)>,
) -> BuiltinRole {
    BuiltinRole { name, kebab, levels, added }
}

/// The built-in roles, in the order in which people read them.
pub static BUILTIN: [BuiltinRole; 10] = [
    role(
        "CloudSecurityEngineer",
        "cloud-security-engineer",
        [OWN, VIEW, VIEW, VIEW],
        Some((Layer::Shared, AddedRight::Guardrails)),
    ),
    role("DevOpsEngineer", "devops-engineer", [CONTRIBUTE, CONTRIBUTE, VIEW, CONTRIBUTE], None),
    role("MLOpsEngineer", "mlops-engineer", [OWN, OWN, CONTRIBUTE, OWN], None),
    role("MLEngineer", "ml-engineer", [VIEW, OWN, OWN, CONTRIBUTE], None),
    role(
        "DataEngineer",
        "data-engineer",
        [VIEW, CONTRIBUTE, CONTRIBUTE, VIEW],
        Some((Layer::Live, AddedRight::Pipelines)),
    ),
    role("DataScientist", "data-scientist", [NO, USE, CONTRIBUTE, VIEW], None),
    role("CitizenDataScientist", "citizen-data-scientist", [NO, USE, USE, NO], None),
    role("MLResearcher", "ml-researcher", [NO, USE, CONTRIBUTE, NO], None),
    role("FullStackEngineer", "full-stack-engineer", [NO, USE, CONTRIBUTE, CONTRIBUTE], None),
    role("ProjectManager", "project-manager", [VIEW, VIEW, VIEW, VIEW], None),
];

/// The built-in role of this name.
#[must_use]
pub fn builtin(name: &str) -> Option<&'static BuiltinRole> {
    BUILTIN.iter().find(|role| role.name == name)
}

/// A role's name as object names spell it: lower case, with hyphens. Without its hyphens
/// it is the name in lower case, so roles whose names differ in more than capitals have
/// different ones.
#[must_use]
pub fn kebab(name: &str) -> String {
    if let Some(role) = builtin(name) {
        return role.kebab.to_owned();
    }
    let letters: Vec<char> = name.chars().collect();
    let mut kebab = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| letters[before]);
        let ends = before.is_some_and(|before| !before.is_ascii_uppercase());
        let begins = letters.get(index + 1).is_some_and(char::is_ascii_lowercase);
        if letter.is_ascii_uppercase() && before.is_some() && (ends || begins) {
            kebab.push('-');
        }
        kebab.push(letter.to_ascii_lowercase());
    }
    kebab
}

/// The schema of a role's name. Which roles there are is not checked here: the Blueprint
/// says so, and an unknown one costs nobody else their rights.
pub(crate) fn name(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "string", "maxLength": LONGEST,
        "x-kubernetes-validations": form()
    })
}

/// A list of roles, each once.
pub(crate) fn names(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array", "maxItems": MOST, "x-kubernetes-list-type": "set",
        "items": {"type": "string", "maxLength": LONGEST, "x-kubernetes-validations": form()}
    })
}

fn form() -> Value {
    json!([{
        "rule": "self.matches('^[A-Z][A-Za-z0-9]*$')",
        "message": "a role is one word of letters and digits that begins with a capital letter. Write it like \
                    DataScientist"
    }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_objects_are_plain_and_apart() {
        for (name, expected) in [
            ("DevOpsEngineer", "devops-engineer"),
            ("MLOpsEngineer", "mlops-engineer"),
            ("Analyst", "analyst"),
            ("QAEngineer", "qa-engineer"),
            ("SRE", "sre"),
            ("Tier2Support", "tier2-support"),
            ("ProductOwnerEU", "product-owner-eu"),
        ] {
            assert_eq!(kebab(name), expected);
        }
        for role in &BUILTIN {
            assert_eq!(kebab(role.name).replace('-', ""), role.name.to_ascii_lowercase());
        }
    }

    #[test]
    fn a_cell_is_found_by_its_layer() {
        let role = builtin("DataEngineer").unwrap();
        let levels: Vec<_> = Layer::ALL.iter().map(|layer| role.level(*layer)).collect();
        assert_eq!(levels, [VIEW, CONTRIBUTE, CONTRIBUTE, VIEW]);
        assert!(role.has(Layer::Live, AddedRight::Pipelines) && !role.has(Layer::Live, AddedRight::Guardrails));
        assert!(builtin("Analyst").is_none());
    }
}
