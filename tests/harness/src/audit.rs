//! The requests to the API server and their users: its audit log, read from a mark on.
//! Requests of the control plane itself are not in it. A watch counts once, when
//! it begins; anything else when it is answered. This module only reads a file.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use serde::Deserialize;

use crate::Error;

/// The audit log of one API server.
#[derive(Debug)]
pub struct AuditLog {
    path: PathBuf,
}

/// A moment in the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(u64);

impl Mark {
    /// Before the first request.
    pub const START: Self = Self(0);
}

impl AuditLog {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Now.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark(std::fs::metadata(&self.path).map(|file| file.len()).unwrap_or_default())
    }

    /// All requests since a mark.
    pub fn since(&self, mark: Mark) -> Result<Requests, Error> {
        let mut text = String::new();
        let read = std::fs::File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(mark.0))?;
            file.read_to_string(&mut text)
        });
        match read {
            // Written with the first request.
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file("read", &self.path)(error)),
            _ => Ok(Requests::parse(&text)),
        }
    }
}

/// One request, as the audit log has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// Who asked; of an impersonating client, whom it acted as.
    pub user: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// API group; empty for the core group and for what is no resource.
    pub group: String,
    /// With its subresource, as RBAC writes it (`pods/exec`), or a path (`/readyz`).
    pub resource: String,
    /// Empty for what is cluster-scoped.
    pub namespace: String,
    /// Empty for lists and some creates.
    pub name: String,
    /// The HTTP status it was answered with.
    pub code: u16,
}

impl Request {
    /// Whether it could have changed something.
    #[must_use]
    pub fn is_write(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch" | "head" | "options")
    }
}

/// Requests, to be narrowed down and counted.
#[derive(Debug, Clone, Default)]
pub struct Requests(Vec<Request>);

impl Requests {
    /// Parses lines of an audit log; a last line that is not yet whole is left out.
    #[must_use]
    pub fn parse(log: &str) -> Self {
        Self(log.lines().filter_map(|line| serde_json::from_str::<Event>(line).ok()?.request()).collect())
    }

    /// Those for which `keep` holds.
    #[must_use]
    pub fn filter(&self, keep: impl Fn(&Request) -> bool) -> Self {
        Self(self.0.iter().filter(|request| keep(request)).cloned().collect())
    }

    /// Those of one user.
    #[must_use]
    pub fn of(&self, user: &str) -> Self {
        self.filter(|request| request.user == user)
    }

    /// Those with one verb.
    #[must_use]
    pub fn verb(&self, verb: &str) -> Self {
        self.filter(|request| request.verb == verb)
    }

    /// Those on one resource (plural; `pods/exec` for a subresource).
    #[must_use]
    pub fn resource(&self, resource: &str) -> Self {
        self.filter(|request| request.resource == resource)
    }

    /// Those that could have changed something.
    #[must_use]
    pub fn writes(&self) -> Self {
        self.filter(Request::is_write)
    }

    /// Those that could not; watches included.
    #[must_use]
    pub fn reads(&self) -> Self {
        self.filter(|request| !request.is_write())
    }

    /// All but watches.
    #[must_use]
    pub fn without_watches(&self) -> Self {
        self.filter(|request| request.verb != "watch")
    }

