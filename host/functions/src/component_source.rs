//! Where a component is.

use std::fmt;
use std::path::{Path, PathBuf};

use super::component_file::{ReadError, read};
use super::oci_layout;

/// What a place begins with that is an image layout.
const OCI: &str = "oci:";

/// Where a component is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ComponentSource {
    /// In a file.
    File(PathBuf),
    /// In an image layout of OCI, which tools that pull from registries write.
    Layout {
        /// The folder of the layout.
        folder: PathBuf,
        /// Which of its images. None if there is one only.
        tag: Option<String>,
    },
}

impl From<&str> for ComponentSource {
    /// `oci:FOLDER`, `oci:FOLDER:TAG`, or the path of a file.
    fn from(text: &str) -> Self {
        let Some(layout) = text.strip_prefix(OCI) else {
            return Self::File(text.into());
        };
        let tagged = layout
            .rsplit_once(':')
            .filter(|(_, tag)| !tag.contains('/'));
        let (folder, tag) = match tagged {
            Some((folder, tag)) => (folder, Some(tag.to_owned())),
            None => (layout, None),
        };
        let folder = folder.into();
        Self::Layout { folder, tag }
    }
}

impl fmt::Display for ComponentSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Layout { folder, tag: None } => write!(f, "{OCI}{}", folder.display()),
            Self::Layout {
                folder,
                tag: Some(tag),
            } => write!(f, "{OCI}{}:{tag}", folder.display()),
        }
    }
}

impl ComponentSource {
    /// The same, where relative paths begin at `base`.
    #[must_use]
    pub fn below(self, base: &Path) -> Self {
        match self {
            Self::File(path) => Self::File(base.join(path)),
            Self::Layout { folder, tag } => Self::Layout {
                folder: base.join(folder),
                tag,
            },
        }
    }

    /// What a component that is there is called, if nobody says anything else.
    #[must_use]
    pub fn stem(&self) -> String {
        let stem = match self {
            Self::File(path) => path.file_stem(),
            Self::Layout { folder, .. } => folder.file_name(),
        };
        stem.unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The file that changes when there is another component.
    pub(super) fn file(&self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Layout { folder, .. } => oci_layout::index(folder),
        }
    }

    /// Reads the component. Where a file has to stand in a `folder`, it must not be a link
    /// that leads out of there.
    ///
    /// # Errors
    ///
    /// Fails if there is none of at most `max_bytes` bytes.
    pub(super) fn read(&self, folder: Option<&Path>, max_bytes: u64) -> Result<Vec<u8>, ReadError> {
        match self {
            Self::File(path) => read(path, folder, max_bytes),
            Self::Layout { folder, tag } => {
                oci_layout::read_component(folder, tag.as_deref(), max_bytes)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_file_or_an_image_in_a_layout() {
        let layout = |folder: &str, tag: Option<&str>| ComponentSource::Layout {
            folder: folder.into(),
            tag: tag.map(ToOwned::to_owned),
        };
        for (text, source, stem) in [
            ("a/b.wasm", ComponentSource::File("a/b.wasm".into()), "b"),
            ("oci:a/b", layout("a/b", None), "b"),
            ("oci:a/b:v1.2", layout("a/b", Some("v1.2")), "b"),
            ("oci:/a:b/c", layout("/a:b/c", None), "c"),
        ] {
            let read = ComponentSource::from(text);
            assert_eq!(read, source);
            assert_eq!(read.to_string(), text);
            assert_eq!(read.stem(), stem);
        }
    }

    #[test]
    fn relative_paths_begin_at_the_folder_of_the_file() {
        let below = |text: &str| {
            ComponentSource::from(text)
                .below(Path::new("/x"))
                .to_string()
        };
        assert_eq!(below("a.wasm"), "/x/a.wasm");
        assert_eq!(below("oci:a:1"), "oci:/x/a:1");
        assert_eq!(below("oci:/a:1"), "oci:/a:1");
    }
}
