//! The stage of the policy tests: a control plane with the charts installed, and
//! the people who try things. No sentence is tested here.

use harness::{ControlPlane, Options, wait};
use serde_json::json;
use tokio::sync::OnceCell;

use crate::attempt::Actor;
use crate::objects::{namespace, role_binding};

/// The username that the fence is built around.
pub const OPERATOR: &str = "system:serviceaccount:strata-system:strata";

/// The policies of the chart.
pub const FENCE: &str = "fence.strata-operator.dev";

pub const NAMESPACES: &str = "namespaces.strata-operator.dev";

pub const RESERVED: &str = "reserved.strata-operator.dev";

pub const SERVICES: &str = "services.strata-operator.dev";

pub const DELETION: &str = "deletion.strata-operator.dev";

pub const BLOCKS: &str = "blocks.strata-operator.dev";

pub const LAYERS: &str = "layers.strata-operator.dev";

pub const CONNECT: &str = "connect.strata-operator.dev";

pub const ENTER: &str = "enter.strata-operator.dev";

pub const ENTER_HOME: &str = "enter-home.strata-operator.dev";

pub const OWNERS: &str = "owners.strata-operator.dev";

pub const FINALIZERS: &str = "finalizers.strata-operator.dev";

pub const HOMES: &str = "homes.strata-operator.dev";

pub const COPIES: &str = "copies.strata-operator.dev";

pub const BINDINGS: &str = "bindings.strata-operator.dev";

pub const PODS: &str = "pods.strata-operator.dev";

pub const PRIORITIES: &str = "priorities.strata-operator.dev";

pub const STORES: &str = "stores.strata-operator.dev";

pub const DRAINS: &str = "drains.strata-operator.dev";

pub const ACCOUNTS: &str = "accounts.strata-operator.dev";

pub const WEIGHTS: &str = "weights.strata-operator.dev";

/// Kinds that only these tests need: one of an engine in teams' namespaces, one in
/// a literal namespace, one without a namespace, those of snapshots, and grants.
const ENGINE_KINDS: [(&str, &str, &str, &str); 6] = [
    ("gateway.networking.k8s.io", "ReferenceGrant", "referencegrants", "Namespaced"),
    ("kueue.x-k8s.io", "LocalQueue", "localqueues", "Namespaced"),
    ("argoproj.io", "AppProject", "appprojects", "Namespaced"),
    ("kueue.x-k8s.io", "ClusterQueue", "clusterqueues", "Cluster"),
    ("snapshot.storage.k8s.io", "VolumeSnapshot", "volumesnapshots", "Namespaced"),
    ("groupsnapshot.storage.k8s.io", "VolumeGroupSnapshot", "volumegroupsnapshots", "Namespaced"),
];

static STAGE: OnceCell<Option<Stage>> = OnceCell::const_new();

/// A control plane with the charts installed.
pub struct Stage {
    plane: ControlPlane,
    token: String,
}

/// The one stage of this file. If it could not be set, no test tries again.
pub async fn stage() -> &'static Stage {
    let stage = STAGE.get_or_init(|| async { tokio::spawn(Stage::set()).await.ok() }).await;
    stage.as_ref().expect("the stage is set (the first failure above says what went wrong)")
}

impl Stage {
    async fn set() -> Self {
        let options = Options::default()
            .user("ana", "ana@example.com", &["members"])
            .user("platform", "paul@example.com", &["platform"])
            .user("keeper", "kim@example.com", &["platform", "keepers"]);
        let plane = ControlPlane::start(options).await.expect("the control plane starts");
        let charts = harness::repository().join("charts");
        let install = |name: &str| {
            ["upgrade".into(), "--install".into(), name.into(), charts.join(name).display().to_string()]
                .into_iter()
                .chain(["--namespace", "strata-system", "--create-namespace"].map(String::from))
                .collect::<Vec<_>>()
        };
        plane.helm(install("strata-crds")).await.expect("the definitions install");
        let placements = json!([
            {"namespace": "argocd", "group": "argoproj.io", "resources": ["appprojects"]},
            {"group": "kueue.x-k8s.io", "resources": ["clusterqueues"]},
        ]);
        let values = [
            "--set=blueprint.install=false".to_owned(),
            "--set-json".to_owned(),
            format!("fence.placements={placements}"),
            "--set=guardrails.exemptUsers={exempt@example.com}".to_owned(),
        ];
        plane.helm(install("strata").into_iter().chain(values)).await.expect("the chart installs");
        plane.apply(&furniture()).await.expect("people and kinds are applied");
        let token = Actor::with(plane.admin().await)
            .post(
                "/api/v1/namespaces/strata-system/serviceaccounts/strata/token",
                json!({
                    "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {},
                }),
            )
            .await
            .passes();
        let token = token["status"]["token"].as_str().expect("a token").to_owned();
        let stage = Self { plane, token };
        stage.wait_until_in_force().await;
        stage
    }

