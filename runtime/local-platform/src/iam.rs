//! The identity and access management of Cognite Data Fusion (cdf-iam).
//!
//! `P` is `/api/v1/projects/{project}`; any project name is accepted. The administrator may do everything, and others in
//! a project what their groups there permit:
//!
//! | request | needs |
//! |---|---|
//! | `GET /api/v1/token/inspect` | nothing |
//! | `GET P/groups?all=` | nothing for the own groups; for all of them `groupsAcl` LIST |
//! | `POST P/groups`, `P/groups/delete` | `groupsAcl` CREATE, DELETE; for the own groups with `currentuserscope` |
//! | `GET P/securitycategories?limit=&cursor=&sort=` | `securityCategoriesAcl` LIST; with `idscope` those are listed |
//! | `POST P/securitycategories` | `securityCategoriesAcl` CREATE |
//! | `POST P/securitycategories/delete` | `securityCategoriesAcl` DELETE; with `idscope` for those |
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
