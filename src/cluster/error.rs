//! Failures of requests, classed once.
//!
//! Every error of the API server becomes an [`Issue`], whose reason decides what happens
//! next.

use kube::core::Status;
use kube::runtime::watcher;

use crate::api::{Issue, Reason};

/// What the API server's answer to a request means.
#[must_use]
pub fn of_request(error: &kube::Error, action: &str) -> Issue {
    let kube::Error::Api(status) = error else {
        return Issue::new(Reason::ApiError, format!("failed to {action}: {error}"));
    };
    let said = &status.message;
    if is_too_large(status) {
        let message = format!(
            "failed to {action}: the object is larger than the API server stores ({said}). Shorten its commands, \
             values, settings or lists, or put long scripts into an image"
        );
        return Issue::new(Reason::Refused, message);
    }
    let reason = match status.code {
        403 if has_cause(status, "NamespaceTerminating") => Reason::Terminating,
        403 if is_of_rights(said) => Reason::RightsMissing,
        403 | 422 | 400 => Reason::Refused,
        404 | 409 | 410 => Reason::Progressing,
        _ => Reason::ApiError,
    };
    let remedy = if said.contains("must support resize") {
        ". Use a storage class that expands volumes (allowVolumeExpansion), or ask for the present size"
    } else {
        ""
    };
    Issue::new(reason, format!("failed to {action}: {said}{remedy}"))
}

/// What the end of a watch means. Nothing but rights refuses a read.
#[must_use]
pub fn of_watch(error: &watcher::Error, name: &str) -> Issue {
    let unknown = format!("{name} cannot be watched, so their state is not known");
    let error = match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => error,
        watcher::Error::WatchError(status) => &kube::Error::Api(status.clone()),
        watcher::Error::NoResourceVersion => {
            return Issue::new(Reason::ApiError, format!("{unknown}: the list carries no resource version"));
        }
    };
    match error {
        kube::Error::Api(status) if status.code == 404 => {
            Issue::new(Reason::Unavailable, format!("{unknown}: the API server does not serve them"))
        }
        kube::Error::Api(status) if status.code == 403 => Issue::new(
            Reason::RightsMissing,
            format!("{unknown}: {}. Grant the operator list and watch on {name}", status.message),
        ),
        error => Issue::new(Reason::ApiError, format!("{unknown}: {error}")),
    }
}

/// Whether the object that was sent is too large: for the API server itself, for its
/// connection to etcd, or for etcd.
/// Source: Kubernetes 1.36, etcd 3.6; the second and the third are passed on as they are.
fn is_too_large(status: &Status) -> bool {
    let said = |words: &str| status.message.contains(words);
    status.code == 413
        || status.code >= 500
            && (said("etcdserver: request is too large") || said("trying to send message larger than max"))
}

/// Whether the API server gives this as a cause.
fn has_cause(status: &Status, reason: &str) -> bool {
    status.details.iter().flat_map(|details| &details.causes).any(|cause| cause.reason == reason)
}

/// Whether a 403 is for missing rights. The API server gives the same reason and details
/// if a quota or admission forbids something; only its own sentence distinguishes them.
/// The sentence is read from its beginning, so that the text of a webhook or a quota
/// cannot imitate it.
fn is_of_rights(message: &str) -> bool {
    let Some((what, said)) = message.split_once(" is forbidden: ") else { return false };
    let is_webhooks = what.starts_with("admission webhook ");
    let user = ["User \"", "user \""].iter().find_map(|begin| said.strip_prefix(begin));
    let after = user.and_then(|rest| rest.split_once('"')).map(|(_, after)| after);
    !is_webhooks && after.is_some_and(|after| after.starts_with(" cannot ") || after.starts_with(" (groups="))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(code: u16, message: &str) -> Reason {
        let mut status = Status::failure(message, "");
        status.code = code;
        of_request(&kube::Error::Api(Box::new(status)), "create x").reason
    }

    #[test]
    fn an_answer_is_classed_by_what_it_means() {
        assert_eq!(answer(422, "Deployment.apps \"x\" is invalid"), Reason::Refused);
        assert_eq!(answer(503, "etcd"), Reason::ApiError);
        assert_eq!(answer(409, "the object has been modified"), Reason::Progressing);
        for (code, message) in [
            (413, "Request entity too large: limit is 3145728"),
            (500, "etcdserver: request is too large"),
            (
                500,
                "rpc error: code = ResourceExhausted desc = trying to send message larger than max (2183718 vs. 2097152)",
            ),
        ] {
            assert_eq!(answer(code, message), Reason::Refused, "{message}");
        }
        assert_eq!(answer(500, "rpc error: code = ResourceExhausted desc = too many requests"), Reason::ApiError);
        let mut status = Status::failure("whatever it says", "Forbidden");
        status.code = 403;
        let details =
            json!({"causes": [{"reason": "NamespaceTerminating", "message": "x", "field": "metadata.namespace"}]});
        status.details = serde_json::from_value(details).unwrap();
        let failure = of_request(&kube::Error::Api(Box::new(status)), "create x");
        assert_eq!(failure.reason, Reason::Terminating);
    }

    #[test]
    fn volume_that_cannot_grow_is_refused_with_what_to_do() {
        let said = "persistentvolumeclaims \"x\" is forbidden: only dynamically provisioned pvc can be resized and the \
                    storageclass that provisions the pvc must support resize";
        let mut status = Status::failure(said, "Forbidden");
        status.code = 403;
        let failure = of_request(&kube::Error::Api(Box::new(status)), "apply x");
        assert_eq!(failure.reason, Reason::Refused);
        assert!(
            failure.message.ends_with("must support resize. Use a storage class that expands volumes (allowVolumeExpansion), or ask for the present size"),
            "{failure}"
        );
    }

    #[test]
    fn only_the_api_servers_own_words_are_of_rights() {
        for said in [
            "configmaps is forbidden: User \"x\" cannot create resource \"configmaps\" in API group \"\"",
            "rolebindings.rbac.authorization.k8s.io \"x\" is forbidden: user \"x\" (groups=[\"a\"]) is attempting to grant RBAC permissions not currently held:",
        ] {
            assert_eq!(answer(403, said), Reason::RightsMissing, "{said}");
        }
        for said in [
            "pods \"x\" is forbidden: exceeded quota: strata-quota",
            "admission webhook \"w\" denied the request: you cannot do this",
            "admission webhook \"w\" denied the request: it is forbidden: User \"x\" cannot do this",
            "configmaps \"x\" is forbidden: ValidatingAdmissionPolicy 'p' denied request: you cannot do this",
            "pods \"x\" is forbidden: a namespace cannot be being terminated",
        ] {
            assert_eq!(answer(403, said), Reason::Refused, "{said}");
        }
    }
}
