//! One member out of a wheel (ZIP) or a source package (tar, gzip).
//!
//! A member is found by its exact path and handed over as a stream; its path is never used to write anything, so an
//! archive cannot choose where bytes go.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::GzDecoder;

use super::ModelError;

/// More than this out of one gzip stream is no package of ours.
const MAX_UNPACKED: u64 = 4 << 30;

/// Hands the member at `path` of `archive` to `take`.
///
/// [`ModelError::Archive`] when it cannot be read, [`ModelError::NotInArchive`] when there is no such file.
pub(super) fn with_member<T>(
    archive: &Path,
    path: &str,
    take: impl FnOnce(&mut dyn Read) -> Result<T, ModelError>,
) -> Result<T, ModelError> {
    let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let bad = |reason: String| ModelError::Archive { archive: name.clone(), reason };
    let missing = || ModelError::NotInArchive { archive: name.clone(), path: path.to_string() };
    let file = File::open(archive).map_err(|e| ModelError::io("cannot be read", archive, e))?;
    let file = BufReader::new(file);
    if name.ends_with(".tar.gz") || name.ends_with(".tgz") {
        let mut tar = tar::Archive::new(GzDecoder::new(file).take(MAX_UNPACKED));
        for entry in tar.entries().map_err(|e| bad(e.to_string()))? {
            let mut entry = entry.map_err(|e| bad(e.to_string()))?;
            if entry.header().entry_type().is_file() && entry.path_bytes().as_ref() == path.as_bytes() {
                return take(&mut entry);
            }
        }
        return Err(missing());
    }
    let mut zip = zip::ZipArchive::new(file).map_err(|e| bad(e.to_string()))?;
    let mut member = match zip.by_name(path) {
        Ok(member) if member.is_file() => member,
        Ok(_) | Err(zip::result::ZipError::FileNotFound) => return Err(missing()),
        Err(e) => return Err(bad(e.to_string())),
    };
    take(&mut member)
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::{Cursor, Write};
    use std::path::PathBuf;

    use super::*;

    /// A ZIP in memory.
    pub(in super::super) fn zip_of(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in members {
            let options = zip::write::SimpleFileOptions::default();
            zip.start_file(*name, options).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn tar_gz_of(members: &[(&str, &[u8])]) -> Vec<u8> {
        let gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut tar = tar::Builder::new(gz);
        for (name, bytes) in members {
            let mut header = tar::Header::new_gnu();
            // Written raw, since the builder itself refuses a name that climbs.
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(bytes.len() as u64);
            header.set_cksum();
            tar.append(&header, *bytes).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap()
    }

    fn saved(dir: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn read(archive: &Path, path: &str) -> Result<Vec<u8>, ModelError> {
        with_member(archive, path, |member| {
            let mut bytes = Vec::new();
            member
                .read_to_end(&mut bytes)
                .map_err(|e| ModelError::Archive { archive: "x".into(), reason: e.to_string() })?;
            Ok(bytes)
        })
    }

    #[test]
    fn a_member_is_found_by_its_exact_path_in_both_kinds() {
        let dir = tempfile::tempdir().unwrap();
        let members = [("p/other", &b"no"[..]), ("p/model.onnx", b"weights")];
        for (name, bytes) in [("p-1.whl", zip_of(&members)), ("p-1.tar.gz", tar_gz_of(&members))] {
            let archive = saved(&dir, name, &bytes);
            assert_eq!(read(&archive, "p/model.onnx").unwrap(), b"weights", "{name}");
            for absent in ["model.onnx", "p", "p/", "p/model.onn"] {
                let error = read(&archive, absent).unwrap_err();
                assert!(matches!(error, ModelError::NotInArchive { .. }), "{name} {absent}: {error}");
                assert!(error.to_string().contains("models.toml"), "{error}");
            }
        }
    }

    #[test]
    fn a_member_that_climbs_is_neither_written_nor_in_the_way() {
        let dir = tempfile::tempdir().unwrap();
        let members = [("../../evil", &b"evil"[..]), ("/tmp/evil", b"evil"), ("p/model.onnx", b"weights")];
        for (name, bytes) in [("p-1.whl", zip_of(&members)), ("p-1.tar.gz", tar_gz_of(&members))] {
            let inner = dir.path().join("a/b");
            std::fs::create_dir_all(&inner).unwrap();
            let archive = inner.join(name);
            std::fs::write(&archive, bytes).unwrap();
            assert_eq!(read(&archive, "p/model.onnx").unwrap(), b"weights", "{name}");
            assert!(!dir.path().join("evil").exists());
        }
    }

    #[test]
    fn a_truncated_archive_is_an_error_wherever_it_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        let noise: Vec<u8> = (0..5000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for (name, bytes) in [("p.whl", zip_of(&[("m", &noise)])), ("p.tar.gz", tar_gz_of(&[("m", &noise)]))] {
            let whole = saved(&dir, name, &bytes);
            assert_eq!(read(&whole, "m").unwrap(), noise);
            for cut in (0..bytes.len().min(5000)).step_by(97) {
                let archive = saved(&dir, name, &bytes[..cut]);
                let error = read(&archive, "m").expect_err("a part is not the whole");
                let named = matches!(error, ModelError::Archive { .. } | ModelError::NotInArchive { .. });
                assert!(named, "{name} cut at {cut}: {error}");
            }
        }
    }
}
