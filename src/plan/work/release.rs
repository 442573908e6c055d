//! Which release of a model is to serve, and whether one has to be made first.
//!
//! Pinned: after the release of a version its files are known by their
//! digest and are never looked up again. While a new one is looked up, the
//! earlier one stays the release to serve, unchanged.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::WorkFacts;
use crate::api::BlueprintSpec;
use crate::api::work::ModelService;
use crate::api::work::model_service::{ModelReference, Release};
use crate::engine::work::{ResolveInputs, SizedInputs};

/// The most releases that are remembered.
const REMEMBERED: usize = 10;
/// The container of a release's pod.
const CONTAINER: &str = "release";

/// The decision on releases.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// The releases to be recorded, the newest first: the first is to serve.
    pub releases: Vec<Release>,
    /// The release to make, or the one whose Job is kept until it is recorded.
    pub resolve: Option<ResolveInputs>,
    /// The message of the failed Job of the wanted release.
    pub failed: Option<String>,
    /// Whether the wanted release is being made.
    pub releasing: bool,
}

/// The name of the Job that makes a release.
#[must_use]
pub fn job(service: &str, suffix: &str) -> String {
    format!("service-{service}-release-{suffix}")
}

/// Whether the release is an image of its own and nothing out of a registry: a
/// model of a registry always has a digest, and no `@` in its name.
#[must_use]
pub fn is_image(release: &Release) -> bool {
    release.digest.is_none() || release.model.contains('@')
}

/// What is recorded, the newest first. Where the record is lost (its kind was
/// installed anew, or it comes from a backup), what serves tells what it is.
#[must_use]
pub fn recorded(service: &ModelService, facts: &WorkFacts<'_>) -> Vec<Release> {
    let recorded = service.status.as_ref().map(|status| status.releases.clone()).unwrap_or_default();
    if recorded.is_empty() { serving(service, facts).into_iter().collect() } else { recorded }
}

/// The annotation of serving pods with their version.
pub const VERSION: &str = "strata-operator.dev/model-version";
/// The annotation of serving pods with the digest of their files.
pub const DIGEST: &str = "strata-operator.dev/model-digest";

/// The serving release, by the annotations of pods, which only Strata writes.
fn serving(service: &ModelService, facts: &WorkFacts<'_>) -> Option<Release> {
    let name = service.metadata.name.as_deref().unwrap_or_default();
    let live = (facts.live)("Deployment", &format!("service-{name}"))?;
    let pod = &live["spec"]["template"];
    let text = |key: &str| pod["metadata"]["annotations"][key].as_str().map(str::to_owned);
    let container = &pod["spec"]["containers"][0];
    let model = match &service.spec.runtime {
        Some(_) => {
            let variables = container["env"].as_array()?.iter();
            variables.into_iter().find(|variable| variable["name"] == "MODEL_NAME")?["value"].as_str()?
        }
        None => container["image"].as_str()?,
    };
    Some(Release {
        model: model.to_owned(),
        version: text(VERSION)?,
        alias: None,
        generation: service.metadata.generation.unwrap_or_default(),
        digest: text(DIGEST),
        release_time: None,
    })
}

/// An image is its own release and needs no look-up.
#[must_use]
pub fn of_image(service: &ModelService, image: &str, facts: &WorkFacts<'_>) -> Decision {
    let release = Release {
        model: image.to_owned(),
        version: service.spec.model.version.clone().unwrap_or_default(),
        alias: None,
        generation: service.metadata.generation.unwrap_or_default(),
        digest: image.split_once('@').map(|(_, digest)| digest.to_owned()),
        release_time: None,
    };
    Decision { releases: front(recorded(service, facts), release), ..Decision::default() }
}

/// A model of the registry: an earlier release is known; any other version
/// is looked up by a Job.
#[must_use]
pub fn of_registry(service: &ModelService, sized: &SizedInputs, facts: &WorkFacts<'_>) -> Decision {
    let (model, releases) = (&service.spec.model, recorded(service, facts));
    if let Some(known) = known(model, &releases) {
        return Decision { releases: front(releases, known), ..Decision::default() };
    }
    let generation = service.metadata.generation.unwrap_or_default();
    let resolve = ResolveInputs {
        suffix: suffix(service, sized, &facts.plan.site),
        model: model.name.clone(),
        version: model.version.clone(),
        alias: model.alias.clone(),
    };
    let name = service.metadata.name.as_deref().unwrap_or_default();
    let decision = match outcome(&job(name, &resolve.suffix), facts) {
        Outcome::Running => Decision { releasing: true, releases, ..Decision::default() },
        Outcome::Failed(said) => Decision { failed: Some(said), releases, ..Decision::default() },
        Outcome::Said(said) => match release(&said, model, generation, &releases) {
            Ok(release) => Decision { releases: front(releases, release), ..Decision::default() },
            Err(failed) => Decision { failed: Some(failed), releases, ..Decision::default() },
        },
    };
    // The Job stays until its result is recorded: the result is nowhere else.
    Decision { resolve: Some(resolve), ..decision }
}

