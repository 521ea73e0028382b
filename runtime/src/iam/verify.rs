//! `iam verify`: what is missing in a token.

use std::path::Path;
use std::process::ExitCode;

use skill_sdk::iam::comparable::Side;
use skill_sdk::iam::compare::compare_sides;
use skill_sdk::iam::{Capability, Comparison};
use skill_sdk::{Code, Error};

use super::file::CapabilityFile;
use super::{comparing, missing, with_iam};
use crate::call::beside;
use crate::cli::exit;
use crate::cli::iam::VerifyOptions;
use crate::identity;
use crate::outcome::Refusal;
use crate::skills::Skills;

pub(super) fn run(options: &VerifyOptions) -> Result<ExitCode, Refusal> {
    let VerifyOptions { desired, skill, name, meaning, call } = options;
    let desired = match (desired, skill) {
        (Some(path), None) => Desired::File(CapabilityFile::read(path)?),
        (None, Some(path)) => Desired::Skills(required(path, name.as_deref())?),
        _ => {
            let error = Error::new(Code::InvalidPayload, "give either --desired or --skill");
            return Err(Refusal::with_exit_code(error, exit::USAGE));
        }
    };
    if matches!(&desired, Desired::Skills(required) if required.is_empty()) {
        // Whoever needs nothing has it.
        return missing::print(&[]);
    }
    identity::check_named(&call.identity)?;
    with_iam(call, async |iam, project| {
        let options = comparing(meaning, Some(project));
        let unusable = |error| desired.unusable(error);
        let wanted = match &desired {
            Desired::File(file) => Side::desired(file.text(), &options),
            Desired::Skills(required) => Side::desired(required, &options),
        };
        let wanted = wanted.map_err(unusable)?;
        let inspection = iam.token().inspect().await?;
        let existing = Side::existing(&inspection, &options)?;
        // What fails now lies with what is desired.
        let Comparison { missing, .. } = compare_sides(&existing, &wanted, &options).map_err(unusable)?;
        beside(move || missing::print(&missing)).await?
    })
}

/// What somebody is to have.
enum Desired {
    File(CapabilityFile),
    Skills(Vec<Capability>),
}

impl Desired {
    fn unusable(&self, error: Error) -> Refusal {
        match self {
            Self::File(file) => file.unusable(error),
            Self::Skills(_) => error.into(),
        }
    }
}

/// What the skills require that lie at a path, or the one of this name.
fn required(path: &Path, name: Option<&str>) -> Result<Vec<Capability>, Error> {
    let skills = Skills::load(path)?;
    let chosen = match name {
        Some(name) => vec![skills.find(Some(name), None)?],
        None => skills.iter().collect(),
    };
    Ok(chosen.iter().flat_map(|skill| skill.manifest().requires.clone()).collect())
}
