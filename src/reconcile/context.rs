//! The shared parts of every reconcile: the client, the caches, and the writers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::Client;
use kube::runtime::events::Reporter;
use tokio::time::Instant;

use crate::api::Prefixes;
use crate::api::identity::Request;
use crate::cluster::apply::Applier;
use crate::cluster::cache::ObjectCache;
use crate::cluster::events::Events;
use crate::cluster::queue::Queue;
use crate::cluster::store::Store;
use crate::cluster::tasks::Tasks;
use crate::cluster::watch::follow::Opener;
use crate::cluster::watch::{State, Watches};
use crate::objects::Desired;
use crate::reconcile::engine_kinds;
use crate::reconcile::engine_uses::EngineUses;
use crate::reconcile::holders::Answers;
use crate::reconcile::observe::recorded::record;
use crate::reconcile::snapshot::{Common, SnapshotChange, TeamSnapshot};
use crate::reconcile::status_cache::StatusCache;
use crate::reconcile::triggers::causes::Causes;
use crate::reconcile::upgrade_places::UpgradePlaces;
use crate::reconcile::work::aside::Aside;
use crate::reconcile::work::refused::Refused;
use crate::telemetry::metrics::{Metrics, Watched};
use crate::telemetry::requests::Requests;

/// How often an overdrawn quota may be lowered towards what is in use.
pub const LOWERING: Duration = Duration::from_secs(60);

/// The shared parts of every reconcile.
pub struct Context {
    /// The client, for status, finalizers and Events.
    pub client: Client,
    /// The state of the objects that Strata keeps.
    pub cache: Arc<ObjectCache>,
    /// The watches that feed the cache.
    pub watches: Arc<Watches>,
    /// The objects that people wrote.
    pub store: Arc<Store>,
    /// The queue of requests.
    pub queue: Queue,
    /// Writes objects.
    pub applier: Applier,
    /// Events for people, on their way.
    pub events: Arc<Events>,
    reporter: Reporter,
    pub(super) tasks: Tasks,
    /// What the API server puts before the names of people and groups, as configured;
    /// without configuration, the prefixes on namespaces hold.
    pub prefixes: Option<Prefixes>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// The statuses of teams and of work objects last written.
    pub statuses: StatusCache,
    /// The work that is refused.
    pub refused: Refused,
    /// The runs with a failed deletion.
    pub aside: Aside,
    /// Who holds namespaces that do not go.
    pub stalled: Answers,
    /// Changes whose dependents were not requested yet.
    pub causes: Causes,
    /// Which engines each team uses.
    pub uses: EngineUses,
    /// The pace of automatic upgrades of engines.
    pub upgrades: UpgradePlaces,
    /// The snapshot of each team.
    snapshots: Mutex<HashMap<String, Arc<TeamSnapshot>>>,
    common: Common,
    /// When a quota of a team was lowered last.
    lowered: Mutex<HashMap<String, Instant>>,
    /// Whether the fence refused a write.
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
        let opener = Opener::new(client.clone(), watch_timeout);
        let queue = Queue::default();
        let cache = Arc::new(ObjectCache::default());
        let watches = Watches::new(opener.clone(), Arc::clone(&cache), queue.clone());
        let store = Store::new(opener);
        let requests: Requests = metrics.requests.clone();
        let applier = Applier::new(client.clone(), Arc::clone(&cache), Arc::clone(&watches), requests);
        let reporter = Reporter { controller: "strata".to_owned(), instance: Some(instance) };
        let events = Arc::new(Events::new(metrics.events.clone(), Arc::clone(&cache)));
        Arc::new(Self {
            client,
            cache,
            watches,
            store,
            queue,
            applier,
            events,
            reporter,
            tasks: Tasks::default(),
            prefixes,
            metrics,
            statuses: StatusCache::default(),
            refused: Refused::default(),
            aside: Aside::default(),
            stalled: Answers::default(),
            causes: Causes::default(),
            uses: EngineUses::default(),
            upgrades: UpgradePlaces::default(),
            snapshots: Mutex::default(),
            common: Common::default(),
            lowered: Mutex::default(),
            fenced: AtomicBool::new(false),
        })
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