    /// Policies are in force a moment after they are written, and the rights of
    /// aggregated roles a moment after those.
    async fn wait_until_in_force(&self) {
        let (anybody, platform) = (self.unbounded().await, self.platform().await);
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "probe"}});
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "probe--x"}});
        wait::until("the policies are in force", 60, async || {
            let fence = anybody.post("/api/v1/namespaces/default/secrets?dryRun=All", secret.clone()).await;
            let guardrails = platform.post("/api/v1/namespaces?dryRun=All", namespace.clone()).await;
            match (fence.by(FENCE), guardrails.by(NAMESPACES)) {
                (true, true) => Ok(()),
                _ => Err(format!("{fence:?}, {guardrails:?}")),
            }
        })
        .await
        .expect("policies");
        wait::until("the roles are aggregated", 60, async || {
            for role in ["strata:live:own", "strata:workspace:own", "strata:shared:own"] {
                let found = self.admin().await.get(&format!("{RBAC}/clusterroles/{role}")).await;
                let rules = found.passes()["rules"].as_array().map_or(0, Vec::len);
                if rules < 20 {
                    return Err(format!("{role}: {rules} rules"));
                }
            }
            Ok(())
        })
        .await
        .expect("roles");
    }

    /// The control plane, for `kubectl`.
    pub const fn plane(&self) -> &ControlPlane {
        &self.plane
    }

    /// A folder with the API server's audit log in it.
    pub fn audit_log(&self) -> String {
        std::fs::read_to_string(self.plane.directory().join("audit.log")).unwrap_or_default()
    }

    /// cluster-admin, who may override guardrails.
    pub async fn admin(&self) -> Actor {
        Actor::with(self.plane.admin().await)
    }

    /// The operator by its real token, with the rights that the chart gives it.
    pub async fn operator(&self) -> Actor {
        Actor::with(self.plane.client_for(&self.token).await)
    }

    /// The operator's username with every right there is: only the fence holds it.
    pub async fn unbounded(&self) -> Actor {
        self.somebody(OPERATOR, &["fence-tests"]).await
    }

    /// Somebody of the platform: all rights on the built-in kinds, but not `override`.
    pub async fn platform(&self) -> Actor {
        Actor::with(self.plane.client_for("platform").await)
    }

    /// Somebody of the platform who is bound to `strata:break-glass`.
    pub async fn keeper(&self) -> Actor {
        Actor::with(self.plane.client_for("keeper").await)
    }

    /// An owner in every namespace that [`Stage::team`] made.
    pub async fn member(&self) -> Actor {
        Actor::with(self.plane.client_for("ana").await)
    }

    /// Somebody with all rights on the namespaced kinds everywhere, but to
    /// `enter`, and without `override`.
    pub async fn writer(&self) -> Actor {
        self.somebody("oidc:wren@example.com", &["work"]).await
    }

    /// Anybody.
    pub async fn somebody(&self, user: &str, groups: &[&str]) -> Actor {
        Actor::with(self.plane.client_as(user, groups).await)
    }

    /// A team's Shared and Live namespaces, made by the operator, with an owner.
    pub async fn team(&self, team: &str) {
        let operator = self.operator().await;
        for (name, layer) in [(format!("{team}--shared"), "shared"), (format!("{team}--pay--live"), "live")] {
            operator.post("/api/v1/namespaces", namespace(&name, team)).await.passes();
            let binding = role_binding(
                "strata-owner",
                &format!("strata:{layer}:own"),
                &json!([
                    {"kind": "Group", "name": "members", "apiGroup": "rbac.authorization.k8s.io"},
                ]),
            );
            operator.post(&format!("{RBAC}/namespaces/{name}/rolebindings"), binding).await.passes();
        }
    }
}

/// The API of roles and bindings.
pub const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";

/// Who may do what beside the chart, and the kinds of engines: the platform holds
/// all rights on built-in kinds (a wildcard over our group would be `override`).
fn furniture() -> String {
    let everything = json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]});
    let builtin = json!({
        "apiGroups": [
            "", "apps", "batch", "policy", "events.k8s.io", "coordination.k8s.io", "rbac.authorization.k8s.io",
            "snapshot.storage.k8s.io", "groupsnapshot.storage.k8s.io", "gateway.networking.k8s.io",
        ],
        "resources": ["*"], "verbs": ["*"],
    });
    let work = json!({
        "apiGroups": ["strata-operator.dev"],
        "resources": ["components", "datasets", "modelservices", "modelservices/scale", "pipelines", "runs", "workbenches"],
        "verbs": ["get", "list", "create", "update", "patch", "delete", "deletecollection"],
    });
    let mut items = vec![json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}})];
    let roles =
        [("fence-tests", Some(everything)), ("platform", Some(builtin)), ("work", Some(work)), ("keepers", None)];
    for (group, rule) in roles {
        let role = if rule.is_some() { group } else { "strata:break-glass" };
        if let Some(rule) = &rule {
            items.push(json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": group}, "rules": [rule],
            }));
        }
        items.push(json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": group},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group}],
        }));
    }
    for (group, kind, plural, scope) in ENGINE_KINDS {
        let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        items.push(json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            // Groups under k8s.io are taken by a word of approval, or of the lack of it, alone.
            "metadata": {
                "name": format!("{plural}.{group}"),
                "annotations": {"api-approved.kubernetes.io": "unapproved, for these tests"},
            },
            "spec": {
                "group": group, "scope": scope,
                "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
            },
        }));
    }
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}
