//! How many entries of a list are wanted.

use crate::error::{Code, Error};

/// Most entries of a list: 25 unless said otherwise. Numbers are made into one, and `None` and −1 mean all there are (contract
/// "cdf-iam", section 2).
///
/// ```
/// # use skill_sdk::iam::Limit;
/// assert_eq!(Limit::from(7), Limit::AtMost(7));
/// assert_eq!(Limit::from(None), Limit::Unlimited);
/// assert_eq!(Limit::from(-1), Limit::Unlimited);
/// assert_eq!(Limit::default(), Limit::AtMost(25));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Limit {
    /// All there are.
    Unlimited,
    /// So many. Fewer than one are refused before anything is sent.
    AtMost(i64),
}

impl Limit {
    /// The number; `None` when there is none.
    ///
    /// # Errors
    ///
    /// [`Code::SkillFailed`] when it is less than one; `failure` says what fails then.
    pub(super) fn check(self, failure: &str) -> Result<Option<u64>, Error> {
        match self {
            Self::Unlimited => Ok(None),
            Self::AtMost(limit) => match u64::try_from(limit) {
                Ok(limit @ 1..) => Ok(Some(limit)),
                _ => Err(Error::new(Code::SkillFailed, format!("{failure}: limit must be strictly positive"))),
            },
        }
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self::AtMost(25)
    }
}

impl From<i64> for Limit {
    fn from(limit: i64) -> Self {
        if limit == -1 { Self::Unlimited } else { Self::AtMost(limit) }
    }
}

impl From<i32> for Limit {
    fn from(limit: i32) -> Self {
        i64::from(limit).into()
    }
}

impl From<u32> for Limit {
    fn from(limit: u32) -> Self {
        i64::from(limit).into()
    }
}

impl From<u64> for Limit {
    fn from(limit: u64) -> Self {
        // There are no lists of more.
        Self::AtMost(limit.try_into().unwrap_or(i64::MAX))
    }
}

impl From<usize> for Limit {
    fn from(limit: usize) -> Self {
        (limit as u64).into()
    }
}

impl From<Option<i64>> for Limit {
    fn from(limit: Option<i64>) -> Self {
        limit.map_or(Self::Unlimited, Self::from)
    }
}
