//! One replica writes at a time: whoever holds the Lease.
//!
//! Every write to the Lease carries the resource version that was read, so of
//! two that try at once one fails. A holder that cannot renew in time stops
//! writing before anybody else may begin; its process then ends.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::time::Instant;
use tracing::{debug, info, warn};

/// The name of the Lease.
const NAME: &str = "strata-operator";
/// How long a Lease holds without being renewed.
const HELD: Duration = Duration::from_secs(15);
/// How long the holder goes on without having renewed it.
const GIVE_UP: Duration = Duration::from_secs(10);
/// How often it is renewed, or tried for.
const PERIOD: Duration = Duration::from_secs(4);

/// A claim to the Lease by one replica.
pub struct Claim {
    api: Api<Lease>,
    identity: String,
    /// What was seen of a foreign holder, and since when on our own clock: clocks
    /// of machines differ, so only a Lease that stands still is taken over.
    seen: Option<(String, Option<MicroTime>, Instant)>,
}

impl Claim {
    /// A claim in this namespace under this name.
    #[must_use]
    pub fn new(client: Client, namespace: &str, identity: String) -> Self {
        Self { api: Api::namespaced(client, namespace), identity, seen: None }
    }

    /// Waits until the Lease is held.
    pub async fn acquire(&mut self) {
        loop {
            match self.attempt().await {
                Ok(true) => {
                    info!(identity = self.identity, "the lease is held: this replica writes");
                    return;
                }
                Ok(false) => debug!("another replica holds the lease"),
                Err(error) => warn!(%error, "the lease could not be read or written, and is tried for again"),
            }
            tokio::time::sleep(PERIOD).await;
        }
    }

    /// Renews the Lease for as long as that works. Returns when it is lost.
    pub async fn keep(&mut self) {
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep(PERIOD.min(GIVE_UP.saturating_sub(renewed.elapsed()))).await;
            let left = GIVE_UP.saturating_sub(renewed.elapsed());
            if left.is_zero() {
                warn!("the lease was not renewed in time");
                return;
            }
            // What is sent now may be written at once, and holds from then on.
            let sent = Instant::now();
            match tokio::time::timeout(PERIOD.min(left), self.attempt()).await {
                Ok(Ok(true)) => renewed = sent,
                Ok(Ok(false)) => {
                    warn!("another replica took the lease");
                    return;
                }
                Ok(Err(error)) => warn!(%error, "the lease could not be renewed"),
                Err(_) => warn!("the renewal of the lease got no answer"),
            }
        }
    }

    /// Gives the Lease back, so that the next replica need not wait.
    pub async fn release(&self) {
        let Ok(Some(mut lease)) = self.api.get_opt(NAME).await else { return };
        let Some(spec) = lease.spec.as_mut() else { return };
        if spec.holder_identity.as_ref() == Some(&self.identity) {
            spec.holder_identity = None;
            spec.lease_duration_seconds = Some(1);
            if let Err(error) = self.api.replace(NAME, &PostParams::default(), &lease).await {
                debug!(%error, "the lease could not be given back");
            }
        }
    }

    /// Tries once to hold or renew the Lease.
    async fn attempt(&mut self) -> kube::Result<bool> {
        let Some(mut lease) = self.api.get_opt(NAME).await? else {
            let metadata = ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() };
            let lease = Lease { metadata, spec: Some(self.renewed(None)) };
            return settled(self.api.create(&PostParams::default(), &lease).await);
        };
        let spec = lease.spec.take().unwrap_or_default();
        if !self.may_take(&spec) {
            return Ok(false);
        }
        lease.spec = Some(self.renewed(Some(spec)));
        settled(self.api.replace(NAME, &PostParams::default(), &lease).await)
    }

    fn may_take(&mut self, spec: &LeaseSpec) -> bool {
        let holder = spec.holder_identity.clone().unwrap_or_default();
        if holder.is_empty() || holder == self.identity {
            return true;
        }
        let held = spec
            .lease_duration_seconds
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map_or(HELD, Duration::from_secs);
        match &self.seen {
            Some((known, renewed, since)) if *known == holder && *renewed == spec.renew_time => since.elapsed() > held,
            _ => {
                self.seen = Some((holder, spec.renew_time.clone(), Instant::now()));
                false
            }
        }
    }

    fn renewed(&self, before: Option<LeaseSpec>) -> LeaseSpec {
        let before = before.unwrap_or_default();
        let ours = before.holder_identity.as_ref() == Some(&self.identity);
        let now = MicroTime(Timestamp::now());
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(HELD.as_secs()).ok(),
            acquire_time: if ours { before.acquire_time } else { Some(now.clone()) },
            renew_time: Some(now),
            lease_transitions: Some(before.lease_transitions.unwrap_or_default() + i32::from(!ours)),
            ..LeaseSpec::default()
        }
    }
}

/// Somebody else was quicker: the Lease is not ours, and that is no error.
fn settled(result: kube::Result<Lease>) -> kube::Result<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}
