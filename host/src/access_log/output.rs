//! Where lines go: a file, or standard output.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

use super::Destination;

/// An open file that lines go to.
pub(super) struct Output {
    destination: Destination,
    file: Sink,
    /// Whether the last line is there only in part.
    is_torn: bool,
    /// Whether the last lines were lost.
    is_failing: bool,
}

enum Sink {
    Stdout,
    File(File),
}

impl Output {
    pub(super) fn open(destination: &Destination) -> io::Result<Self> {
        Ok(Self {
            file: open(destination)?,
            destination: destination.clone(),
            is_torn: false,
            is_failing: false,
        })
    }

    /// Writes whole lines. Returns whether they are written; what is wrong is said when
    /// it begins and when it ends.
    pub(super) fn write(&mut self, lines: &[u8]) -> bool {
        if lines.is_empty() {
            return true;
        }
        let result = self.try_write(lines);
        match &result {
            Ok(()) if self.is_failing => {
                tracing::info!("the access log can be written again");
            }
            Err(error) if !self.is_failing => {
                tracing::error!("the access log cannot be written, its lines are lost: {error}");
            }
            _ => {}
        }
        self.is_failing = result.is_err();
        result.is_ok()
    }

    fn try_write(&mut self, mut lines: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.write_some(b"\n")?;
            self.is_torn = false;
        }
        while !lines.is_empty() {
            let written = self.write_some(lines)?;
            self.is_torn = lines[..written].last() != Some(&b'\n');
            lines = &lines[written..];
        }
        Ok(())
    }

    /// Writes at least one byte.
    fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let written = match &mut self.file {
                Sink::Stdout => {
                    let mut stdout = io::stdout().lock();
                    // All of it: what is left would wait for the next line feed.
                    let written = stdout.write_all(bytes).map(|()| bytes.len());
                    written.and_then(|bytes| stdout.flush().map(|()| bytes))
                }
                Sink::File(file) => file.write(bytes),
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Opens the file anew by its name.
    pub(super) fn reopen(&mut self) {
        match open(&self.destination) {
            Ok(file) => {
                self.file = file;
                self.is_torn = false;
                tracing::info!("the access log was opened anew");
            }
            Err(error) => {
                tracing::error!(
                    "the access log cannot be opened anew, the old file goes on: {error}"
                );
            }
        }
    }
}

fn open(destination: &Destination) -> io::Result<Sink> {
    match destination {
        Destination::Stdout => Ok(Sink::Stdout),
        Destination::File(path) => {
            // It says who was here.
            let mut options = OpenOptions::new();
            options.append(true).create(true).mode(0o640);
            options.open(path).map(Sink::File)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn after_the_file_was_renamed_a_new_one_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let old = folder.path().join("access.log.1");
        let mut output = Output::open(&Destination::File(path.clone())).unwrap();
        assert!(output.write(b"one\n"));
        fs::rename(&path, &old).unwrap();
        assert!(output.write(b"two\n"));
        output.reopen();
        assert!(output.write(b"three\n"));
        assert_eq!(fs::read_to_string(&old).unwrap(), "one\ntwo\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
    }

    #[test]
    fn what_cannot_be_opened_anew_goes_on_in_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let mut output = Output::open(&Destination::File(inner.join("access.log"))).unwrap();
        let moved = folder.path().join("moved");
        fs::rename(&inner, &moved).unwrap();
        output.reopen();
        assert!(output.write(b"one\n"));
        assert_eq!(
            fs::read_to_string(moved.join("access.log")).unwrap(),
            "one\n"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_cannot_be_written_is_lost() {
        let mut output = Output::open(&Destination::File("/dev/full".into())).unwrap();
        assert!(!output.write(b"one\n"));
        assert!(!output.is_torn);
    }
}
