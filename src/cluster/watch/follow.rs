//! Watches one kind for as long as the program lives, and keeps the health of the watch.
//!
//! kube's watcher does the work. It reports neither bookmarks nor that an interrupted
//! watch goes on, so both are taken from the connection. It never lists again after a
//! watch that could not start, so a watch whose content may be old is started anew. Lists
//! are read item by item ([`super::page`]); kube gets them without their items.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use http::{Request, Response};
use http_body_util::BodyExt;
use kube::client::Body;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::{Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::health::{Health, State};
use super::page;

/// How watches are opened.
#[derive(Clone)]
pub struct Opener {
    /// The client.
    pub client: Client,
    /// The time after which the API server ends a watch, which is then opened again. Load
    /// balancers cut connections that are idle for four minutes.
    pub timeout: Duration,
    /// Pages of lists that are read at a time: at a start every kind is listed at once.
    pub pages: Arc<Semaphore>,
}

/// How many pages of lists are read at a time.
const PAGES: usize = 2;

/// How many items of a list wait to be taken, before more of it is read.
const AT_ONCE: usize = 4;

/// How long a page waits for its turn. One that hangs holds up nobody for longer.
const TURN: Duration = Duration::from_secs(5);

impl Opener {
    /// Opens watches through this client, which the API server ends after this time.
    #[must_use]
    pub fn new(client: Client, timeout: Duration) -> Self {
        Self { client, timeout, pages: Arc::new(Semaphore::new(PAGES)) }
    }

    /// The health of a watch that is opened so.
    #[must_use]
    pub fn health(&self, name: impl Into<String>) -> Arc<Health> {
        Arc::new(Health::new(name, self.timeout))
    }
}

/// The events of a followed kind.
#[derive(Debug)]
pub enum Change<K> {
    /// An event of kube's watcher.
    Event(watcher::Event<K>),
    /// The watch is in another state than before.
    Turned(State),
}

/// Follows a kind, for ever.
pub async fn follow<K>(
    opener: &Opener,
    api: impl Fn(Client) -> Api<K>,
    config: watcher::Config,
    health: &Arc<Health>,
    mut take: impl FnMut(Change<K>),
) where
    K: kube::Resource + Clone + std::fmt::Debug + DeserializeOwned + Send + 'static,
{
    let (send, mut items) = channel(AT_ONCE);
    let client = heard(opener, health, send);
    let timeout = u32::try_from(opener.timeout.as_secs()).unwrap_or(u32::MAX).max(1);
    let config = config.timeout(timeout);
    let see = |take: &mut dyn FnMut(Change<K>), event| {
        health.saw(&event);
        take(Change::Event(event));
    };
    loop {
        // A list that takes long is no reason to begin another, as long as it goes on.
        let mut begun = Instant::now();
        // Those of a list that was given up belong to no other.
        while items.try_recv().is_ok() {}
        let mut events = watcher(api(client.clone()), config.clone()).default_backoff().boxed();
        while !health.must_list(begun) {
            tokio::select! {
                biased;
                Some(item) = items.recv() => {
                    begun = Instant::now();
                    see(&mut take, watcher::Event::InitApply(*item));
                }
                event = events.next() => {
                    // What a list had comes before its end.
                    while let Ok(item) = items.try_recv() {
                        see(&mut take, watcher::Event::InitApply(*item));
                    }
                    match event {
                        Some(Ok(event)) => see(&mut take, event),
                        Some(Err(error)) => {
                            debug!(kind = health.name(), %error, "the watch was interrupted and goes on");
                            health.failed(&error);
                        }
                        None => break,
                    }
                }
                () = health.changes() => {}
            }
            if let Some(state) = health.turned() {
                say(health, &state);
                take(Change::Turned(state));
            }
        }
    }
}

fn say(health: &Health, state: &State) {
    match state {
        State::Failing(failure) => warn!(kind = health.name(), reason = %failure.reason, "{failure}"),
        State::Synced => debug!(kind = health.name(), "the watch is synced"),
        State::Listing => info!(kind = health.name(), "the watch lists"),
    }
}

/// A client that records when its watches start and deliver something, and whose lists
/// take turns and send their items here.
fn heard<K: DeserializeOwned + Send + 'static>(opener: &Opener, health: &Arc<Health>, items: Sender<Box<K>>) -> Client {
    let (inner, health, pages) = (opener.client.clone(), Arc::clone(health), Arc::clone(&opener.pages));
    let service = tower::service_fn(move |request: Request<Body>| {
        let (client, health, pages) = (inner.clone(), Arc::clone(&health), Arc::clone(&pages));
        let items = items.clone();
        async move {
            let watches = is_watch(&request);
            let turn = if watches { None } else { turn(pages).await };
            let response = client.send(request).await?;
            let is_success = response.status().is_success();
            let (parts, body) = response.into_parts();
            let body = if watches && is_success {
                health.started();
                body.map_frame(move |frame| {
                    health.heard();
                    frame
                })
                .boxed_unsync()
            } else if is_success {
                page::without_items(body, items, turn)
            } else {
                body.boxed_unsync()
            };
            Ok::<_, kube::Error>(Response::from_parts(parts, body))
        }
    });
    Client::new(service, opener.client.default_namespace())
}

