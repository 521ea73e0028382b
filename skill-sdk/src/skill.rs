//! Skills: a name, a handler, and the manifest that describes them.

use std::any::{Any, TypeId};
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::context::Context;
use crate::error::{Error, SkillError};
use crate::iam::Capability;
use crate::invocation::{Invocation, Running};
use crate::json_text;
use crate::message::Message;
use crate::response::Response;

/// A function that answers invocation messages, under a name.
///
/// ```
/// use skill_sdk::prelude::*;
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Order { number: u32 }
///
/// async fn check(order: Order, _ctx: Context) -> Result<bool> {
///     Ok(order.number > 0)
/// }
///
/// let skill = Skill::new("order-check", check).describe("Checks an order").without_client();
/// assert_eq!(skill.manifest().name, "order-check");
/// ```
#[derive(Clone)]
pub struct Skill {
    manifest: Manifest,
    schemas: fn() -> Schemas,
    handler: Arc<dyn Run>,
}

/// What a host must know to run a skill, as JSON with camelCase names.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Manifest {
    /// By which a host with several skills finds it. It may hold `/`.
    pub name: String,
    /// What it does, for a person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whether it calls the platform, and so needs `apiEndpoint`, `token` and `projectId` in the message.
    pub needs_client: bool,
    /// Longest time an invocation may take, in milliseconds, where the skill sets one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// The capabilities that whoever invokes it must have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Capability>,
}

/// What a skill takes and gives. It is only made when somebody asks: no invocation needs it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Schemas {
    /// JSON Schema (2020-12) of the payload it takes.
    pub input: Schema,
    /// JSON Schema (2020-12) of the payload it gives.
    pub output: Schema,
}

impl Schemas {
    fn of<I: JsonSchema, O: JsonSchema>() -> Self {
        let settings = SchemaSettings::draft2020_12;
        Self {
            input: settings().for_deserialize().into_generator().into_root_schema_for::<I>(),
            output: settings().for_serialize().into_generator().into_root_schema_for::<O>(),
        }
    }
}

impl Manifest {
    /// Longest time an invocation may take, where the skill sets one.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout_ms.map(Duration::from_millis)
    }

    /// Whether the message must have what a client is made from: because the skill calls the platform, or because the host asks
    /// the platform what the caller may do.
    pub fn needs_complete_message(&self) -> bool {
        self.needs_client || !self.requires.is_empty()
    }
}

impl Skill {
    /// A skill that runs a handler: any `async fn(I, Context) -> Result<O, E>` where `I` can be deserialized and `O`
    /// serialized, both have a JSON Schema, and `E` is [`SkillError`] or converts into it.
    /// [`Value`](serde_json::Value) works as `I` and as `O`, and so does `Box<RawValue>`, which leaves the payload the text
    /// it is.
    pub fn new<H, I, O, E, How>(name: impl Into<String>, handler: H) -> Self
    where
        H: Handler<I, O, E, How>,
        How: 'static,
        I: DeserializeOwned + JsonSchema + 'static,
        O: Serialize + JsonSchema + 'static,
        E: Into<SkillError> + 'static,
    {
        let manifest = Manifest {
            name: name.into(),
            description: String::new(),
            needs_client: true,
            timeout_ms: None,
            requires: Vec::new(),
        };
        Self { manifest, schemas: Schemas::of::<I, O>, handler: Arc::new(Typed { handler, types: PhantomData }) }
    }

    /// Says what the skill does, for a person.
    pub fn describe(mut self, description: impl Into<String>) -> Self {
        self.manifest.description = description.into();
        self
    }

    /// Sets the longest time an invocation may take, rounded to milliseconds. The host may set a shorter one.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.manifest.timeout_ms = Some(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// Says that the skill makes no platform calls: messages without `apiEndpoint`, `token` and `projectId` will do. A skill that
    /// [requires](Self::requires) capabilities needs them all the same.
    pub fn without_client(mut self) -> Self {
        self.manifest.needs_client = !self.manifest.requires.is_empty();
        self
    }

    /// Says which capabilities the caller must have in the project of the message. Several calls add up. A caller who lacks any
    /// never reaches the handler: the host inspects the token first, and answers
    /// [`missing_capabilities`](crate::Code::MissingCapabilities) with what is missing. What covers what,
    /// [`compare_capabilities`](crate::iam::compare_capabilities) says.
    ///
    /// Messages need `apiEndpoint`, `token` and `projectId` then, also for a skill that is
    /// [`without_client`](Self::without_client). A host refuses a skill with a capability that does not pass
    /// [`Capability::check`], or that nobody could lack, such as one for `Scope::dataset([])` or of a
    /// [legacy](crate::iam::Acl::is_legacy) ACL. Only hosts look at it: [`call`](Self::call) does not.
    ///
    /// ```
    /// use skill_sdk::iam::{Acl, Action::*, Capability, Scope};
    /// # use skill_sdk::prelude::*;
    /// # async fn plan(_: Value, _ctx: Context) -> Result<Value> { Ok(Value::Null) }
    ///
    /// let skill = Skill::new("plan", plan).requires([
    ///     Capability::new(Acl::Assets, [Read], Scope::all()),
    ///     Capability::new(Acl::Events, [Write], Scope::dataset([123])),
    /// ]);
    /// assert_eq!(skill.manifest().requires.len(), 2);
    /// ```
    pub fn requires(mut self, capabilities: impl IntoIterator<Item = Capability>) -> Self {
        self.manifest.requires.extend(capabilities);
        self.manifest.needs_client |= !self.manifest.requires.is_empty();
        self
    }

