//! The pool: keeps a few clones ready, so that a lease waits for none of what comes before its disks.
//!
//! ```text
//! Image --template, once--> clones, one at a time --> waiting --take--> ReadyVm
//!                 ^                 |
//!                 +-- three in a row fail
//! ```
//!
//! One task owns everything; whoever takes sends it an order. It mends itself: a clone that died or waited too long is
//! replaced, a template whose clones keep failing is made anew, and after each failure it waits longer before it tries
//! again. Does not give: fairness or deadlines, which are the lease's.

use std::{
    collections::VecDeque,
    fmt, io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant as Moment},
};

use futures::FutureExt as _;
use octroi_attest::{Measurement, Parts, launch::Accelerator, measure::PartsError};
use octroi_proto::Instant;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep_until},
};

use crate::{
    clone::ReadyVm,
    image::Image,
    jail::{Jail, JailError},
    machine::{Machine, Qemu, QemuError},
    powered::{MachineError, Workshop},
    swap::Swap,
    template::{Template, TemplateError},
};

/// How machines are made and how many wait.
#[derive(Clone)]
pub struct PoolSettings {
    /// QEMU 10 or newer.
    pub qemu: PathBuf,
    /// bubblewrap, which makes the jails.
    pub bubblewrap: PathBuf,
    /// Whom QEMU runs as when we are root; otherwise it runs as we do.
    pub user: u32,
    /// Who runs the guest's instructions; `None` to find out by a trial boot.
    pub accelerator: Option<Accelerator>,
    /// A guest's RAM. MiB, 128 at least.
    pub memory_mib: u32,
    /// A guest's processors, 1 at least.
    pub processors: u8,
    /// Clones kept waiting; 0 to make each when it is asked for.
    pub waiting: usize,
    /// A clone that waited this long is replaced: its clock stood still meanwhile.
    pub longest_wait: Duration,
    /// Start even though guests' memory may be swapped out in clear.
    pub danger_swap_in_clear: bool,
    /// Tells the time.
    pub clock: Clock,
}

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// Why there can be no pool here, until somebody changes something.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// No QEMU to use.
    #[error(transparent)]
    Qemu(#[from] QemuError),
    /// No jail to use.
    #[error(transparent)]
    Jail(#[from] JailError),
    /// What the image is made of cannot be listed.
    #[error(transparent)]
    Parts(#[from] PartsError),
    /// Guests' memory could be written to a disk in clear.
    #[error("swap is on and not encrypted ({}): turn it off with `swapoff`, or encrypt it", list(.0))]
    SwapInClear(Vec<PathBuf>),
    /// The system refused something.
    #[error("the pool of zones cannot start")]
    System(#[source] io::Error),
}

/// Why no clone was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TakeError {
    /// As many ask as may.
    #[error("too many wait for a zone")]
    Busy,
    /// None can be made now; the log says why.
    #[error("no zone can be made: the zone host's log says why")]
    Unavailable,
}

/// What runs here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolInspection {
    /// What the image is made of.
    pub parts: Parts,
    /// Its measurement.
    pub image: Measurement,
    /// The template's, once there is one.
    pub template: Option<Measurement>,
    /// Found by the first template.
    pub accelerator: Option<Accelerator>,
    /// Clones that wait.
    pub waiting: usize,
}

/// Clones that wait. Dropped, all of them are killed.
#[derive(Debug)]
pub struct Pool {
    orders: mpsc::Sender<Ask>,
    inspection: watch::Receiver<PoolInspection>,
}

type Ask = oneshot::Sender<Result<ReadyVm, TakeError>>;

impl Pool {
    /// Checks what can be checked at once and starts to fill the pool; the template takes seconds, in the background.
    ///
    /// # Errors
    /// [`PoolError`].
    pub async fn start(settings: PoolSettings, image: Image) -> Result<Self, PoolError> {
        check_swap(&settings)?;
        let qemu = Qemu::find(&settings.qemu).await?;
        let jail = Jail::new(settings.bubblewrap.clone(), settings.user)?;
        let machine = Machine { qemu, memory_mib: settings.memory_mib, processors: settings.processors };
        let parts = machine.parts(&image)?;
        let workshop = Workshop { jail, machine };
        let (orders, asked) = mpsc::channel(MOST_ASKING);
        let keeper = Keeper::new(settings, image, parts, workshop);
        let (seen, inspection) = watch::channel(keeper.inspection());
        tokio::spawn(keeper.run(asked, seen));
        Ok(Self { orders, inspection })
    }

    /// A clone that waits, or the next to be made.
    ///
    /// # Errors
    /// [`TakeError`].
    pub async fn take(&self) -> Result<ReadyVm, TakeError> {
        loop {
            let (ask, answer) = oneshot::channel();
            self.orders.try_send(ask).map_err(|_| TakeError::Busy)?;
            let mut vm = answer.await.map_err(|_| TakeError::Unavailable)??;
            if vm.is_well().await {
                return Ok(vm);
            }
        }
    }

    /// What runs here now.
    pub fn inspection(&self) -> PoolInspection {
        self.inspection.borrow().clone()
    }
}

/// The task that owns the pool.
struct Keeper {
    settings: PoolSettings,
    image: Image,
    parts: Parts,
    workshop: Workshop,
    accelerator: Option<Accelerator>,
    template: Option<Arc<Template>>,
    waiting: VecDeque<ReadyVm>,
    asking: VecDeque<Ask>,
    /// One piece of work at most: a clone's start must not slow down those at work more than it has to.
    making: JoinSet<Made>,
    failures: u32,
    not_before: Moment,
}

#[expect(clippy::large_enum_variant, reason = "one of them at a time, moved twice")]
enum Made {
    Template(Result<Template, TemplateError>),
    Clone(Result<ReadyVm, MachineError>),
}

impl Keeper {
    fn new(settings: PoolSettings, image: Image, parts: Parts, workshop: Workshop) -> Self {
        Self {
            accelerator: settings.accelerator,
            settings,
            image,
            parts,
            workshop,
            template: None,
            waiting: VecDeque::new(),
            asking: VecDeque::new(),
            making: JoinSet::new(),
            failures: 0,
            not_before: Moment::now(),
        }
    }

    async fn run(mut self, mut asked: mpsc::Receiver<Ask>, seen: watch::Sender<PoolInspection>) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.make_next();
            let now = self.inspection();
            seen.send_if_modified(|before| std::mem::replace(before, now.clone()) != now);
            tokio::select! {
                ask = asked.recv() => match ask {
                    Some(ask) => self.ask(ask),
                    None => return,
                },
                Some(made) = self.making.join_next() => self.made(made),
                _ = ticks.tick() => self.sweep(),
                () = sleep_until(self.not_before.into()), if self.not_before > Moment::now() => {}
            }
        }
    }

    fn inspection(&self) -> PoolInspection {
        PoolInspection {
            parts: self.parts.clone(),
            image: self.parts.measurement(),
            template: self.template.as_ref().map(|template| template.measurement),
            accelerator: self.accelerator,
            waiting: self.waiting.len(),
        }
    }

    fn ask(&mut self, ask: Ask) {
        self.asking.retain(|other| !other.is_closed());
        if self.asking.len() >= MOST_ASKING {
            let _ = ask.send(Err(TakeError::Busy));
        } else {
            self.asking.push_back(ask);
            self.give();
        }
    }

    /// Brings those who wait and those who ask together.
    fn give(&mut self) {
        while let Some(vm) = self.waiting.pop_front() {
            let Some(ask) = self.asking.pop_front() else {
                self.waiting.push_front(vm);
                return;
            };
            if let Err(Ok(vm)) = ask.send(Ok(vm)) {
                self.waiting.push_front(vm);
            }
        }
    }

    fn make_next(&mut self) {
        if !self.making.is_empty() || Moment::now() < self.not_before {
            return;
        }
        let workshop = self.workshop.clone();
        match &self.template {
            None => {
                let (image, wanted, measured) = (self.image.clone(), self.accelerator, self.parts.measurement());
                self.making.spawn(async move { Made::Template(boot(&workshop, &image, measured, wanted).await) });
            }
            Some(template) if self.waiting.len() < self.settings.waiting + self.asking.len() => {
                let (template, clock) = (Arc::clone(template), Arc::clone(&self.settings.clock));
                self.making.spawn(async move { Made::Clone(ReadyVm::clone_of(&template, &workshop, &*clock).await) });
            }
            Some(_) => {}
        }
    }

    fn made(&mut self, made: Result<Made, tokio::task::JoinError>) {
        match made {
            Ok(Made::Template(Ok(template))) => {
                self.failures = 0;
                self.accelerator = Some(template.accelerator);
                tracing::info!(template = %template.measurement, accelerator = ?template.accelerator, "zones are cloned from a new template");
                self.template = Some(Arc::new(template));
            }
            Ok(Made::Clone(Ok(vm))) => {
                self.failures = 0;
                self.waiting.push_back(vm);
                self.give();
            }
            Ok(Made::Template(Err(error))) => {
                tracing::error!(error = &error as &dyn std::error::Error, "no template could be made");
                self.failed(SLOWEST_TEMPLATE);
                self.refuse_all();
            }
            Ok(Made::Clone(Err(error))) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a clone failed");
                self.failed(SLOWEST_CLONE);
            }
            Err(error) => {
                tracing::error!(%error, "the making of a zone was cut short");
                self.failed(SLOWEST_CLONE);
            }
        }
    }

    fn failed(&mut self, slowest: Duration) {
        self.failures = self.failures.saturating_add(1);
        self.not_before = Moment::now() + pause(self.failures, slowest);
        if self.failures >= FAILURES_OF_A_TEMPLATE && self.template.take().is_some() {
            tracing::error!("the template's clones keep failing: a new one is made");
            self.failures = 0;
        }
    }

    fn refuse_all(&mut self) {
        for ask in self.asking.drain(..) {
            let _ = ask.send(Err(TakeError::Unavailable));
        }
    }

    /// Drops the dead, and the oldest when it waited too long; their successors are made one by one.
    fn sweep(&mut self) {
        let before = self.waiting.len();
        self.waiting.retain(|vm| vm.ended().now_or_never().is_none());
        if self.waiting.len() < before {
            tracing::warn!(died = before - self.waiting.len(), "waiting zones died and are replaced");
        }
        let stale = self.waiting.front().is_some_and(|vm| vm.waited() >= self.settings.longest_wait);
        if stale && self.making.is_empty() {
            self.waiting.pop_front();
        }
    }
}

