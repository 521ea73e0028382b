//! What can be done with things of a kind.

use std::cmp::Ordering;
use std::fmt;

use serde::{Serialize, Serializer};

/// Declares the actions with the names that go over the wire.
macro_rules! table {
    ($( $variant:ident: $name:literal; )+) => {
        /// What can be done with things of a kind. Which of them an ACL has, [`Acl::actions`](super::Acl::actions) says.
        ///
        /// They are ordered by name. No action includes another: whoever may write may not read because of that.
        #[derive(Clone, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum Action {
            $( #[doc = concat!("`", $name, "`")] $variant, )+
            /// One that is not known here, as it was received.
            Other(OtherAction),
        }

        impl Action {
            /// The name that goes over the wire, such as `READ`.
            pub fn as_str(&self) -> &str {
                match self { $( Action::$variant => $name, )+ Action::Other(other) => &other.0 }
            }

            /// The action of this name, which is case-sensitive.
            fn of(name: &str) -> Option<Self> {
                match name { $( $name => Some(Action::$variant), )+ _ => None }
            }
        }
    };
}

table! {
    Create: "CREATE";
    Delete: "DELETE";
    Execute: "EXECUTE";
    List: "LIST";
    Manage: "MANAGE";
    MemberOf: "MEMBEROF";
    Owner: "OWNER";
    Read: "READ";
    Review: "REVIEW";
    Run: "RUN";
    Suggest: "SUGGEST";
    Update: "UPDATE";
    Use: "USE";
    Write: "WRITE";
    WriteProperties: "WRITE_PROPERTIES";
}

/// The name of an action that is not known here.
// A thin pointer: an action is as large as its largest variant, and all others have no fields.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct OtherAction(Box<Box<str>>);

impl From<&str> for Action {
    fn from(name: &str) -> Self {
        Self::of(name).unwrap_or_else(|| Self::Other(OtherAction(Box::new(name.into()))))
    }
}

impl Ord for Action {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl PartialOrd for Action {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for Action {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for OtherAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_kept_as_it_is() {
        assert_eq!(Action::from("WRITE_PROPERTIES"), Action::WriteProperties);
        for name in ["read", "FLY", ""] {
            let action = Action::from(name);
            assert!(matches!(action, Action::Other(_)), "{name}");
            assert_eq!(action.as_str(), name);
        }
        assert!(Action::from("FLY") < Action::Read && Action::Write < Action::WriteProperties);
    }

    #[test]
    fn an_action_is_small() {
        assert_eq!(size_of::<Action>(), 16);
    }
}
