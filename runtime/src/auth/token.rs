//! `auth token`: makes a token and prints it.

use std::process::ExitCode;
use std::time::Duration;

use secrecy::ExposeSecret;
use skill_sdk::{Code, Error};
use tokio::runtime;

use crate::cli::auth::TokenOptions;
use crate::cli::exit;
use crate::outcome::Refusal;
use crate::stdout;

pub(super) fn run(options: &TokenOptions) -> Result<ExitCode, Refusal> {
    let config = super::personal_access_config(options.file.as_deref(), options.profile.as_deref())?;
    let verify = &options.tls.verify_ssl_cert;
    verify.check().map_err(|error| Refusal::with_exit_code(error, exit::CONFIG))?;
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(Code::Internal, "the async runtime cannot start").with_source(error))?;
    let token = runtime.block_on(config.mint(options.ttl, verify))?;
    stdout::write(&format!("{}\n", token.secret().expose_secret()))?;
    Ok(ExitCode::SUCCESS)
}

/// Reads a lifetime in the form of the vendor's command line (contract "fabric-auth", section 5): `^([.\d]+)(ms|[smhdwMy])$`. A
/// month has 30 days and a year 365. Tokens count in seconds, so one that lives shorter than one would be born dead.
pub(crate) fn ttl(text: &str) -> Result<Duration, String> {
    let invalid = || format!("Invalid --ttl \"{text}\" must be a number followed by ms,s,m,h,d,w,M,y");
    let unit = text.find(|c: char| c != '.' && !c.is_ascii_digit()).ok_or_else(invalid)?;
    let (number, unit) = text.split_at(unit);
    let number: f64 = number.parse().map_err(|_| invalid())?;
    let milliseconds = match unit {
        "ms" => 1.0,
        "s" => 1e3,
        "m" => 60e3,
        "h" => 3600e3,
        "d" => 86_400e3,
        "w" => 7.0 * 86_400e3,
        "M" => 30.0 * 86_400e3,
        "y" => 365.0 * 86_400e3,
        _ => return Err(invalid()),
    };
    // Whole milliseconds: 1.1 minutes are 66 seconds, and not a little less.
    let lifetime = Duration::try_from_secs_f64((number * milliseconds).round() / 1e3).map_err(|_| invalid())?;
    if lifetime < Duration::from_secs(1) {
        return Err(format!("Invalid --ttl \"{text}\" must be at least one second"));
    }
    Ok(lifetime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_a_number_and_a_unit() {
        for (text, seconds) in [
            ("1500ms", 1.5),
            ("1s", 1.0),
            ("2m", 120.0),
            ("1.1m", 66.0),
            (".5h", 1800.0),
            ("1d", 86_400.0),
            ("2w", 1_209_600.0),
            ("1M", 2_592_000.0),
            ("1y", 31_536_000.0),
        ] {
            assert_eq!(ttl(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["", "2", "m", "2 m", "2m ", "-2m", "+2m", "1e3s", "1.2.3s", ".s", "2µs", "2S", "infs", "NaNs"] {
            let error = format!("Invalid --ttl \"{text}\" must be a number followed by ms,s,m,h,d,w,M,y");
            assert_eq!(ttl(text), Err(error));
        }
        assert!(ttl(&format!("{}y", "9".repeat(400))).is_err());
        for text in ["999ms", "0s", "0.5s"] {
            assert!(ttl(text).unwrap_err().ends_with("must be at least one second"), "{text}");
        }
    }
}
