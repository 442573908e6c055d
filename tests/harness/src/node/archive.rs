//! Image archives of one static program each: the form that `docker save` writes.

use std::path::{Path, PathBuf};

use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::programs::hex;
use crate::{Error, cluster};

/// Writes an archive for the image `registry.invalid/strata/<name>:1`, whose only file is a program; returns its path.
pub(super) async fn write(folder: &Path, name: &str, program: &Path) -> Result<PathBuf, Error> {
    let parts = folder.join(name);
    std::fs::create_dir_all(&parts).map_err(Error::file("create", &parts))?;
    let layer = parts.join("layer.tar");
    std::fs::copy(program, parts.join(name)).map_err(Error::file("copy", program))?;
    tar(&layer, &parts, &[name]).await?;
    let bytes = std::fs::read(&layer).map_err(Error::file("read", &layer))?;
    let config = json!({
        "architecture": architecture(), "os": "linux",
        "config": {"Entrypoint": [format!("/{name}")]},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", hex(&Sha256::digest(&bytes)))]},
    });
    cluster::write(&parts.join("config.json"), &config.to_string())?;
    let tag = format!("registry.invalid/strata/{name}:1");
    let manifest = json!([{"Config": "config.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]);
    cluster::write(&parts.join("manifest.json"), &manifest.to_string())?;
    let archive = parts.join("image.tar");
    tar(&archive, &parts, &["manifest.json", "config.json", "layer.tar"]).await?;
    Ok(archive)
}

/// The name that images have for this machine's processor.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

async fn tar(archive: &Path, folder: &Path, files: &[&str]) -> Result<(), Error> {
    let mut command = Command::new("tar");
    command.args(["--owner=0", "--group=0", "--numeric-owner", "--create", "--file"]).arg(archive);
    command.arg("--directory").arg(folder).args(files);
    cluster::run(command, None).await.map(drop)
}
