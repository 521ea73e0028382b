//! What the caller lacks.

use super::Iam;
use super::comparable::{Comparable, Side};
use super::compare::{CompareOptions, Comparison, compare_capabilities, compare_sides};
use crate::error::Error;

impl Iam {
    /// What the token of the client lacks, in its project, of what is desired: [`compare_capabilities`] with what the token's
    /// [inspection](super::Token::inspect) says. The options name another project where that is wanted.
    ///
    /// ```no_run
    /// # async fn example(client: skill_sdk::Client) -> Result<(), skill_sdk::Error> {
    /// use skill_sdk::iam::{Acl, Action::*, Capability, CompareOptions, Scope};
    ///
    /// let desired = [
    ///     Capability::new(Acl::Assets, [Read, Write], Scope::all()),
    ///     Capability::new(Acl::Events, [Write], Scope::dataset([123])),
    /// ];
    /// let comparison = client.iam().verify_capabilities(&desired, &CompareOptions::new()).await?;
    /// comparison.check()?; // `missing_capabilities`, unless nothing is missing
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`compare_capabilities`], and as all [calls](crate::iam#calls-that-fail).
    pub async fn verify_capabilities(
        &self,
        desired: &(impl Comparable + ?Sized),
        options: &CompareOptions,
    ) -> Result<Comparison, Error> {
        let options = self.in_project(options);
        // A wish that makes no sense is not worth a request.
        let desired = Side::desired(desired, &options)?;
        let inspection = self.token().inspect().await?;
        compare_sides(&Side::existing(&inspection, &options)?, &desired, &options)
    }

    /// As [`compare_capabilities`], with the project of the client unless the options name one.
    ///
    /// # Errors
    ///
    /// As for [`compare_capabilities`].
    pub fn compare_capabilities(
        &self,
        existing: &(impl Comparable + ?Sized),
        desired: &(impl Comparable + ?Sized),
        options: &CompareOptions,
    ) -> Result<Comparison, Error> {
        compare_capabilities(existing, desired, &self.in_project(options))
    }

    fn in_project(&self, options: &CompareOptions) -> CompareOptions {
        let mut options = options.clone();
        options.project.get_or_insert_with(|| self.api.client.project().to_owned());
        options
    }
}
