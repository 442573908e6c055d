//! The charts on a cluster, as an administrator installs them: without the
//! Deployment where the operator runs beside the cluster ([`crate::operator`]), and
//! with it on a node. Also the token that its pod would hold, and the wait for its
//! fence. It writes only what the charts say, and the namespace that they live in.

use std::path::{Path, PathBuf};

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use crate::generated::documents;
use crate::image::Archive;
use crate::operator::{NAMESPACE, SERVICE_ACCOUNT, USER};
use crate::{Cluster, Error, cluster, repository, wait};

/// How long a token is good for: longer than anybody leaves a demo running.
const TOKEN_SECONDS: i64 = 30 * 24 * 3600;
/// How the charts are installed.
#[derive(Debug, Clone)]
pub struct Install {
    /// Values for the chart `strata`.
    pub values: Value,
    /// Waits until the fence is in force.
    pub await_fence: bool,
}

impl Default for Install {
    fn default() -> Self {
        Self { values: json!({}), await_fence: true }
    }
}

/// Installs both charts without the Deployment, as an administrator would.
pub(crate) async fn install(cluster: &Cluster, install: &Install) -> Result<(), Error> {
    let charts = repository().join("charts");
    let definitions = template(cluster, &charts.join("strata-crds"), &json!({})).await?;
    let applied = cluster.apply(&definitions).await?;
    let applied = applied.lines().filter_map(|line| line.split_once(' ').map(|(name, _)| name));
    cluster.kubectl(["wait", "--for=condition=Established", "--timeout=60s"].into_iter().chain(applied)).await?;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    cluster.apply(&namespace.to_string()).await?;
    let objects = template(cluster, &charts.join("strata"), &install.values).await?;
    // A kind that was established a moment ago may not be served yet.
    wait::until("the chart strata is applied", 30, async || {
        cluster.apply(&objects).await.map_err(|error| error.to_string())
    })
    .await?;
    if install.await_fence {
        await_fence(cluster).await?;
    }
    Ok(())
}

/// Installs both charts with helm, the operator from this image, and waits until it runs.
pub(crate) async fn deploy(cluster: &Cluster, image: &Archive) -> Result<(), Error> {
    let chart = |name: &str| repository().join("charts").join(name).display().to_string();
    let place = format!("--namespace={NAMESPACE}");
    let (repository, tag) = image.name.rsplit_once(':').unwrap_or((&image.name, "latest"));
    let image = format!("--set-string=image.repository={repository},image.tag={tag}");
    cluster.helm(["install", "strata-crds", &chart("strata-crds")]).await?;
    cluster.helm(["install", "strata", &chart("strata"), &place, "--create-namespace", &image]).await?;
    let restricted = "pod-security.kubernetes.io/enforce=restricted";
    cluster.kubectl(["label", "namespace", NAMESPACE, restricted]).await?;
    cluster.kubectl(["rollout", "status", "deployment/strata", &place, "--timeout=180s"]).await.map(drop)
}

/// The objects of a chart, as helm writes them, without Deployments.
async fn template(cluster: &Cluster, chart: &Path, values: &Value) -> Result<String, Error> {
    let name = chart.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file = cluster.directory().join(format!("{name}.values.json"));
    cluster::write(&file, &values.to_string())?;
    let mut args: Vec<PathBuf> = vec!["template".into(), name.into(), chart.into()];
    args.extend(["--values".into(), file, "--namespace".into(), NAMESPACE.into()]);
    let objects = documents(&cluster.helm(args).await?);
    let is_deployment = |object: &String| object.lines().any(|line| line.trim_end() == "kind: Deployment");
    Ok(objects.into_iter().filter(|object| !is_deployment(object)).collect::<Vec<_>>().join("---\n"))
}

/// A token of the operator's account, as its pod would hold one.
pub(crate) async fn token(cluster: &Cluster) -> Result<String, Error> {
    let accounts = Api::<ServiceAccount>::namespaced(cluster.admin().await?, NAMESPACE);
    let request = TokenRequest {
        spec: Some(TokenRequestSpec { expiration_seconds: Some(TOKEN_SECONDS), ..Default::default() }),
        ..Default::default()
    };
    let answer = accounts
        .create_token_request(SERVICE_ACCOUNT, &PostParams::default(), &request)
        .await
        .map_err(Error::api(format!("cannot make a token for {USER}")))?;
    answer
        .status
        .and_then(|status| status.token)
        .ok_or_else(|| Error::Unreadable { what: format!("the token for {USER}"), reason: "it is missing".into() })
}

/// Tries what the fence must refuse, without effect, until it does.
async fn await_fence(cluster: &Cluster) -> Result<(), Error> {
    let client = cluster.client_for(&token(cluster).await?).await?;
    let attempt = PostParams { dry_run: true, ..Default::default() };
    let outside: Namespace = serde_json::from_value(json!({"metadata": {"name": "not-of-a-team"}}))
        .map_err(|error| Error::Unreadable { what: "a namespace".into(), reason: error.to_string() })?;
    wait::until("the fence around the operator stands", 30, async || {
        match Api::<Namespace>::all(client.clone()).create(&attempt, &outside).await {
            Err(kube::Error::Api(refused)) if refused.message.contains("ValidatingAdmissionPolicy") => Ok(()),
            Err(error) => Err(error.to_string()),
            Ok(_) => Err(format!("{USER} may create a namespace that is no team's")),
        }
    })
    .await
}
