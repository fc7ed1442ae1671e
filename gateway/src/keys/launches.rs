//! Which launches are given keys, and that each is given keys once.
//!
//! ```text
//! SignedLaunch --admit: host, image, times--> Admitted --isolated: what the data demand--> Isolated --claim: once--> Claimed
//! ```
//!
//! The reference values are read anew for each launch, so what `octroi zone approve` writes counts at once.
//!
//! That a launch was given keys is remembered in memory alone. It may be forgotten because a launch is refused when it
//! was given to its work more than an hour ago, or before this process began: whoever replays a launch comes too late
//! or too early. Trusts: the clock not to jump back across a restart. Does not give: more than a host's word for what
//! was launched.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use nix::unistd::Uid;
use octroi_attest::{
    Approved, ApprovedLaunch, Backend, Launch, LaunchId, OpenKeys, RulesDigest, WorkId,
    envelope::{self, Binding, SealError},
    keys::FileColumns,
    reference::{self, NotApproved, ReferenceError},
};
use octroi_proto::{
    Instant,
    wire::zone::{SealedKeys, SignedLaunch},
};

/// Decides which launches are given keys.
#[derive(Debug)]
pub(super) struct Launches {
    reference: PathBuf,
    since: Instant,
    used: Mutex<Used>,
}

/// A launch that may have keys until a moment, if the data allow it.
#[derive(Debug)]
pub(super) struct Admitted {
    launch: ApprovedLaunch,
    expires: Instant,
}

/// A launch as isolated as its data demand.
#[derive(Debug)]
pub(super) struct Isolated(Admitted);

/// A launch that is given keys now, for the first and only time.
#[derive(Debug)]
pub(super) struct Claimed(Admitted);

/// Why a launch is given no keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum LaunchRefusal {
    /// The reference values cannot be relied on, so nothing is approved.
    #[error("no launch is approved: the reference values cannot be used")]
    Reference(#[source] ReferenceFileError),
    /// Its host or its image is not approved.
    #[error(transparent)]
    NotApproved(#[from] NotApproved),
    /// It was given to its work long ago, or before this process began.
    #[error("the launch is too old to be given keys: start the work again")]
    Old,
    /// Its clock and ours do not agree.
    #[error("the launch was given to its work in the future: set the clocks of the zone host and of octroi keys")]
    Future,
    /// The keys would expire at once, or after an hour.
    #[error("keys must expire within an hour and not before they are given")]
    Expiry,
    /// A process sandbox, where the data demand a virtual machine.
    #[error("the data demand a virtual machine and the launch is a process sandbox")]
    Process,
    /// It was given keys before.
    #[error("the launch was given keys before: each is given keys once")]
    Used,
    /// More launches in an hour than are remembered.
    #[error("too many launches were given keys within an hour: wait")]
    Full,
}

/// Why the reference values cannot be relied on.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReferenceFileError {
    /// It cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Others than root and this process's user could have written it.
    #[error("`{}` must belong to root or to the key process's user, and be writable by its owner alone", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// It is not understood.
    #[error("`{}`: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: ReferenceError,
    },
}

/// Launches that were given keys, each until it is too old to be given any.
#[derive(Debug)]
struct Used {
    until: BTreeMap<LaunchId, Instant>,
    /// The latest moment seen: a clock that is set back brings no launch back.
    latest: Instant,
}

impl Launches {
    /// By the reference values in this file, for launches since this moment.
    pub(super) fn new(reference: PathBuf, since: Instant) -> Self {
        Self { reference, since, used: Mutex::new(Used { until: BTreeMap::new(), latest: since }) }
    }

    /// Takes an approved launch that is neither old nor to have keys for long.
    pub(super) fn admit(
        &self,
        statement: &SignedLaunch,
        expires: Instant,
        now: Instant,
    ) -> Result<Admitted, LaunchRefusal> {
        let approved = read(&self.reference).map_err(LaunchRefusal::Reference)?;
        let launch = approved.admit(statement)?;
        let started = launch.launch().started;
        if started < self.since || end(started) <= now {
            return Err(LaunchRefusal::Old);
        }
        if now.saturating_add(CLOCK_SKEW).is_ok_and(|limit| started > limit) {
            return Err(LaunchRefusal::Future);
        }
        if expires <= now || expires > end(now) {
            return Err(LaunchRefusal::Expiry);
        }
        Ok(Admitted { launch, expires })
    }

    /// Uses a launch up.
    pub(super) fn claim(&self, Isolated(admitted): Isolated, now: Instant) -> Result<Claimed, LaunchRefusal> {
        let launch = admitted.launch();
        self.used.lock().unwrap_or_else(PoisonError::into_inner).claim(launch.id, launch.started, now)?;
        Ok(Claimed(admitted))
    }
}

impl Admitted {
    fn launch(&self) -> &Launch {
        self.launch.launch()
    }

