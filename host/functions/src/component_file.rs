//! Reading a component from its file, which somebody may be writing at the moment.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open, openat};

/// Why a component cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system gives no bytes.
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// It is a folder, a pipe or a device.
    #[error("`{}` is no file", .0.display())]
    NoFile(PathBuf),
    /// It has more bytes than it may.
    #[error(
        "`{}` has more than {max_bytes} bytes; allow more with `--max-component-size`",
        path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// How many there may be.
        max_bytes: u64,
    },
    /// It is no image layout, or does not have what is asked for.
    #[error("the image layout `{}` has no component for this: {why}", folder.display())]
    Layout {
        /// The folder of the layout.
        folder: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It is a link that leads elsewhere.
    #[error(
        "`{}` is a link to `{}`, which is outside of the folder of functions; put the file itself \
         there",
        path.display(), target.display()
    )]
    Outside {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
}

/// Reads the file at `path` once, as a whole. If it stands in a `folder` into which others
/// put files, links must not lead out of there; within it they may, as in a volume of
/// Kubernetes (`app.wasm -> ..data/app.wasm`, `..data -> ..2025_01_01`).
///
/// # Errors
///
/// Fails if it is something else than a file of at most `max_bytes` bytes.
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
        return Err(ReadError::NoFile(path.to_owned()));
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

/// Without waiting: a pipe that nobody writes to would hold this up for ever.
const FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

fn open_file(path: &Path) -> io::Result<File> {
    Ok(open(path, FLAGS, Mode::empty())?.into())
}

/// Opens the file to which `path` leads, if that is below `folder`.
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

/// Opens the file at the path `below` a folder, where no part of that path is a link: one may
/// have become a link since the path was found.
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
    fn only_files_of_the_folder_are_read() {
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
        assert!(matches!(error, ReadError::NoFile(_)), "{error}");
        let error = read("absent", 10).unwrap_err();
        assert!(matches!(error, ReadError::Unreadable { .. }), "{error}");
    }

    #[test]
    fn no_link_is_followed_on_the_way_to_a_file_whose_path_is_known() {
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
    fn a_pipe_holds_nobody_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe.wasm");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
        let error = read(&path, None, 10).unwrap_err();
        assert!(matches!(error, ReadError::NoFile(_)), "{error}");
    }
}
