//! Compiles the published `.proto` files in Rust (protox), so that no machine needs protoc.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message as _;

const FILES: [&str; 14] = [
    "octroi/v1/access.proto",
    "octroi/v1/catalogue.proto",
    "octroi/v1/dataset.proto",
    "octroi/v1/evidence.proto",
    "octroi/v1/object.proto",
    "octroi/v1/principal.proto",
    "octroi/v1/query.proto",
    "octroi/v1/release.proto",
    "octroi/v1/table.proto",
    "octroi/zone/v1/history.proto",
    "octroi/zone/v1/host.proto",
    "octroi/zone/v1/launch.proto",
    "octroi/zone/v1/zone.proto",
    "octroi/keys/v1/keys.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=octroi");
    let descriptors = protox::compile(FILES, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    let mut config = prost_build::Config::new();
    config
        .enable_type_names()
        // Maps in the order of their keys: what is hashed must encode the same way each time.
        .btree_map(["."])
        .bytes([".octroi.v1.PutObjectRequest", ".octroi.v1.GetObjectResponse"])
        // A key has no business in a log.
        .skip_debug([
            ".octroi.keys.v1.CommitReleaseResponse",
            ".octroi.keys.v1.DataKey",
            ".octroi.zone.v1.ColumnKey",
            ".octroi.zone.v1.FileKeys",
            ".octroi.zone.v1.HistoryKey",
            ".octroi.zone.v1.OpenKeys",
            ".octroi.zone.v1.Seed",
            ".octroi.zone.v1.ToZone",
        ]);
    tonic_prost_build::configure().compile_fds_with_config(descriptors, config)?;
    Ok(())
}
