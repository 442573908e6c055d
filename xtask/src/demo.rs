//! `cargo xtask demo`: Strata at work. A control plane of its own or a real node, the
//! operator under its own account with the chart's rights and fence, every example
//! applied, first the teams, then the objects of their members, and what became of them.
//! This module decides what happens in which order; where is [`crate::stage`]'s, what
//! is meant to happen [`crate::intent`]'s, what is printed at the end
//! [`crate::report`]'s.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use harness::Cluster;
use serde_json::Value;

use crate::control_plane::wait_for_end;
use crate::error::Error;
use crate::examples::{Examples, Object};
use crate::intent::{condition, judge};
use crate::kubectl::{Clock, get};
use crate::report;
use crate::stage::Stage;

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(300);

/// Start a control plane and the operator, apply deploy/examples, show the result
#[derive(clap::Args)]
pub struct Demo {
    /// End after the print; fail unless every team is ready and all objects of their members are in the expected state
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    place: Place,
    /// How long the teams may take to become ready, and then the objects of their members
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u64,
}

/// The cluster of the demo: a control plane of its own by default.
#[derive(clap::Args)]
struct Place {
    /// Use this cluster instead of a control plane of our own (it is changed, and stays so)
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Use a real node, with pods that run (Linux, root, a few Debian packages), and the teams of deploy/tour
    #[arg(long, conflicts_with = "kubeconfig")]
    node: bool,
    /// Apply no team: the steps of docs/tour.md do that
    #[arg(long, requires = "node", conflicts_with = "once")]
    tour: bool,
    /// Install the Debian packages that are missing for a node, with apt-get
    #[arg(long, requires = "node")]
    install: bool,
}

impl Demo {
    /// Shows it all.
    pub async fn run(self) -> Result<(), Error> {
        if self.place.install {
            harness::node::install()?;
        }
        let clock = Clock(Instant::now());
        let stage = match &self.place.kubeconfig {
            Some(file) => Stage::given(file, &clock).await?,
            None if self.place.node => Stage::node(&clock).await?,
            None => Stage::own(&clock).await?,
        };
        let waiting = if self.place.tour { Vec::new() } else { self.show(&stage, &clock).await? };
        let verdict = if waiting.is_empty() { Ok(()) } else { Err(Error::NotReady(waiting.join(", "))) };
        if self.once {
            return verdict;
        }
        let cluster = stage.cluster();
        if let Err(error) = &verdict {
            eprintln!("{error}; the operator's log is in {}", cluster.directory().display());
        }
        println!("{}", invitation(cluster));
        if let Some(people) = stage.people()? {
            println!("{people}");
        }
        if self.place.tour {
            println!("docs/tour.md begins here: kubectl apply --filename deploy/tour/00-site.yaml");
        }
        println!("Ctrl-C ends it.");
        wait_for_end(|| stage.check()).await?;
        stage.stop().await?;
        verdict
    }

    /// Applies every example and prints what became of it; returns what is not as it is meant to be.
    async fn show(&self, stage: &Stage, clock: &Clock) -> Result<Vec<String>, Error> {
        let cluster = stage.cluster();
        let examples = Examples::read(&harness::repository().join(stage.examples()), |file| stage.shows(file))?;
        let teams = &examples.teams;
        apply(cluster, &examples.site).await?;
        clock.say(&format!("the teams of {} are applied: {}", stage.examples(), teams.join(", ")));
        let mut waiting = self.watch(stage, clock, async || look_at_teams(cluster, teams).await).await?;
        stage.tell_pods().await?;
        apply(cluster, &examples.work).await?;
        let objects = stage.intended(&examples.objects);
        clock.say(&format!("{} objects of their members are applied", examples.objects.len()));
        waiting.extend(self.watch(stage, clock, async || look_at_work(cluster, &objects).await).await?);

        println!("\n{}", report::report(cluster, teams).await?);
        if waiting.is_empty() {
            clock.say(&format!(
                "all {} teams are ready, and the objects of their members are in the expected state",
                teams.len()
            ));
        }
        Ok(waiting)
    }