    /// Those that the server refused or failed to do (status 400 and above).
    #[must_use]
    pub fn refused(&self) -> Self {
        self.filter(|request| request.code >= 400)
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// One by one, in the order in which they were answered.
    pub fn iter(&self) -> impl Iterator<Item = &Request> {
        self.0.iter()
    }

    /// How many by verb.
    #[must_use]
    pub fn by_verb(&self) -> BTreeMap<String, usize> {
        self.by(|request| request.verb.clone())
    }

    /// How many by resource.
    #[must_use]
    pub fn by_resource(&self) -> BTreeMap<String, usize> {
        self.by(|request| request.resource.clone())
    }

    /// How many by user.
    #[must_use]
    pub fn by_user(&self) -> BTreeMap<String, usize> {
        self.by(|request| request.user.clone())
    }

    /// How many by verb and resource.
    #[must_use]
    pub fn by_verb_and_resource(&self) -> BTreeMap<(String, String), usize> {
        self.by(|request| (request.verb.clone(), request.resource.clone()))
    }

    fn by<K: Ord>(&self, key: impl Fn(&Request) -> K) -> BTreeMap<K, usize> {
        let mut counts = BTreeMap::new();
        for request in &self.0 {
            *counts.entry(key(request)).or_default() += 1;
        }
        counts
    }
}

/// The requests for a failed assertion, equal ones together.
impl fmt::Display for Requests {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alike = self.by(|request| {
            let Request { user, verb, resource, namespace, name, code, .. } = request;
            format!("{user} {verb} {resource} {namespace}/{name} -> {code}")
        });
        writeln!(out, "{} requests", self.count())?;
        alike.iter().try_for_each(|(request, count)| writeln!(out, "{count:6} {request}"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    stage: String,
    verb: String,
    user: User,
    impersonated_user: Option<User>,
    #[serde(rename = "requestURI", default)]
    request_uri: String,
    object_ref: Option<ObjectRef>,
    response_status: Option<ResponseStatus>,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ObjectRef {
    resource: String,
    subresource: String,
    api_group: String,
    namespace: String,
    name: String,
}

#[derive(Deserialize)]
struct ResponseStatus {
    #[serde(default)]
    code: u16,
}

impl Event {
    /// The request that this event completes, if it does.
    fn request(self) -> Option<Request> {
        let wanted = if self.verb == "watch" { "ResponseStarted" } else { "ResponseComplete" };
        let failed_watch = self.verb == "watch" && self.code() >= 400;
        if self.stage != wanted && self.stage != "Panic" && !failed_watch {
            return None;
        }
        let code = self.code();
        let object = self.object_ref.unwrap_or_default();
        let resource = match (object.resource.as_str(), object.subresource.as_str()) {
            ("", _) => self.request_uri.split('?').next().unwrap_or_default().to_owned(),
            (resource, "") => resource.to_owned(),
            (resource, subresource) => format!("{resource}/{subresource}"),
        };
        Some(Request {
            user: self.impersonated_user.unwrap_or(self.user).username,
            verb: self.verb,
            group: object.api_group,
            resource,
            namespace: object.namespace,
            name: object.name,
            code,
        })
    }

    fn code(&self) -> u16 {
        self.response_status.as_ref().map_or(0, |status| status.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = concat!(
        r#"{"stage":"ResponseComplete","verb":"create","user":{"username":"ana"},"requestURI":"/api/v1/namespaces","objectRef":{"resource":"namespaces","name":"a"},"responseStatus":{"code":201}}"#,
        "\n",
        r#"{"stage":"ResponseStarted","verb":"watch","user":{"username":"ana"},"requestURI":"/api/v1/pods","objectRef":{"resource":"pods"},"responseStatus":{"code":200}}"#,
        "\n",
        r#"{"stage":"ResponseComplete","verb":"watch","user":{"username":"ana"},"requestURI":"/api/v1/pods","objectRef":{"resource":"pods"},"responseStatus":{"code":200}}"#,
        "\n",
        r#"{"stage":"ResponseComplete","verb":"get","user":{"username":"admin"},"impersonatedUser":{"username":"bo"},"requestURI":"/apis/apps/v1/x","objectRef":{"resource":"deployments","subresource":"scale","namespace":"n","name":"d","apiGroup":"apps"},"responseStatus":{"code":403}}"#,
        "\n",
        r#"{"stage":"ResponseComplete","verb":"get","user":{"username":"ana"},"requestURI":"/readyz?verbose","responseStatus":{"code":200}}"#,
        "\n",
        r#"{"stage":"ResponseComp"#,
    );

    #[test]
    fn counts_by_user_verb_and_resource() {
        let requests = Requests::parse(LOG);
        assert_eq!(requests.count(), 4);
        assert_eq!(requests.of("ana").without_watches().count(), 2);
        assert_eq!(requests.of("ana").writes().by_verb(), BTreeMap::from([("create".into(), 1)]));
        assert_eq!(requests.verb("watch").count(), 1, "a watch counts once");
        assert_eq!(requests.of("bo").resource("deployments/scale").refused().count(), 1);
        assert_eq!(requests.of("admin").count(), 0, "an impersonated request is whom it acts as");
        assert_eq!(requests.resource("/readyz").reads().count(), 1);
    }

    #[test]
    fn shows_what_it_counts() {
        let shown = Requests::parse(LOG).of("bo").to_string();
        assert_eq!(shown, "1 requests\n     1 bo get deployments/scale n/d -> 403\n");
    }

    #[test]
    fn begins_at_a_mark() {
        let path = std::env::temp_dir().join(format!("strata-audit-{}", std::process::id()));
        let log = AuditLog::new(path.clone());
        assert_eq!(log.since(log.mark()).unwrap().count(), 0, "no file yet");
        std::fs::write(&path, LOG.lines().next().unwrap()).unwrap();
        let mark = log.mark();
        std::fs::write(&path, LOG.split_inclusive('\n').take(2).collect::<String>()).unwrap();
        assert_eq!(log.since(Mark(0)).unwrap().count(), 2);
        assert_eq!(log.since(mark).unwrap().count(), 1);
        std::fs::remove_file(path).unwrap();
    }
}
