//! Profiles of the users of a project (contract "cdf-iam", sections 2 and 6).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::api::{Api, Items};
use super::chunks::{CHUNK, Chunked};
use super::limit::Limit;
use super::one_or_many::OneOrMany;
use super::pages::PAGE;
use crate::client::retry::Repeat;
use crate::error::Error;

/// The profiles of the users of a project, as their identity provider says them.
#[derive(Clone, Debug)]
pub struct UserProfiles {
    api: Api,
}

/// Who a user is.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct UserProfile {
    /// What the user is known by. It never changes.
    pub user_identifier: String,
    /// When the profile was last changed, in milliseconds since 1970 UTC.
    pub last_updated_time: i64,
    /// The first name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    /// The family name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surname: Option<String>,
    /// The address for mail. It may change, and nobody has verified it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The name that is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// What the user works as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_title: Option<String>,
    /// Whatever else the platform says of the user.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Whether a project keeps profiles.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct UserProfilesConfiguration {
    /// Whether it does.
    pub enabled: bool,
    /// Whatever else the platform says.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A user as requests name one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UserIdentifier {
    user_identifier: String,
}

impl UserProfiles {
    pub(super) fn new(api: Api) -> Self {
        Self { api }
    }

    /// Makes the project keep profiles of its users.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::iam#calls-that-fail).
    pub async fn enable(&self) -> Result<UserProfilesConfiguration, Error> {
        self.set_enabled(true, "cannot enable user profiles").await
    }

    /// Makes the project keep no profiles.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::iam#calls-that-fail).
    pub async fn disable(&self) -> Result<UserProfilesConfiguration, Error> {
        self.set_enabled(false, "cannot disable user profiles").await
    }

    async fn set_enabled(&self, enabled: bool, failure: &str) -> Result<UserProfilesConfiguration, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Project {
            user_profiles_configuration: UserProfilesConfiguration,
        }

        let body = json!({"update": {"userProfilesConfiguration": {"set": {"enabled": enabled}}}});
        let call = self.api.post(self.api.url(["update"]), failure)?.json(&body)?;
        let Project { user_profiles_configuration } = self.api.json(call).await?;
        Ok(user_profiles_configuration)
    }

    /// The profile of whoever the client acts for.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::iam#calls-that-fail); [`Error::is_not_found`] when there is none.
    pub async fn me(&self) -> Result<UserProfile, Error> {
        self.api.json(self.api.get(self.api.url(["profiles", "me"]), "cannot get the own user profile")?).await
    }

    /// The first 25 profiles, ordered by name.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::iam#calls-that-fail).
    pub async fn list(&self) -> Result<Vec<UserProfile>, Error> {
        self.list_with(Limit::default()).await
    }

    /// So many profiles, ordered by name.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::iam#calls-that-fail); [`Code::SkillFailed`](crate::Code) for a limit below one.
    pub async fn list_with(&self, limit: impl Into<Limit>) -> Result<Vec<UserProfile>, Error> {
        self.api.list(self.api.url(["profiles"]), "cannot list user profiles", PAGE, limit.into()).await
    }

    /// The profile of one user, if there is one, or those of several, by their identifiers.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::iam#calls-that-fail). When one of several is not there that is [`Error::is_not_found`], and
    /// [`Error::missing`] has objects with `userIdentifier`.
    pub async fn retrieve<I: OneOrMany<String>>(&self, user_identifiers: I) -> Result<I::Found<UserProfile>, Error> {
        let call = Chunked {
            path: &["profiles", "byids"],
            failure: "cannot retrieve user profiles",
            size: CHUNK,
            repeat: Repeat::AfterSilence,
            known_by: |user: &UserIdentifier| json!(user),
            deletes: None,
        };
        let users = user_identifiers.into_items().into_iter().map(|user_identifier| UserIdentifier { user_identifier });
        let users: Vec<UserIdentifier> = users.collect();
        I::found(self.api.in_chunks(&call, &users).await)
    }

    /// The first 25 profiles of users one of whose names begins so. What is found may change with the platform: this is for
    /// people who look for somebody, not for programs.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::iam#calls-that-fail).
    pub async fn search(&self, name: &str) -> Result<Vec<UserProfile>, Error> {
        self.search_with(name, Limit::default()).await
    }

    /// As [`search`](Self::search), with another limit. A search has no pages: without a limit it asks for 1000.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::iam#calls-that-fail); [`Code::SkillFailed`](crate::Code) for a limit below one.
    pub async fn search_with(&self, name: &str, limit: impl Into<Limit>) -> Result<Vec<UserProfile>, Error> {
        let failure = "cannot search for user profiles";
        let limit = limit.into().check(failure)?.unwrap_or(PAGE);
        let body = json!({"search": {"name": name}, "filter": {}, "limit": limit});
        let call = self.api.post(self.api.url(["profiles", "search"]), failure)?.json(&body)?;
        let Items { items } = self.api.json(call).await?;
        let mut profiles: Vec<UserProfile> = items;
        profiles.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(profiles)
    }
}
