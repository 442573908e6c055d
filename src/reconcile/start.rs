//! Starts the prerequisites of every reconcile: the permanent watches, and the posting of
//! Events.

use std::sync::Arc;

use super::context::Context;
use super::triggers::Triggers;
use super::usage;
use crate::cluster::store::Listener;

/// Starts every watch that is always there.
pub fn start(context: &Arc<Context>) {
    // Until this replica works, nothing is collected: it begins with everything.
    context.queue.close();
    let triggers: Arc<dyn Listener> = Arc::new(Triggers(Arc::clone(context)));
    context.store.start(&triggers);
    context.watches.start_built_in();
    let (events, client, reporter) = context.posting();
    context.tasks.spawn("the posting of events", async move { events.post(client, reporter).await });
    let follower = Arc::clone(context);
    context.tasks.spawn("the search for other access to namespaces of teams", async move {
        usage::follow_access(&follower).await;
    });
}
