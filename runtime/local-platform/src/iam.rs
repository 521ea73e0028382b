//! The identity and access management of Cognite Data Fusion (cdf-iam).
//!
//! `P` is `/api/v1/projects/{project}`; any project name is accepted. Who does not administrate the platform may do in a project
//! what the capabilities of their groups there permit:
//!
//! | request | needs |
//! |---|---|
//! | `GET /api/v1/token/inspect` | nothing |
//! | `GET P/groups?all=` | nothing for the own groups; for all of them `groupsAcl` LIST |
//! | `POST P/groups`, `P/groups/delete` | `groupsAcl` CREATE, DELETE; `currentuserscope` does for groups that one is a member of |
//! | `GET P/securitycategories?limit=&cursor=&sort=` | `securityCategoriesAcl` LIST; with `idscope` it lists those |
//! | `POST P/securitycategories`, `P/securitycategories/delete` | `securityCategoriesAcl` CREATE, DELETE; `idscope` does to delete those |
//! | `POST P/sessions` | `sessionsAcl` CREATE |
//! | `GET P/sessions?status=&limit=&cursor=`, `POST P/sessions/byids` | `sessionsAcl` LIST |
//! | `POST P/sessions/revoke` | `sessionsAcl` DELETE; without LIST the answer has only ids |
//! | `GET P/profiles/me` | nothing |
//! | `GET P/profiles?limit=&cursor=`, `POST P/profiles/byids`, `P/profiles/search` | `userProfilesAcl` READ |
//! | `POST P/update` | `projectsAcl` UPDATE |
//!
//! - `rights`: what a caller may do; `items`, `page`: the bodies and the lists that all these have
//! - `groups`, `security_categories`, `sessions`, `user_profiles`: the resources; `inspect`: what a token is good for

use axum::Router;

use crate::backend::Backend;

mod groups;
mod inspect;
mod items;
mod page;
mod rights;
mod security_categories;
mod sessions;
mod user_profiles;

pub(crate) fn routes() -> Router<Backend> {
    Router::new()
        .merge(inspect::routes())
        .merge(groups::routes())
        .merge(security_categories::routes())
        .merge(sessions::routes())
        .merge(user_profiles::routes())
}
