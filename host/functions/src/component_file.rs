//! Reading of component files, which other programs may be writing.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open, openat};

/// Why a component cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The path leads to a folder, a pipe or a device.
    #[error("`{}` is not a file", .0.display())]
    NotAFile(PathBuf),
    /// The file exceeds the limit.
    #[error(
        "`{}` has more than {max_bytes} bytes; allow more with `--max-component-size`",
        path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        max_bytes: u64,
    },
    /// The image layout is invalid, or does not have the image.
    #[error("no component in the image layout `{}`: {why}", folder.display())]
    Layout {
        /// The folder of the layout.
        folder: PathBuf,
        /// The reason.
        why: String,
    },
    /// The file is a link that leaves the folder of functions.
    #[error(
        "`{}` is a link to `{}`, which is outside of the folder of functions; copy the file \
         into the folder",
        path.display(), target.display()
    )]
    Outside {
        /// The link.
        path: PathBuf,
        /// Its target.
        target: PathBuf,
    },
}

/// Reads the file at `path` once, as a whole. With a `folder`, links must not leave it; within it
/// they may, as in a Kubernetes volume (`app.wasm -> ..data/app.wasm`, `..data -> ..2025_01_01`).
///
/// # Errors
///
/// Fails unless it is a file of at most `max_bytes` bytes.
pub(super) fn read(
    path: &Path,
    folder: Option<&Path>,
    max_bytes: u64,
) -> Result<Vec<u8>, ReadError> {
    let unreadable = |source| ReadError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = match folder {
        Some(folder) => open_within(path, folder)?,
        None => open_file(path).map_err(unreadable)?,
    };
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(ReadError::NotAFile(path.to_owned()));
    }
    let too_large = || ReadError::TooLarge {
        path: path.to_owned(),
        max_bytes,
    };
    if metadata.len() > max_bytes {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    let mut limited = file.take(max_bytes.saturating_add(1));
    limited.read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > max_bytes {
        return Err(too_large());
    }
    Ok(bytes)
}

/// Non-blocking: opening a pipe without a writer would block forever.
const FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

fn open_file(path: &Path) -> io::Result<File> {
    Ok(open(path, FLAGS, Mode::empty())?.into())
}

/// Opens the target of `path`, if it is below `folder`.
fn open_within(path: &Path, folder: &Path) -> Result<File, ReadError> {
    let unreadable = |source| ReadError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let target = path.canonicalize().map_err(unreadable)?;
    let folder = folder.canonicalize().map_err(unreadable)?;
    let Ok(below) = target.strip_prefix(&folder) else {
        return Err(ReadError::Outside {
            path: path.to_owned(),
            target,
        });
    };
    open_below(&folder, below).map_err(unreadable)
}

/// Opens the file at the path `below` a folder without following links: a part of the path may
/// have become a link since it was resolved.
fn open_below(folder: &Path, below: &Path) -> io::Result<File> {
    let mut opened: File = open(folder, FLAGS | OFlags::DIRECTORY, Mode::empty())?.into();
    let mut names = below.iter().peekable();
    while let Some(name) = names.next() {
        let mut flags = FLAGS | OFlags::NOFOLLOW;
        if names.peek().is_some() {
            flags |= OFlags::DIRECTORY;
        }
        opened = openat(&opened, name, flags, Mode::empty())?.into();
    }
    Ok(opened)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_out_of_the_folder_are_rejected() {
        let outside = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (secret, file) = (outside.path().join("x"), folder.path().join("a"));
        fs::write(&secret, "secret").unwrap();
        fs::write(&file, "abc").unwrap();
        let read = |name: &str, max| read(&folder.path().join(name), Some(folder.path()), max);
        assert_eq!(read("a", 3).unwrap(), b"abc");

        for (link, target) in [
            ("inside", "a"),
            // As Kubernetes mounts them.
            ("..data", "..v1"),
            ("app", "..data/app"),
        ] {
            symlink(target, folder.path().join(link)).unwrap();
        }
        assert_eq!(read("inside", 3).unwrap(), b"abc");
        fs::create_dir(folder.path().join("..v1")).unwrap();
        fs::write(folder.path().join("..v1/app"), "app").unwrap();
        assert_eq!(read("app", 3).unwrap(), b"app");
        symlink(&secret, folder.path().join("outside")).unwrap();
        let error = read("outside", 10).unwrap_err();
        assert!(matches!(error, ReadError::Outside { .. }), "{error}");
        symlink(outside.path(), folder.path().join("away")).unwrap();
        symlink("away/x", folder.path().join("through")).unwrap();
        let error = read("through", 10).unwrap_err();
        assert!(matches!(error, ReadError::Outside { .. }), "{error}");

        let error = read("a", 2).unwrap_err();
        assert!(matches!(error, ReadError::TooLarge { .. }), "{error}");
        fs::create_dir(folder.path().join("below")).unwrap();
        let error = read("below", 10).unwrap_err();
        assert!(matches!(error, ReadError::NotAFile(_)), "{error}");
        let error = read("absent", 10).unwrap_err();
        assert!(matches!(error, ReadError::Unreadable { .. }), "{error}");
    }

    #[test]
    fn open_below_follows_no_links() {
        let outside = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("x"), "secret").unwrap();
        fs::create_dir(folder.path().join("real")).unwrap();
        fs::write(folder.path().join("real/x"), "abc").unwrap();
        symlink(outside.path(), folder.path().join("link")).unwrap();
        symlink("real/x", folder.path().join("x")).unwrap();
        assert!(open_below(folder.path(), Path::new("real/x")).is_ok());
        for link in ["link/x", "x"] {
            assert!(
                open_below(folder.path(), Path::new(link)).is_err(),
                "{link}"
            );
        }
    }

    #[test]
    fn reading_a_pipe_does_not_block() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe.wasm");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
        let error = read(&path, None, 10).unwrap_err();
        assert!(matches!(error, ReadError::NotAFile(_)), "{error}");
    }
}
