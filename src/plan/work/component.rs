//! `Component`: its image and size exist, and its references are declared.
//!
//! Nothing is written for a component: pipelines give it to their engine.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::values::references;
use super::{Detail, ResolvedSpec, WorkFacts, data, invalid, pod};
use crate::api::work::{Component, ComponentSpec};
use crate::api::{Issue, Layer};
use crate::plan::prefixes::doubled_owner;

/// The resolved spec of a component: nothing is written for it.
pub fn draft(component: &Component, facts: &WorkFacts<'_>) -> Result<ResolvedSpec, Issue> {
    let spec = &component.spec;
    words(spec, "")?;
    let image = pod::image("spec.image", &spec.image, facts)?;
    pod::any_size("spec.size", &spec.size, facts)?;
    let digest = digest(spec, &image, facts);
    let name = component.metadata.name.as_deref().unwrap_or_default();
    let lacking = datasets(spec, data::User::Component { name, digest: &digest, pinned: None }, facts)?;
    let owner = spec.owner.as_deref().and_then(|owner| doubled_owner(owner, "component", &facts.plan.prefixes));
    let advice: Vec<String> = owner.into_iter().chain(lacking).collect();
    let advice = (!advice.is_empty()).then(|| advice.join(". "));
    Ok(ResolvedSpec { detail: Detail::Component { image, digest, advice }, ..ResolvedSpec::default() })
}

