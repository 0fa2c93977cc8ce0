//! Sources of components: a file or an OCI image layout.

use std::fmt;
use std::path::{Path, PathBuf};

use super::component_file::{ReadError, read};
use super::oci_layout;

/// Prefix of an image layout.
const OCI: &str = "oci:";

/// The source of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ComponentSource {
    /// A file.
    File(PathBuf),
    /// An OCI image layout, as registry clients write it.
    Layout {
        /// The folder of the layout.
        folder: PathBuf,
        /// The tag of the image. None: the only image.
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
    /// The same source with relative paths resolved against `base`.
    #[must_use]
    pub fn resolve_against(self, base: &Path) -> Self {
        match self {
            Self::File(path) => Self::File(base.join(path)),
            Self::Layout { folder, tag } => Self::Layout {
                folder: base.join(folder),
                tag,
            },
        }
    }

    /// The default name of the component: the file name without extension.
    #[must_use]
    pub fn stem(&self) -> String {
        let stem = match self {
            Self::File(path) => path.file_stem(),
            Self::Layout { folder, .. } => folder.file_name(),
        };
        stem.unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The file that changes when the component changes.
    pub(super) fn file(&self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Layout { folder, .. } => oci_layout::index(folder),
        }
    }

    /// Reads the component. With a `folder`, a file must not be a link that leaves it.
    ///
    /// # Errors
    ///
    /// Fails if the component cannot be read or has more than `max_bytes` bytes.
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
    fn component_source_is_a_file_or_an_oci_image() {
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
    fn relative_sources_are_resolved_against_the_folder_of_the_file() {
        let resolved = |text: &str| {
            ComponentSource::from(text)
                .resolve_against(Path::new("/x"))
                .to_string()
        };
        assert_eq!(resolved("a.wasm"), "/x/a.wasm");
        assert_eq!(resolved("oci:a:1"), "oci:/x/a:1");
        assert_eq!(resolved("oci:/a:1"), "oci:/a:1");
    }
}
