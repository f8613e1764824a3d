//! Times as authors write them.

/// Seconds of `800ms`, `2s` or `1m`.
pub(super) fn seconds(written: &str) -> Option<f64> {
    let written = written.trim();
    let (number, unit) = written.split_at(written.find(|c: char| c.is_ascii_alphabetic())?);
    let number: f64 = number.trim().parse().ok()?;
    match unit {
        "ms" => Some(number / 1_000.0),
        "s" => Some(number),
        "m" => Some(number * 60.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(seconds("800ms"), Some(0.8));
        assert_eq!(seconds(" 2 s"), Some(2.0));
        assert_eq!(seconds("1m"), Some(60.0));
        for wrong in ["", "2", "s", "2h", "two s", "é"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
