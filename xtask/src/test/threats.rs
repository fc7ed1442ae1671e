//! Holds `docs/THREATS.md` to tests that exist.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The names in backticks that have a path.
fn named(page: &str) -> Vec<&str> {
    page.split('`').skip(1).step_by(2).filter(|word| word.contains("::") && !word.ends_with("...")).collect()
}

/// The file that holds a module: `x/y.rs`, or the file of the nearest module around it that has one.
fn file(folder: &Path, modules: &[&str]) -> Option<PathBuf> {
    (1..=modules.len())
        .rev()
        .map(|depth| folder.join(modules[..depth].join("/")).with_extension("rs"))
        .find(|it| it.is_file())
}

#[test]
fn every_test_that_the_threats_name_exists() {
    let page = fs::read_to_string(root().join("docs/THREATS.md")).unwrap();
    let names = named(&page);
    assert!(names.len() > 40, "only {} tests are named", names.len());
    for name in names {
        let parts: Vec<&str> = name.split("::").collect();
        let (krate, modules, test) = (parts[0], &parts[1..parts.len() - 1], parts[parts.len() - 1]);
        let folder = match krate {
            "e2e" => "tests/tests/e2e",
            "octroi" => "gateway/src",
            "octroi_attest" => "enclave/attest/src",
            "octroi_host" => "enclave/host/src",
            "octroi_proto" => "proto/src",
            "octroi_release" => "enclave/release/src",
            "octroi_zone" => "enclave/zone/src",
            other => panic!("no crate `{other}` in `{name}`"),
        };
        let file = file(&root().join(folder), modules).unwrap_or_else(|| panic!("no file for `{name}`"));
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(&format!("fn {test}(")), "`{name}` is not in {}", file.display());
    }
}
