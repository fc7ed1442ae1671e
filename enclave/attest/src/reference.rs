//! Reference values: the images and the zone hosts that this gateway's keys may be given to (`zone/approved.toml`).
//!
//! ```text
//! octroi zone approve: Parts, HostKey --approve--> Approved --Display--> the file
//! octroi keys:         the file --parse--> Approved; SignedLaunch --admit--> ApprovedLaunch
//! ```
//!
//! An absent file approves nothing, and one with a key or a value that is not understood is refused whole. Trusts:
//! whoever may write the file. Does not give: that an approved image is what its note says.

use std::{collections::BTreeSet, fmt, str::FromStr};

use octroi_proto::{Instant, wire::zone as wire};
use serde::{Deserialize, Serialize};

use crate::{
    Backend, HostKey, Measurement, Parts, VerifiedLaunch,
    launch::{Launch, LaunchError},
};

/// All that is approved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approved {
    #[serde(default, rename = "host", skip_serializing_if = "Vec::is_empty")]
    hosts: Vec<ApprovedHost>,
    #[serde(default, rename = "image", skip_serializing_if = "Vec::is_empty")]
    images: Vec<ApprovedImage>,
}

/// A zone host whose word is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovedHost {
    /// What it signs with.
    pub key: HostKey,
    /// Why, in the words of whoever approved it.
    pub note: Line,
    /// Who approved it.
    pub approved_by: Line,
    /// When.
    pub approved: Instant,
}

/// An image that keys may be sealed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovedImage {
    /// For which backend.
    pub backend: Backend,
    /// Its measurement.
    pub measurement: Measurement,
    /// Why, in the words of whoever approved it.
    pub note: Line,
    /// Who approved it.
    pub approved_by: Line,
    /// When.
    pub approved: Instant,
}

/// Who approves something, why and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Who.
    pub by: Line,
    /// Why.
    pub note: Line,
    /// When.
    pub at: Instant,
}

/// One line of text, at most 200 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Line(String);

/// What is no line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one line of at most {MOST_LINE} bytes, without control characters")]
pub struct InvalidLine;

/// A launch of an approved image on an approved host. Made by [`Approved::check`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovedLaunch(VerifiedLaunch);

/// Why a file is none of reference values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Not TOML, or keys and values that are not understood.
    #[error("the reference values are not understood: {0}")]
    Syntax(Box<toml::de::Error>),
    /// One thing approved twice.
    #[error("the reference values approve one image or host twice: keep one")]
    Twice,
    /// Too long to be one.
    #[error("the reference values must be at most {MOST_BYTES} bytes")]
    TooLong,
}

/// Why something was not approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApproveError {
    /// It measures benchmarks and must never see data.
    #[error("the image is for benchmarks only and cannot be approved: build the image without `bench`")]
    Bench,
    /// It is there.
    #[error("it is approved already")]
    Already,
    /// There is no room.
    #[error("there is no room for more reference values: withdraw those that are no longer used")]
    Full,
}

/// Why a launch is given no keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotApproved {
    /// Signed by nobody whose word is taken, or changed.
    #[error("the launch is not signed by an approved zone host: approve the host with `octroi zone approve`")]
    Host,
    /// Signed well, and makes no sense.
    #[error(transparent)]
    Launch(LaunchError),
    /// Its image is not approved for its backend.
    #[error("the launch's image is not approved: approve it with `octroi zone approve`")]
    Image,
}

impl Approved {
    /// Approves an image of these parts.
    ///
    /// # Errors
    /// [`ApproveError`].
    pub fn approve_image(&mut self, backend: Backend, parts: &Parts, approval: Approval) -> Result<(), ApproveError> {
        if parts.are_for_benchmarks() {
            return Err(ApproveError::Bench);
        }
        let measurement = parts.measurement();
        if self.has_image(backend, measurement) {
            return Err(ApproveError::Already);
        }
        let Approval { by: approved_by, note, at: approved } = approval;
        self.images.push(ApprovedImage { backend, measurement, note, approved_by, approved });
        self.fits().inspect_err(|_| drop(self.images.pop()))
    }

    /// Approves a zone host.
    ///
    /// # Errors
    /// [`ApproveError`].
    pub fn approve_host(&mut self, key: HostKey, approval: Approval) -> Result<(), ApproveError> {
        if self.hosts.iter().any(|host| host.key == key) {
            return Err(ApproveError::Already);
        }
        let Approval { by: approved_by, note, at: approved } = approval;
        self.hosts.push(ApprovedHost { key, note, approved_by, approved });
        self.fits().inspect_err(|_| drop(self.hosts.pop()))
    }

