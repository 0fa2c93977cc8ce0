//! `export` and `prune`.

use crate::support::{boot, command, folder, locations, read, sqlite, try_command};

#[test]
fn export_is_a_log() {
    let folder = folder();
    for location in locations(&folder) {
        boot(&location, 3);
        let audit = location.to_string();
        command(&["prune", "--audit", &audit, "--before", "2999-01-01"]);
        boot(&location, 3);
        let copy = folder
            .path()
            .join("copy")
            .with_extension(location.path().expect("a path").extension().expect("one"));
        let name = copy.to_str().expect("text");
        let (text, good) = command(&["export", "--audit", &audit, "-o", name]);
        assert!(good);
        assert_eq!(text, format!("wrote 8 records to `{name}`\n"));
        assert_eq!(command(&["export", "--audit", &audit]).0, read(&copy));
        let (text, good) = command(&["verify", "--audit", &format!("jsonl:{name}")]);
        assert!(good, "{text}");
        assert!(text.contains("records 1 to 6 were pruned"), "{text}");

        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;

            let mode = copy.metadata().expect("a file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::write(&copy, "mine").expect("a disk");
        let error = try_command(&["export", "--audit", &audit, "-o", name]);
        let error = error.expect_err("the file exists");
        assert!(error.to_string().contains("exists already"), "{error}");
        assert_eq!(read(&copy), "mine");
    }
    let left = std::fs::read_dir(folder.path()).expect("a folder");
    let left = left.map(|file| file.expect("a file").file_name());
    let left: Vec<_> = left
        .filter(|name| name.to_string_lossy().contains("export"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn prune_reports_the_removed_records() {
    let folder = folder();
    let location = sqlite(&folder);
    boot(&location, 5);
    let audit = location.to_string();
    let (text, good) = command(&["prune", "--audit", &audit, "--before", "2000-01-01"]);
    assert!(good && text.starts_with("removed nothing"), "{text}");
    let (text, good) = command(&["prune", "--audit", &audit, "--before", "2999-01-01"]);
    assert!(good);
    assert_eq!(
        text,
        "removed 8 records, 1 to 8; the log begins with record 9\n"
    );
    let missing = folder.path().join("none.key");
    let missing = missing.to_str().expect("text");
    let error = try_command(&[
        "prune", "--audit", &audit, "--before", "1h", "--key", missing,
    ])
    .expect_err("the key is missing");
    assert!(error.to_string().contains("none.key"), "{error}");
    assert!(!std::path::Path::new(missing).exists());
}
