//! One array out of a NumPy archive: the mel filter bank of Whisper (`mel_80`, `mel_128`).
//!
//! The `.npy` format is described in NumPy's NEP 1: magic, version, header length, a Python dictionary as text, data.

use std::io::{Cursor, Read};

use super::error::ConvertError;

const MAGIC: &[u8] = b"\x93NUMPY";
/// The largest filter bank known is 128 × 201 numbers.
const MAX_BYTES: u64 = 16 << 20;

/// A filter bank: `rows` mel bands by `columns` frequency bins, row-major.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Filters {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) values: Vec<f32>,
}

/// The filter bank of `bands` mel bands.
pub(super) fn mel_filters(npz: &[u8], bands: usize) -> Result<Filters, ConvertError> {
    let format = |reason: String| ConvertError::Format(reason);
    let name = format!("mel_{bands}.npy");
    let mut zip = zip::ZipArchive::new(Cursor::new(npz)).map_err(|e| format(e.to_string()))?;
    let member = zip.by_name(&name).map_err(|e| format(format!("`{name}`: {e}")))?;
    let mut bytes = Vec::new();
    member.take(MAX_BYTES).read_to_end(&mut bytes).map_err(|e| format(format!("`{name}`: {e}")))?;
    let filters = array(&bytes)?;
    if filters.rows != bands {
        return Err(format(format!("`{name}` has {} bands", filters.rows)));
    }
    Ok(filters)
}

/// A little-endian two-dimensional float32 array in C order.
fn array(npy: &[u8]) -> Result<Filters, ConvertError> {
    let truncated = ConvertError::Truncated { what: "an array", at: npy.len() };
    let bad = |reason: &str| ConvertError::Format(reason.to_string());
    let rest = npy.strip_prefix(MAGIC).ok_or_else(|| bad("it is no NumPy array"))?;
    let (length, rest) = match *rest {
        [1, _, a, b, ref rest @ ..] => (usize::from(u16::from_le_bytes([a, b])), rest),
        [2 | 3, _, a, b, c, d, ref rest @ ..] => (u32::from_le_bytes([a, b, c, d]) as usize, rest),
        _ => return Err(bad("it has an unknown version of the NumPy format")),
    };
    let Some((header, data)) = rest.split_at_checked(length) else { return Err(truncated) };
    let header = std::str::from_utf8(header).map_err(|_| bad("its header is no text"))?;
    if field(header, "descr") != Some("'<f4'") || field(header, "fortran_order") != Some("False") {
        return Err(bad("it is not little-endian float32 in C order"));
    }
    let shape = header.split_once("'shape':").and_then(|(_, rest)| rest.split_once('(')?.1.split_once(')'));
    let sizes = shape.map_or("", |(sizes, _)| sizes).split(',').map(str::trim).filter(|s| !s.is_empty());
    let sizes = sizes.map(str::parse).collect::<Result<Vec<usize>, _>>().map_err(|_| bad("its shape is no numbers"))?;
    let [rows, columns] = sizes[..] else { return Err(bad("it has not two dimensions")) };
    if rows.checked_mul(columns).and_then(|n| n.checked_mul(4)) != Some(data.len()) {
        return Err(truncated);
    }
    let values = data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    Ok(Filters { rows, columns, values })
}

/// A simple value of the header's dictionary, up to its comma.
fn field<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = header.split_once(&format!("'{key}':"))?;
    rest.split([',', '}']).next().map(str::trim)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::archive::tests::zip_of;
    use super::*;

    /// An `.npz` with one filter bank.
    pub(in super::super) fn npz_of(bands: usize, columns: usize, value: f32) -> Vec<u8> {
        let values: Vec<u8> = (0..bands * columns).flat_map(|_| value.to_le_bytes()).collect();
        zip_of(&[(&format!("mel_{bands}.npy"), &npy(&format!("({bands}, {columns})"), "<f4", &values))])
    }

    fn npy(shape: &str, descr: &str, data: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
        let mut bytes = MAGIC.to_vec();
        bytes.extend([1, 0]);
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn the_bank_of_the_wanted_size_is_read() {
        let filters = mel_filters(&npz_of(80, 3, 0.5), 80).unwrap();
        assert_eq!((filters.rows, filters.columns), (80, 3));
        assert_eq!(filters.values, vec![0.5; 240]);
        assert!(mel_filters(&npz_of(80, 3, 0.5), 128).is_err());
    }

    #[test]
    fn truncated_and_foreign_arrays_are_errors() {
        let good = npy("(2, 2)", "<f4", &[0; 16]);
        assert!(array(&good).is_ok());
        for cut in 0..good.len() {
            assert!(array(&good[..cut]).is_err(), "cut at {cut}");
        }
        let huge = "(18446744073709551615, 18446744073709551615)";
        for bytes in [
            npy("(2, 2)", "<f8", &[0; 16]),
            npy("(4,)", "<f4", &[0; 16]),
            npy("(2, x)", "<f4", &[0; 16]),
            npy(huge, "<f4", &[0; 16]),
            npy("(2, 3)", "<f4", &[0; 16]),
        ] {
            assert!(array(&bytes).is_err());
        }
        assert!(mel_filters(b"no archive", 80).is_err());
    }
}
