//! Output of the access log: a file or standard output.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use super::Destination;
use crate::server_log::count_lines;

/// The open file of the access log.
pub(super) struct Output {
    destination: Destination,
    file: File,
    /// Whether the file ends with a partial line.
    has_partial_line: bool,
    /// Whether the last write failed.
    is_failing: bool,
}

impl Output {
    pub(super) fn open(destination: &Destination) -> io::Result<Self> {
        Ok(Self {
            file: open(destination)?,
            destination: destination.clone(),
            has_partial_line: false,
            is_failing: false,
        })
    }

    /// Writes whole lines. Returns the number of lost lines; the first failure and the recovery
    /// are logged.
    pub(super) fn write(&mut self, lines: &[u8]) -> u64 {
        if lines.is_empty() {
            return 0;
        }
        let mut left = lines;
        let result = self.try_write(&mut left);
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
        // A partial line counts as lost: its rest is never written.
        count_lines(left)
    }

    /// Writes `lines`, and leaves the unwritten rest in it.
    fn try_write(&mut self, lines: &mut &[u8]) -> io::Result<()> {
        if self.has_partial_line {
            self.write_some(b"\n")?;
            self.has_partial_line = false;
        }
        while !lines.is_empty() {
            let written = self.write_some(lines)?;
            self.has_partial_line = lines[..written].last() != Some(&b'\n');
            *lines = &lines[written..];
        }
        Ok(())
    }

    /// Writes at least one byte.
    fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.file.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Reopens the file by its path.
    pub(super) fn reopen(&mut self) {
        match open(&self.destination) {
            Ok(file) => {
                self.file = file;
                self.has_partial_line = false;
                tracing::info!("the access log was reopened");
            }
            Err(error) => {
                tracing::error!("the access log cannot be reopened, keeping the old file: {error}");
            }
        }
    }
}

fn open(destination: &Destination) -> io::Result<File> {
    match destination {
        // Unbuffered: `io::stdout` does not report the number of written bytes.
        Destination::Stdout => Ok(io::stdout().as_fd().try_clone_to_owned()?.into()),
        Destination::File(path) => {
            // The lines hold peers and principals: other users must not read them.
            let mut options = OpenOptions::new();
            options.append(true).create(true).mode(0o640);
            // Without it, opening a pipe blocks until another process reads it.
            options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
            let file = options.open(path).map_err(|error| {
                if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) {
                    io::Error::other("no process reads this pipe; start its reader first")
                } else {
                    error
                }
            })?;
            let flags = fcntl_getfl(&file)?;
            fcntl_setfl(&file, flags.difference(OFlags::NONBLOCK))?;
            Ok(file)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::os::fd::OwnedFd;

    use super::*;

    #[test]
    fn reopen_opens_a_new_file_after_a_rename() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let old = folder.path().join("access.log.1");
        let mut output = Output::open(&Destination::File(path.clone())).unwrap();
        assert_eq!(output.write(b"one\n"), 0);
        fs::rename(&path, &old).unwrap();
        assert_eq!(output.write(b"two\n"), 0);
        output.reopen();
        assert_eq!(output.write(b"three\n"), 0);
        assert_eq!(fs::read_to_string(&old).unwrap(), "one\ntwo\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
    }

    #[test]
    fn a_failed_reopen_keeps_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let mut output = Output::open(&Destination::File(inner.join("access.log"))).unwrap();
        let moved = folder.path().join("moved");
        fs::rename(&inner, &moved).unwrap();
        output.reopen();
        assert_eq!(output.write(b"one\n"), 0);
        assert_eq!(
            fs::read_to_string(moved.join("access.log")).unwrap(),
            "one\n"
        );
    }

    #[test]
    fn open_rejects_a_pipe_without_a_reader_instead_of_blocking() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let destination = Destination::File(path.clone());
        let error = Output::open(&destination).err().unwrap();
        assert!(error.to_string().contains("no process reads"), "{error}");
        let mut options = OpenOptions::new();
        options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
        let mut reader = options.read(true).open(&path).unwrap();
        let mut output = Output::open(&destination).unwrap();
        assert_eq!(output.write(b"one\n"), 0);
        let mut line = [0; 4];
        reader.read_exact(&mut line).unwrap();
        assert_eq!(&line, b"one\n");
        drop(reader);
        assert_eq!(output.write(b"two\n"), 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_line_on_a_full_disk_counts_as_lost() {
        let mut output = Output::open(&Destination::File("/dev/full".into())).unwrap();
        assert_eq!(output.write(b"one\n"), 1);
        assert!(!output.has_partial_line);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_partially_written_line_counts_as_lost() {
        let (mut reader, writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        let mut output = Output {
            destination: Destination::Stdout,
            file: File::from(OwnedFd::from(writer)),
            has_partial_line: false,
            is_failing: false,
        };
        // More than the capacity of a pipe (64 KiB), which has no active reader.
        let lines = b"0123456789abcde\n".repeat(10_000);
        let lost = output.write(&lines);
        drop(output);
        let mut text = String::new();
        io::Read::read_to_string(&mut reader, &mut text).unwrap();
        let written = text.matches('\n').count() as u64;
        assert!(written > 0, "the pipe accepts some lines");
        assert_eq!(written + lost, 10_000);
    }
}
