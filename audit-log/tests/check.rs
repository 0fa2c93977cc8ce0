//! Whether a log could be opened, found out without changing anything.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::time::SystemTime;

use audit_log::{AuditLog, Folder, Location, Settings};
use support::{block_on, boot, folder, locations, open};
use tempfile::TempDir;

/// The files in a folder, and what changes with their content.
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
fn nothing_is_made_where_there_is_no_log_yet() {
    let folder = folder();
    for location in locations(&folder) {
        check(&location).expect("it can be made");
    }
    assert_eq!(files(&folder), BTreeMap::new());
}

#[test]
fn nothing_is_changed_where_there_is_a_log() {
    let folder = folder();
    for location in locations(&folder) {
        boot(&location, 3);
        let before = files(&folder);
        check(&location).expect("it can go on");
        assert_eq!(files(&folder), before);
    }
}

#[test]
fn a_log_that_is_being_written_is_no_obstacle() {
    let folder = folder();
    for location in locations(&folder) {
        let log = open(&location);
        check(&location).expect("it can go on later");
        block_on(log.close());
    }
}

#[test]
fn a_database_with_a_strange_name_is_found() {
    let folder = folder();
    let location = Location::Sqlite(folder.path().join("50% of ?mode=memory#audit.db"));
    boot(&location, 1);
    check(&location).expect("it can go on");
}

#[test]
fn another_node_is_refused() {
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
fn a_file_that_is_no_log_is_refused() {
    let folder = folder();
    for location in locations(&folder) {
        let path = location.path().expect("a path");
        fs::write(path, "dear diary\n".repeat(100)).expect("a file");
        let error = check(&location).expect_err("it is no log");
        assert!(error.contains("no audit log of this kind"), "{error}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_one_only_if_somebody_makes_it() {
    let folder = folder();
    let location = Location::JsonLines(folder.path().join("a/b/audit.jsonl"));
    let error = check(&location).expect_err("there is no folder");
    assert!(error.contains("a/b/audit.jsonl"), "{error}");
    AuditLog::check(&Settings::new(location), Folder::IsMade).expect("it can be made");
    assert_eq!(files(&folder), BTreeMap::new());
}

#[test]
fn a_key_that_is_no_key_is_refused() {
    let folder = folder();
    for location in locations(&folder) {
        fs::write(location.beside("key").expect("a path"), "no key").expect("a file");
        let error = check(&location).expect_err("it is no key");
        assert!(error.contains("key"), "{error}");
    }
}

#[test]
fn copies_of_checkpoints_need_a_folder() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "").expect("a file");
    let [location, _] = locations(&folder);
    let mut settings = Settings::new(location);
    settings.checkpoints = Some(file.join("copies"));
    let error = AuditLog::check(&settings, Folder::MustExist).expect_err("it is a file");
    assert!(error.to_string().contains("checkpoints"), "{error}");
}
