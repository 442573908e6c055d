//! Counts the requests that applying makes.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// The labels of a request. Bounded: verbs and kinds are closed sets.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    verb: &'static str,
    kind: String,
    result: &'static str,
}

/// The requests made, by verb, kind and result.
#[derive(Clone, Debug, Default)]
pub struct Requests(Family<Request, Counter>);

impl Requests {
    /// Has the counts published.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "strata_api_requests",
            "Requests made to write objects, by verb, kind and result",
            self.0.clone(),
        );
    }

    /// Counts one request.
    pub fn count(&self, verb: &'static str, kind: &str, fine: bool) {
        let result = if fine { "ok" } else { "error" };
        self.0.get_or_create(&Request { verb, kind: kind.to_owned(), result }).inc();
    }
}
