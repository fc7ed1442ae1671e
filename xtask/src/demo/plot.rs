//! The story, chapter by chapter. A step says by whom, what is asked, and the command.

mod asked;
mod evidence;
mod gate;
mod lent;
mod levels;
mod open;
mod stock;
mod told;

use std::path::Path;

use super::{DemoError, cast::Cast, story::Story};
use crate::lake::Written;

pub(super) use gate::set_up;
#[cfg(test)]
pub(super) use {
    asked::ASKED, asked::ASKED_PURPOSE, lent::AGREED, lent::AGREED_PURPOSE, lent::LENT, lent::PURPOSE, open::PUBLIC,
    stock::DATASETS,
};

/// What every chapter works with.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    pub(super) cast: &'a Cast,
    /// A copy of `config/demo`, and in `release` one of `config/release`.
    pub(super) descriptions: &'a Path,
    pub(super) lake: &'a [Written],
}

impl Scene<'_> {
    /// The files of a dataset.
    fn files(&self, dataset: &str) -> impl Iterator<Item = &Written> {
        self.lake.iter().filter(move |file| file.dataset == dataset)
    }

    /// A dataset's description.
    fn description(&self, dataset: &str) -> String {
        self.descriptions.join(format!("{dataset}.toml")).display().to_string()
    }
}

/// Tells all that needs a gateway that runs.
pub(super) fn tell(story: &mut Story, scene: &Scene<'_>) -> Result<(), DemoError> {
    gate::people(story, scene)?;
    stock::datasets(story, scene)?;
    evidence::first_look(story, scene)?;
    open::public_way(story, scene)?;
    let grant = lent::by_grant(story, scene)?;
    lent::under_an_agreement(story, scene)?;
    if let Some(grant) = grant {
        lent::taken_back(story, scene, &grant)?;
    }
    levels::sensitive(story, scene)?;
    asked::sensitive_way(story, scene)?;
    told::and_why_not_more(story, scene)?;
    levels::raised(story, scene)?;
    stock::at_rest(story, scene)?;
    evidence::log(story, scene)
}
