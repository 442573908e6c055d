//! An image as one file, in the format of `docker save`: the layers, a
//! configuration that names them by what they add up to, and a manifest that names
//! both. The same image is the same file, byte by byte.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::EntryType;

use super::layer::header;
use crate::Error;
use crate::programs::hex;

/// The size of a tar block.
const BLOCK: usize = 512;

/// The entry point of a container of the image.
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

/// A file that becomes an image, layer by layer.
pub struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
    /// The digest of the layers: SHA-256 in hexadecimal. For an uncompressed layer
    /// its digest and its `diff_id` are one.
    layers: Vec<String>,
}

impl Writer {
    /// Begins an image.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let file = File::create(path).map_err(Error::file("create", path))?;
        Ok(Self { path: path.to_path_buf(), file: BufWriter::with_capacity(1 << 20, file), layers: Vec::new() })
    }

    /// Adds a layer on top: what is written, a whole tar file.
    pub fn layer(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
        let layer = add_layer(&mut self.file, write).map_err(Error::file("write", &self.path))?;
        self.layers.push(layer);
        Ok(())
    }

    /// Ends the image and gives it all these names.
    pub fn finish(mut self, names: &[&str], config: &Config<'_>) -> Result<(), Error> {
        let config = config.json(&self.layers).to_string();
        let config_name = format!("{}.json", hex(&Sha256::digest(&config)));
        let layers: Vec<String> = self.layers.iter().map(|layer| format!("{layer}.tar")).collect();
        let manifest = json!([{"Config": config_name, "RepoTags": names, "Layers": layers}]).to_string();
        let write = |file: &mut BufWriter<File>| {
            for (name, text) in [(config_name.as_str(), &config), ("manifest.json", &manifest)] {
                file.write_all(&entry(name, text.len() as u64)?)?;
                file.write_all(text.as_bytes())?;
                pad(file, text.len() as u64)?;
            }
            file.write_all(&[0; 2 * BLOCK])?;
            file.flush()
        };
        write(&mut self.file).map_err(Error::file("write", &self.path))
    }
}

/// Writes a layer; its name and size, which stand before it, are known after it.
fn add_layer(file: &mut BufWriter<File>, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<String> {
    let start = file.stream_position()?;
    file.write_all(&[0; BLOCK])?;
    let mut summed = Summed { inner: file, hash: Sha256::new(), size: 0 };
    write(&mut summed)?;
    let (digest, size) = (hex(&summed.hash.finalize()), summed.size);
    pad(file, size)?;
    let end = file.stream_position()?;
    file.seek(SeekFrom::Start(start))?;
    file.write_all(&entry(&format!("{digest}.tar"), size)?)?;
    file.seek(SeekFrom::Start(end))?;
    Ok(digest)
}

/// The block before a file.
fn entry(name: &str, size: u64) -> io::Result<[u8; BLOCK]> {
    let mut header = header(EntryType::Regular, 0o644);
    header.set_path(name)?;
    header.set_size(size);
    header.set_cksum();
    Ok(*header.as_bytes())
}

/// Fills up the last block of a file.
fn pad(out: &mut impl Write, size: u64) -> io::Result<()> {
    let missing = size.next_multiple_of(BLOCK as u64) - size;
    io::copy(&mut io::Read::take(io::repeat(0), missing), out).map(drop)
}

/// Computes a hash of the passing bytes.
struct Summed<'a> {
    inner: &'a mut BufWriter<File>,
    hash: Sha256,
    size: u64,
}

impl Write for Summed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl Config<'_> {
    fn json(&self, layers: &[String]) -> Value {
        let digests: Vec<String> = layers.iter().map(|layer| format!("sha256:{layer}")).collect();
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
    use std::io::Read;

    use super::*;
    use crate::image::layer::of_program;

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
        let config = Config { user: "1000:100", entrypoint: &["/program"], ..Config::default() };
        let names = ["registry.invalid/a:1", "registry.invalid/b:2"];
        let (image, again) = (folder.join("image.tar"), folder.join("again.tar"));
        for path in [&image, &again] {
            let mut writer = Writer::create(path).unwrap();
            for name in ["base", "program"] {
                writer.layer(|out| of_program(out, name, name.as_bytes())).unwrap();
            }
            writer.finish(&names, &config).unwrap();
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
        let top: Vec<_> = tar::Archive::new(&*files[layers[1].as_str().unwrap()])
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().display().to_string())
            .collect();
        assert_eq!(top, ["program"]);
        fs::remove_dir_all(folder).unwrap();
    }
}
