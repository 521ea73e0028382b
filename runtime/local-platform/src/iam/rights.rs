//! What a caller may do in a project.

use axum::http::StatusCode;
use skill_sdk::iam::{Acl, Action, Capability, CompareOptions, Scope, compare_capabilities};

use super::groups;
use crate::answer::Refusal;
use crate::name::Project;
use crate::principals::Caller;
use crate::records::{Lookup, StorageError};

/// What a caller may do in a project, by the groups of the moment at which it was looked up.
pub(crate) struct Rights {
    caller: String,
    project: String,
    held: Held,
}

enum Held {
    /// The administrator's.
    Everything,
    Capabilities(Vec<Capability>),
}

impl Rights {
    /// The rights of a caller: all of them for the administrator, else those of the caller's groups.
    pub(crate) fn of(caller: &Caller, project: &Project, records: &impl Lookup) -> Result<Self, StorageError> {
        let principal = &caller.0;
        let held = if principal.is_administrator {
            Held::Everything
        } else {
            let groups = groups::of_principal(principal, project, records)?;
            Held::Capabilities(groups.into_iter().flat_map(|group| group.capabilities).collect())
        };
        Ok(Self { caller: principal.name.clone(), project: project.as_str().to_owned(), held })
    }

    /// Whether the caller may do this.
    pub(crate) fn permit(&self, acl: Acl, action: Action, scope: Scope) -> Result<bool, Refusal> {
        self.permit_wish(&Capability::new(acl, [action], scope))
    }

    fn permit_wish(&self, wish: &Capability) -> Result<bool, Refusal> {
        let Held::Capabilities(held) = &self.held else {
            return Ok(true);
        };
        // What cannot be compared grants nothing, and need not be warned of at each request.
        let is_known =
            |held: &&Capability| held.acl() == wish.acl() && held.scope().is_some_and(|scope| scope.kind().is_some());
        let held: Vec<&Capability> = held.iter().filter(is_known).collect();
        let compared = compare_capabilities(&held, wish, &CompareOptions::new());
        compared
            .map(|compared| compared.is_granted())
            .map_err(|error| Refusal::internal("the rights could not be compared", &error.chain()))
    }

    /// Whether the caller may do this with anything at all.
    pub(crate) fn permit_some(&self, acl: Acl, action: &Action) -> bool {
        match &self.held {
            Held::Everything => true,
            Held::Capabilities(held) => {
                held.iter().any(|held| held.acl() == Some(acl) && held.actions().contains(action))
            }
        }
    }

    /// Refuses whoever may not do this, and says what they lack.
    pub(crate) fn need(&self, acl: Acl, action: Action, scope: Scope) -> Result<(), Refusal> {
        let wish = Capability::new(acl, [action], scope);
        if self.permit_wish(&wish)? {
            return Ok(());
        }
        // It is no field `missing`: with that, clients take what was asked for to be absent.
        let message = format!("{} lacks {wish:?} in the project {}", self.caller, self.project);
        Err(Refusal::new(StatusCode::FORBIDDEN, message))
    }
}
