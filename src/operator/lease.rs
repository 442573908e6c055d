//! Leader election: of several replicas only the holder of the Lease writes.
//!
//! Every write to the Lease carries the resource version that was read, so of
//! two that try at once one fails. A holder that cannot renew in time stops
//! writing before anybody else may begin; its process then ends. No answer is
//! waited for without a limit: a connection may hang for ever.

use std::future::Future;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tracing::{debug, info, warn};

/// The name of the Lease.
const NAME: &str = "strata-operator";
/// How long a Lease holds without being renewed. The three periods are those of
/// Kubernetes' own components (client-go).
const LEASE_DURATION: Duration = Duration::from_secs(15);
/// How long the holder goes on without having renewed it.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// How often it is renewed, or tried for.
const RETRY_PERIOD: Duration = Duration::from_secs(2);
/// How long one attempt may take: a holder has time for two before its deadline.
const ATTEMPT: Duration = Duration::from_secs(4);

/// Why an attempt came to no end.
#[derive(Debug, thiserror::Error)]
enum AttemptError {
    #[error(transparent)]
    Request(#[from] kube::Error),
    #[error("no answer within {} s", ATTEMPT.as_secs())]
    NoAnswer,
    #[error("others write it at the same time")]
    Contended,
}

/// A claim to the Lease by one replica.
pub struct LeaderElector {
    api: Api<Lease>,
    identity: String,
    /// The Lease as this replica wrote it last: renewing it costs one request.
    written: Option<Lease>,
    /// When the write was sent by which this replica holds the Lease.
    renewed: Instant,
    /// The holder and renewal time of another replica's Lease, and since when they are
    /// unchanged on our own clock: clocks of machines differ, so only a Lease that no
    /// longer changes is taken over.
    observed: Option<(String, Option<MicroTime>, Instant)>,
}

impl LeaderElector {
    /// A claim in this namespace under this name, which no other process may have.
    #[must_use]
    pub fn new(client: Client, namespace: &str, identity: String) -> Self {
        let api = Api::namespaced(client, namespace);
        Self { api, identity, written: None, renewed: Instant::now(), observed: None }
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
            sleep(RETRY_PERIOD).await;
        }
    }

    /// Renews the Lease for as long as that works. Returns when it is lost.
    pub async fn keep(&mut self) {
        loop {
            let deadline = self.renewed + RENEW_DEADLINE;
            sleep_until(deadline.min(Instant::now() + RETRY_PERIOD)).await;
            match timeout_at(deadline, self.attempt()).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => {
                    warn!("another replica took the lease");
                    return;
                }
                Ok(Err(error)) => warn!(%error, "the lease could not be renewed, and is tried for again"),
                Err(_) => {
                    warn!("the lease was not renewed within {} s", RENEW_DEADLINE.as_secs());
                    return;
                }
            }
        }
    }

    /// Gives the Lease back, so that the next replica need not wait.
    pub async fn release(&self) {
        if let Err(error) = limited(self.give_back()).await {
            warn!(%error, "the lease could not be given back: the next replica takes it over when it has run out");
        }
    }

    async fn give_back(&self) -> Result<(), AttemptError> {
        let Some(mut lease) = self.api.get_opt(NAME).await? else { return Ok(()) };
        let Some(spec) = lease.spec.as_mut() else { return Ok(()) };
        if spec.holder_identity.as_ref() == Some(&self.identity) {
            spec.holder_identity = None;
            spec.lease_duration_seconds = Some(1);
            self.api.replace(NAME, &PostParams::default(), &lease).await?;
        }
        Ok(())
    }

    /// Tries once to hold or renew the Lease.
    async fn attempt(&mut self) -> Result<bool, AttemptError> {
        // A write sent now may take effect at once, and counts from this moment.
        let sent = Instant::now();
        let held = limited(self.try_acquire_or_renew()).await?;
        if held {
            self.renewed = sent;
        }
        Ok(held)
    }

    async fn try_acquire_or_renew(&mut self) -> Result<bool, AttemptError> {
        if let Some(lease) = self.written.take()
            && self.write(lease).await?
        {
            return Ok(true);
        }
        // A write that is refused says only that somebody wrote in between. That
        // may be a late write of our own: who holds the Lease is read again.
        for _ in 0..2 {
            let lease = self.api.get_opt(NAME).await?.unwrap_or_default();
            if !self.may_take(lease.spec.as_ref()) {
                return Ok(false);
            }
            if self.write(lease).await? {
                return Ok(true);
            }
        }
        Err(AttemptError::Contended)
    }

    /// Writes our name into the Lease that was read. `false`: it is another one now.
    async fn write(&mut self, mut lease: Lease) -> Result<bool, AttemptError> {
        lease.spec = Some(self.renewed(lease.spec.take().unwrap_or_default()));
        let written = if lease.metadata.resource_version.is_some() {
            self.api.replace(NAME, &PostParams::default(), &lease).await
        } else {
            lease.metadata = ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() };
            self.api.create(&PostParams::default(), &lease).await
        };
        match written {
            Ok(lease) => {
                self.written = Some(lease);
                Ok(true)
            }
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn may_take(&mut self, spec: Option<&LeaseSpec>) -> bool {
        let holder = spec.and_then(|spec| spec.holder_identity.clone()).unwrap_or_default();
        let Some(spec) = spec.filter(|_| !holder.is_empty() && holder != self.identity) else { return true };
        let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let held = seconds.map_or(LEASE_DURATION, Duration::from_secs);
        match &self.observed {
            Some((known, renewed, since)) if *known == holder && *renewed == spec.renew_time => since.elapsed() > held,
            _ => {
                self.observed = Some((holder, spec.renew_time.clone(), Instant::now()));
                false
            }
        }
    }

    fn renewed(&self, before: LeaseSpec) -> LeaseSpec {
        let ours = before.holder_identity.as_ref() == Some(&self.identity);
        let now = MicroTime(Timestamp::now());
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(LEASE_DURATION.as_secs()).ok(),
            acquire_time: if ours { before.acquire_time } else { Some(now.clone()) },
            renew_time: Some(now),
            lease_transitions: Some(before.lease_transitions.unwrap_or_default() + i32::from(!ours)),
            ..LeaseSpec::default()
        }
    }
}

/// An attempt ends in time, whatever its connection does.
async fn limited<T>(attempt: impl Future<Output = Result<T, AttemptError>>) -> Result<T, AttemptError> {
    timeout(ATTEMPT, attempt).await.unwrap_or(Err(AttemptError::NoAnswer))
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
