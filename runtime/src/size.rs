//! Sizes on the command line.

use std::fmt;
use std::str::FromStr;

/// A number of bytes: `500`, `100KiB`, `1MiB`, `1GiB`. A single letter (`100k`) means the same: in the platform's limits
/// "k" is 1024 (contract "fabric-invocation", section 7).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Size(pub(crate) usize);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let factor: usize = match unit.trim_start().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kib" => 1 << 10,
            "m" | "mib" => 1 << 20,
            "g" | "gib" => 1 << 30,
            _ => return Err("a size is a whole number of bytes, KiB, MiB or GiB, such as 100KiB".to_owned()),
        };
        let number: usize = number.parse().map_err(|_| "a size begins with a whole number".to_owned())?;
        number.checked_mul(factor).map(Self).ok_or_else(|| "the size is too large".to_owned())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes > 0 && bytes % (1 << 20) == 0 => write!(f, "{}MiB", bytes >> 20),
            bytes if bytes > 0 && bytes % (1 << 10) == 0 => write!(f, "{}KiB", bytes >> 10),
            bytes => write!(f, "{bytes}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_shown() {
        for (text, bytes) in
            [("0", 0), ("500", 500), ("100KiB", 102_400), ("100k", 102_400), ("2 MiB", 2 << 20), ("1G", 1 << 30)]
        {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
            assert_eq!(Size(bytes).to_string().parse(), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "k", "-1", "1.5k", "10KB", "99999999999999999999", "18446744073709551615k"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
