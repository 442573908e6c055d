//! Where memory is measured: a control plane of its own and the operator beside it,
//! how teams and floods come there, and when the operator has come to rest.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt, TryStreamExt, stream};
use harness::audit::{Mark, Requests};
use harness::operator::{Install, USER};
use harness::{ControlPlane, Operator, Options};
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, PostParams};
use kube::{Api, ResourceExt};

use super::intended;
use crate::error::Error;
use crate::kubectl::Clock;

/// Teams in one request to kubectl.
const TEAMS_AT_ONCE: usize = 100;
/// Large Components in one request to kubectl.
const COMPONENTS_AT_ONCE: usize = 25;
/// How many writes of a flood are under way at a time.
const WRITERS: usize = 16;
/// How long nothing must have happened.
const REST: Duration = Duration::from_secs(6);
/// Between two looks. Looking costs the API server much more than the operator does.
const PAUSE: Duration = Duration::from_secs(2);
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(1800);

/// A control plane and the operator on it.
pub struct Stage {
    // Before the place: it must not outlive the API server it talks to.
    operator: Operator,
    plane: ControlPlane,
}

/// Objects of one kind in one namespace, as one user sees them.
#[derive(Clone)]
pub struct Objects {
    /// The API of this kind.
    pub api: Api<DynamicObject>,
}

impl Objects {
    /// Creates all of these, as many at a time as one program would. Says how many were
    /// taken, and how many refused.
    pub fn create(&self, all: Vec<serde_json::Value>) -> impl Future<Output = Result<(usize, usize), Error>> + use<> {
        let api = self.api.clone();
        async move {
            let created = stream::iter(all).map(|object| {
                let api = api.clone();
                async move { counted(api.create(&PostParams::default(), &intended::object(object)?).await) }
            });
            sum(created.buffer_unordered(WRITERS)).await
        }
    }

    /// Deletes all that are there, one by one, and says how many that were.
    pub fn delete(&self) -> impl Future<Output = Result<(usize, usize), Error>> + use<> {
        let api = self.api.clone();
        async move {
            let all = api.list_metadata(&ListParams::default()).await.map_err(Error::api)?;
            let deleted = stream::iter(all).map(|object| {
                let api = api.clone();
                async move { counted(api.delete(&object.name_any(), &DeleteParams::default()).await) }
            });
            sum(deleted.buffer_unordered(WRITERS)).await
        }
    }
}

/// Whether a write was taken. What the API server refuses is counted; other errors end it.
fn counted<T>(answer: kube::Result<T>) -> Result<bool, Error> {
    match answer {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(refused)) if refused.code == 403 || refused.code == 422 => Ok(false),
        Err(error) => Err(Error::api(error)),
    }
}

async fn sum(all: impl Stream<Item = Result<bool, Error>>) -> Result<(usize, usize), Error> {
    let count =
        |(taken, refused), was: bool| async move { Ok(if was { (taken + 1, refused) } else { (taken, refused + 1) }) };
    all.try_fold((0, 0), count).await
}

impl Stage {
    /// A new one, without teams.
    pub async fn start(program: &Path) -> Result<Self, Error> {
        let plane = ControlPlane::start(Options::default()).await?;
        Operator::install(&plane, &Install::default()).await?;
        let operator = Operator::start(&plane, program).await?;
        Ok(Self { operator, plane })
    }

    /// The operator.
    pub fn operator(&self) -> &Operator {
        &self.operator
    }

    /// The operator's process.
    pub fn pid(&self) -> Result<u32, Error> {
        self.operator.check()?;
        self.operator.pid().ok_or_else(|| Error::Measurement("the operator does not run".into()))
    }

    /// A file of this run.
    pub fn file(&self, name: &str) -> PathBuf {
        self.plane.directory().join(name)
    }

    /// Now, among the requests.
    pub fn mark(&self) -> Mark {
        self.plane.audit().mark()
    }

    /// The requests that the operator made since then, watches left out.
    pub fn requests(&self, since: Mark) -> Result<Requests, Error> {
        Ok(self.plane.audit().since(since)?.of(USER).without_watches())
    }

