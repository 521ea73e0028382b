//! Skills of a shared library: the other side of [`skill_sdk::plugin`], and the host's only unsafe code.

use std::path::Path;
use std::time::Duration;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW, Symbol};
use skill_sdk::client::PlatformRequest;
use skill_sdk::logging::{Fields, Record};
use skill_sdk::plugin::{self, Call, Header, LogRecord, Plugin, SYMBOL, Texts};
use skill_sdk::{Code, Error, Invocation, Manifest, Response, Schemas};

use super::{Answer, HostedSkill};
use crate::telemetry;

/// Opens a library and lists its skills. This runs the library's start-up code.
pub(super) fn open(path: &Path) -> Result<Vec<Box<dyn HostedSkill>>, Error> {
    let unusable = |why: &str| Error::new(Code::SkillNotFound, format!("{} {why}", path.display()));
    // A name without a slash would be searched for in the system's library folders instead of here.
    let file = path.canonicalize().map_err(|error| unusable("cannot be opened").with_source(error))?;
    // SAFETY: the operator names the library to have its code run in this process; there is no other guarantee that its
    // initialisers behave.
    let library = unsafe { Library::open(Some(&file), RTLD_NOW | RTLD_LOCAL) }
        .map_err(|error| unusable("is not a skill library").with_source(error))?;
    // The library's threads and statics may be used until the process ends, so it is never unloaded.
    let library: &'static Library = Box::leak(Box::new(library));
    // SAFETY: the symbol has this type in every version of the boundary.
    let entry: Symbol<extern "C" fn() -> *const Header> = unsafe { library.get(SYMBOL) }
        .map_err(|error| unusable("is not a skill library: it lacks an entry point").with_source(error))?;
    let table = entry();
    if table.is_null() {
        return Err(unusable("is not a skill library: its entry point gives nothing"));
    }
    // SAFETY: the entry point gives a table that lives as long as the library, and every version of the table begins with
    // a header.
    let header = unsafe { *table };
    if !header.fits::<Plugin>() {
        let own = Header::of::<Plugin>();
        return Err(unusable(&format!(
            "was built for version {} of the skill ABI ({} bytes), this host is for version {} ({} bytes): \
             build both with the same skill-sdk",
            header.abi_version, header.size, own.abi_version, own.size
        )));
    }
    #[expect(clippy::cast_ptr_alignment, reason = "the library aligned it as the `Plugin` it is")]
    let plugin = table.cast::<Plugin>();
    // SAFETY: a table whose header has this version and size is a `Plugin`, and it lives as long as the library.
    let plugin: &'static Plugin = unsafe { &*plugin };
    (plugin.start)(&plugin::Host {
        header: Header::of::<plugin::Host>(),
        max_level: plugin::level_number(telemetry::max_level()),
        log,
        request_made,
    });
    let manifests: Vec<Manifest> = serde_json::from_slice((plugin.manifests)().bytes()?)
        .map_err(|error| unusable("has manifests that cannot be read").with_source(error))?;
    let skill = |(place, manifest)| Box::new(LibrarySkill { plugin, place, manifest }) as Box<dyn HostedSkill>;
    Ok(manifests.into_iter().enumerate().map(skill).collect())
}

extern "C" fn log(record: &LogRecord<'_>) {
    let (Some(level), Some(target)) = (plugin::level_of(record.level), record.target.text()) else { return };
    if !telemetry::is_enabled(level, target) {
        return;
    }
    // What a library says is looked at again: it may be of another build, and its text must not break the line.
    let message = record.message.text().map(skill_sdk::redact).unwrap_or_default();
    let fields = record.fields.text().map(skill_sdk::redact).unwrap_or_default();
    telemetry::write(&Record {
        level,
        target,
        message: &message,
        fields: &Fields::from_json(fields.as_bytes()).unwrap_or_default(),
        activation_id: record.activation_id.text(),
    });
}

extern "C" fn request_made(status: u16, nanoseconds: u64) {
    let request = PlatformRequest { status: (status != 0).then_some(status), took: Duration::from_nanos(nanoseconds) };
    crate::metrics::request_made(request);
}

struct LibrarySkill {
    plugin: &'static Plugin,
    place: usize,
    manifest: Manifest,
}

impl HostedSkill for LibrarySkill {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn schemas(&self) -> Result<Schemas, Error> {
        serde_json::from_slice((self.plugin.schemas)(self.place).bytes()?)
            .map_err(|error| Error::new(Code::Internal, "the library's schemas cannot be read").with_source(error))
    }

    fn call(&self, invocation: Invocation) -> Answer {
        let limit = invocation.response_limit();
        let reply = (self.plugin.call)(self.place, &Call::new(&invocation, &Texts::of(&invocation)));
        Box::pin(async move { Response::from_utf8(reply.await.bytes()?, limit) })
    }
}
