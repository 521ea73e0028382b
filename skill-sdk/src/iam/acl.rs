//! The table of access control lists.

use std::fmt;
use std::str::FromStr;

use super::action::Action;
use super::scope::ScopeKind;

/// Declares an ACL with its columns on one line. A line that ends with `legacy` is of one that the API no longer uses.
macro_rules! table {
    ($( $variant:ident: $name:literal, [$($action:ident),+], [$($scope:ident),+] $(, $legacy:ident)?; )+) => {
        /// An access control list: a kind of thing that permissions are granted for (contract "cdf-capabilities", section 2).
        ///
        /// They are ordered by name.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[non_exhaustive]
        pub enum Acl { $( #[doc = concat!("`", $name, "`")] $variant, )+ }

        impl Acl {
            /// The whole table, in the order of the names.
            pub const ALL: &[Acl] = &[ $( Acl::$variant, )+ ];

            /// The name that goes over the wire, such as `assetsAcl`.
            pub const fn as_str(self) -> &'static str {
                match self { $( Acl::$variant => $name, )+ }
            }

            /// What can be done with things of this kind.
            pub const fn actions(self) -> &'static [Action] {
                match self { $( Acl::$variant => &[$( Action::$action ),+], )+ }
            }

            /// How it can be said for which of these things.
            pub const fn scopes(self) -> &'static [ScopeKind] {
                match self { $( Acl::$variant => &[$( ScopeKind::$scope ),+], )+ }
            }

            /// Whether the API no longer uses it. A comparison looks at no such capability.
            pub const fn is_legacy(self) -> bool {
                match self { $( Acl::$variant => table!(@legacy $($legacy)?), )+ }
            }

            /// The ACL of this name, which is case-sensitive.
            pub(super) fn of(name: &str) -> Option<Self> {
                match name { $( $name => Some(Acl::$variant), )+ _ => None }
            }
        }
    };
    (@legacy legacy) => { true };
    (@legacy) => { false };
}

