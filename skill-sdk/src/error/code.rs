//! The error table.

use std::fmt;
use std::str::FromStr;

/// Declares the codes and their columns side by side, so that a row of the table is a row here.
macro_rules! table {
    ($( $(#[doc = $doc:literal])+ $variant:ident: $name:literal, $http:literal, $exit:literal, $retry:literal, $title:literal; )+) => {
        /// A row of the error table: every failure, through every trigger, is one of these.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum Code { $( $(#[doc = $doc])+ $variant, )+ }

        impl Code {
            /// The whole table, in its order.
            pub const ALL: &[Code] = &[ $( Code::$variant, )+ ];

            /// The name that goes over the wire, such as `token_expired`.
            pub const fn as_str(self) -> &'static str {
                match self { $( Code::$variant => $name, )+ }
            }

            /// A short sentence that is the same for every failure of this kind (RFC 9457, `title`).
            pub const fn title(self) -> &'static str {
                match self { $( Code::$variant => $title, )+ }
            }

            /// The HTTP status of an answer.
            pub const fn http_status(self) -> u16 {
                match self { $( Code::$variant => $http, )+ }
            }

            /// The exit code of a job.
            pub const fn exit_code(self) -> u8 {
                match self { $( Code::$variant => $exit, )+ }
            }

            /// Whether the same invocation may succeed later.
            pub const fn is_retryable(self) -> bool {
                match self { $( Code::$variant => $retry, )+ }
            }
        }
    };
}

table! {
    /// Not JSON, not an object, a field of the wrong type, or no `apiEndpoint` or `projectId` where a client is needed.
    InvalidMessage: "invalid_message", 400, 65, false, "The message is not valid";
    /// Over the trigger's limit.
    MessageTooLarge: "message_too_large", 413, 65, false, "The message is too large";
    /// The payload does not fit the handler's input.
    InvalidPayload: "invalid_payload", 422, 65, false, "The payload does not fit the skill";
    /// No token, or an empty one, where a client is needed.
    TokenMissing: "token_missing", 401, 77, false, "There is no token";
    /// Malformed, badly signed, for somebody else, or without `aud`, `sub` or `exp`.
    TokenInvalid: "token_invalid", 401, 77, false, "The token is not valid";
    /// Past its `exp`: before, during or after the handler.
    TokenExpired: "token_expired", 401, 77, false, "The token has expired";
    /// The caller lacks capabilities that the skill requires.
    MissingCapabilities: "missing_capabilities", 403, 77, false, "The caller lacks capabilities";
    /// The `apiEndpoint` is not on the operator's allow list.
    EndpointNotAllowed: "endpoint_not_allowed", 403, 77, false, "The API endpoint is not allowed";
    /// No such skill here.
    SkillNotFound: "skill_not_found", 404, 66, false, "The skill was not found";
    /// The handler returned an error.
    SkillFailed: "skill_failed", 500, 1, false, "The skill failed";
    /// The handler panicked.
    SkillPanicked: "skill_panicked", 500, 70, false, "The skill panicked";
    /// A child process died by signal or was killed for memory.
    SkillCrashed: "skill_crashed", 502, 70, false, "The skill crashed";
    /// The output is over the trigger's limit.
    ResponseTooLarge: "response_too_large", 502, 70, false, "The response is too large";
    /// The platform refused or failed.
    PlatformUnavailable: "platform_unavailable", 503, 75, true, "The platform is unavailable";
    /// The admission limit is reached.
    Overloaded: "overloaded", 503, 75, true, "The host is overloaded";
    /// The invocation arrived during a drain, or was cancelled by it.
    ShuttingDown: "shutting_down", 503, 75, true, "The host is shutting down";
    /// Past the deadline.
    Timeout: "timeout", 504, 75, true, "The deadline has passed";
    /// A bug of the host.
    Internal: "internal", 500, 70, false, "The host has failed";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not the name of a [`Code`].
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a code of the error table")]
pub struct UnknownCode(String);

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(name: &str) -> Result<Self, UnknownCode> {
        Self::ALL.iter().copied().find(|code| code.as_str() == name).ok_or_else(|| UnknownCode(name.to_owned()))
    }
}
