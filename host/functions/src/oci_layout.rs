//! Components in OCI image layouts, the folders that `oras copy --to-oci-layout` and
//! `skopeo copy` write.
//!
//! Every blob is verified against the SHA-256 in its name.

use std::path::{Path, PathBuf};

use engine::digest;
use oci_spec::image::{Descriptor, Digest, ImageIndex, ImageManifest};

use super::component_file::{ReadError, read};

/// The annotation with the name of an image.
const NAME: &str = "org.opencontainers.image.ref.name";

/// Media types of components: the registered one and its predecessor.
const COMPONENT: [&str; 2] = [
    "application/wasm",
    "application/vnd.wasm.content.layer.v1+wasm",
];

/// Maximum size of the index and of a manifest, in bytes.
const MAX_DOCUMENT_BYTES: u64 = 4 << 20;

/// The index of the layout in `folder`.
pub(super) fn index(folder: &Path) -> PathBuf {
    folder.join("index.json")
}

/// Reads the component of the image `tag` of the layout in `folder`, or of its only image.
///
/// # Errors
///
/// Fails if the image is missing, or has no component of at most `max_bytes` bytes.
pub(super) fn read_component(
    folder: &Path,
    tag: Option<&str>,
    max_bytes: u64,
) -> Result<Vec<u8>, ReadError> {
    let rejected = |why: String| ReadError::Layout {
        folder: folder.to_owned(),
        why,
    };
    let bytes = read(&index(folder), None, MAX_DOCUMENT_BYTES)?;
    let index = ImageIndex::from_reader(&*bytes)
        .map_err(|error| rejected(format!("invalid `index.json`: {error}")))?;
    let image = choose(index.manifests(), tag).map_err(rejected)?;
    let bytes = blob(folder, image, MAX_DOCUMENT_BYTES)?;
    let manifest = ImageManifest::from_reader(&*bytes)
        .map_err(|error| rejected(format!("invalid manifest of the image: {error}")))?;
    let mut layers = manifest.layers().iter();
    let is_component = |layer: &&Descriptor| {
        let media_type = layer.media_type().to_string();
        COMPONENT.contains(&media_type.as_str())
    };
    let Some(layer) = layers.find(is_component) else {
        let why = "no layer of the image is of the type `application/wasm`";
        return Err(rejected(why.to_owned()));
    };
    if layers.any(|layer| is_component(&layer)) {
        let why = "several layers of the image are of the type `application/wasm`";
        return Err(rejected(why.to_owned()));
    }
    blob(folder, layer, max_bytes)
}

/// The image `tag`, or the only one.
fn choose<'a>(images: &'a [Descriptor], tag: Option<&str>) -> Result<&'a Descriptor, String> {
    fn name(image: &Descriptor) -> Option<&str> {
        Some(image.annotations().as_ref()?.get(NAME)?)
    }
    let matching: Vec<_> = match tag {
        None => images.iter().collect(),
        Some(tag) => images
            .iter()
            .filter(|image| name(image) == Some(tag))
            .collect(),
    };
    if let [image] = matching[..] {
        return Ok(image);
    }
    let names: Vec<_> = images
        .iter()
        .filter_map(name)
        .map(|name| format!("`{name}`"))
        .collect();
    let names = if names.is_empty() {
        "no image with a name".to_owned()
    } else {
        names.join(", ")
    };
    Err(match (tag, matching.is_empty()) {
        (Some(tag), true) => format!("unknown image `{tag}`; found {names}"),
        (Some(tag), false) => format!("duplicate image `{tag}`"),
        (None, _) => format!("missing tag of the image, as in `oci:FOLDER:TAG`; found {names}"),
    })
}

/// Reads the blob of a descriptor.
fn blob(folder: &Path, descriptor: &Descriptor, max_bytes: u64) -> Result<Vec<u8>, ReadError> {
    let named: &Digest = descriptor.digest();
    let rejected = |why: String| ReadError::Layout {
        folder: folder.to_owned(),
        why,
    };
    if named.algorithm().as_ref() != "sha256" {
        return Err(rejected(format!("`{named}` is not a SHA-256 digest")));
    }
    let path = folder.join("blobs/sha256").join(named.digest());
    let bytes = read(&path, None, max_bytes)?;
    if digest(&bytes) != named.digest() {
        return Err(rejected(format!(
            "the content of blob `{named}` does not match its digest"
        )));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::{Value, json};

    use super::*;

    fn add(folder: &Path, media_type: &str, bytes: &[u8]) -> Value {
        let sha256 = digest(bytes);
        fs::write(folder.join("blobs/sha256").join(&sha256), bytes).unwrap();
        json!({ "mediaType": media_type, "digest": format!("sha256:{sha256}"), "size": bytes.len() })
    }

    /// A layout with one image for each name, of layers of one type.
    fn layout(images: &[(&str, &[&[u8]])], layer_type: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::create_dir_all(path.join("blobs/sha256")).unwrap();
        let manifests: Vec<_> = images
            .iter()
            .map(|(name, layers)| {
                let layers: Vec<_> = layers.iter().map(|bytes| add(path, layer_type, bytes)).collect();
                let config = add(path, "application/vnd.wasm.config.v0+json", b"{}");
                let manifest_type = "application/vnd.oci.image.manifest.v1+json";
                let manifest = json!({
                    "schemaVersion": 2, "mediaType": manifest_type, "config": config, "layers": layers,
                });
                let mut image = add(path, manifest_type, manifest.to_string().as_bytes());
                image["annotations"] = json!({ NAME: name });
                image
            })
            .collect();
        let document = json!({ "schemaVersion": 2, "manifests": manifests });
        fs::write(index(path), document.to_string()).unwrap();
        folder
    }

    fn read(folder: &tempfile::TempDir, tag: Option<&str>) -> Result<Vec<u8>, String> {
        read_component(folder.path(), tag, 100).map_err(|error| error.to_string())
    }

    #[test]
    fn image_is_selected_by_tag_or_because_it_is_the_only_one() {
        let one = layout(&[("v1", &[b"one"])], COMPONENT[0]);
        assert_eq!(read(&one, None).unwrap(), b"one");
        let two = layout(&[("v1", &[b"one"]), ("v2", &[b"two"])], COMPONENT[1]);
        assert_eq!(read(&two, Some("v2")).unwrap(), b"two");
        let error = read(&two, None).unwrap_err();
        assert!(error.contains("found `v1`, `v2`"), "{error}");
        let error = read(&two, Some("v3")).unwrap_err();
        assert!(error.contains("unknown image `v3`"), "{error}");
    }

    #[test]
    fn image_must_have_exactly_one_component_layer() {
        let other = layout(&[("v1", &[b"x"])], "application/vnd.oci.image.layer.v1.tar");
        let error = read(&other, None).unwrap_err();
        assert!(error.contains("no layer"), "{error}");
        let many = layout(&[("v1", &[b"x", b"y"])], COMPONENT[0]);
        let error = read(&many, None).unwrap_err();
        assert!(error.contains("several layers"), "{error}");
    }

    #[test]
    fn blob_with_a_wrong_digest_is_rejected() {
        let layout = layout(&[("v1", &[b"one"])], COMPONENT[0]);
        let blob = layout.path().join("blobs/sha256").join(digest(b"one"));
        fs::write(blob, "two").unwrap();
        let error = read(&layout, None).unwrap_err();
        assert!(error.contains("does not match its digest"), "{error}");
        fs::write(index(layout.path()), "{").unwrap();
        let error = read(&layout, None).unwrap_err();
        assert!(error.contains("invalid `index.json`"), "{error}");
    }
}
