//! Prints what is missing.

use std::io::{self, Write};
use std::process::ExitCode;

use skill_sdk::Code;
use skill_sdk::iam::Capability;

use crate::json;
use crate::outcome::Refusal;
use crate::stdout;

/// Writes what is missing to standard output, and gives the exit code that says whether anything is.
pub(super) fn print(missing: &[Capability]) -> Result<ExitCode, Refusal> {
    let exit_code = if missing.is_empty() { 0 } else { Code::MissingCapabilities.exit_code() };
    stdout::exit_code(stdout::write_with(|stdout| write(stdout, missing)), exit_code.into())
}

/// Writes a JSON list, an entry a line.
fn write(to: &mut impl Write, missing: &[Capability]) -> io::Result<()> {
    if missing.is_empty() {
        return to.write_all(b"[]\n");
    }
    let mut before = "[\n  ";
    for capability in missing {
        to.write_all(before.as_bytes())?;
        json::write(to, capability)?;
        before = ",\n  ";
    }
    to.write_all(b"\n]\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use skill_sdk::iam::{Acl, Action, Scope};

    fn written(missing: &[Capability]) -> String {
        let mut bytes = Vec::new();
        write(&mut bytes, missing).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn each_entry_has_a_line() {
        let missing = [
            Capability::new(Acl::Labels, [Action::Read], Scope::all()),
            Capability::new(Acl::DataModels, [Action::Read], Scope::spaces(["a\"\n\u{9b}ü"])),
        ];
        let text = written(&missing);
        let lines = [
            "[",
            r#"  {"labelsAcl":{"actions":["READ"],"scope":{"all":{}}}},"#,
            r#"  {"dataModelsAcl":{"actions":["READ"],"scope":{"spaceIdScope":{"spaceIds":["a\"\n\u009bü"]}}}}"#,
            "]",
            "",
        ];
        assert_eq!(text, lines.join("\n"));
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), json!(missing));
        assert_eq!(written(&[]), "[]\n");
    }
}
