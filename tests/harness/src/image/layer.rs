//! Layers: tar files with nothing of this machine or this hour in them, so that the
//! same files make the same layer. Everything belongs to root; the order is that of
//! the names. What a layer is for is none of its business.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use crate::Error;
use crate::programs::hex;

/// A tar file, uncompressed, and what it adds up to.
#[derive(Debug)]
pub struct Layer {
    path: PathBuf,
    /// SHA-256 in hexadecimal; of an uncompressed layer digest and `diff_id` are one.
    pub digest: String,
}

impl Layer {
    /// A tar file that is there already.
    pub fn at(path: &Path) -> Result<Self, Error> {
        let mut file = File::open(path).map_err(Error::file("read", path))?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            let read = file.read(&mut buffer).map_err(Error::file("read", path))?;
            if read == 0 {
                return Ok(Self { path: path.to_path_buf(), digest: hex(&hash.finalize()) });
            }
            hash.update(&buffer[..read]);
        }
    }

    /// Writes what is below a folder, without the folder itself, into a tar file.
    pub fn of_folder(path: &Path, folder: &Path) -> Result<Self, Error> {
        Self::write(path, |builder| add_children(builder, folder, Path::new("")))
    }

    /// Writes one program into a tar file.
    pub fn of_file(path: &Path, name: &str, bytes: &[u8]) -> Result<Self, Error> {
        Self::write(path, |builder| {
            let mut header = header(EntryType::Regular, 0o755);
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, name, bytes)
        })
    }

    fn write(path: &Path, add: impl FnOnce(&mut Builder<BufWriter<File>>) -> io::Result<()>) -> Result<Self, Error> {
        let file = File::create(path).map_err(Error::file("create", path))?;
        let mut builder = Builder::new(BufWriter::with_capacity(1 << 20, file));
        add(&mut builder)
            .and_then(|()| builder.into_inner())
            .and_then(|mut writer| writer.flush())
            .map_err(Error::file("write", path))?;
        Self::at(path)
    }

    /// The tar file and its size in bytes.
    pub fn open(&self) -> Result<(File, u64), Error> {
        let file = File::open(&self.path).map_err(Error::file("read", &self.path))?;
        let size = file.metadata().map_err(Error::file("read", &self.path))?.len();
        Ok((file, size))
    }

    /// Removes the tar file, once it is in an archive.
    pub fn remove(self) -> Result<(), Error> {
        fs::remove_file(&self.path).map_err(Error::file("remove", &self.path))
    }
}

/// An entry of root's, of no hour.
pub fn header(kind: EntryType, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    header
}

fn add_children(builder: &mut Builder<impl Write>, folder: &Path, inside: &Path) -> io::Result<()> {
    let mut children: Vec<_> = fs::read_dir(folder)?.collect::<io::Result<_>>()?;
    children.sort_by_key(fs::DirEntry::file_name);
    for child in children {
        let (path, inside) = (child.path(), inside.join(child.file_name()));
        let kind = child.file_type()?;
        let executable = child.metadata()?.permissions().mode() & 0o100 != 0;
        if kind.is_dir() {
            builder.append_data(&mut header(EntryType::Directory, 0o755), &inside, io::empty())?;
            add_children(builder, &path, &inside)?;
        } else if kind.is_symlink() {
            builder.append_link(&mut header(EntryType::Symlink, 0o777), &inside, fs::read_link(&path)?)?;
        } else {
            let file = File::open(&path)?;
            let mut header = header(EntryType::Regular, if executable { 0o755 } else { 0o644 });
            header.set_size(file.metadata()?.len());
            builder.append_data(&mut header, &inside, file)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_same_files_make_the_same_layer() {
        let folder = std::env::temp_dir().join(format!("strata-layer-{}", std::process::id()));
        let long = format!("usr/{}/{}", "a".repeat(90), "b".repeat(90));
        let mut digests = Vec::new();
        for (copy, names) in [("first", ["usr/z", &long]), ("second", [&long, "usr/z"])] {
            let tree = folder.join(copy);
            for name in names {
                fs::create_dir_all(tree.join(name).parent().unwrap()).unwrap();
                fs::write(tree.join(name), name).unwrap();
            }
            fs::set_permissions(tree.join("usr/z"), fs::Permissions::from_mode(0o700)).unwrap();
            symlink("usr/z", tree.join("link")).unwrap();
            digests.push(Layer::of_folder(&folder.join(format!("{copy}.tar")), &tree).unwrap().digest);
        }
        assert_eq!(digests[0], digests[1]);

        let mut archive = tar::Archive::new(File::open(folder.join("first.tar")).unwrap());
        let mut seen = Vec::new();
        for entry in archive.entries().unwrap() {
            let entry = entry.unwrap();
            let header = entry.header();
            assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, 0));
            seen.push((entry.path().unwrap().display().to_string(), header.mode().unwrap()));
        }
        let parent = Path::new(&long).parent().unwrap().display().to_string();
        let expected = [("link", 0o777), ("usr", 0o755), (&parent, 0o755), (&long, 0o644), ("usr/z", 0o755)];
        assert_eq!(seen, expected.map(|(name, mode)| (name.to_owned(), mode)));

        fs::write(folder.join("first/usr/z"), "changed").unwrap();
        let changed = Layer::of_folder(&folder.join("first.tar"), &folder.join("first")).unwrap();
        assert_ne!(changed.digest, digests[0]);
        fs::remove_dir_all(folder).unwrap();
    }
}
