//! What every reconcile shares: the client, what is known, and the writers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::Client;
use kube::runtime::events::Reporter;
use serde_json::Value;
use tokio::time::Instant;

use crate::api::{AITeamStatus, Prefixes};
use crate::apply::{Applier, Requests};
use crate::events::Events;
use crate::ground::Ground;
use crate::metrics::{Metrics, Watched};
use crate::queue::Queue;
use crate::store::Store;
use crate::tasks::Tasks;
use crate::watch::follow::Opener;
use crate::watch::{Mirror, State, Watches};

/// How often an overdrawn quota may be lowered towards what is in use.
pub const LOWERING: Duration = Duration::from_secs(60);

/// What every reconcile shares.
pub struct Context {
    /// The client, for status, finalizers and Events.
    pub client: Client,
    /// What is known of the objects that Strata keeps.
    pub mirror: Arc<Mirror>,
    /// The watches that feed the mirror.
    pub watches: Arc<Watches>,
    /// What people wrote.
    pub store: Arc<Store>,
    /// What is to be worked on.
    pub queue: Queue,
    /// Writes objects.
    pub applier: Applier,
    /// Events for people, on their way.
    pub events: Arc<Events>,
    reporter: Reporter,
    tasks: Tasks,
    /// What the API server puts before the names of people and groups, as this
    /// program was told; where it was not, what is written on namespaces holds.
    pub prefixes: Option<Prefixes>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// The status last written per team UID, with its resource version: what
    /// the watch gives back is older for a moment.
    reported: Mutex<HashMap<String, (u64, AITeamStatus)>>,
    /// The status last written per UID of an object of daily work, likewise.
    told: Mutex<HashMap<String, (u64, Value)>>,
    /// What the daily work of each team stands on.
    grounds: Mutex<HashMap<String, Arc<Ground>>>,
    /// When a quota of a team was lowered last.
    lowered: Mutex<HashMap<String, Instant>>,
    /// Whether the fence was seen to stand.
    fenced: AtomicBool,
}

impl Context {
    /// A context through this client; nothing is watched yet.
    #[must_use]
    pub fn new(
        client: Client,
        instance: String,
        metrics: Arc<Metrics>,
        watch_timeout: Duration,
        prefixes: Option<Prefixes>,
    ) -> Arc<Self> {
        let opener = Opener { client: client.clone(), timeout: watch_timeout };
        let queue = Queue::default();
        let mirror = Arc::new(Mirror::default());
        let watches = Watches::new(opener, Arc::clone(&mirror), queue.clone());
        let store = Store::new(queue.clone());
        let requests: Requests = metrics.requests.clone();
        let applier = Applier::new(client.clone(), Arc::clone(&mirror), Arc::clone(&watches), requests);
        let reporter = Reporter { controller: "strata".to_owned(), instance: Some(instance) };
        let events = Arc::new(Events::new(metrics.events.clone()));
        Arc::new(Self {
            client,
            mirror,
            watches,
            store,
            queue,
            applier,
            events,
            reporter,
            tasks: Tasks::default(),
            prefixes,
            metrics,
            reported: Mutex::default(),
            told: Mutex::default(),
            grounds: Mutex::default(),
            lowered: Mutex::default(),
            fenced: AtomicBool::new(false),
        })
    }

    /// Starts every watch that is always there.
    pub fn start(&self) {
        self.store.start(&self.client);
        self.watches.start_built_in();
        let (events, client, reporter) = self.posting();
        self.tasks.spawn("the posting of events", async move { events.post(client, reporter).await });
    }

    /// The Events, and by whom they are posted.
    pub(crate) fn posting(&self) -> (Arc<Events>, Client, Reporter) {
        (Arc::clone(&self.events), self.client.clone(), self.reporter.clone())
    }

    /// Waits until something has ended without which the rest must not go on.
    pub async fn defect(&self) -> String {
        tokio::select! {
            how = self.tasks.ended() => how,
            how = self.store.tasks.ended() => how,
            how = self.watches.tasks.ended() => how,
        }
    }