    /// The missing or stale knowledge of this replica, for `/readyz`.
    #[must_use]
    pub fn unready(&self) -> Vec<String> {
        let always = self.store.watches().chain(self.watches.always());
        let unready = always.filter_map(|health| match health.state() {
            State::Synced => None,
            State::Listing => Some(health.name().to_owned()),
            State::Failing(failure) => Some(format!("{} ({}: {failure})", health.name(), failure.reason)),
        });
        let mut all: Vec<String> = unready.collect();
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
        let always = self.store.watches().chain(self.watches.always());
        for health in always.chain(self.watches.of_engines()) {
            ages.get_or_create(&Watched { kind: health.name().to_owned() }).set(health.age().as_secs_f64());
        }
        self.metrics.text()
    }

    /// Watches the kinds of all engines and of these objects that are served, and ends the
    /// watches of kinds that no longer are.
    pub fn follow_kinds(&self, objects: &[Desired]) {
        self.watches.end_unserved(|watched| engine_kinds::is_served(&self.store, watched));
        for kind in engine_kinds::wanted(&self.store, objects) {
            self.watches.ensure(kind);
        }
    }

    /// Watches the kinds in the records of teams: an engine that wrote some of them may be
    /// gone.
    pub fn follow_recorded(&self) {
        let teams = self.cache.works().into_iter().filter_map(|work| match work {
            Request::Team(team) => Some(team),
            _ => None,
        });
        // A record that cannot be read holds its team, which says so.
        for record in teams.filter_map(|team| record(&team, &self.cache).ok().flatten()) {
            for kind in engine_kinds::recorded(&self.store, &record) {
                self.watches.ensure(kind);
            }
        }
    }

    /// The lists that must be complete before any object may be judged missing.
    #[must_use]
    pub fn listing(&self) -> Vec<String> {
        let mut all = self.store.unsynced();
        if all.is_empty() {
            self.follow_kinds(&[]);
            if self.watches.listing().is_empty() {
                self.follow_recorded();
            }
        }
        all.extend(self.watches.listing());
        all
    }

    /// The fence refused a write, or is not required.
    pub fn fence_stands(&self) {
        self.fenced.store(true, Ordering::Release);
    }

    /// The snapshot of a team, if the team was reconciled.
    #[must_use]
    pub fn snapshot(&self, team: &str) -> Option<Arc<TeamSnapshot>> {
        self.snapshots.lock().unwrap_or_else(PoisonError::into_inner).get(team).cloned()
    }

    /// The snapshots of all teams.
    #[must_use]
    pub fn snapshots(&self) -> Vec<(String, Arc<TeamSnapshot>)> {
        let snapshots = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        snapshots.iter().map(|(team, snapshot)| (team.clone(), Arc::clone(snapshot))).collect()
    }

    /// Keeps the snapshot of a team, and returns what it changes.
    pub fn keep_snapshot(&self, team: &str, mut snapshot: TeamSnapshot) -> SnapshotChange {
        self.common.share(&mut snapshot);
        let snapshot = Arc::new(snapshot);
        let mut snapshots = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        let before = snapshots.insert(team.to_owned(), Arc::clone(&snapshot));
        before.map_or(SnapshotChange::Everything, |before| snapshot.moved(&before))
    }

    /// Forgets a deleted team.
    pub fn forget(&self, team: &str, uid: &str) {
        self.statuses.forget(uid);
        self.uses.forget(team);
        self.aside.forget(team);
        self.leave_upgrades(team, |_| true);
        self.lowered.lock().unwrap_or_else(PoisonError::into_inner).remove(team);
        self.snapshots.lock().unwrap_or_else(PoisonError::into_inner).remove(team);
    }

    /// Gives up the team's places among those that are upgraded, of these Blueprints, and
    /// enqueues the teams that wait for one.
    pub fn leave_upgrades(&self, team: &str, of: impl Fn(&str) -> bool) {
        for next in self.upgrades.leave(team, of) {
            self.queue.add(Request::Team(next));
        }
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
