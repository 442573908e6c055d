//! The settings that workbenches, pipelines and services of the team load.
//!
//! They come from the engines and from the egress profiles. Where two say
//! something of the same setting, the first engine in the order of capabilities
//! wins, and engines win over profiles.

use std::collections::BTreeMap;

use super::{Instance, Problem, Scope};
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
    let profiles = spec.backbone.iter().flat_map(|backbone| &backbone.egress);
    let profiles = profiles.filter_map(|name| Some((name, &blueprint.egress_profile(name)?.env)));
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
