//! Folders of functions, for servers of many.
//!
//! - [`cold`]: their first start.
//! - this file: the folders.

pub(crate) mod cold;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::composition::numbered;
use crate::servers::programs::scratch;

/// A folder in which functions are, and what a server keeps of them. It is removed with
/// this value.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// An empty one, in the place of what a run before may have left there.
    pub(crate) fn new(name: &str) -> Result<Self> {
        let path = std::path::absolute(scratch().join(name))?;
        if path.exists() {
            fs::remove_dir_all(&path)
                .with_context(|| format!("cannot remove `{}`", path.display()))?;
        }
        fs::create_dir_all(&path).with_context(|| format!("cannot make `{}`", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Where servers of its functions keep what can be made anew.
    pub(crate) fn cache(&self) -> PathBuf {
        self.0.join("cache")
    }

    /// Writes a file there.
    pub(crate) fn put(&self, name: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let path = self.0.join(name);
        fs::write(&path, content).with_context(|| format!("cannot write `{}`", path.display()))
    }

    /// Makes functions of `component` in the folder `name` below, one for each name, and all
    /// different: none shares its compiled code with another one.
    pub(crate) fn put_functions<'a>(
        &self,
        name: &str,
        functions: impl IntoIterator<Item = &'a String>,
        component: &[u8],
    ) -> Result<()> {
        fs::create_dir_all(self.0.join(name))?;
        for (number, function) in functions.into_iter().enumerate() {
            self.put(
                &format!("{name}/{function}.wasm"),
                numbered(component, number),
            )?;
        }
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The next run begins with removing it, and says so if that is not possible.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_one_component_are_all_different_and_go_with_their_folder() {
        let folder = Folder::new("folder-of-a-test").unwrap();
        let names = ["a", "b"].map(str::to_owned);
        let component = wat::parse_str("(component)").unwrap();
        folder.put_functions("all", &names, &component).unwrap();
        let read = |name| fs::read(folder.path().join("all").join(name)).unwrap();
        let (a, b) = (read("a.wasm"), read("b.wasm"));
        assert_ne!(a, b);
        for component in [&a, &b] {
            wasmparser::validate(component).unwrap();
        }
        let path = folder.path().to_owned();
        drop(folder);
        assert!(!path.exists());
    }
}
