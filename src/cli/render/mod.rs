//! `strata render`: every object of the given teams, without a cluster.
//!
//! The same plan and the same objects as in the operator, from facts that say:
//! nobody has looked at a cluster. Nothing here writes or prints.

mod work;

use std::fmt::Write as _;

use serde_json::Value;

use crate::api::blueprint::DEFAULT_BLUEPRINT;
use crate::api::identity::WorkId;
use crate::api::{AITeam, BlueprintSpec, Prefixes};
use crate::cli::manifest::{Document, Manifests, errors, yaml};
use crate::engine::Catalogue;
use crate::objects::{Desired, desired};
use crate::plan::{Facts, plan};

/// The UID of a team that is in no cluster.
pub const NO_UID: &str = "00000000-0000-0000-0000-000000000000";

/// What was rendered.
#[derive(Debug, Default)]
pub struct Rendered {
    /// The objects of all teams, as one YAML stream.
    pub text: String,
    /// What is not as the files ask, one sentence each.
    pub warnings: Vec<String>,
    /// Teams of which there are no objects, and engines that are broken, and why.
    pub refused: Vec<String>,
}

/// The objects of one team, in the order of writing.
#[derive(Debug)]
pub struct Team {
    /// Its name.
    pub name: String,
    /// Its objects.
    pub objects: Vec<Desired>,
    /// Its work.
    pub work: Vec<RenderedWork>,
    /// What is not as it asks, one sentence each.
    pub warnings: Vec<String>,
}

/// The objects of one work object, as they are written first.
#[derive(Debug)]
pub struct RenderedWork {
    /// Which one.
    pub id: WorkId,
    /// What is written for it, in the order of writing.
    pub objects: Vec<Desired>,
    /// Why nothing is, if that is so.
    pub held: Option<String>,
}

/// All objects of all teams, people and groups with these prefixes.
#[must_use]
pub fn render(manifests: &Manifests, prefixes: &Prefixes) -> Rendered {
    let mut rendered = Rendered::default();
    rendered.warnings.extend(manifests.skipped.iter().cloned());
    rendered.refused.extend(broken_engines(manifests));
    rendered.refused.extend(work::strangers(manifests));
    for result in teams(manifests, prefixes) {
        match result {
            Ok(team) => {
                rendered.text.push_str(&stream(&team));
                rendered.warnings.extend(team.warnings);
            }
            Err(why) => rendered.refused.push(why),
        }
    }
    rendered
}

/// The objects of each team, or why there are none.
#[must_use]
pub fn teams(manifests: &Manifests, prefixes: &Prefixes) -> Vec<Result<Team, String>> {
    let catalogue = catalogue(manifests);
    manifests.teams.iter().map(|team| of_team(team, manifests, &catalogue, prefixes)).collect()
}

/// The built-in engines and those of the files.
fn catalogue(manifests: &Manifests) -> Catalogue {
    Catalogue::with(manifests.engines.iter().map(|(name, engine)| (name.as_str(), &engine.spec)))
}

/// What is wrong with the engines of the files, whether a team uses them or not.
fn broken_engines(manifests: &Manifests) -> Vec<String> {
    let catalogue = catalogue(manifests);
    let entries = manifests.engines.keys().filter_map(|name| catalogue.get(name));
    entries.filter_map(|entry| Some(entry.compiled.as_ref().err()?.to_string())).collect()
}

fn of_team(team: &AITeam, manifests: &Manifests, catalogue: &Catalogue, prefixes: &Prefixes) -> Result<Team, String> {
    let name = team.metadata.name.clone().unwrap_or_default();
    let blueprint =
        blueprint(&team.spec.blueprint, manifests).map_err(|why| format!("team {name} is refused: {why}"))?;
    let mut team = team.clone();
    team.metadata.uid.get_or_insert_with(|| NO_UID.to_owned());
    let datasets = work::datasets(&name, manifests);
    let facts = Facts { datasets: &datasets, prefixes, ..Facts::offline(&blueprint, catalogue) };
    let plan = plan(&team, &facts).map_err(|refusal| format!("team {name} is refused: {refusal}"))?;
    let desires = desired(&plan);
    let work = work::work(&team, &plan, &facts, manifests);
    let problems = plan.problems.iter().chain(&desires.problems);
    let mut warnings: Vec<String> = problems.map(|problem| format!("team {name}: {}", problem.issue.message)).collect();
    let choices = plan.instances.iter().filter_map(|instance| instance.choice.as_ref());
    if choices.into_iter().any(|choice| choice.needs_api_server) || !plan.work_with_api_server.is_empty() {
        warnings.push(format!(
            "team {name}: 203.0.113.1 stands for the addresses of the API server, which only the cluster knows"
        ));
    }
    warnings.extend(work.iter().filter_map(|work| Some(format!("{}: {}", work.id, work.held.as_ref()?))));
    Ok(Team { name, objects: desires.objects, work, warnings })
}

