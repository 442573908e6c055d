//! Images for pods where no registry can be reached: archives in the format of
//! `docker save`, which a container runtime imports. They are kept in the cache,
//! named by a hash over what goes in, and made without a container runtime: from
//! Debian packages, from packages of the Python index, or from one static program.
//! Whence those come, the machine's own configuration of apt, pip and cargo says.
//! Nothing here starts a container or knows a node.
//!
//! The names stand in the domain `invalid`, where no registry can ever be: what was
//! not imported cannot be pulled by accident.

mod application;
mod archive;
mod debian;
mod layer;
mod operator;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::programs::{blocking, cache, hex};
use crate::{Error, cache as entry};

pub use application::NAMES;
use archive::Config;

/// The Debian packages that building images needs; nothing here installs them.
pub const PACKAGES: [&str; 2] = ["mmdebstrap", "python3-pip"];

/// Makers of images wait for each other, but not for builds of programs.
const LOCK: &str = "images.lock";
/// How long an archive is kept after another one of its image was made.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// Where all names stand.
const REGISTRY: &str = "registry.invalid";

/// An image in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// The image's name, with its tag; the archive may have further ones.
    pub name: String,
    /// The archive, in the format of `docker save`, with uncompressed layers.
    pub path: PathBuf,
}

/// The image of teams: the contents of `deploy/images/ai`, that is, JupyterLab,
/// MLflow, Feast and the libraries around them on Debian. It also stands for the
/// images of MLflow and Feast that the engines name: the archive has all of [`NAMES`].
pub async fn application() -> Result<Archive, Error> {
    blocking(application::archive).await
}

/// The operator, `registry.invalid/strata/operator:1`: a static program and nothing
/// else, under user 65532, as `deploy/images/operator` makes it.
pub async fn operator() -> Result<Archive, Error> {
    blocking(operator::archive).await
}

/// An image of one static program, `registry.invalid/strata/<name>:1`. It begins
/// with the program and names no user.
pub async fn small(name: &str, program: &Path) -> Result<Archive, Error> {
    let (name, program) = (name.to_owned(), program.to_path_buf());
    blocking(move || of_program(&name, &program, "")).await
}

/// An image of one program, in the top folder under the image's own name.
fn of_program(name: &str, program: &Path, user: &'static str) -> Result<Archive, Error> {
    let bytes = std::fs::read(program).map_err(Error::file("read", program))?;
    let key = key(&[name.as_bytes(), user.as_bytes(), &bytes]);
    let entrypoint = format!("/{name}");
    let image = format!("{REGISTRY}/strata/{name}:1");
    let path = made(name, &key, |folder| {
        let mut archive = archive::Writer::create(&folder.join("image.tar"))?;
        archive.layer(|out| layer::of_program(out, name, &bytes))?;
        archive.finish(&[&image], &Config { user, entrypoint: &[&entrypoint], ..Config::default() })
    })?;
    Ok(Archive { name: image, path })
}

/// The archive of an image in the cache; `make` writes `image.tar` into a folder.
fn made(name: &str, key: &str, make: impl FnOnce(&Path) -> Result<(), Error>) -> Result<PathBuf, Error> {
    let series = format!("image-{name}-");
    let target = cache().join(format!("{series}{key}"));
    entry::make(&target, LOCK, &format!("image {name}"), |folder| {
        std::fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
        make(folder)?;
        entry::forget(&cache(), &series, KEPT)
    })?;
    Ok(target.join("image.tar"))
}

/// A hash over everything that decides what is made.
fn key(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // The lengths keep parts apart.
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hex(&hash.finalize()[..6])
}