table! {
    Agents: "agentsAcl", [Read, Write, Run], [All];
    Analytics: "analyticsAcl", [Read, Execute, List], [All];
    Annotations: "annotationsAcl", [Read, Write, Suggest, Review], [All];
    AppConfig: "appConfigAcl", [Read, Write], [All, App];
    AppHosting: "appHostingAcl", [Read, Write, Run], [All, AppExternalId];
    Assets: "assetsAcl", [Read, Write], [All, DataSet];
    Auditlog: "auditlogAcl", [Read], [All];
    ChartsAdmin: "chartsAdminAcl", [Read, Update, Delete], [All];
    CogUnits: "cogUnitsAcl", [Read], [All];
    DataModelInstances: "dataModelInstancesAcl", [Read, Write, WriteProperties], [All, SpaceId, Space];
    DataModels: "dataModelsAcl", [Read, Write], [All, SpaceId, DataModel];
    DataSets: "datasetsAcl", [Read, Write, Owner], [All, Id];
    DiagramParsing: "diagramParsingAcl", [Read, Write], [All];
    DigitalTwin: "digitalTwinAcl", [Read, Write], [All];
    DocumentFeedback: "documentFeedbackAcl", [Create, Read, Delete], [All];
    DocumentPipelines: "documentPipelinesAcl", [Read, Write], [All];
    EntityMatching: "entitymatchingAcl", [Read, Write], [All];
    Events: "eventsAcl", [Read, Write], [All, DataSet];
    Experiments: "experimentAcl", [Use], [Experiments];
    ExtractionConfigs: "extractionConfigsAcl", [Read, Write], [All, DataSet, ExtractionPipeline];
    ExtractionPipelines: "extractionPipelinesAcl", [Read, Write], [All, Id, DataSet];
    ExtractionRuns: "extractionRunsAcl", [Read, Write], [All, DataSet, ExtractionPipeline];
    FilePipelines: "filePipelinesAcl", [Read, Write], [All];
    Files: "filesAcl", [Read, Write], [All, DataSet];
    Functions: "functionsAcl", [Read, Write, Run], [All];
    Generics: "genericsAcl", [Read, Write], [All], legacy;
    Geospatial: "geospatialAcl", [Read, Write], [All];
    GeospatialCrs: "geospatialCrsAcl", [Read, Write], [All];
    Groups: "groupsAcl", [Create, Delete, Read, List, Update], [All, CurrentUser];
    HostedExtractors: "hostedExtractorsAcl", [Read, Write], [All];
    Labels: "labelsAcl", [Read, Write], [All, DataSet];
    LocationFilters: "locationFiltersAcl", [Read, Write], [All, Id];
    ModelHosting: "modelHostingAcl", [Read, Write], [All], legacy;
    MonitoringTasks: "monitoringTasksAcl", [Read, Write], [All];
    Notifications: "notificationsAcl", [Read, Write], [All];
    Pipelines: "pipelinesAcl", [Read, Write], [All];
    PostgresGateway: "postgresGatewayAcl", [Read, Write], [All, Users];
    Projects: "projectsAcl", [Read, Create, List, Update, Delete], [All];
    Raw: "rawAcl", [Read, Write, List], [All, Table];
    Relationships: "relationshipsAcl", [Read, Write], [All, DataSet];
    Robotics: "roboticsAcl", [Read, Create, Update, Delete], [All, DataSet];
    SapWriteback: "sapWritebackAcl", [Read, Write], [All, Instances];
    SapWritebackRequests: "sapWritebackRequestsAcl", [Write, List], [All, Instances];
    ScheduledCalculations: "scheduledCalculationsAcl", [Read, Write], [All];
    SecurityCategories: "securityCategoriesAcl", [MemberOf, List, Create, Update, Delete], [All, IdLowerCase];
    Seismic: "seismicAcl", [Read, Write], [All, Partition];
    Sequences: "sequencesAcl", [Read, Write], [All, DataSet];
    Sessions: "sessionsAcl", [List, Create, Delete], [All];
    Simulators: "simulatorsAcl", [Read, Write, Delete, Run, Manage], [All, DataSet];
    Sla: "slaAcl", [Read], [All];
    StreamRecords: "streamRecordsAcl", [Read, Write], [All, SpaceId];
    Streams: "streamsAcl", [Read, Create, Delete], [All];
    SubscribeSignals: "subscribeSignalsAcl", [Read, Write], [All, CurrentUser];
    TemplateGroups: "templateGroupsAcl", [Read, Write], [All, DataSet], legacy;
    TemplateInstances: "templateInstancesAcl", [Read, Write], [All, DataSet];
    ThreeD: "threedAcl", [Read, Create, Update, Delete], [All, DataSet];
    TimeSeries: "timeSeriesAcl", [Read, Write], [All, DataSet, IdLowerCase, AssetRootId];
    TimeSeriesSubscriptions: "timeSeriesSubscriptionsAcl", [Read, Write], [All, DataSet];
    Transformations: "transformationsAcl", [Read, Write], [All, DataSet];
    TransformationsExternalDataSources: "transformationsExternalDataSourcesAcl", [Read, Write, Use], [All, DataSet];
    Types: "typesAcl", [Read, Write], [All];
    UserProfiles: "userProfilesAcl", [Read], [All];
    VisionModel: "visionModelAcl", [Read, Write], [All];
    Wells: "wellsAcl", [Read, Write], [All];
    WorkflowOrchestration: "workflowOrchestrationAcl", [Read, Write], [All, DataSet];
}

impl fmt::Display for Acl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not the name of an [`Acl`].
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not the name of an ACL")]
pub struct UnknownAcl(String);

impl FromStr for Acl {
    type Err = UnknownAcl;

    fn from_str(name: &str) -> Result<Self, UnknownAcl> {
        Self::of(name).ok_or_else(|| UnknownAcl(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_the_names() {
        assert_eq!(Acl::ALL.len(), 65);
        assert!(Acl::ALL.is_sorted_by(|a, b| a < b && a.as_str() < b.as_str()));
    }

    #[test]
    fn three_are_no_longer_used_and_one_cannot_be_had_for_all() {
        let legacy: Vec<_> = Acl::ALL.iter().filter(|acl| acl.is_legacy()).map(|acl| acl.as_str()).collect();
        assert_eq!(legacy, ["genericsAcl", "modelHostingAcl", "templateGroupsAcl"]);
        let narrow: Vec<_> = Acl::ALL.iter().filter(|acl| !acl.scopes().contains(&ScopeKind::All)).collect();
        assert_eq!(narrow, [&Acl::Experiments]);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for acl in Acl::ALL {
            assert_eq!(acl.as_str().parse::<Acl>().unwrap(), *acl);
        }
        assert_eq!("AssetsAcl".parse::<Acl>().unwrap_err().to_string(), "`AssetsAcl` is not the name of an ACL");
    }
}