    /// Holds it against what the data demand: whether a process sandbox will do.
    pub(super) fn isolated(self, process_allowed: bool) -> Result<Isolated, LaunchRefusal> {
        match self.launch().zone.backend() {
            Backend::Vm => Ok(Isolated(self)),
            Backend::Process if process_allowed => Ok(Isolated(self)),
            Backend::Process => Err(LaunchRefusal::Process),
        }
    }
}

impl Claimed {
    /// Seals keys to the launch, for work that is held to these rules.
    pub(super) fn seal(self, work: WorkId, rules: RulesDigest, keys: &OpenKeys) -> Result<SealedKeys, SealError> {
        let Self(Admitted { launch, expires }) = self;
        let launch = launch.launch();
        let files: Vec<FileColumns> = keys.names().collect();
        envelope::seal(&launch.public_key, &Binding { work, launch: launch.id, files, expires, rules }, keys)
    }
}

impl Used {
    fn claim(&mut self, id: LaunchId, started: Instant, now: Instant) -> Result<(), LaunchRefusal> {
        self.latest = self.latest.max(now);
        let latest = self.latest;
        if end(started) <= latest {
            return Err(LaunchRefusal::Old);
        }
        if self.until.contains_key(&id) {
            return Err(LaunchRefusal::Used);
        }
        if self.until.len() >= MOST_USED {
            self.until.retain(|_, until| *until > latest);
        }
        if self.until.len() >= MOST_USED {
            return Err(LaunchRefusal::Full);
        }
        self.until.insert(id, end(started));
        Ok(())
    }
}

/// The reference values; none where there is no file.
fn read(path: &Path) -> Result<Approved, ReferenceFileError> {
    let unreadable = |source| ReferenceFileError::Unreadable { path: path.to_owned(), source };
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Approved::default()),
        file => file.map_err(unreadable)?,
    };
    let found = file.metadata().map_err(unreadable)?;
    let trusted = [0, Uid::effective().as_raw()].contains(&found.uid());
    if !found.is_file() || !trusted || found.permissions().mode() & 0o022 != 0 {
        return Err(ReferenceFileError::Exposed { path: path.to_owned() });
    }
    let mut text = String::new();
    file.take(reference::MOST_BYTES as u64 + 1).read_to_string(&mut text).map_err(unreadable)?;
    text.parse().map_err(|source| ReferenceFileError::Malformed { path: path.to_owned(), source })
}

/// When a launch that was given to its work at this moment is too old to be given keys.
fn end(started: Instant) -> Instant {
    started.saturating_add(LIFE).unwrap_or(Instant::MAX)
}

const LIFE: Duration = Duration::from_secs(3_600);
const CLOCK_SKEW: Duration = Duration::from_secs(60);
/// About 5 MB.
const MOST_USED: usize = 65_536;

#[cfg(test)]
pub(super) mod tests {
    use std::fs;

    use octroi_attest::{LaunchKey, Parts, Zone, launch::Accelerator, reference::Approval};
    use proptest::prelude::*;

    use super::*;

    pub(in crate::keys) fn at(second: i64) -> Instant {
        Instant::from_second(1_790_000_000 + second).unwrap()
    }

    /// A zone host whose launches are approved by the file in a folder.
    pub(in crate::keys) struct Host {
        key: LaunchKey,
        image: Parts,
    }

    impl Host {
        pub(in crate::keys) fn new(seed: u8) -> Self {
            let mut image = Parts::new();
            image.push_text("cmdline", "quiet").unwrap();
            Self { key: LaunchKey::from_bytes(&[seed; 32]), image }
        }

        pub(in crate::keys) fn approve(&self, file: &Path) {
            let approval = || Approval { by: "marie".parse().unwrap(), note: "".parse().unwrap(), at: at(0) };
            let mut approved = Approved::default();
            approved.approve_host(self.key.public(), approval()).unwrap();
            approved.approve_image(Backend::Vm, &self.image, approval()).unwrap();
            approved.approve_image(Backend::Process, &self.image, approval()).unwrap();
            fs::write(file, approved.to_string()).unwrap();
        }

        pub(in crate::keys) fn launch(&self, id: u8, public_key: [u8; 32]) -> Launch {
            let zone = Zone::Vm { template: [9; 32].into(), accelerator: Accelerator::Tcg };
            Launch { id: [id; 16].into(), image: self.image.measurement(), zone, public_key, started: at(0) }
        }

        pub(in crate::keys) fn sign(&self, launch: &Launch) -> SignedLaunch {
            self.key.sign(launch)
        }
    }

    fn launches(folder: &tempfile::TempDir) -> (Launches, Host) {
        let (host, file) = (Host::new(1), folder.path().join("approved.toml"));
        host.approve(&file);
        (Launches::new(file, at(0)), host)
    }

