//! How the operator runs: the options of `strata run`, and those on the prefixes of
//! names, which commands of people have too.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::api::Prefixes;
use crate::api::prefixes::prefix;
use crate::telemetry::logs::LogFormat;

/// How the operator runs.
#[derive(Args, Clone, Debug)]
pub struct RunOptions {
    /// The kubeconfig of the cluster; else $KUBECONFIG, ~/.kube/config, or the pod's own identity.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Where /healthz, /readyz and /metrics answer.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// How the log is written; for people on a terminal and as JSON elsewhere.
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,
    /// What is logged: a level, or `level,module=level`.
    #[arg(long, value_name = "FILTER", env = "STRATA_LOG", default_value = "info")]
    pub log_filter: String,
    /// The namespace of the Lease by which one of several operators is the one that writes.
    #[arg(long, value_name = "NAMESPACE", env = "POD_NAMESPACE", default_value = "strata-system")]
    pub lease_namespace: String,
    /// What the name begins with by which this operator holds the Lease; else the host's. What follows differs from start to start.
    #[arg(long, value_name = "NAME", env = "POD_NAME")]
    pub identity: Option<String>,
    /// What stands before the names of people and groups; nothing where it is not given.
    #[command(flatten)]
    pub prefixes: PrefixOptions,
    /// Write at once, without the Lease. Only where no second operator can run.
    #[arg(long)]
    pub no_leader_election: bool,
    /// Write without having seen the chart's fence refuse a write. Only where something else holds the operator's account.
    #[arg(long)]
    pub without_fence: bool,
    /// How many objects are worked on at the same time.
    #[arg(long, value_name = "NUMBER", default_value = "8")]
    pub concurrency: NonZeroUsize,
    /// How long one pass over one object may take before it is given up and tried again.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub reconcile_deadline: u64,
    /// When the API server ends a watch, which is then opened again.
    #[arg(long, value_name = "SECONDS", default_value = "120", hide = true, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub watch_timeout: u64,
}

/// What the API server puts before names.
#[derive(Args, Clone, Debug, Default)]
pub struct PrefixOptions {
    /// What the API server puts before the names of people, as in its --oidc-username-prefix.
    #[arg(long, value_name = "PREFIX", env = "STRATA_USER_PREFIX", value_parser = prefix, allow_hyphen_values = true)]
    pub user_prefix: Option<String>,
    /// What the API server puts before the names of groups, as in its --oidc-groups-prefix.
    #[arg(long, value_name = "PREFIX", env = "STRATA_GROUP_PREFIX", value_parser = prefix, allow_hyphen_values = true)]
    pub group_prefix: Option<String>,
}

impl PrefixOptions {
    /// Both prefixes, if one was given; what is not given is empty.
    #[must_use]
    pub fn given(&self) -> Option<Prefixes> {
        let given = self.user_prefix.is_some() || self.group_prefix.is_some();
        let text = |prefix: &Option<String>| prefix.clone().unwrap_or_default();
        given.then(|| Prefixes { user: text(&self.user_prefix), group: text(&self.group_prefix) })
    }
}

impl RunOptions {
    /// How long one pass over one object may take.
    #[must_use]
    pub const fn deadline(&self) -> Duration {
        Duration::from_secs(self.reconcile_deadline)
    }

    /// When the API server ends a watch.
    #[must_use]
    pub const fn watch_timeout(&self) -> Duration {
        Duration::from_secs(self.watch_timeout)
    }
}