    /// Tells each change of what is looked at until all of it is good; returns what is not in time.
    async fn watch(
        &self,
        stage: &Stage,
        clock: &Clock,
        look: impl AsyncFn() -> Result<Vec<Seen>, Error>,
    ) -> Result<Vec<String>, Error> {
        let deadline = Instant::now() + Duration::from_secs(self.timeout);
        let mut printed: BTreeMap<String, String> = BTreeMap::new();
        loop {
            stage.check()?;
            let seen = look().await?;
            for Seen { name, state, .. } in &seen {
                if printed.get(name) != Some(state) {
                    clock.say(&format!("{name:<20} {state}"));
                    printed.insert(name.clone(), state.clone());
                }
            }
            let waiting: Vec<String> = seen.into_iter().filter(|seen| !seen.good).map(|seen| seen.name).collect();
            if waiting.is_empty() || Instant::now() >= deadline {
                return Ok(waiting);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// An observed object.
struct Seen {
    name: String,
    state: String,
    good: bool,
}

async fn look_at_teams(cluster: &Cluster, teams: &[String]) -> Result<Vec<Seen>, Error> {
    let listed = get(cluster, &["aiteams"]).await?;
    let find = |name: &String| items(&listed).find(|team| team["metadata"]["name"] == **name);
    let seen = teams.iter().map(|name| {
        let state = find(name).map_or_else(|| "waits for the operator".into(), state);
        Seen { name: name.clone(), good: state == READY, state }
    });
    Ok(seen.collect())
}

async fn look_at_work(cluster: &Cluster, objects: &[&Object]) -> Result<Vec<Seen>, Error> {
    let listed = get(cluster, &[WORK, "--all-namespaces"]).await?;
    let find = |object: &Object| {
        items(&listed).find(|live| {
            live["kind"] == *object.kind
                && live["metadata"]["namespace"] == *object.namespace
                && live["metadata"]["name"] == *object.name
        })
    };
    let seen = objects.iter().map(|object| {
        let (state, good) = judge(object, find(object).unwrap_or(&Value::Null));
        Seen { name: format!("{} {}/{}", object.kind, object.namespace, object.name), state, good }
    });
    Ok(seen.collect())
}

/// The namespaced kinds, as kubectl takes them.
const WORK: &str = "components,datasets,workbenches,pipelines,runs,modelservices";

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list["items"].as_array().into_iter().flatten()
}

/// The message of a ready team.
const READY: &str = "Ready";

/// A team's state in a line: ready in its present generation, or why not.
fn state(team: &Value) -> String {
    let ready = condition(team, "Ready");
    if ready.is_null() || ready["observedGeneration"] != team["metadata"]["generation"] {
        return "waits for the operator".into();
    }
    if ready["status"] == "True" {
        return READY.into();
    }
    let text = |field: &str| ready[field].as_str().unwrap_or_default().to_owned();
    format!("{}: {}", text("reason"), text("message"))
}

/// Applies files, in their order.
async fn apply(cluster: &Cluster, files: &[PathBuf]) -> Result<(), Error> {
    let mut arguments: Vec<OsString> = vec!["apply".into(), "--server-side".into()];
    arguments.extend(files.iter().flat_map(|file| ["--filename".into(), file.into()]));
    cluster.kubectl(arguments).await?;
    Ok(())
}

/// The next attempt.
fn invitation(cluster: &Cluster) -> String {
    let kubectl = cluster.programs().kubectl.parent().unwrap_or(cluster.directory());
    format!(
        "In another terminal:\n\
         \x20 export KUBECONFIG={}\n\
         \x20 export PATH={}:$PATH\n\
         \x20 kubectl get ai --all-namespaces\n\
         \x20 kubectl describe ait\n\
         \x20 kubectl delete rolebindings --all --namespace <team>--shared    # back within a second",
        cluster.kubeconfig().display(),
        kubectl.display(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::state;

    #[test]
    fn a_team_is_ready_only_in_its_present_generation() {
        let team = |generation: i64, status: &str| {
            json!({
                "metadata": {"generation": 2},
                "status": {"conditions": [{
                    "type": "Ready", "status": status, "observedGeneration": generation,
                    "reason": "Conflict", "message": "namespace a--b is not ours",
                }]},
            })
        };
        assert_eq!(state(&team(2, "True")), "Ready");
        assert_eq!(state(&team(1, "True")), "waits for the operator");
        assert_eq!(state(&team(2, "False")), "Conflict: namespace a--b is not ours");
        assert_eq!(state(&json!({"metadata": {"generation": 1}})), "waits for the operator");
    }
}