    /// Whether this image is approved for this backend.
    pub fn has_image(&self, backend: Backend, measurement: Measurement) -> bool {
        self.images.iter().any(|image| (image.backend, image.measurement) == (backend, measurement))
    }

    /// The approved images, in the order of the file.
    pub fn images(&self) -> &[ApprovedImage] {
        &self.images
    }

    /// The approved zone hosts, in the order of the file.
    pub fn hosts(&self) -> &[ApprovedHost] {
        &self.hosts
    }

    /// Takes a launch whose image is approved for its backend, and whose host is.
    ///
    /// # Errors
    /// [`NotApproved::Host`], [`NotApproved::Image`].
    pub fn check(&self, verified: VerifiedLaunch) -> Result<ApprovedLaunch, NotApproved> {
        if !self.hosts.iter().any(|host| host.key == *verified.host()) {
            return Err(NotApproved::Host);
        }
        let launch = verified.launch();
        if !self.has_image(launch.zone.backend(), launch.image) {
            return Err(NotApproved::Image);
        }
        Ok(ApprovedLaunch(verified))
    }

    /// Verifies a launch statement by the approved hosts' keys, and checks it.
    ///
    /// # Errors
    /// [`NotApproved`].
    pub fn admit(&self, statement: &wire::SignedLaunch) -> Result<ApprovedLaunch, NotApproved> {
        for host in &self.hosts {
            match host.key.verify(statement) {
                Ok(verified) => return self.check(verified),
                Err(LaunchError::Signature) => {}
                Err(error @ LaunchError::Malformed) => return Err(NotApproved::Launch(error)),
            }
        }
        Err(NotApproved::Host)
    }

    /// What was just added must be read again.
    fn fits(&self) -> Result<(), ApproveError> {
        if self.hosts.len() + self.images.len() <= MOST_ENTRIES && self.to_string().len() <= MOST_BYTES {
            Ok(())
        } else {
            Err(ApproveError::Full)
        }
    }

    fn distinct(&self) -> bool {
        let hosts: BTreeSet<_> = self.hosts.iter().map(|host| *host.key.as_bytes()).collect();
        let images: BTreeSet<_> = self.images.iter().map(|image| (image.backend, image.measurement)).collect();
        hosts.len() == self.hosts.len() && images.len() == self.images.len()
    }
}

impl FromStr for Approved {
    type Err = ReferenceError;

    /// The file's content.
    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.len() > MOST_BYTES {
            return Err(ReferenceError::TooLong);
        }
        let approved: Self = toml::from_str(text).map_err(|error| ReferenceError::Syntax(Box::new(error)))?;
        if approved.hosts.len() + approved.images.len() > MOST_ENTRIES {
            return Err(ReferenceError::TooLong);
        }
        if approved.distinct() { Ok(approved) } else { Err(ReferenceError::Twice) }
    }
}