/// The release that the spec asks for, if there was one. An alias stands for
/// what it was looked up as for as long as the spec goes on asking for it.
fn known(model: &ModelReference, releases: &[Release]) -> Option<Release> {
    if let Some(alias) = &model.alias {
        let first = releases.first()?;
        return (!is_image(first) && first.model == model.name && first.alias.as_ref() == Some(alias))
            .then(|| first.clone());
    }
    let version = model.version.as_ref()?;
    let mut all = releases.iter().filter(|release| !is_image(release));
    let found = all.find(|release| release.model == model.name && release.version == *version)?;
    Some(Release { alias: None, ..found.clone() })
}

/// The releases with this one first. One that was there keeps when it was made.
fn front(mut releases: Vec<Release>, release: Release) -> Vec<Release> {
    let same =
        |old: &Release| old.model == release.model && old.version == release.version && old.digest == release.digest;
    let release = match releases.iter().position(same) {
        Some(position) => {
            let old = releases.remove(position);
            let generation = if old.alias == release.alias { old.generation } else { release.generation };
            Release { generation, release_time: old.release_time, ..release }
        }
        None => release,
    };
    releases.insert(0, release);
    releases.truncate(REMEMBERED);
    releases
}

/// A Job never changes, so all that it is made of is in its name. The spec is in it, so
/// that its change tries again; so does the site's choice of another image. The number of
/// replicas is not: an autoscaler may write it while a release is under way.
fn suffix(service: &ModelService, sized: &SizedInputs, site: &BlueprintSpec) -> String {
    let mut spec = json!(service.spec);
    if let Some(spec) = spec.as_object_mut() {
        spec.remove("replicas");
    }
    let mut made_of = json!([spec, sized]);
    // As a map, so that the order of the entries means nothing.
    let parameters: BTreeMap<&String, _> =
        site.engine_parameters().iter().map(|entry| (&entry.engine, &entry.values)).collect();
    if let Some(made_of) = made_of.as_array_mut().filter(|_| !parameters.is_empty()) {
        made_of.push(json!(parameters));
    }
    let digest = Sha256::digest(made_of.to_string().as_bytes());
    digest.iter().take(4).fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

enum Outcome {
    Running,
    Said(String),
    Failed(String),
}

/// The state of the Job, by its pods and, after its failure, by its own status.
fn outcome(job: &str, facts: &WorkFacts<'_>) -> Outcome {
    let pods = facts.pods.iter().filter(|pod| pod.owner_kind == "Job" && pod.owner == job && !pod.deleting);
    let mut ended: Vec<_> = pods.filter_map(|pod| pod.container(CONTAINER)?.ended.as_ref()).collect();
    if let Some(done) = ended.iter().find(|ended| ended.exit_code == 0) {
        return Outcome::Said(done.message.clone());
    }
    let live = (facts.live)("Job", job).unwrap_or_default();
    let conditions = live["status"]["conditions"].as_array();
    let failed = conditions.into_iter().flatten().find(|condition| {
        condition["status"] == "True" && ["Failed", "FailureTarget"].iter().any(|type_| condition["type"] == *type_)
    });
    let Some(failed) = failed else { return Outcome::Running };
    ended.sort_by_key(|ended| ended.finished.as_ref().map(|time| time.0));
    let said = ended.iter().rev().map(|ended| match ended.message.trim() {
        "" => format!("the pod of the release ended with {} and exit code {}", ended.reason, ended.exit_code),
        said => said.to_owned(),
    });
    Outcome::Failed(said.take(1).next().unwrap_or_else(|| because(failed)))
}

/// The message of a Job that failed without a pod, such as after its deadline.
fn because(condition: &Value) -> String {
    let text = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
    format!("{}: {}", text("reason"), text("message"))
}

/// The result of a successful release Job.
#[derive(Deserialize)]
struct Said {
    version: String,
    digest: String,
}

/// The release that the Job reports, if it can be believed.
fn release(said: &str, model: &ModelReference, generation: i64, releases: &[Release]) -> Result<Release, String> {
    let parsed: Option<Said> = serde_json::from_str(said).ok();
    let Some(Said { version, digest }) = parsed.filter(|said| is_version(&said.version) && is_digest(&said.digest))
    else {
        let said: String = said.chars().take(200).collect();
        return Err(format!("the Job of the release reported '{said}' instead of a version and a digest"));
    };
    if let Some(asked) = model.version.as_ref().filter(|asked| **asked != version) {
        return Err(format!(
            "the Job of the release was asked for version {asked} and found {version}. Set spec.model.version to \
             {version}"
        ));
    }
    let before = releases.iter().find(|old| !is_image(old) && old.model == model.name && old.version == version);
    if let Some(other) = before.and_then(|old| old.digest.as_ref()).filter(|other| **other != digest) {
        return Err(format!(
            "version {version} was released with digest {other}, but its files now have digest {digest}, because they \
             were changed in the registry. Register a new version"
        ));
    }
    Ok(Release {
        model: model.name.clone(),
        version,
        alias: model.alias.clone(),
        generation,
        digest: Some(digest),
        release_time: None,
    })
}

fn is_version(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 63 && text.chars().all(inner) && ends(text.chars().next()) && ends(text.chars().last())
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')))
}

#[cfg(test)]
#[path = "release_tests.rs"]
mod tests;
