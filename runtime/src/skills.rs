//! Where skills come from: every form behind one trait.
//!
//! - `linked`: skills of this program
//! - `library`: skills of a shared library
//! - `package`: a Cargo package, which is built into a library first

use std::future::Future;
use std::path::Path;
use std::pin::Pin;

use skill_sdk::{Code, Error, Invocation, Manifest, Response, Schemas, Skill};

use crate::authorize;

#[expect(unsafe_code, reason = "loads libraries and reads the tables they give")]
mod library;
mod linked;
mod package;

/// The answer to an invocation, when it comes. Dropping it cancels the work.
pub type Answer = Pin<Box<dyn Future<Output = Result<Response, Error>> + Send>>;

/// A skill that a host can run, whatever its form.
pub trait HostedSkill: Send + Sync {
    /// What a host must know to run it.
    fn manifest(&self) -> &Manifest;

    /// What it takes and gives.
    ///
    /// # Errors
    ///
    /// [`Code::SkillPanicked`] when the skill's types panic while they describe themselves.
    fn schemas(&self) -> Result<Schemas, Error>;

    /// Begins to answer. A panic of the skill is an answer too.
    fn call(&self, invocation: Invocation) -> Answer;
}

/// The skills of a host.
pub struct Skills(Vec<Box<dyn HostedSkill>>);

impl Skills {
    /// Skills that are linked into this program.
    ///
    /// # Errors
    ///
    /// [`Code::SkillNotFound`] when there is none, when two have one name, or when one requires capabilities that cannot be
    /// understood.
    pub fn linked(skills: Vec<Skill>) -> Result<Self, Error> {
        Self::of(linked::skills(skills), "the program")
    }

    /// Loads skills from a file or folder: a library, or a Cargo package, which is built first. This blocks, and shows
    /// Cargo's own progress on stderr.
    ///
    /// # Errors
    ///
    /// [`Code::SkillNotFound`] when there is nothing of the kind, or nothing that can be used; the detail says why.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let library = match package::manifest(path) {
            Some(manifest) => package::build(&manifest)?,
            None => path.to_owned(),
        };
        Self::of(library::open(&library)?, &path.display().to_string())
    }

    /// The skills of several places together.
    ///
    /// # Errors
    ///
    /// [`Code::SkillNotFound`] when two have one name.
    pub(crate) fn together(places: Vec<Self>) -> Result<Self, Error> {
        Self::of(places.into_iter().flat_map(|skills| skills.0).collect(), "the host")
    }

    fn of(skills: Vec<Box<dyn HostedSkill>>, origin: &str) -> Result<Self, Error> {
        let skills = Self(skills);
        let mut names = skills.names();
        if names.is_empty() {
            return Err(Error::new(Code::SkillNotFound, format!("{origin} has no skills")));
        }
        names.sort_unstable();
        if let Some([name, ..]) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            let detail = format!("{origin} has two skills with the name `{name}`");
            return Err(Error::new(Code::SkillNotFound, detail));
        }
        // What a host cannot understand, it cannot ask for: a library may be newer than this.
        skills.iter().try_for_each(|skill| authorize::check(skill.manifest(), origin))?;
        Ok(skills)
    }

    /// The names of the skills, in the order in which they were given.
    pub fn names(&self) -> Vec<&str> {
        self.iter().map(|skill| skill.manifest().name.as_str()).collect()
    }

    /// All skills.
    pub fn iter(&self) -> impl Iterator<Item = &dyn HostedSkill> {
        self.0.iter().map(|skill| &**skill)
    }

    /// Chooses the skill to run: the one that was asked for here, else the only one there is, whatever the message says
    /// (platforms deploy skills under other names), else the one that the message names.
    ///
    /// # Errors
    ///
    /// [`Code::SkillNotFound`], which lists the skills there are.
    pub fn find(&self, asked: Option<&str>, named: Option<&str>) -> Result<&dyn HostedSkill, Error> {
        let found = self.place(asked, named).and_then(|place| self.0.get(place));
        found.map(|skill| &**skill).ok_or_else(|| {
            let wanted = asked.or(named);
            let what = match wanted {
                Some(name) => format!("there is no skill `{name}` here"),
                None => "the message names no skill, and there are several here".to_owned(),
            };
            Error::new(Code::SkillNotFound, format!("{what}; there are: {}", self.names().join(", ")))
        })
    }
}

impl Skills {
    /// The place of the skill that [`find`](Self::find) gives, among all.
    pub(crate) fn place(&self, asked: Option<&str>, named: Option<&str>) -> Option<usize> {
        if asked.is_none() && self.0.len() == 1 {
            return Some(0);
        }
        let wanted = asked.or(named)?;
        self.iter().position(|skill| skill.manifest().name == wanted)
    }

    /// The name of the skill at a place.
    pub(crate) fn name(&self, place: usize) -> Option<&str> {
        self.0.get(place).map(|skill| skill.manifest().name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn skills(names: &[&str]) -> Result<Skills, Error> {
        let skill = |name: &&str| {
            Skill::new(*name, async |input: Value, _: skill_sdk::Context| -> skill_sdk::Result<Value> { Ok(input) })
        };
        Skills::linked(names.iter().map(skill).collect())
    }

    #[test]
    fn one_skill_is_run_whatever_the_message_says() {
        let skills = skills(&["a"]).unwrap();
        for named in [None, Some("a"), Some("other")] {
            assert_eq!(skills.find(None, named).unwrap().manifest().name, "a");
        }
        assert_eq!(skills.find(Some("b"), Some("a")).err().unwrap().code(), Code::SkillNotFound);
    }

    #[test]
    fn of_several_one_must_be_named() {
        let skills = skills(&["a", "acme/b"]).unwrap();
        assert_eq!(skills.find(None, Some("acme/b")).unwrap().manifest().name, "acme/b");
        assert_eq!(skills.find(Some("a"), Some("acme/b")).unwrap().manifest().name, "a");
        for (asked, named, detail) in [
            (None, None, "the message names no skill, and there are several here; there are: a, acme/b"),
            (None, Some("b"), "there is no skill `b` here; there are: a, acme/b"),
            (Some("c"), Some("a"), "there is no skill `c` here; there are: a, acme/b"),
        ] {
            let error = skills.find(asked, named).err().unwrap();
            assert_eq!((error.code(), error.detail()), (Code::SkillNotFound, detail));
        }
    }

    #[test]
    fn no_skill_and_two_of_a_name_are_refused() {
        assert!(skills(&[]).err().unwrap().detail().contains("has no skills"));
        assert!(skills(&["a", "b", "a"]).err().unwrap().detail().contains("two skills with the name `a`"));
    }
}