impl fmt::Display for Approved {
    /// The file's content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("# Images and zone hosts that keys may be given to; written by `octroi zone approve`.\n\n")?;
        f.write_str(&toml::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl ApprovedLaunch {
    /// What was launched.
    pub fn launch(&self) -> &Launch {
        self.0.launch()
    }

    /// Who says so.
    pub fn host(&self) -> &HostKey {
        self.0.host()
    }
}

impl Line {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Line {
    type Err = InvalidLine;
    fn from_str(text: &str) -> Result<Self, InvalidLine> {
        text.to_owned().try_into()
    }
}

impl TryFrom<String> for Line {
    type Error = InvalidLine;
    fn try_from(text: String) -> Result<Self, InvalidLine> {
        if text.len() <= MOST_LINE && !text.contains(char::is_control) { Ok(Self(text)) } else { Err(InvalidLine) }
    }
}

impl From<Line> for String {
    fn from(line: Line) -> Self {
        line.0
    }
}

/// Most bytes of the file: whoever reads it need read no more.
pub const MOST_BYTES: usize = 256 * 1024;
const MOST_ENTRIES: usize = 256;
const MOST_LINE: usize = 200;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{LaunchKey, Zone, launch::tests::launch};

    fn approval() -> Approval {
        let at = Instant::from_second(1_790_000_000).unwrap();
        Approval { by: "marie.durand".parse().unwrap(), note: "été, \"2026\"".parse().unwrap(), at }
    }

    fn parts() -> Parts {
        let mut parts = Parts::new();
        parts.push_text("cmdline", "quiet").unwrap();
        parts
    }

    fn approved(key: &LaunchKey) -> Approved {
        let mut approved = Approved::default();
        approved.approve_host(key.public(), approval()).unwrap();
        approved.approve_image(Backend::Vm, &parts(), approval()).unwrap();
        approved
    }

    #[test]
    fn what_is_written_reads_as_it_was() {
        let approved = approved(&LaunchKey::from_bytes(&[1; 32]));
        let text = approved.to_string();
        assert_eq!(text.parse(), Ok(approved), "{text}");
        assert_eq!("".parse(), Ok(Approved::default()));
        assert!(text.contains("[[host]]") && text.contains("backend = \"vm\""), "{text}");
    }

    #[test]
    fn what_is_not_understood_is_refused_whole() {
        let text = approved(&LaunchKey::from_bytes(&[1; 32])).to_string();
        let (head, image) = text.split_at(text.find("[[image]]").unwrap());
        let measurement = parts().measurement().to_string();
        for bad in [
            format!("{text}bench = true\n"),
            format!("version = 2\n{text}"),
            text.replace("\"vm\"", "\"container\""),
            text.replace(&measurement, &format!("{measurement}0")),
            text.replace("2026-", "2026"),
            text.replace("durand", "du\\nrand"),
            text.replace("note = ", "notes = "),
        ] {
            assert!(matches!(bad.parse::<Approved>(), Err(ReferenceError::Syntax(_))), "{bad}");
        }
        assert_eq!(format!("{head}{image}{image}").parse::<Approved>(), Err(ReferenceError::Twice));
        assert_eq!("#".repeat(MOST_BYTES + 1).parse::<Approved>(), Err(ReferenceError::TooLong));
    }

    #[test]
    fn a_bench_image_is_never_approved_and_nothing_twice() {
        let key = LaunchKey::from_bytes(&[1; 32]);
        let mut approved = approved(&key);
        let before = approved.clone();
        let mut bench = parts();
        bench.push_text("bench", "").unwrap();
        assert_eq!(approved.approve_image(Backend::Vm, &bench, approval()), Err(ApproveError::Bench));
        assert_eq!(approved.approve_image(Backend::Vm, &parts(), approval()), Err(ApproveError::Already));
        assert_eq!(approved.approve_host(key.public(), approval()), Err(ApproveError::Already));
        assert_eq!(approved, before);
    }

    #[test]
    fn what_is_full_can_still_be_read() {
        let mut approved = approved(&LaunchKey::from_bytes(&[1; 32]));
        let refused = (0..300).find_map(|index| {
            let mut parts = parts();
            parts.push_text("kernel", &index.to_string()).unwrap();
            approved.approve_image(Backend::Vm, &parts, approval()).err()
        });
        assert_eq!(refused, Some(ApproveError::Full));
        assert_eq!(approved.to_string().parse(), Ok(approved));
    }

    #[test]
    fn a_launch_passes_by_its_host_its_image_and_its_backend() {
        let (ours, theirs) = (LaunchKey::from_bytes(&[1; 32]), LaunchKey::from_bytes(&[2; 32]));
        let approved = approved(&ours);
        let good = Launch { image: parts().measurement(), ..launch() };
        assert_eq!(approved.admit(&ours.sign(&good)).unwrap().launch(), &good);
        assert_eq!(approved.admit(&theirs.sign(&good)), Err(NotApproved::Host));
        let verified = theirs.public().verify(&theirs.sign(&good)).unwrap();
        assert_eq!(approved.check(verified), Err(NotApproved::Host));
        assert_eq!(approved.admit(&ours.sign(&launch())), Err(NotApproved::Image));
        // The same measurement, said of a weaker backend.
        let process = Launch { zone: Zone::Process, ..good };
        assert_eq!(approved.admit(&ours.sign(&process)), Err(NotApproved::Image));
        assert_eq!(Approved::default().admit(&ours.sign(&process)), Err(NotApproved::Host));
        let nonsense = wire::SignedLaunch { launch: vec![1], signature: vec![2] };
        assert_eq!(approved.admit(&nonsense), Err(NotApproved::Host));
    }

    proptest! {
        #[test]
        fn any_text_is_reference_values_or_an_error(text in "(\\[\\[(host|image)\\]\\]\n|key = \"[0-9a-f]{64}\"\n|\\PC{0,9}\n){0,6}") {
            if let Ok(approved) = text.parse::<Approved>() {
                prop_assert_eq!(approved.to_string().parse(), Ok(approved));
            }
        }
    }
}