/// The digest of all that the component says. The team's own names of images count as
/// what they stand for: whoever may give a name another image changes the component.
#[must_use]
pub fn digest(spec: &ComponentSpec, image: &str, facts: &WorkFacts<'_>) -> String {
    let own = facts.team.spec.shared.iter().flat_map(|shared| &shared.images);
    let named = own.into_iter().any(|own| own.name == spec.image && own.image.is_some());
    let image = if named { image.to_owned() } else { spec.image.clone() };
    let content = serde_json::json!(ComponentSpec { image, ..spec.clone() }).to_string();
    let mut text = "sha256:".to_owned();
    for byte in Sha256::digest(content.as_bytes()) {
        // Writing into a text has no failing case.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Command and arguments refer only to declarations of the component. `whose`
/// names the component where the message needs it.
pub fn words(spec: &ComponentSpec, whose: &str) -> Result<(), Issue> {
    let files = spec.inputs.iter().chain(&spec.outputs).map(|file| file.name.as_str());
    let declared: Vec<&str> = spec.parameters.iter().map(|parameter| parameter.name.as_str()).chain(files).collect();
    for (field, words) in [("command", &spec.command), ("args", &spec.args)] {
        for (index, word) in words.iter().enumerate() {
            if let Some(unknown) = references(word).into_iter().find(|name| !declared.contains(name)) {
                return Err(invalid(format!(
                    "spec.{field}[{index}]{whose} refers to $({unknown}), which is no parameter, input or output. \
                     Available: {}. Declare it, or write $$({unknown}) for the literal text",
                    pod::listed(&declared)
                )));
            }
        }
    }
    Ok(())
}

/// In a Workspace the datasets must be there. A component in Shared runs in every
/// project, which may have one of the name or not: that is only advice.
fn datasets(spec: &ComponentSpec, user: data::User<'_>, facts: &WorkFacts<'_>) -> Result<Option<String>, Issue> {
    if facts.namespace.layer != Layer::Shared {
        return data::named("spec.datasets", &spec.datasets, user, facts).map(|_| None);
    }
    let shared = facts.shared();
    let absent = spec.datasets.iter().filter(|name| matches!(facts.neighbours.dataset(&shared, name), Ok(None)));
    let absent: Vec<&str> = absent.map(String::as_str).collect();
    Ok((!absent.is_empty()).then(|| {
        let names = absent.join(", ");
        format!(
            "{shared} has no dataset {names}. Each namespace where the component runs needs its own dataset of that \
             name"
        )
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::work::fixtures::{Scene, component};

    fn drafted(namespace: &str, spec: &str) -> Result<ResolvedSpec, String> {
        let scene = Scene::new().dataset("fraud--shared", "cards", "{uri: 's3://cards'}").dataset(
            "fraud--chargeback",
            "mine",
            "{uri: 's3://mine'}",
        );
        scene.facts(namespace, |facts| draft(&component(spec), facts)).map_err(|hold| hold.message)
    }

    #[test]
    fn what_a_component_names_is_there() {
        for (spec, message) in [
            (
                "{image: python, args: ['--n=$(epochs)', '$(model)', '$(cards)', '$$(date)'], parameters: [{name: epochs}], inputs: [{name: cards}], outputs: [{name: model}]}",
                "",
            ),
            (
                "{image: python, args: [a, '$(epoch)'], parameters: [{name: epochs}], outputs: [{name: model}]}",
                "spec.args[1] refers to $(epoch), which is no parameter, input or output. Available: epochs, model. \
                 Declare it, or write $$(epoch) for the literal text",
            ),
            (
                "{image: python, command: [sh, -c, 'echo $(date)']}",
                "spec.command[2] refers to $(date), which is no parameter, input or output. Available: none. Declare \
                 it, or write $$(date) for the literal text",
            ),
            (
                "{image: nothing}",
                "spec.image is 'nothing', which is neither in the team's shared.images nor in Blueprint default. \
                 Available: train, python",
            ),
            (
                "{image: python, size: huge}",
                "spec.size is 'huge', which is no size of Blueprint default. Available: small, large, gpu, other",
            ),
            ("{image: python, datasets: [cards, mine]}", ""),
            (
                "{image: python, datasets: [gone]}",
                "spec.datasets names dataset 'gone', which exists in neither fraud--chargeback nor fraud--shared. \
                 Create it first",
            ),
        ] {
            let found = drafted("fraud--chargeback", spec);
            assert_eq!(found.as_ref().err().map_or("", String::as_str), message, "{spec}");
            if let Ok(draft) = found {
                let image = "registry.example.com/python:1".to_owned();
                assert!(!draft.write && draft.work == crate::engine::work::WorkInputs::default());
                let Detail::Component { image: found, digest, advice: None } = &draft.detail else {
                    panic!("{draft:?}")
                };
                assert_eq!(found, &image);
                assert_eq!(digest.len(), 71, "{digest}");
            }
        }
    }

    #[test]
    fn of_a_component_in_shared_datasets_of_projects_are_advice() {
        let draft = drafted("fraud--shared", "{image: train, datasets: [cards, mine]}").unwrap();
        let advice = "fraud--shared has no dataset mine. Each namespace where the component runs needs its own dataset \
                      of that name";
        let Detail::Component { image, advice: Some(text), .. } = &draft.detail else { panic!("{draft:?}") };
        assert_eq!((image.as_str(), text.as_str()), ("registry.example.com/own/train:2", advice));
    }

    #[test]
    fn an_owner_with_the_prefix_is_advised_to_leave_it_out() {
        let scene = Scene::new().prefixed("oidc:");
        let of = |owner: &str| {
            let component = component(&format!("{{image: python, owner: '{owner}'}}"));
            let draft = scene.facts("fraud--chargeback", |facts| draft(&component, facts)).unwrap();
            let Detail::Component { advice, .. } = draft.detail else { panic!("no component") };
            advice
        };
        assert_eq!(of("ana"), None);
        assert_eq!(
            of("oidc:ana").unwrap(),
            "spec.owner 'oidc:ana' begins with the prefix oidc:, which Strata adds itself, and cannot be changed. Create \
             another component with the owner ana, and delete this one"
        );
    }

    #[test]
    fn the_digest_is_of_all_that_a_component_says() {
        let of = |text: &str, image: &str| {
            Scene::new().facts("fraud--shared", |facts| digest(&component(text).spec, image, facts))
        };
        let first = of("{image: python, args: [a], datasets: [cards]}", "registry.example.com/python:1");
        assert_eq!(of("{datasets: [cards], args: [a], image: python}", "registry.example.com/python:1"), first);
        for other in [
            "{image: python, args: [b], datasets: [cards]}",
            "{image: python, args: [a]}",
            "{image: x/y:1, args: [a], datasets: [cards]}",
        ] {
            assert_ne!(of(other, "registry.example.com/python:1"), first, "{other}");
        }
        // What a name of the team stands for counts, because a lead may change it; the Blueprint's is the platform's.
        assert_eq!(of("{image: python}", "a"), of("{image: python}", "b"));
        assert_ne!(of("{image: train}", "a"), of("{image: train}", "b"));
    }
}
