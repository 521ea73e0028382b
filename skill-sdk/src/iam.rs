//! Identity and access management of Cognite Data Fusion: who may do what (contracts "cdf-iam" and "cdf-capabilities").
//!
//! - [`acl`], [`action`], [`scope`]: the tables of what permissions can be granted for
//! - [`capability`]: a permission, read from JSON and written as JSON; [`project_capability`]: one that holds in some projects
//! - [`compare`]: which capabilities are missing, `grants`: how that is found out; [`comparable`]: what can be compared; `verify`: which
//!   the caller lacks
//! - [`token`]: what the token of a client is good for
//! - [`groups`]: groups, which give capabilities to their members
//! - [`security_categories`]: marks on data that only members of the category may read
//! - [`sessions`]: permission for services to act on somebody's behalf
//! - [`user_profiles`]: who users are
//! - `limit`: how long a list may be; `one_or_many`: arguments that are one thing or a list
//! - `api`: how requests are made; `pages`, `chunks`: lists and calls that take several requests
//!
//! # Calls that fail
//!
//! Calls fail as all of a [client](crate::client#calls-that-fail) do, and beside that
//!
//! - [`Error::is_not_found`] tells of a refusal that names what is [missing](crate::Error::missing) too, and
//!   [`Error::is_duplicated`] of what is [there already](crate::Error::duplicated);
//! - the error of a token that was refused says for which projects it does work, if it works for any: that is one more request;
//! - a call with many items may fail for some of them: [`Error::items`](crate::Error::items) has all four lists. After a
//!   request that failed no further one is begun.
//!
//! A call that fails is repeated up to nine times, of which three after failures to connect, [unless set
//! otherwise](crate::Client::with_retries):
//!
//! | failure | which calls are repeated |
//! |---|---|
//! | no connection, 429, and whatever the platform marks as worth another try | all |
//! | the connection breaks, no answer in time, 502, 503, 504 | all but those that create something. What is gone when it is deleted again was deleted |
//!
//! Pauses are as for all calls, but up to 30 s. [`Iam::with_repeated_creates`] has calls that create something repeated too.
//!
//! Lists of more than 1000 items go out in several requests, five at a time (100 for sessions that are revoked). Results are in
//! the order of what was given. The limit for the body of a call is not that of other platforms, and does not count here.
//!
//! [`Error::is_not_found`]: crate::Error::is_not_found
//! [`Error::is_duplicated`]: crate::Error::is_duplicated

pub use acl::Acl;
pub use action::Action;
pub use capability::{Capability, Loading};
pub use comparable::Comparable;
pub use compare::{CompareOptions, Comparison, Warning, compare_capabilities};
pub use groups::{AppToken, Group, GroupAttributes, GroupWrite, Groups, Members};
pub use limit::Limit;
pub use one_or_many::OneOrMany;
pub use project_capability::{ProjectCapability, ProjectScope};
pub use scope::{Scope, ScopeKind};
pub use security_categories::{SecurityCategories, SecurityCategory, SecurityCategoryOptions, SecurityCategoryWrite};
pub use sessions::{ClientCredentials, CreatedSession, Session, SessionOptions, SessionType, Sessions};
pub use token::{ProjectSpec, Token, TokenInspection};
pub use user_profiles::{UserProfile, UserProfiles, UserProfilesConfiguration};

use api::Api;

use crate::client::Client;
use crate::client::request::unavailable;
use crate::error::Error;

pub mod acl;
pub mod action;
mod api;
pub mod capability;
mod chunks;
mod columns;
pub mod comparable;
pub mod compare;
mod grants;
pub mod groups;
mod limit;
mod load;
mod one_or_many;
mod pages;
pub mod project_capability;
pub mod scope;
pub mod security_categories;
pub mod sessions;
pub(crate) mod snake_case;
mod suggest;
pub mod token;
mod tree;
pub mod user_profiles;
mod verify;

/// What an application is called that does not say.
const DEFAULT_APPLICATION: &str = "skill-sdk";

/// Identity and access management of a project.
///
/// ```no_run
/// # async fn example(client: skill_sdk::Client) -> Result<(), skill_sdk::Error> {
/// let iam = client.iam().with_application("order-reports");
/// let inspection = iam.token().inspect().await?;
/// println!("{} may do {} things", inspection.subject, inspection.capabilities.len());
/// let everybody = iam.user_profiles().list_with(None).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Iam {
    api: Api,
}

impl Iam {
    pub(crate) fn new(client: Client) -> Self {
        let application = DEFAULT_APPLICATION.to_owned();
        Self { api: Api { client, application, gzip: true, repeats_creates: false } }
    }

    /// The same for an application of this name, which the platform is told (`x-cdp-app`): `skill-sdk` unless set. With a name
    /// that no header can carry all calls fail.
    pub fn with_application(mut self, name: impl Into<String>) -> Self {
        self.api.application = name.into();
        self
    }

    /// The same, with bodies that are compressed or are not. They are unless set.
    pub fn with_gzip(mut self, gzip: bool) -> Self {
        self.api.gzip = gzip;
        self
    }

    /// The same, but calls that create groups, security categories or sessions are repeated when it is not known whether
    /// they did. What they create may then be there twice, also under one name.
    pub fn with_repeated_creates(mut self) -> Self {
        self.api.repeats_creates = true;
        self
    }

    /// The token of the client.
    pub fn token(&self) -> Token {
        Token::new(self.api.clone())
    }

    /// The groups of the project.
    pub fn groups(&self) -> Groups {
        Groups::new(self.api.clone())
    }

    /// The security categories of the project.
    pub fn security_categories(&self) -> SecurityCategories {
        SecurityCategories::new(self.api.clone())
    }

    /// The sessions of the project.
    pub fn sessions(&self) -> Sessions {
        Sessions::new(self.api.clone())
    }

    /// The profiles of the users of the project.
    pub fn user_profiles(&self) -> UserProfiles {
        UserProfiles::new(self.api.clone())
    }
}

/// The failure of an answer without the one thing that was asked for.
fn absent(failure: &str) -> impl FnOnce() -> Error {
    let error = unavailable(failure, "the answer is not the JSON that was expected (it has no items)");
    move || error
}
