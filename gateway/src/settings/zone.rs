//! `[zone]`: where questions on sensitive data run, and what they may use up.

use std::path::PathBuf;

use octroi_attest::rules::LEAST_SUBJECTS;
use octroi_host::lease;
use serde::{Deserialize, Deserializer, de};

use super::{Bytes, Count, Milliseconds, Seconds};

/// `[zone]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Zone {
    /// Whether serve starts the zone host itself.
    pub start: bool,
    /// The zone host's Unix socket.
    pub socket: PathBuf,
    /// The zone host's folder: the key that it signs launches with, and scratch.
    pub folder: PathBuf,
    /// The reference values: which images and which hosts may be given keys.
    pub reference: PathBuf,
    /// The folder of the image.
    pub image: PathBuf,
    /// The kinds of zone that there are.
    pub backends: Backends,
    /// Clones that wait, seeded, their engine started.
    pub waiting: Count<1, 64>,
    /// Zones in use at once.
    pub at_once: Count<1, 64>,
    /// Questions and loads that may wait for a zone.
    pub queue: Count<0, 10_000>,
    /// Those of one organisation.
    pub queue_per_organisation: Count<0, 10_000>,
    /// Memory of a zone, all that runs in it included.
    pub zone_bytes: Bytes<201_326_592, 1_099_511_627_776>,
    /// Memory of the engine's operators.
    pub memory_bytes: Bytes<16_777_216, 1_099_511_627_776>,
    /// Scratch of one question or load.
    pub scratch_bytes: Bytes<0, 60_129_542_144>,
    /// Whether a host with unencrypted swap is put up with.
    pub swap: bool,
    /// From a question's zone to its end.
    pub query_seconds: Seconds<1, 3600>,
    /// From a load's zone to its end.
    pub load_seconds: Seconds<1, 86_400>,
    /// Answers leave at multiples of this.
    pub release_tick_milliseconds: Milliseconds<100, 3_600_000>,
    /// Rows of an answer.
    pub result_rows: Count<1, 1_000_000>,
    /// Bytes of an answer.
    pub result_bytes: Bytes<4096, 11_534_336>,
    /// Each released cell is about at least this many subjects.
    pub least_subjects: Count<{ LEAST_SUBJECTS as u64 }, 1_000_000>,
    /// The text of a question.
    pub max_sql: Bytes<1024, 65_536>,
    /// Questions in serve at once: packed, waiting, running, or due at a tick.
    pub questions: Count<1, 10_000>,
    /// The folder of packs: copies of sealed table files as the disks of questions.
    pub packs: PathBuf,
    /// All packs together.
    pub packs_bytes: Bytes<1_048_576, 1_125_899_906_842_624>,
    /// The folder of histories: sealed records of what was released, which must not be lost.
    pub histories: PathBuf,
    /// The folder of loads under way: sealed rows as they came, and what a zone made of them.
    pub loads: PathBuf,
    /// Loads in serve at once.
    pub loads_at_once: Count<1, 64>,
    /// The sealed rows of a load, and the encrypted file made of them.
    pub max_load_bytes: Bytes<1_048_576, 64_424_509_440>,
}

impl Default for Zone {
    fn default() -> Self {
        Self {
            start: true,
            socket: "zone/run/zone.sock".into(),
            folder: "zone/host".into(),
            reference: "zone/approved.toml".into(),
            image: "/usr/local/lib/octroi/zone".into(),
            backends: Backends(vec![lease::Backend::Vm]),
            waiting: const { Count::of(2) },
            at_once: const { Count::of(2) },
            queue: const { Count::of(64) },
            queue_per_organisation: const { Count::of(16) },
            zone_bytes: const { Bytes::of(536_870_912) },
            memory_bytes: const { Bytes::of(268_435_456) },
            scratch_bytes: const { Bytes::of(4_294_967_296) },
            swap: false,
            query_seconds: const { Seconds::of(60) },
            load_seconds: const { Seconds::of(900) },
            release_tick_milliseconds: const { Milliseconds::of(5_000) },
            result_rows: const { Count::of(10_000) },
            result_bytes: const { Bytes::of(4_194_304) },
            least_subjects: const { Count::of(LEAST_SUBJECTS as u64) },
            max_sql: const { Bytes::of(65_536) },
            questions: const { Count::of(128) },
            packs: "state/packs".into(),
            packs_bytes: const { Bytes::of(68_719_476_736) },
            histories: "state/histories".into(),
            loads: "state/loads".into(),
            loads_at_once: const { Count::of(2) },
            max_load_bytes: const { Bytes::of(8_589_934_592) },
        }
    }
}

/// Kinds of zone, each at most once; none, where no sensitive data is to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backends(Vec<lease::Backend>);

impl Backends {
    /// Whether this kind is among them.
    pub fn has(&self, backend: lease::Backend) -> bool {
        self.0.contains(&backend)
    }
}

impl<'de> Deserialize<'de> for Backends {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut backends = Vec::new();
        for name in Vec::<String>::deserialize(deserializer)? {
            let backend: lease::Backend = name.parse().map_err(de::Error::custom)?;
            if backends.contains(&backend) {
                return Err(de::Error::custom("must name each kind once"));
            }
            backends.push(backend);
        }
        Ok(Self(backends))
    }
}
