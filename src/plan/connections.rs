//! The settings that workbenches, pipelines and services of the team load.
//!
//! They come from the engines and from the egress profiles: those of the spec, and those that
//! an engine opens. Where two say
//! something of the same setting, the first engine in the order of capabilities
//! wins, and engines win over profiles.

use std::collections::BTreeMap;

use super::ways::with_ways;
use super::{Instance, Problem, Scope};
use crate::api::vocabulary::Layer;
use crate::api::{AITeamSpec, BlueprintSpec, Reason};

/// The hosts that bypass a proxy: the team's own services.
const DIRECT: &str = "localhost,127.0.0.1,.svc,.cluster.local";

/// The settings, and conflicts between two sources.
#[must_use]
pub fn connections(
    spec: &AITeamSpec,
    blueprint: &BlueprintSpec,
    instances: &[Instance],
) -> (BTreeMap<String, String>, Vec<Problem>) {
    let mut settings: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut problems = Vec::new();
    let engines = instances.iter().filter_map(|instance| Some((&instance.id, &instance.choice.as_ref()?.connections)));
    let engines =
        engines.map(|(id, settings)| (format!("engine {}", id.engine), Scope::Component(id.clone()), settings));
    let own = spec.backbone.as_ref().map(|backbone| backbone.egress.as_slice()).unwrap_or_default();
    let used = with_ways(own, Layer::Workspace, instances);
    let profiles = used.iter().filter_map(|name| Some((name, &blueprint.egress_profile(name)?.env)));
    let profiles = profiles.map(|(name, settings)| (format!("egress profile {name}"), Scope::Team, settings));
    for (source, scope, more) in engines.chain(profiles) {
        for (key, value) in more {
            match settings.get(key) {
                Some((first, known)) if known != value => {
                    let message = format!("{source} and {first} both set {key}. The value of {first} is used");
                    problems.push(Problem::advice(scope.clone(), Reason::Invalid, message));
                }
                Some(_) => {}
                None => {
                    settings.insert(key.clone(), (source.clone(), value.clone()));
                }
            }
        }
    }
    let mut settings: BTreeMap<String, String> = settings.into_iter().map(|(key, (_, value))| (key, value)).collect();
    if settings.contains_key("HTTP_PROXY") || settings.contains_key("HTTPS_PROXY") {
        settings.entry("NO_PROXY".to_owned()).or_insert_with(|| DIRECT.to_owned());
    }
    (settings, problems)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::AITeam;
    use crate::engine::Catalogue;
    use crate::plan::{Facts, plan};

    #[test]
    fn a_profile_that_an_engine_opens_brings_its_settings_along() {
        let site = "{egress: [{name: tools, to: [{cidr: 203.0.113.0/24}], env: {HTTPS_PROXY: 'http://proxy:3128'}}]}";
        let site: BlueprintSpec = serde_saphyr::from_str(site).unwrap();
        let catalogue = Catalogue::builtin();
        let settings = |parameters: &str| {
            let spec = format!("{{shared: {{models: {{engine: external, parameters: {parameters}}}}}}}");
            let team = AITeam::new("abc", serde_saphyr::from_str(&spec).unwrap());
            plan(&team, &Facts::offline(&site, &catalogue)).unwrap().connections
        };
        let with = settings("{url: 'https://m.example.com', egress: tools}");
        assert_eq!((with["HTTPS_PROXY"].as_str(), with["NO_PROXY"].as_str()), ("http://proxy:3128", DIRECT));
        assert!(!settings("{url: 'https://m.example.com'}").contains_key("HTTPS_PROXY"));
    }
}
