//! Groups of a project (contract "cdf-iam", sections 2 and 6).

use serde_json::{Value, json};

use super::absent;
use super::api::{Api, Items};
use super::chunks::{CHUNK, Chunked};
use super::one_or_many::OneOrMany;
use crate::client::retry::Repeat;
use crate::error::Error;

pub use group::{AppToken, Group, GroupAttributes, Members};
pub use write::GroupWrite;

mod group;
mod write;

/// The groups of a project. A group gives capabilities to its members.
///
/// ```no_run
/// # async fn example(client: skill_sdk::Client) -> Result<(), skill_sdk::Error> {
/// use skill_sdk::iam::{GroupWrite, Members};
///
/// let groups = client.iam().groups();
/// let readers = GroupWrite::new("readers").members(Members::AllUserAccounts).metadata("team", "orders");
/// let readers = groups.create(readers).await?;
/// for group in groups.list_all().await? {
///     println!("{} {}", group.id, group.name);
/// }
/// groups.delete(readers.id).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Groups {
    api: Api,
}

impl Groups {
    pub(super) fn new(api: Api) -> Self {
        Self { api }
    }

    /// The groups that the client's token makes one a member of.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::iam#calls-that-fail).
    pub async fn list(&self) -> Result<Vec<Group>, Error> {
        self.list_with(false).await
    }

    /// All groups of the project. That needs the action `LIST` of `groupsAcl`.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::iam#calls-that-fail).
    pub async fn list_all(&self) -> Result<Vec<Group>, Error> {
        self.list_with(true).await
    }

    async fn list_with(&self, all: bool) -> Result<Vec<Group>, Error> {
        let mut url = self.api.url(["groups"]);
        url.query_pairs_mut().append_pair("all", if all { "true" } else { "false" });
        let Items { items } = self.api.json(self.api.get(url, "cannot list groups")?).await?;
        Ok(items)
    }

    /// Creates one group or several. Two groups may have one name: see
    /// [`with_repeated_creates`](super::Iam::with_repeated_creates).
    ///
    /// # Errors
    ///
    /// As all [calls](crate::iam#calls-that-fail); [`Code::SkillFailed`](crate::Code) before anything is sent, for a group that
    /// has both members and a source, or [metadata](GroupWrite::metadata) beyond the limits.
    pub async fn create<G: OneOrMany<GroupWrite>>(&self, groups: G) -> Result<G::Output<Group>, Error> {
        let failure = "cannot create groups";
        let groups = groups.into_items();
        groups.iter().try_for_each(|group| group.check(failure))?;
        let call = Chunked {
            path: &["groups"],
            failure,
            size: CHUNK,
            repeat: self.api.repeat_of_creates(),
            known_by: |group: &GroupWrite| json!({"name": group.name}),
            deletes: None,
        };
        G::output(self.api.in_chunks(&call, &groups).await?, absent(failure))
    }

    /// Deletes one group or several, by their ids.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::iam#calls-that-fail); [`Error::is_not_found`] when one is not there.
    pub async fn delete(&self, ids: impl OneOrMany<i64>) -> Result<(), Error> {
        let call = Chunked {
            path: &["groups", "delete"],
            failure: "cannot delete groups",
            size: CHUNK,
            repeat: Repeat::AfterSilence,
            known_by: |id: &i64| (*id).into(),
            deletes: Some(|id| *id),
        };
        self.api.in_chunks::<_, Value>(&call, &ids.into_items()).await.map(drop)
    }
}
