//! The gate itself, and who may come to it.

use std::process::Command;

use super::Scene;
use crate::{
    demo::{
        DemoError,
        cast::{self, Cast},
        gateway::{Gateway, GatewayError},
        ports::{Ports, USUAL},
        story::Story,
    },
    process::ProcessError,
    progress,
};

/// From nothing to a gateway that runs.
pub(in crate::demo) fn set_up(story: &mut Story, cast: &Cast) -> Result<Gateway, DemoError> {
    legend(story, cast);
    story.chapter("Setting up");
    let (data, base) = (cast.data().display().to_string(), cast.public_address());
    let init = cast.plain(&["init", &data, "--base", &base, "--organisation", "Dijon Métropole"]);
    story.step("admin", "Make a data folder: configuration, authority, keys, an operator's identity").run(init)?;
    story
        .step(
            "admin",
            "Listen on this machine alone, sign a checkpoint and release answers each second, name the zone's image",
        )
        .run(adapt(cast))?;
    let mut serve = cast.plain(&["serve", "--config", &cast.data().join("octroi.toml").display().to_string()]);
    let gateway = story.step("admin", "Start the gateway").does(&mut serve, |command| {
        let (gateway, took) = Gateway::start(cast, command)?;
        Ok::<_, GatewayError>((gateway, format!("ready after {}", progress::spoken(took))))
    })?;
    Ok(gateway)
}

fn legend(story: &Story, cast: &Cast) {
    story.chapter("Who is who");
    for (name, what) in cast::PEOPLE.iter().chain(&cast::OTHERS) {
        story.remark(&format!("{name:<10}{what}"));
    }
    println!();
    story.remark("`claire$ octroi ...` is what claire types, and `|` what came back. To type it yourself:");
    story.remark(&format!("  export DEMO={}", cast.folder().display()));
    for (variable, path) in
        [("PATH", cast.desk("bin")), ("OCTROI_PROFILE", cast.profile("claire")), ("CURL_CA_BUNDLE", cast.authority())]
    {
        let more = if variable == "PATH" { ":$PATH" } else { "" };
        story.remark(&format!("  export {variable}={}{more}", story.shorten(&path.display().to_string())));
    }
}

/// One edit of the two files that `octroi init` wrote.
fn adapt(cast: &Cast) -> Command {
    let Ports { public, api, loopback } = cast.ports();
    let mut sed = Command::new("sed");
    sed.args(["-i", "-e", "s/0.0.0.0:/127.0.0.1:/", "-e", "s/^checkpoint_seconds = .*/checkpoint_seconds = 1/"]);
    sed.args(["-e", "s/^release_tick_milliseconds = .*/release_tick_milliseconds = 1000/"]);
    sed.args(["-e", &format!("s#^image = .*#image = \"{}\"#", cast.image().display())]);
    for (was, is) in [(USUAL.public, public), (USUAL.api, api), (USUAL.loopback, loopback)] {
        if was != is {
            sed.args(["-e", &format!("s/:{was}\"/:{is}\"/")]);
        }
    }
    sed.arg(cast.data().join("octroi.toml")).arg(cast.profile("operator"));
    sed
}

/// Everybody comes in.
pub(super) fn people(story: &mut Story, scene: &Scene<'_>) -> Result<(), DemoError> {
    let cast = scene.cast;
    story.chapter("People: nobody who reaches data comes in by one person's word");
    let add = |name: &str, organisation: &str, role: &str| {
        let out = cast.identity(name).display().to_string();
        cast.octroi("operator", &["principal", "add", name, "--org", organisation, "--role", role, "--out", &out])
    };
    let approve = |by: &str, name: &str| cast.octroi(by, &["principal", "approve", name]);
    story.step("operator", "The city's first steward; there is nobody yet to approve her").run(add(
        "claire",
        "dijon-metropole",
        "steward",
    ))?;
    story.step("operator", "A reviewer").run(add("marc", "dijon-metropole", "reviewer"))?;
    story.step("operator", "An auditor").run(add("audrey", "cour-regionale", "auditor"))?;
    story.step("operator", "A vendor who would borrow data").run(add("voltaic", "voltaic-sas", "vendor"))?;
    story.step("operator", "A researcher who would ask").run(add("lena", "universite-bourgogne", "researcher"))?;
    for name in ["marc", "audrey", "lena"] {
        let both = ["claire", "operator"].map(|by| (format!("{name}: approved by {by}"), vec![approve(by, name)]));
        story
            .step("claire", &format!("Claire and the operator approve {name}"))
            .each(&format!("octroi principal approve {name}"), both)?;
    }
    story.step("claire", "Claire approves the vendor").run(approve("claire", "voltaic"))?;
    story
        .step("claire", "Claire approves once more, for want of a second person")
        .refused(approve("claire", "voltaic"))?;
    story.step("marc", "A second person approves").run(approve("marc", "voltaic"))?;
    story.step("operator", "Who is there now?").shows(8).run(cast.octroi("operator", &["principal", "list"]))?;
    Ok(())
}

impl From<ProcessError> for DemoError {
    fn from(error: ProcessError) -> Self {
        Self::Command(error)
    }
}
