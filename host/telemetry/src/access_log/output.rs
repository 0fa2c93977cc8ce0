//! Where lines go: a file, or standard output.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use super::Destination;
use crate::server_log::count_lines;

/// An open file that lines go to.
pub(super) struct Output {
    destination: Destination,
    file: File,
    /// Whether the last line is there only in part.
    is_torn: bool,
    /// Whether the last lines were lost.
    is_failing: bool,
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

    /// Writes whole lines. Returns how many of them are lost; what is wrong is logged when it
    /// begins and when it ends.
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
        // One that was written in part is lost as well: what is left of it is not written.
        count_lines(left)
    }

    /// Writes `lines`, of which it leaves what is not written.
    fn try_write(&mut self, lines: &mut &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.write_some(b"\n")?;
            self.is_torn = false;
        }
        while !lines.is_empty() {
            let written = self.write_some(lines)?;
            self.is_torn = lines[..written].last() != Some(&b'\n');
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

fn open(destination: &Destination) -> io::Result<File> {
    match destination {
        // Without the buffer of `io::stdout`, which does not report how much it has written.
        Destination::Stdout => Ok(io::stdout().as_fd().try_clone_to_owned()?.into()),
        Destination::File(path) => {
            // It says who was here.
            let mut options = OpenOptions::new();
            options.append(true).create(true).mode(0o640);
            // A pipe would be waited for until another process reads it.
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
    fn after_the_file_was_renamed_a_new_one_is_opened() {
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
    fn what_cannot_be_opened_anew_goes_on_in_the_old_file() {
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
    fn a_pipe_that_no_process_reads_is_refused_and_not_waited_for() {
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
    fn what_cannot_be_written_is_lost() {
        let mut output = Output::open(&Destination::File("/dev/full".into())).unwrap();
        assert_eq!(output.write(b"one\n"), 1);
        assert!(!output.is_torn);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_lines_that_are_not_written_whole_count_as_lost() {
        let (mut reader, writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        let mut output = Output {
            destination: Destination::Stdout,
            file: File::from(OwnedFd::from(writer)),
            is_torn: false,
            is_failing: false,
        };
        // More than fits into a pipe (64 KiB), of which none is read.
        let lines = b"0123456789abcde\n".repeat(10_000);
        let lost = output.write(&lines);
        drop(output);
        let mut text = String::new();
        io::Read::read_to_string(&mut reader, &mut text).unwrap();
        let written = text.matches('\n').count() as u64;
        assert!(written > 0, "the pipe takes some lines");
        assert_eq!(written + lost, 10_000);
    }
}
