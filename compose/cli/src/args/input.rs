//! Component files on the command line, and their names.

use std::path::{Path, PathBuf};

/// A component file, and the name of the component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Input {
    /// The name in `NAME=FILE`; `None` for the stem of the file.
    name: Option<String>,
    pub(crate) path: PathBuf,
}

impl Input {
    /// The name of the component.
    pub(crate) fn name(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        let stem = self.path.file_stem().unwrap_or(self.path.as_os_str());
        stem.to_string_lossy().into_owned()
    }

    /// Whether `text`, a name or a path, refers to this file.
    pub(crate) fn is_named(&self, text: &str) -> bool {
        self.name() == text || self.path == Path::new(text)
    }
}

/// `FILE`, or `NAME=FILE`.
pub(super) fn input(text: &str) -> Result<Input, String> {
    let (name, path) = match text.split_once('=') {
        // With a slash before `=`, the text is a path that contains `=`.
        Some((name, _)) if name.contains('/') => (None, text),
        Some((name, path)) => (Some(name), path),
        None => (None, text),
    };
    if name == Some("") || path.is_empty() {
        return Err("expected `FILE` or `NAME=FILE`".to_owned());
    }
    Ok(Input {
        name: name.map(str::to_owned),
        path: PathBuf::from(path),
    })
}

/// `NAME=FILE`, with a required name.
pub(super) fn named_input(text: &str) -> Result<Input, String> {
    match input(text) {
        Ok(input) if input.name.is_some() => Ok(input),
        _ => Err("expected `NAME=FILE`".to_owned()),
    }
}

/// `K=V`; the value may be empty.
pub(super) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some(("", _)) => Err("expected a name before `=`, as in `K=V`".to_owned()),
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err("expected `K=V`".to_owned()),
    }
}

/// `INTERFACE=FILE`.
pub(super) fn preference(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((interface, file)) if !interface.is_empty() && !file.is_empty() => {
            Ok((interface.to_owned(), file.to_owned()))
        }
        _ => Err("expected `INTERFACE=FILE`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_contain_an_equals_sign_and_may_be_empty() {
        assert_eq!(variable("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert_eq!(variable("A="), Ok(("A".into(), String::new())));
    }

    #[test]
    fn the_name_of_an_input_defaults_to_the_stem_of_the_file() {
        let name = |text| input(text).expect("an input").name();
        assert_eq!(name("parts/cipher.wasm"), "cipher");
        assert_eq!(name("inner=parts/cipher.wasm"), "inner");
        assert_eq!(name("./a=b.wasm"), "a=b");
        assert!(input("=a.wasm").is_err());
        assert!(named_input("a.wasm").is_err());
    }

    #[test]
    fn is_named_matches_the_name_or_the_path() {
        let part = input("inner=parts/cipher.wasm").expect("an input");
        assert!(part.is_named("inner"));
        assert!(part.is_named("parts/cipher.wasm"));
        assert!(!part.is_named("cipher"));
    }
}
