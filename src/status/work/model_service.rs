//! The status of a `ModelService`: the serving version, the wanted one,
//! the releases, and the verdict of its monitor.

use super::autoscalers::contended;
use super::{Judged, monitor};
use crate::api::reason::Class;
use crate::api::status::Finding;
use crate::api::work::ModelService;
use crate::api::work::dataset::UsedBy;
use crate::api::work::model_service::{MONITOR_PASSING, ModelServiceStatus, Release, Requested};
use crate::api::{Issue, Reason};
use crate::plan::work::pod_state::Pod;
use crate::plan::work::release::{DIGEST, VERSION};
use crate::plan::work::{Detail, release};

/// The status of a `ModelService`.
#[must_use]
pub fn status(object: &ModelService, judged: &Judged<'_>) -> ModelServiceStatus {
    let before = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation.unwrap_or_default();
    let releases = releases(&before.releases, judged);
    let answers = answers(&before, &releases, judged);
    let verdict = monitor::verdict(object, before.monitor.as_ref(), judged);
    let ready = ready(object, &releases, answers.version.as_deref(), judged);
    let (monitored, withheld) = monitored(&before, judged);
    let withheld = withheld.map(|why| Finding::new(MONITOR_PASSING, false, why.reason, why.message));
    let more = withheld.or_else(|| verdict.as_ref().map(monitor::finding)).into_iter().collect();
    ModelServiceStatus {
        observed_generation: Some(generation),
        conditions: judged.conditions(&before.conditions, generation, &ready, more),
        wanted: wanted(object, &releases),
        requested: Some(requested(object, &releases)),
        serving: answers.version,
        digest: answers.digest,
        replicas: answers.replicas,
        ready_replicas: answers.ready_replicas,
        selector: selector(judged).or(before.selector),
        endpoint: endpoint(&releases, judged).or(before.endpoint).filter(|_| !is_taken(judged)),
        releases,
        monitor: verdict,
        monitored,
        engine: judged.engine(),
    }
}

/// The pinned component of the monitor, and the reason that blocks it.
fn monitored(before: &ModelServiceStatus, judged: &Judged<'_>) -> (Option<UsedBy>, Option<Issue>) {
    match &judged.plan.draft.detail {
        Detail::ModelService { monitored, withheld, .. } if judged.plan.draft.write => {
            (monitored.clone(), withheld.clone())
        }
        _ => (before.monitored.clone(), None),
    }
}

/// The releases with the time of each: a new one is of now.
fn releases(before: &[Release], judged: &Judged<'_>) -> Vec<Release> {
    let Detail::ModelService { releases, .. } = &judged.plan.draft.detail else { return before.to_vec() };
    let timed = releases.iter().map(|release| {
        let same = |old: &&Release| {
            old.model == release.model && old.version == release.version && old.digest == release.digest
        };
        let known = before.iter().find(same).and_then(|old| old.release_time.clone());
        Release { release_time: known.or_else(|| Some(judged.now.clone())), ..release.clone() }
    });
    timed.collect()
}

/// The version of the spec, or the alias with its version at release.
fn wanted(object: &ModelService, releases: &[Release]) -> Option<String> {
    let model = &object.spec.model;
    let Some(alias) = &model.alias else { return model.version.clone() };
    let found = releases.first().filter(|first| first.model == model.name && first.alias.as_ref() == Some(alias));
    Some(found.map_or_else(|| alias.clone(), |found| format!("{alias} ({})", found.version)))
}

/// The version that is asked for, and the alias by which it is.
fn requested(object: &ModelService, releases: &[Release]) -> Requested {
    let model = &object.spec.model;
    let found = releases.first().filter(|first| first.model == model.name && first.alias == model.alias);
    let resolved = found.filter(|_| model.alias.is_some()).map(|found| found.version.clone());
    Requested { version: model.version.clone().or(resolved), alias: model.alias.clone() }
}

/// The labels of the pods that serve, as a selector.
fn selector(judged: &Judged<'_>) -> Option<String> {
    let live = (judged.live)("Deployment", &format!("service-{}", judged.plan.id.name))?;
    let labels = live["spec"]["selector"]["matchLabels"].as_object()?;
    let all = labels.iter().filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)));
    Some(all.collect::<Vec<_>>().join(","))
}

/// The version or the alias that the spec asks for.
fn asked(object: &ModelService) -> String {
    let model = &object.spec.model;
    match &model.alias {
        Some(alias) => format!("alias {alias}"),
        None => format!("version {}", model.version.as_deref().unwrap_or_default()),
    }
}

/// The version, digest and replicas that answer requests.
#[derive(Default)]
struct Answers {
    version: Option<String>,
    digest: Option<String>,
    replicas: Option<i32>,
    ready_replicas: Option<i32>,
}