/// A template under the accelerator wanted, or under the first that proves itself by booting one.
async fn boot(
    workshop: &Workshop,
    image: &Image,
    measured: Measurement,
    wanted: Option<Accelerator>,
) -> Result<Template, TemplateError> {
    if let Some(accelerator) = wanted {
        return Template::make(workshop, image, measured, accelerator).await;
    }
    if std::fs::exists("/dev/kvm").unwrap_or(false) {
        match Template::make(workshop, image, measured, Accelerator::Kvm).await {
            Ok(template) => return Ok(template),
            // opening /dev/kvm proves nothing: on some machines it opens and guests die
            Err(error) => tracing::info!(%error, "KVM does not work here: zones run without it"),
        }
    }
    Template::make(workshop, image, measured, Accelerator::Tcg).await
}

fn check_swap(settings: &PoolSettings) -> Result<(), PoolError> {
    match Swap::now().map_err(PoolError::System)? {
        Swap::Off => tracing::info!("no swap is on"),
        Swap::Safe => tracing::info!("all swap is encrypted or compressed memory"),
        Swap::InClear(areas) if settings.danger_swap_in_clear => {
            tracing::warn!(areas = list(&areas), "zones' memory may be swapped out in clear, as the settings allow");
        }
        Swap::InClear(areas) => return Err(PoolError::SwapInClear(areas)),
    }
    Ok(())
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Twice as long after each failure in a row.
fn pause(failures: u32, slowest: Duration) -> Duration {
    slowest.min(FIRST_PAUSE.saturating_mul(1 << failures.min(16)))
}

impl fmt::Debug for PoolSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolSettings")
            .field("qemu", &self.qemu)
            .field("memory_mib", &self.memory_mib)
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}

const MOST_ASKING: usize = 64;
const FAILURES_OF_A_TEMPLATE: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const SLOWEST_CLONE: Duration = Duration::from_secs(10);
const SLOWEST_TEMPLATE: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests;
