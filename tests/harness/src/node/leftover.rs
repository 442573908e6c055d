//! What nodes leave when all of their supervisors are killed with them: control
//! groups, and folders of temporary files. Namespaces, mounts and interfaces have
//! no name that could outlive their processes.

use std::fs;
use std::path::PathBuf;

use tokio::process::Command;

use super::machine::{PREFIX, entries, groups};
use crate::{Error, cluster, programs};

/// Ends every node of this machine and removes what it left; returns what that was.
pub async fn clean() -> Result<Vec<String>, Error> {
    let mut removed = groups();
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

/// Their folders of temporary files.
fn folders() -> Vec<PathBuf> {
    let parent = std::env::temp_dir();
    let ours = |name: &String| name[PREFIX.len()..].starts_with('-');
    entries(&parent).into_iter().filter(ours).map(|name| parent.join(name)).collect()
}
