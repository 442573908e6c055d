//! The people of a team and of its customers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::{roles, schema};

/// People and groups, as the identity provider names them, without the prefix
/// that the API server adds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "(has(self.users) && size(self.users) > 0) || (has(self.groups) && size(self.groups) > 0)",
    "message": "name at least one user or group, or remove the entry"
}]))]
pub struct Subjects {
    /// Groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::subjects")]
    pub groups: Vec<String>,
    /// People.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::subjects")]
    pub users: Vec<String>,
}

/// The people who hold a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "(has(self.users) && size(self.users) > 0) || (has(self.groups) && size(self.groups) > 0)",
    "message": "name at least one user or group for the role, or remove the entry"
}]))]
pub struct Member {
    /// The role: a built-in one, or one of the Blueprint's. Any other name grants nothing, and
    /// the condition `AllFieldsSupported` reports it. Built in: `CloudSecurityEngineer` answers for access,
    /// network and security; `DevOpsEngineer` automates the Backbone; `MLOpsEngineer` runs the
    /// Shared layer and production; `MLEngineer` owns components and pipelines, and productizes
    /// models; `DataEngineer` brings data and features; `DataScientist` builds models in a
    /// Workspace; `CitizenDataScientist` uses models and tools of others with their own data;
    /// `MLResearcher` researches methods in a Workspace; `FullStackEngineer` builds the
    /// applications around a model; `ProjectManager` sees everything, and changes nothing.
    #[schemars(schema_with = "roles::name")]
    pub role: String,
    /// Groups that hold it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::subjects")]
    pub groups: Vec<String>,
    /// People who hold it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::subjects")]
    pub users: Vec<String>,
}

/// A customer of the team's production.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!has(self.namespaces) || self.namespaces.all(n, !n.startsWith('kube-'))",
    "message": "a customer's namespaces are where its applications run, never kube-*"
}]))]
pub struct Customer {
    /// The customer's name, as a `ModelService` refers to it.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// The namespaces from which the customer calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::namespaces")]
    pub namespaces: Vec<String>,
    /// The customer's people, for archetypes that deliver models to customers. It has no effect yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::subjects")]
    pub groups: Vec<String>,
}