/// Read off the pods that are ready. While one version takes the place of another,
/// what answered before is said to answer until the last of its pods is gone.
fn answers(before: &ModelServiceStatus, releases: &[Release], judged: &Judged<'_>) -> Answers {
    let Some(live) = (judged.live)("Deployment", &format!("service-{}", judged.plan.id.name)) else {
        return elsewhere(releases, judged);
    };
    let count = |field: &str| live["status"][field].as_i64().unwrap_or(0);
    let number = |field: &str| i32::try_from(count(field)).ok();
    let (replicas, ready_replicas) = (number("replicas"), number("readyReplicas"));
    let of = |version, digest| Answers { version, digest, replicas, ready_replicas };
    if let Some((version, digest)) = of_pods(before, judged) {
        return of(Some(version), digest);
    }
    if count("availableReplicas") == 0 {
        return of(None, None);
    }
    let observed = live["status"]["observedGeneration"].as_i64() >= live["metadata"]["generation"].as_i64();
    let through = observed && count("updatedReplicas") > 0 && count("updatedReplicas") == count("replicas");
    if !through {
        return of(before.serving.clone(), before.digest.clone());
    }
    let annotations = &live["spec"]["template"]["metadata"]["annotations"];
    let text = |name: &str| annotations[name].as_str().map(str::to_owned);
    of(text(VERSION), text(DIGEST))
}

/// What the pods that are ready were made to serve: what answered before if any of
/// them still does, else the oldest.
fn of_pods(before: &ModelServiceStatus, judged: &Judged<'_>) -> Option<(String, Option<String>)> {
    let ready = judged.pods.iter().filter(|pod| pod.ready && !pod.deleting && pod.owner_kind != "Job");
    let mut ready: Vec<&Pod> = ready.filter(|pod| pod.annotations.contains_key(VERSION)).collect();
    ready.sort_by_key(|pod| (pod.annotations.get(VERSION) != before.serving.as_ref(), pod.created.clone()));
    let first = ready.first()?;
    Some((first.annotations.get(VERSION)?.clone(), first.annotations.get(DIGEST).cloned()))
}

/// The message for a paused rollout, with the command to resume it.
fn paused(judged: &Judged<'_>) -> Option<String> {
    let id = &judged.plan.id;
    let live = (judged.live)("Deployment", &format!("service-{}", id.name))?;
    (live["spec"]["paused"] == true).then(|| {
        format!(
            "the rollout is paused. To resume it: kubectl rollout resume deployment/service-{} --namespace {}",
            id.name, id.namespace
        )
    })
}

/// Without a Deployment, the engine's rules decide when the release serves.
fn elsewhere(releases: &[Release], judged: &Judged<'_>) -> Answers {
    let writes = judged.plan.objects.iter().any(|made| made.object["kind"] == "Deployment");
    match releases.first() {
        Some(first) if !writes && judged.trouble().is_none() => {
            Answers { version: Some(first.version.clone()), digest: first.digest.clone(), ..Answers::default() }
        }
        _ => Answers::default(),
    }
}

/// Whether an object of it belongs to another owner: the address may lead there.
fn is_taken(judged: &Judged<'_>) -> bool {
    judged.failure.as_ref().is_some_and(|failure| failure.reason == Reason::Conflict)
}

/// The address, once a release exists.
fn endpoint(releases: &[Release], judged: &Judged<'_>) -> Option<String> {
    releases.first()?;
    judged.plan.engine.as_ref()?.endpoint(&judged.plan.inputs.as_ref()?.to_value()).ok().flatten()
}

