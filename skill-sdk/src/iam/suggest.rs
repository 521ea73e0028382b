//! Names that somebody may have meant.

/// How alike two names must be, from 0 to 1, and how many are suggested (contract "cdf-capabilities", section 4).
const ALIKE: f32 = 0.6;
const MOST: usize = 3;

/// The nearest of these names, best first; none where none is near.
pub(super) fn nearest<'n>(name: &str, names: &[&'n str]) -> Vec<&'n str> {
    // What a name is compared with takes time by its length.
    if name.len() > 100 { Vec::new() } else { similar::get_close_matches(name, names, MOST, ALIKE) }
}

/// `. Did you mean one of: a, b?`, or nothing.
pub(super) fn did_you_mean(name: &str, names: &[&str]) -> String {
    match nearest(name, names).as_slice() {
        [] => String::new(),
        [one] => format!(". Did you mean {one}?"),
        several => format!(". Did you mean one of: {}?", several.join(", ")),
    }
}
