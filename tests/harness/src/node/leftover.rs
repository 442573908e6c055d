//! What nodes leave when all of their supervisors are killed with them: control
//! groups, and folders of temporary files. Namespaces, mounts and interfaces have
//! no name that could outlive their processes.

use std::fs;
use std::path::PathBuf;

use tokio::process::Command;

use super::machine::{entries, groups, has_ended, left};
use crate::{Error, cluster, programs};

/// Removes what nodes left whose starter was killed; returns what that was. A node that runs stays.
pub async fn clean() -> Result<Vec<String>, Error> {
    let mut removed = left();
    if !removed.is_empty() {
        let mut command = Command::new(programs::supervise().await?);
        command.arg("clean").args(&removed);
        cluster::run(command, None).await?;
    }
    for folder in folders() {
        fs::remove_dir_all(&folder).map_err(Error::file("remove", &folder))?;
        removed.push(folder.display().to_string());
    }
    Ok(removed)
}

/// Folders of temporary files of nodes that have ended.
fn folders() -> Vec<PathBuf> {
    let (parent, living) = (std::env::temp_dir(), groups());
    let ended = |name: &String| has_ended(name) && !living.contains(name);
    entries(&parent).into_iter().filter(ended).map(|name| parent.join(name)).collect()
}