    #[test]
    fn a_launch_is_given_keys_once() {
        let folder = tempfile::tempdir().unwrap();
        let (launches, host) = launches(&folder);
        let statement = host.sign(&host.launch(1, [5; 32]));
        let claim = || {
            let admitted = launches.admit(&statement, at(60), at(0)).unwrap();
            launches.claim(admitted.isolated(false).unwrap(), at(0))
        };
        claim().unwrap();
        assert!(matches!(claim(), Err(LaunchRefusal::Used)));
    }

    #[test]
    fn old_and_future_launches_and_long_lived_keys_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (launches, host) = launches(&folder);
        let admit = |started, expires, now| {
            let launch = Launch { started: at(started), ..host.launch(1, [5; 32]) };
            launches.admit(&host.sign(&launch), at(expires), at(now)).map(drop)
        };
        assert!(matches!(admit(-1, 60, 0), Err(LaunchRefusal::Old)));
        assert!(matches!(admit(0, 3_660, 3_600), Err(LaunchRefusal::Old)));
        admit(0, 3_660, 3_599).unwrap();
        admit(60, 3_600, 0).unwrap();
        assert!(matches!(admit(61, 60, 0), Err(LaunchRefusal::Future)));
        assert!(matches!(admit(0, 0, 0), Err(LaunchRefusal::Expiry)));
        assert!(matches!(admit(0, 3_601, 0), Err(LaunchRefusal::Expiry)));
    }

    #[test]
    fn what_is_not_approved_or_not_isolated_enough_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (launches, host) = launches(&folder);
        let launch = host.launch(1, [5; 32]);
        let admit = |statement: &SignedLaunch| launches.admit(statement, at(60), at(0));
        let strange = Launch { image: [0; 32].into(), ..launch.clone() };
        assert!(matches!(admit(&host.sign(&strange)), Err(LaunchRefusal::NotApproved(NotApproved::Image))));
        let stranger = Host::new(2).sign(&launch);
        assert!(matches!(admit(&stranger), Err(LaunchRefusal::NotApproved(NotApproved::Host))));
        let process = host.sign(&Launch { zone: Zone::Process, ..launch });
        assert!(matches!(admit(&process).unwrap().isolated(false), Err(LaunchRefusal::Process)));
        admit(&process).unwrap().isolated(true).unwrap();
    }

    #[test]
    fn the_reference_values_count_as_they_are_now_and_fail_closed() {
        let folder = tempfile::tempdir().unwrap();
        let (launches, host) = launches(&folder);
        let file = folder.path().join("approved.toml");
        let statement = host.sign(&host.launch(1, [5; 32]));
        let admit = || launches.admit(&statement, at(60), at(0)).map(drop);
        admit().unwrap();
        Host::new(2).approve(&file);
        assert!(matches!(admit(), Err(LaunchRefusal::NotApproved(NotApproved::Host))));
        host.approve(&file);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o664)).unwrap();
        assert!(matches!(admit(), Err(LaunchRefusal::Reference(ReferenceFileError::Exposed { .. }))));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        admit().unwrap();
        fs::write(&file, "trust = \"all\"").unwrap();
        assert!(matches!(admit(), Err(LaunchRefusal::Reference(ReferenceFileError::Malformed { .. }))));
        fs::remove_file(&file).unwrap();
        assert!(matches!(admit(), Err(LaunchRefusal::NotApproved(NotApproved::Host))));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_room_comes_back() {
        let mut used = Used { until: BTreeMap::new(), latest: at(0) };
        let id = |index: u32| {
            let mut id = [0; 16];
            id[..4].copy_from_slice(&index.to_le_bytes());
            LaunchId::from(id)
        };
        for index in 0..u32::try_from(MOST_USED).unwrap() {
            used.claim(id(index), at(0), at(0)).unwrap();
        }
        assert!(matches!(used.claim(id(u32::MAX), at(10), at(10)), Err(LaunchRefusal::Full)));
        used.claim(id(u32::MAX), at(10), at(3_600)).unwrap();
        assert_eq!(used.until.len(), 1);
    }

    proptest! {
        /// Against a memory that forgets nothing: no launch is ever given keys twice, whatever the clock does.
        #[test]
        fn no_launch_is_given_keys_twice(steps in prop::collection::vec((0u8..4, 0i64..9_000), 1..60)) {
            let mut used = Used { until: BTreeMap::new(), latest: at(0) };
            let (mut ever, mut latest) = (std::collections::BTreeSet::new(), 0);
            for (id, now) in steps {
                let started = i64::from(id) * 1_500;
                latest = latest.max(now);
                let claimed = used.claim([id; 16].into(), at(started), at(now)).is_ok();
                prop_assert_eq!(claimed, started + 3_600 > latest && ever.insert(id));
                // As if the memory were full.
                let latest = used.latest;
                used.until.retain(|_, until| *until > latest);
            }
        }
    }
}
