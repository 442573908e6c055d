//! The layer below everything that is no single program: a small Debian with
//! Python and the certificates of public authorities. It has the user of the Jupyter
//! project's images, and nothing of the machine that it was made on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::key;
use crate::programs::cache;
use crate::progress::Making;
use crate::{Error, cache as entry};

const SUITE: &str = "bookworm";
/// Apart from that of the images, because it is made while one of them is.
const LOCK: &str = "debian.lock";
/// What is done to the tree in the end. Name servers and host name are the pod's,
/// and whence Debian came is not the image's business.
const CUSTOMIZE: [&str; 5] = [
    r#"echo 'jovyan:x:1000:100::/home/jovyan:/bin/bash' >> "$1/etc/passwd""#,
    r#"install -d -o 1000 -g 100 "$1/home/jovyan""#,
    r#"ln -s /usr/bin/python3 "$1/usr/local/bin/python""#,
    r#"install -m 0644 /dev/null "$1/etc/resolv.conf" && install -m 0644 /dev/null "$1/etc/hostname""#,
    // They are another user's where that one could come here.
    r#"rm -rf "$1"/etc/apt/sources.list* && chown -R 0:0 "$1/var/lib/apt" "$1/var/cache/apt""#,
];

/// The arguments of mmdebstrap.
fn arguments() -> Vec<String> {
    let mut arguments: Vec<String> =
        ["--variant=essential", "--include=python3,libstdc++6,ca-certificates"].map(Into::into).into();
    for unread in ["doc/*", "man/*", "info/*", "locale/*"] {
        arguments.push(format!("--dpkgopt=path-exclude=/usr/share/{unread}"));
    }
    arguments.push("--dpkgopt=path-include=/usr/share/doc/*/copyright".into());
    arguments.extend(CUSTOMIZE.map(|hook| format!("--customize-hook={hook}")));
    arguments.push(SUITE.into());
    arguments
}

/// The inputs of the layer's content.
pub fn description() -> String {
    arguments().join("\n")
}

/// The layer, a tar file, made if it is not in the cache.
pub fn layer() -> Result<PathBuf, Error> {
    let target = cache().join(format!("image-debian-{}", key(&[description().as_bytes()])));
    let what = format!("Debian {SUITE} with Python");
    entry::make(&target, LOCK, &what, |folder| bootstrap(&what, folder))?;
    Ok(target.join("layer.tar"))
}

fn bootstrap(what: &str, folder: &Path) -> Result<(), Error> {
    // It unpacks here, so that what is left of an interrupted one goes with the folder.
    let room = folder.join("room");
    fs::create_dir_all(&room).map_err(Error::file("create", &room))?;
    let mut command = Command::new("mmdebstrap");
    command.args(arguments()).arg(folder.join("layer.tar")).args(sources());
    command.env("TMPDIR", &room).env("SOURCE_DATE_EPOCH", "0").current_dir(folder);
    let making = Making { what, by: "mmdebstrap", directory: folder, count: |_| String::new() };
    making.run(&mut command, || Error::package_missing("mmdebstrap", "mmdebstrap"))?;
    fs::remove_dir_all(&room).map_err(Error::file("remove", &room))
}

/// Whence this machine takes Debian itself; without them mmdebstrap has its own.
fn sources() -> Option<PathBuf> {
    ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| fs::read_to_string(path).is_ok_and(|text| text.contains(SUITE)))
}