fn ready(
    object: &ModelService,
    releases: &[Release],
    serving: Option<&str>,
    judged: &Judged<'_>,
) -> Result<(Reason, String), Issue> {
    let name = &object.spec.model.name;
    let Detail::ModelService { failed, releasing, .. } = &judged.plan.draft.detail else {
        return held(judged, serving);
    };
    let goes_on = goes_on(serving);
    // While a newer revision of the engine waits to be asked for, nothing is written.
    let waits = judged.plan.hold.as_ref().filter(|hold| hold.reason.class() == Class::Fine);
    let as_asked = releases.first().is_some_and(|first| serving == Some(first.version.as_str())) && !releasing;
    if let Some(waits) = waits.filter(|_| !as_asked) {
        let message = format!("{}. {goes_on}", trimmed(&waits.message));
        return Err(Issue::new(Reason::UpgradeRequired, message));
    }
    if let Some(said) = failed.as_ref().filter(|_| judged.failure.is_none()) {
        return Err(Issue::new(
            Reason::ReleaseFailed,
            format!("{goes_on}. Release of {} of {name} failed: {}. {}", asked(object), trimmed(said), again(judged)),
        ));
    }
    let Some(first) = releases.first().filter(|_| !releasing) else {
        if judged.plan.retained {
            let message = format!("the team or project was removed, so nothing new is released. {goes_on}");
            return Err(Issue::new(Reason::Retained, message));
        }
        return Err(match judged.trouble() {
            Some(trouble) if trouble.reason != Reason::Progressing => trouble,
            _ => Issue::new(
                Reason::Progressing,
                format!("{} of {name} is being looked up in the registry. {goes_on}", asked(object)),
            ),
        });
    };
    if let Some(paused) = paused(judged).filter(|_| serving != Some(first.version.as_str())) {
        let message = format!("version {} of {name} is not rolled out, because {paused}. {goes_on}", first.version);
        return Err(Issue::new(Reason::Progressing, message));
    }
    let trouble = judged.trouble();
    let minor = trouble.as_ref().is_none_or(|trouble| trouble.reason == Reason::Progressing);
    if let Some(contended) = contended(judged).filter(|_| minor) {
        return Err(Issue::new(Reason::Contested, format!("{contended}. {goes_on}")));
    }
    if let Some(trouble) = trouble {
        return Err(of_trouble(&trouble, first, serving, judged));
    }
    if serving != Some(first.version.as_str()) {
        return Err(Issue::new(
            Reason::Progressing,
            format!("version {} of {name} is being rolled out. {goes_on}", first.version),
        ));
    }
    if let Some(waits) = waits {
        return Ok((waits.reason, waits.message.clone()));
    }
    let retained = !judged.plan.draft.write;
    let reason = if retained { Reason::Retained } else { Reason::Ready };
    Ok((reason, format!("version {} of {name} is serving", first.version)))
}

/// The cause that blocks it, with the serving version.
fn held(judged: &Judged<'_>, serving: Option<&str>) -> Result<(Reason, String), Issue> {
    let trouble = judged.trouble().unwrap_or_else(|| Issue::new(Reason::Progressing, "the object is not planned yet"));
    Err(Issue { message: format!("{}. {}", trimmed(&trouble.message), goes_on(serving)), ..trouble })
}

/// Trouble of written objects. The version that is still serving is what
/// people ask first.
fn of_trouble(trouble: &Issue, first: &Release, serving: Option<&str>, judged: &Judged<'_>) -> Issue {
    let message = match (trouble.reason, ended(judged)) {
        (Reason::PodFailing, Some(ended)) => ended,
        _ => trouble.message.clone(),
    };
    if serving == Some(first.version.as_str()) {
        return Issue::new(trouble.reason, message);
    }
    // It may have served before: that none does now is all that is known.
    let serves = serving.map_or_else(|| "No version is serving now".to_owned(), |_| goes_on(serving));
    Issue::new(trouble.reason, format!("{}. {serves}", trimmed(&message)))
}

/// How a pod that is to serve ends again and again: that its files are not those that
/// were released, in the words of what fetched them; of what serves, where to read it.
fn ended(judged: &Judged<'_>) -> Option<String> {
    let serving = judged.pods.iter().filter(|pod| !pod.deleting && pod.owner_kind != "Job");
    let mut all =
        serving.flat_map(|pod| pod.containers.iter().filter(|one| one.waiting.is_some()).map(move |one| (pod, one)));
    all.find_map(|(pod, one)| {
        // The trouble itself has more facts on memory.
        let ended = one.ended.as_ref().or(one.before.as_ref()).filter(|ended| ended.reason != "OOMKilled")?;
        // The init container is Strata's; the server loads the model, whose output may contain data of customers.
        let said = ended.message.trim();
        if one.init && !said.is_empty() {
            return Some(format!("pod {}: {said}", pod.name));
        }
        let does = if one.init { "fetches and verifies the released files" } else { "serves" };
        Some(format!(
            "pod {}: container {}, which {does}, ended with exit code {}. Its log: `kubectl logs {} -c {} --namespace \
             {}`",
            pod.name, one.name, ended.exit_code, pod.name, one.name, judged.plan.id.namespace
        ))
    })
}

fn goes_on(serving: Option<&str>) -> String {
    serving
        .map_or_else(|| "No version is serving yet".to_owned(), |version| format!("Version {version} is still serving"))
}

fn again(judged: &Judged<'_>) -> String {
    let id = &judged.plan.id;
    let resolve = judged.plan.draft.work.service.as_ref().and_then(|service| service.resolve.as_ref());
    let job = resolve.map(|resolve| release::job(&id.name, &resolve.suffix)).unwrap_or_default();
    format!(
        "Fix the cause and change the spec, or retry with `kubectl delete job {job} --namespace {}` (needs Own)",
        id.namespace
    )
}

/// A sentence without its end, to go on from.
fn trimmed(text: &str) -> &str {
    text.trim().trim_end_matches('.')
}

#[cfg(test)]
#[path = "model_service_tests.rs"]
mod tests;
