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
    /// The log filter: a level, or `level,module=level`.
    #[arg(long, value_name = "FILTER", env = "STRATA_LOG", default_value = "info")]
    pub log_filter: String,
    /// The namespace of the Lease by which one of several operators is the one that writes.
    #[arg(long, value_name = "NAMESPACE", env = "POD_NAMESPACE", default_value = "strata-system")]
    pub lease_namespace: String,
    /// The first part of the Lease holder's name; the host's name if absent. The rest differs at each start.
    #[arg(long, value_name = "NAME", env = "POD_NAME")]
    pub identity: Option<String>,
    /// The prefixes of user and group names; empty where not given.
    #[command(flatten)]
    pub prefixes: PrefixOptions,
    /// Write at once, without the Lease. Only where no second operator can run.
    #[arg(long)]
    pub no_leader_election: bool,
    /// Write without a check that the fence is in force. Only where something else limits the operator's account.
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

/// The prefixes that the API server puts before names.
#[derive(Args, Clone, Debug, Default)]
pub struct PrefixOptions {
    /// The prefix of user names, as in --oidc-username-prefix of the API server.
    #[arg(long, value_name = "PREFIX", env = "STRATA_USER_PREFIX", value_parser = prefix, allow_hyphen_values = true)]
    pub user_prefix: Option<String>,
    /// The prefix of group names, as in --oidc-groups-prefix of the API server.
    #[arg(long, value_name = "PREFIX", env = "STRATA_GROUP_PREFIX", value_parser = prefix, allow_hyphen_values = true)]
    pub group_prefix: Option<String>,
}

impl PrefixOptions {
    /// Both prefixes, if one was given; the other is then empty.
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
