//! Audit quota of one request.

use super::audit_log::Error;

/// Limits of the entries that the guest of one request may append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Number of entries, including rejected ones.
    pub entries: u32,
    /// Size of their strings together, in bytes.
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
    /// Takes an entry with strings of `bytes` bytes from the quota.
    ///
    /// # Errors
    ///
    /// Returns the error for the guest if the quota is exceeded.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), Error> {
        let entries = self.entries.checked_sub(1).ok_or_else(|| {
            Error::QuotaExceeded("the request has used up its quota of entries".to_owned())
        })?;
        let bytes = self.bytes.checked_sub(bytes as u64).ok_or_else(|| {
            let left = self.bytes;
            Error::QuotaExceeded(format!(
                "entry of {bytes} bytes, and the quota of the request has {left} bytes left"
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
    fn audit_max_entries_limits_the_entries_of_a_request() {
        let mut quota = Quota {
            entries: 2,
            bytes: 100,
        };
        assert!(quota.take(0).is_ok());
        assert!(quota.take(0).is_ok());
        assert!(matches!(quota.take(0), Err(Error::QuotaExceeded(_))));
    }

    #[test]
    fn audit_max_bytes_limits_the_bytes_of_a_request() {
        let mut quota = Quota {
            entries: 100,
            bytes: 10,
        };
        assert!(quota.take(7).is_ok());
        assert!(matches!(quota.take(4), Err(Error::QuotaExceeded(_))));
        assert!(quota.take(3).is_ok());
    }
}
