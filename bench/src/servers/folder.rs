//! Folders of functions, compositions and logs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::composition::numbered;
use crate::programs::scratch;

/// A folder, removed when dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// An empty folder on the disk of the target folder, in the place of one of a previous run.
    pub(crate) fn new(name: &str) -> Result<Self> {
        Self::at(std::path::absolute(scratch().join(name))?)
    }

    /// The same on a file system in memory, where there is one.
    pub(crate) fn in_memory(name: &str) -> Result<Self> {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() {
            let name = format!("component-runner-bench-{}-{name}", std::process::id());
            return Self::at(memory.join(name));
        }
        Self::new(name)
    }

    fn at(path: PathBuf) -> Result<Self> {
        if path.exists() {
            fs::remove_dir_all(&path)
                .with_context(|| format!("cannot remove `{}`", path.display()))?;
        }
        fs::create_dir_all(&path).with_context(|| format!("cannot create `{}`", path.display()))?;
        Ok(Self(path))
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, and returns its path.
    pub(crate) fn put(&self, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.0.join(name);
        fs::write(&path, content).with_context(|| format!("cannot write `{}`", path.display()))?;
        Ok(path)
    }

    /// Writes `component` for each name into the folder `name`, each different, so that none share
    /// their compiled code.
    pub(crate) fn put_functions<'a>(
        &self,
        name: &str,
        functions: impl IntoIterator<Item = &'a String>,
        component: &[u8],
    ) -> Result<()> {
        fs::create_dir_all(self.0.join(name))?;
        for (number, function) in functions.into_iter().enumerate() {
            let file = format!("{name}/{function}.wasm");
            self.put(&file, numbered(component, number))?;
        }
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The next run removes it, and reports if it cannot.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_one_component_differ_and_are_removed_with_their_folder() {
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
