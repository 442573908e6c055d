//! An image as one file, in the format of `docker save`: the layers, a
//! configuration that names them by what they add up to, and a manifest that names
//! both. The same image is the same file, byte by byte.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType};

use super::layer::{Layer, header};
use crate::Error;
use crate::programs::hex;

/// What a container of the image begins with.
#[derive(Debug, Default)]
pub struct Config<'a> {
    /// `uid` or `uid:gid`; root where it is empty.
    pub user: &'a str,
    /// `NAME=value`.
    pub environment: &'a [&'a str],
    /// The program and its first arguments.
    pub entrypoint: &'a [&'a str],
    /// The arguments where a pod gives none.
    pub command: &'a [&'a str],
    /// Where it starts.
    pub directory: &'a str,
}

/// Writes the image, under all these names, into a file.
pub fn write(path: &Path, names: &[&str], config: &Config<'_>, layers: &[&Layer]) -> Result<(), Error> {
    let config = config.json(layers).to_string();
    let config_name = format!("{}.json", hex(&Sha256::digest(&config)));
    let inside = |layer: &Layer| format!("{}.tar", layer.digest);
    let manifest = json!([{
        "Config": config_name, "RepoTags": names, "Layers": layers.iter().map(|layer| inside(layer)).collect::<Vec<_>>()
    }])
    .to_string();
    let file = File::create(path).map_err(Error::file("create", path))?;
    let mut builder = Builder::new(BufWriter::with_capacity(1 << 20, file));
    let mut add = |name: &str, size: u64, content: &mut dyn Read| -> io::Result<()> {
        let mut header = header(EntryType::Regular, 0o644);
        header.set_size(size);
        builder.append_data(&mut header, name, content)
    };
    // The manifest first: who reads the file as a stream knows what comes.
    for (name, text) in [("manifest.json", &manifest), (&config_name, &config)] {
        add(name, text.len() as u64, &mut text.as_bytes()).map_err(Error::file("write", path))?;
    }
    for layer in layers {
        let (mut content, size) = layer.open()?;
        add(&inside(layer), size, &mut content).map_err(Error::file("write", path))?;
    }
    builder.into_inner().and_then(|mut writer| writer.flush()).map_err(Error::file("write", path))
}

impl Config<'_> {
    fn json(&self, layers: &[&Layer]) -> Value {
        let digests: Vec<String> = layers.iter().map(|layer| format!("sha256:{}", layer.digest)).collect();
        json!({
            "architecture": architecture(),
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {
                "User": self.user, "Env": self.environment, "Entrypoint": self.entrypoint, "Cmd": self.command,
                "WorkingDir": if self.directory.is_empty() { "/" } else { self.directory }
            },
            "rootfs": {"type": "layers", "diff_ids": digests}
        })
    }
}

/// This machine's, in the words of images.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::*;

    fn files(path: &Path) -> BTreeMap<String, Vec<u8>> {
        let mut archive = tar::Archive::new(File::open(path).unwrap());
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (entry.path().unwrap().display().to_string(), bytes)
        });
        entries.collect()
    }

    #[test]
    fn everything_is_named_by_what_it_adds_up_to() {
        let folder = std::env::temp_dir().join(format!("strata-archive-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let first = Layer::of_file(&folder.join("1.tar"), "base", b"base").unwrap();
        let second = Layer::of_file(&folder.join("2.tar"), "program", b"program").unwrap();
        let config = Config { user: "1000:100", entrypoint: &["/program"], ..Config::default() };
        let names = ["registry.invalid/a:1", "registry.invalid/b:2"];
        let (image, again) = (folder.join("image.tar"), folder.join("again.tar"));
        for path in [&image, &again] {
            write(path, &names, &config, &[&first, &second]).unwrap();
        }
        assert_eq!(fs::read(&image).unwrap(), fs::read(&again).unwrap());

        let files = files(&image);
        let manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
        assert_eq!(manifest[0]["RepoTags"], json!(names));
        let config_name = manifest[0]["Config"].as_str().unwrap();
        assert_eq!(config_name, format!("{}.json", hex(&Sha256::digest(&files[config_name]))));
        let config: Value = serde_json::from_slice(&files[config_name]).unwrap();
        assert_eq!(config["config"]["User"], "1000:100");
        assert_eq!(config["config"]["Entrypoint"], json!(["/program"]));
        assert_eq!(config["rootfs"]["type"], "layers");
        let layers = manifest[0]["Layers"].as_array().unwrap();
        let sums: Vec<String> = layers
            .iter()
            .map(|layer| format!("sha256:{}", hex(&Sha256::digest(&files[layer.as_str().unwrap()]))))
            .collect();
        assert_eq!(sums.len(), 2);
        assert_eq!(config["rootfs"]["diff_ids"], json!(sums), "in the order of the layers");
        assert_eq!(files.len(), 4);
        fs::remove_dir_all(folder).unwrap();
    }
}
