//! A real Kubernetes control plane for tests and the demo: etcd, kube-apiserver,
//! kube-controller-manager, kube-scheduler and kwok, built once from pinned Go
//! modules (`tests/control-plane/`), on loopback and free ports, gone when the
//! process that started it ends, however it ends.
//!
//! It is never part of the operator, and it never touches a cluster that it was
//! not explicitly given: a `KUBECONFIG` in the environment is ignored.
//!
//! # A cluster test
//!
//! One control plane serves all tests of a file. It lives in a static, which any
//! runtime may use, because it holds no connection: every call of
//! [`Cluster::admin`] and its siblings makes a new client for the calling test
//! (a client belongs to the runtime it was made in).
//!
//! ```no_run
//! use harness::{ControlPlane, Operator, Options, operator::Install};
//!
//! static STAGE: tokio::sync::OnceCell<(ControlPlane, Operator)> = tokio::sync::OnceCell::const_new();
//!
//! async fn stage() -> &'static (ControlPlane, Operator) {
//!     STAGE.get_or_init(|| async {
//!         let plane = ControlPlane::start(Options::default()).await.unwrap();
//!         Operator::install(&plane, &Install::default()).await.unwrap();
//!         let program = env!("CARGO"); // a test says env!("CARGO_BIN_EXE_strata")
//!         let operator = Operator::start(&plane, program).await.unwrap();
//!         (plane, operator)
//!     }).await
//! }
//!
//! # async fn test() {
//! let (plane, operator) = stage().await;
//! plane.apply("{apiVersion: v1, kind: Namespace, metadata: {name: a}}").await.unwrap();
//! let ana = plane.client_as("ana@example.com", &["fraud-ml"]).await.unwrap(); // anybody
//! let mark = plane.audit().mark();
//! // ... do something ...
//! let requests = plane.audit().since(mark).unwrap().of(harness::operator::USER).without_watches();
//! assert_eq!(requests.writes().count(), 0, "{requests}");
//! # }
//! ```
//!
//! # Contents
//!
//! - [`ControlPlane::start`]`(`[`Options`]`)`: users with tokens of their own
//!   ([`Options::user`]), how many nodes ([`Options::nodes`]). It derefs to
//!   [`Cluster`]. [`ControlPlane::audit`], [`ControlPlane::log`]`("kube-apiserver")`,
//!   [`ControlPlane::directory`], [`ControlPlane::stopped`].
//! - [`Node::start`]`(`[`NodeOptions`]`)`: the same with a real node, on which pods run
//!   (Linux, root, Debian packages). [`Node::import`] and [`image`], [`Node::enforce`],
//!   [`Node::inside`], [`Node::inside_network`], [`Node::stop_kubelet`]; it derefs to
//!   [`Cluster`], too.
//! - [`Cluster`], which is also what `--kubeconfig` gives ([`Cluster::at`]):
//!   [`Cluster::admin`], [`Cluster::client_for`]`(token)`, [`Cluster::client_as`]`(user, groups)`,
//!   [`Cluster::kubeconfig`], [`Cluster::kubeconfig_for`]`(name, token)`,
//!   [`Cluster::kubectl`]`(args)`, [`Cluster::kubectl_with`]`(args, input)`, [`Cluster::apply`]`(yaml)`,
//!   [`Cluster::helm`]`(args)`. `kubectl` may act as anybody with `--as` and `--as-group`.
//! - [`Operator::install`] (both charts without the Deployment), [`Operator::start`]
//!   (the program outside the cluster, as its own `ServiceAccount`), [`Operator::stop`]
//!   (SIGTERM), [`Operator::kill`] (SIGKILL), [`Operator::resume`], [`Operator::restart`],
//!   [`Operator::wait_ready`], [`Operator::get`]`("/metrics")`, [`Operator::log`],
//!   [`Operator::client`] (what the operator's account may do).
//! - [`Enforcer`]: NetworkPolicies made true on a real node, for tests only.
//! - [`audit`]: requests counted from the API server's audit log, by user, verb and
//!   resource, since a mark.
//! - [`wait::until`]: poll until something is there, with what was last seen in the error.
//! - [`image`]: archives of images, for pods where no registry can be reached
//!   ([`image::application`], [`image::operator`], [`image::small`]).
//! - [`programs`]: the built programs alone ([`programs::helm`] for chart tests).
//! - [`tools`]: checks of the source tree (cargo-deny, ruff), each of one version.
//! - [`generated`]: the files that `cargo xtask generate` writes, for the tests that
//!   compare them.
//!
//! Without a node, pods run without a kubelet; annotations on a pod decide what becomes of it
//! (`tests/control-plane/stages/pod.yaml`): `simulate/waiting` and
//! `simulate/waiting-message` keep it from starting, `simulate/message`,
//! `simulate/exit-code` and `simulate/duration` say how its container ends, or the
//! one that `simulate/step` names. [`ControlPlane::simulate`] says it beforehand of
//! the pods of a member's object. A pod whose Secret is missing waits with
//! `CreateContainerConfigError` until the Secret is there, as on a real node
//! ([`secrets`]).
//!
//! `STRATA_CACHE` says where the built programs and images are kept, `KUBEBUILDER_ASSETS` may
//! supply etcd, kube-apiserver and kubectl, `STRATA_KEEP=1` keeps a control plane's
//! directory with its logs.

pub mod audit;
mod build;
mod cache;
pub mod cluster;
pub mod control_plane;
pub mod enforcer;
mod error;
mod flags;
pub mod generated;
mod http;
pub mod image;
mod install;
pub mod node;
pub mod operator;
mod picture;
pub mod programs;
mod progress;
pub mod reference;
pub mod secrets;
mod simulate;
pub mod supervisor;
pub mod tools;
mod values;
pub mod wait;

pub use cluster::Cluster;
pub use control_plane::{ControlPlane, Options};
pub use enforcer::Enforcer;
pub use error::Error;
pub use node::{Node, NodeOptions};
pub use operator::Operator;
pub use programs::Programs;
pub use simulate::Pods;

use std::path::{Path, PathBuf};

/// The top folder of this source tree.
#[must_use]
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}
