//! Variables of a guest.

use std::fmt;

/// A variable of a guest. Debug output omits the value, which may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub key: String,
    /// Its value.
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
    fn debug_output_of_a_variable_omits_its_value() {
        let variable = Variable {
            key: "TOKEN".to_owned(),
            value: "hunter2".to_owned(),
        };
        assert_eq!(format!("{variable:?}"), "TOKEN=…");
    }
}
