//! Functions with middleware, and functions from an OCI image layout.

use std::fs;

use end_to_end::TestHost;
use end_to_end::artifacts::{component, experiment};
use end_to_end::client::encrypt;
use end_to_end::functions::{Folder, locator};
use serde_json::{Value, json};

use crate::audit::sha256;
use crate::functions::routes::get;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn middleware_holds_for_its_function_only() {
    let folder = Folder::new();
    folder.put_component("app");
    for name in ["bearer-gate", "request-logger"] {
        let bytes = fs::read(experiment("parts", name)).expect("a component");
        folder.put(&format!("{name}.wasm"), bytes);
    }
    folder.put(
        "functions.toml",
        format!(
            r#"
            [[function]]
            component = "app.wasm"

            [[function]]
            name = "closed"
            component = "app.wasm"
            middleware = ["request-logger.wasm", "bearer-gate.wasm"]
            env = {{ BEARER_TOKEN = "{TOKEN}" }}
            "#
        ),
    );
    let host = TestHost::serve_functions(folder.join("functions.toml"))
        .env("SHIFT_AMOUNT", "3")
        .start();
    let open = host.send(&encrypt("hello").path("/app/encrypt"));
    assert_eq!(open.result(), "khoor");
    let request = encrypt("hello").path("/closed/encrypt");
    assert_eq!(host.send(&request).status, 401);
    let request = request.bearer(TOKEN);
    assert_eq!(host.send(&request).result(), "khoor");
    // The first one is outermost: it saw both requests.
    let text = host.log().wait_for_matches("POST /encrypt", 2);
    assert_eq!(text.matches("POST /encrypt").count(), 2, "{text}");
}

#[test]
fn changed_middleware_makes_a_new_version_unless_it_does_not_fit() {
    let folder = Folder::new();
    folder.put_component("app");
    folder.put(
        "gate.wasm",
        fs::read(experiment("parts", "bearer-gate")).expect("a component"),
    );
    folder.put(
        "functions.toml",
        format!(
            r#"
            [[function]]
            component = "app.wasm"
            middleware = "gate.wasm"
            env = {{ BEARER_TOKEN = "{TOKEN}" }}
            "#
        ),
    );
    let host = TestHost::serve_functions(folder.join("functions.toml"))
        .env("SHIFT_AMOUNT", "3")
        .start();
    let request = encrypt("hello").path("/app/encrypt");
    assert_eq!(host.send(&request).status, 401);
    folder.put("gate.wasm", locator("other-1"));
    let _ = host
        .log()
        .wait_for_entry(&["function rejected", "the middleware does not fit"]);
    assert_eq!(host.send(&request).status, 401);
    folder.put(
        "gate.wasm",
        fs::read(experiment("parts", "request-logger")).expect("a component"),
    );
    let _ = host.log().wait_for_entry(&["deployed", "replaces"]);
    assert_eq!(host.send(&request).result(), "khoor");
}

/// Writes an image layout into a folder, with one image.
fn put_layout(folder: &Folder, layout: &str, tag: &str, component: &[u8]) {
    let blob = |name: &str, bytes: &[u8], media_type: &str| -> Value {
        let staged = folder.join(name);
        fs::write(&staged, bytes).expect("a file");
        let digest = sha256(&staged);
        folder.put(&format!("{layout}/blobs/sha256/{digest}"), bytes);
        json!({ "mediaType": media_type, "digest": format!("sha256:{digest}"), "size": bytes.len() })
    };
    let layer = blob("layer", component, "application/wasm");
    let config = blob("config", b"{}", "application/vnd.wasm.config.v0+json");
    let manifest_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({
        "schemaVersion": 2, "mediaType": manifest_type, "config": config, "layers": [layer],
    });
    let mut image = blob("manifest", manifest.to_string().as_bytes(), manifest_type);
    image["annotations"] = json!({ "org.opencontainers.image.ref.name": tag });
    let index = json!({ "schemaVersion": 2, "manifests": [image] });
    folder.put(
        &format!("{layout}/oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    );
    folder.put(&format!("{layout}/index.json"), index.to_string());
}

#[test]
fn an_oci_layout_provides_components_and_a_new_image_is_a_new_version() {
    let folder = Folder::new();
    put_layout(&folder, "images/where", "v1", &locator("first-1"));
    folder.put(
        "functions.toml",
        "[[function]]\ncomponent = \"oci:images/where:v1\"\n",
    );
    let host = TestHost::serve_functions(folder.join("functions.toml")).start();
    assert_eq!(get(&host, "/where"), "first-1 / /where first-1");
    put_layout(&folder, "images/where", "v1", &locator("second2"));
    let _ = host.log().wait_for_entry(&["deployed", "replaces"]);
    assert_eq!(get(&host, "/where"), "second2 / /where second2");
    put_layout(&folder, "images/where", "v2", &locator("third-3"));
    let _ = host
        .log()
        .wait_for_entry(&["function rejected", "unknown image `v1`"]);
    assert_eq!(get(&host, "/where"), "second2 / /where second2");
}

#[test]
fn an_oci_layout_provides_adapters() {
    let folder = Folder::new();
    let adapter = fs::read(component("http-adapter")).expect("a component");
    put_layout(&folder, "adapter", "latest", &adapter);
    folder.put_component("cipher");
    folder.put(
        "functions.toml",
        "folder = \".\"\n[[adapter]]\ncomponent = \"oci:adapter\"\n",
    );
    let host = TestHost::serve_functions(folder.join("functions.toml"))
        .env("SHIFT_AMOUNT", "3")
        .start();
    let response = host.send(&encrypt("hello").path("/cipher/encrypt"));
    assert_eq!(response.result(), "khoor");
}