/// The Blueprint of this name: of the files, or the built-in one.
fn blueprint(name: &str, manifests: &Manifests) -> Result<BlueprintSpec, String> {
    if let Some(blueprint) = manifests.blueprints.get(name) {
        return Ok(blueprint.spec.clone());
    }
    if name == "default" {
        return default_blueprint();
    }
    Err(format!("spec.blueprint is '{name}', which is in none of the files. Add its file with -f"))
}

/// The built-in Blueprint.
pub fn default_blueprint() -> Result<BlueprintSpec, String> {
    let broken = |why: String| format!("the built-in Blueprint is broken: {why}");
    let value: Value = serde_saphyr::from_str(DEFAULT_BLUEPRINT).map_err(|error| broken(error.to_string()))?;
    if let Some(problem) = errors("Blueprint", &value).into_iter().next() {
        return Err(broken(problem));
    }
    let document = Document { file: "blueprints/default.yaml".to_owned(), number: 1, value };
    let mut manifests =
        Manifests::of(&[document]).map_err(|errors| broken(errors.iter().map(ToString::to_string).collect()))?;
    manifests
        .blueprints
        .remove("default")
        .map(|blueprint| blueprint.spec)
        .ok_or_else(|| broken("its name is not 'default'".to_owned()))
}

/// The team's objects as YAML documents below a line that names the team.
fn stream(team: &Team) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "# team {}: {} objects", team.name, team.objects.len());
    for desired in &team.objects {
        let _ = write!(text, "---\n{}", yaml(&desired.object));
    }
    for work in &team.work {
        let _ = writeln!(text, "# {}: {} objects", work.id, work.objects.len());
        for desired in &work.objects {
            let _ = write!(text, "---\n{}", yaml(&desired.object));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(objects: &[(&str, &str, &str)]) -> Rendered {
        let documents: Vec<Document> = objects
            .iter()
            .map(|(kind, metadata, spec)| {
                let text = format!(
                    "{{apiVersion: strata-operator.dev/v1alpha1, kind: {kind}, metadata: {metadata}, spec: {spec}}}"
                );
                Document { file: "a.yaml".into(), number: 1, value: serde_saphyr::from_str(&text).unwrap() }
            })
            .collect();
        render(&Manifests::of(&documents).unwrap(), &Prefixes::default())
    }

    #[test]
    fn the_blueprint_that_comes_along_is_sound() {
        assert!(default_blueprint().unwrap().images.len() > 2);
    }

    #[test]
    fn a_team_is_one_stream_below_its_name() {
        let rendered = rendered(&[("AITeam", "{name: fraud}", "{projects: [{name: a}]}")]);
        let documents = rendered.text.matches("\n---\n").count();
        assert!(
            rendered
                .text
                .starts_with(&format!("# team fraud: {documents} objects\n---\napiVersion: v1\nkind: Namespace\n"))
        );
        assert!(rendered.text.contains(NO_UID));
        assert!(rendered.refused.is_empty(), "{:?}", rendered.refused);
    }

    #[test]
    fn the_uid_of_the_manifest_is_kept() {
        let rendered = rendered(&[("AITeam", "{name: fraud, uid: 1b}", "{}")]);
        assert!(rendered.text.contains("strata-operator.dev/team-uid: 1b\n") && !rendered.text.contains(NO_UID));
    }

    #[test]
    fn blueprint_from_files_wins_over_the_built_in_one() {
        let team = ("AITeam", "{name: fraud}", "{labels: {env: a}}");
        assert!(rendered(&[team]).refused.is_empty());
        let refused = rendered(&[team, ("Blueprint", "{name: default}", "{}")]).refused;
        assert_eq!(
            refused,
            ["team fraud is refused: spec.labels has 'env', which Blueprint default does not allow. Allowed: none"]
        );
    }

    #[test]
    fn missing_files_are_reported_and_the_others_are_rendered() {
        let rendered = rendered(&[("AITeam", "{name: one}", "{blueprint: gone}"), ("AITeam", "{name: two}", "{}")]);
        let expected =
            "team one is refused: spec.blueprint is 'gone', which is in none of the files. Add its file with -f";
        assert_eq!(rendered.refused, [expected]);
        assert!(rendered.text.starts_with("# team two: "));
    }

    #[test]
    fn a_broken_engine_that_nobody_uses_is_reported() {
        let spec = "{capabilities: [Data], revision: '1', ready: [{when: 'objects.', message: a}]}";
        let refused = rendered(&[("Engine", "{name: mine}", spec)]).refused;
        assert!(refused.len() == 1 && refused[0].contains("mine"), "{refused:?}");
    }

    #[test]
    fn the_api_servers_addresses_are_named_as_the_clusters() {
        let spec = "{description: a, capabilities: [Experiments], revision: '1', needsApiServer: true, objects: [{id: a, \
                    template: {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}}]}";
        let team = ("AITeam", "{name: fraud}", "{shared: {experiments: {engine: mine}}}");
        let rendered = rendered(&[("Engine", "{name: mine}", spec), team]);
        assert!(rendered.text.contains("cidr: 203.0.113.1/32"), "{}", rendered.text);
        assert!(
            rendered.warnings.iter().any(|warning| warning.contains("which only the cluster knows")),
            "{:?}",
            rendered.warnings
        );
    }
}
