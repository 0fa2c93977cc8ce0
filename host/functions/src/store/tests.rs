//! Tests of the store: content after each change, rejected files.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;

const KEEP: Retention = Retention {
    versions: NonZeroU32::new(2).unwrap(),
    removed: Duration::ZERO,
};

/// A function `f` with one version.
fn store_of_one(folder: &Path, retention: Retention) -> (Store, String) {
    let store = Store::open(folder, retention).unwrap();
    let sha256 = digest(b"a");
    store.add("f", &sha256, b"a").unwrap();
    let mut record = Record::default();
    record.activate(&sha256);
    store.set("f", record).unwrap();
    (store, sha256)
}

#[test]
fn records_and_versions_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (digest(b"a"), digest(b"b"));
    let mut record = Record::default();
    {
        let store = Store::open(folder.path(), KEEP).unwrap();
        assert_eq!(store.record("f").unwrap(), record);
        for (sha256, bytes) in [(&a, b"a"), (&b, b"b")] {
            store.add("f", sha256, bytes).unwrap();
            record.activate(sha256);
            store.set("f", record.clone()).unwrap();
        }
    }
    let store = Store::open(folder.path(), KEEP).unwrap();
    assert_eq!(store.names().unwrap(), ["f"]);
    let found = store.record("f").unwrap();
    assert_eq!(found, record);
    assert_eq!(found.active, Some(b));
    assert_eq!(found.previous(), Some(a.as_str()));
    assert_eq!(store.bytes("f", &a).unwrap(), b"a");
    store.remove("f").unwrap();
    assert!(store.names().unwrap().is_empty());
}

#[test]
fn keep_versions_deletes_the_oldest_but_never_the_active_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), KEEP).unwrap();
    let digests = [b"a", b"b", b"c"].map(|bytes| {
        let sha256 = digest(bytes);
        store.add("f", &sha256, bytes).unwrap();
        sha256
    });
    let mut record = Record::default();
    for sha256 in &digests {
        record.activate(sha256);
    }
    record.activate(&digests[0]);
    store.set("f", record).unwrap();
    let versions = store.record("f").unwrap().versions;
    let kept: Vec<_> = versions.iter().map(|version| &version.sha256).collect();
    assert_eq!(kept, [&digests[0], &digests[2]]);
    assert!(store.bytes("f", &digests[1]).is_err());
}

#[test]
fn a_state_folder_that_is_in_use_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let _store = Store::open(folder.path(), KEEP).unwrap();
    let error = Store::open(folder.path(), KEEP).unwrap_err();
    assert!(matches!(error, StoreError::InUse(_)), "{error}");
}

#[test]
fn a_closed_state_folder_can_be_opened_again_while_processes_start() {
    let folder = tempfile::tempdir().unwrap();
    let has_ended = AtomicBool::new(false);
    let errors: Vec<_> = thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                // A process has the files of this one open until it executes its program.
                while !has_ended.load(Ordering::Relaxed) {
                    assert!(Command::new("true").status().unwrap().success());
                }
            });
        }
        let open = |_| Store::open(folder.path(), KEEP).err();
        let errors = (0..1000).filter_map(open).take(1).collect();
        has_ended.store(true, Ordering::Relaxed);
        errors
    });
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn keep_removed_retains_versions_of_a_removed_function() {
    let folder = tempfile::tempdir().unwrap();
    let day = Duration::from_hours(24);
    let retention = Retention {
        removed: day,
        ..KEEP
    };
    let (store, sha256) = store_of_one(folder.path(), retention);
    store.remove("f").unwrap();
    let mut record = store.record("f").unwrap();
    assert!(record.removed.is_some());
    store.delete_expired("f", &record).unwrap();
    assert_eq!(store.bytes("f", &sha256).unwrap(), b"a");

    let before = jiff::Timestamp::now() - day - Duration::from_secs(1);
    record.removed = Some(before.to_string());
    store.delete_expired("f", &record).unwrap();
    assert!(store.names().unwrap().is_empty());
    assert!(!folder.path().join("functions/f").exists());
}

#[test]
fn files_without_a_record_are_deleted_at_startup() {
    let folder = tempfile::tempdir().unwrap();
    let (store, sha256) = store_of_one(folder.path(), KEEP);
    let stray = digest(b"b");
    store.add("f", &stray, b"b").unwrap();
    fs::write(folder.path().join("functions/f/record.part"), "{").unwrap();
    drop(store);
    let store = Store::open(folder.path(), KEEP).unwrap();
    assert!(store.bytes("f", &stray).is_err());
    assert!(store.bytes("f", &sha256).is_ok());
    assert!(!folder.path().join("functions/f/record.part").exists());
}

#[test]
fn state_of_mode_0777_is_rejected_at_every_level() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let (store, sha256) = store_of_one(&state, KEEP);
    drop(store);
    let version = format!("functions/f/{sha256}.wasm");
    for path in [
        "",
        "functions",
        "functions/f",
        "functions/f/record.json",
        &version,
    ] {
        let path = state.join(path);
        let mode = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        let error = Store::open(&state, KEEP).unwrap_err();
        assert!(matches!(error, StoreError::Unsafe { .. }), "{error}");
        assert!(error.to_string().contains("`chmod go-w "), "{error}");
        fs::set_permissions(&path, mode).unwrap();
    }
    assert!(Store::open(&state, KEEP).is_ok());
}

#[test]
fn writes_follow_no_links() {
    use std::os::unix::fs::symlink;

    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let (store, _) = store_of_one(&state, KEEP);
    let target = folder.path().join("target");
    fs::write(&target, "precious").unwrap();
    symlink(&target, state.join("functions/f/record.part")).unwrap();
    store.set("f", store.record("f").unwrap()).unwrap();
    drop(store);
    fs::remove_file(state.join("lock")).unwrap();
    symlink(&target, state.join("lock")).unwrap();
    let error = Store::open(&state, KEEP).unwrap_err();
    assert!(
        matches!(error, StoreError::Io { what: "open", .. }),
        "{error}"
    );
    assert_eq!(fs::read(&target).unwrap(), b"precious");
}

#[test]
fn a_version_with_a_wrong_sha256_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), KEEP).unwrap();
    let sha256 = digest(b"a");
    store.add("f", &sha256, b"a").unwrap();
    fs::write(store.version("f", &sha256), b"b").unwrap();
    let error = store.bytes("f", &sha256).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
}
