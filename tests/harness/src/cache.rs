//! One entry of the cache: a folder or a file that is made once, under a lock that
//! others wait for, into a temporary name that is renamed into place. So two at once
//! neither break nor make it twice, and what was interrupted is never taken for
//! finished. What the entries are is none of its business.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use crate::Error;
use crate::progress::say;

/// Makes `target` by `make`, which is given the temporary path, unless it is there.
/// Makers of entries with one `lock` wait for each other; `what` is named meanwhile.
pub(crate) fn make(
    target: &Path,
    lock: &str,
    what: &str,
    make: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<(), Error> {
    if target.exists() {
        return Ok(());
    }
    let cache = target.parent().unwrap_or(target);
    fs::create_dir_all(cache).map_err(Error::file("create", cache))?;
    let path = cache.join(lock);
    let lock = File::create(&path).map_err(Error::file("create", &path))?;
    if lock.try_lock().is_err() {
        say(&format!("{what}: waiting for another build\n"));
        lock.lock().map_err(Error::file("lock", &path))?;
    }
    if target.exists() {
        return Ok(());
    }
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".partial-");
    clear(cache, &name)?;
    name.push(std::process::id().to_string());
    let partial = cache.join(name);
    let result = make(&partial).and_then(|()| fs::rename(&partial, target).map_err(Error::file("rename", &partial)));
    if result.is_err() {
        remove(&partial)?;
    }
    result
}

/// Removes what an earlier process left when it was killed: whoever holds the lock
/// is the only one who makes this entry.
fn clear(cache: &Path, prefix: &OsString) -> Result<(), Error> {
    for entry in fs::read_dir(cache).map_err(Error::file("read", cache))?.filter_map(Result::ok) {
        if entry.file_name().as_encoded_bytes().starts_with(prefix.as_encoded_bytes()) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes the entries of a series, that is, of one name with different keys, which
/// were made longer ago than this. Others may still use younger ones.
pub(crate) fn forget(cache: &Path, series: &str, kept: Duration) -> Result<(), Error> {
    for entry in fs::read_dir(cache).map_err(Error::file("read", cache))?.filter_map(Result::ok) {
        let name = entry.file_name();
        let Some(key) = name.to_str().and_then(|name| name.strip_prefix(series)) else { continue };
        let age = entry.metadata().and_then(|found| found.modified()).ok().and_then(|made| made.elapsed().ok());
        if key.bytes().all(|byte| byte.is_ascii_hexdigit()) && age.is_some_and(|age| age > kept) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), Error> {
    let removed = match fs::symlink_metadata(path) {
        Err(_) => Ok(()),
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    removed.map_err(Error::file("remove", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_is_made_once_and_failures_leave_nothing() {
        let folder = std::env::temp_dir().join(format!("strata-cache-{}", std::process::id()));
        let target = folder.join("entry-1.tar");
        let fail = |partial: &Path| {
            fs::write(partial, "half").unwrap();
            Err(Error::Supervisor("a failure of the test".into()))
        };
        make(&target, "lock", "an entry", fail).unwrap_err();
        assert!(!target.exists());
        fs::create_dir(folder.join("entry-1.tar.partial-1")).unwrap();
        fs::write(folder.join("entry-12.tar.partial-1"), "of another entry").unwrap();
        for text in ["first", "second"] {
            make(&target, "lock", "an entry", |partial| {
                fs::write(partial, text).unwrap();
                Ok(())
            })
            .unwrap();
        }
        assert_eq!(fs::read_to_string(&target).unwrap(), "first");
        let mut left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["entry-1.tar", "entry-12.tar.partial-1", "lock"]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn old_entries_of_the_same_series_are_forgotten() {
        let folder = std::env::temp_dir().join(format!("strata-forget-{}", std::process::id()));
        for name in ["image-a-0123abcdef01", "image-a-b-0123abcdef01", "image-a-0123abcdef02.partial-7", "other"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        forget(&folder, "image-a-", Duration::from_secs(3600)).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 4);
        forget(&folder, "image-a-", Duration::ZERO).unwrap();
        assert!(!folder.join("image-a-0123abcdef01").exists());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 3);
        fs::remove_dir_all(folder).unwrap();
    }
}