    /// Creates the teams of these numbers, and waits until they are ready.
    pub async fn create_teams(&self, from: usize, to: usize, clock: &Clock) -> Result<(), Error> {
        let numbers: Vec<usize> = (from..to).collect();
        for some in numbers.chunks(TEAMS_AT_ONCE) {
            let teams: Vec<_> = some.iter().map(|number| intended::team(*number)).collect();
            self.create(&teams, &[]).await?;
        }
        clock.say(&format!("{} teams are created", to - from));
        let begun = Instant::now();
        let mut printed = 0;
        loop {
            self.operator.check()?;
            self.plane.stopped()?;
            let ready = self.ready().await?;
            if ready >= to {
                return Ok(());
            }
            if ready >= printed + 50 {
                printed = ready;
                clock.say(&format!("{ready} teams are ready"));
            }
            if begun.elapsed() > PATIENCE {
                return Err(Error::NotReady(format!("{} of {to} teams", to - ready)));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn ready(&self) -> Result<usize, Error> {
        let path = "--output=jsonpath={.items[*].status.conditions[?(@.type==\"Ready\")].status}";
        let seen = self.plane.kubectl(["get", "aiteams", path]).await?;
        Ok(seen.split_whitespace().filter(|status| *status == "True").count())
    }

    /// Creates large Components, as somebody of the team would.
    pub async fn flood(&self, count: usize, clock: &Clock) -> Result<(), Error> {
        let numbers: Vec<usize> = (0..count).collect();
        for some in numbers.chunks(COMPONENTS_AT_ONCE) {
            let components: Vec<_> = some.iter().map(|number| intended::component(*number)).collect();
            self.create(&components, &["--as", intended::SOMEBODY]).await?;
        }
        clock.say(&format!("{count} large Components are created"));
        Ok(())
    }

    /// Deletes them again.
    pub async fn ebb(&self) -> Result<(), Error> {
        let namespace = format!("--namespace={}", intended::workspace());
        self.plane.kubectl(["delete", "components", "--all", &namespace]).await?;
        Ok(())
    }

    /// Takes the bounds on the number of objects out of the default Blueprint.
    pub async fn lift_bounds(&self) -> Result<(), Error> {
        let change = r#"--patch={"spec":{"limits":{"objects":null}}}"#;
        self.plane.kubectl(["patch", "blueprint", "default", "--type=merge", change]).await?;
        Ok(())
    }

    /// Objects of one kind in one namespace, as this user.
    pub async fn objects_of(&self, user: &str, kind: &str, namespace: &str) -> Result<Objects, Error> {
        let client = self.plane.client_as(user, &[]).await?;
        let version = if kind == "ConfigMap" { ("", "v1") } else { ("strata-operator.dev", "v1alpha1") };
        let kind = GroupVersionKind::gvk(version.0, version.1, kind);
        Ok(Objects { api: Api::namespaced_with(client, namespace, &ApiResource::from_gvk(&kind)) })
    }

    /// The size of etcd's file in bytes, as the API server tells it.
    pub async fn etcd(&self) -> Result<u64, Error> {
        let metrics = self.plane.kubectl(["get", "--raw", "/metrics"]).await?;
        let size = metrics.lines().find(|line| line.starts_with("apiserver_storage_size_bytes"));
        let size = size.and_then(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
        // A file's size is far below the numbers that a float cannot tell apart.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        size.map(|size| size as u64).ok_or_else(|| Error::Measurement("the API server tells no size of etcd".into()))
    }

    async fn create(&self, objects: &[serde_json::Value], more: &[&str]) -> Result<(), Error> {
        let arguments = ["create", "--validate=false", "--filename=-"].iter().chain(more);
        self.plane.kubectl_with(arguments, Some(&intended::list(objects))).await?;
        Ok(())
    }

    /// Waits until the operator has done nothing for a while.
    pub async fn rest(&self) -> Result<(), Error> {
        let (begun, mut quiet) = (Instant::now(), Instant::now());
        let mut before = String::new();
        while quiet.elapsed() < REST {
            tokio::time::sleep(PAUSE / 2).await;
            self.operator.check()?;
            match self.operator.get("/metrics").await {
                Ok((_, metrics)) => {
                    let counts = metrics.lines().filter(|line| line.starts_with("strata_reconciles_total"));
                    let done = counts.collect::<Vec<_>>().join("\n");
                    if done != before {
                        (quiet, before) = (Instant::now(), done);
                    }
                }
                // A busy machine answers late; an ended program is noticed above.
                Err(_) => quiet = Instant::now(),
            }
            if begun.elapsed() > PATIENCE {
                return Err(Error::Measurement("the operator does not come to rest".into()));
            }
        }
        Ok(())
    }
}
