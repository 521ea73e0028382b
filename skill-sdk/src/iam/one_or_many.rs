//! Arguments that are one thing or a list of things.

use crate::error::Error;

/// One thing, or a list of things: `T`, `&T`, `Vec<T>`, `[T; N]`, `&[T]` and `&Vec<T>`, and for texts the same of `&str`. Who
/// gives one gets one, who gives a list gets a list in the same order.
///
/// ```no_run
/// # async fn example(client: skill_sdk::Client) -> Result<(), skill_sdk::Error> {
/// use skill_sdk::iam::{Group, GroupWrite};
///
/// let groups = client.iam().groups();
/// let one: Group = groups.create(GroupWrite::new("readers")).await?;
/// let several: Vec<Group> = groups.create([GroupWrite::new("writers"), GroupWrite::new("owners")]).await?;
/// groups.delete(one.id).await?;
/// groups.delete([several[0].id, several[1].id]).await?;
/// # Ok(())
/// # }
/// ```
pub trait OneOrMany<T>: sealed::Sealed<T> {
    /// `R` for one thing, `Vec<R>` for a list.
    type Output<R>;

    /// `Option<R>` for one thing, which need not be there; `Vec<R>` for a list.
    type Found<R>;

    /// The things.
    #[doc(hidden)]
    fn into_items(self) -> Vec<T>;

    /// What came of them. `absent` is the failure when nothing came of the one.
    #[doc(hidden)]
    fn output<R>(results: Vec<R>, absent: impl FnOnce() -> Error) -> Result<Self::Output<R>, Error>;

    /// What was found of them.
    #[doc(hidden)]
    fn found<R>(results: Result<Vec<R>, Error>) -> Result<Self::Found<R>, Error>;
}

mod sealed {
    /// Keeps others from adding kinds of lists.
    pub trait Sealed<T> {}
}

macro_rules! one {
    ($([$($generics:tt)*] $items:ty: $item:ty, $this:ident => $into:expr;)+) => { $(
        impl<$($generics)*> sealed::Sealed<$item> for $items {}

        impl<$($generics)*> OneOrMany<$item> for $items {
            type Output<R> = R;
            type Found<R> = Option<R>;

            fn into_items(self) -> Vec<$item> {
                let $this = self;
                vec![$into]
            }

            fn output<R>(results: Vec<R>, absent: impl FnOnce() -> Error) -> Result<R, Error> {
                results.into_iter().next().ok_or_else(absent)
            }

            fn found<R>(results: Result<Vec<R>, Error>) -> Result<Option<R>, Error> {
                match results {
                    Ok(results) => Ok(results.into_iter().next()),
                    Err(error) if error.is_not_found() => Ok(None),
                    Err(error) => Err(error),
                }
            }
        }
    )+ };
}

macro_rules! many {
    ($([$($generics:tt)*] $items:ty: $item:ty, $this:ident => $into:expr;)+) => { $(
        impl<$($generics)*> sealed::Sealed<$item> for $items {}

        impl<$($generics)*> OneOrMany<$item> for $items {
            type Output<R> = Vec<R>;
            type Found<R> = Vec<R>;

            fn into_items(self) -> Vec<$item> {
                let $this = self;
                $into
            }

            fn output<R>(results: Vec<R>, _: impl FnOnce() -> Error) -> Result<Vec<R>, Error> {
                Ok(results)
            }

            fn found<R>(results: Result<Vec<R>, Error>) -> Result<Vec<R>, Error> {
                results
            }
        }
    )+ };
}

one! {
    [T] T: T, one => one;
    [T: Clone] &T: T, one => one.clone();
    [] &str: String, one => one.to_owned();
}

many! {
    [T] Vec<T>: T, many => many;
    [T: Clone] &Vec<T>: T, many => many.clone();
    [T: Clone] &[T]: T, many => many.to_vec();
    [T, const N: usize] [T; N]: T, many => many.into();
    [T: Clone, const N: usize] &[T; N]: T, many => many.to_vec();
    [] Vec<&str>: String, many => many.into_iter().map(str::to_owned).collect();
    [] &[&str]: String, many => many.iter().copied().map(str::to_owned).collect();
    [const N: usize] [&str; N]: String, many => many.map(str::to_owned).into();
    [const N: usize] &[&str; N]: String, many => many.map(str::to_owned).into();
}