/// The turn of a page, until it is dropped; none if it did not come in time.
async fn turn(pages: Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    tokio::time::timeout(TURN, pages.acquire_owned()).await.ok()?.ok()
}

fn is_watch(request: &Request<Body>) -> bool {
    request.uri().query().into_iter().flat_map(|query| query.split('&')).any(|part| part.starts_with("watch="))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::ResourceExt;
    use serde_json::{Value, json};
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    /// So many of the first words of what following ConfigMaps gives, if they are listed so.
    async fn items_of(items: Vec<Value>, count: usize) -> Vec<String> {
        let list =
            json!({"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {"resourceVersion": "7"}, "items": items});
        let client = crate::cluster::fake_api::client(move |_| std::future::ready((200, list.clone())));
        let opener = Opener::new(client, Duration::from_secs(200));
        let health = opener.health("configmaps");
        let (send, mut words) = unbounded_channel();
        let following = tokio::spawn(async move {
            let take = |change| {
                let word = match change {
                    Change::Event(watcher::Event::Init) => "begins".to_owned(),
                    Change::Event(watcher::Event::InitApply(object)) => ConfigMap::name_any(&object),
                    Change::Event(watcher::Event::InitDone) => "ends".to_owned(),
                    Change::Turned(State::Failing(_)) => "fails".to_owned(),
                    _ => return,
                };
                let _ = send.send(word);
            };
            follow(&opener, Api::<ConfigMap>::all, watcher::Config::default(), &health, take).await;
        });
        let mut all = Vec::new();
        while all.len() < count {
            all.push(words.recv().await.unwrap());
        }
        following.abort();
        all
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_comes_item_by_item_between_its_beginning_and_its_end() {
        let names: Vec<String> = (0..AT_ONCE * 5).map(|number| format!("m{number}")).collect();
        let items = names.iter().map(|name| json!({"metadata": {"name": name}})).collect();
        let expected: Vec<String> =
            ["begins".to_owned()].into_iter().chain(names.clone()).chain(["ends".to_owned()]).collect();
        assert_eq!(items_of(items, expected.len()).await, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_with_an_item_that_cannot_be_read_never_ends() {
        let items = vec![json!({"metadata": {"name": "a"}}), json!({"metadata": {"name": "b"}, "data": 7})];
        assert_eq!(items_of(items, 4).await, ["begins", "a", "begins", "a"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_gives_items_and_never_ends_counts_as_failing() {
        let items = vec![json!({"metadata": {"name": "a"}}), json!({"metadata": {"name": "b"}, "data": 7})];
        let words = items_of(items, 400).await;
        assert!(words.contains(&"fails".to_owned()), "{words:?}");
        assert!(!words.contains(&"ends".to_owned()), "{words:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn few_pages_are_read_at_once_and_a_hanging_one_times_out() {
        let pages = Arc::new(Semaphore::new(PAGES));
        let mut hanging = Vec::new();
        for _ in 0..PAGES {
            hanging.push(turn(Arc::clone(&pages)).await.expect("a turn at once"));
        }
        let begun = Instant::now();
        // Nobody's body ends: the next goes on without a turn.
        assert!(turn(Arc::clone(&pages)).await.is_none());
        assert_eq!(begun.elapsed(), TURN);
        // One that is read makes room for the next.
        hanging.pop();
        assert!(turn(Arc::clone(&pages)).await.is_some());
        assert_eq!(begun.elapsed(), TURN);
    }
}