    /// What a host must know to run the skill.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What the skill takes and gives.
    pub fn schemas(&self) -> Schemas {
        (self.schemas)()
    }

    /// Starts an invocation. Its future gives the payload as JSON text, or the failure; panics of the handler are
    /// caught, and dropping it cancels the work.
    pub fn call(&self, invocation: Invocation) -> Running {
        let handler = self.handler.clone();
        invocation.run(move |context, limit| handler.run(context, limit))
    }
}

impl fmt::Debug for Skill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Skill").field("manifest", &self.manifest).finish_non_exhaustive()
    }
}

/// A function that can answer for a [`Skill`]. It is implemented for every suitable `async fn` and closure.
#[diagnostic::on_unimplemented(
    message = "this is no handler of a skill",
    label = "expected `async fn(I, Context) -> Result<O>`",
    note = "a handler takes its input by value and then a `skill_sdk::Context`, is `async`, and returns a `Result`",
    note = "its future must be `Send`: hold no `Rc`, `RefCell` borrow or `MutexGuard` across an `.await`",
    note = "example: `async fn word_count(input: Text, ctx: Context) -> Result<Count>`"
)]
pub trait Handler<I, O, E, How>: Send + Sync + 'static {
    /// The future of one invocation.
    type Future: Future<Output = Result<O, E>> + Send + 'static;

    /// Begins to answer.
    fn handle(&self, input: I, context: Context) -> Self::Future;
}

/// How functions are handlers.
#[doc(hidden)]
pub enum Called {}

impl<F, Fut, I, O, E> Handler<I, O, E, Called> for F
where
    F: Fn(I, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, E>> + Send + 'static,
{
    type Future = Fut;

    fn handle(&self, input: I, context: Context) -> Fut {
        self(input, context)
    }
}

/// A second way to be a handler, which nothing takes. With one implementation only, the compiler would explain what that one
/// lacks, in terms of closures and futures; with two, it shows the note of the trait.
mod never {
    pub trait Never {}
    pub enum Way {}
}

impl<F, I, O, E> Handler<I, O, E, never::Way> for F
where
    F: never::Never + Send + Sync + 'static,
    O: Send + 'static,
    E: Send + 'static,
{
    type Future = std::future::Pending<Result<O, E>>;

    fn handle(&self, _: I, _: Context) -> Self::Future {
        std::future::pending()
    }
}

/// A future that is boxed.
pub(crate) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A handler whose types are erased: payload text in, payload text out.
trait Run: Send + Sync {
    fn run(&self, context: Context, response_limit: usize) -> Boxed<Result<Response, Error>>;
}

/// The types of a handler, as a function has them: owning none of their values.
type Types<I, O, E, How> = fn(I, How) -> Result<O, E>;

struct Typed<H, I, O, E, How> {
    handler: H,
    types: PhantomData<Types<I, O, E, How>>,
}

impl<H, I, O, E, How> Run for Typed<H, I, O, E, How>
where
    H: Handler<I, O, E, How>,
    How: 'static,
    I: DeserializeOwned + 'static,
    O: Serialize + 'static,
    E: Into<SkillError> + 'static,
{
    fn run(&self, context: Context, response_limit: usize) -> Boxed<Result<Response, Error>> {
        let input = match input(context.message()) {
            Ok(input) => input,
            Err(error) => return Box::pin(std::future::ready(Err(error))),
        };
        let answer = self.handler.handle(input, context);
        Box::pin(async move {
            let output = answer.await.map_err(|error| Error::from(error.into()))?;
            response(output, response_limit)
        })
    }
}

/// The payload as a handler takes it. Where that is the text it is, the text is not read again.
fn input<I: DeserializeOwned + 'static>(message: &Message) -> Result<I, Error> {
    if TypeId::of::<I>() == TypeId::of::<Box<RawValue>>()
        && let Some(input) = take(&mut json_text::raw(message.payload_json()).ok())
    {
        return Ok(input);
    }
    message.payload()
}

/// The answer of a handler.
fn response<O: Serialize + 'static>(output: O, limit: usize) -> Result<Response, Error> {
    let mut output = Some(output);
    match take(&mut output) {
        Some(raw) => Response::of_raw(raw, limit),
        None => Response::of(&output, limit),
    }
}

/// Takes the value if it is of that type.
fn take<A: 'static, B: 'static>(value: &mut Option<A>) -> Option<B> {
    (value as &mut dyn Any).downcast_mut::<Option<B>>()?.take()
}

#[cfg(test)]
mod tests;
