//! The variables of a guest, from flags and from files of flags.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use engine::Variable;
use permissions::check_not_writable_by_others;

use super::guests::GuestFlags;
use super::{text_file, values};

/// Errors of reading variables. They do not contain values.
#[derive(Debug, thiserror::Error)]
pub enum VariableError {
    /// A file cannot be read.
    #[error("cannot read `{}` of {flag}", path.display())]
    Unreadable {
        /// The flag.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A line is not a variable.
    #[error("{}:{line}: {why}", path.display())]
    Line {
        /// The file of --env-file.
        path: PathBuf,
        /// The line number, from 1.
        line: usize,
        /// The expected format.
        why: String,
    },
    /// A secret contains a NUL character.
    #[error("`{}`, the value of `{key}`, contains a NUL character", path.display())]
    Secret {
        /// The variable.
        key: String,
        /// The file of --env-secret.
        path: PathBuf,
    },
}

impl GuestFlags {
    /// The environment variables, unique and sorted by name. --env takes precedence over
    /// --env-secret, and that over --env-file; of duplicates, the last one applies.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be read or parsed.
    pub fn environment(&self) -> Result<Vec<Variable>, VariableError> {
        let mut variables = BTreeMap::new();
        for path in &self.env_file {
            let text = read("--env-file", path)?;
            let text = text.trim_start_matches('\u{feff}');
            for (index, line) in text.lines().enumerate() {
                let variable = parse(line).map_err(|why| VariableError::Line {
                    path: path.clone(),
                    line: index + 1,
                    why,
                })?;
                variables.extend(variable.map(<(String, String)>::from));
            }
        }
        for (key, path) in &self.env_secret {
            variables.insert(key.clone(), secret(key, path)?);
        }
        variables.extend(self.env.iter().cloned().map(<(String, String)>::from));
        Ok(sorted(variables))
    }

    /// The variables of `wasi:config`, unique and sorted by name; of duplicates, the last one
    /// applies.
    #[must_use]
    pub fn config(&self) -> Vec<Variable> {
        let variables = self.config_var.iter().cloned();
        sorted(variables.map(Into::into).collect())
    }
}

/// Parses one line of an --env-file, which may be empty or a comment.
fn parse(line: &str) -> Result<Option<Variable>, String> {
    let line = line.trim_start();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let variable = values::variable(line)?;
    if variable.key.contains(char::is_whitespace) {
        // `export A=b`, or `A = b`.
        return Err("space in the name before `=`".to_owned());
    }
    Ok(Some(variable))
}

/// The secret in a file, without the trailing line feed of editors.
fn secret(key: &str, path: &Path) -> Result<String, VariableError> {
    const FLAG: &str = "--env-secret";

    check_not_writable_by_others(path).map_err(|source| unreadable(FLAG, path, source))?;
    let mut text = read(FLAG, path)?;
    if text.contains('\0') {
        return Err(VariableError::Secret {
            key: key.to_owned(),
            path: path.to_owned(),
        });
    }
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

fn read(flag: &'static str, path: &Path) -> Result<String, VariableError> {
    text_file::read(path).map_err(|source| unreadable(flag, path, source))
}

fn unreadable(flag: &'static str, path: &Path, source: io::Error) -> VariableError {
    VariableError::Unreadable {
        flag,
        path: path.to_owned(),
        source,
    }
}

fn sorted(variables: BTreeMap<String, String>) -> Vec<Variable> {
    let variable = |(key, value)| Variable { key, value };
    variables.into_iter().map(variable).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::super::serve;
    use super::*;

    fn environment(folder: &TempDir, flags: &[&str]) -> Result<Vec<String>, VariableError> {
        let folder = folder.path().to_str().unwrap();
        let flags: Vec<_> = flags
            .iter()
            .map(|flag| flag.replace("DIR", folder))
            .collect();
        let flags: Vec<_> = flags.iter().map(String::as_str).collect();
        let environment = serve(&flags).unwrap().guest.environment()?;
        let shown = |Variable { key, value }| format!("{key}={value}");
        Ok(environment.into_iter().map(shown).collect())
    }

    fn folder(files: &[(&str, &str)]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn env_takes_precedence_over_env_secret_and_env_file() {
        let folder = folder(&[
            ("1", "A=file\nB=file\nC=file\nD=file\n"),
            ("2", "D=later file\n"),
            ("secret", "secret\n"),
        ]);
        let flags = [
            "--env=A=flag",
            "--env=A=later flag",
            "--env-secret=A=DIR/secret",
            "--env-secret=B=DIR/secret",
            "--env-file=DIR/1",
            "--env-file=DIR/2",
        ];
        assert_eq!(
            environment(&folder, &flags).unwrap(),
            ["A=later flag", "B=secret", "C=file", "D=later file"]
        );
    }

    #[test]
    fn env_file_has_comments_and_verbatim_values() {
        let text = "# comment\n\n  \n  # another\nA= b=\"c\" # d \r\nB=\n";
        let folder = folder(&[("env", text)]);
        let variables = environment(&folder, &["--env-file=DIR/env"]).unwrap();
        assert_eq!(variables, ["A= b=\"c\" # d ", "B="]);
    }

    #[test]
    fn env_file_errors_have_the_line_number_but_not_the_line() {
        for line in ["hunter2", "=hunter2", "export A=hunter2", "A=hunter2\0"] {
            let folder = folder(&[("env", &format!("A=b\n\n{line}\n"))]);
            let error = environment(&folder, &["--env-file=DIR/env"]).unwrap_err();
            let error = error.to_string();
            assert!(error.contains("env:3: "), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn env_secret_loses_one_line_feed() {
        for (text, value) in [
            ("a\n", "A=a"),
            ("a\r\n", "A=a"),
            ("a\n\n", "A=a\n"),
            ("", "A="),
        ] {
            let folder = folder(&[("secret", text)]);
            let variables = environment(&folder, &["--env-secret=A=DIR/secret"]).unwrap();
            assert_eq!(variables, [value]);
        }
    }

    #[test]
    fn env_secret_rejects_a_file_that_others_may_write() {
        let folder = folder(&[("secret", "a")]);
        let path = folder.path().join("secret");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        std::fs::set_permissions(path, mode).unwrap();
        let error = environment(&folder, &["--env-secret=A=DIR/secret"]).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("chmod go-w"), "{cause}");
    }

    #[test]
    fn env_secret_errors_name_the_file_or_the_variable() {
        let folder = folder(&[("nul", "a\0b")]);
        for (flag, part) in [("A=DIR/missing", "DIR/missing"), ("A=DIR/nul", "`A`")] {
            let error = environment(&folder, &[&format!("--env-secret={flag}")]).unwrap_err();
            let part = part.replace("DIR", folder.path().to_str().unwrap());
            assert!(error.to_string().contains(&part), "{error}");
        }
    }

    #[test]
    fn debug_output_of_flags_hides_values_of_variables() {
        let flags = serve(&["--env=A=hunter2", "--config-var=B=hunter2"]).unwrap();
        let shown = format!("{flags:?}");
        assert!(
            shown.contains("A=…") && !shown.contains("hunter2"),
            "{shown}"
        );
    }
}
