//! Layers: tar files with nothing of this machine or this hour in them, so that the
//! same files make the same layer. Everything belongs to root; the order is that of
//! the names. What a layer is for is none of its business.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tar::{Builder, EntryType, Header};

/// Writes what is below a folder, without the folder itself.
pub fn of_folder(out: &mut dyn Write, folder: &Path) -> io::Result<()> {
    let mut builder = Builder::new(out);
    add_children(&mut builder, folder, Path::new(""))?;
    builder.finish()
}

/// Writes one program.
pub fn of_program(out: &mut dyn Write, name: &str, program: &[u8]) -> io::Result<()> {
    let mut header = header(EntryType::Regular, 0o755);
    header.set_size(program.len() as u64);
    let mut builder = Builder::new(out);
    builder.append_data(&mut header, name, program)?;
    builder.finish()
}

/// Writes a layer that is a tar file already.
pub fn of_tar(out: &mut dyn Write, path: &Path) -> io::Result<()> {
    io::copy(&mut File::open(path)?, out).map(drop)
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

    fn layer(tree: &Path) -> Vec<u8> {
        let mut layer = Vec::new();
        of_folder(&mut layer, tree).unwrap();
        layer
    }

    #[test]
    fn the_same_files_make_the_same_layer() {
        let folder = std::env::temp_dir().join(format!("strata-layer-{}", std::process::id()));
        let long = format!("usr/{}/{}", "a".repeat(90), "b".repeat(90));
        let trees = [("first", ["usr/z", &long]), ("second", [&long, "usr/z"])].map(|(copy, names)| {
            let tree = folder.join(copy);
            for name in names {
                fs::create_dir_all(tree.join(name).parent().unwrap()).unwrap();
                fs::write(tree.join(name), name).unwrap();
            }
            fs::set_permissions(tree.join("usr/z"), fs::Permissions::from_mode(0o700)).unwrap();
            symlink("usr/z", tree.join("link")).unwrap();
            tree
        });
        let first = layer(&trees[0]);
        assert!(first == layer(&trees[1]));

        let mut seen = Vec::new();
        for entry in tar::Archive::new(&*first).entries().unwrap() {
            let entry = entry.unwrap();
            let header = entry.header();
            assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, 0));
            seen.push((entry.path().unwrap().display().to_string(), header.mode().unwrap()));
        }
        let parent = Path::new(&long).parent().unwrap().display().to_string();
        let expected = [("link", 0o777), ("usr", 0o755), (&parent, 0o755), (&long, 0o644), ("usr/z", 0o755)];
        assert_eq!(seen, expected.map(|(name, mode)| (name.to_owned(), mode)));

        fs::write(trees[0].join("usr/z"), "changed").unwrap();
        assert!(first != layer(&trees[0]));
        fs::remove_dir_all(folder).unwrap();
    }
}