    /// What this replica does not know yet, or not any more, for `/readyz`.
    #[must_use]
    pub fn unready(&self) -> Vec<String> {
        let mut all = self.store.unsynced();
        all.extend(self.watches.always().iter().filter_map(|health| match health.state() {
            State::Synced => None,
            State::Listing => Some(health.name().to_owned()),
            State::Failing(failure) => Some(format!("{} ({}: {failure})", health.name(), failure.reason)),
        }));
        if !self.fenced.load(Ordering::Acquire) {
            all.push("the fence".to_owned());
        }
        all
    }

    /// The metrics, as they are now.
    #[must_use]
    pub fn metrics_text(&self) -> String {
        let ages = &self.metrics.watch_age;
        // What is not watched any more has no age.
        ages.clear();
        for health in self.watches.always().iter().chain(&self.watches.of_engines()) {
            ages.get_or_create(&Watched { kind: health.name().to_owned() }).set(health.age().as_secs_f64());
        }
        self.metrics.text()
    }

    /// What is waited for before anything may be judged missing.
    #[must_use]
    pub fn listing(&self) -> Vec<String> {
        let mut all = self.store.unsynced();
        all.extend(self.watches.listing());
        all
    }

    /// The fence was seen to stand, or is not asked for.
    pub fn fence_stands(&self) {
        self.fenced.store(true, Ordering::Release);
    }

    /// The newest status of a team that is known: what was read, or what was
    /// written since.
    #[must_use]
    pub fn newest_status(&self, uid: &str, version: u64, read: Option<AITeamStatus>) -> Option<AITeamStatus> {
        let reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        match reported.get(uid) {
            Some((written, status)) if *written > version => Some(status.clone()),
            _ => read,
        }
    }

    /// Remembers a status that was written.
    pub fn remember_status(&self, uid: &str, version: u64, status: AITeamStatus) {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner).insert(uid.to_owned(), (version, status));
    }

    /// The newest status of an object of daily work that is known.
    #[must_use]
    pub fn newest_told(&self, uid: &str, version: u64) -> Option<Value> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.get(uid).filter(|(written, _)| *written > version).map(|(_, status)| status.clone())
    }

    /// Remembers the status of an object of daily work that was written.
    pub fn remember_told(&self, uid: &str, version: u64, status: Value) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(uid.to_owned(), (version, status));
    }

    /// Forgets an object of daily work that is gone, or whose status was read as it was written.
    pub fn forget_told(&self, uid: &str) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }

    /// What the daily work of a team stands on, if the team was looked at.
    #[must_use]
    pub fn ground(&self, team: &str) -> Option<Arc<Ground>> {
        self.grounds.lock().unwrap_or_else(PoisonError::into_inner).get(team).cloned()
    }

    /// Puts a team's daily work on this ground, and says whether that changes anything.
    pub fn stand_on(&self, team: &str, ground: Ground) -> bool {
        let mut grounds = self.grounds.lock().unwrap_or_else(PoisonError::into_inner);
        let same = grounds.get(team).is_some_and(|before| before.is_same(&ground));
        if !same {
            grounds.insert(team.to_owned(), Arc::new(ground));
        }
        !same
    }

    /// Forgets a team that is gone.
    pub fn forget(&self, team: &str, uid: &str) {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
        self.lowered.lock().unwrap_or_else(PoisonError::into_inner).remove(team);
        self.grounds.lock().unwrap_or_else(PoisonError::into_inner).remove(team);
    }

    /// Whether a quota of the team may be lowered now: at most once a minute.
    #[must_use]
    pub fn may_lower(&self, team: &str) -> bool {
        let mut lowered = self.lowered.lock().unwrap_or_else(PoisonError::into_inner);
        lowered.retain(|_, last| last.elapsed() < LOWERING);
        !lowered.contains_key(team)
    }

    /// A quota of the team was lowered just now.
    pub fn remember_lowering(&self, team: &str) {
        self.lowered.lock().unwrap_or_else(PoisonError::into_inner).insert(team.to_owned(), Instant::now());
    }
}
