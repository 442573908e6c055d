//! `cargo xtask demo`: Strata at work. A control plane of its own, the operator
//! under its own account with the chart's rights and fence, every example applied,
//! and what became of it in print. This module decides what happens in which
//! order; what is printed at the end is [`crate::report`]'s.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use harness::operator::Install;
use harness::{Cluster, ControlPlane, Operator, Options};
use serde_json::Value;

use crate::control_plane::wait_for_end;
use crate::error::Error;
use crate::{cargo, report};

/// Between two looks at the teams.
const PAUSE: Duration = Duration::from_millis(300);

/// Start a control plane and the operator, apply deploy/examples, show what becomes of it
#[derive(clap::Args)]
pub struct Demo {
    /// End after the print; fail unless every team is ready
    #[arg(long)]
    once: bool,
    /// Use this cluster instead of a control plane of our own (it is changed, and stays so)
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// How long the teams may take to become ready
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u64,
}

/// Where the demo takes place.
enum Stage {
    Own(Box<ControlPlane>),
    Given(Cluster),
}

impl Stage {
    fn cluster(&self) -> &Cluster {
        match self {
            Self::Own(plane) => plane,
            Self::Given(cluster) => cluster,
        }
    }

    fn stopped(&self) -> Result<(), Error> {
        match self {
            Self::Own(plane) => Ok(plane.stopped()?),
            Self::Given(_) => Ok(()),
        }
    }
}

impl Demo {
    /// Shows it all.
    pub async fn run(self) -> Result<(), Error> {
        let strata = cargo::build_strata()?;
        harness::Programs::ready().await?;
        let clock = Clock(Instant::now());
        let stage = match &self.kubeconfig {
            Some(file) => Stage::Given(Cluster::at(file).await?),
            None => Stage::Own(Box::new(ControlPlane::start(Options::default()).await?)),
        };
        let cluster = stage.cluster();
        clock.say("the control plane is up");
        Operator::install(cluster, &Install::default()).await?;
        clock.say("the charts are installed; the fence around the operator stands");
        let operator = Operator::start(cluster, strata).await?;
        clock.say("the operator is ready");
        let teams = apply_examples(cluster).await?;
        clock.say(&format!("deploy/examples is applied: {}", teams.join(", ")));
        let waiting = self.watch(cluster, &operator, &teams, &clock).await?;

        println!("\n{}", report::report(cluster, &teams).await?);
        if waiting.is_empty() {
            clock.say(&format!("all {} teams are ready", teams.len()));
        }
        let verdict = if waiting.is_empty() { Ok(()) } else { Err(Error::NotReady(waiting.join(", "))) };
        if self.once {
            return verdict;
        }
        if let Err(error) = &verdict {
            eprintln!("{error}; the operator's log is in {}", cluster.directory().display());
        }
        println!("{}", invitation(cluster));
        wait_for_end(|| {
            operator.check()?;
            stage.stopped()
        })
        .await?;
        operator.stop().await?;
        verdict
    }

    /// Tells each change of a team's state until all are ready; returns those that are not in time.
    async fn watch(
        &self,
        cluster: &Cluster,
        operator: &Operator,
        teams: &[String],
        clock: &Clock,
    ) -> Result<Vec<String>, Error> {
        let deadline = Instant::now() + Duration::from_secs(self.timeout);
        let mut told: BTreeMap<String, String> = BTreeMap::new();
        loop {
            operator.check()?;
            let listed = get(cluster, &["aiteams"]).await?;
            for team in listed["items"].as_array().into_iter().flatten() {
                let name = team["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                let state = state(team);
                if teams.contains(&name) && told.get(&name) != Some(&state) {
                    clock.say(&format!("{name:<20} {state}"));
                    told.insert(name, state);
                }
            }
            let waiting = teams.iter().filter(|team| told.get(*team).is_none_or(|state| state != READY));
            let waiting: Vec<String> = waiting.cloned().collect();
            if waiting.is_empty() || Instant::now() >= deadline {
                return Ok(waiting);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// What a team that is ready is told to be.
const READY: &str = "Ready";

/// A team's state in a line: ready in its present generation, or why not.
fn state(team: &Value) -> String {
    let conditions = team["status"]["conditions"].as_array().into_iter().flatten();
    let Some(ready) = conditions.into_iter().find(|condition| condition["type"] == "Ready") else {
        return "waits for the operator".into();
    };
    if ready["observedGeneration"].as_i64() != team["metadata"]["generation"].as_i64() {
        return "waits for the operator".into();
    }
    if ready["status"] == "True" {
        return READY.into();
    }
    let text = |field: &str| ready[field].as_str().unwrap_or_default().to_owned();
    format!("{}: {}", text("reason"), text("message"))
}

/// Applies all examples; returns the names of the teams among them.
async fn apply_examples(cluster: &Cluster) -> Result<Vec<String>, Error> {
    let examples = harness::repository().join("deploy/examples");
    let examples = examples.display().to_string();
    let arguments = ["apply", "--server-side", "--recursive", "--filename", &examples];
    // What lives in a team's namespaces can be applied once they are there.
    let applied = harness::wait::until("deploy/examples is applied", 60, async || {
        cluster.kubectl(arguments).await.map_err(|error| error.to_string())
    })
    .await?;
    let teams: Vec<String> = applied
        .lines()
        .filter_map(|line| line.strip_prefix("aiteam.strata-operator.dev/")?.split(' ').next())
        .map(Into::into)
        .collect();
    if teams.is_empty() { Err(Error::NoTeams) } else { Ok(teams) }
}

/// Reads objects with kubectl.
pub async fn get(cluster: &Cluster, what: &[&str]) -> Result<Value, Error> {
    let arguments = ["get", "--output=json"].iter().chain(what);
    let printed = cluster.kubectl(arguments).await?;
    serde_json::from_str(&printed).map_err(|error| Error::Kubectl(what.join(" "), error))
}

/// What to try next.
fn invitation(cluster: &Cluster) -> String {
    let kubectl = cluster.programs().kubectl.parent().unwrap_or(cluster.directory());
    format!(
        "In another terminal:\n\
         \x20 export KUBECONFIG={}\n\
         \x20 export PATH={}:$PATH\n\
         \x20 kubectl get ai\n\
         \x20 kubectl describe ait\n\
         \x20 kubectl delete rolebindings --all --namespace <team>--shared    # back within a second\n\
         Ctrl-C ends it.",
        cluster.kubeconfig().display(),
        kubectl.display(),
    )
}

/// Seconds since the beginning, before each line.
struct Clock(Instant);

impl Clock {
    fn say(&self, text: &str) {
        println!("{:6.1} s  {text}", self.0.elapsed().as_secs_f32());
    }
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
