//! Files that a server reads or writes by itself: with a pipe in the place of one, it would block
//! until another process opens the pipe.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// Opens the file at `path` as `options` say.
///
/// # Errors
///
/// Fails if that is not possible, or if it is not a regular file. Never waits for another
/// process.
pub fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let check = |metadata: &Metadata| {
        if metadata.is_file() {
            Ok(())
        } else if metadata.is_dir() {
            Err(io::ErrorKind::IsADirectory.into())
        } else {
            Err(io::Error::other("it is not a regular file"))
        }
    };
    if let Ok(metadata) = std::fs::metadata(path) {
        check(&metadata)?;
    }
    // It may be exchanged in between.
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;

        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    let file = options.open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// Reads the text of the file at `path`.
///
/// # Errors
///
/// As [`open`], and if it is not UTF-8.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    open(path, OpenOptions::new().read(true))?.read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let error = read_to_string(&path).unwrap_err();
        assert!(error.to_string().contains("not a regular file"), "{error}");
        let error = open(&path, OpenOptions::new().append(true)).unwrap_err();
        assert!(error.to_string().contains("not a regular file"), "{error}");
        let error = open(folder.path(), OpenOptions::new().read(true)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
    }
}
