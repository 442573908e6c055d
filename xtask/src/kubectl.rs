//! What the demo and its report share: reading objects, and saying when something
//! happened.

use std::time::Instant;

use harness::Cluster;
use serde_json::Value;

use crate::error::Error;

/// Reads objects with kubectl.
pub async fn get(cluster: &Cluster, what: &[&str]) -> Result<Value, Error> {
    let arguments = ["get", "--output=json"].iter().chain(what);
    let printed = cluster.kubectl(arguments).await?;
    serde_json::from_str(&printed).map_err(|error| Error::Kubectl(what.join(" "), error))
}

/// Seconds since the beginning, before each line.
pub struct Clock(pub Instant);

impl Clock {
    /// Prints a progress message.
    pub fn say(&self, text: &str) {
        println!("{:6.1} s  {text}", self.0.elapsed().as_secs_f32());
    }
}
