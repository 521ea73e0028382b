//! Skills of this program: their futures run in the host.

use std::panic::{AssertUnwindSafe, catch_unwind};

use skill_sdk::{Code, Error, Invocation, Manifest, Schemas, Skill};

use super::{Answer, HostedSkill};

pub(super) fn skills(skills: Vec<Skill>) -> Vec<Box<dyn HostedSkill>> {
    skills.into_iter().map(|skill| Box::new(Linked(skill)) as Box<dyn HostedSkill>).collect()
}

struct Linked(Skill);

impl HostedSkill for Linked {
    fn manifest(&self) -> &Manifest {
        self.0.manifest()
    }

    fn schemas(&self) -> Result<Schemas, Error> {
        catch_unwind(AssertUnwindSafe(|| self.0.schemas()))
            .map_err(|_| Error::new(Code::SkillPanicked, "the skill's types panicked; the log says where"))
    }

    fn call(&self, invocation: Invocation) -> Answer {
        Box::pin(self.0.call(invocation))
    }
}
