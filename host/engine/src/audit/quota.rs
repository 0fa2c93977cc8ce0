//! How much one request may write.

use super::audit_log::Error;

/// The most that the guest of one request may append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How many entries, including those that are refused.
    pub entries: u32,
    /// How many bytes their strings have together.
    pub bytes: u64,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            entries: 100,
            bytes: 64 * 1024,
        }
    }
}

impl Quota {
    /// Takes an entry with strings of so many bytes off what is left.
    ///
    /// # Errors
    ///
    /// Returns the error for the guest if that is too much.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), Error> {
        let entries = self.entries.checked_sub(1).ok_or_else(|| {
            Error::QuotaExceeded("this request has appended all entries that it may".to_owned())
        })?;
        let bytes = self.bytes.checked_sub(bytes as u64).ok_or_else(|| {
            let left = self.bytes;
            Error::QuotaExceeded(format!(
                "{bytes} bytes, and this request may append {left} more"
            ))
        })?;
        *self = Self { entries, bytes };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_cannot_append_more_entries_than_allowed() {
        let mut quota = Quota {
            entries: 2,
            bytes: 100,
        };
        assert!(quota.take(0).is_ok());
        assert!(quota.take(0).is_ok());
        assert!(matches!(quota.take(0), Err(Error::QuotaExceeded(_))));
    }

    #[test]
    fn a_request_cannot_append_more_bytes_than_allowed() {
        let mut quota = Quota {
            entries: 100,
            bytes: 10,
        };
        assert!(quota.take(7).is_ok());
        assert!(matches!(quota.take(4), Err(Error::QuotaExceeded(_))));
        assert!(quota.take(3).is_ok());
    }
}
