//! What a guest is told by name.

use std::fmt;

/// A variable of a guest. Its value may be a secret, so that it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub key: String,
    /// What the guest reads.
    pub value: String,
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=…", self.key)
    }
}

impl From<Variable> for (String, String) {
    fn from(Variable { key, value }: Variable) -> Self {
        (key, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_shown_without_its_value() {
        let variable = Variable {
            key: "TOKEN".to_owned(),
            value: "hunter2".to_owned(),
        };
        assert_eq!(format!("{variable:?}"), "TOKEN=…");
    }
}
