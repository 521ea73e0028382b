//! For which things of a kind a permission holds.

use std::fmt;

use indexmap::IndexMap;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;
use smallvec::SmallVec;

/// What the entries of a scope are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Entries {
    /// There are none.
    Nothing,
    Ids,
    Texts,
    Tables,
}

/// Declares a kind of scope on one line: its name, what its entries are, the field that holds them, and what its constructor
/// is called.
macro_rules! table {
    ($( $(#[doc = $doc:literal])* $variant:ident: $name:literal, $entries:ident $field:literal, $constructor:ident; )+) => {
        /// A kind of scope (contract "cdf-capabilities", section 3). Two kinds never mean the same, even with equal entries.
        ///
        /// They are ordered by name.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[non_exhaustive]
        pub enum ScopeKind { $( #[doc = concat!("`", $name, "`")] $(#[doc = ""] #[doc = $doc])* $variant, )+ }

        impl ScopeKind {
            /// The whole table, in the order of the names.
            pub const ALL: &[ScopeKind] = &[ $( ScopeKind::$variant, )+ ];

            /// The name that goes over the wire, such as `datasetScope`.
            pub const fn as_str(self) -> &'static str {
                match self { $( ScopeKind::$variant => $name, )+ }
            }

            pub(super) const fn entries(self) -> Entries {
                match self { $( ScopeKind::$variant => Entries::$entries, )+ }
            }

            /// The field that holds the entries.
            pub(super) const fn field(self) -> &'static str {
                match self { $( ScopeKind::$variant => $field, )+ }
            }

            pub(super) fn of(name: &str) -> Option<Self> {
                match name { $( $name => Some(ScopeKind::$variant), )+ _ => None }
            }
        }

        /// One constructor for each [kind](ScopeKind).
        impl Scope {
            $( table! { @$entries $variant $name $constructor $(#[doc = $doc])* } )+
        }
    };
    (@Nothing $variant:ident $name:literal $constructor:ident $(#[doc = $doc:literal])*) => {
        #[doc = concat!("`", $name, "`")]
        $(#[doc = ""] #[doc = $doc])*
        pub fn $constructor() -> Self {
            Self(Form::Plain(ScopeKind::$variant))
        }
    };
    (@Ids $variant:ident $name:literal $constructor:ident $(#[doc = $doc:literal])*) => {
        #[doc = concat!("`", $name, "` with these ids")]
        $(#[doc = ""] #[doc = $doc])*
        pub fn $constructor(ids: impl IntoIterator<Item = i64>) -> Self {
            Self(Form::Ids(ScopeKind::$variant, ids.into_iter().collect()))
        }
    };
    (@Texts $variant:ident $name:literal $constructor:ident $(#[doc = $doc:literal])*) => {
        #[doc = concat!("`", $name, "` with these entries")]
        $(#[doc = ""] #[doc = $doc])*
        pub fn $constructor<T: Into<Box<str>>>(entries: impl IntoIterator<Item = T>) -> Self {
            Self(Form::Texts(ScopeKind::$variant, entries.into_iter().map(Into::into).collect()))
        }
    };
    (@Tables $variant:ident $name:literal $constructor:ident $(#[doc = $doc:literal])*) => {
        #[doc = concat!("`", $name, "` with these databases and their tables")]
        ///
        /// A database without any is the whole of it, with the tables that come later. One that is named twice has the tables
        /// of the last time, as in JSON.
        $(#[doc = ""] #[doc = $doc])*
        pub fn $constructor<D, T, Ts>(databases: impl IntoIterator<Item = (D, Ts)>) -> Self
        where
            D: Into<Box<str>>,
            T: Into<Box<str>>,
            Ts: IntoIterator<Item = T>,
        {
            let tables = |tables: Ts| tables.into_iter().map(Into::into).collect();
            let databases: IndexMap<Box<str>, SmallVec<_>> =
                databases.into_iter().map(|(name, of)| (name.into(), tables(of))).collect();
            Self(Form::Tables(databases.into_iter().map(|(name, tables)| Database { name, tables }).collect()))
        }
    };
}

table! {
    /// It covers every other scope.
    All: "all", Nothing "", all;
    AppExternalId: "appExternalIdScope", Texts "externalIds", app_external_ids;
    /// `SEARCH` is the only entry known.
    App: "appScope", Texts "apps", apps;
    AssetRootId: "assetRootIdScope", Ids "rootIds", asset_roots;
    /// What belongs to whoever asks.
    CurrentUser: "currentuserscope", Nothing "", current_user;
    /// Only in old groups.
    DataModel: "dataModelScope", Texts "externalIds", data_models;
    DataSet: "datasetScope", Ids "ids", dataset;
    Experiments: "experimentscope", Texts "experiments", experiments;
    ExtractionPipeline: "extractionPipelineScope", Ids "ids", extraction_pipelines;
    Id: "idScope", Ids "ids", id;
    /// Written with a lower-case s: another kind than `idScope`.
    IdLowerCase: "idscope", Ids "ids", id_lower_case;
    Instances: "instancesScope", Texts "instances", instances;
    Partition: "partition", Ids "partitionIds", partitions;
    SpaceId: "spaceIdScope", Texts "spaceIds", spaces;
    /// Only in old groups.
    Space: "spaceScope", Texts "externalIds", spaces_of_old_groups;
    Table: "tableScope", Tables "dbsToTables", tables;
    Users: "usersScope", Texts "usernames", users;
}

impl fmt::Display for ScopeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// For which things of a kind a permission holds: one [kind of scope](ScopeKind) and its entries.
///
/// ```
/// # use skill_sdk::iam::Scope;
/// let scopes = [
///     Scope::all(),
///     Scope::dataset([41, 42]),
///     Scope::spaces(["plant"]),
///     Scope::tables([("sap", vec!["orders", "lines"]), ("lab", vec![])]), // of `lab` every table
/// ];
/// ```
#[derive(Clone, PartialEq)]
pub struct Scope(pub(super) Form);

#[derive(Clone, PartialEq)]
pub(super) enum Form {
    /// Of a kind whose entries are [`Entries::Nothing`].
    Plain(ScopeKind),
    Ids(ScopeKind, SmallVec<[i64; 1]>),
    Texts(ScopeKind, SmallVec<[Box<str>; 1]>),
    /// Of the only kind that has tables.
    Tables(Vec<Database>),
    /// A kind that is not known here, as it was received.
    Unknown(Box<(String, Value)>),
}

/// A database and its tables; none means the whole of it, with the tables that come later.
#[derive(Clone, PartialEq)]
pub(super) struct Database {
    pub(super) name: Box<str>,
    pub(super) tables: SmallVec<[Box<str>; 1]>,
}

impl Scope {
    /// Its kind; `None` for one that is not known here.
    pub fn kind(&self) -> Option<ScopeKind> {
        match &self.0 {
            Form::Plain(kind) | Form::Ids(kind, _) | Form::Texts(kind, _) => Some(*kind),
            Form::Tables(_) => Some(ScopeKind::Table),
            Form::Unknown(_) => None,
        }
    }

    /// The name of its kind, known or not.
    pub fn name(&self) -> &str {
        match &self.0 {
            Form::Unknown(unknown) => &unknown.0,
            _ => self.kind().map_or("", ScopeKind::as_str),
        }
    }
}

/// `{"datasetScope": {"ids": [1, 2]}}`
impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Form::Plain(kind) => single(serializer, kind.as_str(), &Empty {}),
            Form::Ids(kind, ids) => single(serializer, kind.as_str(), &Single(kind.field(), ids.as_slice())),
            Form::Texts(kind, texts) => single(serializer, kind.as_str(), &Single(kind.field(), texts.as_slice())),
            Form::Tables(databases) => {
                let kind = ScopeKind::Table;
                single(serializer, kind.as_str(), &Single(kind.field(), Databases(databases)))
            }
            Form::Unknown(unknown) => single(serializer, &unknown.0, &unknown.1),
        }
    }
}

/// `{}`
#[derive(Serialize)]
struct Empty {}

/// An object with one field.
pub(super) struct Single<'a, T>(pub(super) &'a str, pub(super) T);

impl<T: Serialize> Serialize for Single<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        single(serializer, self.0, &self.1)
    }
}

fn single<S: Serializer>(serializer: S, name: &str, value: &impl Serialize) -> Result<S::Ok, S::Error> {
    let mut object = serializer.serialize_map(Some(1))?;
    object.serialize_entry(name, value)?;
    object.end()
}

struct Databases<'a>(&'a [Database]);

impl Serialize for Databases<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|of| (&of.name, Single("tables", of.tables.as_slice()))))
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&json_text(self))
    }
}

/// A value as JSON, for a person.
pub(super) fn json_text(value: &impl Serialize) -> String {
    // What is written here has texts as keys and no numbers that JSON lacks.
    serde_json::to_string(value).unwrap_or_default()
}
