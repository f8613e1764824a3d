//! Durations and sizes as people write them: `20s`, `30d`, `64MB`.

use std::time::Duration;

/// `500ms`, `20s`, `5m`, `1h`, `30d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(format!("`{text}` has no unit of time; write ms, s, m, h or d, as in `20s`")),
    };
    number.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(|| format!("`{text}` is too long"))
}

/// `500kB`, `64MB`, `2GB`.
pub(super) fn bytes(text: &str) -> Result<usize, String> {
    let (number, unit) = split(text)?;
    let factor = match unit {
        "B" => 1,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return Err(format!("`{text}` has no unit of size; write B, kB, MB or GB, as in `64MB`")),
    };
    number.checked_mul(factor).and_then(|n| usize::try_from(n).ok()).ok_or_else(|| format!("`{text}` is too large"))
}

fn split(text: &str) -> Result<(u64, &str), String> {
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let number = number.parse().map_err(|_| format!("`{text}` does not start with a whole number"))?;
    Ok((number, unit.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_carry_their_unit() {
        assert_eq!(duration("20s"), Ok(Duration::from_secs(20)));
        assert_eq!(duration("30d"), Ok(Duration::from_secs(30 * 86_400)));
        assert_eq!(duration("250 ms"), Ok(Duration::from_millis(250)));
        assert!(duration("20").unwrap_err().contains("no unit"));
        assert!(duration("soon").unwrap_err().contains("whole number"));
        assert!(duration("99999999999999999999s").is_err());
        assert!(duration("18446744073709551615d").unwrap_err().contains("too long"));
        assert_eq!(bytes("64MB"), Ok(64_000_000));
        assert!(bytes("64").is_err());
    }
}
