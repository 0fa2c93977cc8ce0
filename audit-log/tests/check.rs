//! `AuditLog::check`, the dry run of opening a log.

use std::collections::BTreeMap;
use std::fs;
use std::time::SystemTime;

use crate::support::{block_on, boot, folder, locations, open};
use audit_log::{AuditLog, Folder, Location, Settings};
use tempfile::TempDir;

/// The files in a folder with size and modification time.
fn files(folder: &TempDir) -> BTreeMap<String, (u64, SystemTime)> {
    let entries = fs::read_dir(folder.path()).expect("a folder");
    let entries = entries.map(|entry| {
        let entry = entry.expect("an entry");
        let metadata = entry.metadata().expect("a file");
        let modified = metadata.modified().expect("a time");
        let name = entry.file_name().into_string().expect("text");
        (name, (metadata.len(), modified))
    });
    entries.collect()
}

fn check(location: &Location) -> Result<(), String> {
    let settings = Settings::new(location.clone());
    AuditLog::check(&settings, Folder::MustExist).map_err(|error| error.to_string())
}

#[test]
fn check_creates_no_file_for_a_new_log() {
    let folder = folder();
    for location in locations(&folder) {
        check(&location).expect("it can be created");
    }
    assert_eq!(files(&folder), BTreeMap::new());
}

#[test]
fn check_changes_no_file_of_an_existing_log() {
    let folder = folder();
    for location in locations(&folder) {
        boot(&location, 3);
        let before = files(&folder);
        check(&location).expect("it can be continued");
        assert_eq!(files(&folder), before);
    }
}

#[test]
fn check_passes_while_the_log_is_written() {
    let folder = folder();
    for location in locations(&folder) {
        let log = open(&location);
        check(&location).expect("it can be continued later");
        block_on(log.close());
    }
}

#[test]
fn check_finds_a_database_with_special_characters_in_its_name() {
    let folder = folder();
    let location = Location::Sqlite(folder.path().join("50% of ?mode=memory#audit.db"));
    boot(&location, 1);
    check(&location).expect("it can be continued");
}

#[test]
fn check_rejects_another_node() {
    let folder = folder();
    for location in locations(&folder) {
        boot(&location, 1);
        let mut settings = Settings::new(location);
        settings.node = Some("other".to_owned());
        let error = AuditLog::check(&settings, Folder::MustExist).expect_err("another name");
        assert!(error.to_string().contains("`other`"), "{error}");
    }
}

#[test]
fn check_rejects_a_file_that_is_not_a_log() {
    let folder = folder();
    for location in locations(&folder) {
        let path = location.path().expect("a path");
        fs::write(path, "dear diary\n".repeat(100)).expect("a file");
        let error = check(&location).expect_err("not a log");
        assert!(error.contains("not an audit log of this kind"), "{error}");
    }
}

#[test]
fn check_accepts_a_missing_folder_only_if_it_may_be_created() {
    let folder = folder();
    let location = Location::JsonLines(folder.path().join("a/b/audit.jsonl"));
    let error = check(&location).expect_err("missing folder");
    assert!(error.contains("a/b/audit.jsonl"), "{error}");
    AuditLog::check(&Settings::new(location), Folder::MayBeCreated).expect("it can be created");
    assert_eq!(files(&folder), BTreeMap::new());
}

#[test]
fn check_rejects_a_file_that_is_not_a_key() {
    let folder = folder();
    for location in locations(&folder) {
        fs::write(location.sibling("key").expect("a path"), "no key").expect("a file");
        let error = check(&location).expect_err("not a key");
        assert!(error.contains("key"), "{error}");
    }
}

#[test]
fn check_rejects_a_checkpoints_folder_that_is_a_file() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "").expect("a file");
    let [location, _] = locations(&folder);
    let mut settings = Settings::new(location);
    settings.checkpoints = Some(file.join("copies"));
    let error = AuditLog::check(&settings, Folder::MustExist).expect_err("it is a file");
    assert!(error.to_string().contains("checkpoints"), "{error}");
}
